"""Who answers a call, one mind after another: the bot, the queue, a person, the bot again; or who only listens.

The bot's last word, the caller's keys and the desk's commands lead from one to the next; what each of them does with
the call is its own module.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, TypeVar

from agent_assist.desk.ports import LeaveWhy
from dialog.actions import Hangup, LastWord, Transfer
from dialog.commands import (
    Announce,
    BlindTransfer,
    Command,
    Consult,
    DropThird,
    End,
    HandBack,
    Hold,
    Join,
    PauseRecording,
    PutThrough,
    Requeue,
    Speak,
    Supervise,
    TurnAway,
)
from dialog.events import CallStarted, Event, RecordingPaused
from dialog.journal import Journal
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    CallbackRequested,
    CallerPutThrough,
    CallQueued,
    SupervisionChanged,
    TurnedAway,
)
from dialog.ports import Returned, SessionOpened
from voice.brain import CallBrain
from voice.bridge import Bridge
from voice.line_test import MILLIWATT, TESTS, Echo, Milliwatt
from voice.media.recording import Pause, Recording
from voice.mind import Mind, Numbers, Strand
from voice.music import Music
from voice.ports import TICK_MS, Frame, Leg
from voice.recorded import Recorded
from voice.recorded_streams import RecordedStreams
from voice.referral import Referral
from voice.services import People, Refer, Services
from voice.through import Through
from voice.transferring import Transferring
from voice.waiting import Waiting

M = TypeVar("M", bound=Mind)

_LEFT: dict[str, Literal["caller", "transferred"]] = {"caller": "caller", "transferred": "transferred"}
"""Ends of a call that its agent is told by name."""


class Minds:
    """The minds of one call. `tell` notes an event in its journal now, `end` ends it.

    Without `people` a handoff ends the call; without `refer` nobody can be transferred outside.
    """

    def __init__(
        self,
        started: CallStarted,
        leg: Leg,
        services: Services,
        people: People | None,
        refer: Refer | None,
        recording: Recording | None,
        journal: Journal,
        tell: Callable[[Event], None],
        end: Callable[[str], None],
    ) -> None:
        self._started = started
        self._leg = leg
        self._services = services
        self._people = people
        self._referral = Referral(refer, tell)
        self._recording = recording
        self._journal = journal
        self._tell = tell
        self._end = end
        self._numbers = Numbers()
        self._tasks: asyncio.TaskGroup | None = None
        self._mind: Mind | None = None
        self._agent_hung_up = False
        self._bot_knows = False
        self._now_ms = 0

    # -- while the call lives -----------------------------------------------------------------------------------

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """The call was answered; minds work in `tasks`."""
        self._tasks = tasks
        started = self._started
        if isinstance(streams := self._leg, RecordedStreams):
            ears = self._services.ears
            self._turn_to(lambda _tasks: Recorded(streams, ears, self._numbers, self._tell, self._end))
            return
        if started.bot in TESTS:
            test = Milliwatt if started.bot == MILLIWATT else Echo
            self._turn_to(lambda _tasks: test(self._leg, self._end))
            return
        if started.placed_by:
            self._begin_with(started.placed_by)
        else:
            self._turn_to(lambda strand: self._bot(strand, self._opened))

    def _begin_with(self, agent: str) -> None:
        """The caller was called for an agent, who is there, or there is no call."""
        if self._people is None or not self._join(self._people, None, agent):
            self._end("agent_gone")
        elif isinstance(self._mind, Bridge):
            self._mind.inform()

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        self._now_ms = (frame.tick + 1) * TICK_MS
        if self._mind is not None:
            self._mind.on_frame(frame)

    def press(self, digits: str) -> None:
        """Keys that came beside the audio."""
        for key in digits:
            if self._mind is not None:
                self._mind.press(key)

    def expire(self) -> None:
        """The longest time is over."""
        if self._mind is not None:
            self._mind.expire()

    def close(self, cause: str) -> None:
        """The call is over; the desk is told, wherever the caller was."""
        mind, self._mind = self._mind, None
        if isinstance(mind, Bridge):
            self._leave_agent(mind, "hung_up" if self._agent_hung_up else _LEFT.get(cause, "ended"))
        if mind is not None:
            mind.gone()
            mind.close()
        if self._people is not None:
            why = LeaveWhy.TRANSFERRED if cause == "transferred" else LeaveWhy.HUNG_UP
            self._people.desk.leave(self._journal.call_id, why)

    def _turn_to(self, make: Callable[[Strand], M]) -> M:
        """Another mind has the call from now on."""
        assert self._tasks is not None, "minds come and go while the call lives"
        if self._mind is not None:
            self._mind.close()
            self._leg.stop()
        mind = make(Strand(self._tasks))
        self._mind = mind
        return mind

    # -- the bot ------------------------------------------------------------------------------------------------

    @property
    def _opened(self) -> SessionOpened:
        started = self._started
        return SessionOpened(
            started.caller, started.dialled, started.transport, bool(started.recording), started.headers
        )

    @property
    def _notice(self) -> str:
        """What whoever comes into the call is told, where it is recorded."""
        return self._services.announcements.recorded if self._started.recording else ""

    def _bot(self, tasks: Strand, turn: SessionOpened | Returned) -> CallBrain:
        services = self._services
        if not self._bot_knows:
            turn = self._opened  # an agent had the caller first
            self._bot_knows = True
        engine = services.bots[self._started.bot]
        brain = CallBrain(
            self._leg,
            services.ears,
            services.mouth,
            engine,
            self._journal,
            services.announcements,
            self._numbers,
            tasks,
            self._bot_is_done,
        )
        brain.open(turn, self._now_ms)
        return brain

    def _bot_is_done(self, last_word: LastWord) -> None:
        people = self._people
        if isinstance(last_word, Hangup):
            self._end(last_word.cause)
        elif isinstance(last_word, Transfer):
            transferring = self._turn_to(self._transferring)
            if not self._referral.ask(last_word.to):
                transferring.fail()
        elif people is None:
            self._end("handoff")
        else:
            self._queue(people)
            people.desk.enqueue(self._journal.call_id, last_word.reason, last_word.skill)

    def _return_to_bot(self, why: Literal["handed_back", "left", "transfer_failed"]) -> None:
        self._tell(BotReturned(why=why))
        self._turn_to(lambda tasks: self._bot(tasks, Returned(why)))

    # -- elsewhere ----------------------------------------------------------------------------------------------

    def transferred(self, status: int) -> None:
        """What came of it, as a SIP status. An agent who had the caller still has; else the bot goes on."""
        elsewhere = self._referral.concluded(status)
        if elsewhere:
            self._end("transferred")
        elif elsewhere is False and isinstance(self._mind, Transferring):
            self._mind.fail()

    def _transferring(self, tasks: Strand) -> Transferring:
        people, services = self._people, self._services
        return Transferring(
            self._leg,
            services.mouth,
            None if people is None else Music(self._leg, people.music),
            services.announcements,
            self._numbers,
            tasks,
            self._tell,
            lambda: self._return_to_bot("transfer_failed"),
            self._end,
        )

    # -- people -------------------------------------------------------------------------------------------------

    def command(self, command: Command) -> bool:
        """Carry out what the desk asks; False where the call is not in a state for it, and nothing has changed."""
        people, mind = self._people, self._mind
        if people is None:
            return False
        match command, mind:
            case Announce(position, estimate_s), Waiting(queued=True):
                mind.announce((position, estimate_s))
                self._tell(CallQueued(position=position, estimate_s=estimate_s))
            case TurnAway(why), Waiting(queued=True):
                mind.turn_away(why)
                self._tell(TurnedAway(why=why))
            case Join(agent), Waiting(queued=True) | Bridge():
                return self._join(people, mind, agent)
            case Hold(on, agent), Bridge():
                mind.hold(on=on, agent=agent)
            case PauseRecording(on), Bridge():
                self._pause(mind, on=on)
            case Speak(text), Bridge():
                return mind.speak(text)
            case Requeue(), Bridge():
                self._leave_agent(mind, "lost")
                self._queue(people).apologise()
            case HandBack(), Bridge():
                self._leave_agent(mind, "handed_back")
                self._return_to_bot("handed_back")
            case BlindTransfer(to, agent), Bridge():
                self._referral.ask(to, agent)
            case Consult(to), Bridge():
                mind.consult(to, self._started.headers)
            case DropThird(), Bridge():
                return mind.drop_third()
            case PutThrough(), Bridge():
                return self._put_through(mind)
            case Supervise(supervisor, how), Bridge():
                if not mind.supervise(supervisor, people.leg_of(supervisor), how):
                    return False
                self._tell(SupervisionChanged(supervisor=supervisor, how=how))
            case End(cause), Bridge():
                self._agent_hung_up = True
                self._end(cause)
            case _:
                return False
        return True

    def _queue(self, people: People) -> Waiting:
        def make(tasks: Strand) -> Waiting:
            return Waiting(
                self._leg,
                self._services.mouth,
                Music(self._leg, people.music),
                self._services.announcements,
                _has_number(self._started),
                self._numbers,
                tasks,
                self._tell,
                lambda why: self._left_queue(people, why),
                self._end,
            )

        return self._turn_to(make)

    def _join(self, people: People, before: Waiting | Bridge | None, agent: str) -> bool:
        leg = people.leg_of(agent)
        if leg is None:
            return False
        if isinstance(before, Bridge) and before.agent == agent:
            before.reconnect(leg)
        else:
            if isinstance(before, Bridge):
                self._leave_agent(before, "transferred")
            self._turn_to(lambda tasks: self._bridge(people, agent, leg, tasks))
        self._tell(AgentJoined(agent=agent))
        return True

    def _bridge(self, people: People, agent: str, leg: Leg, tasks: Strand) -> Bridge:
        return Bridge(
            agent,
            self._leg,
            leg,
            self._services,
            people,
            self._notice,
            self._numbers,
            tasks,
            self._tell,
            self._end,
        )

    def _put_through(self, bridge: Bridge) -> bool:
        """Agent out, caller and third stay; False where nobody has answered."""
        third = bridge.give_third()
        if third is None:
            return False
        self._tell(CallerPutThrough(target=third.number, agent=bridge.agent))
        self._leave_agent(bridge, "transferred")
        self._turn_to(
            lambda tasks: Through(
                self._leg, third, self._services, self._notice, self._numbers, tasks, self._tell, self._end
            )
        )
        return True

    def _leave_agent(
        self, bridge: Bridge, why: Literal["hung_up", "handed_back", "transferred", "lost", "caller", "ended"]
    ) -> None:
        self._pause(bridge, on=False)
        self._tell(AgentLeft(agent=bridge.agent, why=why))

    def _pause(self, bridge: Bridge, *, on: bool) -> None:
        """Keep nothing of what is said, or do again; nothing, where it is so."""
        if not bridge.pause(on=on):
            return
        recording = self._recording
        if recording is not None and on:
            recording.pause()
        elif recording is not None:
            recording.resume()
        how: Pause = "silence" if recording is None else recording.pausing
        self._tell(RecordingPaused(on=on, by="agent", agent=bridge.agent, how=how))

    def _left_queue(self, people: People, why: LeaveWhy) -> None:
        """The caller's way out of the queue."""
        people.desk.leave(self._journal.call_id, why)
        if why is LeaveWhy.CALLBACK:
            self._tell(CallbackRequested())
        elif why is LeaveWhy.BOT:
            self._return_to_bot("left")


def _has_number(started: CallStarted) -> bool:
    """Whether this caller can be called back: not a browser, nobody who withheld the number (RFC 3323), and nobody of
    whom a platform told none."""
    if started.transport == "stream":
        return started.caller.removeprefix("+").isdecimal()
    return started.transport == "sip" and not started.caller.lower().startswith(("sip:anonymous@", "sips:anonymous@"))

"""One call: a leg, a journal, and one mind after another (the bot, the queue, a person), alive in one task group."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog

from agent_assist.desk.ports import CallDesk, LeaveWhy
from dialog.actions import Handoff, Hangup
from dialog.announcements import Announcements
from dialog.commands import Announce, Command, End, HandBack, Hold, Join, Requeue, Speak, TurnAway
from dialog.errors import EngineError
from dialog.events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    CallAnswered,
    CallbackRequested,
    CallEnded,
    CallQueued,
    CallStarted,
    Event,
    HoldChanged,
    TurnedAway,
)
from dialog.journal import Journal, Listener
from dialog.ports import DialogEngine, HungUp, Returned, SessionOpened
from voice.brain import CallBrain
from voice.bridge import Bridge
from voice.mind import Echo, Mind, Numbers, Strand
from voice.music import Music
from voice.ports import TICK_MS, Ears, Frame, Leg, Mouth, Pcm
from voice.waiting import Waiting

ECHO = "echo"
"""The bot of the test number."""

MEDIA_LIMIT_MS = 60_000
"""A leg that sends nothing for this long, and is not on hold, is dead: the far end crashed without a word."""

LAST_WORDS_MS = 6_000
"""How long a call whose time is over may take to say so."""

FAREWELL_S = 5.0
"""How long the bot is given to note that the caller is gone."""

M = TypeVar("M", bound=Mind)

log = structlog.get_logger("call")


@dataclass(frozen=True, slots=True)
class People:
    """What it takes to give a caller to a person: who decides, the agents' audio, and music for those who wait."""

    desk: CallDesk
    leg_of: Callable[[str], Leg | None]
    music: Pcm


@dataclass(frozen=True, slots=True)
class Services:
    """What every call of the node shares."""

    ears: Ears
    mouth: Mouth
    bots: dict[str, DialogEngine]
    listeners: Sequence[Listener]
    announcements: Announcements
    longest_call_s: int


class _Over(Exception):
    """Leaves the task group of a call; never seen outside it."""


class Call:
    """A call from answer to end. `run` returns the cause; whoever owns the signalling then hangs up.

    Without `people` a handoff ends the call.
    """

    def __init__(
        self,
        call_id: str,
        started: CallStarted,
        leg: Leg,
        codec: str,
        services: Services,
        people: People | None = None,
    ) -> None:
        self.call_id = call_id
        self.started = started
        self._leg = leg
        self._codec = codec
        self._services = services
        self._people = people
        self._journal = Journal(call_id, tuple(services.listeners))
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: asyncio.TaskGroup | None = None
        self._mind: Mind | None = None
        self._agent_hung_up = False
        self._numbers = Numbers()
        self._now_ms = 0
        self._heard_packets = 0
        self._heard_ms = 0

    def end(self, cause: str) -> None:
        """End the call; the first cause counts."""
        if not self._over.done():
            self._over.set_result(cause)

    def press(self, digits: str) -> None:
        """Keys that came beside the audio."""
        for key in digits:
            if self._mind is not None:
                self._mind.press(key)

    def tell(self, event: Event) -> None:
        """Note in the journal what the call did not see for itself."""
        self._journal.append(self._now_ms, event)

    async def run(self) -> str:
        """Hold the call until either side ends it; the cause. The end is told exactly once, whatever happened."""
        started = self.started
        log.info(
            "call started",
            call_id=self.call_id,
            transport=started.transport,
            bot=started.bot,
            pii={"caller": started.caller, "dialled": started.dialled},
        )
        cause = "error"
        try:
            self._journal.append(0, started)
            self._journal.append(0, CallAnswered(codec=self._codec))
            cause = await self._live()
        finally:
            self._leg.close()
            stats = self._leg.stats
            self._journal.append(
                self._now_ms,
                CallEnded(
                    cause=cause,
                    duration_ms=self._now_ms,
                    late_frames=stats.late_frames,
                    lost_packets=stats.packets_lost,
                ),
            )
            log.info(
                "call ended",
                call_id=self.call_id,
                cause=cause,
                duration_ms=self._now_ms,
                late_frames=stats.late_frames,
                lost_packets=stats.packets_lost,
            )
        return cause

    async def _live(self) -> str:
        cause = ""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                if self.started.bot == ECHO:
                    self._turn_to(lambda tasks: Echo(self._leg, self.end))
                else:
                    self._turn_to(lambda tasks: self._bot(tasks, self._opened()))
                self._leg.listen(self._on_frame)
                self._leg.on_failure(lambda _error: self.end("error"))
                try:
                    cause = await self._over
                finally:
                    self._finish()
                raise _Over  # what the call still has under way is void: the group cancels it
        except* _Over:
            pass
        return cause

    def _finish(self) -> None:
        mind, self._mind = self._mind, None
        if isinstance(mind, Bridge):
            self._leave_agent(mind, "hung_up" if self._agent_hung_up else "caller")
        if mind is not None:
            mind.gone()
            mind.close()
        if self._people is not None:
            self._people.desk.leave(self.call_id, LeaveWhy.HUNG_UP)

    def _turn_to(self, make: Callable[[Strand], M]) -> M:
        """Another mind has the call from now on."""
        assert self._tasks is not None, "minds come and go while the call lives"
        if self._mind is not None:
            self._mind.close()
            self._leg.stop()
        mind = make(Strand(self._tasks))
        self._mind = mind
        return mind

    def _on_frame(self, frame: Frame) -> None:
        self._now_ms = (frame.tick + 1) * TICK_MS
        if self._mind is not None:
            self._mind.on_frame(frame)
        over_ms = self._now_ms - self._services.longest_call_s * 1000
        if over_ms >= 0 and self._mind is not None:
            self._mind.expire()
        if over_ms >= LAST_WORDS_MS:
            self.end("longest_call")
        if self._now_ms % 1_000 == 0:
            stats = self._leg.stats
            if stats.packets_received != self._heard_packets or not stats.receiving:
                self._heard_packets, self._heard_ms = stats.packets_received, self._now_ms
            elif self._now_ms - self._heard_ms >= MEDIA_LIMIT_MS:
                self.end("no_media")

    # -- the bot ------------------------------------------------------------------------------------------------

    def _opened(self) -> SessionOpened:
        started = self.started
        return SessionOpened(started.caller, started.dialled, started.transport, recorded=bool(started.recording))

    def _bot(self, tasks: Strand, turn: SessionOpened | Returned) -> CallBrain:
        services = self._services
        engine = services.bots[self.started.bot]
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
        brain.open(turn)
        return brain

    def _bot_is_done(self, last_word: Handoff | Hangup) -> None:
        people = self._people
        if isinstance(last_word, Hangup):
            self.end(last_word.cause)
        elif people is None:
            self.end("handoff")
        else:
            self._queue(people)
            people.desk.enqueue(self.call_id, last_word.reason, last_word.skill)

    def _return_to_bot(self, why: Literal["handed_back", "left"]) -> None:
        self.tell(BotReturned(why=why))
        self._turn_to(lambda tasks: self._bot(tasks, Returned(why)))

    # -- people -------------------------------------------------------------------------------------------------

    def command(self, command: Command) -> bool:
        """Carry out what the desk asks; False where the call is not in a state for it, and nothing has changed."""
        people, mind = self._people, self._mind
        if people is None or self._over.done():
            return False
        match command, mind:
            case Announce(position, estimate_s), Waiting(queued=True):
                mind.announce((position, estimate_s))
                self.tell(CallQueued(position=position, estimate_s=estimate_s))
            case TurnAway(why), Waiting(queued=True):
                mind.turn_away(why)
                self.tell(TurnedAway(why=why))
            case Join(agent), Waiting(queued=True) | Bridge():
                return self._join(people, mind, agent)
            case Hold(on, agent), Bridge():
                if mind.hold(on=on):
                    self.tell(HoldChanged(on=on, agent=agent))
            case Speak(text), Bridge():
                return mind.speak(text)
            case Requeue(), Bridge():
                self._leave_agent(mind, "lost")
                self._queue(people).apologise()
            case HandBack(), Bridge():
                self._leave_agent(mind, "handed_back")
                self._return_to_bot("handed_back")
            case End(cause), Bridge():
                self._agent_hung_up = True
                self.end(cause)
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
                self._numbers,
                tasks,
                self.tell,
                lambda why: self._left_queue(people, why),
                self.end,
            )

        return self._turn_to(make)

    def _join(self, people: People, before: Waiting | Bridge, agent: str) -> bool:
        leg = people.leg_of(agent)
        if leg is None:
            return False
        if isinstance(before, Bridge) and before.agent != agent:
            self._leave_agent(before, "transferred")
        services = self._services
        self._turn_to(
            lambda tasks: Bridge(
                agent,
                self._leg,
                leg,
                services.ears,
                services.mouth,
                Music(self._leg, people.music),
                self._numbers,
                services.announcements,
                tasks,
                self.tell,
                self.end,
            )
        )
        self.tell(AgentJoined(agent=agent))
        return True

    def _leave_agent(
        self, bridge: Bridge, why: Literal["hung_up", "handed_back", "transferred", "lost", "caller"]
    ) -> None:
        self.tell(AgentLeft(agent=bridge.agent, why=why))

    def _left_queue(self, people: People, why: LeaveWhy) -> None:
        """The caller's way out of the queue."""
        people.desk.leave(self.call_id, why)
        if why is LeaveWhy.CALLBACK:
            self.tell(CallbackRequested())
        elif why is LeaveWhy.BOT:
            self._return_to_bot("left")

    async def farewell(self) -> None:
        """Tell the bot that the caller is gone; outlives the call, bounded."""
        engine = self._services.bots.get(self.started.bot)
        if engine is None:
            return
        try:
            async with asyncio.timeout(FAREWELL_S):
                await engine.respond(self.call_id, HungUp())
        except (EngineError, TimeoutError):
            pass  # the caller is gone: there is nobody to tell, and the engine forgets the call in its own time

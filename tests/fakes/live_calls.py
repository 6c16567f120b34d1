"""Calls as the desk sees them: they obey its commands, journal what they did, and refuse what cannot be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dialog.commands import (
    Announce,
    BlindTransfer,
    Command,
    Consult,
    DropThird,
    End,
    HandBack,
    Hold,
    How,
    Join,
    PauseRecording,
    PutThrough,
    Requeue,
    Speak,
    Supervise,
    TurnAway,
)
from dialog.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    Event,
    Record,
    RecordingPaused,
)
from dialog.journal import Journal, Listener
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    CallerPutThrough,
    CallQueued,
    HandoffRequested,
    HoldChanged,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
    TransferFailed,
    TransferRequested,
    TurnedAway,
)

Left = Literal["hung_up", "handed_back", "transferred", "lost", "caller", "ended"]
Why = Literal["dropped", "hung_up", "no_answer", "not_allowed", "busy", "failed", "ended"]


class Place(StrEnum):
    """Where a caller is."""

    BOT = "bot"
    WAITING = "waiting"
    CHOOSING = "choosing"  # turned away: the bot, or being called back
    TALKING = "talking"
    THROUGH = "through"  # with somebody outside
    OVER = "over"


@dataclass(slots=True)
class FakeCall:
    """One caller. `position` as announced last; `music` while on hold, `paused` while nothing is kept. `third` was
    called in, and is there once they `answered`; `supervisors` are in it."""

    journal: Journal
    records: list[Record]
    place: Place = Place.BOT
    agent: str = ""
    position: int = 0
    music: bool = False
    paused: bool = False
    commands: list[Command] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    third: str = ""
    answered: bool = False
    supervisors: dict[str, How] = field(default_factory=dict)


class FakeCalls:
    """`LiveCalls` and `Placing`. `audio` holds the agents who can be heard. `during` is called within each command,
    before it is carried out, as a call may come back to the desk from there; with `refusing` none is carried out.
    `reachable` holds the numbers outside that may be dialled, and `calling` whom each agent has called."""

    def __init__(self) -> None:
        self.calls: dict[str, FakeCall] = {}
        self.audio: set[str] = set()
        self.refusing = False
        self.reachable: set[str] = set()
        self.calling: dict[str, str] = {}
        self.listeners: list[Listener] = []
        self.during: Callable[[str, Command], None] = lambda call_id, command: None

    def __getitem__(self, call_id: str) -> FakeCall:
        return self.calls[call_id]

    def start(
        self, call_id: str, caller: str = "sip:ann@example.com", transport: Literal["sip", "siprec"] = "sip"
    ) -> FakeCall:
        """A caller talks to the bot; by `siprec`, to somebody by a telephone that is not ours."""
        return self._begin(call_id, caller, transport)

    def _begin(
        self, call_id: str, caller: str, transport: Literal["sip", "siprec"] = "sip", placed_by: str = ""
    ) -> FakeCall:
        records: list[Record] = []
        call = FakeCall(Journal(call_id, (records.append, self._listen)), records)
        self.calls[call_id] = call
        started = CallStarted(
            transport=transport,
            caller=caller,
            dialled="100",
            bot="helpdesk" if transport == "sip" else "",
            started_at="2026-11-02T09:30:00+00:00",
            placed_by=placed_by,
        )
        call.journal.append(0, started)
        call.journal.append(0, CallAnswered(codec="PCMU"))
        return call

    def call_out(self, agent: str, number: str) -> None:
        """See `Placing`."""
        self.calling[agent] = number

    def give_up(self, agent: str) -> None:
        """See `Placing`."""
        self.calling.pop(agent, None)

    def answer_out(self, agent: str, call_id: str) -> FakeCall:
        """Whom the agent has called answers."""
        call = self._begin(call_id, f"tel:{self.calling.pop(agent)}", placed_by=agent)
        if agent in self.audio:
            call.place, call.agent = Place.TALKING, agent
            call.journal.append(0, AgentJoined(agent=agent))
        else:
            self._end(call, "agent_gone", "hung_up")
        return call

    def answer_third(self, call_id: str) -> None:
        """Whom the agent called in answers."""
        call = self[call_id]
        call.answered = True
        call.journal.append(0, ThirdJoined(target=call.third))

    def lose_third(self, call_id: str, why: Why) -> None:
        """They hang up, or do not answer."""
        self._lose_third(self[call_id], why)

    def ask(self, call_id: str, reason: str, skill: str) -> None:
        """The bot hands over; the desk is to be asked next."""
        self[call_id].place = Place.WAITING
        self.tell(call_id, HandoffRequested(reason=reason, skill=skill))

    def return_to_bot(self, call_id: str) -> None:
        """The caller chose the bot."""
        self[call_id].place = Place.BOT
        self.tell(call_id, BotReturned(why="left"))

    def end(self, call_id: str) -> None:
        """The caller hangs up; the journal ends."""
        self._end(self[call_id], "caller_hung_up", "caller")

    def tell(self, call_id: str, event: Event) -> None:
        """See `LiveCalls`."""
        if call_id in self.calls:
            self[call_id].journal.append(0, event)

    def command(self, call_id: str, command: Command) -> bool:
        """See `LiveCalls`."""
        self.during(call_id, command)
        call = self.calls.get(call_id)
        if call is None or call.place is Place.OVER or self.refusing:
            return False
        if self._silent(command):
            return False
        call.commands.append(command)
        self._obey(call, command)
        return True

    def _silent(self, command: Command) -> bool:
        """Whether it is about somebody who has no audio."""
        match command:
            case Join(agent):
                return agent not in self.audio
            case Supervise(supervisor, how):
                return how != "none" and supervisor not in self.audio
            case _:
                return False

    def _obey(self, call: FakeCall, command: Command) -> None:
        note = call.journal
        match command:
            case Announce(position, estimate_s):
                assert call.place is Place.WAITING
                call.position = position
                note.append(0, CallQueued(position=position, estimate_s=estimate_s))
            case TurnAway(why):
                assert call.place is Place.WAITING
                call.place = Place.CHOOSING
                note.append(0, TurnedAway(why=why))
            case Join(agent):
                assert call.place in (Place.WAITING, Place.TALKING)
                if call.agent not in ("", agent):
                    self._leave_agent(call, "transferred")
                call.place, call.agent, call.music = Place.TALKING, agent, False
                note.append(0, AgentJoined(agent=agent))
            case Hold(on, agent):
                assert call.place is Place.TALKING
                call.music = on
                note.append(0, HoldChanged(on=on, agent=agent))
            case PauseRecording(on, agent):
                assert call.place is Place.TALKING
                call.paused = on
                note.append(0, RecordingPaused(on=on, by="agent", agent=agent))
            case Speak(text):
                assert call.place is Place.TALKING
                call.spoken.append(text)
            case BlindTransfer(to, agent):
                assert call.place is Place.TALKING
                note.append(0, TransferRequested(target=to, agent=agent))
                if to not in self.reachable:
                    note.append(0, TransferFailed(why="not_allowed"))
            case Requeue():
                assert call.place is Place.TALKING
                self._leave_agent(call, "lost")
                call.place = Place.WAITING
            case HandBack():
                assert call.place is Place.TALKING
                self._leave_agent(call, "handed_back")
                call.place = Place.BOT
                note.append(0, BotReturned(why="handed_back"))
            case Consult(to, agent):
                assert call.place is Place.TALKING
                assert not call.third
                note.append(0, ThirdCalled(target=to, agent=agent))
                call.third = to
                if to not in self.reachable:
                    self._lose_third(call, "not_allowed")
                else:
                    call.music = True
                    note.append(0, HoldChanged(on=True, agent=agent))
            case DropThird():
                assert call.third
                self._lose_third(call, "dropped")
            case PutThrough():
                assert call.answered
                note.append(0, CallerPutThrough(target=call.third, agent=call.agent))
                third = call.third
                call.third = ""  # goes on without the agent
                self._leave_agent(call, "transferred")
                call.third, call.place = third, Place.THROUGH
            case Supervise(supervisor, how):
                assert call.place is Place.TALKING
                call.supervisors.pop(supervisor, None)
                if how != "none":
                    call.supervisors[supervisor] = how
                note.append(0, SupervisionChanged(supervisor=supervisor, how=how))
            case End(cause):
                self._end(call, cause, "hung_up")

    def _leave_agent(self, call: FakeCall, why: Left) -> None:
        call.journal.append(0, AgentLeft(agent=call.agent, why=why))
        if call.third:
            self._lose_third(call, "ended")
        call.agent, call.music, call.paused = "", False, False
        call.supervisors.clear()

    def _lose_third(self, call: FakeCall, why: Why) -> None:
        third, call.third, call.answered = call.third, "", False
        call.journal.append(0, ThirdLeft(target=third, why=why))

    def _end(self, call: FakeCall, cause: str, why: Left) -> None:
        if call.agent:
            self._leave_agent(call, why)
        call.place = Place.OVER
        call.journal.append(0, CallEnded(cause=cause, duration_ms=0))

    def _listen(self, record: Record) -> None:
        for listener in self.listeners:
            listener(record)

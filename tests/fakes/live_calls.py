"""Calls as the desk sees them: they obey its commands, journal what they did, and refuse what cannot be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from dialog.commands import Announce, BlindTransfer, Command, End, HandBack, Hold, Join, Requeue, Speak, TurnAway
from dialog.events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    Event,
    HandoffRequested,
    HoldChanged,
    Record,
    TransferFailed,
    TransferRequested,
    TurnedAway,
)
from dialog.journal import Journal, Listener


class Place(StrEnum):
    """Where a caller is."""

    BOT = "bot"
    WAITING = "waiting"
    CHOOSING = "choosing"  # turned away: the bot, or being called back
    TALKING = "talking"
    OVER = "over"


@dataclass(slots=True)
class FakeCall:
    """One caller. `position` as announced last; `music` while on hold."""

    journal: Journal
    records: list[Record]
    place: Place = Place.BOT
    agent: str = ""
    position: int = 0
    music: bool = False
    commands: list[Command] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)


class FakeCalls:
    """`LiveCalls`. `audio` holds the agents who can be heard. `during` is called within each command, before it is
    carried out, as a call may come back to the desk from there; with `refusing` none is carried out. `reachable` holds
    the numbers outside that may be dialled."""

    def __init__(self) -> None:
        self.calls: dict[str, FakeCall] = {}
        self.audio: set[str] = set()
        self.refusing = False
        self.reachable: set[str] = set()
        self.listeners: list[Listener] = []
        self.during: Callable[[str, Command], None] = lambda call_id, command: None

    def __getitem__(self, call_id: str) -> FakeCall:
        return self.calls[call_id]

    def start(self, call_id: str, caller: str = "sip:ann@example.com") -> FakeCall:
        """A caller talks to the bot."""
        records: list[Record] = []
        call = FakeCall(Journal(call_id, (records.append, self._listen)), records)
        self.calls[call_id] = call
        started_at = "2026-11-02T09:30:00+00:00"
        started = CallStarted(transport="sip", caller=caller, dialled="100", bot="helpdesk", started_at=started_at)
        call.journal.append(0, started)
        call.journal.append(0, CallAnswered(codec="PCMU"))
        return call

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
        if isinstance(command, Join) and command.agent not in self.audio:
            return False
        call.commands.append(command)
        self._obey(call, command)
        return True

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
                    note.append(0, AgentLeft(agent=call.agent, why="transferred"))
                call.place, call.agent, call.music = Place.TALKING, agent, False
                note.append(0, AgentJoined(agent=agent))
            case Hold(on, agent):
                assert call.place is Place.TALKING
                call.music = on
                note.append(0, HoldChanged(on=on, agent=agent))
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
                note.append(0, AgentLeft(agent=call.agent, why="lost"))
                call.place, call.agent, call.music = Place.WAITING, "", False
            case HandBack():
                assert call.place is Place.TALKING
                note.append(0, AgentLeft(agent=call.agent, why="handed_back"))
                call.place, call.agent, call.music = Place.BOT, "", False
                note.append(0, BotReturned(why="handed_back"))
            case End(cause):
                self._end(call, cause, "hung_up")

    def _end(self, call: FakeCall, cause: str, why: str) -> None:
        if call.agent:
            call.journal.append(0, AgentLeft(agent=call.agent, why="caller" if why == "caller" else "hung_up"))
        call.place, call.agent = Place.OVER, ""
        call.journal.append(0, CallEnded(cause=cause, duration_ms=0))

    def _listen(self, record: Record) -> None:
        for listener in self.listeners:
            listener(record)

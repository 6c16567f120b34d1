"""A desk in memory: agents who come and go, calls that ring, are taken, held, passed on and written up, without a node.

`fake_desk()` gives it with real feeds in front, as `create_app(..., desk=parts)` takes it. A test brings the calls:
`ring` offers one, `record` adds to its journal, `hang_up_caller` ends it. Commands change the screens at once, as the
node's desk does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent_assist.desk.feed import AgentFeeds
from agent_assist.desk.messages import (
    Brief,
    CallChanged,
    CallJoined,
    CallLeft,
    CallView,
    Colleague,
    ColleaguesChanged,
    Me,
    MeChanged,
    Message,
    Offer,
    Offered,
    OfferWithdrawn,
    QueueChanged,
    QueueLine,
    Recorded,
    Snapshot,
    WrapUp,
    WrapUpDone,
    WrapUpDue,
)
from agent_assist.desk.ports import Conflict, Presence
from agent_assist.web.agent_api import DeskParts
from dialog.events import (
    AgentJoined,
    AgentLeft,
    Event,
    FinalHeard,
    HoldChanged,
    NoteWritten,
    PartialHeard,
    PlaybackStarted,
    Reading,
    Record,
    Suggestion,
    SuggestionDismissed,
    SuggestionsShown,
    SuggestionTaken,
    TransferRequested,
)
from tests.fakes.knowledge import ARTICLES, CALLBACKS, FakeCallbacks, FakeSuggester

DISPOSITIONS = ("solved", "follow-up", "not reached", "wrong number")


def sample_brief(reason: str = "asked for a person") -> Brief:
    """What the screen shows of a call before it is answered."""
    return Brief(
        caller="sip:+3225550123@192.0.2.7",
        transport="sip",
        bot="helpdesk",
        reason=reason,
        skill="billing",
        summary="Asked for a person. Wanted to have a bill explained; account number 1234 5678. The bot told the bill:"
        " 42 euros and 40 cents. Open: whether to pay it.",
        slots=(("account_number", "12345678"),),
        waited_s=34,
    )


@dataclass
class Call:
    """A call at the desk."""

    call_id: str
    brief: Brief
    records: list[Record] = field(default_factory=list)
    on_hold: bool = False
    transferring_to: str = ""

    @property
    def view(self) -> CallView:
        return CallView(
            call_id=self.call_id,
            brief=self.brief,
            records=tuple(self.records),
            on_hold=self.on_hold,
            transferring_to=self.transferring_to,
        )


@dataclass
class Seat:
    """One agent's state: what the snapshot of its screen is made of."""

    me: Me
    skills: tuple[str, ...] = ()
    offer: Offer | None = None
    call: Call | None = None
    wrap_up: WrapUp | None = None


class FakeDesk:
    """`AgentDesk` and `Screens`. What was asked stands in `asked`, an (agent, command, arguments...) each."""

    def __init__(self, feeds: AgentFeeds) -> None:
        self._feeds = feeds
        self._seats: dict[str, Seat] = {}
        self._calls: dict[str, Call] = {}
        self._queue: dict[str, Call] = {}
        self.asked: list[tuple[object, ...]] = []

    # -- what a test does ---------------------------------------------------------------------------------------

    def ring(self, agent: str, call_id: str = "call-1", brief: Brief | None = None, *, by: str = "") -> None:
        """Offer a call; 20 s are left to answer."""
        call = self._calls.setdefault(call_id, Call(call_id, brief or sample_brief()))
        seat = self._seats[agent]
        seat.offer = Offer(call_id=call_id, brief=call.brief, expires_s=20, by=by)
        self._tell(agent, Offered(offer=seat.offer))
        self._become(agent, Presence.RINGING)

    def queue(self, call_id: str, brief: Brief | None = None) -> None:
        """A caller waits; whoever is ready may pick the call."""
        self._queue[call_id] = self._calls.setdefault(call_id, Call(call_id, brief or sample_brief()))
        self._tell_queue()

    def withdraw(self, agent: str, why: str) -> None:
        """It rings no more: `no_answer`, `gone` or `caller`."""
        offer = self._seats[agent].offer
        assert offer is not None
        self._seats[agent].offer = None
        self._tell(agent, OfferWithdrawn(call_id=offer.call_id, why=why))
        self._become(agent, Presence.AWAY if why == "no_answer" else Presence.READY)

    def record(self, call_id: str, event: Event, at_ms: int | None = None) -> Record:
        """The call's journal goes on; whoever is in the call sees it."""
        call = self._calls[call_id]
        seq = len(call.records)
        record = Record(call_id=call_id, seq=seq, at_ms=1_000 * seq if at_ms is None else at_ms, event=event)
        call.records.append(record)
        for agent, seat in self._seats.items():
            if seat.call is call:
                self._tell(agent, Recorded(record=record))
        return record

    def hear(self, call_id: str, text: str, *, utterance: int, speaker: Literal["caller", "agent"] = "caller") -> None:
        """Somebody says `text`: half of it as a partial, then all."""
        self.record(call_id, PartialHeard(utterance=utterance, text=text[: len(text) // 2], speaker=speaker))
        reading = Reading(text=text, confidence=0.9)
        self.record(
            call_id,
            FinalHeard(utterance=utterance, readings=(reading,), voice_start_ms=0, voice_end_ms=900, speaker=speaker),
        )

    def suggest(self, call_id: str, *suggestions: Suggestion, utterance: int = 0) -> None:
        """Articles that may help."""
        self.record(call_id, SuggestionsShown(utterance=utterance, suggestions=suggestions, took_ms=12))

    def hang_up_caller(self, agent: str) -> None:
        """The caller is gone."""
        self._leave(agent, "caller", wrap_up=True)

    def fail_transfer(self, agent: str, trouble: str) -> None:
        """The colleague declined, or missed it; the number outside did not take the caller."""
        call = self._call_of(agent)
        call.transferring_to = ""
        self._tell(agent, CallChanged(call_id=call.call_id, on_hold=call.on_hold, trouble=trouble))

    def put_through(self, agent: str) -> None:
        """The number outside has the caller."""
        self._leave(agent, "transferred", wrap_up=True)

    def audio(self, agent: str, *, connected: bool) -> None:
        """The agent's audio came up, or went away."""
        seat = self._seats[agent]
        self._tell_me(agent, seat.me.model_copy(update={"audio": connected}))

    def phone(self, agent: str, *, registered: bool) -> None:
        """The agent's phone can be rung, or cannot any more."""
        seat = self._seats[agent]
        self._tell_me(agent, seat.me.model_copy(update={"phone": registered}))

    def pick_up(self, agent: str, call_id: str) -> None:
        """The agent picks up the phone that rings."""
        self.audio(agent, connected=True)
        self.answer(agent, call_id)

    def presence(self, agent: str) -> Presence:
        """What the agent is doing."""
        return self._seats[agent].me.presence

    # -- AgentDesk ----------------------------------------------------------------------------------------------

    def arrive(self, agent: str, skills: Sequence[str]) -> None:
        self._ask(agent, "arrive", tuple(skills))
        seat = self._seats.setdefault(agent, Seat(Me(agent=agent, presence=Presence.OFFLINE, audio=False)))
        seat.skills = tuple(skills)
        if seat.me.presence is Presence.OFFLINE:
            self._become(agent, Presence.AWAY)

    def depart(self, agent: str) -> None:
        self._ask(agent, "depart")
        if self.presence(agent) in (Presence.AWAY, Presence.READY):
            self._become(agent, Presence.OFFLINE)

    def set_presence(self, agent: str, presence: Literal["ready", "away"]) -> None:
        self._ask(agent, "set_presence", presence)
        seat = self._seat(agent)
        if seat.call is not None:
            self._tell_me(agent, seat.me.model_copy(update={"next": presence}))
            return
        if presence == "ready" and not (seat.me.audio or seat.me.phone):
            raise Conflict("ready needs audio")
        if seat.wrap_up is not None and presence == "ready":
            raise Conflict("write the wrap-up first")
        if seat.wrap_up is not None:
            call_id, seat.wrap_up = seat.wrap_up.call_id, None
            self._tell(agent, WrapUpDone(call_id=call_id))
        self._become(agent, Presence(presence))

    def answer(self, agent: str, call_id: str) -> None:
        self._ask(agent, "answer", call_id)
        seat = self._seat(agent)
        if seat.offer is None or seat.offer.call_id != call_id:
            raise Conflict("this call does not ring here")
        by, seat.offer = seat.offer.by, None
        self._tell(agent, OfferWithdrawn(call_id=call_id, why="answered"))
        if by:
            self._leave(by, "transferred", wrap_up=True)
        self._join(agent, self._calls[call_id])

    def decline(self, agent: str, call_id: str) -> None:
        self._ask(agent, "decline", call_id)
        seat = self._seat(agent)
        if seat.offer is None or seat.offer.call_id != call_id:
            raise Conflict("this call does not ring here")
        by = seat.offer.by
        self.withdraw(agent, "declined")
        if by:
            self.fail_transfer(by, "declined")

    def pick(self, agent: str, call_id: str) -> None:
        self._ask(agent, "pick", call_id)
        if self._seat(agent).me.presence is not Presence.READY:
            raise Conflict("pick a call when you are ready")
        call = self._queue.pop(call_id, None)
        if call is None:
            raise Conflict("this call waits no more")
        self._tell_queue()
        self._join(agent, call)

    def hold(self, agent: str, *, on: bool) -> None:
        self._ask(agent, "hold", on)
        call = self._call_of(agent)
        call.on_hold = on
        self.record(call.call_id, HoldChanged(on=on, agent=agent))
        self._tell(agent, CallChanged(call_id=call.call_id, on_hold=on, transferring_to=call.transferring_to))

    def hang_up(self, agent: str) -> None:
        self._ask(agent, "hang_up")
        self._leave(agent, "hung_up", wrap_up=True)

    def hand_back(self, agent: str) -> None:
        self._ask(agent, "hand_back")
        self._leave(agent, "handed_back", wrap_up=True)

    def transfer(self, agent: str, to: str) -> None:
        self._ask(agent, "transfer", to)
        call = self._call_of(agent)
        if to not in self._seats or self._seats[to].me.presence is not Presence.READY:
            raise Conflict(f"{to} is not ready")
        call.transferring_to = to
        self._tell(agent, CallChanged(call_id=call.call_id, on_hold=call.on_hold, transferring_to=to))
        self.ring(to, call.call_id, by=agent)

    def transfer_outside(self, agent: str, to: str) -> None:
        self._ask(agent, "transfer_outside", to)
        call = self._call_of(agent)
        call.transferring_to = to
        self.record(call.call_id, TransferRequested(target=to, agent=agent))
        self._tell(agent, CallChanged(call_id=call.call_id, on_hold=call.on_hold, transferring_to=to))

    def speak(self, agent: str, text: str, article: str = "") -> None:
        self._ask(agent, "speak", text, article)
        call = self._call_of(agent)
        if article:
            self.record(call.call_id, SuggestionTaken(agent=agent, article=article, how="spoken"))
        self.record(call.call_id, PlaybackStarted(playback=len(call.records), text=text))

    def note(self, agent: str, text: str) -> None:
        self._ask(agent, "note", text)
        self.record(self._call_of(agent).call_id, NoteWritten(agent=agent, text=text))

    def suggestion(self, agent: str, article: str, how: Literal["copied", "dismissed"]) -> None:
        self._ask(agent, "suggestion", article, how)
        call = self._call_of(agent)
        if how == "copied":
            self.record(call.call_id, SuggestionTaken(agent=agent, article=article, how="copied"))
        else:
            self.record(call.call_id, SuggestionDismissed(agent=agent, article=article))

    async def wrap_up(self, agent: str, call_id: str, disposition: str, note: str) -> None:
        self._ask(agent, "wrap_up", call_id, disposition, note)
        seat = self._seat(agent)
        if seat.wrap_up is None or seat.wrap_up.call_id != call_id:
            raise Conflict("there is no wrap-up to be written for this call")
        if disposition not in seat.wrap_up.dispositions:
            raise Conflict(f"choose {', '.join(seat.wrap_up.dispositions)}")
        seat.wrap_up = None
        self._tell(agent, WrapUpDone(call_id=call_id))
        self._become(agent, Presence(seat.me.next))

    # -- Screens ------------------------------------------------------------------------------------------------

    def snapshot(self, agent: str) -> Snapshot:
        seat = self._seats[agent]
        return Snapshot(
            me=seat.me,
            colleagues=self._colleagues(agent),
            queue=self._lines(),
            offer=seat.offer,
            call=seat.call.view if seat.call else None,
            wrap_up=seat.wrap_up,
        )

    # -- the inside ---------------------------------------------------------------------------------------------

    def _ask(self, *what: object) -> None:
        self.asked.append(what)

    def _seat(self, agent: str) -> Seat:
        seat = self._seats.get(agent)
        if seat is None or seat.me.presence is Presence.OFFLINE:
            raise Conflict("open the panel first")
        return seat

    def _call_of(self, agent: str) -> Call:
        call = self._seat(agent).call
        if call is None:
            raise Conflict("there is no call")
        return call

    def _join(self, agent: str, call: Call) -> None:
        self._seats[agent].call = call
        self._become(agent, Presence.TALKING)
        self._tell(agent, CallJoined(call=call.view))
        self.record(call.call_id, AgentJoined(agent=agent))

    def _leave(
        self, agent: str, why: Literal["hung_up", "handed_back", "transferred", "lost", "caller"], *, wrap_up: bool
    ) -> None:
        call, seat = self._call_of(agent), self._seats[agent]
        self.record(call.call_id, AgentLeft(agent=agent, why=why))
        call.on_hold, call.transferring_to, seat.call = False, "", None
        self._tell(agent, CallLeft(call_id=call.call_id, why=why))
        if wrap_up:
            seat.wrap_up = WrapUp(call_id=call.call_id, brief=call.brief, dispositions=DISPOSITIONS)
            self._tell(agent, WrapUpDue(wrap_up=seat.wrap_up))
            self._become(agent, Presence.WRAPPING)

    def _become(self, agent: str, presence: Presence) -> None:
        self._tell_me(agent, self._seats[agent].me.model_copy(update={"presence": presence}))
        for other in self._seats:
            if other != agent:
                self._tell(other, ColleaguesChanged(colleagues=self._colleagues(other)))

    def _colleagues(self, agent: str) -> tuple[Colleague, ...]:
        return tuple(
            Colleague(agent=name, presence=seat.me.presence, skills=seat.skills)
            for name, seat in sorted(self._seats.items())
            if name != agent
        )

    def _lines(self) -> tuple[QueueLine, ...]:
        return tuple(
            QueueLine(call_id=c.call_id, reason=c.brief.reason, skill=c.brief.skill, waited_s=c.brief.waited_s)
            for c in self._queue.values()
        )

    def _tell_queue(self) -> None:
        for agent in self._seats:
            self._tell(agent, QueueChanged(queue=self._lines()))

    def _tell_me(self, agent: str, me: Me) -> None:
        self._seats[agent].me = me
        self._tell(agent, MeChanged(me=me))

    def _tell(self, agent: str, message: Message) -> None:
        self._feeds.tell(agent, message)


def fake_desk(feeds: AgentFeeds | None = None) -> tuple[FakeDesk, DeskParts]:
    """The desk, and what `create_app` is given."""
    feeds = feeds or AgentFeeds()
    desk = FakeDesk(feeds)
    feeds.serve(desk)
    return desk, DeskParts(desk, feeds, FakeCallbacks(*CALLBACKS), FakeSuggester(*ARTICLES))

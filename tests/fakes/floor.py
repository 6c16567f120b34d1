"""The floor of a desk in memory: agents at their seats, the calls they are in, and what a test lets happen there.

Screens are told at once, as the node's desk does. What agents ask for stands in `tests.fakes.desk`.
"""

from typing import Literal

from agent_assist.desk.feed import AgentFeeds
from agent_assist.desk.messages import (
    Brief,
    CallJoined,
    CallLeft,
    CallView,
    Colleague,
    ColleaguesChanged,
    Me,
    MeChanged,
    Message,
    NotReached,
    Offer,
    Offered,
    OfferWithdrawn,
    QueueChanged,
    QueueLine,
    Recorded,
    Snapshot,
    WrapUp,
    WrapUpDue,
)
from agent_assist.desk.ports import Conflict, Presence
from dialog.event import Speaker
from dialog.events import (
    Event,
    FinalHeard,
    PartialHeard,
    Reading,
    Record,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    Suggestion,
    SuggestionsShown,
    SupervisionChanged,
    ThirdJoined,
    ThirdLeft,
)
from tests.fakes.seats import DISPOSITIONS, Call, Seat, sample_brief

ThirdWhy = Literal["dropped", "hung_up", "no_answer", "not_allowed", "busy", "failed", "ended"]


class FakeFloor:
    """What a test does, and what screens are told of it."""

    def __init__(self, feeds: AgentFeeds) -> None:
        self._feeds = feeds
        self._seats: dict[str, Seat] = {}
        self._calls: dict[str, Call] = {}
        self._queue: dict[str, Call] = {}

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

    def observe(self, agent: str, call_id: str = "call-1") -> None:
        """The agent has a call by another telephone, and a recording client lets us hear it."""
        brief = Brief(caller="sip:+3225550123@192.0.2.7", transport="siprec", bot="", reason="", summary="")
        call = self._calls[call_id] = Call(call_id, brief, observed=True)
        self._seats[agent].call = call
        self._tell(agent, CallJoined(call=call.view()))
        self.record(call_id, AgentJoined(agent=agent))

    def record(self, call_id: str, event: Event, at_ms: int | None = None) -> Record:
        """The call's journal goes on; whoever is in the call sees it."""
        call = self._calls[call_id]
        seq = len(call.records)
        record = Record(call_id=call_id, seq=seq, at_ms=1_000 * seq if at_ms is None else at_ms, event=event)
        call.records.append(record)
        for agent, seat in self._seats.items():
            if call in (seat.call, self._watched(seat)):
                self._tell(agent, Recorded(record=record))
        return record

    def hear(self, call_id: str, text: str, *, utterance: int, speaker: Speaker = "caller") -> None:
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
        self._tell(agent, call.changed(trouble))

    def finish_transfer(self, agent: str) -> None:
        """The number outside has the caller."""
        self._leave(agent, "transferred", wrap_up=True)

    def join_third(self, agent: str) -> None:
        """Whom the agent calls answers."""
        call = self._call_of(agent)
        assert call.third is not None
        call.third = call.third.model_copy(update={"joined": True})
        self.record(call.call_id, ThirdJoined(target=call.third.number))
        self._tell(agent, call.changed())

    def lose_third(self, agent: str, why: ThirdWhy) -> None:
        """They did not answer, or are gone; what the agent did is no trouble."""
        call = self._call_of(agent)
        assert call.third is not None
        self.record(call.call_id, ThirdLeft(target=call.third.number, why=why))
        call.third = None
        self._tell(agent, call.changed("" if why == "dropped" else f"third_{why}"))

    def reach(self, agent: str, call_id: str = "call-9") -> None:
        """Whom the node calls for the agent answers."""
        seat = self._seats[agent]
        brief = Brief(
            caller=f"sip:{seat.me.calling}@192.0.2.7", transport="sip", bot="", reason=seat.reason, summary=""
        )
        call = self._calls[call_id] = Call(call_id, brief)
        self._tell_me(agent, seat.me.model_copy(update={"calling": ""}))
        self._join(agent, call)

    def miss(self, agent: str, why: ThirdWhy) -> None:
        """Whom the node calls for the agent does not answer, or cannot be called."""
        number = self._seats[agent].me.calling
        self._stop_calling(agent)
        self._tell(agent, NotReached(number=number, why=why))

    def audio(self, agent: str, *, connected: bool) -> None:
        """The agent's audio came up, or went away."""
        seat = self._seats[agent]
        self._tell_me(agent, seat.me.model_copy(update={"audio": connected}))
        if not connected:
            self._drop_out(agent)

    def phone(self, agent: str, *, registered: bool) -> None:
        """The agent's phone can be rung, or cannot any more."""
        seat = self._seats[agent]
        self._tell_me(agent, seat.me.model_copy(update={"phone": registered}))

    def presence(self, agent: str) -> Presence:
        """What the agent is doing."""
        return self._seats[agent].me.presence

    def snapshot(self, agent: str) -> Snapshot:
        seat = self._seats[agent]
        return Snapshot(
            me=seat.me,
            colleagues=self._colleagues(agent),
            queue=self._lines(),
            offer=seat.offer,
            call=self._view(agent),
            wrap_up=seat.wrap_up,
        )

    # -- the inside ---------------------------------------------------------------------------------------------

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
        self._tell(agent, CallJoined(call=call.view()))
        self.record(call.call_id, AgentJoined(agent=agent))

    def _leave(
        self, agent: str, why: Literal["hung_up", "handed_back", "transferred", "lost", "caller"], *, wrap_up: bool
    ) -> None:
        call, seat = self._call_of(agent), self._seats[agent]
        self.record(call.call_id, AgentLeft(agent=agent, why=why))
        for supervisor in tuple(call.supervisors):
            self._stop_watching(supervisor, "over")
        call.on_hold, call.paused = False, False
        call.transferring_to, call.third, seat.call = "", None, None
        self._tell(agent, CallLeft(call_id=call.call_id, why=why))
        if wrap_up:
            seat.wrap_up = WrapUp(call_id=call.call_id, brief=call.brief, dispositions=DISPOSITIONS)
            self._tell(agent, WrapUpDue(wrap_up=seat.wrap_up))
            self._become(agent, Presence.WRAPPING)

    def _watched(self, seat: Seat) -> Call | None:
        return self._seats[seat.watched].call if seat.watched else None

    def _view(self, agent: str) -> CallView | None:
        seat = self._seats[agent]
        call = seat.call or self._watched(seat)
        return call.view(agent, seat.watched) if call else None

    def _stop_watching(self, supervisor: str, why: str) -> None:
        seat = self._seats[supervisor]
        call = self._watched(seat)
        assert call is not None
        del call.supervisors[supervisor]
        seat.watched = ""
        self._tell(supervisor, CallLeft(call_id=call.call_id, why=why))

    def _leave_watched(self, supervisor: str) -> None:
        agent = self._seats[supervisor].watched
        call = self._call_of(agent)
        self.record(call.call_id, SupervisionChanged(supervisor=supervisor, how="none"))
        self._stop_watching(supervisor, "left")
        self._tell(agent, call.changed())

    def _drop_out(self, agent: str) -> None:
        """Without page or audio nobody supervises, and nobody is called."""
        seat = self._seats[agent]
        if seat.watched:
            self._leave_watched(agent)
        if seat.me.calling:
            self._stop_calling(agent)

    def _stop_calling(self, agent: str) -> None:
        me = self._seats[agent].me
        self._tell_me(agent, me.model_copy(update={"calling": ""}))
        self._become(agent, Presence(me.next))

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

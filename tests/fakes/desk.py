"""A desk in memory: agents who come and go, calls that ring, are taken, held, passed on and written up, without a node.

`fake_desk()` gives it with real feeds in front, as `create_app(..., desk=parts)` takes it. A test brings the calls:
`ring` offers one, `record` adds to its journal, `hang_up_caller` ends it. Commands change the screens at once, as the
node's desk does.
"""

from collections.abc import Sequence
from typing import Literal

from agent_assist.desk.feed import AgentFeeds
from agent_assist.desk.messages import CallJoined, Me, OfferWithdrawn, SupervisedChanged, Third, WrapUpDone
from agent_assist.desk.ports import Conflict, Presence
from agent_assist.web.agent_api import DeskParts
from dialog.commands import How
from dialog.events import PlaybackStarted, RecordingPaused
from dialog.people_events import (
    CallerPutThrough,
    HoldChanged,
    NoteWritten,
    SuggestionDismissed,
    SuggestionTaken,
    SupervisionChanged,
    ThirdCalled,
    TransferRequested,
)
from tests.fakes.floor import FakeFloor
from tests.fakes.knowledge import ARTICLES, CALLBACKS, FakeCallbacks, FakeSuggester
from tests.fakes.seats import Seat


class FakeDesk(FakeFloor):
    """`AgentDesk` and `Screens`. What was asked stands in `asked`, an (agent, command, arguments...) each."""

    def __init__(self, feeds: AgentFeeds) -> None:
        super().__init__(feeds)
        self.asked: list[tuple[object, ...]] = []

    def arrive(self, agent: str, skills: Sequence[str], *, supervisor: bool = False) -> None:
        self._ask(agent, "arrive", tuple(skills), *(["supervisor"] if supervisor else []))
        seat = self._seats.setdefault(agent, Seat(Me(agent=agent, presence=Presence.OFFLINE, audio=False)))
        seat.skills = tuple(skills)
        seat.me = seat.me.model_copy(update={"supervisor": supervisor})
        if seat.me.presence is Presence.OFFLINE:
            self._become(agent, Presence.AWAY)

    def depart(self, agent: str) -> None:
        self._ask(agent, "depart")
        self._drop_out(agent)
        if self.presence(agent) in (Presence.AWAY, Presence.READY):
            self._become(agent, Presence.OFFLINE)

    def set_presence(self, agent: str, presence: Literal["ready", "away"]) -> None:
        self._ask(agent, "set_presence", presence)
        seat = self._seat(agent)
        if seat.call is not None or seat.me.calling:
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

    def pick_up(self, agent: str, call_id: str) -> None:
        """The agent picks up the phone that rings."""
        self.audio(agent, connected=True)
        self.answer(agent, call_id)

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
        self._tell(agent, call.changed())

    def pause_recording(self, agent: str, *, on: bool) -> None:
        self._ask(agent, "pause_recording", on)
        call = self._call_of(agent)
        call.paused = on
        self.record(call.call_id, RecordingPaused(on=on, by="agent", agent=agent))
        self._tell(agent, call.changed())

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
        self._tell(agent, call.changed())
        self.ring(to, call.call_id, by=agent)

    def transfer_outside(self, agent: str, to: str) -> None:
        self._ask(agent, "transfer_outside", to)
        call = self._call_of(agent)
        call.transferring_to = to
        self.record(call.call_id, TransferRequested(target=to, agent=agent))
        self._tell(agent, call.changed())

    def consult(self, agent: str, to: str) -> None:
        self._ask(agent, "consult", to)
        call = self._call_of(agent)
        if call.third is not None or call.transferring_to:
            raise Conflict("one at a time")
        call.third, call.on_hold = Third(number=to), True
        self.record(call.call_id, ThirdCalled(target=to, agent=agent))
        self.record(call.call_id, HoldChanged(on=True, agent=agent))
        self._tell(agent, call.changed())

    def drop_third(self, agent: str) -> None:
        self._ask(agent, "drop_third")
        if self._call_of(agent).third is not None:
            self.lose_third(agent, "dropped")

    def put_through(self, agent: str) -> None:
        self._ask(agent, "put_through")
        call = self._call_of(agent)
        if call.third is None or not call.third.joined:
            raise Conflict("nobody else is in the call")
        self.record(call.call_id, CallerPutThrough(target=call.third.number, agent=agent))
        self._leave(agent, "transferred", wrap_up=True)

    def supervise(self, supervisor: str, agent: str, how: How) -> None:
        self._ask(supervisor, "supervise", agent, how)
        seat, call = self._seat(supervisor), self._seat(agent).call
        if how == "none":
            if seat.watched == agent:
                self._leave_watched(supervisor)
            return
        if not seat.me.supervisor:
            raise Conflict("that is for supervisors")
        if call is None:
            raise Conflict(f"{agent} is in no call")
        if seat.call is not None:
            raise Conflict("you are in a call already")
        if not seat.me.audio:
            raise Conflict("there is no audio: open it first")
        if seat.watched not in ("", agent):
            self._leave_watched(supervisor)
        self.record(call.call_id, SupervisionChanged(supervisor=supervisor, how=how))
        call.supervisors[supervisor] = how
        if seat.watched == agent:
            self._tell(supervisor, SupervisedChanged(call_id=call.call_id, how=how))
        else:
            seat.watched = agent
            self._tell(supervisor, CallJoined(call=call.view(supervisor, agent)))
        self._tell(agent, call.changed())

    def call_out(self, agent: str, number: str, reason: str) -> None:
        self._ask(agent, "call_out", number, reason)
        seat = self._seat(agent)
        if seat.me.presence not in (Presence.AWAY, Presence.READY):
            raise Conflict(f"who is {seat.me.presence} cannot call")
        if not seat.me.audio:
            raise Conflict("there is no audio: open it first")
        seat.reason = reason
        before = "ready" if seat.me.presence is Presence.READY else "away"
        self._tell_me(agent, seat.me.model_copy(update={"calling": number, "next": before}))
        self._become(agent, Presence.CALLING)

    def give_up(self, agent: str) -> None:
        self._ask(agent, "give_up")
        if self._seat(agent).me.calling:
            self._stop_calling(agent)

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

    def _ask(self, *what: object) -> None:
        self.asked.append(what)


def fake_desk(feeds: AgentFeeds | None = None) -> tuple[FakeDesk, DeskParts]:
    """The desk, and what `create_app` is given."""
    feeds = feeds or AgentFeeds()
    desk = FakeDesk(feeds)
    feeds.serve(desk)
    return desk, DeskParts(desk, feeds, FakeCallbacks(*CALLBACKS), FakeSuggester(*ARTICLES))

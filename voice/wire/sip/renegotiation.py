"""Changes of media inside a call: the interpreter of `call_table.MEDIA` (RFC 3261 section 14, RFC 3311)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sipmessage import Response

from voice.wire.sip.call_table import MEDIA, CallInput, MediaDo, MediaInput, MediaState
from voice.wire.sip.content import content_of
from voice.wire.sip.core import Core, MediaOwner, Unacknowledged, chance
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.events import (
    MetadataReceived,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
)
from voice.wire.sip.guard import Received
from voice.wire.sip.message import NO_HEADERS, Address, make_cancel, make_response, set_body
from voice.wire.sip.session_timer import SessionTimer
from voice.wire.sip.tables import T1
from voice.wire.sip.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MediaCue:
    """What an input brought along."""

    now: float
    transaction: Transaction | None = None
    received: Received | None = None
    source: Address = ("", 0)
    status: int = 0
    reason: str = ""
    body: bytes = b""


PATIENCE_S = 180.0
"""How long a re-INVITE of ours may be under way before it is cancelled: what a proxy grants one (RFC 3261 16.6)."""


class Renegotiation:
    """The offers of one dialog by re-INVITE and UPDATE, one at a time in either direction. Each moves its `timer` on.

    `ours` says whether the call is: then the INVITE's offer was ours, and we wait longer after a collision.
    """

    def __init__(self, core: Core, owner: MediaOwner, dialog: Dialog, timer: SessionTimer, *, ours: bool) -> None:
        self.state = MediaState.INVITING if ours else MediaState.INVITED
        self._core = core
        self._owner = owner
        self._dialog = dialog
        self._timer = timer
        self._ours = ours
        self._pending: Transaction | None = None
        self._answered: Unacknowledged | None = None
        self._asked: Transaction | None = None
        self._refresh: Transaction | None = None
        self._description = b""
        """What we said of our media last."""
        self._method = "INVITE"
        self._offer = b""
        self._ack = (0, b"")
        self._retry_at: float | None = None
        self._cancel_at: float | None = None
        self._unanswered: Transaction | None = None
        self._forget_at: float | None = None

    @property
    def offered(self) -> bool:
        """Whether an offer of the peer's waits for our user."""
        return self.state in (MediaState.OFFERED, MediaState.UPDATE_OFFERED)

    def agree(self, description: bytes, now: float) -> None:
        """The offer of the INVITE has its answer, and one of them is our `description`: either side may offer anew."""
        self._description = self._description or description
        self._step(MediaInput.AGREED, MediaCue(now))

    # commands

    def reanswer(self, sdp: bytes, now: float) -> bool:
        return self._step(MediaInput.REANSWER, MediaCue(now, body=sdp))

    def refuse(self, status: int, reason: str, now: float) -> bool:
        return self._step(MediaInput.REFUSE, MediaCue(now, status=status, reason=reason))

    def reoffer(self, sdp: bytes, now: float, *, early: bool) -> bool:
        """Offer `sdp`: by re-INVITE, and as long as the INVITE is not answered by UPDATE, if the peer takes that."""
        if early and not self._dialog.allows("UPDATE"):
            return False
        self._method = "UPDATE" if early else "INVITE"
        return self._step(MediaInput.REOFFER, MediaCue(now, body=sdp))

    def refresh(self, now: float) -> None:
        """Show that the session lives (RFC 4028 section 7.4): by an UPDATE without an offer, if the peer takes that,
        else by a re-INVITE with the media as they are."""
        if self._dialog.allows("UPDATE"):
            if self._refresh is None:
                self._refresh = self._request("UPDATE", b"", now)
        elif self._description:
            self._step(MediaInput.REFRESH, MediaCue(now))

    def end(self, now: float) -> None:
        """The call is over: a re-INVITE or UPDATE still pending must get its answer (RFC 3261 section 15.1.2).

        Whatever answers ours is still acknowledged, but not waited for longer than 64*T1: it may be lost, and then
        nothing else would end its transaction.
        """
        if self._asked is not None and self._asked.request.method == "INVITE":
            self._unanswered, self._forget_at = self._asked, now + 64 * T1
        self._step(MediaInput.END, MediaCue(now))
        self._asked = self._refresh = None
        self._answered = None
        self._retry_at = self._cancel_at = None

    # messages

    def on_invite(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        self._step(MediaInput.INVITE, MediaCue(now, transaction, received, source))

    def on_update(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """An UPDATE. One without an offer is answered at once: it tells where the peer is to be reached, and lives, and
        what a recording client has to tell."""
        content = content_of(transaction.request)
        if content.sdp:
            self._step(MediaInput.UPDATE, MediaCue(now, transaction, received, source))
        else:
            self._dialog.refresh(received, source)
            headers = self._consent(transaction, now)
            self._core.respond(transaction, make_response(transaction.request, 200, headers=headers), now)
            if content.metadata:
                self._core.emit(MetadataReceived(self._owner.ref, content.metadata))

    def on_cancel(self, transaction: Transaction, now: float) -> None:
        if transaction is self._pending:
            self._step(MediaInput.CANCEL, MediaCue(now))

    def on_ack(self, received: Received, now: float) -> None:
        if self._answered and self._answered.sequence == received.cseq.sequence:
            self._answered = None
            self._step(MediaInput.ACK, MediaCue(now, received=received))

    def on_response(self, transaction: Transaction, received: Received, response: Response, now: float) -> None:
        """A response to our re-INVITE or UPDATE."""
        status, invited = response.code, transaction.request.method == "INVITE"
        cue = MediaCue(now, received=received, status=status, reason=response.phrase)
        if transaction not in (self._asked, self._refresh):
            if invited and 200 <= status < 300:
                self._send_ack(cue)  # the 2xx of an earlier one once more (RFC 3261 section 13.2.2.4)
            return
        if status < 200:
            return
        if status < 300:
            self._dialog.refresh(received)
            self._description = transaction.request.body or self._description
            self._timer.accept(response, now)
        elif status == 422:
            self._timer.lengthen(response)
        self._conclude(transaction, _outcome(status, invited=invited), cue)

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction in (self._asked, self._refresh):
            self._conclude(transaction, MediaInput.FAILURE, MediaCue(now, status=408, reason="Request Timeout"))

    def _conclude(self, transaction: Transaction, outcome: MediaInput, cue: MediaCue) -> None:
        if transaction is self._refresh:
            self._refresh = None
        else:
            self._asked = self._unanswered = None
            self._cancel_at = self._forget_at = None
            self._step(outcome, cue)
        if cue.status in (408, 481):
            self._owner.fail(CallInput.LOST, cue.now)  # RFC 3261 section 12.2.1.2

    # time

    def deadline(self) -> float | None:
        answered = self._answered.deadline() if self._answered else None
        times = (answered, self._retry_at, self._cancel_at, self._forget_at)
        return min((time for time in times if time is not None), default=None)

    def on_timer(self, now: float) -> None:
        if self._answered and not self._answered.on_timer(now, self._core):
            self._answered = None
            self._owner.fail(CallInput.NO_ACK, now)
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            self._step(MediaInput.RETRY, MediaCue(now))
        if self._asked is not None and self._cancel_at is not None and self._cancel_at <= now:
            self._cancel_at = None
            self._core.request(make_cancel(self._asked.request), self._asked.addr, now, None)
            self._unanswered, self._forget_at = self._asked, now + 64 * T1
        if self._unanswered is not None and self._forget_at is not None and self._forget_at <= now:
            forgotten, self._unanswered, self._forget_at = self._unanswered, None, None
            self._core.abandon(forgotten)
            self.on_timed_out(forgotten, now)

    # the table's interpreter

    def _step(self, cause: MediaInput, cue: MediaCue) -> bool:
        row = MEDIA.get((self.state, cause))
        if row is None:
            return False
        self.state = row.state
        for action in row.do:
            self._actions[action](self, cue)
        return True

    def _accept_offer(self, cue: MediaCue) -> None:
        assert cue.received is not None and cue.transaction is not None
        self._retry_at = None
        self._pending = cue.transaction
        self._dialog.refresh(cue.received, cue.source)
        content = content_of(cue.transaction.request)
        self._core.emit(ReinviteReceived(self._owner.ref, content.sdp, content.metadata))

    def _refuse_new(self, cue: MediaCue, status: int, headers: Mapping[str, str] = NO_HEADERS) -> None:
        assert cue.transaction is not None
        self._core.respond(cue.transaction, make_response(cue.transaction.request, status, headers=headers), cue.now)

    def _refuse_busy(self, cue: MediaCue) -> None:
        self._refuse_new(cue, 500, {"Retry-After": str(int(10 * chance(self._core)))})

    def _refuse_glare(self, cue: MediaCue) -> None:
        self._refuse_new(cue, 491)

    def _respond(self, cue: MediaCue, status: int, reason: str = "", headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Give what is pending its final response."""
        transaction, self._pending = self._pending, None
        assert transaction is not None
        response = make_response(transaction.request, status, reason, body=cue.body, headers=headers)
        self._core.respond(transaction, response, cue.now)
        if status < 300 and transaction.request.method == "INVITE":
            sequence = int(transaction.request.headers["CSeq"].split()[0])
            self._answered = Unacknowledged(bytes(response), transaction.addr, sequence, cue.now)

    def _consent(self, transaction: Transaction, now: float) -> Mapping[str, str]:
        """The headers of a 2xx."""
        return {**self._core.identity(transaction.addr), **self._timer.grant(transaction.request, now)}

    def _send_answer(self, cue: MediaCue) -> None:
        assert self._pending is not None
        self._description = cue.body
        self._respond(cue, 200, headers=self._consent(self._pending, cue.now))

    def _send_refusal(self, cue: MediaCue) -> None:
        self._respond(cue, cue.status, cue.reason)

    def _send_terminated(self, cue: MediaCue) -> None:
        self._respond(cue, 487)

    def _keep_offer(self, cue: MediaCue) -> None:
        self._offer = cue.body

    def _send_offer(self, cue: MediaCue) -> None:
        self._asked = self._request(self._method, self._offer, cue.now)

    def _send_refresh(self, cue: MediaCue) -> None:
        self._asked = self._request("INVITE", self._description, cue.now)

    def _request(self, method: str, body: bytes, now: float) -> Transaction:
        hop = self._dialog.next_hop()
        request = self._dialog.request(method, self._core.via(hop))
        set_body(request, body, {**self._core.identity(hop), **self._timer.renewal()})
        if method == "INVITE":
            self._cancel_at = now + PATIENCE_S
        return self._core.request(request, hop, now, self._owner)

    def _send_ack(self, cue: MediaCue) -> None:
        assert cue.received is not None
        sequence = cue.received.cseq.sequence
        if self._ack[0] != sequence:
            via = self._core.via(self._dialog.next_hop())
            self._ack = (sequence, bytes(self._dialog.request("ACK", via, cseq=sequence)))
        self._core.transmit(self._ack[1], self._dialog.next_hop())

    def _wait(self, cue: MediaCue) -> None:
        """The owner of the Call-ID waits 2.1 to 4 s, the other end 0 to 2 s (RFC 3261 section 14.1)."""
        share = chance(self._core)
        self._retry_at = cue.now + (2.1 + 1.9 * share if self._ours else 2.0 * share)

    def _tell_acknowledged(self, cue: MediaCue) -> None:
        assert cue.received is not None
        self._core.emit(ReinviteAcknowledged(self._owner.ref, cue.received.message.body or None))

    def _tell_answered(self, cue: MediaCue) -> None:
        assert cue.received is not None
        self._core.emit(ReinviteAnswered(self._owner.ref, cue.received.message.body or None))

    def _tell_refused(self, cue: MediaCue) -> None:
        self._core.emit(ReinviteRefused(self._owner.ref, cue.status or 491, cue.reason or "Request Pending"))

    _actions: ClassVar[dict[MediaDo, Callable[["Renegotiation", MediaCue], None]]] = {
        MediaDo.ACCEPT_OFFER: _accept_offer,
        MediaDo.REFUSE_BUSY: _refuse_busy,
        MediaDo.REFUSE_GLARE: _refuse_glare,
        MediaDo.SEND_ANSWER: _send_answer,
        MediaDo.SEND_REFUSAL: _send_refusal,
        MediaDo.SEND_TERMINATED: _send_terminated,
        MediaDo.SEND_OFFER: _send_offer,
        MediaDo.SEND_REFRESH: _send_refresh,
        MediaDo.SEND_ACK: _send_ack,
        MediaDo.KEEP_OFFER: _keep_offer,
        MediaDo.WAIT: _wait,
        MediaDo.TELL_ACKNOWLEDGED: _tell_acknowledged,
        MediaDo.TELL_ANSWERED: _tell_answered,
        MediaDo.TELL_REFUSED: _tell_refused,
    }


def _outcome(status: int, *, invited: bool) -> MediaInput:
    if status >= 300:
        return MediaInput.GLARE if status == 491 else MediaInput.FAILURE
    return MediaInput.SUCCESS if invited else MediaInput.UPDATED

"""Changes of media inside a call: the interpreter of `call_table.MEDIA` (RFC 3261 section 14, RFC 3311)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sipmessage import Response

from voice.wire.sip.call_table import MEDIA, CallInput, MediaDo, MediaInput, MediaState
from voice.wire.sip.core import Core, MediaOwner, Unacknowledged, chance
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.events import (
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
)
from voice.wire.sip.guard import Received
from voice.wire.sip.message import NO_HEADERS, Address, make_response, set_body
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


class Renegotiation:
    """The offers of one dialog by re-INVITE and UPDATE, one at a time in either direction.

    `ours` says whether the call is: then the INVITE's offer was ours, and we wait longer after a collision.
    """

    def __init__(self, core: Core, owner: MediaOwner, dialog: Dialog, *, ours: bool) -> None:
        self.state = MediaState.INVITING if ours else MediaState.INVITED
        self._core = core
        self._owner = owner
        self._dialog = dialog
        self._ours = ours
        self._pending: Transaction | None = None
        self._answered: Unacknowledged | None = None
        self._asked: Transaction | None = None
        self._method = "INVITE"
        self._offer = b""
        self._ack = (0, b"")
        self._retry_at: float | None = None

    @property
    def offered(self) -> bool:
        """Whether an offer of the peer's waits for our user."""
        return self.state in (MediaState.OFFERED, MediaState.UPDATE_OFFERED)

    def agree(self, now: float) -> None:
        """The offer of the INVITE has its answer: from now on either side may make another."""
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

    def end(self, now: float) -> None:
        """The call is over: a re-INVITE or UPDATE still pending must get its answer (RFC 3261 section 15.1.2)."""
        self._step(MediaInput.END, MediaCue(now))
        self._asked = None
        self._answered = None
        self._retry_at = None

    # messages

    def on_invite(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        self._step(MediaInput.INVITE, MediaCue(now, transaction, received, source))

    def on_update(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """An UPDATE. One without an offer is answered at once: it tells where the peer is to be reached, and lives."""
        if received.message.body:
            self._step(MediaInput.UPDATE, MediaCue(now, transaction, received, source))
        else:
            self._dialog.refresh(received, source)
            headers = self._core.identity(transaction.addr)
            self._core.respond(transaction, make_response(transaction.request, 200, headers=headers), now)

    def on_cancel(self, transaction: Transaction, now: float) -> None:
        if transaction is self._pending:
            self._step(MediaInput.CANCEL, MediaCue(now))

    def on_ack(self, received: Received, now: float) -> None:
        if self._answered and self._answered.sequence == received.cseq.sequence:
            self._answered = None
            self._step(MediaInput.ACK, MediaCue(now, received=received))

    def on_response(self, transaction: Transaction, received: Received, response: Response, now: float) -> None:
        """A response to our re-INVITE or UPDATE."""
        status = response.code
        cue = MediaCue(now, received=received, status=status, reason=response.phrase)
        invited = transaction.request.method == "INVITE"
        if transaction is not self._asked:
            if invited and 200 <= status < 300:
                self._send_ack(cue)  # the 2xx of an earlier one once more (RFC 3261 section 13.2.2.4)
        elif status == 491:
            self._step(MediaInput.GLARE, cue)
        elif status >= 300:
            self._step(MediaInput.FAILURE, cue)
            if status in (408, 481):
                self._owner.fail(CallInput.LOST, now)
        elif status >= 200:
            self._asked = None
            self._dialog.refresh(received)
            self._step(MediaInput.SUCCESS if invited else MediaInput.UPDATED, cue)

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction is self._asked:
            self._step(MediaInput.FAILURE, MediaCue(now, status=408, reason="Request Timeout"))
            self._owner.fail(CallInput.LOST, now)

    # time

    def deadline(self) -> float | None:
        times = (self._answered.deadline() if self._answered else None, self._retry_at)
        return min((time for time in times if time is not None), default=None)

    def on_timer(self, now: float) -> None:
        if self._answered and not self._answered.on_timer(now, self._core):
            self._answered = None
            self._owner.fail(CallInput.NO_ACK, now)
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            self._step(MediaInput.RETRY, MediaCue(now))

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
        assert cue.received is not None
        self._retry_at = None
        self._pending = cue.transaction
        self._dialog.refresh(cue.received, cue.source)
        self._core.emit(ReinviteReceived(self._owner.ref, cue.received.message.body or None))

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

    def _send_answer(self, cue: MediaCue) -> None:
        assert self._pending is not None
        self._respond(cue, 200, headers=self._core.identity(self._pending.addr))

    def _send_refusal(self, cue: MediaCue) -> None:
        self._respond(cue, cue.status, cue.reason)

    def _send_terminated(self, cue: MediaCue) -> None:
        self._respond(cue, 487)

    def _keep_offer(self, cue: MediaCue) -> None:
        self._offer = cue.body

    def _send_offer(self, cue: MediaCue) -> None:
        hop = self._dialog.next_hop()
        request = self._dialog.request(self._method, self._core.via(hop))
        set_body(request, self._offer, self._core.identity(hop))
        self._asked = self._core.request(request, hop, cue.now, self._owner)

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
        MediaDo.SEND_ACK: _send_ack,
        MediaDo.KEEP_OFFER: _keep_offer,
        MediaDo.WAIT: _wait,
        MediaDo.TELL_ACKNOWLEDGED: _tell_acknowledged,
        MediaDo.TELL_ANSWERED: _tell_answered,
        MediaDo.TELL_REFUSED: _tell_refused,
    }

"""Changes of media inside an answered call: the interpreter of `call_table.MEDIA` (RFC 3261 section 14)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sipmessage import Response

from voice.wire.sip.call_table import MEDIA, CallInput, MediaDo, MediaInput, MediaState
from voice.wire.sip.content import content_of
from voice.wire.sip.core import Core, MediaOwner, UnacknowledgedAnswer
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
    """The re-INVITEs of one call, one at a time in either direction.

    `ours` says whether the Call-ID is ours, which decides who waits longer after a collision.
    """

    def __init__(self, core: Core, owner: MediaOwner, dialog: Dialog, *, ours: bool) -> None:
        self.state = MediaState.IDLE
        self._core = core
        self._owner = owner
        self._dialog = dialog
        self._ours = ours
        self._pending: Transaction | None = None
        self._answered: UnacknowledgedAnswer | None = None
        self._offer = b""
        self._ack = (0, b"")
        self._retry_at: float | None = None

    # commands

    def reanswer(self, sdp: bytes, now: float) -> bool:
        return self._step(MediaInput.REANSWER, MediaCue(now, body=sdp))

    def refuse(self, status: int, reason: str, now: float) -> bool:
        return self._step(MediaInput.REFUSE, MediaCue(now, status=status, reason=reason))

    def reoffer(self, sdp: bytes, now: float) -> bool:
        return self._step(MediaInput.REOFFER, MediaCue(now, body=sdp))

    def end(self, now: float) -> None:
        """The call is over: a re-INVITE still pending must get its answer (RFC 3261 section 15.1.2)."""
        self._step(MediaInput.END, MediaCue(now))
        self._answered = None
        self._retry_at = None

    # messages

    def on_invite(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        self._step(MediaInput.INVITE, MediaCue(now, transaction, received, source))

    def on_cancel(self, transaction: Transaction, now: float) -> None:
        if transaction is self._pending:
            self._step(MediaInput.CANCEL, MediaCue(now))

    def on_ack(self, received: Received, now: float) -> None:
        if self._answered and self._answered.sequence == received.cseq.sequence:
            self._answered = None
            self._step(MediaInput.ACK, MediaCue(now, received=received))

    def on_response(self, received: Received, response: Response, now: float) -> None:
        """A response to our re-INVITE."""
        status = response.code
        cue = MediaCue(now, received=received, status=status, reason=response.phrase)
        if status == 491:
            self._step(MediaInput.GLARE, cue)
        elif status >= 300:
            self._step(MediaInput.FAILURE, cue)
            if status in (408, 481):
                self._owner.fail(CallInput.LOST, now)
        elif status >= 200:
            self._step(MediaInput.SUCCESS, cue)

    def on_timed_out(self, now: float) -> None:
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

    def _accept_invite(self, cue: MediaCue) -> None:
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
        self._refuse_new(cue, 500, {"Retry-After": str(int(10 * self._chance()))})

    def _refuse_glare(self, cue: MediaCue) -> None:
        self._refuse_new(cue, 491)

    def _respond(self, cue: MediaCue, status: int, reason: str = "", headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Give the pending re-INVITE its final response."""
        transaction, self._pending = self._pending, None
        assert transaction is not None
        response = make_response(transaction.request, status, reason, body=cue.body, headers=headers)
        self._core.respond(transaction, response, cue.now)
        if status < 300:
            sequence = int(transaction.request.headers["CSeq"].split()[0])
            self._answered = UnacknowledgedAnswer(bytes(response), transaction.addr, sequence, cue.now)

    def _send_answer(self, cue: MediaCue) -> None:
        assert self._pending is not None
        self._respond(cue, 200, headers=self._core.identity(self._pending.addr))

    def _send_refusal(self, cue: MediaCue) -> None:
        self._respond(cue, cue.status, cue.reason)

    def _send_terminated(self, cue: MediaCue) -> None:
        self._respond(cue, 487)

    def _keep_offer(self, cue: MediaCue) -> None:
        self._offer = cue.body

    def _send_invite(self, cue: MediaCue) -> None:
        hop = self._dialog.next_hop()
        invite = self._dialog.request("INVITE", self._core.via(hop))
        set_body(invite, self._offer, self._core.identity(hop))
        self._core.request(invite, hop, cue.now, self._owner)

    def _send_ack(self, cue: MediaCue) -> None:
        assert cue.received is not None
        sequence = cue.received.cseq.sequence
        if self._ack[0] != sequence:
            self._dialog.refresh(cue.received)
            via = self._core.via(self._dialog.next_hop())
            self._ack = (sequence, bytes(self._dialog.request("ACK", via, cseq=sequence)))
        self._core.transmit(self._ack[1], self._dialog.next_hop())

    def _wait(self, cue: MediaCue) -> None:
        """The owner of the Call-ID waits 2.1 to 4 s, the other end 0 to 2 s (RFC 3261 section 14.1)."""
        chance = self._chance()
        self._retry_at = cue.now + (2.1 + 1.9 * chance if self._ours else 2.0 * chance)

    def _chance(self) -> float:
        """A number in [0, 1) from a random word."""
        digest = hashlib.blake2b(self._core.token().encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**32

    def _tell_acknowledged(self, cue: MediaCue) -> None:
        assert cue.received is not None
        self._core.emit(ReinviteAcknowledged(self._owner.ref, cue.received.message.body or None))

    def _tell_answered(self, cue: MediaCue) -> None:
        assert cue.received is not None
        self._core.emit(ReinviteAnswered(self._owner.ref, cue.received.message.body or None))

    def _tell_refused(self, cue: MediaCue) -> None:
        self._core.emit(ReinviteRefused(self._owner.ref, cue.status or 491, cue.reason or "Request Pending"))

    _actions: ClassVar[dict[MediaDo, Callable[["Renegotiation", MediaCue], None]]] = {
        MediaDo.ACCEPT_INVITE: _accept_invite,
        MediaDo.REFUSE_BUSY: _refuse_busy,
        MediaDo.REFUSE_GLARE: _refuse_glare,
        MediaDo.SEND_ANSWER: _send_answer,
        MediaDo.SEND_REFUSAL: _send_refusal,
        MediaDo.SEND_TERMINATED: _send_terminated,
        MediaDo.SEND_INVITE: _send_invite,
        MediaDo.SEND_ACK: _send_ack,
        MediaDo.KEEP_OFFER: _keep_offer,
        MediaDo.WAIT: _wait,
        MediaDo.TELL_ACKNOWLEDGED: _tell_acknowledged,
        MediaDo.TELL_ANSWERED: _tell_answered,
        MediaDo.TELL_REFUSED: _tell_refused,
    }

"""One call, called or calling, from INVITE to BYE: the interpreter of `call_table.CALL` (RFC 3261 sections 9, 13, 15).

Changes of media in an answered call are handed to `Renegotiation`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from sipmessage import Request

from voice.wire.sip.auth import Login
from voice.wire.sip.call_table import CALL, CallDo, CallInput, CallState
from voice.wire.sip.core import Core, UnacknowledgedAnswer
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteCancelled,
    InviteRefused,
    Ringing,
)
from voice.wire.sip.guard import Received
from voice.wire.sip.message import NO_HEADERS, REASONS, Address, make_again, make_cancel, make_response
from voice.wire.sip.renegotiation import Renegotiation
from voice.wire.sip.tables import T1
from voice.wire.sip.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Cue:
    """What an input brought along."""

    now: float
    received: Received | None = None
    source: Address = ("", 0)
    status: int = 0
    reason: str = ""
    body: bytes = b""
    retry_after_s: int | None = None


class Call:
    """A call. Made by `incoming` or `outgoing`; a command returns False when the call's state does not allow it."""

    invite: Transaction

    def __init__(self, core: Core, ref: CallRef, state: CallState) -> None:
        self.ref = ref
        self.state = state
        self.dialog: Dialog | None = None
        self._core = core
        self._media: Renegotiation | None = None
        self._answered: UnacknowledgedAnswer | None = None
        self._ack: bytes = b""
        self._ringing = False
        self._give_up: float | None = None
        self._login: Login | None = None

    @classmethod
    def incoming(cls, core: Core, ref: CallRef, invite: Transaction, received: Received, source: Address) -> "Call":
        """A call to us: `invite` is the server transaction of its INVITE, just `received`."""
        self = cls(core, ref, CallState.INVITED)
        self.invite = invite
        invite.user = self
        self.dialog = Dialog.from_invite(received, source, core.token())
        self._media = Renegotiation(core, self, self.dialog, ours=False)
        return self

    @classmethod
    def outgoing(
        cls, core: Core, ref: CallRef, request: Request, addr: Address, now: float, login: Login | None = None
    ) -> "Call":
        """A call of ours: sends `request`, an INVITE with all its headers, to `addr`; `login` answers a challenge."""
        self = cls(core, ref, CallState.CALLING)
        self._login = login
        self.invite = core.request(request, addr, now, self)
        return self

    @property
    def over(self) -> bool:
        return self.state is CallState.ENDED

    # commands

    def ring(self, now: float) -> bool:
        return self._step(CallInput.RING, Cue(now))

    def answer(self, sdp: bytes, now: float) -> bool:
        return self._step(CallInput.ANSWER, Cue(now, body=sdp))

    def reject(self, status: int, reason: str, retry_after_s: int | None, now: float) -> bool:
        """Refuse the call or, in an answered one, the peer's re-INVITE."""
        if self.state is CallState.TALKING and self._media:
            return self._media.refuse(status, reason, now)
        return self._step(CallInput.REJECT, Cue(now, status=status, reason=reason, retry_after_s=retry_after_s))

    def hang_up(self, now: float) -> bool:
        return self._step(CallInput.HANG_UP, Cue(now))

    def reanswer(self, sdp: bytes, now: float) -> bool:
        return self.state is CallState.TALKING and self._media is not None and self._media.reanswer(sdp, now)

    def reoffer(self, sdp: bytes, now: float) -> bool:
        return self.state is CallState.TALKING and self._media is not None and self._media.reoffer(sdp, now)

    # messages

    def on_cancel(self, transaction: Transaction, now: float) -> None:
        """A CANCEL that matches `transaction`, an INVITE of this call without final response."""
        if transaction is self.invite:
            self._step(CallInput.CANCEL, Cue(now))
        elif self._media:
            self._media.on_cancel(transaction, now)

    def on_bye(self, now: float) -> None:
        self._step(CallInput.BYE, Cue(now))

    def on_ack(self, received: Received, now: float) -> None:
        """The ACK of a 2xx: of the call's first, or of a later one."""
        if self._answered and self._answered.sequence == received.cseq.sequence:
            self._answered = None
            self._step(CallInput.ACK, Cue(now, received))
        elif self._media:
            self._media.on_ack(received, now)

    def on_invite(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """A re-INVITE."""
        if self._media is None or self.state is not CallState.TALKING:
            self._core.respond(transaction, make_response(transaction.request, 491), now)  # RFC 3261 section 14.2
        else:
            self._media.on_invite(transaction, received, source, now)

    def on_passed(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        if isinstance(received.message, Request):
            self.on_ack(received, now)  # RFC 6026 section 7.1: an ACK that shares its INVITE's branch
            return
        if transaction is not self.invite:
            if self._media:
                self._media.on_response(received, received.message, now)
            return
        status = received.message.code
        cue = Cue(now, received, source, status, received.message.phrase)
        if status < 200:
            self._step(CallInput.PROVISIONAL, cue)
        elif status in (401, 407) and self._login and self.state is CallState.CALLING:
            obstacle = self._login.take(received.message, self._core.token())
            cause = CallInput.FAILURE if obstacle else CallInput.CHALLENGED
            self._step(cause, replace(cue, reason=obstacle or cue.reason))
        elif status >= 300:
            self._step(CallInput.FAILURE, cue)
        elif self.dialog is None or self.dialog.remote_tag == received.to_tag:
            self._step(CallInput.SUCCESS, cue)
        else:
            self._part_from_fork(received, source, now)

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction is not self.invite:
            if self._media:
                self._media.on_timed_out(now)
            return
        status = 503 if transaction.disconnected else 408  # RFC 3261 section 8.1.3.1
        self._step(CallInput.FAILURE, Cue(now, status=status, reason=REASONS[status]))

    def fail(self, cause: CallInput, now: float) -> None:
        self._step(cause, Cue(now))

    # time

    def deadline(self) -> float | None:
        times = (
            self._answered.deadline() if self._answered else None,
            self._media.deadline() if self._media else None,
            self._give_up,
        )
        return min((time for time in times if time is not None), default=None)

    def on_timer(self, now: float) -> None:
        if self._answered and not self._answered.on_timer(now, self._core):
            self._answered = None
            self._step(CallInput.NO_ACK, Cue(now))
        if self._media:
            self._media.on_timer(now)
        if self._give_up is not None and self._give_up <= now:
            self._give_up = None
            self._core.abandon(self.invite)
            self._step(CallInput.GIVE_UP, Cue(now))

    # the table's interpreter

    def _step(self, cause: CallInput, cue: Cue) -> bool:
        row = CALL.get((self.state, cause))
        if row is None:
            return False
        self.state = row.state
        for action in row.do:
            self._actions[action](self, cue)
        if self.over:
            self._answered = self._give_up = None
            if self._media:
                self._media.end(cue.now)
        return True

    def _respond(
        self, cue: Cue, status: int, reason: str = "", body: bytes = b"", headers: Mapping[str, str] = NO_HEADERS
    ) -> bytes:
        assert self.dialog is not None
        tag = self.dialog.local_tag
        response = make_response(self.invite.request, status, reason, to_tag=tag, body=body, headers=headers)
        self._core.respond(self.invite, response, cue.now)
        return bytes(response)

    def _send_ringing(self, cue: Cue) -> None:
        self._respond(cue, 180, headers=self._core.identity(self.invite.addr))

    def _send_answer(self, cue: Cue) -> None:
        data = self._respond(cue, 200, body=cue.body, headers=self._core.identity(self.invite.addr))
        sequence = int(self.invite.request.headers["CSeq"].split()[0])
        self._answered = UnacknowledgedAnswer(data, self.invite.addr, sequence, cue.now)

    def _send_refusal(self, cue: Cue) -> None:
        extra = {} if cue.retry_after_s is None else {"Retry-After": str(cue.retry_after_s)}
        self._respond(cue, cue.status, cue.reason, headers=extra)

    def _send_terminated(self, cue: Cue) -> None:
        self._respond(cue, 487)

    def _send_unavailable(self, cue: Cue) -> None:
        self._respond(cue, 480)

    def _establish(self, cue: Cue) -> None:
        assert cue.received is not None
        self.dialog = Dialog.from_answer(self.invite.request, cue.received, cue.source, self.invite.addr)
        self.dialog.login = self._login
        self._media = Renegotiation(self._core, self, self.dialog, ours=True)

    def _send_again(self, cue: Cue) -> None:
        """The INVITE once more, with the credentials that were asked for."""
        assert self._login is not None
        invite = make_again(self.invite.request, self._core.via(self.invite.addr))
        self._login.sign(invite)
        self._ringing = False
        self.invite = self._core.request(invite, self.invite.addr, cue.now, self)

    def _send_ack(self, cue: Cue) -> None:
        assert self.dialog is not None and cue.received is not None
        hop = self.dialog.next_hop()
        if not self._ack:
            sequence = cue.received.cseq.sequence
            self._ack = bytes(self.dialog.request("ACK", self._core.via(hop), cseq=sequence))
        self._core.transmit(self._ack, hop)

    def _send_bye(self, cue: Cue) -> None:
        assert self.dialog is not None
        hop = self.dialog.next_hop()
        self._core.request(self.dialog.request("BYE", self._core.via(hop)), hop, cue.now, None)

    def _send_cancel(self, cue: Cue) -> None:
        """Not before a provisional response came, and once (RFC 3261 section 9.1)."""
        if cue.status:
            self._ringing = True
        if self._ringing and self._give_up is None:
            self._core.request(make_cancel(self.invite.request), self.invite.addr, cue.now, None)
            self._give_up = cue.now + 64 * T1

    def _part_from_fork(self, received: Received, source: Address, now: float) -> None:
        """A second callee answered behind a forking proxy: take the call and hang up (RFC 3261 section 13.2.2.4)."""
        stray = Dialog.from_answer(self.invite.request, received, source, self.invite.addr)
        hop = stray.next_hop()
        ack = stray.request("ACK", self._core.via(hop), cseq=received.cseq.sequence)
        self._core.transmit(bytes(ack), hop)
        self._core.request(stray.request("BYE", self._core.via(hop)), hop, now, None)

    def _tell_acknowledged(self, cue: Cue) -> None:
        assert cue.received is not None
        self._core.emit(InviteAcknowledged(self.ref, cue.received.message.body or None))

    def _tell_cancelled(self, cue: Cue) -> None:
        self._core.emit(InviteCancelled(self.ref))

    def _tell_ringing(self, cue: Cue) -> None:
        assert cue.received is not None
        self._ringing = True
        if cue.status > 100:
            self._core.emit(Ringing(self.ref, cue.status, cue.received.message.body or None))

    def _tell_answered(self, cue: Cue) -> None:
        assert cue.received is not None
        self._core.emit(InviteAnswered(self.ref, cue.received.message.body or None))

    def _tell_failed(self, cue: Cue) -> None:
        self._core.emit(InviteRefused(self.ref, cue.status, cue.reason))

    def _end(self, cause: EndCause) -> None:
        self._core.emit(DialogEnded(self.ref, cause))

    _actions: ClassVar[dict[CallDo, Callable[["Call", Cue], None]]] = {
        CallDo.SEND_RINGING: _send_ringing,
        CallDo.SEND_ANSWER: _send_answer,
        CallDo.SEND_REFUSAL: _send_refusal,
        CallDo.SEND_TERMINATED: _send_terminated,
        CallDo.SEND_UNAVAILABLE: _send_unavailable,
        CallDo.SEND_ACK: _send_ack,
        CallDo.SEND_BYE: _send_bye,
        CallDo.SEND_CANCEL: _send_cancel,
        CallDo.SEND_AGAIN: _send_again,
        CallDo.ESTABLISH: _establish,
        CallDo.TELL_ACKNOWLEDGED: _tell_acknowledged,
        CallDo.TELL_CANCELLED: _tell_cancelled,
        CallDo.TELL_RINGING: _tell_ringing,
        CallDo.TELL_ANSWERED: _tell_answered,
        CallDo.TELL_FAILED: _tell_failed,
        CallDo.END_LOCAL: lambda self, cue: self._end(EndCause.LOCAL),
        CallDo.END_REMOTE: lambda self, cue: self._end(EndCause.REMOTE),
        CallDo.END_REJECTED: lambda self, cue: self._end(EndCause.REJECTED),
        CallDo.END_NO_ACK: lambda self, cue: self._end(EndCause.NO_ACK),
        CallDo.END_LOST: lambda self, cue: self._end(EndCause.LOST),
    }

"""A call to us, from its INVITE to the ACK of our answer: RFC 3261 sections 9.2 and 13.3, RFC 3262 section 3."""

from collections.abc import Callable, Mapping

from sipmessage import Response

from dialog.errors import ProtocolError
from voice.wire.sip.call import COMMON, Call, Cue
from voice.wire.sip.call_table import CallDo, CallInput, CallState
from voice.wire.sip.core import Core, Unacknowledged
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.events import CallRef, InviteAcknowledged, InviteCancelled, ProgressAcknowledged
from voice.wire.sip.guard import Received
from voice.wire.sip.message import NO_HEADERS, Address, make_response
from voice.wire.sip.provisional import ReliableResponses
from voice.wire.sip.renegotiation import Renegotiation
from voice.wire.sip.transaction import Transaction


class IncomingCall(Call):
    """A call to us: `invite` is the server transaction of its INVITE, just `received`."""

    dialog: Dialog
    _media: Renegotiation

    def __init__(self, core: Core, ref: CallRef, invite: Transaction, received: Received, source: Address) -> None:
        super().__init__(core, ref, CallState.INVITED)
        self.invite = invite
        invite.user = self
        self.dialog = Dialog.from_invite(received, source, core.token())
        self._media = Renegotiation(core, self, self.dialog, self._timer, ours=False)
        self._reliable = ReliableResponses(core, invite)
        self._described = False
        """Whether our SDP went out reliably, before the answer to the INVITE."""
        self._description = b""
        self._held_answer: bytes | None = None
        self._answered: Unacknowledged | None = None

    # commands

    def ring(self, now: float) -> bool:
        return not self._reliable.full and super().ring(now)

    def progress(self, sdp: bytes, now: float) -> bool:
        """Say that the call gets on. An offer, where the caller made none, must be reliable (RFC 3261 13.2.1)."""
        allowed = not sdp or self.invite.request.body or self._reliable.possible
        return bool(allowed) and not self._reliable.full and super().progress(sdp, now)

    def answer(self, sdp: bytes, now: float) -> bool:
        """Take the call, as soon as what was said reliably before is acknowledged (RFC 3262 section 3)."""
        if self._reliable.settled:
            return super().answer(sdp, now)
        if self._held_answer is not None:
            return False
        self._held_answer = sdp
        return True

    # messages

    def on_ack(self, received: Received, now: float) -> None:
        """The ACK of a 2xx: of the call's first, or of a later one."""
        if self._answered and self._answered.sequence == received.cseq.sequence:
            self._answered = None
            self._media.agree(self._description, now)
            self._step(CallInput.ACK, Cue(now, received))
        else:
            super().on_ack(received, now)

    def on_prack(self, transaction: Transaction, received: Received, now: float) -> None:
        """RFC 3262 section 3. One with an offer is refused, and what it acknowledges waits for another without."""
        request, body = transaction.request, received.message.body
        try:
            awaited = self._reliable.awaits(request)
        except ProtocolError as error:
            self._core.respond(transaction, make_response(request, 400, str(error)), now)
            return
        if not awaited:
            self._core.respond(transaction, make_response(request, 481), now)
        elif body and (self.invite.request.body or not self._reliable.described):
            self._core.respond(transaction, make_response(request, 488), now)
        else:
            self._core.respond(transaction, make_response(request, 200), now)
            if self._reliable.described:
                self._media.agree(self._description, now)
            self._reliable.acknowledged(now)
            self._core.emit(ProgressAcknowledged(self.ref, body or None))
            if self._reliable.settled and self._held_answer is not None:
                self._step(CallInput.ANSWER, Cue(now, body=self._held_answer))

    # time

    def _deadlines(self) -> tuple[float | None, ...]:
        answered = self._answered.deadline() if self._answered else None
        return (*super()._deadlines(), answered, self._reliable.deadline())

    def on_timer(self, now: float) -> None:
        if self._answered and not self._answered.on_timer(now, self._core):
            self._answered = None
            self._step(CallInput.NO_ACK, Cue(now))
        if not self._reliable.on_timer(now):
            self._step(CallInput.NO_PRACK, Cue(now))
        super().on_timer(now)

    # the table's interpreter

    def _step(self, cause: CallInput, cue: Cue) -> bool:
        done = super()._step(cause, cue)
        if self.state is not CallState.INVITED:
            self._reliable.end()
        if self.over:
            self._answered = None
        return done

    def _act(self, action: CallDo, cue: Cue) -> None:
        _ACTIONS[action](self, cue)

    def _response(
        self, status: int, reason: str = "", body: bytes = b"", headers: Mapping[str, str] = NO_HEADERS
    ) -> Response:
        tag = self.dialog.local_tag
        return make_response(self.invite.request, status, reason, to_tag=tag, body=body, headers=headers)

    def _refuse(self, cue: Cue, status: int) -> None:
        self._core.respond(self.invite, self._response(status), cue.now)

    def _send_provisional(self, cue: Cue, status: int) -> None:
        """Reliably where the caller demands it, or takes it and there is a session description (RFC 3262 section 3).

        One that went out reliably stands: what would repeat it is left out, here and in the 2xx (RFC 3261 section
        13.2.1).
        """
        body = b"" if self._described else cue.body
        response = self._response(status, body=body, headers=self._core.identity(self.invite.addr))
        if self._reliable.demanded or (body and self._reliable.possible):
            if body:
                self._described, self._description = True, body
            self._reliable.send(response, cue.now)
        else:
            self._core.respond(self.invite, response, cue.now)

    def _send_answer(self, cue: Cue) -> None:
        body = b"" if self._described else cue.body
        self._description = self._description or body
        session = self._timer.grant(self.invite.request, cue.now)
        headers = {**self._core.identity(self.invite.addr), **session}
        response = self._response(200, body=body, headers=headers)
        self._core.respond(self.invite, response, cue.now)
        sequence = int(self.invite.request.headers["CSeq"].split()[0])
        self._answered = Unacknowledged(bytes(response), self.invite.addr, sequence, cue.now)

    def _send_refusal(self, cue: Cue) -> None:
        extra = {} if cue.retry_after_s is None else {"Retry-After": str(cue.retry_after_s)}
        self._core.respond(self.invite, self._response(cue.status, cue.reason, headers=extra), cue.now)

    def _tell_acknowledged(self, cue: Cue) -> None:
        assert cue.received is not None
        self._core.emit(InviteAcknowledged(self.ref, cue.received.message.body or None))

    def _tell_cancelled(self, cue: Cue) -> None:
        self._core.emit(InviteCancelled(self.ref, cue.reasons))


_ACTIONS: dict[CallDo, Callable[[IncomingCall, Cue], None]] = {
    **COMMON,
    CallDo.SEND_RINGING: lambda call, cue: call._send_provisional(cue, 180),
    CallDo.SEND_PROGRESS: lambda call, cue: call._send_provisional(cue, 183),
    CallDo.SEND_ANSWER: lambda call, cue: call._send_answer(cue),
    CallDo.SEND_REFUSAL: lambda call, cue: call._send_refusal(cue),
    CallDo.SEND_TERMINATED: lambda call, cue: call._refuse(cue, 487),
    CallDo.SEND_UNAVAILABLE: lambda call, cue: call._refuse(cue, 480),
    CallDo.SEND_TIMED_OUT: lambda call, cue: call._refuse(cue, 504),
    CallDo.TELL_ACKNOWLEDGED: lambda call, cue: call._tell_acknowledged(cue),
    CallDo.TELL_CANCELLED: lambda call, cue: call._tell_cancelled(cue),
}

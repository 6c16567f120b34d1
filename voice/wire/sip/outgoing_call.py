"""A call of ours, from its INVITE to the answer, and what forks of it answer later: RFC 3261 sections 9.1 and 13.2."""

from collections.abc import Callable
from dataclasses import replace

from sipmessage import Request, Response

from voice.wire.sip.auth import Login
from voice.wire.sip.call import COMMON, Call, Cue
from voice.wire.sip.call_table import CallDo, CallInput, CallState
from voice.wire.sip.core import Core
from voice.wire.sip.dialog import Dialog, read_contacts
from voice.wire.sip.events import CallRef, InviteAnswered, InviteRefused, Ringing
from voice.wire.sip.guard import Received
from voice.wire.sip.message import REASONS, Address, make_again, make_cancel, names, set_headers
from voice.wire.sip.provisional import RELIABLE, EarlyDialogs
from voice.wire.sip.renegotiation import Renegotiation
from voice.wire.sip.tables import T1
from voice.wire.sip.transaction import Transaction


class OutgoingCall(Call):
    """A call of ours: sends `request`, an INVITE with all its headers, to `addr`; `login` answers a challenge."""

    def __init__(
        self, core: Core, ref: CallRef, request: Request, addr: Address, now: float, login: Login | None = None
    ) -> None:
        super().__init__(core, ref, CallState.CALLING)
        self._login = login
        self._early = EarlyDialogs(core, login)
        self._early_media: dict[str, Renegotiation] = {}
        self._answered_by = ""
        self._ack = b""
        self._heard = False
        self._give_up: float | None = None
        set_headers(request, self._timer.proposal())
        self.invite = core.request(request, addr, now, self)

    # messages

    def on_passed(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        message = received.message
        if transaction is not self.invite or isinstance(message, Request):
            super().on_passed(transaction, received, source, now)
            return
        status = message.code
        cue = Cue(now, received, source, status, message.phrase)
        if status < 200:
            early = self._early.dialog(self.invite.request, received, source)
            if self._early.acknowledge(received, early, now):
                self._follow(early, received, now)
                self._step(CallInput.PROVISIONAL, cue)
        elif status in (401, 407) and self._login and self.state is CallState.CALLING:
            obstacle = self._login.take(message, self._core.token())
            cause = CallInput.FAILURE if obstacle else CallInput.CHALLENGED
            self._step(cause, replace(cue, reason=obstacle or cue.reason))
        elif status == 422 and self.state is CallState.CALLING and self._timer.lengthen(message):
            self._step(CallInput.TOO_BRIEF, cue)
        elif status >= 300:
            contacts = read_contacts(received) if status < 400 else ()
            self._step(CallInput.FAILURE, replace(cue, contacts=contacts))
        elif self._answered_by in ("", received.to_tag):
            self._step(CallInput.SUCCESS, cue)
        else:
            self._part_from_fork(received, source, now)

    def _follow(self, early: Dialog | None, received: Received, now: float) -> None:
        """The callee heard of last is the one whose dialog may change its media before the answer."""
        if early is not None and self.state is CallState.CALLING:
            self.dialog, self._media = early, self._media_of(early)
            if received.message.body and names(received.message, "Require", RELIABLE):
                self._media.agree(self.invite.request.body, now)

    def _media_of(self, dialog: Dialog) -> Renegotiation:
        media = self._early_media.get(dialog.remote_tag) or Renegotiation(
            self._core, self, dialog, self._timer, ours=True
        )
        self._early_media[dialog.remote_tag] = media
        return media

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction is self.invite:
            status = 503 if transaction.disconnected else 408  # RFC 3261 section 8.1.3.1
            self._step(CallInput.FAILURE, Cue(now, status=status, reason=REASONS[status]))
        else:
            super().on_timed_out(transaction, now)

    # time

    def _deadlines(self) -> tuple[float | None, ...]:
        return (*super()._deadlines(), self._give_up)

    def on_timer(self, now: float) -> None:
        super().on_timer(now)
        if self._give_up is not None and self._give_up <= now:
            self._give_up = None
            self._core.abandon(self.invite)
            self._step(CallInput.GIVE_UP, Cue(now))

    # the table's interpreter

    def _step(self, cause: CallInput, cue: Cue) -> bool:
        done = super()._step(cause, cue)
        if self.over:
            self._give_up = None
        return done

    def _act(self, action: CallDo, cue: Cue) -> None:
        _ACTIONS[action](self, cue)

    def _establish(self, cue: Cue) -> None:
        assert cue.received is not None
        self._answered_by = cue.received.to_tag
        self.dialog = self._early.confirmed(self.invite.request, cue.received, cue.source)
        self._media = self._media_of(self.dialog)
        self._media.agree(self.invite.request.body, cue.now)
        assert isinstance(cue.received.message, Response)
        self._timer.accept(cue.received.message, cue.now)
        self._early_media.clear()

    def _send_again(self, cue: Cue) -> None:
        """The INVITE once more, with the credentials that were asked for, or for a longer session."""
        invite = make_again(self.invite.request, self._core.via(self.invite.addr))
        set_headers(invite, self._timer.proposal())
        if self._login:
            self._login.sign(invite)
        self._heard = False
        self.invite = self._core.request(invite, self.invite.addr, cue.now, self)

    def _send_ack(self, cue: Cue) -> None:
        assert self.dialog is not None and cue.received is not None
        hop = self.dialog.next_hop()
        if not self._ack:
            sequence = cue.received.cseq.sequence
            self._ack = bytes(self.dialog.request("ACK", self._core.via(hop), cseq=sequence))
        self._core.transmit(self._ack, hop)

    def _send_cancel(self, cue: Cue) -> None:
        """Not before a provisional response came, and once (RFC 3261 section 9.1)."""
        if cue.status:
            self._heard = True
        if self._heard and self._give_up is None:
            cancel = make_cancel(self.invite.request)
            set_headers(cancel, self._reasoned())
            self._core.request(cancel, self.invite.addr, cue.now, None)
            self._give_up = cue.now + 64 * T1

    def _part_from_fork(self, received: Received, source: Address, now: float) -> None:
        """A second callee answered behind a forking proxy: take the call and hang up (RFC 3261 section 13.2.2.4)."""
        stray = self._early.confirmed(self.invite.request, received, source)
        hop = stray.next_hop()
        ack = stray.request("ACK", self._core.via(hop), cseq=received.cseq.sequence)
        self._core.transmit(bytes(ack), hop)
        self._core.request(stray.request("BYE", self._core.via(hop)), hop, now, None)

    def _tell_ringing(self, cue: Cue) -> None:
        assert cue.received is not None
        self._heard = True
        if cue.status > 100:
            self._core.emit(Ringing(self.ref, cue.status, cue.received.message.body or None))

    def _tell_answered(self, cue: Cue) -> None:
        assert cue.received is not None
        self._core.emit(InviteAnswered(self.ref, cue.received.message.body or None))

    def _tell_failed(self, cue: Cue) -> None:
        self._core.emit(InviteRefused(self.ref, cue.status, cue.reason, cue.contacts))


_ACTIONS: dict[CallDo, Callable[[OutgoingCall, Cue], None]] = {
    **COMMON,
    CallDo.SEND_ACK: lambda call, cue: call._send_ack(cue),
    CallDo.SEND_CANCEL: lambda call, cue: call._send_cancel(cue),
    CallDo.SEND_AGAIN: lambda call, cue: call._send_again(cue),
    CallDo.ESTABLISH: lambda call, cue: call._establish(cue),
    CallDo.TELL_RINGING: lambda call, cue: call._tell_ringing(cue),
    CallDo.TELL_ANSWERED: lambda call, cue: call._tell_answered(cue),
    CallDo.TELL_FAILED: lambda call, cue: call._tell_failed(cue),
}

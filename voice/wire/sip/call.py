"""What every call has, called or calling, once it is answered: the interpreter of `call_table.CALL` (RFC 3261 sections
13 to 15).

How it comes to be answered is told in `incoming_call` and `outgoing_call`. Changes of media in an answered call are
handed to `Renegotiation`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sipmessage import URI, Request

from voice.wire.sip.call_table import CALL, CallDo, CallInput, CallState
from voice.wire.sip.core import Core
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.events import CallRef, DialogEnded, EndCause
from voice.wire.sip.guard import Received
from voice.wire.sip.info import Keying
from voice.wire.sip.message import NO_HEADERS, Address, make_response, set_headers
from voice.wire.sip.reason import Reason
from voice.wire.sip.referral import Referral
from voice.wire.sip.renegotiation import Renegotiation
from voice.wire.sip.session_timer import Due, SessionTimer
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
    reasons: tuple[Reason, ...] = ()
    contacts: tuple[URI, ...] = ()


class Call(ABC):
    """A call; `invite` is the transaction of its INVITE. A command returns False when the call's state does not allow
    it."""

    invite: Transaction

    def __init__(self, core: Core, ref: CallRef, state: CallState) -> None:
        self.ref = ref
        self.state = state
        self.dialog: Dialog | None = None
        self._core = core
        self._media: Renegotiation | None = None
        self._referral: Referral | None = None
        self._keying: Keying | None = None
        self._timer = SessionTimer(core.session_s)
        self._reason: Reason | None = None

    @property
    def over(self) -> bool:
        return self.state is CallState.ENDED

    @property
    def referral(self) -> Referral | None:
        """Who is referred to whom: while both sides talk."""
        if self.state is not CallState.TALKING or self.dialog is None:
            return None
        self._referral = self._referral or Referral(self._core, self.ref, self.dialog)
        return self._referral

    # commands

    def ring(self, now: float) -> bool:
        return self._step(CallInput.RING, Cue(now))

    def progress(self, sdp: bytes, now: float) -> bool:
        return self._step(CallInput.PROGRESS, Cue(now, body=sdp))

    def answer(self, sdp: bytes, now: float) -> bool:
        return self._step(CallInput.ANSWER, Cue(now, body=sdp))

    def reject(self, status: int, reason: str, retry_after_s: int | None, now: float) -> bool:
        """Refuse the peer's offer of other media if one waits, else the call."""
        if self._media and self._media.offered:
            return self._media.refuse(status, reason, now)
        return self._step(CallInput.REJECT, Cue(now, status=status, reason=reason, retry_after_s=retry_after_s))

    def hang_up(self, reason: Reason | None, now: float) -> bool:
        """End the call; `reason` goes along with the BYE or CANCEL."""
        if self.state not in (CallState.LEAVING, CallState.CANCELLING, CallState.ENDED):
            self._reason = reason
        return self._step(CallInput.HANG_UP, Cue(now))

    def reanswer(self, sdp: bytes, now: float) -> bool:
        return self._media is not None and self._media.reanswer(sdp, now)

    def reoffer(self, sdp: bytes, now: float) -> bool:
        early = self.state in (CallState.INVITED, CallState.CALLING)
        open_ = early or self.state is CallState.TALKING
        return open_ and self._media is not None and self._media.reoffer(sdp, now, early=early)

    def press(self, keys: str, now: float) -> bool:
        """Send keys by INFO. Raises ValueError for what is on no keypad."""
        if self.state is not CallState.TALKING or self.dialog is None:
            return False
        self._keying = self._keying or Keying(self._core, self.dialog)
        return self._keying.press(keys, now)

    # messages

    def on_cancel(self, transaction: Transaction, reasons: tuple[Reason, ...], now: float) -> None:
        """A CANCEL that matches `transaction`, an INVITE of this call without final response."""
        if transaction is self.invite:
            self._step(CallInput.CANCEL, Cue(now, reasons=reasons))
        elif self._media:
            self._media.on_cancel(transaction, now)

    def on_bye(self, reasons: tuple[Reason, ...], now: float) -> None:
        self._step(CallInput.BYE, Cue(now, reasons=reasons))

    def on_ack(self, received: Received, now: float) -> None:
        """The ACK of a 2xx."""
        if self._media:
            self._media.on_ack(received, now)

    def on_prack(self, transaction: Transaction, received: Received, now: float) -> None:
        """A PRACK, where nothing waits for one (RFC 3262 section 3)."""
        self._core.respond(transaction, make_response(transaction.request, 481), now)

    def on_invite(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """A re-INVITE."""
        if self._media is None or self.state is not CallState.TALKING:
            self._core.respond(transaction, make_response(transaction.request, 491), now)  # RFC 3261 section 14.2
        else:
            self._media.on_invite(transaction, received, source, now)

    def on_update(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        if self._media is None or self.state in (CallState.LEAVING, CallState.CANCELLING):
            self._core.respond(transaction, make_response(transaction.request, 481), now)  # for us it has ended
        else:
            self._media.on_update(transaction, received, source, now)

    def on_passed(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        if isinstance(received.message, Request):
            self.on_ack(received, now)  # RFC 6026 section 7.1: an ACK that shares its INVITE's branch
        elif self._media:
            self._media.on_response(transaction, received, received.message, now)

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if self._media:
            self._media.on_timed_out(transaction, now)

    def fail(self, cause: CallInput, now: float) -> None:
        self._step(cause, Cue(now))

    # time

    def deadline(self) -> float | None:
        return min((time for time in self._deadlines() if time is not None), default=None)

    def _deadlines(self) -> tuple[float | None, ...]:
        parts = (self._media, self._referral, self._timer)
        return tuple(part.deadline() for part in parts if part)

    def on_timer(self, now: float) -> None:
        if self._media:
            self._media.on_timer(now)
        if self._referral:
            self._referral.on_timer(now)
        due = self._timer.take(now)
        if due is Due.EXPIRED:
            self._reason = Reason("SIP", 408, "Session expired")
            self._step(CallInput.EXPIRED, Cue(now))
        elif due is Due.REFRESH and self._media and self.state is CallState.TALKING:
            self._media.refresh(now)

    # the table's interpreter

    def _step(self, cause: CallInput, cue: Cue) -> bool:
        row = CALL.get((self.state, cause))
        if row is None:
            return False
        self.state = row.state
        for action in row.do:
            self._act(action, cue)
        if self.state in (CallState.LEAVING, CallState.CANCELLING, CallState.ENDED):
            if self._media:
                self._media.end(cue.now)
            if self._referral:
                self._referral.end(cue.now)
            if self._keying:
                self._keying.end()
        if self.over:
            self._timer.stop()
        return True

    @abstractmethod
    def _act(self, action: CallDo, cue: Cue) -> None:
        """Do one thing of a row."""

    def _send_bye(self, cue: Cue) -> None:
        assert self.dialog is not None
        hop = self.dialog.next_hop()
        bye = self.dialog.request("BYE", self._core.via(hop))
        set_headers(bye, self._reasoned())
        self._core.request(bye, hop, cue.now, None)

    def _reasoned(self) -> Mapping[str, str]:
        """The header that tells the peer why."""
        return {"Reason": str(self._reason)} if self._reason else NO_HEADERS

    def _end(self, cue: Cue, cause: EndCause) -> None:
        self._core.emit(DialogEnded(self.ref, cause, cue.reasons))


COMMON: dict[CallDo, Callable[[Call, Cue], None]] = {
    CallDo.SEND_BYE: lambda call, cue: call._send_bye(cue),
    CallDo.END_LOCAL: lambda call, cue: call._end(cue, EndCause.LOCAL),
    CallDo.END_REMOTE: lambda call, cue: call._end(cue, EndCause.REMOTE),
    CallDo.END_REJECTED: lambda call, cue: call._end(cue, EndCause.REJECTED),
    CallDo.END_NO_ACK: lambda call, cue: call._end(cue, EndCause.NO_ACK),
    CallDo.END_EXPIRED: lambda call, cue: call._end(cue, EndCause.EXPIRED),
    CallDo.END_LOST: lambda call, cue: call._end(cue, EndCause.LOST),
}
"""What calls of both kinds do."""

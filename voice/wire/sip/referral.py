"""The REFERs of one call, in either direction: the interpreter of `referral_table.REFERRAL` (RFC 3515, RFC 3892)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sipmessage import Request

from dialog.errors import ProtocolError
from voice.wire.sip.core import Core
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.events import CallRef, ReferConcluded, ReferProgressed, ReferReceived
from voice.wire.sip.grammar import read_address
from voice.wire.sip.guard import Received
from voice.wire.sip.message import NO_HEADERS, REASONS, Address, make_response
from voice.wire.sip.refer import PACKAGE, SCHEMES, SIPFRAG, ReferTo, Report, event_of, is_sipfrag
from voice.wire.sip.referral_table import LIMIT_S, REFERRAL, ReferralDo, ReferralInput, ReferralState
from voice.wire.sip.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ReferralCue:
    """What an input brought along."""

    now: float
    transaction: Transaction | None = None
    report: Report | None = None
    status: int = 0
    reason: str = ""
    target: ReferTo | None = None
    referred_by: str = ""


class Referral:
    """One REFER at a time, ours or the peer's, with the subscription that it implies."""

    def __init__(self, core: Core, ref: CallRef, dialog: Dialog) -> None:
        self.state = ReferralState.IDLE
        self._core = core
        self._ref = ref
        self._dialog = dialog
        self._ours: Transaction | None = None
        self._asked: Transaction | None = None
        self._event = PACKAGE
        self._accepted = 0
        self._due: float | None = None

    # commands

    def refer(self, target: ReferTo, now: float) -> bool:
        """Ask the peer to call `target`."""
        return self._step(ReferralInput.REFER, ReferralCue(now, target=target))

    def accept(self, now: float) -> bool:
        """Take the peer's REFER (202); `tell` says how it goes."""
        return self._step(ReferralInput.ACCEPT, ReferralCue(now))

    def refuse(self, status: int, reason: str, now: float) -> bool:
        """Refuse the peer's REFER."""
        return self._step(ReferralInput.DECLINE, ReferralCue(now, status=status, reason=reason))

    def tell(self, status: int, reason: str, now: float) -> bool:
        """Tell the peer what the call it asked for has come to; a final status is the last word."""
        report = Report(status, reason or REASONS.get(status, "Unknown"), status >= 200)
        cause = ReferralInput.TELL_LAST if report.last else ReferralInput.TELL
        return self._step(cause, ReferralCue(now, report=report))

    def end(self, now: float) -> None:
        """The call is over."""
        self._step(ReferralInput.END, ReferralCue(now))

    # messages

    def on_request(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """A REFER or NOTIFY in the dialog, with its server transaction."""
        if not self._dialog.is_with(source[0]):
            self._respond(transaction, 403, now)
        elif transaction.request.method == "REFER":
            self._on_refer(transaction, received, now)
        else:
            self._on_notify(transaction, received, now)

    def on_passed(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """A response to our REFER or NOTIFY."""
        message = received.message
        if isinstance(message, Request) or message.code < 200:
            return
        if transaction.request.method == "NOTIFY":
            if message.code >= 300:
                self._step(ReferralInput.UNHEARD, ReferralCue(now))
        elif transaction is self._ours:
            cause = ReferralInput.TAKEN if message.code < 300 else ReferralInput.REFUSED
            self._step(cause, ReferralCue(now, status=message.code, reason=message.phrase))

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction.request.method == "NOTIFY":
            self._step(ReferralInput.UNHEARD, ReferralCue(now))
        elif transaction is self._ours:
            self._step(ReferralInput.REFUSED, ReferralCue(now, status=408, reason=REASONS[408]))

    def _on_refer(self, transaction: Transaction, received: Received, now: float) -> None:
        headers = received.message.headers
        try:
            (value,) = headers.getlist("Refer-To")  # RFC 3515 section 2.4.2: one, no more and no less
            target = ReferTo.parse(value)
            by = headers.get("Referred-By") or ""
            referred_by = str(read_address(by).uri) if by else ""
        except (ValueError, ProtocolError):
            self._respond(transaction, 400, now)
            return
        if target.uri.scheme not in SCHEMES:
            self._respond(transaction, 416, now)
            return
        self._step(ReferralInput.ASK, ReferralCue(now, transaction, target=target, referred_by=referred_by))

    def _on_notify(self, transaction: Transaction, received: Received, now: float) -> None:
        package, number = event_of(received.message)
        if package != PACKAGE:
            self._respond(transaction, 489, now, {"Allow-Events": PACKAGE})  # RFC 6665 section 4.1.3
        elif self.state not in (ReferralState.REFERRING, ReferralState.REFERRED) or number not in ("", self._number):
            self._respond(transaction, 481, now)
        elif not is_sipfrag(received.message):
            self._respond(transaction, 415, now, {"Accept": SIPFRAG})
        else:
            try:
                report = Report.read(received.message)
            except ProtocolError:
                self._respond(transaction, 400, now)
                return
            self._respond(transaction, 200, now)
            cause = ReferralInput.LAST_REPORT if report.last else ReferralInput.REPORT
            self._step(cause, ReferralCue(now, status=report.status, reason=report.reason))

    @property
    def _number(self) -> str:
        """The CSeq number of our REFER, by which its NOTIFYs may be told from others' (RFC 3515 section 2.4.6)."""
        return self._ours.request.headers["CSeq"].split()[0] if self._ours else ""

    # time

    def deadline(self) -> float | None:
        return self._due

    def on_timer(self, now: float) -> None:
        if self._due is not None and self._due <= now:
            self._step(ReferralInput.TIMEOUT, ReferralCue(now))

    # the table's interpreter

    def _step(self, cause: ReferralInput, cue: ReferralCue) -> bool:
        row = REFERRAL.get((self.state, cause))
        if row is None:
            return False
        if row.state is not self.state:
            self.state = row.state
            limit_s = LIMIT_S.get(row.state)
            self._due = None if limit_s is None else cue.now + limit_s
        for action in row.do:
            self._actions[action](self, cue)
        return True

    def _request(self, method: str, headers: Mapping[str, str], now: float, body: bytes = b"") -> Transaction:
        hop = self._dialog.next_hop()
        request = self._dialog.request(method, self._core.via(hop))
        for name, value in (*self._core.identity(hop).items(), *headers.items()):
            request.headers.set(name, value)
        request.body = body
        request.headers.set("Content-Length", str(len(body)))
        return self._core.request(request, hop, now, self)

    def _respond(
        self,
        transaction: Transaction,
        status: int,
        now: float,
        headers: Mapping[str, str] = NO_HEADERS,
        reason: str = "",
    ) -> None:
        self._core.respond(transaction, make_response(transaction.request, status, reason, headers=headers), now)

    def _answer(self, cue: ReferralCue, status: int, headers: Mapping[str, str] = NO_HEADERS, reason: str = "") -> None:
        """Give the pending REFER its response."""
        transaction, self._asked = self._asked, None
        assert transaction is not None
        self._respond(transaction, status, cue.now, headers, reason)

    def _notify(self, report: Report, subscription: str, now: float) -> None:
        headers = {
            "Event": self._event,
            "Subscription-State": subscription,
            "Content-Type": f"{SIPFRAG};version=2.0",
        }
        self._request("NOTIFY", headers, now, report.body)

    def _send_refer(self, cue: ReferralCue) -> None:
        assert cue.target is not None
        by = f"<{read_address(self._dialog.local).uri}>"
        self._ours = self._request("REFER", {"Refer-To": str(cue.target), "Referred-By": by}, cue.now)

    def _keep_asked(self, cue: ReferralCue) -> None:
        assert cue.transaction is not None and cue.target is not None
        self._asked = cue.transaction
        # of the first REFER of a dialog the subscription has no id, of each later one its CSeq number
        number = cue.transaction.request.headers["CSeq"].split()[0]
        self._event = f"{PACKAGE};id={number}" if self._accepted else PACKAGE
        self._core.emit(ReferReceived(self._ref, cue.target.uri, cue.target.replaces, cue.referred_by))

    def _send_accepted(self, cue: ReferralCue) -> None:
        assert self._asked is not None
        self._accepted += 1
        self._answer(cue, 202, self._core.identity(self._asked.addr))

    def _send_trying(self, cue: ReferralCue) -> None:
        self._notify(Report(100, REASONS[100], last=False), self._active(cue.now), cue.now)

    def _send_refusal(self, cue: ReferralCue) -> None:
        self._answer(cue, cue.status, reason=cue.reason)

    def _send_report(self, cue: ReferralCue) -> None:
        assert cue.report is not None
        subscription = "terminated;reason=noresource" if cue.report.last else self._active(cue.now)
        self._notify(cue.report, subscription, cue.now)

    def _send_expired(self, cue: ReferralCue) -> None:
        self._notify(Report(408, REASONS[408], last=True), "terminated;reason=timeout", cue.now)

    def _active(self, now: float) -> str:
        left_s = 0 if self._due is None else max(0, round(self._due - now))
        return f"active;expires={left_s}"

    def _send_pending(self, cue: ReferralCue) -> None:
        assert cue.transaction is not None
        self._respond(cue.transaction, 491, cue.now)

    def _conclude(self, status: int, reason: str) -> None:
        self._core.emit(ReferConcluded(self._ref, status, reason))

    _actions: ClassVar[dict[ReferralDo, Callable[["Referral", ReferralCue], None]]] = {
        ReferralDo.SEND_REFER: _send_refer,
        ReferralDo.TELL_PROGRESS: lambda self, cue: self._core.emit(ReferProgressed(self._ref, cue.status, cue.reason)),
        ReferralDo.TELL_CONCLUDED: lambda self, cue: self._conclude(cue.status, cue.reason),
        ReferralDo.TELL_SILENCE: lambda self, cue: self._conclude(408, REASONS[408]),
        ReferralDo.KEEP_ASKED: _keep_asked,
        ReferralDo.SEND_ACCEPTED: _send_accepted,
        ReferralDo.SEND_TRYING: _send_trying,
        ReferralDo.SEND_REFUSAL: _send_refusal,
        ReferralDo.SEND_DECLINE: lambda self, cue: self._answer(cue, 603),
        ReferralDo.SEND_TERMINATED: lambda self, cue: self._answer(cue, 487),
        ReferralDo.SEND_PENDING: _send_pending,
        ReferralDo.SEND_REPORT: _send_report,
        ReferralDo.SEND_EXPIRED: _send_expired,
    }

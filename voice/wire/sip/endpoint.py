"""A whole SIP user agent without sockets, clock or randomness: RFC 3261 sections 8, 9 and 11 to 17.

Messages and commands go in; `to_send` and `events` give what comes of them; `deadline` says when `on_timer` is due.
The endpoint itself is the side of whoever uses it: `uas` takes the peers' requests, `stack` holds what lasts.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from sipmessage import Response

from voice.wire.sip.auth import Authenticator, Login
from voice.wire.sip.call import Call
from voice.wire.sip.core import Core
from voice.wire.sip.dialog import bracketed, is_ip
from voice.wire.sip.events import CallRef, SipEvent
from voice.wire.sip.flow import Flow, hop
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.guard import Ignored, Received, Refusal, examine
from voice.wire.sip.message import NO_HEADERS, Address, check_headers, make_request, set_body, set_headers
from voice.wire.sip.outgoing_call import OutgoingCall
from voice.wire.sip.reach import Reach
from voice.wire.sip.reason import Reason
from voice.wire.sip.refer import ReferTo
from voice.wire.sip.referral import Referral
from voice.wire.sip.registrar import Registrar
from voice.wire.sip.session_timer import TIMER
from voice.wire.sip.stack import NOWHERE, Stack
from voice.wire.sip.transaction import Datagram, Transaction
from voice.wire.sip.uas import UserAgentServer


class SipEndpoint:
    """One SIP address of ours.

    `local_host` and `local_port` are what peers are told to reach; `token` gives fresh random words. At most
    `max_calls` calls and `max_transactions` transactions are held; beyond, new calls get 503 with Retry-After.
    `session_s` is how long calls shall last without a sign of life (RFC 4028); 0: as long as they last.
    `pass_headers` are told of an INVITE beside those of PASSED_HEADERS.
    Strangers, whose address is not listed, may only call, and only where an `authenticator` knows them. With a
    `registrar` its accounts may register phones, and then sign in from wherever they are. Recording sessions (RFC 7866)
    are taken where it `records`.
    """

    def __init__(
        self,
        local_host: str,
        local_port: int,
        token: Callable[[], str],
        *,
        max_calls: int = 500,
        max_transactions: int = 20_000,
        authenticator: Authenticator | None = None,
        registrar: Registrar | None = None,
        session_s: int = 0,
        pass_headers: tuple[str, ...] = (),
        records: bool = False,
    ) -> None:
        self.reach = Reach(local_host, local_port)
        self._stack = Stack(self.reach, token, max_transactions, session_s, records=records)
        self._registrar = registrar
        self._server = UserAgentServer(self._stack, max_calls, authenticator, registrar, pass_headers)

    # what the shell calls

    @property
    def calls(self) -> tuple[CallRef, ...]:
        """The calls that are not over."""
        return tuple(self._stack.calls)

    def sip_call_id(self, call: CallRef) -> str:
        """The Call-ID of a call; "" once it is over."""
        found = self._stack.calls.get(call)
        return "" if found is None else found.invite.request.headers["Call-ID"]

    @property
    def held(self) -> int:
        """How many calls, dialogs and transactions are kept; 0 once everything is over and forgotten."""
        return len(self._stack.calls) + len(self._stack.dialogs) + len(self._stack.transactions)

    @property
    def dropped(self) -> Counter[str]:
        """Datagrams that led to nothing, by reason; the reasons are a fixed set."""
        return self._stack.dropped

    @property
    def unanswered(self) -> int:
        """How many requests of ours have no final response yet."""
        return self._stack.transactions.unanswered

    def receive(self, data: bytes, addr: Address, now: float, *, listed: bool = True) -> None:
        """Take one datagram, or one message of a connection, from `addr`, which is on the list of peers or not."""
        verdict = examine(data)
        if isinstance(verdict, Ignored):
            self._stack.dropped[verdict.reason] += 1
        elif isinstance(verdict, Refusal):
            self._stack.dropped["refused"] += 1
            if listed:
                self._stack.answer(verdict.envelope, verdict.via, addr, verdict.status, verdict.reason)
        elif isinstance(verdict.message, Response):
            self._on_response(verdict, addr, now)
        else:
            self._server.receive(verdict, verdict.message, addr, now, listed)

    def disconnected(self, flow: Flow, now: float) -> None:
        """A connection has ended, or could not be made.

        Requests without any answer have failed, unless UDP is left to them. What is still to be sent by it, responses
        too, asks the shell for a new one.
        """
        if self._registrar is not None:
            self._registrar.disconnected(flow)
            self._stack.schedule.note(self._registrar)
        for transaction in self._stack.transactions.over(flow):
            if transaction.fallback is not None and transaction.fresh:
                addr, transaction.fallback = transaction.fallback, None
                self.reach.redirect(transaction.request, addr)
                transaction.reroute(addr, now)
            else:
                transaction.disconnect(now)
            self._stack.settle_transaction(transaction, NOWHERE, now)

    def drain(self) -> None:
        """Take no new calls from now on: INVITE and OPTIONS get 503."""
        self._server.accepting = False

    def to_send(self) -> list[Datagram]:
        """Take what is to be sent."""
        return self._stack.to_send()

    def events(self) -> list[SipEvent]:
        """Take what happened."""
        return self._stack.events()

    def deadline(self) -> float | None:
        """When `on_timer` is due, or None."""
        return self._stack.schedule.deadline()

    def on_timer(self, now: float) -> None:
        """Run what is due."""
        while item := self._stack.schedule.pop(now):
            item.on_timer(now)
            if isinstance(item, Transaction):
                self._stack.settle_transaction(item, NOWHERE, now)
            elif isinstance(item, Call):
                self._stack.settle_call(item)

    # commands; each returns False when the call is over or its state does not allow it

    def ring(self, call: CallRef, now: float) -> bool:
        """Say that the call is being offered (180)."""
        return self._command(call, lambda it: it.ring(now))

    def progress(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Say that the call gets on (183), with early media as `sdp` describes them, or b"" for none.

        False as well for an offer of ours that the caller does not take so early.
        """
        return self._command(call, lambda it: it.progress(sdp, now))

    def answer(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Take the call (200) with an answer, or with an offer where the INVITE had none."""
        return self._command(call, lambda it: it.answer(sdp, now))

    def reject(self, call: CallRef, status: int, reason: str, now: float, retry_after: int | None = None) -> bool:
        """Refuse the peer's offer of other media if one waits, else the call. `retry_after` in seconds."""
        return self._command(call, lambda it: it.reject(status, reason, retry_after, now))

    def hangup(self, call: CallRef, now: float, reason: Reason | None = None) -> bool:
        """End the call: BYE, CANCEL or a refusal, as its state demands. The first two tell the `reason`."""
        return self._command(call, lambda it: it.hang_up(reason, now))

    def reanswer(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Answer the peer's offer of other media (200)."""
        return self._command(call, lambda it: it.reanswer(sdp, now))

    def reoffer(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Offer other media (re-INVITE, UPDATE before the answer); after a collision it is sent again by itself."""
        return self._command(call, lambda it: it.reoffer(sdp, now))

    def press(self, call: CallRef, keys: str, now: float) -> bool:
        """Send keys by INFO; False also when too many wait. Raises ValueError for what is on no keypad."""
        return self._command(call, lambda it: it.press(keys, now))

    def refer(self, call: CallRef, target: ReferTo, now: float) -> bool:
        """Ask the peer to call `target` in our stead (REFER); False also while another REFER is under way."""
        return self._referring(call, lambda it: it.refer(target, now))

    def accept_refer(self, call: CallRef, now: float) -> bool:
        """Take the peer's REFER (202): whoever takes it calls, and tells how that goes."""
        return self._referring(call, lambda it: it.accept(now))

    def refuse_refer(self, call: CallRef, status: int, reason: str, now: float) -> bool:
        """Refuse the peer's REFER."""
        return self._referring(call, lambda it: it.refuse(status, reason, now))

    def tell_refer(self, call: CallRef, status: int, reason: str, now: float) -> bool:
        """Tell the peer which response the call it asked for has got (NOTIFY); a final one is the last word."""
        return self._referring(call, lambda it: it.tell(status, reason, now))

    def invite(
        self,
        uri: str,
        sdp: bytes,
        from_uri: str,
        now: float,
        next_hop: Address | None = None,
        from_name: str = "",
        login: Login | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> CallRef:
        """Call `uri` with an offer. `next_hop` is needed where the host of `uri` is a name: nothing is looked up here.
        `login`, one for each call, answers a challenge. `headers` go along with the INVITE.

        Raises ProtocolError when a URI is malformed, or a header is none that a user may set, ValueError when there is
        no address to send to.
        """
        target = WireURI.parse(uri)
        check_headers(headers)
        if next_hop is None:
            if not is_ip(target.host.strip("[]")):
                raise ValueError(f"no address for {target.host!r}")
            next_hop = hop(target)
        name = f'"{from_name}" ' if from_name else ""
        request = make_request(
            "INVITE",
            target,
            via=self._stack.via(next_hop),
            from_=f"{name}<{WireURI.parse(from_uri)}>;tag={self._stack.token()}",
            to=f"<{target}>",
            call_id=f"{self._stack.token()}@{bracketed(self.reach.host)}",
            cseq=1,
        )
        set_headers(request, headers)
        set_body(request, sdp, self._stack.identity(next_hop))
        if not sdp:  # an offer in a provisional response would want its answer in the PRACK, which is not served
            request.headers.set("Supported", TIMER)
        ref = self._stack.new_ref()
        call = self._stack.calls[ref] = OutgoingCall(self._stack, ref, request, next_hop, now, login)
        self._stack.settle_call(call)
        return ref

    @property
    def core(self) -> Core:
        """What makes and sends requests outside calls (`watch`)."""
        return self._stack

    # inside

    def _on_response(self, received: Received, source: Address, now: float) -> None:
        transaction = self._stack.transactions.client(received)
        if transaction is None:
            self._stack.dropped["unmatched response"] += 1  # RFC 6026 section 7.3
            return
        transaction.receive(received, now)
        self._stack.settle_transaction(transaction, source, now)

    def _referring(self, ref: CallRef, run: Callable[[Referral], bool]) -> bool:
        return self._command(ref, lambda call: call.referral is not None and run(call.referral))

    def _command(self, ref: CallRef, run: Callable[[Call], bool]) -> bool:
        call = self._stack.calls.get(ref)
        if call is None:
            return False
        done = run(call)
        self._stack.settle_call(call)
        return done

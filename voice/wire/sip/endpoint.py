"""A whole SIP user agent without sockets, clock or randomness: RFC 3261 sections 8, 9 and 11 to 17.

Messages and commands go in; `to_send` and `events` give what comes of them; `deadline` says when `on_timer` is due.
Requests that open no call are answered without state (section 8.2.7), so they cost nothing that could run out.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count

from sipmessage import Request, Response, Via

from voice.wire.sip.auth import Authenticator, Login
from voice.wire.sip.call import Call
from voice.wire.sip.dialog import DialogKey, bracketed, is_ip
from voice.wire.sip.events import PASSED_HEADERS, CallRef, InviteReceived, SipEvent
from voice.wire.sip.flow import TCP, Flow, hop
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.guard import Ignored, Received, Refusal, examine
from voice.wire.sip.inspection import refuse
from voice.wire.sip.message import (
    COOKIE,
    NO_HEADERS,
    Address,
    make_request,
    make_response,
    response_address,
    set_body,
    stamp_via,
    stateless_tag,
)
from voice.wire.sip.reach import Reach
from voice.wire.sip.registry import Schedule, Transactions
from voice.wire.sip.transaction import Datagram, MessagePassed, Transaction, TransactionUser

NOWHERE: Address = ("", 0)

MAX_OVER_UDP = 1_300
"""Bytes of a request that still goes by UDP where there is a choice (RFC 3261 section 18.1.1)."""

RETRY_AFTER_S = 5
"""What a caller is told to wait when there is no room."""

_LATER = {"Retry-After": str(RETRY_AFTER_S)}


class SipEndpoint:
    """One SIP address of ours.

    `local_host` and `local_port` are what peers are told to reach; `token` gives fresh random words. At most
    `max_calls` calls and `max_transactions` transactions are held; beyond, new calls get 503 with Retry-After. While
    `accepting` is False they get it as well. Strangers, whose address is not listed, may only call, and only where an
    `authenticator` knows them.
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
    ) -> None:
        self.reach = Reach(local_host, local_port)
        self.connects = False
        """Whether there are connections to be had: if so, requests too long for UDP go by TCP."""
        self.accepting = True
        self.dropped: Counter[str] = Counter()
        """Datagrams that led to nothing, by reason; the reasons are a fixed set."""
        self._token = token
        self._authenticator = authenticator
        self._max_calls = max_calls
        self._calls: dict[CallRef, Call] = {}
        self._dialogs: dict[DialogKey, Call] = {}
        self._transactions = Transactions(max_transactions)
        self._schedule = Schedule()
        self._outbox: list[Datagram] = []
        self._events: list[SipEvent] = []
        self._refs = count(1)

    # what the shell calls

    @property
    def calls(self) -> tuple[CallRef, ...]:
        """The calls that are not over."""
        return tuple(self._calls)

    @property
    def unanswered(self) -> int:
        """How many requests of ours have no final response yet."""
        return self._transactions.unanswered

    def receive(self, data: bytes, addr: Address, now: float, *, listed: bool = True) -> None:
        """Take one datagram, or one message of a connection, from `addr`, which is on the list of peers or not."""
        verdict = examine(data)
        if isinstance(verdict, Ignored):
            self.dropped[verdict.reason] += 1
        elif isinstance(verdict, Refusal):
            self.dropped["refused"] += 1
            if listed:
                self._answer(verdict.envelope, verdict.via, addr, verdict.status, verdict.reason)
        elif isinstance(verdict.message, Response):
            self._on_response(verdict, addr, now)
        else:
            self._on_request(verdict, verdict.message, addr, now, listed)

    def disconnected(self, flow: Flow, now: float) -> None:
        """A connection has ended, or could not be made.

        Requests without any answer have failed, unless UDP is left to them. What is still to be sent by it, responses
        too, asks the shell for a new one.
        """
        for transaction in self._transactions.over(flow):
            if transaction.fallback is not None and transaction.fresh:
                addr, transaction.fallback = transaction.fallback, None
                self.reach.redirect(transaction.request, addr)
                transaction.reroute(addr, now)
            else:
                transaction.disconnect(now)
            self._settle_transaction(transaction, NOWHERE, now)

    def to_send(self) -> list[Datagram]:
        """Take what is to be sent."""
        taken, self._outbox = self._outbox, []
        return taken

    def events(self) -> list[SipEvent]:
        """Take what happened."""
        taken, self._events = self._events, []
        return taken

    def deadline(self) -> float | None:
        """When `on_timer` is due, or None."""
        return self._schedule.deadline()

    def on_timer(self, now: float) -> None:
        """Run what is due."""
        while item := self._schedule.pop(now):
            item.on_timer(now)
            if isinstance(item, Transaction):
                self._settle_transaction(item, NOWHERE, now)
            elif isinstance(item, Call):
                self._settle_call(item)

    # commands; each returns False when the call is over or its state does not allow it

    def ring(self, call: CallRef, now: float) -> bool:
        """Say that the call is being offered (180)."""
        return self._command(call, lambda it: it.ring(now))

    def answer(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Take the call (200) with an answer, or with an offer where the INVITE had none."""
        return self._command(call, lambda it: it.answer(sdp, now))

    def reject(self, call: CallRef, status: int, reason: str, now: float, retry_after: int | None = None) -> bool:
        """Refuse the call or, once it is answered, the peer's re-INVITE. `retry_after` in seconds."""
        return self._command(call, lambda it: it.reject(status, reason, retry_after, now))

    def hangup(self, call: CallRef, now: float) -> bool:
        """End the call: BYE, CANCEL or a refusal, as its state demands."""
        return self._command(call, lambda it: it.hang_up(now))

    def reanswer(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Answer the peer's re-INVITE (200)."""
        return self._command(call, lambda it: it.reanswer(sdp, now))

    def reoffer(self, call: CallRef, sdp: bytes, now: float) -> bool:
        """Offer other media (re-INVITE); after a collision it is sent again by itself."""
        return self._command(call, lambda it: it.reoffer(sdp, now))

    def invite(
        self,
        uri: str,
        sdp: bytes,
        from_uri: str,
        now: float,
        next_hop: Address | None = None,
        from_name: str = "",
        login: Login | None = None,
    ) -> CallRef:
        """Call `uri` with an offer. `next_hop` is needed where the host of `uri` is a name: nothing is looked up here.
        `login`, one for each call, answers a challenge.

        Raises ProtocolError when a URI is malformed, ValueError when there is no address to send to.
        """
        target = WireURI.parse(uri)
        if next_hop is None:
            if not is_ip(target.host.strip("[]")):
                raise ValueError(f"no address for {target.host!r}")
            next_hop = hop(target)
        name = f'"{from_name}" ' if from_name else ""
        request = make_request(
            "INVITE",
            target,
            via=self.via(next_hop),
            from_=f"{name}<{WireURI.parse(from_uri)}>;tag={self._token()}",
            to=f"<{target}>",
            call_id=f"{self._token()}@{bracketed(self.reach.host)}",
            cseq=1,
        )
        set_body(request, sdp, self.identity(next_hop))
        ref = CallRef(next(self._refs))
        call = self._calls[ref] = Call.outgoing(self, ref, request, next_hop, now, login)
        self._settle_call(call)
        return ref

    # services for calls (core.Core)

    def identity(self, addr: Address, user: str = "") -> Mapping[str, str]:
        """The headers that tell `addr` who and what we are (RFC 3261 section 11.2)."""
        return self.reach.identity(addr, user)

    def token(self) -> str:
        """A fresh random word."""
        return self._token()

    def via(self, addr: Address) -> str:
        """A Via value of ours with a fresh branch, for a request to `addr`."""
        return self.reach.via(addr, f"{COOKIE}{self._token()}")

    def emit(self, event: SipEvent) -> None:
        self._events.append(event)

    def transmit(self, data: bytes, addr: Address) -> None:
        self._outbox.append((data, addr))

    def request(self, request: Request, addr: Address, now: float, user: TransactionUser | None) -> Transaction:
        fallback = None
        if self.connects and not isinstance(addr, Flow) and len(bytes(request)) > MAX_OVER_UDP:
            addr, fallback = Flow(*addr, TCP), addr
            self.reach.redirect(request, addr)
        transaction = self._transactions.open_client(request, addr, now, user)
        transaction.fallback = fallback
        self._settle_transaction(transaction, NOWHERE, now)
        return transaction

    def abandon(self, transaction: Transaction) -> None:
        transaction.abandon()
        self._transactions.forget(transaction)
        self._schedule.note(transaction)

    def respond(self, transaction: Transaction, response: Response, now: float) -> None:
        transaction.respond(response, now)
        self._settle_transaction(transaction, NOWHERE, now)

    # routing

    def _on_response(self, received: Received, source: Address, now: float) -> None:
        transaction = self._transactions.client(received)
        if transaction is None:
            self.dropped["unmatched response"] += 1  # RFC 6026 section 7.3
            return
        transaction.receive(received, now)
        self._settle_transaction(transaction, source, now)

    def _on_request(self, received: Received, request: Request, source: Address, now: float, listed: bool) -> None:
        transaction = self._transactions.server(received)
        cancelled = self._transactions.server(received, method="INVITE") if request.method == "CANCEL" else None
        call = self._dialogs.get((received.call_id, received.to_tag, received.from_tag))
        stamp_via(request, received.via, source)
        known = listed or _opened_by(source, call, transaction, cancelled)
        account = "" if known else self._account(received, request, source, now)
        if account is None:
            return
        if transaction is not None:
            transaction.receive(received, now)
            self._settle_transaction(transaction, source, now)
        elif request.method == "ACK":
            if call is None:
                self.dropped["unmatched ACK"] += 1
            else:
                call.on_ack(received, now)
                self._settle_call(call)
        elif request.method == "CANCEL":
            self._on_cancel(received, request, source, now, cancelled)
        elif (refusal := refuse(request)) is not None:
            status, headers = refusal
            self._answer(request, received.via, source, status, headers=headers)
        elif received.to_tag:
            self._on_request_in_dialog(received, request, source, now, call)
        else:
            self._on_request_outside(received, request, source, now, account)

    def _account(self, received: Received, request: Request, source: Address, now: float) -> str | None:
        """Whose credentials a stranger brings; None for one who was asked for some, refused, or given no answer."""
        if request.method == "ACK":
            self.dropped["unmatched ACK"] += 1
        elif self._authenticator is None or received.to_tag or request.method in ("CANCEL", "BYE"):
            self.dropped["unlisted"] += 1
        else:
            verdict = self._authenticator.judge(request, source[0], self.token(), now)
            if not isinstance(verdict, Response):
                return verdict
            self.transmit(bytes(verdict), response_address(received.via, source))
        return None

    def _on_cancel(
        self, received: Received, request: Request, source: Address, now: float, invite: Transaction | None
    ) -> None:
        """RFC 3261 section 9.2: the CANCEL is answered by itself; only an INVITE still pending is touched."""
        call = invite.user if invite else None
        if invite is None or not isinstance(call, Call) or call.dialog is None:
            self._answer(request, received.via, source, 481)
            return
        self._answer(request, received.via, source, 200, to_tag=call.dialog.local_tag)
        if invite.pending:
            call.on_cancel(invite, now)
            self._settle_call(call)

    def _on_request_in_dialog(
        self, received: Received, request: Request, source: Address, now: float, call: Call | None
    ) -> None:
        if call is None or call.dialog is None:
            self._answer(request, received.via, source, 481)  # RFC 3261 section 12.2.2
        elif self._transactions.full and request.method != "BYE":  # a BYE is always taken: it makes room
            self._answer(request, received.via, source, 503, headers=_LATER)
        elif not call.dialog.accepts(received.cseq.sequence):
            self._answer(request, received.via, source, 500, "CSeq Out Of Order")  # RFC 3261 section 12.2.2
        else:
            transaction = self._transactions.open_server(received, request, source, now, call)
            if request.method == "INVITE":
                self.respond(transaction, make_response(request, 100), now)
                call.on_invite(transaction, received, source, now)
            elif request.method == "BYE":
                self.respond(transaction, make_response(request, 200), now)
                call.on_bye(now)
            else:
                self.respond(transaction, make_response(request, 200, headers=self.identity(source)), now)
            self._settle_call(call)

    def _on_request_outside(
        self, received: Received, request: Request, source: Address, now: float, account: str
    ) -> None:
        if request.method == "BYE":
            self._answer(request, received.via, source, 481)  # RFC 3261 section 15.1.2
        elif not self.accepting or len(self._calls) >= self._max_calls or self._transactions.full:
            self._answer(request, received.via, source, 503, headers=_LATER)
        elif request.method == "OPTIONS":
            self._answer(request, received.via, source, 200, headers=self.identity(source))
        elif self._transactions.merged(request):
            self._answer(request, received.via, source, 482)
        else:
            self._admit(received, request, source, now, account)

    def _admit(self, received: Received, request: Request, source: Address, now: float, account: str) -> None:
        ref = CallRef(next(self._refs))
        transaction = self._transactions.open_server(received, request, source, now, None)
        call = self._calls[ref] = Call.incoming(self, ref, transaction, received, source)
        self.respond(transaction, make_response(request, 100), now)  # RFC 3261 section 17.2.1
        self.emit(
            InviteReceived(
                call=ref,
                sip_call_id=received.call_id,
                from_uri=received.from_address.uri,
                from_name=received.from_address.name,
                to_uri=received.to_address.uri,
                dialled=request.uri.user or "",
                offer=request.body or None,
                source=source,
                headers=tuple((name, value) for name in PASSED_HEADERS if (value := request.headers.get(name))),
                account=account,
            )
        )
        self._settle_call(call)

    # bookkeeping

    def _answer(
        self,
        request: Request,
        via: Via,
        source: Address,
        status: int,
        reason: str = "",
        *,
        to_tag: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        """Answer without keeping anything (RFC 3261 section 8.2.7)."""
        response = make_response(request, status, reason, to_tag=to_tag or stateless_tag(request), headers=headers)
        self.transmit(bytes(response), response_address(via, source))

    def _command(self, ref: CallRef, run: Callable[[Call], bool]) -> bool:
        call = self._calls.get(ref)
        if call is None:
            return False
        done = run(call)
        self._settle_call(call)
        return done

    def _settle_transaction(self, transaction: Transaction, source: Address, now: float) -> None:
        """Take what a transaction has to say, and forget it when it is done."""
        self._outbox.extend(transaction.to_send())
        user = transaction.user
        for event in transaction.events():
            if isinstance(event, MessagePassed) and user:
                user.on_passed(transaction, event.received, source, now)
            elif user:
                user.on_timed_out(transaction, now)
            if isinstance(user, Call):
                self._settle_call(user)
        if transaction.terminated:
            self._transactions.forget(transaction)
        self._schedule.note(transaction)

    def _settle_call(self, call: Call) -> None:
        """Keep the call findable while it lasts."""
        if call.over:
            self._calls.pop(call.ref, None)
        if call.dialog is not None:
            if call.over:
                self._dialogs.pop(call.dialog.key, None)
            else:
                self._dialogs[call.dialog.key] = call
        self._schedule.note(call)


def _opened_by(source: Address, call: Call | None, *transactions: Transaction | None) -> bool:
    """Whether a request belongs to a call that the host it came from has part in."""
    users = [call, *(transaction.user for transaction in transactions if transaction)]
    return any(isinstance(it, Call) and it.dialog is not None and it.dialog.source[0] == source[0] for it in users)

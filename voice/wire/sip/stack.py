"""What one SIP address holds: its calls, dialogs, transactions and timers, and what it has to send and to tell.

The services that calls need of it are those of `core.Core`.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import count

from sipmessage import Request, Response, Via

from voice.wire.sip.call import Call
from voice.wire.sip.dialog import DialogKey
from voice.wire.sip.events import CallRef, SipEvent
from voice.wire.sip.flow import TCP, Flow
from voice.wire.sip.message import COOKIE, NO_HEADERS, Address, make_response, response_address, stateless_tag
from voice.wire.sip.reach import Reach
from voice.wire.sip.registry import Schedule, Transactions
from voice.wire.sip.transaction import Datagram, MessagePassed, Transaction, TransactionUser

NOWHERE: Address = ("", 0)

MAX_OVER_UDP = 1_300
"""Bytes of a request that still goes by UDP where there is a choice (RFC 3261 section 18.1.1)."""


MAX_ENDED = 256
"""Dialogs remembered after their end, so that who asks for one is told that it was (RFC 3891 section 3)."""


class Stack:
    """`reach` says how peers reach us, `token` gives fresh random words; at most `max_transactions` are held."""

    def __init__(self, reach: Reach, token: Callable[[], str], max_transactions: int, session_s: int) -> None:
        self.reach = reach
        self.session_s = session_s
        self.dropped: Counter[str] = Counter()
        """Datagrams that led to nothing, by reason; the reasons are a fixed set."""
        self.calls: dict[CallRef, Call] = {}
        self.dialogs: dict[DialogKey, Call] = {}
        self.ended: deque[DialogKey] = deque(maxlen=MAX_ENDED)
        """Dialogs that were, the last ones."""
        self._filed: dict[CallRef, DialogKey] = {}
        self.transactions = Transactions(max_transactions)
        self.schedule = Schedule()
        self._token = token
        self._outbox: list[Datagram] = []
        self._events: list[SipEvent] = []
        self._refs = count(1)

    def new_ref(self) -> CallRef:
        """A name for a new call."""
        return CallRef(next(self._refs))

    def to_send(self) -> list[Datagram]:
        """Take what is to be sent."""
        taken, self._outbox = self._outbox, []
        return taken

    def events(self) -> list[SipEvent]:
        """Take what happened."""
        taken, self._events = self._events, []
        return taken

    def answer(
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

    # services for calls (core.Core)

    def identity(self, addr: Address) -> Mapping[str, str]:
        """The headers that tell `addr` who and what we are (RFC 3261 section 11.2)."""
        return self.reach.identity(addr)

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
        if self.reach.connects and not isinstance(addr, Flow) and len(bytes(request)) > MAX_OVER_UDP:
            addr, fallback = Flow(*addr, TCP), addr
            self.reach.redirect(request, addr)
        transaction = self.transactions.open_client(request, addr, now, user)
        transaction.fallback = fallback
        self.settle_transaction(transaction, NOWHERE, now)
        return transaction

    def abandon(self, transaction: Transaction) -> None:
        transaction.abandon()
        self.transactions.forget(transaction)
        self.schedule.note(transaction)

    def respond(self, transaction: Transaction, response: Response, now: float) -> None:
        transaction.respond(response, now)
        self.settle_transaction(transaction, NOWHERE, now)

    # bookkeeping

    def settle_transaction(self, transaction: Transaction, source: Address, now: float) -> None:
        """Take what a transaction has to say, and forget it when it is done."""
        self._outbox.extend(transaction.to_send())
        user = transaction.user
        for event in transaction.events():
            if isinstance(event, MessagePassed) and user:
                user.on_passed(transaction, event.received, source, now)
            elif user:
                user.on_timed_out(transaction, now)
            if isinstance(user, Call):
                self.settle_call(user)
        if transaction.terminated:
            self.transactions.forget(transaction)
        self.schedule.note(transaction)

    def settle_call(self, call: Call) -> None:
        """Keep the call findable while it lasts."""
        filed = self._filed.pop(call.ref, None)
        if filed is not None:
            del self.dialogs[filed]
        if call.over:
            self.calls.pop(call.ref, None)
            if filed is not None:
                self.ended.append(filed)
        elif call.dialog is not None:
            self.dialogs[call.dialog.key] = call
            self._filed[call.ref] = call.dialog.key
        self.schedule.note(call)

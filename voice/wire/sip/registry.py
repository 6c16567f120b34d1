"""Every live transaction by the key its messages share, and the one queue of deadlines."""

import heapq
from itertools import count
from typing import Protocol

from sipmessage import Request

from voice.wire.sip.flow import Flow
from voice.wire.sip.guard import Received
from voice.wire.sip.message import COOKIE, Address, response_address
from voice.wire.sip.transaction import Transaction, TransactionUser

Key = tuple[str, ...]


class Transactions:
    """Transactions by key. `limit` is not enforced here: `full` tells those who may still say no."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_key: dict[Key, Transaction] = {}
        self._invites: dict[Key, Transaction] = {}
        self._connected: set[Transaction] = set()
        """Client transactions whose request went by a connection."""

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def unanswered(self) -> int:
        """How many client transactions have no final response yet."""
        return sum(key[0] == "client" and transaction.pending for key, transaction in self._by_key.items())

    @property
    def full(self) -> bool:
        return len(self._by_key) >= self._limit

    def open_client(self, request: Request, addr: Address, now: float, user: TransactionUser | None) -> Transaction:
        """Open a client transaction; its top Via is ours, with the branch last."""
        transaction = Transaction.client(request, addr, now)
        branch = request.headers["Via"].rpartition("branch=")[2]
        if isinstance(addr, Flow):
            self._connected.add(transaction)
        return self._file(transaction, ("client", branch, request.method), user)

    def open_server(
        self, received: Received, request: Request, source: Address, now: float, user: TransactionUser | None
    ) -> Transaction:
        """Open a server transaction for `request`, just received from `source`."""
        transaction = Transaction.server(request, response_address(received.via, source), now)
        if request.method == "INVITE":
            self._invites[_merge_key(request)] = transaction
        return self._file(transaction, _server_key(received, request.method), user)

    def client(self, received: Received) -> Transaction | None:
        """The client transaction a response belongs to (RFC 3261 section 17.1.3)."""
        return self._by_key.get(("client", received.branch, received.cseq.method))

    def server(self, received: Received, method: str = "") -> Transaction | None:
        """The server transaction a request belongs to (RFC 3261 section 17.2.3); an ACK belongs to its INVITE.

        `method` asks for that of another method: the INVITE that a CANCEL means.
        """
        return self._by_key.get(_server_key(received, method or received.cseq.method))

    def over(self, flow: Flow) -> list[Transaction]:
        """Client transactions whose request went, or was to go, by this connection."""
        return [
            transaction
            for transaction in self._connected
            if isinstance(transaction.addr, Flow) and flow.peer in (transaction.addr.peer, transaction.addr.anew.peer)
        ]

    def merged(self, request: Request) -> bool:
        """Whether this INVITE came before by another way (RFC 3261 section 8.2.2.2)."""
        return _merge_key(request) in self._invites

    def forget(self, transaction: Transaction) -> None:
        """Drop a terminated transaction."""
        self._by_key.pop(transaction.key, None)
        self._connected.discard(transaction)
        if transaction.request.method == "INVITE":
            self._invites.pop(_merge_key(transaction.request), None)

    def _file(self, transaction: Transaction, key: Key, user: TransactionUser | None) -> Transaction:
        transaction.key = key
        transaction.user = user
        self._by_key[key] = transaction
        return transaction


class Timed(Protocol):
    """Anything with a deadline."""

    def deadline(self) -> float | None: ...

    def on_timer(self, now: float) -> None: ...


class Schedule:
    """Deadlines of many things: a heap whose outdated entries are thrown away when they come up."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._due: dict[Timed, float] = {}
        self._order = count()

    def note(self, item: Timed) -> None:
        """Take the item's present deadline, or forget it when it has none."""
        due = item.deadline()
        if due is None:
            self._due.pop(item, None)
        elif self._due.get(item) != due:
            self._due[item] = due
            heapq.heappush(self._heap, (due, next(self._order), item))

    def deadline(self) -> float | None:
        """The earliest deadline of all."""
        while self._heap:
            due, _, item = self._heap[0]
            if self._due.get(item) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def pop(self, now: float) -> Timed | None:
        """Take the next item that is due. The caller runs it and notes it again."""
        due = self.deadline()
        if due is None or due > now:
            return None
        item = heapq.heappop(self._heap)[2]
        del self._due[item]
        return item


def _server_key(received: Received, method: str) -> Key:
    """RFC 3261 section 17.2.3; callers without the magic cookie are told apart by more (RFC 2543)."""
    if method == "ACK":
        method = "INVITE"
    via = received.via
    if received.branch.startswith(COOKIE) and len(received.branch) > len(COOKIE):
        return ("server", received.branch, via.host, str(via.port or ""), method)
    facts = (received.from_tag, received.call_id, str(received.cseq.sequence), str(via))
    return ("server 2543", *facts, method)


def _merge_key(request: Request) -> Key:
    return (request.headers["Call-ID"], request.headers["From"], request.headers["CSeq"])

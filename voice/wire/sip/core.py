"""What calls need of the endpoint that owns them, and the 2xx that is repeated until it is acknowledged."""

from collections.abc import Mapping
from typing import Protocol

from sipmessage import Request, Response

from voice.wire.sip.call_table import CallInput
from voice.wire.sip.events import CallRef, SipEvent
from voice.wire.sip.message import Address
from voice.wire.sip.tables import T1, T2
from voice.wire.sip.transaction import Transaction, TransactionUser


class Core(Protocol):
    """The services of the endpoint that a call uses."""

    def identity(self, addr: Address, user: str = "") -> Mapping[str, str]:
        """The headers that tell `addr` who and what we are: Contact, with our name if we have one, Allow, Accept."""
        ...

    def token(self) -> str:
        """A fresh random word."""
        ...

    def via(self, addr: Address) -> str:
        """A Via value of ours with a fresh branch, for a request to `addr`."""
        ...

    def emit(self, event: SipEvent) -> None: ...

    def transmit(self, data: bytes, addr: Address) -> None:
        """Send outside any transaction: an ACK, a repeated 2xx."""
        ...

    def request(self, request: Request, addr: Address, now: float, user: TransactionUser | None) -> Transaction:
        """Open a client transaction; `user` hears what comes of it."""
        ...

    def abandon(self, transaction: Transaction) -> None:
        """Forget a client transaction before its time."""
        ...

    def respond(self, transaction: Transaction, response: Response, now: float) -> None: ...


class MediaOwner(TransactionUser, Protocol):
    """The call whose media a `Renegotiation` changes."""

    @property
    def ref(self) -> CallRef: ...

    def fail(self, cause: CallInput, now: float) -> None:
        """A re-INVITE showed that the call is lost."""
        ...


class UnacknowledgedAnswer:
    """A 2xx to an INVITE, sent again from T1 to T2 apart until its ACK, for 64*T1 (RFC 3261 section 13.3.1.4)."""

    __slots__ = ("_due", "_give_up", "_interval", "addr", "data", "sequence")

    def __init__(self, data: bytes, addr: Address, sequence: int, now: float) -> None:
        self.data = data
        self.addr = addr
        self.sequence = sequence
        self._interval = T1
        self._due = now + T1
        self._give_up = now + 64 * T1

    def deadline(self) -> float:
        return min(self._due, self._give_up)

    def on_timer(self, now: float, core: Core) -> bool:
        """Repeat the answer if it is time; False when it is given up."""
        while self._due <= min(now, self._give_up):
            core.transmit(self.data, self.addr)
            self._interval = min(2 * self._interval, T2)
            self._due += self._interval
        return now < self._give_up

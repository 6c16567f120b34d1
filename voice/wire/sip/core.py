"""What calls need of the endpoint that owns them, and the responses that are repeated until they are acknowledged."""

import hashlib
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

    session_s: int
    """For how long a session is asked to last without a refresh; 0: nothing is asked."""

    def identity(self, addr: Address) -> Mapping[str, str]:
        """The headers that tell `addr` who and what we are: Contact, Allow, Accept."""
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


def chance(core: Core) -> float:
    """A number in [0, 1) from a random word."""
    digest = hashlib.blake2b(core.token().encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


class Unacknowledged:
    """A response to an INVITE that is sent again until it is acknowledged, T1 apart at first, for 64*T1.

    A 2xx by an ACK, at most T2 apart (RFC 3261 section 13.3.1.4); a reliable provisional response by a PRACK, ever
    farther apart (RFC 3262 section 3). `sequence` is the number that acknowledges it.
    """

    __slots__ = ("_due", "_give_up", "_interval", "_longest_s", "addr", "data", "sequence")

    def __init__(self, data: bytes, addr: Address, sequence: int, now: float, longest_s: float = T2) -> None:
        self.data = data
        self.addr = addr
        self.sequence = sequence
        self._longest_s = longest_s
        self._interval = T1
        self._due = now + T1
        self._give_up = now + 64 * T1

    def deadline(self) -> float:
        return min(self._due, self._give_up)

    def on_timer(self, now: float, core: Core) -> bool:
        """Repeat the response if it is time; False when it is given up."""
        while self._due <= min(now, self._give_up):
            core.transmit(self.data, self.addr)
            self._interval = min(2 * self._interval, self._longest_s)
            self._due += self._interval
        return now < self._give_up

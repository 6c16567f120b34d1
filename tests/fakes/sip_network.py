"""Two SIP endpoints on a virtual wire: a clock that jumps from event to event, and packets that get lost on demand."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from voice.wire.sip.auth import Authenticator
from voice.wire.sip.endpoint import SipEndpoint
from voice.wire.sip.events import SipEvent
from voice.wire.sip.message import Address
from voice.wire.sip.registrar import Registrar

HERE: Address = ("192.0.2.1", 5060)
THERE: Address = ("192.0.2.2", 5060)
LATENCY_S = 0.01


def counting_tokens(prefix: str) -> Callable[[], str]:
    """Tokens that are unique and the same in every run."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):04d}"


@dataclass
class Packet:
    """A datagram that was sent: when, whither, and whether the wire lost it."""

    at: float
    data: bytes
    source: Address
    target: Address
    lost: bool = False

    @property
    def line(self) -> str:
        """The start line, shortened to what tells it apart: `INVITE`, `200 INVITE`."""
        first = self.data.split(b"\r\n", 1)[0].decode()
        if not first.startswith("SIP/2.0 "):
            return first.split(" ")[0]
        method = next(x for x in self.data.decode().split("\r\n") if x.startswith("CSeq")).split()[-1]
        return f"{first.split(' ')[1]} {method}"


def make_endpoint(
    address: Address,
    prefix: str,
    authenticator: Authenticator | None = None,
    registrar: Registrar | None = None,
    pass_headers: tuple[str, ...] = (),
    records: bool = False,
    /,
    **limits: int,
) -> SipEndpoint:
    """`limits` are numbers that `SipEndpoint` takes by name."""
    host, port = address[:2]
    return SipEndpoint(
        host,
        port,
        counting_tokens(prefix),
        authenticator=authenticator,
        registrar=registrar,
        pass_headers=pass_headers,
        records=records,
        max_calls=limits.get("max_calls", 500),
        max_transactions=limits.get("max_transactions", 20_000),
        session_s=limits.get("session_s", 0),
    )


@dataclass
class Network:
    """`here` and `there`, joined. `log` keeps all packets, `told` all events.

    `lose` decides for each packet; what is not lost arrives once for each of its `delays`, in seconds.
    """

    here: SipEndpoint = field(default_factory=lambda: make_endpoint(HERE, "here"))
    there: SipEndpoint = field(default_factory=lambda: make_endpoint(THERE, "there"))
    lose: Callable[[Packet], bool] = lambda packet: False
    delays: Callable[[Packet], Sequence[float]] = lambda packet: (LATENCY_S,)
    now: float = 100.0
    log: list[Packet] = field(default_factory=list)
    told: dict[Address, list[SipEvent]] = field(default_factory=lambda: {HERE: [], THERE: []})
    react: Callable[[Address, SipEvent], None] = lambda address, event: None
    _wire: list[tuple[float, int, Packet]] = field(default_factory=list)
    _order: count = field(default_factory=count)  # type: ignore[type-arg]

    def flush(self) -> None:
        """Put on the wire what the endpoints have to send, and note what they tell."""
        progress = True
        while progress:
            progress = False
            for address, endpoint in ((HERE, self.here), (THERE, self.there)):
                for data, target in endpoint.to_send():
                    packet = Packet(self.now, data, address, target)
                    packet.lost = self.lose(packet)
                    self.log.append(packet)
                    for delay in () if packet.lost else self.delays(packet):
                        heapq.heappush(self._wire, (self.now + delay, next(self._order), packet))
                for event in endpoint.events():
                    progress = True
                    self.told[address].append(event)
                    self.react(address, event)

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        self.flush()
        while True:
            times = [self.here.deadline(), self.there.deadline(), self._wire[0][0] if self._wire else None]
            due = min((time for time in times if time is not None), default=end)
            if due >= end:
                break
            self.now = max(self.now, due)
            if self._wire and self._wire[0][0] <= self.now:
                packet = heapq.heappop(self._wire)[2]
                endpoint = {HERE: self.here, THERE: self.there}.get(packet.target)
                if endpoint is not None:
                    endpoint.receive(packet.data, packet.source, self.now)
            self.here.on_timer(self.now)
            self.there.on_timer(self.now)
            self.flush()
        self.now = end

    def lines(self, source: Address, since: float = 0.0) -> list[str]:
        """What `source` sent, in order."""
        return [packet.line for packet in self.log if packet.source == source and packet.at >= since]

    def times(self, source: Address, line: str) -> list[float]:
        """When `source` sent `line`, in seconds after its first."""
        at = [packet.at for packet in self.log if packet.source == source and packet.line == line]
        return [round(time - at[0], 3) for time in at]


def lose_first(line: str, times: int) -> Callable[[Packet], bool]:
    """Lose the first `times` packets with this line."""
    left = [times]

    def lose(packet: Packet) -> bool:
        if packet.line == line and left[0] > 0:
            left[0] -= 1
            return True
        return False

    return lose

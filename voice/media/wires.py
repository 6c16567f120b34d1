"""The seam between the engine and a transport: whole RTP packets in, whole RTP packets out.

A wire with a socket is read and written by the engine itself. Any other (a browser's peer connection, a stream of
another platform) lives on the event loop, and its packets cross by two rings.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from voice.wire.reports import Told

Address = tuple[str, int]
"""IP literal and port. Never a host name."""

RING_REMOTE: Address = ("0.0.0.0", 1)
"""Where the packets of a `RingWire` come from and go to: its own far end was authenticated by the transport."""


class Sealing(NamedTuple):
    """Sessions of libsrtp for one leg, by address; 0: none. They are there as long as `owner` is."""

    seal: int = 0
    open: int = 0
    open_former: int = 0
    owner: object = None


class Wire(Protocol):
    """One leg's packets. Event loop only.

    `remote` is where the leg's packets go to at first; None: nowhere yet, and nothing is sent. `file` is the number of
    a non-blocking datagram socket, whose address family is that of its `remote`s; None: packets come by `receive` and
    go by `send`. `arrived` is set by the plane, and to be called after packets came that way.
    """

    remote: Address | None
    arrived: Callable[[], None] | None

    @property
    def file(self) -> int | None: ...

    @property
    def sealing(self) -> Sealing:
        """The keys of now."""
        ...

    @property
    def losses(self) -> Mapping[str, int]:
        """Packets that the transport itself gave up, by reason."""
        ...

    def receive(self) -> list[tuple[bytes, Address]]:
        """Packets that came since, each with its source."""
        ...

    def send(self, packet: bytes, remote: Address) -> None:
        """Send one packet; never blocks; what cannot be sent is dropped and counted."""
        ...

    def set_aside(self, data: bytes, source: Address) -> None:
        """RTCP that came among RTP (RFC 5761) from the far end, and nowhere else."""
        ...

    def send_aside(self, packet: bytes, remote: Address) -> None:
        """Send RTCP among RTP."""
        ...

    def flush(self) -> None:
        """Packets were given to `send`, and no more will be for now."""
        ...

    def close(self) -> None:
        """Free the transport. Once; no other call follows."""
        ...


class Control(Protocol):
    """The RTCP that goes with a wire. Event loop."""

    @property
    def told(self) -> Told:
        """What it came to; still there after `close`."""
        ...

    def close(self) -> None:
        """The leg is over: say so, and free what is held. Idempotent."""
        ...


class RingWire:
    """A wire whose transport lives on the event loop (a browser's peer connection, after decryption).

    Until the leg takes them `depth` packets wait; past it the oldest is dropped and counted in `dropped_in`. `on_send`
    is called with the packets that are due.
    """

    file = None
    sealing = Sealing()

    def __init__(self, on_send: Callable[[list[bytes]], None], depth: int = 64) -> None:
        self.remote: Address | None = RING_REMOTE
        self.arrived: Callable[[], None] | None = None
        self.dropped_in = 0
        self._on_send = on_send
        self._depth = depth
        self._inbound: deque[bytes] = deque(maxlen=depth)
        self._outbound: list[bytes] = []
        self._closed = False

    @property
    def losses(self) -> Mapping[str, int]:
        return {"ring_in": self.dropped_in}

    def deliver(self, packet: bytes) -> None:
        """Hand one RTP packet from the transport to the leg; returns at once."""
        if self._closed:
            return
        if len(self._inbound) == self._depth:
            self.dropped_in += 1
        self._inbound.append(packet)
        if self.arrived is not None:
            self.arrived()

    def receive(self) -> list[tuple[bytes, Address]]:
        packets = [(packet, RING_REMOTE) for packet in self._inbound]
        self._inbound.clear()
        return packets

    def send(self, packet: bytes, remote: Address) -> None:
        self._outbound.append(packet)

    def set_aside(self, data: bytes, source: Address) -> None:
        """The transport has taken RTCP out already, where it decrypts: this was none."""

    def send_aside(self, packet: bytes, remote: Address) -> None:
        """The transport has RTCP of its own."""

    def flush(self) -> None:
        packets, self._outbound = self._outbound, []
        if packets and not self._closed:
            self._on_send(packets)

    def close(self) -> None:
        self._closed = True

"""The seam between the tick and a transport: whole RTP packets in, whole RTP packets out.

The tick thread drains `receive` and calls `send`; neither may block. What a transport does with its packets (a UDP
socket, or a peer connection that lives on the event loop) is its own affair.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from voice.wire.reports import Told

Address = tuple[str, int]
"""IP literal and port. Never a host name: resolving one would stop the tick."""

RING_REMOTE: Address = ("ring", 0)
"""Where the packets of a `RingWire` come from and go to: its own far end was authenticated by the transport."""


class Wire(Protocol):
    """One leg's packets. `remote` is where `send` sends to; None: nowhere yet, and nothing is sent."""

    remote: Address | None

    @property
    def losses(self) -> Mapping[str, int]:
        """Packets that the transport itself gave up, by reason."""
        ...

    def receive(self) -> list[tuple[bytes, Address]]:
        """Packets that came since the last tick, each with its source. Tick thread; never blocks."""
        ...

    def send(self, packet: bytes) -> None:
        """Send one RTP packet to `remote`. Tick thread; never blocks; what cannot be sent is dropped and counted."""
        ...

    def set_aside(self, data: bytes, source: Address) -> None:
        """RTCP that came among RTP (RFC 5761), for `flush`. Tick thread; bounded."""
        ...

    def flush(self) -> None:
        """Called on the event loop after each tick, for what lives there."""
        ...

    def close(self) -> None:
        """Free the transport. Tick thread, once; no other call follows, except `flush`."""
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

    Two rings of `depth` packets; a full one drops its oldest packet and counts it in `dropped_in` or `dropped_out`.
    `on_send` is called on the event loop, once a tick, with the packets that are due.
    """

    def __init__(self, on_send: Callable[[list[bytes]], None], depth: int = 64) -> None:
        self.remote: Address | None = RING_REMOTE
        self.dropped_in = 0
        self.dropped_out = 0
        self._on_send = on_send
        self._depth = depth
        self._inbound: deque[bytes] = deque(maxlen=depth)
        self._outbound: deque[bytes] = deque(maxlen=depth)
        self._closed = False

    @property
    def losses(self) -> Mapping[str, int]:
        return {"ring_in": self.dropped_in, "ring_out": self.dropped_out}

    def deliver(self, packet: bytes) -> None:
        """Hand one RTP packet from the transport to the tick. Event loop; returns at once."""
        if len(self._inbound) == self._depth:
            self.dropped_in += 1
        self._inbound.append(packet)

    def receive(self) -> list[tuple[bytes, Address]]:
        return [(self._inbound.popleft(), RING_REMOTE) for _ in range(len(self._inbound))]

    def send(self, packet: bytes) -> None:
        if len(self._outbound) == self._depth:
            self.dropped_out += 1
        self._outbound.append(packet)

    def set_aside(self, data: bytes, source: Address) -> None:
        """The transport has taken RTCP out already, where it decrypts: this was none."""

    def flush(self) -> None:
        packets = [self._outbound.popleft() for _ in range(len(self._outbound))]
        if packets and not self._closed:
            self._on_send(packets)

    def close(self) -> None:
        self._closed = True

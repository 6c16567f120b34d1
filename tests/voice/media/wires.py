"""Wires without sockets, for ticks in virtual time."""

from collections.abc import Callable

from voice.media.wires import Address, Sealing


class FakeWire:
    """Two lists: `inbound` is what comes in the next tick, `sent` what left, with where it went."""

    file: int | None = None
    sealing = Sealing()

    def __init__(self, remote: Address | None = ("127.0.0.1", 4000)) -> None:
        self.remote = remote
        self.arrived: Callable[[], None] | None = None
        self.inbound: list[tuple[bytes, Address]] = []
        self.sent: list[tuple[bytes, Address]] = []
        self.aside: list[tuple[bytes, Address]] = []
        self.flushed = 0
        self.closed = False

    @property
    def losses(self) -> dict[str, int]:
        return {}

    def receive(self) -> list[tuple[bytes, Address]]:
        came, self.inbound = self.inbound, []
        return came

    def send(self, packet: bytes, remote: Address) -> None:
        self.sent.append((packet, remote))

    def set_aside(self, data: bytes, source: Address) -> None:
        self.aside.append((data, source))

    def send_aside(self, packet: bytes, remote: Address) -> None:
        self.sent.append((packet, remote))

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        self.closed = True

"""Wires without sockets, for ticks in virtual time."""

from voice.media.wires import Address


class FakeWire:
    """Two lists: `inbound` is what comes in the next tick, `sent` what left, with where it went."""

    def __init__(self, remote: Address | None = ("127.0.0.1", 4000)) -> None:
        self.remote = remote
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

    def send(self, packet: bytes) -> None:
        if self.remote is not None:
            self.sent.append((packet, self.remote))

    def set_aside(self, data: bytes, source: Address) -> None:
        self.aside.append((data, source))

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        self.closed = True

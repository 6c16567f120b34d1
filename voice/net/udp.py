"""A UDP socket: datagrams in by a callback, out by `send`. The thin shell under sans-I/O protocols."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol, cast

Address = tuple[str, int]

MAX_UNSENT = 1 << 20
"""Bytes that may wait for the kernel; what comes on top is dropped and counted, as the network would."""


class _Transport(Protocol):
    """What asyncio's and uvloop's datagram transports have; the published type lacks the buffer's size."""

    def sendto(self, data: bytes, addr: Address) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def get_extra_info(self, name: str) -> tuple[str, int]: ...

    def is_closing(self) -> bool: ...

    def close(self) -> None: ...


class UdpSocket(asyncio.DatagramProtocol):
    """A bound socket. Made by `open`; `dropped` counts by reason what could not be sent."""

    def __init__(self, receive: Callable[[bytes, Address], None]) -> None:
        self.dropped: Counter[str] = Counter()
        self._receive = receive
        self._transport: _Transport | None = None
        self._closed = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, host: str, port: int, receive: Callable[[bytes, Address], None]) -> "UdpSocket":
        """Bind `host`:`port` (0: any free port). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(lambda: cls(receive), local_addr=(host, port))
        return protocol

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        if self._transport is None:
            raise OSError("socket is closed")
        name = self._transport.get_extra_info("sockname")
        return (name[0], name[1])

    def send(self, data: bytes, addr: Address) -> None:
        """Send one datagram to an IP literal; what cannot be sent is lost, as datagrams may be."""
        if self._transport is None or self._transport.is_closing():
            self.dropped["closed"] += 1
        elif self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.dropped["send overflow"] += 1
        else:
            try:
                self._transport.sendto(data, addr)
            except (OSError, ValueError):  # uvloop: ValueError for an address of another family
                self.dropped["unsendable"] += 1

    async def close(self) -> None:
        """Close, and wait until the port is free."""
        if self._transport is not None:
            self._transport.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(_Transport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._receive(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of an earlier datagram: the protocol above retransmits or gives up by its own clock."""
        self.dropped["network error"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._closed.done():
            self._closed.set_result(None)

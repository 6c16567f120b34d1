"""Streams by TCP: a listener, and a stream for each connection (AudioSocket)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from dialog.errors import Overloaded
from voice.streams import StreamCalls, StreamLine
from voice.wire.streams.stream import MediaStream, Message, Opening

MAX_UNSENT = 1 << 17
"""Bytes that may wait for a peer to read them, four seconds of audio and more; beyond, it is cut."""


class StreamServer:
    """Takes connections from addresses that `allows` lists. `cut` counts those refused and those cut, by reason."""

    def __init__(self, calls: StreamCalls, stream: type[MediaStream], allows: Callable[[str], bool]) -> None:
        self.cut: Counter[str] = Counter()
        self._calls = calls
        self._stream = stream
        self._allows = allows
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses for 0. Raises OSError when it is taken."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Take no more, and cut what is left: its calls are over by now."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._open):
            connection.cut("closing")

    def opened(self, connection: "_Connection", address: str) -> StreamLine | None:
        """The line of a connection from `address`; None where it is not taken."""
        if not self._allows(address):
            self.cut["stranger"] += 1
            return None
        try:
            line = self._calls.open(self._stream(Opening()), address, connection)
        except Overloaded:
            self.cut["overloaded"] += 1
            return None
        self._open.add(connection)
        return line

    def lost(self, connection: "_Connection", reason: str) -> None:
        """It is over; `reason` says why we cut it, empty where we did not."""
        self._open.discard(connection)
        if reason:
            self.cut[reason] += 1


class _Connection(asyncio.Protocol):
    """`voice.streams.Outlet`."""

    def __init__(self, server: StreamServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._line: StreamLine | None = None
        self._reason = ""

    def send(self, messages: list[Message]) -> None:
        """Send in order; a peer that leaves too many unread is cut."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(b"".join(message for message in messages if isinstance(message, bytes)))
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.cut("does not read")

    def close(self) -> None:
        """Close once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def cut(self, reason: str) -> None:
        """Close at once."""
        if self._transport is not None and not self._reason:
            self._reason = reason
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._line = self._server.opened(self, str(transport.get_extra_info("peername")[0]))
        if self._line is None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._line is not None:
            self._line.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._line is not None:
            self._line.gone(orderly=exc is None and not self._reason)
        self._server.lost(self, self._reason)

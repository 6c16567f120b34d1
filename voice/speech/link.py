"""The host's end of the socket to one speech child."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from dialog.errors import EngineUnavailable, ProtocolError
from voice.speech import wire

MAX_UNSENT_BYTES = 16 << 20
"""A child that leaves this much unread is dead: it is more than its hearers say in the time it takes to find out."""


class ChildPort(Protocol):
    """What ears and mouth need of a link."""

    def send(self, message: wire.ToChild) -> None:
        """Enqueue; never blocks."""
        ...


class Link(asyncio.Protocol):
    """Messages of one child's life. `lost` is done, with an error's code, when nothing more will come."""

    def __init__(self, on_message: Callable[[wire.ToHost], None]) -> None:
        self._on_message = on_message
        self._receiver = wire.host_receiver()
        self._transport: asyncio.WriteTransport | None = None
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape only, so no isinstance
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self.lost.done():
            return
        try:
            messages = self._receiver.receive(data)
        except ProtocolError as error:
            self.drop(error.code)
            return
        for message in messages:
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(EngineUnavailable.code)

    def send(self, message: wire.ToChild) -> None:
        """Enqueue; a dead or choked child gets nothing."""
        if self._transport is None or self.lost.done():
            return
        self._transport.write(wire.encode(message))
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.drop(EngineUnavailable.code)

    def drop(self, code: str) -> None:
        """Hear nothing more; idempotent, the first `code` stays."""
        if not self.lost.done():
            self.lost.set_result(code)
        if self._transport is not None:
            self._transport.abort()

"""uvicorn's WebSocket with the same guard as its HTTP: nobody's frames, and nobody's silence, cost a call anything.

Clients of this side's own WebSocket have next to nothing to say. So what they may send in a second is little, what is
too long is refused by its head, and one that takes nothing is cut off. Routes from elsewhere may need more.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from agent_assist.auth.throttle import address_key
from agent_assist.web.settings import SiteSettings

MESSAGE_LIMIT_BYTES = 1_024
"""A longer message closes the connection with 1009."""

BYTES_PER_S = 4_096
"""More, in frames of any kind, close it with 1008."""

_LINGER_S = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may come: bytes of one message, and bytes a second in frames of any kind."""

    message_bytes: int = MESSAGE_LIMIT_BYTES
    bytes_per_s: int = BYTES_PER_S


def guarded_websocket(
    settings: SiteSettings,
    open_by_address: Counter[str],
    dropped: Counter[str],
    allowances: Mapping[str, Allowance],
) -> type[WebSocketsSansIOProtocol]:
    """The WebSocket protocol of one server, which counts its connections with the HTTP ones.

    `allowances` are for paths that begin with the key.
    """

    class GuardedWebSocket(WebSocketsSansIOProtocol):
        """One connection, from its upgrade on."""

        _stall_timer: asyncio.TimerHandle | None = None
        _address = ""
        _second = 0
        _taken_bytes = 0
        _refused = False
        _allowance = Allowance()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            """Count."""
            super().connection_made(transport)
            self._address = address_key(self.client[0] if self.client else "")
            open_by_address[self._address] += 1

        def handle_connect(self, event: Request) -> None:
            """What may come depends on what is asked for."""
            for path, allowance in allowances.items():
                if event.path.startswith(path):
                    self._allowance = allowance
            self.conn.max_message_size = self._allowance.message_bytes
            super().handle_connect(event)

        def data_received(self, data: bytes) -> None:
            """The parser is given a second's share; of what was refused it is given nothing more."""
            if self._refused:
                return
            if not self.handshake_initiated:  # the request's head, which has limits of its own
                super().data_received(data)
                return
            share = self._share(len(data))
            super().data_received(data[:share])
            if share < len(data) and not self._refused and not self.close_sent:
                dropped["chatty_socket"] += 1
                self.conn.fail(1008, "too much at once")
                self.handle_parser_exception()

        async def send(self, message: ASGISendEvent) -> None:
            """What is told to a connection that was closed meanwhile is told to nobody: no error of ours. A refusal in
            words is a whole answer too; uvicorn takes it for none, and logs an error for each."""
            if self.close_sent and self.initial_response is None:
                raise ClientDisconnected
            await super().send(message)
            if self.initial_response is not None and self.close_sent:
                self.handshake_complete = True

        def handle_parser_exception(self) -> None:
            """Say why and close, yet go on reading for a moment: closing over unread bytes resets the connection, and
            the reset may overtake the reason."""
            close = self.conn.close_sent
            assert close is not None
            self._refused = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.stop_keepalive()
            self.transport.resume_reading()
            self.close_timer = self.loop.call_later(_LINGER_S, self.transport.abort)

        def pause_writing(self) -> None:
            """The peer takes less than it is told: start the clock on it, and read nothing that wants an answer."""
            super().pause_writing()
            self.transport.pause_reading()
            self._stall_timer = self.loop.call_later(settings.feed_stall_s, self._drop, "slow_socket")

        def resume_writing(self) -> None:
            """It takes again."""
            super().resume_writing()
            if not self.read_paused:
                self.transport.resume_reading()
            self._stop_clock()

        def connection_lost(self, exc: Exception | None) -> None:
            """Stop the clock and count back."""
            super().connection_lost(exc)
            self._stop_clock()
            open_by_address[self._address] -= 1
            if open_by_address[self._address] <= 0:
                del open_by_address[self._address]

        def _share(self, wanted: int) -> int:
            second = int(self.loop.time())
            if second != self._second:
                self._second, self._taken_bytes = second, 0
            share = min(wanted, self._allowance.bytes_per_s - self._taken_bytes)
            self._taken_bytes += share
            return share

        def _stop_clock(self) -> None:
            if self._stall_timer is not None:
                self._stall_timer.cancel()
                self._stall_timer = None

        def _drop(self, reason: str) -> None:
            dropped[reason] += 1
            self.transport.abort()

    return GuardedWebSocket

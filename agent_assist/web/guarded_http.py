"""uvicorn with a guard at the door: ASGI sees requests, and a slow connection never becomes one.

uvicorn by itself waits for ever for a request's head and for a reader that stopped reading; 800 such connections
make a node with 512 descriptors deaf.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypedDict

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent_assist.auth.throttle import address_key
from agent_assist.web.guarded_websocket import MESSAGE_LIMIT_BYTES, Allowance, guarded_websocket
from agent_assist.web.settings import SiteSettings

HEAD_LIMIT_BYTES = 16_384
KEEP_ALIVE_S = 5


class UvicornOptions(TypedDict):
    """Keyword arguments of `uvicorn.Config`, beside the application, its address and its certificate."""

    http: type[asyncio.Protocol]
    ws: type[asyncio.Protocol]
    ws_max_size: int
    ws_ping_interval: float
    ws_ping_timeout: float
    ws_per_message_deflate: bool
    lifespan: Literal["off"]
    log_config: None
    access_log: bool
    server_header: bool
    proxy_headers: bool
    limit_concurrency: int
    backlog: int
    timeout_keep_alive: int
    timeout_graceful_shutdown: int
    h11_max_incomplete_event_size: int


def uvicorn_options(
    settings: SiteSettings, dropped: Counter[str] | None = None, allowances: Mapping[str, Allowance] | None = None
) -> UvicornOptions:
    """How `serve` is to run uvicorn. No access log: its lines would hold call ids, which are the callers' own.

    `dropped` counts, by reason, connections and requests that no route ever saw. WebSockets below the paths that
    `allowances` names may send more than others.
    """
    dropped = Counter() if dropped is None else dropped
    open_by_address: Counter[str] = Counter()
    return {
        "http": guarded_http(settings, open_by_address, dropped),
        "ws": guarded_websocket(settings, open_by_address, dropped, allowances or {}),
        "ws_max_size": MESSAGE_LIMIT_BYTES,
        "ws_ping_interval": settings.feed_ping_s,
        "ws_ping_timeout": settings.feed_ping_s,  # else 1011
        "ws_per_message_deflate": False,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": settings.connections,
        "backlog": 128,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": 5,
        "h11_max_incomplete_event_size": HEAD_LIMIT_BYTES,
    }


def guarded_http(settings: SiteSettings, open_by_address: Counter[str], dropped: Counter[str]) -> type[H11Protocol]:
    """The HTTP protocol of one server: connections are counted by address, heads and stalled readers are timed."""

    class GuardedHttp(H11Protocol):
        """One connection. Past its address's share, or twice the node's, it is dropped before a byte is read."""

        _head_timer: asyncio.TimerHandle | None = None
        _stall_timer: asyncio.TimerHandle | None = None
        _address = ""
        _upgraded = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Count, and start the clock on the first head."""
            super().connection_made(transport)
            # asyncio does this only for sockets made with an explicit protocol number, which accepted ones lack:
            # without it each answer waits 40 ms for the client's delayed acknowledgement of its head.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._address = address_key(self.client[0] if self.client else "")
            open_by_address[self._address] += 1
            if (
                open_by_address[self._address] > settings.connections_per_address
                or len(self.connections) > 2 * settings.connections
            ):
                self._drop("too_many")
                return
            self._time_head()

        def data_received(self, data: bytes) -> None:
            """Between requests the clock runs from the head's first byte to its last."""
            super().data_received(data)
            if self._upgraded:
                return
            if self.cycle is None or self.cycle.response_complete:
                self._time_head()
            elif self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def pause_writing(self) -> None:
            """The peer reads slower than we write: start the clock on it."""
            super().pause_writing()
            self._stall_timer = self.loop.call_later(settings.stall_timeout_s, self._drop, "slow_reader")

        def resume_writing(self) -> None:
            """It reads again."""
            super().resume_writing()
            if self._stall_timer is not None:
                self._stall_timer.cancel()
                self._stall_timer = None

        def connection_lost(self, exc: Exception | None) -> None:
            """Stop the clocks and count back."""
            super().connection_lost(exc)
            self._leave()

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            """The connection has another protocol from here on, which counts it again."""
            self._upgraded = True
            self._leave()
            super().handle_websocket_upgrade(event)

        def send_400_response(self, msg: str) -> None:
            """What is no HTTP is answered, and counted."""
            dropped["no_http"] += 1
            super().send_400_response(msg)

        def _leave(self) -> None:
            for timer in (self._head_timer, self._stall_timer):
                if timer is not None:
                    timer.cancel()
            open_by_address[self._address] -= 1
            if open_by_address[self._address] <= 0:
                del open_by_address[self._address]

        def _drop(self, reason: str) -> None:
            dropped[reason] += 1
            self.transport.abort()

        def _time_head(self) -> None:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(settings.header_timeout_s, self._drop, "slow_head")

    return GuardedHttp

"""The connections of one SIP address, by TCP, TLS and WebSocket: taken from peers, opened to them, reused.

RFC 3261 section 18; RFC 7118 for WebSockets, which are only taken: a page can be called by its own connection alone.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from voice.net.sip_connection import MessageFraming, SipConnection
from voice.net.sip_websocket import WebSocketFraming
from voice.wire.sip.flow import TCP, TLS, WS, WSS, Flow
from voice.wire.sip.framing import Framing

MAX_CONNECTIONS = 1_024
"""Connections at once that peers opened."""

MAX_OF_ADDRESS = 128
"""Of these, from one address: more than calls at once, for peers that open one a call."""

MAX_DIALLED = 128
"""Connections being opened by us at once."""

MAX_WAITING = 32
"""Messages that wait for one connection to open."""

HANDSHAKE_S = 5.0
CONNECT_S = 8.0
FAREWELL_S = 1.0
"""How long a connection may take to send what is left when all are closed."""

ACCEPT_PAUSE_S = 0.1
BACKLOG = 128


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Where connections are taken. A port of None: none are; `tcp_port` 0: the port of UDP."""

    tcp_port: int | None = None
    tls_port: int | None = None
    ws_port: int | None = None
    wss_port: int | None = None
    origins: tuple[str, ...] = ()
    """The pages that may connect by WebSocket; see `WebSocketFraming`."""
    tls: ssl.SSLContext | None = None
    """What we show to those who connect."""
    trusted: ssl.SSLContext | None = None
    """Whom we trust where we connect ourselves; default: the authorities of the system."""


class SipStreams:
    """Connections by their far end.

    `allow` decides by IP address who is let in; `receive` takes whole messages; `lost` is told of each flow that has
    ended, or could not be opened. `cut` counts by reason those that we refused or cut. `name_of` tells whose
    certificate is to be shown at an address.
    """

    def __init__(
        self,
        settings: StreamSettings,
        allow: Callable[[str], bool],
        receive: Callable[[bytes, Flow], None],
        lost: Callable[[Flow], None],
        name_of: Callable[[str], str] = lambda address: address,
    ) -> None:
        self.cut: Counter[str] = Counter()
        self._settings = settings
        self._allow = allow
        self._receive = receive
        self._lost = lost
        self._name_of = name_of
        self._host = ""
        self._tasks: asyncio.TaskGroup | None = None
        self._working: set[asyncio.Task[None]] = set()
        self._listeners: list[socket.socket] = []
        self._live: dict[tuple[str, int, str], SipConnection] = {}
        self._taken: dict[SipConnection, str] = {}
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[Flow, list[tuple[bytes, Flow]]] = {}
        self._quiet = asyncio.Event()

    @property
    def connections(self) -> Counter[str]:
        """How many are open, by transport."""
        found = Counter(dict.fromkeys((TCP, TLS, WS, WSS), 0))
        found.update(transport for _, _, transport in self._live)
        return found

    def start(self, host: str, udp_port: int, tasks: asyncio.TaskGroup) -> dict[str, int]:
        """Listen at `host`; the port of each transport. Raises OSError when one is taken."""
        self._host, self._tasks = host, tasks
        settings = self._settings
        wanted = {TCP: settings.tcp_port, TLS: settings.tls_port, WS: settings.ws_port, WSS: settings.wss_port}
        try:
            for transport, port in wanted.items():
                if port is not None:
                    self._listeners.append(_listen(host, port or (udp_port if transport == TCP else 0)))
        except OSError:
            self._close_listeners()
            raise
        transports = [transport for transport, port in wanted.items() if port is not None]
        for transport, listener in zip(transports, self._listeners, strict=True):
            self._work(self._accept(listener, transport), f"sip {transport}")
        return {name: listener.getsockname()[1] for name, listener in zip(transports, self._listeners, strict=True)}

    def send(self, data: bytes, flow: Flow) -> None:
        """Send by the connection with `flow`; where it is gone, by another to the same peer, opened if need be."""
        for peer in (flow.peer, flow.anew.peer):
            connection = self._live.get(peer)
            if connection is not None and connection.usable:
                connection.send(data)
                return
        if self._tasks is None:
            return  # closed
        if not flow.dialable:
            asyncio.get_running_loop().call_soon(self._lost, flow)
            return
        target = flow.anew
        if target not in self._waiting:
            if len(self._waiting) >= MAX_DIALLED:
                self.cut["too many to open"] += 1
                asyncio.get_running_loop().call_soon(self._lost, flow)
                return
            self._waiting[target] = []
            self._work(self._dial(target), "sip connect")
        if len(self._waiting[target]) < MAX_WAITING:
            self._waiting[target].append((data, flow))

    def keep_alive(self, flow: Flow) -> None:
        """Find out whether the far end of a connection is still there, if there is one."""
        connection = self._live.get(flow.peer)
        if connection is not None:
            connection.keep_alive()

    async def close(self) -> None:
        """Close all connections, each when it has sent what it had to, and wait until the ports are free."""
        self._tasks = None
        for task in self._working:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)
        self._close_listeners()
        for connection in self._live.values():
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._until_quiet()
        for connection in self._live.values():
            connection.cut("")
        await self._until_quiet()

    # for connections (sip_connection.ConnectionOwner)

    def on_opened(self, connection: SipConnection) -> None:
        self._live[connection.flow.peer] = connection

    def on_message(self, data: bytes, flow: Flow) -> None:
        self._receive(data, flow)

    def on_closed(self, connection: SipConnection, reason: str) -> None:
        if reason:
            self.cut[reason] += 1
        self._release(connection)
        if self._live.get(connection.flow.peer) is connection:
            del self._live[connection.flow.peer]
        self._quiet.set()
        self._lost(connection.flow)

    # taking and opening

    async def _accept(self, listener: socket.socket, transport: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                taken, address = await loop.sock_accept(listener)
            except OSError:  # no descriptors left, most likely: those who knock wait in the backlog
                self.cut["accept"] += 1
                await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            flow = Flow(address[0], address[1], transport)
            if obstacle := self._obstacle(flow.host):
                self.cut[obstacle] += 1
                taken.close()
                continue
            connection = SipConnection(flow, self, self._framing(transport))
            self._taken[connection] = flow.host
            self._of_address[flow.host] += 1
            self._work(self._take(taken, connection), "sip handshake")

    def _framing(self, transport: str) -> MessageFraming:
        if transport in (WS, WSS):
            return WebSocketFraming(self._settings.origins, asyncio.get_running_loop().time())
        return Framing()

    def _obstacle(self, host: str) -> str:
        """Why a connection from `host` is not taken."""
        if not self._allow(host):
            return "unlisted"
        if self._of_address[host] >= MAX_OF_ADDRESS:
            return "too many from one address"
        return "too many" if len(self._taken) >= MAX_CONNECTIONS else ""

    async def _take(self, taken: socket.socket, connection: SipConnection) -> None:
        secure = connection.flow.transport in (TLS, WSS)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                taken,
                ssl=self._settings.tls if secure else None,
                ssl_handshake_timeout=HANDSHAKE_S if secure else None,
                ssl_shutdown_timeout=FAREWELL_S if secure else None,
            )
        except OSError:
            self.cut["handshake"] += 1
            self._release(connection)

    async def _dial(self, target: Flow) -> None:
        connection = SipConnection(target, self, Framing())
        secure = target.transport == TLS
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    target.host,
                    target.port,
                    ssl=(self._settings.trusted or ssl.create_default_context()) if secure else None,
                    server_hostname=self._name_of(target.host) if secure else None,
                    local_addr=None if self._host in ("0.0.0.0", "::") else (self._host, 0),
                )
        except OSError:
            self.cut["unreachable"] += 1
            for flow in dict.fromkeys(flow for _, flow in self._waiting.pop(target)):
                self._lost(flow)
            return
        for data, _ in self._waiting.pop(target):
            connection.send(data)

    def _work(self, work: Coroutine[None, None, None], name: str) -> None:
        assert self._tasks is not None, "start() comes first"
        task = self._tasks.create_task(work, name=name)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def _release(self, connection: SipConnection) -> None:
        host = self._taken.pop(connection, None)
        if host is not None:
            self._of_address[host] -= 1
            if not self._of_address[host]:
                del self._of_address[host]

    def _close_listeners(self) -> None:
        while self._listeners:
            self._listeners.pop().close()

    async def _until_quiet(self) -> None:
        while self._live:
            self._quiet.clear()
            await self._quiet.wait()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener

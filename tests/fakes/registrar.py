"""A registrar and its proxy, message by message: asks who calls, binds contacts, answers OPTIONS, or does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aioice import stun
from sipmessage import Request, Response

from tests.fakes.telephone import HOST
from voice.net.udp import UdpSocket
from voice.wire.sip.auth import Authenticator
from voice.wire.sip.digest import Algorithm
from voice.wire.sip.flow import Flow
from voice.wire.sip.framing import Framing
from voice.wire.sip.grammar import read_address
from voice.wire.sip.guard import Received, examine
from voice.wire.sip.message import Address, make_response, stateless_tag

USER, PASSWORD = "alice", "wonder"


class Registrar:
    """Knows alice. `came` is all that it was asked, `bound` by contact for how many seconds.

    `says` answers everything by that status, `mute` nothing at all; `least_s` is what it wants to be asked for at
    least, `most_s` what it grants at most. With `flows` it knows RFC 5626: who asks for it is bound to the flow, which
    may be silent for `flow_timer_s`, and is told by STUN that it comes from `seen` (None: it is told nothing); with
    `no_flow` there is a proxy before it that does not. `heard` are the responses to what is said by `say`.
    """

    def __init__(
        self, *, asks: bool = True, least_s: int = 0, most_s: int = 3_600, flows: bool = False, no_flow: bool = False
    ) -> None:
        self.flow_timer_s = 0
        self.seen: tuple[str, int] | None = ("192.0.2.7", 1_024)
        self.heard: list[str] = []
        self._flows = flows
        self._no_flow = no_flow
        self.came: list[Request] = []
        self.bound: dict[str, int] = {}
        self.says = 0
        self.mute = False
        self.headers: dict[str, str] = {}
        self._least_s = least_s
        self._most_s = most_s
        self._asks = Authenticator("carrier", {USER: PASSWORD}, bytes(32), tuple(Algorithm)) if asks else None
        self._tokens = 0
        self.port = 0
        self.pings = 0
        self._connections: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def by_udp(self) -> AsyncIterator["Registrar"]:
        """Serve at `port`; `pings` counts bindings that were told."""

        def receive(data: bytes, source: tuple[str, int]) -> None:
            if data[0] < 2:
                if self.seen and not self.mute:
                    self.pings += 1
                    udp.send(self._binding(data), source)
            elif reply := self._reply(data, source):
                udp.send(reply, source)

        udp = await UdpSocket.open(HOST, self.port, receive)
        self.port = udp.address[1]
        try:
            yield self
        finally:
            await udp.close()

    @asynccontextmanager
    async def by_tcp(self) -> AsyncIterator["Registrar"]:
        """Serve at `port`; `pings` counts keep-alives that were answered."""
        server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()
            await server.wait_closed()

    def hang_up(self) -> None:
        """Cut every connection."""
        for writer in self._connections:
            writer.close()

    def say(self, message: str) -> None:
        """Send by the connection that stands."""
        (writer,) = self._connections
        writer.write(message.encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framing, now = Framing(), asyncio.get_running_loop().time
        self._connections.add(writer)
        host, port = writer.get_extra_info("peername")
        while data := await reader.read(65_536):
            for message in framing.receive(data, now()):
                if message.startswith(b"SIP/2.0 "):
                    self.heard.append(message.decode())
                else:
                    writer.write(self._reply(message, Flow(host, port)))
            if not self.mute and (pong := framing.to_send()):
                self.pings += data == b"\r\n\r\n"
                writer.write(pong)
        self._connections.discard(writer)
        writer.close()

    def _reply(self, data: bytes, source: Address) -> bytes:
        received = examine(data)
        assert isinstance(received, Received) and isinstance(received.message, Request), data
        response = self.answer(received.message, source, asyncio.get_running_loop().time())
        return b"" if response is None else bytes(response)

    def _binding(self, data: bytes) -> bytes:
        asked = stun.parse_message(data)
        told = stun.Message(asked.message_method, stun.Class.RESPONSE, asked.transaction_id)
        told.attributes["XOR-MAPPED-ADDRESS"] = self.seen
        return bytes(told)

    def methods(self) -> list[str]:
        return [request.method for request in self.came]

    def answer(self, request: Request, source: Address, now: float) -> Response | None:
        """The final response, or None."""
        if self.mute:
            return None
        self.came.append(request)
        tag = stateless_tag(request)
        if self.says:
            return make_response(request, self.says, to_tag=tag, headers=self.headers)
        if request.method != "REGISTER":
            return make_response(request, 200, to_tag=tag)
        if self._asks is not None:
            self._tokens += 1
            verdict = self._asks.judge(request, source[0], f"nonce{self._tokens}", now)
            if not isinstance(verdict, str):
                return verdict
        if request.headers.get("Contact") is None:
            return make_response(request, 200, to_tag=tag)
        asked = int(request.headers["Expires"])
        by_flow = "outbound" in (request.headers.get("Supported") or "")
        if by_flow and self._no_flow:
            return make_response(request, 439, to_tag=tag)
        if 0 < asked < self._least_s:
            return make_response(request, 423, to_tag=tag, headers={"Min-Expires": str(self._least_s)})
        contact = str(read_address(request.headers["Contact"]).uri)
        self.bound[contact] = min(asked, self._most_s)
        if not asked:
            del self.bound[contact]
        response = make_response(request, 200, to_tag=tag)
        if by_flow and self._flows:
            response.headers.set("Require", "outbound")
            if self.flow_timer_s:
                response.headers.set("Flow-Timer", str(self.flow_timer_s))
        others = ["<sip:elsewhere@192.0.2.77>;expires=9"]
        response.headers.setlist("Contact", others + [f"<{uri}>;expires={s}" for uri, s in self.bound.items()])
        return response

"""SIP over WebSocket on real sockets: calls of a page, what it may send, and who is not let in."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError
from websockets.typing import Origin, Subprotocol

from tests.fakes.sip_uas import HOST, SilentCallee
from tests.voice.net.test_sip_agent import running, until
from tests.voice.net.test_sip_streams import SDP, by_tls, connected, over
from voice.net import sip_websocket
from voice.net.sip_streams import StreamSettings
from voice.wire.sip.events import DialogEnded, EndCause, InviteAcknowledged
from voice.wire.sip.guard import MAX_DATAGRAM

PAGE = "https://desk.example"
NOBODY = "page.invalid"
"""A page has no address (RFC 7118 section 5)."""


def listening(*origins: str) -> SilentCallee:
    return SilentCallee(streams=StreamSettings(ws_port=0, origins=origins))


@asynccontextmanager
async def page(
    callee: SilentCallee, origin: str = PAGE, subprotocols: Sequence[str] = ("sip",)
) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"ws://{HOST}:{callee.agent.stream_ports['WS']}",
        origin=Origin(origin) if origin else None,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        proxy=None,
    ) as socket:
        yield socket


def message(method: str, number: int = 1, *, to: str = "", body: str = "") -> str:
    """A request as a page sends it."""
    lines = (
        f"{method} sip:200@{HOST} SIP/2.0",
        f"Via: SIP/2.0/WS {NOBODY};branch=z9hG4bK-{method}-{number}",
        "From: <sip:1@desk.example>;tag=page",
        f"To: {to or f'<sip:200@{HOST}>'}",
        "Call-ID: by-page",
        f"CSeq: {number} {method}",
        f"Contact: <sip:1@{NOBODY};transport=ws>",
        "Content-Type: application/sdp" if body else "Max-Forwards: 70",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", body])


async def reply(socket: ClientConnection, beginning: str) -> str:
    """The next message that begins so; those before it are passed over."""
    async with asyncio.timeout(5):
        while not (text := await socket.recv(decode=True)).startswith(beginning):
            pass
    return text


def field(text: str, name: str) -> str:
    return next(line.partition(": ")[2] for line in text.split("\r\n") if line.startswith(f"{name}: "))


async def test_a_page_calls_and_is_hung_up_on_by_its_own_connection() -> None:
    callee = listening(PAGE)
    async with running(callee.agent), page(callee) as socket:
        assert socket.subprotocol == "sip"
        await socket.send(message("INVITE", body=SDP))
        answered = await reply(socket, "SIP/2.0 200 ")
        assert field(answered, "Contact").endswith(f":{callee.agent.stream_ports['WS']};transport=ws>")
        await socket.send(message("ACK", to=field(answered, "To")))
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        assert callee.agent.connections == Counter(WS=1)
        theirs = callee.received()
        assert callee.agent.hangup(theirs)
        bye = await reply(socket, f"BYE sip:1@{NOBODY};transport=ws ")
        assert field(bye, "Via").startswith("SIP/2.0/WS ")
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        done = ("SIP/2.0 200 OK", *(f"{name}: {field(bye, name)}" for name in names), "Content-Length: 0", "", "")
        await socket.send("\r\n".join(done))
        await until(lambda: callee.events[-1] == DialogEnded(theirs, EndCause.LOCAL))
        assert not callee.agent.dropped and not callee.agent.cut
    assert callee.agent.connections == Counter()


async def test_by_tls(tmp_path: Path) -> None:
    settings, trusting = by_tls(tmp_path)
    callee = SilentCallee(streams=StreamSettings(wss_port=0, tls=settings.tls))
    async with running(callee.agent):
        uri = f"wss://{HOST}:{callee.agent.stream_ports['WSS']}"
        async with connect(uri, ssl=trusting, subprotocols=[Subprotocol("sip")], proxy=None) as socket:
            await socket.send(message("OPTIONS").replace("SIP/2.0/WS ", "SIP/2.0/WSS "))
            assert field(await reply(socket, "SIP/2.0 200 "), "Via").startswith("SIP/2.0/WSS ")


async def test_a_page_that_is_gone_is_not_looked_for_elsewhere() -> None:
    callee = listening(PAGE)
    async with running(callee.agent):
        async with page(callee) as socket:
            await socket.send(message("INVITE", body=SDP))
            await socket.send(message("ACK", to=field(await reply(socket, "SIP/2.0 200 "), "To")))
            await until(lambda: callee.count(InviteAcknowledged) == 1)
        await until(lambda: callee.agent.connections == Counter())
        assert callee.agent.hangup(callee.received())
        await until(lambda: callee.agent.calls == 0)
        assert not callee.agent.cut  # nobody was dialled


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_message_may_come_in_pieces_and_as_bytes(pieces: int) -> None:
    callee = listening(PAGE)
    async with running(callee.agent), page(callee) as socket:
        data = message("OPTIONS").encode()
        size = -(-len(data) // pieces)
        await socket.send([data[at : at + size] for at in range(0, len(data), size)])
        await reply(socket, "SIP/2.0 200 ")


async def test_keep_alives_are_answered() -> None:
    callee = listening(PAGE)
    async with running(callee.agent), page(callee) as socket:
        await socket.send("\r\n\r\n")
        assert await reply(socket, "") == "\r\n"
        await (await socket.ping())


@pytest.mark.parametrize(
    ("origins", "origin", "let_in"),
    [
        ((), PAGE, False),
        ((PAGE,), "https://elsewhere.example", False),
        (("*",), "https://elsewhere.example", True),
        ((), "", True),
    ],
    ids=["none named", "another", "any", "no page"],
)
async def test_pages_are_let_in_by_name(origins: tuple[str, ...], origin: str, let_in: bool) -> None:
    callee = listening(*origins)
    async with running(callee.agent):
        if let_in:
            async with page(callee, origin) as socket:
                await socket.send(message("OPTIONS"))
                await reply(socket, "SIP/2.0 200 ")
            return
        with pytest.raises(InvalidStatus) as refused:
            async with page(callee, origin):
                pass
        assert refused.value.response.status_code == 403
        await until(lambda: callee.agent.cut == Counter(origin=1))


async def test_another_subprotocol_is_none_of_ours() -> None:
    callee = listening(PAGE)
    async with running(callee.agent):
        with pytest.raises((InvalidStatus, NegotiationError)):
            async with page(callee, subprotocols=("chat",)):
                pass
        await until(lambda: callee.agent.cut == Counter({"not WebSocket": 1}))


async def test_a_message_that_is_too_long() -> None:
    callee = listening(PAGE)
    async with running(callee.agent), page(callee) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.send("x" * (MAX_DATAGRAM + 1))
            await reply(socket, "SIP/2.0 ")
        await until(lambda: callee.agent.cut == Counter(oversize=1))


async def test_bytes_that_are_no_websocket() -> None:
    callee = listening(PAGE)
    async with running(callee.agent), connected(callee.agent.stream_ports["WS"]) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + random.Random(1).randbytes(10_000))
        assert await over(reader)
        assert callee.agent.cut == Counter({"not WebSocket": 1})


async def test_a_handshake_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_websocket, "MESSAGE_S", 0.05)
    callee = listening(PAGE)
    async with running(callee.agent), connected(callee.agent.stream_ports["WS"]) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        assert await over(reader)
        assert callee.agent.cut == Counter(slow=1)

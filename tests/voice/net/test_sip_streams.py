"""TCP and TLS on real sockets: calls, reuse, the limits, and peers that stall, flood or vanish."""

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.sip_uas import HOST, SilentCallee
from tests.voice.net.test_sip_agent import Caller, running, until
from voice.net import sip_connection, sip_streams
from voice.net.certificate import ensure_certificate, server_tls
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings
from voice.wire.sip import framing
from voice.wire.sip.events import (
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteReceived,
    InviteRefused,
    Ringing,
)
from voice.wire.sip.stack import MAX_OVER_UDP

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


def listening(settings: StreamSettings | None = None, *, allowed: bool = True) -> SilentCallee:
    """A callee that takes connections, by TCP unless told otherwise."""
    streams = settings or StreamSettings(tcp_port=0)
    callee = SilentCallee(streams=streams)
    if not allowed:
        callee.agent = SipAgent(callee, lambda host: False, streams=streams)
    return callee


def by_tls(folder: Path) -> tuple[StreamSettings, ssl.SSLContext]:
    """Settings with a certificate just made, and what trusts it."""
    certificate, key = ensure_certificate(folder, HOST, "sip")
    return StreamSettings(tls_port=0, tls=server_tls(certificate, key)), ssl.create_default_context(cafile=certificate)


def message(method: str, *, to: str = "", number: int = 1, body: str = "", port: int = 5080) -> bytes:
    """A request of a peer that speaks by hand."""
    lines = (
        f"{method} sip:200@{HOST} SIP/2.0",
        f"Via: SIP/2.0/TCP {HOST}:{port};branch=z9hG4bK-{method}-{number}",
        f"From: <sip:1@{HOST}>;tag=peer",
        f"To: {to or f'<sip:200@{HOST}>'}",
        "Call-ID: by-hand",
        f"CSeq: {number} {method}",
        f"Contact: <sip:1@{HOST}:{port};transport=tcp>",
        "Content-Type: application/sdp" if body else "Max-Forwards: 70",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", body]).encode()


async def answer(reader: asyncio.StreamReader, status: int) -> str:
    """The next response with this status; those before it are passed over."""
    async with asyncio.timeout(5):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(next(line for line in head.split("\r\n") if line.startswith("Content-Length")).split()[1])
            await reader.readexactly(length)
            if head.startswith(f"SIP/2.0 {status} "):
                return head


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def over(reader: asyncio.StreamReader) -> bool:
    """Whether the far end closes, within five seconds."""
    async with asyncio.timeout(5):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def test_a_call_by_tcp() -> None:
    callee, caller = listening(), Caller()
    async with running(callee.agent, caller.agent):
        assert callee.agent.stream_ports == {"TCP": callee.agent.port}  # the same number as UDP
        uri = f"sip:200@localhost:{callee.agent.port};transport=tcp"
        call = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
        assert await caller.events.get() == Ringing(call, 180, None)
        assert isinstance(await caller.events.get(), InviteAnswered)
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        assert callee.agent.connections == caller.agent.connections == {"TCP": 1, "TLS": 0}
        theirs = callee.received()
        assert callee.agent.hangup(theirs)
        assert await caller.events.get() == DialogEnded(call, EndCause.REMOTE)
        await until(lambda: callee.events[-1] == DialogEnded(theirs, EndCause.LOCAL))
        assert callee.agent.connections["TCP"] == 1  # the BYE went by the caller's own connection
        assert not callee.agent.dropped and not callee.agent.cut
    assert callee.agent.connections["TCP"] == 0


async def test_a_call_by_tls(tmp_path: Path) -> None:
    settings, trusting = by_tls(tmp_path)
    callee, caller = listening(settings), Caller()
    caller.agent = SipAgent(caller, lambda host: True, streams=StreamSettings(trusted=trusting))
    async with running(callee.agent, caller.agent):
        uri = f"sip:200@{HOST}:{callee.agent.stream_ports['TLS']};transport=tls"
        call = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        caller.agent.hangup(call)
        await until(lambda: callee.count(DialogEnded) == 1)
        assert not callee.agent.cut and not caller.agent.cut


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    settings, _ = by_tls(tmp_path)
    callee, caller = listening(settings), Caller()
    async with running(callee.agent, caller.agent):
        uri = f"sip:200@{HOST}:{callee.agent.stream_ports['TLS']};transport=tls"
        call = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
        assert await caller.events.get() == InviteRefused(call, 503, "Service Unavailable")
        assert caller.agent.cut == {"unreachable": 1}
        await until(lambda: callee.agent.cut == {"handshake": 1})


async def test_nobody_listens() -> None:
    caller = Caller()
    async with running(caller.agent):
        call = await caller.agent.invite(f"sip:200@{HOST}:9;transport=tcp", b"", "sip:1@127.0.0.1")
        assert await caller.events.get() == InviteRefused(call, 503, "Service Unavailable")


@pytest.mark.parametrize("tcp", [True, False])
async def test_a_long_invite(tcp: bool) -> None:
    """By TCP, and by UDP where that is refused (RFC 3261 section 18.1.1)."""
    callee, caller = listening(StreamSettings(tcp_port=0 if tcp else None)), Caller()
    async with running(callee.agent, caller.agent):
        offer = (SDP + "a=x-long:1\r\n" * (MAX_OVER_UDP // 12)).encode()
        await caller.agent.invite(f"sip:200@{HOST}:{callee.agent.port}", offer, "sip:1@127.0.0.1")
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        assert callee.agent.connections["TCP"] == int(tcp)
        assert caller.agent.cut == ({} if tcp else {"unreachable": 1})


async def test_a_connection_cut_in_mid_dialog() -> None:
    """The BYE comes by another; and ours goes by one to the Contact."""
    callee = listening()
    async with running(callee.agent):
        async with connected(callee.agent.port) as (reader, writer):
            writer.write(message("INVITE", body=SDP))
            to = next(line for line in (await answer(reader, 200)).split("\r\n") if line.startswith("To: "))[4:]
            writer.write(message("ACK", to=to))
            await until(lambda: callee.count(InviteAcknowledged) == 1)
        await until(lambda: callee.agent.connections["TCP"] == 0)
        assert callee.agent.calls == 1
        async with connected(callee.agent.port) as (reader, writer):
            writer.write(message("BYE", to=to, number=2))
            await answer(reader, 200)
        await until(lambda: callee.count(DialogEnded) == 1)


async def test_our_bye_goes_to_the_contact_when_the_connection_is_gone() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(listen, HOST, 0)
    home = server.sockets[0].getsockname()[1]
    callee = listening()
    async with running(callee.agent):
        async with connected(callee.agent.port) as (reader, writer):
            writer.write(message("INVITE", body=SDP, port=home))
            to = next(line for line in (await answer(reader, 200)).split("\r\n") if line.startswith("To: "))[4:]
            writer.write(message("ACK", to=to))
            await until(lambda: callee.count(InviteAcknowledged) == 1)
        await until(lambda: callee.agent.connections["TCP"] == 0)
        callee.agent.hangup(callee.received())
        assert (await asyncio.wait_for(heard, 5)).startswith(b"BYE ")
    server.close()
    await server.wait_closed()


async def test_who_is_not_listed_is_not_let_in(tmp_path: Path) -> None:
    """Before a byte is read, and before any handshake."""
    tls, _ = by_tls(tmp_path)
    callee = listening(StreamSettings(tcp_port=0, tls_port=0, tls=tls.tls), allowed=False)
    async with running(callee.agent):
        for port in callee.agent.stream_ports.values():
            async with connected(port) as (reader, _):
                assert await over(reader)
        assert callee.agent.cut == {"unlisted": 2}
        assert callee.agent.connections == {"TCP": 0, "TLS": 0}


async def test_half_a_message_and_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MESSAGE_S", 0.05)
    callee = listening()
    async with running(callee.agent), connected(callee.agent.port) as (reader, writer):
        writer.write(message("OPTIONS")[:60])
        assert await over(reader)
        assert callee.agent.cut == {"slow": 1}


async def test_10000_random_bytes_cost_one_connection() -> None:
    callee = listening()
    async with running(callee.agent), connected(callee.agent.port) as (other, asking):
        asking.write(message("OPTIONS"))
        await answer(other, 200)
        async with connected(callee.agent.port) as (reader, writer):
            writer.write(random.Random(1).randbytes(10_000))
            assert await over(reader)
        assert callee.agent.cut == {"not SIP": 1}
        asking.write(message("OPTIONS", number=2))
        await answer(other, 200)


async def test_a_peer_that_never_reads_is_cut() -> None:
    callee = listening()
    async with running(callee.agent):
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # the less the kernel takes, the sooner it is seen
        deaf.connect((HOST, callee.agent.port))
        _, writer = await asyncio.open_connection(sock=deaf, limit=1)
        flood = b"".join(message("OPTIONS", number=number) for number in range(1, 100))
        async with asyncio.timeout(20):
            while not callee.agent.cut:
                writer.write(flood)
                await asyncio.sleep(0)
        assert callee.agent.cut == {"does not read": 1}
        await closed(writer)


async def test_200_idle_connections_of_one_address() -> None:
    """As many as the limit stay; whoever calls by UDP is none the worse."""
    callee, caller = listening(), Caller()
    async with running(callee.agent, caller.agent):
        idle = [await asyncio.open_connection(HOST, callee.agent.port) for _ in range(200)]
        await until(lambda: callee.agent.cut == {"too many from one address": 200 - sip_streams.MAX_OF_ADDRESS})
        assert callee.agent.connections["TCP"] == sip_streams.MAX_OF_ADDRESS
        await caller.agent.invite(f"sip:200@{HOST}:{callee.agent.port}", b"", "sip:1@127.0.0.1")
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        for _, writer in idle:
            await closed(writer)
        await until(lambda: callee.agent.connections["TCP"] == 0)
        async with connected(callee.agent.port) as (reader, writer):
            writer.write(message("OPTIONS"))
            await answer(reader, 200)


@pytest.mark.parametrize("spoken", [True, False])
async def test_idle_connections_are_closed(monkeypatch: pytest.MonkeyPatch, spoken: bool) -> None:
    """Those that have said nothing sooner."""
    monkeypatch.setattr(sip_connection, "IDLE_S" if spoken else "SILENT_S", 0.05)
    callee = listening()
    async with running(callee.agent), connected(callee.agent.port) as (reader, writer):
        if spoken:
            writer.write(message("OPTIONS"))
            await answer(reader, 200)
        assert await over(reader)
        await until(lambda: callee.agent.cut == {"idle": 1})


async def test_connections_of_all_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_streams, "MAX_CONNECTIONS", 1)
    callee = listening()
    async with running(callee.agent), connected(callee.agent.port):
        await until(lambda: callee.agent.connections["TCP"] == 1)
        async with connected(callee.agent.port) as (reader, _):
            assert await over(reader)
        assert callee.agent.cut == {"too many": 1}


async def test_a_handshake_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_streams, "HANDSHAKE_S", 0.05)
    settings, _ = by_tls(tmp_path)
    callee = listening(settings)
    async with running(callee.agent), connected(callee.agent.stream_ports["TLS"]) as (reader, _):
        assert await over(reader)
        await until(lambda: callee.agent.cut == {"handshake": 1})


async def test_keep_alives_are_answered() -> None:
    callee = listening()
    async with running(callee.agent), connected(callee.agent.port) as (reader, writer):
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), 5) == b"\r\n"


async def test_a_taken_port_is_an_error_and_leaves_nothing_bound() -> None:
    with socket.create_server((HOST, 0)) as squatter:
        agent = listening(StreamSettings(tcp_port=squatter.getsockname()[1])).agent
        async with asyncio.TaskGroup() as tasks:
            with pytest.raises(OSError, match="in use"):
                await agent.start(HOST, 0, tasks)


async def test_a_call_received_by_udp_stays_there() -> None:
    callee, caller = listening(), Caller()
    async with running(callee.agent, caller.agent):
        await caller.agent.invite(f"sip:200@{HOST}:{callee.agent.port}", b"", "sip:1@127.0.0.1")
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        callee.agent.hangup(callee.received())
        await until(lambda: callee.count(DialogEnded) == 1)
        assert callee.agent.connections == {"TCP": 0, "TLS": 0}
        assert callee.count(InviteReceived) == 1

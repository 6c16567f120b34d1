"""Calls whose only path is a real TURN server, from either side; and servers that refuse, or do not answer."""

import asyncio
import logging
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from aioice.turn import TurnClientUdpProtocol

from tests.fakes.browser import FakeBrowser, rtp
from tests.fakes.browser_call import BrowserCall, browser_call, until
from tests.fakes.strangers import forged_rtp, stranger
from tests.turn_server import turn_server
from voice.net.aiortc_seam import TurnClient
from voice.net.certificate import ensure_certificate
from voice.net.ice_guard import Drop, IceAddress, IceGuard
from voice.wire.ice_server import IceServer

PASSWORD, SECRET = "a-password-of-the-relay", "a-secret-that-is-shared"
USER = f"--user=centralino:{PASSWORD}"


def with_password(port: int, way: str = "udp") -> IceServer:
    url = f"turns:127.0.0.1:{port}" if way == "tls" else f"turn:127.0.0.1:{port}?transport={way}"
    return replace(IceServer.parse(url), username="centralino", password=PASSWORD)


def with_secret(port: int, secret: str = SECRET) -> IceServer:
    return replace(IceServer.parse(f"turn:127.0.0.1:{port}"), secret=secret.encode(), lasting_s=60)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with turn_server(USER) as opened:
        yield opened


def relays_only(answer: str) -> str:
    """Our host addresses are of no use to a browser outside: here they would be."""
    return "\r\n".join(line for line in answer.split("\r\n") if not line.endswith("typ host"))


async def exchange(call: BrowserCall, first: int = 0) -> str:
    """Twenty packets both ways; the kind of our address that they went by."""
    packets = [rtp(number) for number in range(first, first + 20)]
    for packet in packets:
        await call.browser.send(packet)
        call.peer.send([packet])
        await asyncio.sleep(0.005)
    await until(lambda: len(call.received) >= first + 20 and len(call.browser.heard) >= first + 20)
    assert call.received[first:] == call.browser.heard[first:] == packets
    pair = call.peer._connection.nominated
    assert pair is not None
    return pair.local_candidate.type


@pytest.mark.parametrize("way", ["udp", "tcp"])
async def test_a_browser_whose_only_path_is_a_relay(port: int, way: str) -> None:
    async with browser_call(FakeBrowser(turn=with_password(port, way))) as call:
        assert await exchange(call) == "host"
        assert call.guard.dropped.total() == 0


@pytest.mark.parametrize("way", ["udp", "tcp"])
async def test_a_node_whose_only_path_is_a_relay(port: int, way: str) -> None:
    async with browser_call(FakeBrowser(walled=True), servers=[with_password(port, way)], kept=relays_only) as call:
        assert await exchange(call) == "relay"
        assert await forged_through_the_relay(call) == 50
        assert await exchange(call, first=20) == "relay"
    assert call.guard.unanswered == {}


async def forged_through_the_relay(call: BrowserCall) -> int:
    """A stranger writes to our relayed address from the browser's host, which has a permission there (RFC 8656 section
    9 knows no ports); how much of it the guard dropped."""
    relay = next(c for c in call.peer._connection.local_candidates if c.type == "relay")
    with stranger("127.0.0.1") as raw:
        for datagram in list(forged_rtp())[:50]:
            raw.sendto(datagram, (relay.host, relay.port))
        await asyncio.sleep(0.2)
    return call.guard.dropped[Drop.UNCHECKED_SOURCE]


async def test_by_tls_and_the_certificate_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = ensure_certificate(tmp_path, "127.0.0.1")
    async with turn_server(USER, tls=(chain, key)) as port:
        assert await gathered([with_password(port, "tls")]) == ["host"], "nobody vouches for it"
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        assert await gathered([with_password(port, "tls")]) == ["host", "relay"]


async def gathered(servers: list[IceServer]) -> list[str]:
    """The kinds of our addresses."""
    guard = IceGuard([IceAddress("127.0.0.1")], servers=servers)
    connection = guard.connection()
    began = time.monotonic()
    await connection.gather_candidates()
    kinds = [candidate.type for candidate in connection.local_candidates]
    await connection.close()
    assert time.monotonic() - began < 5
    assert guard.unanswered.total() == len(servers) + 1 - len(kinds)
    return kinds


async def test_names_and_passwords_made_of_a_shared_secret() -> None:
    async with turn_server("--use-auth-secret", f"--static-auth-secret={SECRET}") as port:
        assert await gathered([with_secret(port)]) == ["host", "relay"]
        assert await gathered([with_secret(port, "another secret")]) == ["host"]
        async with browser_call(FakeBrowser(turn=with_secret(port))) as call:
            assert await exchange(call) == "host"


async def test_a_server_that_refuses_or_is_silent_costs_its_address_and_no_call(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    refused = replace(with_password(port), password="a-wrong-password")
    with stranger("127.0.0.1") as silent, structlog.testing.capture_logs() as told:
        servers = [refused, with_password(silent.getsockname()[1]), with_password(port)]
        async with browser_call(servers=servers) as call:
            assert await exchange(call) == "host"
    assert call.guard.unanswered == {str(refused): 1, str(servers[1]): 1}
    assert [line["server"] for line in told] == [str(refused), str(servers[1])]
    said = f"{told} {caplog.text} {servers} {call.guard.servers}"
    assert "TURN allocation created" in said, "the library's own log is read as well"
    for secret in (PASSWORD, "a-wrong-password", SECRET):
        assert secret not in said


async def test_how_we_are_seen_from_outside(port: int) -> None:
    """On loopback the same as we are, which is told once."""
    stun = IceServer.parse(f"stun:127.0.0.1:{port}")
    guard = IceGuard([IceAddress("127.0.0.1", advertised="198.51.100.7")], servers=[stun])
    connection = guard.connection()
    await connection.gather_candidates()
    assert [(c.host, c.type) for c in connection.local_candidates] == [("198.51.100.7", "host"), ("127.0.0.1", "srflx")]
    await connection.close()
    same = IceGuard([IceAddress("127.0.0.1")], servers=[stun]).connection()
    await same.gather_candidates()
    assert [c.type for c in same.local_candidates] == ["host"]
    await same.close()


def test_a_datagram_that_is_cut_short_does_not_end_an_allocation() -> None:
    """uvloop closes a socket whose protocol raises, and in the server's name writes who guesses our port."""
    server = ("127.0.0.1", 3478)
    client = TurnClient(server, "", "", 600, 500)
    cut = bytes.fromhex("001700082112a442") + bytes(12) + bytes.fromhex("000d000278780000")
    with pytest.raises(struct.error):
        TurnClientUdpProtocol.datagram_received(client, cut, server)
    client.datagram_received(cut, server)

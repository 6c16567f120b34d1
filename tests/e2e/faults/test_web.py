"""Everything but a browser at the web port, while somebody speaks in a live call."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.e2e.faults.browser import offered
from tests.e2e.faults.conversation import unharmed
from tests.e2e.faults.mutation import changed
from tests.e2e.node import Node
from tests.fakes.browser import FakeBrowser
from voice.caller import Caller

pytestmark = pytest.mark.timeout(90)

PATHS = (
    "/",
    "/api/calls",
    "/api/calls/x/audio",
    "/api/calls?limit=-1&before=%ff",
    "/api/calls/" + "a" * 5_000,
    "/api/whip",
    "/api/whip/nobody",
    "/calls/%00",
    "/signin",
    "/sign-in",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/metrics",
    "/healthz",
    "/nothing",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE")
BODIES = (
    b"",
    b"\xff\x00\xfe",
    b"{" * 10_000,
    b'{"name": 1e999, "password": ["\xed\xa0\x80"]}',
    b"name=%ff&password=" + b"x" * 100_000,
)
TYPES = ("application/json", "application/x-www-form-urlencoded", "application/sdp", "multipart/form-data; boundary=")


def raw_requests() -> Iterator[bytes]:
    """Bytes that are no HTTP, or more of it than anybody needs; each must be answered, or cut off."""
    rng = random.Random(20)
    for _ in range(20):
        yield rng.randbytes(rng.randint(1, 2_000)) + b"\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500)
    yield b"GET / HTTP/1.1\r\nhost: x\r\nfield: " + b"a" * 40_000 + b"\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(b"h%d: x\r\n" % n for n in range(5_000)) + b"\r\n"
    yield b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"
    yield b"GET / HTTP/9.9\r\nhost: x\r\n\r\n"
    yield b"POST /signin HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n"
    yield b"POST /signin HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    yield b"POST /api/whip HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n" + b"v=0\r\n" * 50_000


@asynccontextmanager
async def slow_heads(node: Node, number: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections, each from an address of its own, that begin a request and never end it."""
    connections = [
        await asyncio.open_connection("127.0.0.1", node.web_port, local_addr=(f"127.0.4.{last + 1}", 0))
        for last in range(number)
    ]
    try:
        for _, writer in connections:
            writer.write(b"GET / HTTP/1.1\r\nhost: ")
        yield [reader for reader, _ in connections]
    finally:
        for _, writer in connections:
            await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def exchange(node: Node, request: bytes, source: str) -> bytes:
    """What comes back; b"" when the connection is cut, before or after the request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.web_port, local_addr=(source, 0))
    try:
        writer.write(request)
        async with asyncio.timeout(15):
            return await reader.read(65_536)
    except ConnectionError:
        return b""
    finally:
        await close(writer)


async def raw(node: Node) -> None:
    for number, request in enumerate(raw_requests()):
        answer = await exchange(node, request, f"127.0.1.{number + 1}")
        assert answer == b"" or answer[:10] in (b"HTTP/1.1 2", b"HTTP/1.1 4"), (request[:60], answer[:200])


async def odd_requests(node: Node) -> Counter[int]:
    """Every method on every path, with bodies of any kind; the statuses."""
    rng = random.Random(21)
    statuses: Counter[int] = Counter()
    transport = httpx.AsyncHTTPTransport(local_address="127.0.2.1")
    async with httpx.AsyncClient(transport=transport, timeout=10, base_url=node.web_url) as client:
        for path in PATHS:
            for method in METHODS:
                headers = {"content-type": rng.choice(TYPES)}
                response = await client.request(method, path, content=rng.choice(BODIES), headers=headers)
                statuses[response.status_code] += 1
                assert response.status_code < 500, (method, path, response.text[:500])
    return statuses


async def mutated_offers(node: Node) -> Counter[int]:
    """Sixty offers that are nearly right, from as many addresses as the limit of each allows; the statuses."""
    rng = random.Random(22)
    browser = FakeBrowser()
    offer = (await browser.offer()).encode()
    statuses: Counter[int] = Counter()
    for number in range(60):
        response = await offered(node, changed(offer, rng), source=f"127.0.3.{number % 20 + 1}")
        statuses[response.status_code] += 1
        assert response.status_code in (201, 400, 429), (response.status_code, response.text)
    await browser.close()
    return statuses


async def test_the_web_port_takes_anything_and_the_call_goes_on(node: Node, caller: Caller) -> None:
    before = node.total("centralino_web_refused") + node.total("centralino_web_dropped")
    async with slow_heads(node, 40) as slow, unharmed(node, caller) as conversation:
        asking = asyncio.create_task(conversation.ask())
        await raw(node)
        statuses = await odd_requests(node)
        assert {404, 405} <= statuses.keys()
        offers = await mutated_offers(node)
        assert offers[400] > 10, offers
        await asking
        async with asyncio.timeout(15):  # a head that is not there in ten seconds is not waited for
            for reader in slow:
                assert await reader.read() == b""
    refused = sum(count for status, count in (statuses + offers).items() if status >= 400)
    counted = node.total("centralino_web_refused") + node.total("centralino_web_dropped") - before
    assert counted >= refused + len(slow) + 20
    assert node.figures()["centralino_web_dropped_total"]["slow_head"] >= len(slow)


async def test_one_address_may_not_offer_without_end(node: Node) -> None:
    statuses = Counter([(await offered(node, b"v=0", source="127.0.5.1")).status_code for _ in range(10)])
    assert statuses == {400: 5, 429: 5}

"""What stands before every route: headers, bodies, connections; real sockets where it matters."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from agent_assist.web.problems import Problem
from agent_assist.web.settings import SiteSettings
from dialog.errors import Overloaded
from tests.agent_assist.web.conftest import Site

extra = APIRouter()


@extra.post("/api/echo")
async def echo(request: Request) -> Response:
    return Response(await request.body())


@extra.get("/api/endless")
async def endless() -> StreamingResponse:
    async def blocks() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield bytes(65_536)

    return StreamingResponse(blocks())


@extra.get("/api/full")
async def full() -> Response:
    raise Overloaded("enough for now")


async def wire(site: Site, data: bytes, *, pause_s: float = 0.0) -> bytes:
    """Everything the server answers to `data` on one connection; with a pause, a byte at a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    try:
        if pause_s:
            for byte in data:
                if reader.at_eof() or writer.transport.is_closing():  # the latter where it was reset
                    break
                writer.write(bytes([byte]))
                await asyncio.sleep(pause_s)
        else:
            writer.write(data)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_every_answer_carries_the_headers(visitor: httpx.AsyncClient) -> None:
    for path in ("/", "/signin", "/nothing", "/api/calls", "/static/css/app.css", "/openapi.json", "/docs"):
        answer = await visitor.get(path)
        assert "script-src 'self'" in answer.headers["content-security-policy"], path
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        expected = "no-cache" if path.startswith("/static/") else "no-store"
        assert answer.headers["cache-control"] == expected, path
        assert "server" not in answer.headers


async def test_no_page_names_another_host_or_runs_an_inline_script(anna: httpx.AsyncClient, recorded: bytes) -> None:
    for path in ("/", "/signin", "/calls", "/calls/call-1", "/docs", "/nothing"):
        text = (await anna.get(path)).text
        assert "http://" not in text.replace("http://www.w3.org/", ""), path
        assert "https://" not in text, path
        assert "<script>" not in text
        assert "style=" not in text
        assert "onclick" not in text


async def test_unknown_pages_are_told_in_html(visitor: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/static/../app.py", "/static/%2e%2e/app.py", "/static/nothing.js", "/static/vendor"):
        answer = await visitor.get(path)
        assert answer.status_code == 404
        assert "<h1>Not Found</h1>" in answer.text


async def test_ten_megabytes_are_refused_and_a_megabyte_is_not(visitor: httpx.AsyncClient, site: Site) -> None:
    site.app.include_router(extra)
    answer = await visitor.post("/api/echo", content=bytes(1_000_000))
    assert len(answer.content) == 1_000_000
    answer = await visitor.post("/api/echo", content=bytes(10_000_000))
    assert answer.status_code == 413

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield bytes(65_536)

    answer = await visitor.post("/api/echo", content=blocks())
    assert answer.status_code == 413
    assert Problem.model_validate_json(answer.content).detail == "a body has at most 1000000 bytes"
    assert (await visitor.post("/api/echo", content=b"still here")).content == b"still here"
    assert (await visitor.post("/signin", content=bytes(10_000_000))).status_code == 413


async def test_a_body_that_never_comes_is_not_waited_for(site: Site) -> None:
    began = time.monotonic()
    answer = await wire(site, b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 5 + 2  # 0.5 s for the body, then the keep-alive time


@pytest.mark.parametrize("length", ["-1", "x", "1" * 400, "1_000"])
async def test_a_length_that_is_none_is_refused(site: Site, length: str) -> None:
    answer = await wire(site, f"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413")


async def test_a_head_that_drips_is_cut_off(site: Site) -> None:
    began = time.monotonic()
    answer = await wire(site, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 500, pause_s=0.02)
    assert answer == b""
    assert time.monotonic() - began < 3


async def test_a_silent_connection_is_cut_off(site: Site) -> None:
    async with asyncio.timeout(3):
        assert await wire(site, b"") == b""


async def test_a_head_without_end_is_refused(site: Site) -> None:
    answer = await wire(site, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000)
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "data", [b"\0" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"INVITE sip:x SIP/2.0\r\n\r\n"]
)
async def test_what_is_no_http_gets_a_400_or_nothing(site: Site, data: bytes) -> None:
    async with asyncio.timeout(4):
        answer = await wire(site, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


class TestFewConnections:
    @pytest.fixture
    def settings(self) -> SiteSettings:
        return SiteSettings(connections_per_address=5, header_timeout_s=0.5, stall_timeout_s=0.5)

    async def test_one_address_has_its_share_and_gets_it_back(self, site: Site) -> None:
        port = int(site.url.rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert await wire(site, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b""
        for _, writer in held:
            writer.close()
        await asyncio.sleep(0.05)
        answer = await wire(site, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")

    async def test_a_reader_that_stops_reading_is_cut_off(self, site: Site) -> None:
        site.app.include_router(extra)
        port = int(site.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /api/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.5)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(5):
                while await reader.read(1 << 20):
                    pass
                raise ConnectionResetError  # an end of file in mid body says the same
        writer.close()


async def test_the_houses_errors_have_their_answers(visitor: httpx.AsyncClient, site: Site) -> None:
    site.app.include_router(extra)
    answer = await visitor.get("/api/full")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert Problem.model_validate_json(answer.content).code == Overloaded.code

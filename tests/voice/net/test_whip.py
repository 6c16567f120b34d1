"""Browser calls over HTTP: the life of a call, each wrong request's answer, and bodies of any kind."""

import asyncio
import random
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.browser import FakeBrowser, rtp
from tests.fakes.browser_call import until
from tests.fakes.browser_calls import FakeBrowserCalls
from voice.net import whip
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.whip import PATH, Whip
from voice.wire.ice_server import IceServer

SDP = {"content-type": "application/sdp"}


@dataclass
class Server:
    calls: FakeBrowserCalls
    client: httpx.AsyncClient
    now: float = 0.0

    async def post(self, body: str | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        self.now += 60
        return await self.client.post(PATH, content=body, headers=headers or SDP)

    async def patch(self, path: str, body: str) -> httpx.Response:
        self.now += 60
        return await self.client.patch(path, content=body, headers=SDP)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    calls = FakeBrowserCalls()
    app = FastAPI()
    # an exception that escapes a handler is raised here, in the test
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
        made = Server(calls, client)
        app.include_router(Whip(calls, IceGuard([IceAddress("127.0.0.1")]), clock=lambda: made.now).router)
        yield made
    await calls.close()


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert set(document) == {"type", "title", "status", "code", "detail"}
    assert document["status"] == response.status_code
    return response.status_code, document["code"]


async def test_a_call_from_offer_to_hang_up(server: Server) -> None:
    browser = FakeBrowser()
    answered = await server.post(await browser.offer())
    assert answered.status_code == 201
    assert answered.headers["content-type"] == "application/sdp"
    where = answered.headers["location"]
    assert where.startswith("/api/whip/")
    assert len(where) >= len("/api/whip/") + 32
    assert "call-1" not in where
    await browser.connect(answered.text)
    peer = server.calls.peers["call-1"]
    received: list[bytes] = []
    peer.deliver_to(received.append)
    await until(lambda: peer.state == "connected")
    await browser.send(rtp(1))
    await until(lambda: received == [rtp(1)])

    gone = await server.client.delete(where)
    assert (gone.status_code, gone.content) == (204, b"")
    assert server.calls.ended == [("call-1", "hung_up")]
    await until(lambda: browser.state == "closed")
    assert problem(await server.client.delete(where)) == (404, "peer.unknown_call")
    await browser.close()


async def test_another_connection_takes_over_the_call(server: Server) -> None:
    first, second = FakeBrowser(), FakeBrowser()
    answered = await server.post(await first.offer())
    where = answered.headers["location"]
    await first.connect(answered.text)
    await first.vanish()

    resumed = await server.patch(where, await second.offer())
    assert (resumed.status_code, resumed.headers["content-type"]) == (200, "application/sdp")
    await second.connect(resumed.text)
    peer = server.calls.peers["call-1"]
    received: list[bytes] = []
    peer.deliver_to(received.append)
    await until(lambda: peer.state == "connected")
    await second.send(rtp(1))
    await until(lambda: received == [rtp(1)])
    assert list(server.calls.peers) == ["call-1"]

    await server.calls.end("call-1", "over")
    assert problem(await server.patch(where, await second.offer())) == (404, "peer.unknown_call")
    await second.close()


async def test_a_call_that_has_an_owner_is_nobody_elses() -> None:
    calls, app = FakeBrowserCalls(), FastAPI()

    async def signed_in(request: Request) -> str:
        if "who" not in request.headers:
            raise HTTPException(401)
        return request.headers["who"]

    app.include_router(Whip(calls, IceGuard([IceAddress("127.0.0.1")]), who=signed_in).router)
    browser = FakeBrowser()
    offer = await browser.offer()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
        where = (await client.post(PATH, content=offer, headers=SDP | {"who": "eve"})).headers["location"]
        for other, status in (({}, 401), ({"who": "bob"}, 404)):
            assert (await client.patch(where, content=offer, headers=SDP | other)).status_code == status
            assert (await client.delete(where, headers=other)).status_code == status
        assert calls.ended == []
        many = [await client.post(PATH, content="v=0", headers=SDP | {"who": "bob"}) for _ in range(6)]
        assert [refused.status_code for refused in many] == [400] * 5 + [429], "and so is the limit"
        assert (await client.patch(where, content=offer, headers=SDP | {"who": "eve"})).status_code == 200
        assert (await client.delete(where, headers={"who": "eve"})).status_code == 204
    await calls.close()
    await browser.close()


async def test_too_late_to_resume(server: Server) -> None:
    browser = FakeBrowser()
    offer = await browser.offer()
    where = (await server.post(offer)).headers["location"]
    peer = server.calls.peers.pop("call-1")  # the call is over, its peer not yet
    assert problem(await server.patch(where, offer)) == (404, "peer.unknown_call")
    await peer.close()
    await browser.close()


async def test_busy(server: Server) -> None:
    browser = FakeBrowser()
    offer = await browser.offer()
    where = (await server.post(offer)).headers["location"]
    server.calls.room = 0
    for response in (await server.post(offer), await server.patch(where, offer)):
        assert problem(response) == (503, "ours.overloaded")
        assert int(response.headers["retry-after"]) > 0
    await browser.close()


async def test_a_call_keeps_its_codec(server: Server) -> None:
    first, second = FakeBrowser(), FakeBrowser(formats="0", codec_lines=())
    where = (await server.post(await first.offer())).headers["location"]
    assert problem(await server.patch(where, await second.offer())) == (400, "peer.no_common_codec")
    assert server.calls.peers["call-1"].state != "ended"
    await first.close()
    await second.close()


async def test_no_media_socket() -> None:
    app = FastAPI()
    app.include_router(Whip(FakeBrowserCalls(), IceGuard([IceAddress("203.0.113.7")])).router)
    browser = FakeBrowser()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
        response = await client.post(PATH, content=await browser.offer(), headers=SDP)
    assert problem(response) == (503, "ours.media_socket")
    await browser.close()


async def test_wrong_requests(server: Server) -> None:
    offer = "v=0\r\n"
    assert problem(await server.post(offer, {"content-type": "application/json"})) == (415, "peer.media_type")
    assert problem(await server.post(offer, {"x": "y"})) == (415, "peer.media_type")
    assert problem(await server.post(b"x" * 65_537)) == (413, "peer.too_large")
    assert problem(await server.post(b"")) == (400, "peer.protocol")
    assert problem(await server.post(offer)) == (400, "peer.protocol")
    assert problem(await server.post(b"\xff\xfe")) == (400, "peer.protocol")
    assert problem(await server.patch(PATH + "/nobody", offer)) == (404, "peer.unknown_call")
    assert problem(await server.client.delete(PATH + "/nobody")) == (404, "peer.unknown_call")
    browser = FakeBrowser(formats="96", codec_lines=("a=rtpmap:96 VP8/90000",))
    assert problem(await server.post(await browser.offer())) == (400, "peer.no_common_codec")
    await browser.close()
    assert (await server.client.get(PATH)).status_code == 405
    upper = await server.post(offer, {"content-type": "Application/SDP; charset=utf-8"})
    assert problem(upper) == (400, "peer.protocol")
    assert server.calls.peers == {}


async def test_a_body_that_stalls_or_breaks_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below HTTP clients, which bring a body whole: ASGI messages by hand."""
    monkeypatch.setattr(whip, "BODY_TIMEOUT_S", 0.05)
    app = FastAPI()
    app.include_router(Whip(server.calls, IceGuard([IceAddress("127.0.0.1")])).router)
    for ending in ("stalls", "breaks off"):
        parts: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": b"v=0", "more_body": True}]
        if ending == "breaks off":
            parts.append({"type": "http.disconnect"})
        sent: list[MutableMapping[str, Any]] = []

        async def receive(parts: list[MutableMapping[str, Any]] = parts) -> MutableMapping[str, Any]:
            if parts:
                return parts.pop(0)
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: MutableMapping[str, Any], sent: list[MutableMapping[str, Any]] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": b"",
            "headers": [(b"content-type", b"application/sdp")],
            "client": ("127.0.0.1", 1),
        }
        await asyncio.wait_for(app(scope, receive, send), 2)
        assert sent[0]["status"] == 408


async def test_one_address_offers_only_so_often(server: Server) -> None:
    server.now = 1_000
    codes = [(await server.client.post(PATH, content="v=0", headers=SDP)).status_code for _ in range(7)]
    assert codes == [400] * 5 + [429] * 2
    server.now += 3
    assert (await server.client.post(PATH, content="v=0", headers=SDP)).status_code == 400
    refused = await server.client.post(PATH, content="v=0", headers=SDP)
    assert problem(refused) == (429, "peer.rate")
    assert refused.headers["retry-after"] == "60"


async def test_mutated_offers(server: Server) -> None:
    """Each gets 201 or 400, none an exception; what was accepted is hung up again."""
    browser = FakeBrowser()
    offer = (await browser.offer()).encode()
    rng = random.Random(9)
    answers: dict[int, int] = {}
    for turn in range(400):
        body = bytearray(offer)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(body))
            match turn % 4:
                case 0:
                    body[at] = rng.randrange(256)
                case 1:
                    del body[at : at + rng.randrange(1, 20)]
                case 2:
                    piece = rng.randrange(len(body))
                    body[at:at] = body[piece : piece + rng.randrange(100)]
                case _:
                    body[at:at] = rng.randbytes(rng.randrange(5))
        response = await server.post(bytes(body))
        answers[response.status_code] = answers.get(response.status_code, 0) + 1
        if response.status_code == 201:
            await server.client.delete(response.headers["location"])
        else:
            problem(response)
    assert set(answers) == {201, 400}
    assert min(answers.values()) > 40
    await browser.close()


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=2_000), content_type=st.text(st.characters(codec="latin-1"), max_size=30))
def test_any_body(body: bytes, content_type: str) -> None:
    async def post() -> None:
        app = FastAPI()
        app.include_router(Whip(FakeBrowserCalls(), IceGuard([IceAddress("127.0.0.1")])).router)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
            for kind in ("application/sdp", content_type):
                response = await client.post(PATH, content=body, headers={b"content-type": kind.encode("latin-1")})
                assert problem(response)[0] in (400, 415)

    asyncio.run(post())


async def test_a_page_is_told_of_servers_before_it_offers() -> None:
    stun = IceServer.parse("stun:stun.example.org")
    turn = replace(IceServer.parse("turn:turn.example.org"), secret=b"north", lasting_s=60)
    calls, app = FakeBrowserCalls(), FastAPI()
    whip = Whip(calls, IceGuard([IceAddress("127.0.0.1")]), servers=[stun, turn], clock=lambda: 0.0, date=lambda: 5.0)
    app.include_router(whip.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
        told = await client.options(PATH)
        assert (told.status_code, told.content, told.headers["accept-post"]) == (204, b"", "application/sdp")
        first, second = told.headers.get_list("link")
        assert first == '<stun:stun.example.org:3478>; rel="ice-server"'
        assert second.startswith('<turn:turn.example.org:3478?transport=udp>; rel="ice-server"; username="65:')
        again = await client.options(PATH)
        assert again.headers.get_list("link")[1] != second, "each page has a name of its own"
        browser = FakeBrowser()
        answered = await client.post(PATH, content=await browser.offer(), headers=SDP)
        await browser.close()
        assert answered.status_code == 201
        assert len(answered.headers.get_list("link")) == 2
        asked = [(await client.options(PATH)).status_code for _ in range(10)]
        assert asked[-1] == 429, "names and passwords are not given away by the thousand"
    await calls.close()


async def test_without_servers_a_page_is_told_of_none(server: Server) -> None:
    told = await server.client.options(PATH)
    assert told.status_code == 204
    assert "link" not in told.headers

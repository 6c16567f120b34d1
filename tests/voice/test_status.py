"""Refusals are counted by status: of requests, and of sockets that were refused in words or without any."""

from collections import Counter

import httpx
import pytest
from fastapi import FastAPI, HTTPException, WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agent_assist.web.settings import SiteSettings
from tests.fakes.http_server import serving
from voice.observe import Metrics
from voice.status import CountedAnswers, status_router


async def test_refused_requests_and_refused_sockets_are_counted_by_status() -> None:
    app, refused = FastAPI(), Counter[str]()
    app.add_middleware(CountedAnswers, refused=refused)

    @app.websocket("/in-words")
    async def in_words(websocket: WebSocket) -> None:
        raise HTTPException(401, "sign in")

    @app.websocket("/shut")
    async def shut(websocket: WebSocket) -> None:
        await websocket.close()

    @app.websocket("/open")
    async def opened(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4401)

    async with serving(app, SiteSettings()) as url:
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/nothing")).status_code == 404
            assert (await client.get(f"{url}/docs")).status_code == 200
        there = url.replace("http", "ws", 1)
        for path in ("in-words", "shut"):
            with pytest.raises(InvalidStatus):
                async with connect(f"{there}/{path}", proxy=None):
                    pass
        async with connect(f"{there}/open", proxy=None) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
    assert refused == {"404": 1, "401": 1, "403": 1}, "a socket that was taken and closed is no refusal"


async def test_a_node_is_ready_though_something_else_is_amiss() -> None:
    app, unready = FastAPI(), [""]
    app.include_router(
        status_router(Metrics(), lambda: unready[0], lambda: ["trunk carrier is down: OPTIONS: no answer"])
    )
    async with serving(app, SiteSettings()) as url, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url}/readyz")
        assert (answer.status_code, answer.text) == (200, "ok\ntrunk carrier is down: OPTIONS: no answer\n")
        unready[0] = "full"
        answer = await client.get(f"{url}/readyz")
        assert (answer.status_code, answer.text.splitlines()[0]) == (503, "full")

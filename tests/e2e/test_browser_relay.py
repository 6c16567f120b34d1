"""Chromium that may send no UDP but by a proxy, and our own page: the only path is a real TURN server, over TCP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

import agent_assist.web
from tests.e2e.browser import Tab, chromium
from tests.e2e.test_browser_echo import EchoCalls
from tests.turn_server import turn_server
from voice.media.plane import MediaPlane
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.whip import Whip
from voice.wire.ice_server import IceServer

NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
SECRET = "a-secret-that-is-shared"
STATIC = Path(agent_assist.web.__file__).parent / "static"
PAGE = """<!doctype html><title>call</title><link rel="icon" href="data:,"><script type="module">
import { RtcCall } from "/static/call/rtc-call.js";
window.call = new RtcCall();
</script>"""


@asynccontextmanager
async def served(*servers: IceServer) -> AsyncIterator[tuple[str, EchoCalls]]:
    """A page's address, and the calls that come from it; pages are told of `servers`."""
    plane = MediaPlane(asyncio.get_running_loop(), capacity=2)
    plane.start()
    calls, app = EchoCalls(plane), FastAPI()
    app.include_router(Whip(calls, IceGuard([IceAddress("127.0.0.1")]), servers=servers).router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_api_route("/", lambda: HTMLResponse(PAGE))
    node = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(node.serve())
    while not node.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{node.servers[0].sockets[0].getsockname()[1]}/", calls
    finally:
        await calls.close()
        await plane.close()
        node.should_exit = True
        await serving


async def state(tab: Tab) -> str:
    await tab.page.evaluate("() => call.start()")
    told: str = await tab.page.evaluate("() => call.state")
    return told


@pytest.mark.timeout(120)
async def test_a_page_that_is_told_of_a_relay_talks_through_it() -> None:
    async with turn_server("--use-auth-secret", f"--static-auth-secret={SECRET}") as port:
        turn = replace(IceServer.parse(f"turn:127.0.0.1:{port}?transport=tcp"), secret=SECRET.encode(), lasting_s=600)
        async with served(turn) as (url, calls), chromium(flags=(NO_UDP,)) as browser:
            tab = await browser.open(url)
            assert await state(tab) == "talking"
            pair = calls.peers["call-1"]._connection.nominated
            assert pair is not None
            relayed = await tab.page.evaluate(
                """async () => [...(await __peerConnections.at(-1).getStats()).values()]
                    .filter((s) => s.type === "local-candidate" && s.protocol === "udp")
                    .map((s) => [s.candidateType, s.relayProtocol, s.port])"""
            )
            assert relayed == [["relay", "tcp", pair.remote_addr[1]]]
            await asyncio.sleep(2)
            inbound = await tab.received_audio()
            assert inbound["packets"] > 50
            assert calls.legs[0].stats.packets_received > 50
            await tab.page.evaluate("() => call.hangup()")


@pytest.mark.timeout(120)
async def test_a_page_that_is_told_of_none_finds_no_way() -> None:
    """Else the test above would show nothing."""
    async with served() as (url, _), chromium(flags=(NO_UDP,)) as browser:
        tab = await browser.open(url)
        assert await state(tab) == "ended"

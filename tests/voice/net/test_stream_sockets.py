"""Streams by WebSocket over real sockets, behind the guard of a node: doors, sizes, and peers that do not read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agent_assist.web.settings import SiteSettings
from dialog.events import CallEnded, CallStarted
from tests.fakes.browser_call import until
from tests.fakes.house import House, house
from tests.fakes.http_server import serving
from tests.voice.wire.streams.frames import TWILIO_STOP, twilio_start
from voice.config import Settings
from voice.net.stream_sockets import Door, StreamSockets
from voice.platforms import ALLOWANCES
from voice.ports import TICK_MS
from voice.settings.sections import LimitSettings
from voice.streams import StreamCalls
from voice.wire.streams.freeswitch import FreeswitchStream
from voice.wire.streams.stream import MAX_AUDIO
from voice.wire.streams.twilio import TwilioStream


class Loud(TwilioStream):
    """Says a hundred times as much: what the system holds of it for a peer is soon used up."""

    def play(self, payload: bytes) -> None:
        super().play(payload * 100)


def anybody(_request: HTTPConnection) -> bool:
    return True


def nobody(_request: HTTPConnection) -> bool:
    return False


@dataclass
class Served:
    house: House
    url: str

    async def over(self) -> str:
        """The cause of the only call, once it is over."""
        await until(lambda: self.house.calls.live == 0)
        (ended,) = self.house.told(CallEnded)
        return ended.cause


@asynccontextmanager
async def served(*, calls: int = 8) -> AsyncIterator[Served]:
    async with house(limits=LimitSettings(calls=calls)) as home:
        streams = StreamCalls(Settings.model_validate({"bots": {"*": "echo"}}), home.calls, home.plane)
        app = FastAPI()
        doors = {"open": Door(Loud, anybody), "audio": Door(FreeswitchStream, anybody), "shut": Door(Loud, nobody)}
        app.include_router(StreamSockets(streams, doors).router)
        async with serving(app, SiteSettings(), ALLOWANCES) as url:
            yield Served(home, url.replace("http", "ws") + "/api/media/")


async def begun(it: Served, peer: ClientConnection) -> None:
    await peer.send(twilio_start())
    await until(lambda: it.house.calls.live == 1)


async def closed(peer: ClientConnection) -> int:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            while True:
                await peer.recv()
    return peer.close_code or 0


async def test_a_call_from_its_beginning_to_its_end() -> None:
    async with served() as it, connect(it.url + "open", subprotocols=["media"]) as peer:  # type: ignore[list-item]
        assert peer.subprotocol == "media"
        await begun(it, peer)
        await it.house.tick(100)
        assert '"media"' in str(await peer.recv())
        await peer.send(TWILIO_STOP)
        await it.house.tick(TICK_MS)
        assert await closed(peer) == 1000
        assert await it.over() == "caller"


async def test_a_peer_that_closes_has_hung_up() -> None:
    async with served() as it, connect(it.url + "open") as peer:
        await begun(it, peer)
        await peer.close()
        assert await it.over() == "caller"


async def test_a_peer_that_is_gone_has_lost_its_call() -> None:
    async with served() as it, connect(it.url + "open") as peer:
        await begun(it, peer)
        peer.transport.abort()
        assert await it.over() == "lost"


async def test_who_has_no_business_here_is_refused() -> None:
    async with served(calls=1) as it:
        for path, status in (("shut", 403), ("none", 403)):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(it.url + path):
                    pass
            assert refused.value.response.status_code == status
        async with connect(it.url + "open"):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(it.url + "open"):
                    pass
            assert refused.value.response.status_code == 503
        assert it.house.told(CallStarted) == []


async def test_more_may_be_said_than_on_a_page() -> None:
    async with served() as it, connect(it.url + "open") as peer:
        await peer.send(twilio_start(**{f"p{number}": "x" * 250 for number in range(40)}))
        await until(lambda: it.house.calls.live == 1)


async def test_but_not_without_end() -> None:
    async with served() as it, connect(it.url + "audio") as peer:
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(30):
                while True:
                    await peer.send(bytes(MAX_AUDIO - 1))
        assert peer.close_code == 1008
        assert await it.over() == "lost"


async def test_a_message_that_is_too_long_ends_the_call() -> None:
    async with served() as it, connect(it.url + "open") as peer:
        await begun(it, peer)
        await peer.send(bytes(MAX_AUDIO + 1))
        assert await closed(peer) == 1009
        assert await it.over() == "lost"


async def test_what_no_reading_allows_ends_the_call() -> None:
    async with served() as it, connect(it.url + "open") as peer:
        await begun(it, peer)
        await peer.send(b"\x00")
        assert await closed(peer) == 1000
        assert await it.over() == "refused"


async def test_a_peer_that_does_not_read_is_cut() -> None:
    async with served() as it, connect(it.url + "open") as peer:
        await begun(it, peer)
        peer.transport.pause_reading()
        async with asyncio.timeout(30):
            while it.house.calls.live:
                await it.house.tick(TICK_MS)
        assert await it.over() == "lost"
        peer.transport.abort()

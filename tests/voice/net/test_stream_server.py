"""Streams by TCP over real sockets: who may connect, and who is cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from dialog.events import CallEnded
from tests.fakes.browser_call import until
from tests.fakes.house import House, house
from voice.config import Settings
from voice.net.stream_server import StreamServer
from voice.ports import TICK_MS
from voice.settings.sections import LimitSettings
from voice.streams import StreamCalls
from voice.wire.streams.audiosocket import AudioSocketStream, Kind, packed

HOST = "127.0.0.1"
HELLO = packed(Kind.UUID, UUID(int=1).bytes)


class Loud(AudioSocketStream):
    """Says a hundred times as much: what the system holds of it for a peer is soon used up."""

    def play(self, payload: bytes) -> None:
        super().play(payload * 100)


@asynccontextmanager
async def listening(*, allowed: bool = True, calls: int = 8) -> AsyncIterator[tuple[House, StreamServer, int]]:
    async with house(limits=LimitSettings(calls=calls)) as home:
        streams = StreamCalls(Settings.model_validate({"bots": {"*": "echo"}}), home.calls, home.plane)
        server = StreamServer(streams, Loud, lambda _address: allowed)
        port = await server.start(HOST, 0)
        try:
            yield home, server, port
        finally:
            home.calls.end_all()
            await until(lambda: home.calls.live == 0)
            await server.close()


async def over(home: House) -> str:
    await until(lambda: home.calls.live == 0)
    (ended,) = home.told(CallEnded)
    return ended.cause


async def test_a_call_from_its_beginning_to_its_end() -> None:
    async with listening() as (home, server, port):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(HELLO[:5])
        await writer.drain()
        writer.write(HELLO[5:])
        await until(lambda: home.calls.live == 1)
        await home.tick(100)
        assert (await reader.readexactly(3))[:1] == b"\x10"
        writer.write(packed(Kind.HANGUP))
        assert await over(home) == "caller"
        await reader.read()
        writer.close()
        assert not server.cut


async def test_a_peer_that_closes_has_hung_up() -> None:
    async with listening() as (home, _, port):
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(HELLO)
        await until(lambda: home.calls.live == 1)
        writer.close()
        assert await over(home) == "caller"


async def test_strangers_and_those_for_whom_there_is_no_place_are_cut() -> None:
    async with listening(allowed=False) as (_, server, port):
        _, writer = await asyncio.open_connection(HOST, port)
        await until(lambda: bool(server.cut))
        writer.close()
        assert server.cut == {"stranger": 1}
    async with listening(calls=1) as (_, server, port):
        writers = [(await asyncio.open_connection(HOST, port))[1] for _ in range(2)]
        await until(lambda: bool(server.cut))
        assert server.cut == {"overloaded": 1}
        for writer in writers:
            writer.close()


async def test_a_peer_that_does_not_read_is_cut() -> None:
    async with listening() as (home, server, port):
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(HELLO)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket is one for reading, too
        await until(lambda: home.calls.live == 1)
        await until_cut(home)
        assert server.cut == {"does not read": 1}
        writer.close()


async def until_cut(home: House) -> None:
    """Audio time runs until the call is lost, and the loop with it."""
    async with asyncio.timeout(30):
        while home.calls.live:
            await home.tick(TICK_MS)
    assert await over(home) == "lost"

"""The agents' feed over real sockets: who gets in, what cuts them off, and how they come back."""

import asyncio
import contextlib
import socket as sockets
import time
from dataclasses import replace

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agent_assist.auth.users import Role
from agent_assist.desk.feed import READERS, AgentFeeds
from agent_assist.desk.messages import MeChanged, Snapshot
from agent_assist.desk.ports import Presence
from agent_assist.web.agent_api import DeskParts
from agent_assist.web.app import create_app
from agent_assist.web.problems import Problem
from agent_assist.web.settings import SiteSettings
from tests.agent_assist.conftest import Clock
from tests.agent_assist.web.agents import Agent, feed, signed_in, told
from tests.agent_assist.web.conftest import Site
from tests.fakes.desk import FakeDesk, fake_desk
from tests.fakes.http_server import serving

WITHIN_S = 5.0


@pytest.fixture
def settings() -> SiteSettings:
    return SiteSettings(feed_stall_s=0.5, feed_check_s=0.1, feeds_per_address=READERS + 3, header_timeout_s=0.5)


@pytest.fixture
def parts(desk_and_parts: tuple[FakeDesk, DeskParts]) -> DeskParts:
    return desk_and_parts[1]


async def closed(socket: ClientConnection) -> int:
    """The code with which the node ends an open feed, within seconds."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(WITHIN_S):
            while True:
                await socket.recv()
    return socket.close_code or 0


async def refused(site: Site, *, cookie: str = "", token: str = "", origin: str = "") -> int:
    """The status that answers an attempt; a problem document tells why."""
    with pytest.raises(InvalidStatus) as refusal:
        async with feed(site, cookie=cookie, token=token, origin=origin):
            pass
    response = refusal.value.response
    assert Problem.model_validate_json(bytes(response.body or b"")).status == response.status_code
    return response.status_code


async def test_the_screen_comes_first_and_then_what_changes(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        first = await told(socket)
        assert isinstance(first.message, Snapshot)
        assert first.message.me.presence is Presence.AWAY
        assert desk.asked == [("gus", "arrive", ("billing",))]
        desk.audio("gus", connected=True)
        second = await told(socket)
        assert (second.run, second.seq) == (first.run, first.seq + 1)
        assert isinstance(second.message, MeChanged)
    assert desk.asked[-1] == ("gus", "depart")


async def test_a_page_that_comes_back_gets_what_came_since_once(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus:
        async with gus.feed() as socket:
            first = await told(socket)
        async with gus.feed() as other:  # a second tab keeps the agent at the desk
            await told(other)
            desk.audio("gus", connected=True)
            desk.ring("gus")
            async with gus.feed(f"{first.run}.{first.seq}") as socket:
                since = [await told(socket) for _ in range(3)]
                desk.withdraw("gus", "caller")
                since += [await told(socket) for _ in range(2)]
    numbers = [envelope.seq for envelope in since]
    assert numbers == list(range(first.seq + 1, first.seq + 1 + len(numbers)))
    assert not any(isinstance(envelope.message, Snapshot) for envelope in since)


async def test_programs_come_by_token_and_need_no_origin(site: Site, desk: FakeDesk) -> None:
    await site.users.add("gus", Role.AGENT, "correct horse battery")
    token = await site.users.add_token("gus", "screen")
    async with feed(site, token=token) as socket:
        assert isinstance((await told(socket)).message, Snapshot)
    assert await refused(site, token=token + "x") == 401
    await site.users.remove_token("gus", "screen")
    assert await refused(site, token=token) == 401


async def test_nobody_else_gets_in(site: Site, desk: FakeDesk, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async with signed_in(site) as gus:
        good = gus.cookie
        forged = good[:-1] + ("0" if good[-1] != "0" else "1")
        for cookie in ("", forged, "x." + "0" * 64, "." * 500):
            assert await refused(site, cookie=cookie, origin=site.url) == 401
        for origin in ("", "null", "https://evil.example", site.url.replace("127.0.0.1", "localhost"), site.url + "1"):
            assert await refused(site, cookie=good, origin=origin) == 403
        token = await site.users.add_token("gus", "screen")
        assert await refused(site, token=token, origin="https://evil.example") == 403
        clock.now_s += 3601
        assert await refused(site, cookie=good, origin=site.url) == 401
    assert desk.asked == []
    assert [record for record in caplog.records if record.name == "uvicorn.error"] == []  # a stranger fills no log


async def test_other_paths_are_no_sockets(site: Site) -> None:
    for path in ("/", "/calls", "/api/agent/presence", "/api/nothing", "/static/icon.svg"):
        with pytest.raises(InvalidStatus):
            async with feed(site, path=path, origin=site.url):
                pass


class TestRareLooks:
    @pytest.fixture
    def settings(self) -> SiteSettings:
        return SiteSettings(feed_check_s=60)

    async def test_signing_out_ends_the_open_feeds_of_that_session_alone(self, site: Site, desk: FakeDesk) -> None:
        async with (
            signed_in(site) as gus,
            signed_in(site, "ida") as ida,
            gus.feed() as one,
            gus.feed() as two,
            ida.feed() as other,
        ):
            await told(other)
            form = {"csrf": await gus.csrf()}
            assert (await gus.client.post("/signout", data=form)).status_code == 303
            assert [await closed(one), await closed(two)] == [4401, 4401]
            desk.audio("ida", connected=True)
            while not isinstance((await told(other)).message, MeChanged):
                pass


@pytest.mark.parametrize("ending", ["expired", "removed", "password", "token"])
async def test_an_open_feed_ends_with_the_right_to_it(site: Site, clock: Clock, desk: FakeDesk, ending: str) -> None:
    async with signed_in(site) as gus:
        token = await site.users.add_token("gus", "screen")
        async with feed(site, token=token) if ending == "token" else gus.feed() as socket:
            await told(socket)
            if ending == "expired":
                clock.now_s += 12 * 3600 + 1
            elif ending == "removed":
                await site.users.remove("gus")
            elif ending == "password":
                await site.users.set_password("gus", "another good one")
            else:
                await site.users.remove_token("gus", "screen")
            assert await closed(socket) == 4401
    assert desk.asked[-1] == ("gus", "depart")


async def test_an_open_feed_is_use_of_the_session(site: Site, clock: Clock, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        for _ in range(3):
            clock.now_s += 1800
            await asyncio.sleep(0.25)  # two looks at the session
        desk.audio("gus", connected=True)
        await told(socket)
        assert (await gus.client.get("/agent")).status_code == 200


async def test_a_store_that_fails_signs_nobody_out(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        async with site.users.database.write("break it") as connection:
            await connection.exec_driver_sql("ALTER TABLE sessions RENAME TO gone")
        await asyncio.sleep(0.3)
        desk.audio("gus", connected=True)
        await told(socket)


async def test_ten_megabytes_close_with_1009_and_cost_the_others_nothing(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, signed_in(site, "ida") as ida, ida.feed() as other:
        await told(other)
        for frame in ("x" * 10_000_000, bytes(10_000_000)):
            async with gus.feed() as socket:
                began = time.process_time()
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(frame)
                assert await closed(socket) == 1009
                assert time.process_time() - began < 3  # masking it in the client is most of it
        desk.audio("ida", connected=True)
        await asyncio.wait_for(told(other), 1)


async def test_many_fragments_are_one_message_too_long(site: Site) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(["x" * 100] * 40)
        assert await closed(socket) == 1009


async def test_a_client_that_talks_is_cut(site: Site) -> None:
    async with signed_in(site) as gus:
        async with gus.feed() as socket:
            for _ in range(4):
                await socket.send("keep alive")
            await told(socket)
            for _ in range(20):
                await socket.send("x")
            assert await closed(socket) == 1008
        async with gus.feed() as socket:
            await told(socket)
            with contextlib.suppress(ConnectionClosed):
                for _ in range(2_000):
                    await socket.ping()
            assert await closed(socket) == 1008


async def test_a_reader_that_stops_reading_is_cut_and_comes_back(site: Site, desk: FakeDesk, parts: DeskParts) -> None:
    async with signed_in(site) as gus, gus.feed() as quick:
        first = await told(quick)
        raw = await stopped_reader(site, gus)
        text = "word " * 20_000
        desk.audio("gus", connected=True)
        desk.ring("gus")
        desk.answer("gus", "call-1")
        for utterance in range(60):
            desk.hear("call-1", text, utterance=utterance)
            while (await told(quick)).message.type != "recorded":
                pass
        assert parts.feeds.readers == 2
        async with asyncio.timeout(WITHIN_S):
            while parts.feeds.readers > 1:
                await asyncio.sleep(0.02)
        raw.close()
        async with gus.feed(f"{first.run}.{first.seq}") as back:
            assert (await told(back)).seq == first.seq + 1


class TestQuickPings:
    @pytest.fixture
    def settings(self) -> SiteSettings:
        return SiteSettings(feed_ping_s=0.2)

    async def test_a_page_that_is_gone_without_a_word_is_noticed(self, site: Site, parts: DeskParts) -> None:
        async with signed_in(site) as gus, gus.feed() as other:
            await told(other)
            raw = await stopped_reader(site, gus)
            async with asyncio.timeout(WITHIN_S):
                while parts.feeds.readers < 2:
                    await asyncio.sleep(0.01)
                while parts.feeds.readers > 1:
                    await asyncio.sleep(0.01)
            raw.close()
            assert other.close_code is None  # it answers, without being asked to by its page


class TestAShortLog:
    @pytest.fixture
    def desk_and_parts(self) -> tuple[FakeDesk, DeskParts]:
        return fake_desk(AgentFeeds(log=20))

    async def test_a_reader_that_fell_behind_is_told_to_come_back(self, site: Site, desk: FakeDesk) -> None:
        async with signed_in(site) as gus, gus.feed() as socket:
            first = await told(socket)
            desk.audio("gus", connected=True)
            desk.ring("gus")
            desk.answer("gus", "call-1")
            for utterance in range(100):
                desk.hear("call-1", "word " * 20_000, utterance=utterance)
                await asyncio.sleep(0.001)  # the node sends until the socket is full; nobody reads
            assert await closed(socket) == 1013
            async with gus.feed(f"{first.run}.{first.seq}") as back:
                message = (await told(back)).message
                assert isinstance(message, Snapshot)
                assert message.call is not None
                assert len(message.call.records) == 201


async def stopped_reader(site: Site, gus: Agent) -> sockets.socket:
    """A socket that shook hands for the feed, and reads nothing of it."""
    host, port = "127.0.0.1", int(site.url.rpartition(":")[2])
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (host, port))
    head = (
        f"GET /api/agent/feed HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {site.url}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Cookie: centralino={gus.cookie}\r\n\r\n"
    )
    await loop.sock_sendall(raw, head.encode())
    assert (await loop.sock_recv(raw, 12)) == b"HTTP/1.1 101"
    return raw


async def test_more_pages_than_may_be_open_end_the_oldest(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as oldest:
        await told(oldest)
        others = [await gus.feed() for _ in range(READERS)]
        assert await closed(oldest) == 4409
        for other in others:
            await other.close()


async def test_one_address_has_its_share_of_feeds_and_gets_it_back(site: Site, settings: SiteSettings) -> None:
    async with signed_in(site) as gus, signed_in(site, "ida") as ida:
        held = [await (gus if n % 2 else ida).feed() for n in range(settings.feeds_per_address)]
        assert await refused(site, cookie=gus.cookie, origin=site.url) == 429
        for one in held:
            await one.close()
        async with gus.feed() as again:
            assert isinstance((await told(again)).message, Snapshot)


async def test_a_feed_outlives_the_clocks_of_its_request(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        await asyncio.sleep(0.8)  # the head's clock would have rung
        desk.audio("gus", connected=True)
        await told(socket)


async def test_a_node_that_stops_says_so_and_does_not_wait(site: Site, parts: DeskParts) -> None:
    await site.users.add("gus", Role.AGENT, "correct horse battery")
    token = await site.users.add_token("gus", "screen")
    settings = SiteSettings()
    began = 0.0
    async with serving(create_app(site.store, site.users, site.recordings, settings, parts), settings) as url:
        socket = await feed(replace(site, url=url), token=token)
        await told(socket)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert await closed(socket) == 1012
    assert parts.feeds.readers == 0


class TestFewConnections:
    @pytest.fixture
    def settings(self) -> SiteSettings:
        return SiteSettings(connections_per_address=6)

    async def test_feeds_count_as_connections_and_are_counted_back(self, site: Site) -> None:
        await site.users.add("gus", Role.AGENT, "correct horse battery")
        token = await site.users.add_token("gus", "screen")
        for _ in range(4):
            held = [await feed(site, token=token) for _ in range(4)]
            for one in held:
                await one.close()
        held = [await feed(site, token=token) for _ in range(4)]
        async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
            assert (await client.get("/")).status_code == 200
        for one in held:
            await one.close()

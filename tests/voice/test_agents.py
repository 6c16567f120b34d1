"""Agents' audio: real connections on loopback, told to the desk as it comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dialog.errors import Overloaded
from tests.fakes.browser import FakeBrowser
from tests.fakes.browser_call import until
from tests.fakes.house import House, house
from voice.agents import AgentLines
from voice.browser_lines import BrowserLine, BrowserLines
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer, PeerState
from voice.ports import TICK_MS


class Pages:
    """Pages of agents, and what the desk was told of them. Pages and peers are closed at the end."""

    def __init__(self, home: House, places: int = 2) -> None:
        self.house = home
        self.told: list[tuple[str, bool]] = []
        self.lines: BrowserLines = AgentLines(home.plane, home.tasks, places, lambda *told: self.told.append(told))
        self.pages: list[FakeBrowser] = []
        self.peers: list[BrowserPeer] = []
        self._guard = IceGuard([IceAddress("127.0.0.1")])

    @property
    def agents(self) -> AgentLines:
        assert isinstance(self.lines, AgentLines)
        return self.lines

    async def offered(self) -> tuple[FakeBrowser, BrowserPeer]:
        """A new page, and the peer for its offer."""
        page = FakeBrowser()
        peer = await BrowserPeer.answer(self._guard, await page.offer())
        self.pages.append(page)
        self.peers.append(peer)
        return page, peer

    async def open(self, agent: str) -> str:
        """A line of `agent` that stands; its id."""
        page, peer = await self.offered()
        line_id = await self.lines.accept(peer, agent)
        await self.connect(page, peer)
        return line_id

    async def connect(self, page: FakeBrowser, peer: BrowserPeer) -> None:
        await page.connect(peer.answer_sdp)
        await until(lambda: peer.state is not PeerState.CONNECTING)
        await self.house.tick(TICK_MS)

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()
        for page in self.pages:
            await page.close()
        await self.house.tick(TICK_MS)


@asynccontextmanager
async def pages(*, places: int = 2, rows: int = 8) -> AsyncIterator[Pages]:
    async with house(rows=rows) as home:
        laid = Pages(home, places)
        try:
            yield laid
        finally:
            await laid.close()


async def test_audio_that_stands_is_told_and_so_is_its_end() -> None:
    async with pages() as it:
        line_id = await it.open("eve")
        assert it.told == [("eve", True)]
        leg = it.agents.leg("eve")
        assert leg is not None
        assert it.agents.leg("bob") is None
        await it.lines.end(line_id, "hung_up")
        assert it.told == [("eve", True), ("eve", False)]
        assert it.agents.leg("eve") is None
        assert leg.closed


async def test_the_newest_line_of_an_agent_counts_and_the_one_before_is_closed() -> None:
    async with pages() as it:
        await it.open("eve")
        first = it.agents.leg("eve")
        await it.open("eve")
        assert it.told == [("eve", True), ("eve", False), ("eve", True)]
        await until(lambda: it.peers[0].state is PeerState.ENDED)
        await asyncio.sleep(0)
        assert first is not None and first.closed
        assert it.agents.leg("eve") not in (None, first)
        assert it.told[-1] == ("eve", True), "the end of the one before is no news"


async def test_a_page_that_lost_its_way_and_connects_anew_is_heard_again_on_the_same_leg() -> None:
    async with pages() as it:
        line_id = await it.open("eve")
        leg = it.agents.leg("eve")
        await it.pages[0].close()
        await until(lambda: it.peers[0].state is PeerState.LOST)
        assert it.told[-1] == ("eve", False)
        assert it.agents.leg("eve") is None
        page, peer = await it.offered()
        await it.lines.resume(line_id, peer)
        await it.connect(page, peer)
        assert it.told[-1] == ("eve", True)
        assert it.agents.leg("eve") is leg


async def test_there_are_so_many_places_and_an_agent_has_one_of_them_already() -> None:
    async with pages(places=1) as it:
        await it.open("eve")
        _, peer = await it.offered()
        with pytest.raises(Overloaded):
            await it.lines.accept(peer, "bob")
        await it.open("eve")


class Failing(BrowserLines):
    """Lines for which nobody has a use: whatever is made of them fails."""

    def _admit(self, who: str) -> None: ...

    def _connected(self, line: BrowserLine, leg: MediaLeg) -> None:
        raise OSError("no space left on device")

    def _keyed(self, line: BrowserLine, digits: str) -> None: ...

    def _over(self, line: BrowserLine, cause: str) -> None: ...


async def test_a_line_that_nobody_can_use_gives_its_leg_back(capsys: pytest.CaptureFixture[str]) -> None:
    async with pages(rows=1) as it:
        it.lines = Failing(it.house.plane, it.house.tasks)
        page, peer = await it.offered()
        await it.lines.accept(peer, "eve")
        await page.connect(peer.answer_sdp)
        await until(lambda: peer.state is PeerState.ENDED)
        await it.house.tick(2 * TICK_MS)
        assert "no space left on device" in capsys.readouterr().out
        plane: MediaPlane = it.house.plane
        it.lines = AgentLines(plane, it.house.tasks, 1, lambda *told: it.told.append(told))
        await it.open("eve")
        assert it.told == [("eve", True)]

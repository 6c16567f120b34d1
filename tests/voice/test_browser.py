"""Calls from browsers: real connections on loopback, and sound that the test ticks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from dialog.actions import Collect, Expect, Hangup, Reply, Say
from dialog.errors import NoCommonCodec, Overloaded, PeerForbidden
from dialog.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    KeysPressed,
    Record,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    AgentRung,
    BotReturned,
    CallerPutThrough,
    HoldChanged,
    NoteWritten,
    SuggestionsShown,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
)
from tests.fakes.bot import FakeBot, ask
from tests.fakes.browser import FakeBrowser, rtp
from tests.fakes.browser_call import until
from tests.fakes.coders import OpusCoder
from tests.fakes.house import House, house
from tests.voice.media.ticks import expected_loss
from voice.browser import KEYS_AT_ONCE, BrowserCalls
from voice.config import Settings
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer, PeerState
from voice.ports import TICK_MS, TICK_SAMPLES
from voice.settings.sections import LimitSettings
from voice.wire.rtcp import Report, ReportBlock
from voice.wire.rtp import RtpPacket

HERE = "192.0.2.1"


class Clicks:
    """Browser calls, and the pages that make them. Pages and peers are closed at the end."""

    def __init__(self, home: House, settings: Settings) -> None:
        self.house = home
        self.calls = BrowserCalls(settings, home.calls, home.plane, home.tasks)
        home.listen(self.calls)
        self.pages: list[FakeBrowser] = []
        self.peers: list[BrowserPeer] = []
        self._guard = IceGuard([IceAddress("127.0.0.1")])

    async def offered(self, page: FakeBrowser | None = None) -> BrowserPeer:
        """A peer for the offer of a new page."""
        page = page or FakeBrowser()
        peer = await BrowserPeer.answer(self._guard, await page.offer())
        self.pages.append(page)
        self.peers.append(peer)
        return peer

    async def click(self) -> str:
        """A call that has begun; its id."""
        peer = await self.offered()
        call_id = await self.calls.accept(peer, HERE)
        await self.connect(peer)
        await until(lambda: self.house.calls.live > 0)
        await self.house.tick(TICK_MS)
        return call_id

    async def connect(self, peer: BrowserPeer) -> None:
        await self.pages[self.peers.index(peer)].connect(peer.answer_sdp)
        await until(lambda: peer.state is PeerState.CONNECTED)

    async def over(self) -> str:
        """The call is over, its connection closed; its cause."""
        await until(lambda: self.house.calls.live == 0 and all(peer.state is PeerState.ENDED for peer in self.peers))
        (ended,) = self.house.told(CallEnded)
        return ended.cause

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()
        for page in self.pages:
            await page.close()


@asynccontextmanager
async def clicks(
    bot: FakeBot | None = None, *, bots: dict[str, str] | None = None, rows: int = 8, calls: int = 32
) -> AsyncIterator[Clicks]:
    settings = Settings.model_validate({"bots": bots or {"*": "helpdesk"}})
    async with house(bot, rows=rows, limits=LimitSettings(calls=calls)) as home:
        laid = Clicks(home, settings)
        try:
            yield laid
        finally:
            await laid.close()


async def test_a_click_is_a_call_once_the_page_is_connected() -> None:
    async with clicks(calls=1) as it:
        peer = await it.offered()
        await it.calls.accept(peer, HERE)
        await it.house.tick(100)
        assert it.house.told(CallStarted) == []
        assert it.house.calls.obstacle() == "full", "its place is kept"
        await it.connect(peer)
        await it.house.tick(100)
        (started,) = it.house.told(CallStarted)
        assert (started.transport, started.dialled, started.bot) == ("browser", "web", "helpdesk")
        assert it.house.told(CallAnswered) == [CallAnswered(codec="opus")]
        await until(lambda: bool(it.pages[0].heard))


async def test_a_page_is_shown_its_own_call_and_no_other() -> None:
    async with clicks() as it:
        await it.click()
        await it.click()
        channel = [await page.open_channel() for page in it.pages]
        assert len(channel) == 2
        await it.house.tick(100)
        await until(lambda: all(page.told for page in it.pages))
        shown = [{Record.model_validate_json(text).call_id for text in page.told} for page in it.pages]
        assert [len(calls) for calls in shown] == [1, 1]
        assert shown[0] != shown[1]


async def test_a_page_is_shown_neither_what_is_between_the_desk_and_its_agents_nor_who_they_are() -> None:
    async with clicks() as it:
        await it.click()
        await it.pages[0].open_channel()
        for event in (
            AgentRung(agent="eve"),
            AgentJoined(agent="eve"),
            HoldChanged(on=True, agent="eve"),
            NoteWritten(agent="eve", text="rude"),
            SuggestionsShown(utterance=0, suggestions=()),
            SupervisionChanged(supervisor="sue", how="whisper"),
            ThirdCalled(target="112", agent="eve"),
            ThirdJoined(target="112"),
            ThirdLeft(target="112", why="hung_up"),
            CallerPutThrough(target="112", agent="eve"),
            AgentLeft(agent="eve", why="handed_back"),
            BotReturned(why="handed_back"),
        ):
            it.house.calls.tell(it.house.records[0].call_id, event)
        await until(lambda: any("bot_returned" in text for text in it.pages[0].told))
        shown = [Record.model_validate_json(text).event.type for text in it.pages[0].told]
        assert shown[-4:] == ["agent_joined", "hold_changed", "agent_left", "bot_returned"]
        assert not any(word in text for text in it.pages[0].told for word in ('"eve"', '"sue"', '"112"', "rude"))


async def test_what_a_page_says_comes_back_from_the_echo_number() -> None:
    async with clicks(bots={"web": "echo"}) as it:
        await it.click()
        (page,) = it.pages
        codec = OpusCoder()
        tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(TICK_SAMPLES * 50) / 16_000)).astype(np.int16)
        for number, frame in enumerate(tone.reshape(-1, TICK_SAMPLES)):
            await page.send(rtp(number, codec.encode(frame)))
            await it.house.tick(TICK_MS)
        await until(lambda: len(page.heard) > 45)
        heard = np.concatenate([codec.decode(RtpPacket.parse(packet).payload) for packet in page.heard])
        spectrum = np.abs(np.fft.rfft(heard[-16_000:].astype(float)))
        assert abs(float(np.argmax(spectrum)) * 16_000 / min(heard.size, 16_000) - 440) < 5


async def test_a_page_that_loses_packets_is_sent_what_repairs_it() -> None:
    async with clicks() as it:
        await it.click()
        (page,), (leg,) = it.pages, it.house.plane._legs.values()
        await until(lambda: bool(page.heard))
        assert expected_loss(leg) == 10
        await until(lambda: bool(page.reports))
        block = ReportBlock(leg.sending.ssrc, fraction=77, lost=5, highest=0, jitter=0, last_report=0, delay=0)
        await page.send(bytes(Report(0x1234, None, (block,))))
        await until(lambda: it.peers[0].told.far_lost is not None)
        await it.house.tick(TICK_MS)
        assert expected_loss(leg) == 15


async def test_a_page_presses_keys_and_more_than_a_hand_can_are_dropped() -> None:
    async with clicks(FakeBot(ask("Well?", Collect(Expect.DIGITS, max_digits=100)))) as it:
        await it.click()
        await it.house.tick(400)
        channel = await it.pages[0].open_channel()
        for _ in range(5):
            channel.send('{"keys": "0123456789"}')
        channel.send("the end")
        await until(lambda: it.peers[0].journal.rejected == 1)
        await it.house.tick(6_000)
        (pressed,) = it.house.told(KeysPressed)
        assert pressed.digits[:KEYS_AT_ONCE] == ("0123456789" * 5)[:KEYS_AT_ONCE]
        assert len(pressed.digits) < KEYS_AT_ONCE + 5


async def test_another_connection_takes_over_and_the_call_goes_on() -> None:
    async with clicks() as it:
        call_id = await it.click()
        second = await it.offered()
        await it.calls.resume(call_id, second)
        assert it.peers[0].state is PeerState.ENDED
        await it.connect(second)
        channel = await it.pages[1].open_channel()
        await it.house.tick(400)
        assert it.house.calls.live == 1
        await until(lambda: bool(it.pages[1].heard) and bool(it.pages[1].told))
        assert channel.readyState == "open"
        await it.calls.end(call_id, "hung_up")
        assert await it.over() == "caller"
        assert len(it.house.told(CallStarted)) == 1


async def test_a_connection_with_another_codec_does_not_take_over() -> None:
    async with clicks() as it:
        call_id = await it.click()
        plain = await it.offered(FakeBrowser(formats="0 8", codec_lines=()))
        with pytest.raises(NoCommonCodec):
            await it.calls.resume(call_id, plain)
        it.pages[0].heard.clear()
        await it.house.tick(100)
        await until(lambda: bool(it.pages[0].heard))
        assert it.peers[0].state is PeerState.CONNECTED


async def test_a_call_that_is_over_cannot_be_taken_over() -> None:
    async with clicks() as it:
        call_id = await it.click()
        await it.calls.end(call_id, "hung_up")
        assert await it.over() == "caller"
        with pytest.raises(LookupError):
            await it.calls.resume(call_id, await it.offered())
        await it.calls.end(call_id, "hung_up")


async def test_why_a_connection_ended_is_the_calls_cause() -> None:
    async with clicks() as it:
        await it.click()
        await it.peers[0].close("lost")
        assert await it.over() == "lost"


async def test_the_bot_hangs_up_and_the_page_is_told() -> None:
    async with clicks(FakeBot(Reply("fake", (Say("Bye."), Hangup("done"))))) as it:
        await it.click()
        await it.house.tick(400)
        assert await it.over() == "done"
        await until(lambda: it.pages[0].state == "closed")


async def test_who_gets_no_bot_is_turned_away() -> None:
    async with clicks(bots={"100": "helpdesk"}) as it:
        with pytest.raises(PeerForbidden, match="bots"):
            await it.calls.accept(await it.offered(), HERE)


async def test_a_click_for_which_no_media_row_is_left_is_closed() -> None:
    async with clicks(rows=1, calls=2) as it:
        await it.click()
        second = await it.offered()
        await it.calls.accept(second, HERE)
        await it.pages[1].connect(second.answer_sdp)
        await until(lambda: second.state is PeerState.ENDED)
        assert it.house.calls.live == 1
        it.house.calls.admit(HERE)


async def test_connections_that_never_come_up_shut_out_nobody_else() -> None:
    async with clicks(calls=8) as it:
        for _ in range(2):
            await it.calls.accept(await it.offered(), HERE)
        with pytest.raises(Overloaded, match="half_open"):
            await it.calls.accept(await it.offered(), HERE)
        await it.calls.accept(await it.offered(), "192.0.2.2")
        assert it.house.calls.refused == {"half_open": 1}

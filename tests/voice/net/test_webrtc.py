"""One browser's connection: set-up, audio both ways, the journal channel, loss and end, and nothing left behind."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import ShutdownCompleteChunk
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket

from dialog.errors import NoCommonCodec, ProtocolError
from dialog.events import CallAnswered, PartialHeard, Record
from tests.fakes.browser import FakeBrowser, rtp
from tests.fakes.browser_call import BrowserCall, browser_call, until
from voice.media.codecs import Coding
from voice.net import webrtc
from voice.net.ice_guard import Drop, IceAddress, IceGuard
from voice.net.webrtc import (
    BrowserPeer,
    PeerConnected,
    PeerEnded,
    PeerKeyed,
    PeerLost,
    PeerRegained,
    PeerState,
)


@pytest.fixture
async def call() -> AsyncIterator[BrowserCall]:
    async with browser_call() as connected:
        yield connected


async def test_packets_cross_unchanged_both_ways_and_no_thread_is_made(call: BrowserCall) -> None:
    threads = threading.active_count()
    sent = [rtp(n, bytes([n]) * 40) for n in range(100)]
    for packet in sent:
        await call.browser.send(packet)
    await until(lambda: len(call.received) == 100)
    assert call.received == sent

    back = [rtp(n, bytes([n]) * 40, ssrc=0x77) for n in range(100)]
    call.peer.send(back[:50])
    call.peer.send(back[50:])
    await until(lambda: len(call.browser.heard) == 100)
    assert call.browser.heard == back
    assert threading.active_count() == threads
    assert call.peer.state is PeerState.CONNECTED
    assert [type(event) for event in call.events] == [PeerConnected]


async def test_set_up_is_fast(call: BrowserCall) -> None:
    connected = await call.event(PeerConnected)
    assert isinstance(connected, PeerConnected)
    assert connected.after_ms < 2_000


async def test_what_was_negotiated(call: BrowserCall) -> None:
    assert call.peer.codec_name == "opus"
    assert (call.peer.payload_type, call.peer.event_payload_type) == (111, 110)
    assert call.peer.coding is Coding.OPUS
    async with browser_call(FakeBrowser(formats="0 8", codec_lines=()), connect=False) as plain:
        assert plain.peer.coding is Coding.PCMU
        assert (plain.peer.payload_type, plain.peer.event_payload_type) == (0, None)


async def test_offers_that_cannot_be_answered_leave_nothing_open() -> None:
    guard = IceGuard([IceAddress("127.0.0.1")])
    before = open_files()
    with pytest.raises(ProtocolError):
        await BrowserPeer.answer(guard, "v=0\r\n")
    video = FakeBrowser(formats="96", codec_lines=("a=rtpmap:96 VP8/90000",))
    with pytest.raises(NoCommonCodec):
        await BrowserPeer.answer(guard, await video.offer())
    offer = await video.offer()
    await video.close()
    nowhere = IceGuard([IceAddress("203.0.113.7")])
    with pytest.raises(OSError, match="assign"):
        await BrowserPeer.answer(
            nowhere, offer.replace("m=audio 9 UDP/TLS/RTP/SAVPF 96", "m=audio 9 UDP/TLS/RTP/SAVPF 0")
        )
    await until(lambda: open_files() == before)


async def test_records_reach_the_page_even_those_told_early(call: BrowserCall) -> None:
    record = Record(call_id="c1", seq=0, at_ms=0, event=CallAnswered(codec="opus"))
    call.peer.tell(record)
    await call.browser.open_channel()
    later = Record(call_id="c1", seq=1, at_ms=20, event=PartialHeard(utterance=1, text="hällo"))
    await until(lambda: len(call.browser.told) == 1)
    call.peer.tell(later)
    await until(lambda: len(call.browser.told) == 2)
    assert [Record.model_validate_json(text) for text in call.browser.told] == [record, later]


async def test_keys_of_the_page(call: BrowserCall) -> None:
    channel = await call.browser.open_channel()
    wrong = ["", "5", "{}", '{"keys": 5}', '{"keys": ""}', '{"keys": "12x"}', '{"keys": "1", "more": 1}', "[" * 200]
    for message in wrong:
        channel.send(message)
    channel.send(b'{"keys": "5"}')
    channel.send("x" * 5_000)
    channel.send('{"keys": "5"}')
    channel.send('{"keys": "12*#"}')
    await until(lambda: len(call.events) == 3)
    assert call.events[1:] == [PeerKeyed("5"), PeerKeyed("12*#")]
    assert call.peer.journal.rejected == len(wrong) + 2


async def test_a_channel_of_another_name_is_closed(call: BrowserCall) -> None:
    other = await call.browser.open_channel("chat")
    await until(lambda: other.readyState == "closed")
    await call.browser.open_channel()
    second = await call.browser.open_channel()
    await until(lambda: second.readyState == "closed")
    assert call.peer.journal.rejected == 2


async def test_reports_tell_the_browser_of_loss_and_of_what_was_sent(call: BrowserCall) -> None:
    for n in range(100):
        if n % 10:
            await call.browser.send(rtp(n))
    call.peer.send([rtp(n, ssrc=0x77) for n in range(50)])
    await until(lambda: len(call.browser.reports) > 0)
    packets = RtcpPacket.parse(call.browser.reports[-1])
    report, description = packets
    assert isinstance(report, RtcpSrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert report.ssrc == 0x77
    assert report.sender_info.packet_count == 50
    (block,) = report.reports
    assert block.ssrc == 0x1234
    assert block.highest_sequence == 99
    assert block.packets_lost == 9  # ten are missing, but the first of them was before the first that came
    assert 20 <= block.fraction_lost <= 26


async def test_a_browser_that_only_listens_gets_a_sender_report(call: BrowserCall) -> None:
    call.peer.send([rtp(1, ssrc=0x77)])
    await until(lambda: len(call.browser.reports) > 0)
    report = RtcpPacket.parse(call.browser.reports[-1])[0]
    assert isinstance(report, RtcpSrPacket)
    assert report.reports == []


async def test_a_browser_that_only_speaks_gets_a_receiver_report(call: BrowserCall) -> None:
    await call.browser.send(rtp(1))
    await until(lambda: len(call.browser.reports) > 0)
    assert isinstance(RtcpPacket.parse(call.browser.reports[-1])[0], RtcpRrPacket)


async def test_hanging_up_in_the_browser_ends_the_peer(call: BrowserCall) -> None:
    await call.browser.send(rtp(1))
    await call.browser.close()
    await call.event(PeerLost)  # for two seconds another connection may still take over
    assert await asyncio.wait_for(call.running, 5) == "hung_up"
    assert call.events[-1] == PeerEnded("hung_up")
    assert call.peer.state is PeerState.ENDED


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become tenths."""
    monkeypatch.setattr(webrtc, "CONNECT_S", 1.0)
    monkeypatch.setattr(webrtc, "LOST_AFTER_S", 0.5)
    monkeypatch.setattr(webrtc, "ENDED_AFTER_S", 1.5)
    monkeypatch.setattr(webrtc, "_BEAT_S", 0.1)


@pytest.mark.usefixtures("hurry")
async def test_silence_is_loss_and_a_word_in_time_repairs_it(call: BrowserCall) -> None:
    await call.browser.send(rtp(1))
    await call.event(PeerLost)
    assert call.peer.state == "lost"
    await call.browser.send(rtp(2))
    await call.event(PeerRegained)
    assert call.peer.state == "connected"
    await call.browser.vanish()
    assert await asyncio.wait_for(call.running, 5) == "lost"
    kinds = [type(event) for event in call.events]
    assert kinds == [PeerConnected, PeerLost, PeerRegained, PeerLost, PeerEnded]
    assert call.events[-1] == PeerEnded("lost")


@pytest.mark.usefixtures("hurry")
async def test_a_browser_that_never_comes() -> None:
    async with browser_call(connect=False) as call:
        assert await asyncio.wait_for(call.running, 5) == "not_connected"
        assert call.events == [PeerEnded("not_connected")]


@pytest.mark.usefixtures("hurry")
async def test_another_certificate_than_the_offer_promised_does_not_connect() -> None:
    browser = FakeBrowser()
    offer = await browser.offer()
    mark = "a=fingerprint:sha-256 "
    at = offer.index(mark) + len(mark)
    forged = "00" if offer[at : at + 2] != "00" else "11"
    guard = IceGuard([IceAddress("127.0.0.1")])
    peer = await BrowserPeer.answer(guard, offer.replace(offer[at - len(mark) : at + 2], mark + forged))
    running = asyncio.create_task(peer.run())
    connecting = asyncio.create_task(browser.connect(peer.answer_sdp))
    assert await asyncio.wait_for(running, 5) == "not_connected"
    await asyncio.wait((connecting,), timeout=5)
    await browser.close()


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_is_left_behind() -> None:
    async with browser_call() as call:
        await call.browser.open_channel()
    await asyncio.sleep(0.05)
    files, threads, tasks = open_files(), threading.active_count(), len(asyncio.all_tasks())
    for turn in range(5):
        async with browser_call() as call:
            await call.browser.open_channel()
            await call.browser.send(rtp(turn))
            if turn == 1:
                await call.browser.close()
                await call.running
            elif turn == 2:
                await call.browser.vanish()
        async with browser_call(connect=False):
            await asyncio.sleep(0.05)
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    assert open_files() == files
    assert threading.active_count() == threads


async def test_closing_twice_at_once_and_before_running(call: BrowserCall) -> None:
    await asyncio.gather(call.peer.close("a"), call.peer.close("b"))
    assert await call.running == "a"
    assert [event for event in call.events if isinstance(event, PeerEnded)] == [PeerEnded("a")]

    browser = FakeBrowser()
    idle = await BrowserPeer.answer(IceGuard([IceAddress("127.0.0.1")]), await browser.offer())
    await idle.close()
    await idle.close()
    assert idle.state is PeerState.ENDED
    assert await idle.run() == "closed"
    await browser.close()


async def test_a_cancelled_run_releases_everything() -> None:
    async with browser_call() as call:
        call.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.running
        assert call.events[-1] == PeerEnded("cancelled")
        call.peer.send([rtp(1)])
        assert call.guard.dropped[Drop.UNSENT] == 1


async def test_packets_before_the_connection_are_counted_and_dropped() -> None:
    async with browser_call(connect=False) as call:
        call.peer.send([rtp(1), rtp(2)])
        assert call.guard.dropped[Drop.UNSENT] == 2


async def test_a_timer_of_the_channel_that_fires_after_the_end_complains_to_nobody() -> None:
    async with browser_call() as call:
        await call.browser.open_channel()
        sctp = call.peer._sctp
        assert sctp is not None
        await call.peer.close()
        await asyncio.wait((call.running,))
        with pytest.raises(ConnectionError):
            await RTCSctpTransport._send_chunk(sctp, ShutdownCompleteChunk())
        await sctp._send_chunk(ShutdownCompleteChunk())

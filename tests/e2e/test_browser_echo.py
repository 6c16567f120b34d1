"""Real Chromium against our peer: speech goes in by a fake microphone and comes back; attacks in the live call."""

import asyncio
import ctypes
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from hibari import Hibari

from dialog.events import CallAnswered, Record
from tests.e2e.browser import RATE_HZ, Tab, chromium
from tests.fakes.browser_call import until
from tests.fakes.browser_calls import FakeBrowserCalls
from tests.fakes.strangers import empty, fire, forged_rtp, garbage, hellos, plain_alerts, stun_junk, ten_thousand
from voice.media.opus import library_path
from voice.media.plane import MediaPlane
from voice.media.wires import RingWire
from voice.net.ice_guard import Drop, IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer, PeerEnded, PeerEvent, PeerKeyed
from voice.net.whip import Whip
from voice.ports import Frame, Leg
from voice.wire.rtp import RtpPacket, is_rtcp

PAGE = Path(__file__).parent / "pages" / "call.html"
SENTENCE = "Please tell me what I owe you for the month of March. I would like to pay the whole bill today."

Samples = npt.NDArray[np.int16]


class EchoCalls(FakeBrowserCalls):
    """Each call has a leg of the media plane, which says again what it heard."""

    def __init__(self, plane: MediaPlane) -> None:
        super().__init__()
        self.events: list[PeerEvent] = []
        self.legs: list[Leg] = []
        self._plane = plane
        self._wires: dict[str, RingWire] = {}

    async def accept(self, peer: BrowserPeer, who: str) -> str:
        call_id = await super().accept(peer, who)
        wire = self._wires[call_id] = RingWire(lambda packets: self.peers[call_id].send(packets))
        leg = self._plane.add_leg(wire, peer.coding, peer.payload_type, peer.event_payload_type)

        def echo(frame: Frame) -> None:
            leg.play(0, frame.pcm, last=False)

        leg.listen(echo)
        self.legs.append(leg)
        self._attach(call_id, peer)
        return call_id

    async def resume(self, call_id: str, peer: BrowserPeer) -> None:
        self._attach(call_id, peer)
        await super().resume(call_id, peer)

    async def close(self) -> None:
        for leg in self.legs:
            leg.close()
        await super().close()

    def _attach(self, call_id: str, peer: BrowserPeer) -> None:
        peer.listen(self.events.append)
        peer.deliver_to(self._wires[call_id].deliver)
        peer.tell(Record(call_id="c", seq=0, at_ms=0, event=CallAnswered(codec="opus")))


@dataclass
class EchoServer:
    url: str
    calls: EchoCalls
    guard: IceGuard


@pytest.fixture
async def server() -> AsyncIterator[EchoServer]:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=2)
    plane.start()
    calls, guard = EchoCalls(plane), IceGuard([IceAddress("127.0.0.1")])
    app = FastAPI()
    app.include_router(Whip(calls, guard).router)

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text())

    node = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(node.serve())
    while not node.started:
        await asyncio.sleep(0.01)
    port = node.servers[0].sockets[0].getsockname()[1]
    yield EchoServer(f"http://127.0.0.1:{port}/", calls, guard)
    await calls.close()
    await plane.close()
    node.should_exit = True
    await serving


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentence in a synthetic voice with a second of silence after it, 48 kHz mono."""
    speech = np.concatenate([np.asarray(block, np.float32) for block in Hibari(threads=1).stream(SENTENCE)])
    wide = soxr.resample(speech / np.max(np.abs(speech)) * 0.5, 24_000, 48_000)
    path = tmp_path_factory.mktemp("browser") / "caller.wav"
    soundfile.write(path, np.concatenate([wide, np.zeros(48_000, np.float32)]), 48_000, subtype="PCM_16")
    return path


def loudness(pcm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """dB of each 20 ms, floored where only noise is."""
    whole = pcm[: len(pcm) // 320 * 320].reshape(-1, 320)
    level_db: npt.NDArray[np.float64] = 20 * np.log10(np.sqrt(np.mean(whole**2, axis=1)) + 1e-9)
    return np.maximum(level_db, 30)


def resemblance(said: Samples, heard: Samples) -> float:
    """Best correlation of the loudness of what was said, all of it, with a stretch of what was heard."""
    a, b = loudness(said.astype(np.float64)), loudness(heard.astype(np.float64))
    assert len(b) > len(a), f"only {len(b) * 20} ms were heard"
    return max(float(np.corrcoef(a, b[at : at + len(a)])[0, 1]) for at in range(len(b) - len(a)))


async def connected(tab: Tab) -> None:
    await tab.page.evaluate("() => call.start()")
    await tab.page.wait_for_function("() => call.state === 'connected'", timeout=30_000)


@pytest.mark.timeout(120)
async def test_speech_comes_back_and_keys_and_records_cross(server: EchoServer, microphone: Path) -> None:
    said, _ = soundfile.read(microphone, dtype="int16")
    said = np.asarray(soxr.resample(said, 48_000, RATE_HZ), np.int16)
    async with chromium(microphone) as browser:
        tab = await browser.open(server.url)
        await connected(tab)
        connected_ms = await tab.page.evaluate("() => call.connectedMs")
        await asyncio.sleep(2 * len(said) / RATE_HZ + 1)
        heard = await tab.heard()
        inbound = await tab.received_audio()
        await tab.page.evaluate("() => call.press('5')")
        records = await tab.page.evaluate("() => call.records")
        await tab.page.evaluate("() => call.hangUp()")
    assert PeerKeyed("5") in server.calls.events
    assert [record["event"]["codec"] for record in records] == ["opus"]
    assert connected_ms < 2_000
    assert inbound["lost"] == 0
    level_db = 20 * np.log10(np.std(heard[RATE_HZ:].astype(float)) / np.std(said.astype(float)))
    assert resemblance(said, heard) > 0.9
    assert abs(level_db) < 3
    assert server.calls.legs[0].stats.packets_lost == 0
    assert server.guard.dropped.keys() <= {Drop.UNCHECKED_SOURCE, Drop.UNEXPECTED_MEDIA, Drop.UNSENT}


async def frames_in(tab: Tab, seconds: float) -> float:
    """Packets a second that reached Chromium meanwhile."""
    before = await tab.received_audio()
    await asyncio.sleep(seconds)
    return (await tab.received_audio())["packets"] - before["packets"]


@pytest.mark.timeout(120)
async def test_strangers_cannot_end_or_hurt_a_live_call(server: EchoServer, microphone: Path) -> None:
    async with chromium(microphone) as browser:
        tab = await browser.open(server.url)
        await connected(tab)
        peer = server.calls.peers["call-1"]
        port = peer._connection.local_candidates[0].port
        leg = server.calls.legs[0]
        await asyncio.sleep(1)
        for attack in (empty, garbage, stun_junk, hellos, plain_alerts, forged_rtp, ten_thousand):
            before, packets = server.guard.dropped.total(), leg.stats.packets_received
            attacking = asyncio.create_task(fire(attack(), port))
            arrived = await frames_in(tab, 2)
            sent = await attacking
            assert arrived > 90, f"{attack.__name__}: {arrived} of 100 frames in two seconds"
            assert leg.stats.packets_received - packets > 90, attack.__name__
            # the kernel may drop some of a burst before the guard sees it
            assert 0.9 * sent < server.guard.dropped.total() - before <= sent, attack.__name__
        assert await tab.page.evaluate("() => call.state") == "connected"
        assert (await tab.received_audio())["lost"] == 0
        await tab.page.evaluate("() => call.hangUp()")


def repairs(packets: list[bytes]) -> float:
    """The share of Opus packets that hold the one before as well (in-band FEC, RFC 6716 section 2.1.7)."""
    library = ctypes.CDLL(str(library_path()))
    payloads = [RtpPacket.parse(packet).payload for packet in packets]
    have: int = sum(library.opus_packet_has_lbrr(payload, len(payload)) for payload in payloads)
    return have / len(payloads)


@pytest.mark.timeout(120)
async def test_a_browser_that_is_told_of_loss_sends_what_repairs_it(server: EchoServer, microphone: Path) -> None:
    async with chromium(microphone) as browser:
        tab = await browser.open(server.url)
        await connected(tab)
        peer = server.calls.peers["call-1"]
        came: list[bytes] = []
        peer.deliver_to(came.append)
        take, chance = peer._connection.on_media, Random(1)
        assert take is not None

        def lose(data: bytes) -> None:
            if is_rtcp(data) or chance.random() > 0.1:
                take(data)

        await until(lambda: len(came) > 500, 20)
        before = repairs(came)
        came.clear()
        peer._connection.on_media = lose
        await until(lambda: len(came) > 1_000, 40)
        told = await tab.page.evaluate(
            """async () => [...(await __peerConnections.at(-1).getStats()).values()]
                .filter((s) => s.type === "remote-inbound-rtp")
                .map((s) => [s.packetsLost, s.fractionLost, s.roundTripTime])"""
        )
        await tab.page.evaluate("() => call.hangUp()")
    ((lost, fraction, trip_s),) = told
    assert 50 < lost < 180
    assert 0 < fraction < 0.4
    assert 0 <= trip_s < 0.2
    assert before == 0
    assert repairs(came[-300:]) > 0.3
    assert peer.told.far_lost == 0
    assert peer.told.round_trip_ms is not None


@pytest.mark.timeout(120)
async def test_a_new_connection_takes_over_and_leaving_the_page_hangs_up(server: EchoServer, microphone: Path) -> None:
    async with chromium(microphone) as browser:
        tab = await browser.open(server.url)
        await connected(tab)
        first = server.calls.peers["call-1"]
        await tab.page.evaluate("() => call.resume()")
        await tab.page.wait_for_function("() => call.state === 'connected'", timeout=30_000)
        second = server.calls.peers["call-1"]
        assert (first.state, second.state) == ("ended", "connected")
        assert first is not second
        assert await frames_in(tab, 1) > 40
        await tab.page.goto("about:blank")
        await until(lambda: second.state == "ended")
    assert server.calls.events[-1] == PeerEnded("hung_up")

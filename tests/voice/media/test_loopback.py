"""Two legs of one plane talk over real sockets, with the real thread and the real clock."""

import asyncio
import gc
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve

from dsp.resample import resample
from tests.dsp.speech import voice
from voice.media.codecs import Coding
from voice.media.engine.external import BATCHED
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.media.recorder import Recorder
from voice.media.recording import RecordingEnded
from voice.media.wires import RingWire
from voice.net.rtp_port import RtpPorts, UdpWire
from voice.ports import Frame, Pcm, Room
from voice.wire.rtp import RtpPacket

HOST = "127.0.0.1"


@dataclass
class Party:
    """A leg, its wire, and all it heard."""

    leg: MediaLeg
    wire: UdpWire
    frames: list[Frame] = field(default_factory=list)

    @property
    def heard(self) -> Pcm:
        return np.concatenate([frame.pcm for frame in self.frames])

    @property
    def keys(self) -> str:
        return "".join(frame.keys for frame in self.frames)


Pair = tuple[MediaPlane, Party, Party]
Connect = Callable[[], tuple[Party, Party]]


@pytest.fixture(scope="module", autouse=True)
def still_heap() -> Iterator[None]:
    """As a server does after warm-up: a full collection over all of a test run's objects would stop the tick."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def batched() -> bool:
    """Whether packets are read many at a time, as everywhere but on macOS."""
    return BATCHED


@pytest.fixture
async def plane(batched: bool) -> AsyncIterator[MediaPlane]:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=4, batched=batched)
    plane.start()
    yield plane
    await plane.close()


@pytest.fixture
def connect(plane: MediaPlane) -> Iterator[Connect]:
    """Makes two legs that are each other's far end."""
    ports = RtpPorts(HOST, 22200, 22399, Random())
    parties: list[Party] = []

    def connect() -> tuple[Party, Party]:
        wires = [ports.open(None) for _ in range(2)]
        wires[0].remote, wires[1].remote = (HOST, wires[1].port), (HOST, wires[0].port)
        ends = [Party(plane.add_leg(wire, Coding.PCMU, 0, 101), wire) for wire in wires]
        for party in ends:
            party.leg.listen(party.frames.append)
        parties.extend(ends)
        return ends[0], ends[1]

    yield connect
    for party in parties:
        party.leg.close()


@pytest.fixture
def pair(plane: MediaPlane, connect: Connect) -> Pair:
    return plane, *connect()


def when(party: Party, condition: Callable[[], bool]) -> "asyncio.Future[None]":
    """Done with the first frame of `party` after which `condition` holds."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def listen(frame: Frame) -> None:
        party.frames.append(frame)
        if condition() and not future.done():
            future.set_result(None)

    party.leg.listen(listen)
    return future


def finished(party: Party, playback: int) -> "asyncio.Future[None]":
    """Done 200 ms after `playback` has ended on `party`'s side."""

    def ended() -> bool:
        return any(mark.done and mark.playback == playback for frame in party.frames[:-10] for mark in frame.played)

    return when(party, ended)


def likeness(sent: Pcm, heard: Pcm) -> tuple[float, int]:
    """The highest normalised correlation of `sent` within `heard`, and where: samples."""
    said, ear = sent.astype(np.float64), heard.astype(np.float64)
    products = fftconvolve(ear, said[::-1], "valid")
    energies = fftconvolve(ear**2, np.ones(said.size), "valid")
    scores = products / np.sqrt(np.maximum(energies, 1) * (said**2).sum())
    return float(scores.max()), int(scores.argmax())


def speech() -> Pcm:
    """2.5 s of a made voice, of the telephone's band."""
    return resample(voice(2.5, seed=1), 8_000, 16_000)


@pytest.mark.parametrize("batched", [True, False])
async def test_speech_arrives_whole_and_soon_and_is_known_as_voice(pair: Pair) -> None:
    _, a, b = pair
    sound = speech()
    await asyncio.sleep(0.2)
    begin = len(b.frames)
    assert a.leg.play(1, sound, last=True)
    async with asyncio.timeout(10):
        await finished(a, 1)
    score, place = likeness(sound, b.heard)
    assert score > 0.98
    assert place / 16 - begin * 20 <= 140
    assert max(frame.voice for frame in b.frames) > 0.9
    assert all(frame.voice < 0.5 for frame in b.frames[: begin - 1])
    assert b.leg.stats.packets_lost == 0
    ticks = [frame.tick for frame in b.frames]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


async def test_after_a_stop_the_far_end_has_heard_what_was_told(pair: Pair) -> None:
    """The truth is where the audio breaks off at the far end; `played_ms` may differ by 60 ms."""
    _, a, b = pair
    sound = speech()
    begin = len(b.frames)
    a.leg.play(1, sound, last=True)
    await asyncio.sleep(1.3)
    played = a.leg.stop()
    await asyncio.sleep(0.3)
    assert played is not None
    _, place = likeness(sound[:8_000], b.heard[begin * 320 :])
    audible = np.flatnonzero(np.abs(b.heard[begin * 320 :].astype(np.int32)) > 50)
    truth_ms = (audible[-1] + 1 - place) / 16
    assert -60 <= played.played_ms - truth_ms <= 0
    assert 1_000 <= played.played_ms <= 1_400


async def test_keys_both_ways(pair: Pair) -> None:
    _, a, b = pair
    assert a.leg.send_keys("147*")
    assert b.leg.send_keys("0369")
    async with asyncio.timeout(5):
        await asyncio.gather(when(a, lambda: len(a.keys) >= 4), when(b, lambda: len(b.keys) >= 4))
    assert (a.keys, b.keys) == ("0369", "147*")


@pytest.mark.parametrize("batched", [True, False])
async def test_a_flood_of_junk_and_forgeries_harms_no_stream(pair: Pair) -> None:
    """10,000 random datagrams, and RTP that looks right from another port, while both sides talk."""
    plane, a, b = pair
    sound = np.tile(speech(), 2)
    a.leg.play(1, sound, last=True)
    over = finished(a, 1)
    chance = Random(7)
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        forger.bind((HOST, 0))
        for n in range(1_000):
            for _ in range(10):
                forger.sendto(chance.randbytes(chance.randrange(300)), (HOST, b.wire.port))
            forger.sendto(bytes(RtpPacket(0, n, n * 160, 5, b"\x80" * 160)), (HOST, b.wire.port))
            forger.sendto(bytes(RtpPacket(101, n, n * 160, 5, b"\x03\x8a\x03\x20")), (HOST, b.wire.port))
            sent += 12
            await asyncio.sleep(0.003)
    async with asyncio.timeout(10):
        await over
    punctual = a.leg.stats
    score, _ = likeness(sound, b.heard)
    assert score > 0.98
    assert b.keys == ""
    assert b.leg.remote == (HOST, a.wire.port)
    assert plane.refused.total() == pytest.approx(sent, abs=40)
    assert b.leg.stats.packets_lost <= 2
    assert punctual.late_frames <= 0.02 * punctual.packets_sent


async def test_both_sides_of_a_call_are_recorded(pair: Pair, tmp_path: Path) -> None:
    _, a, b = pair
    recorder = Recorder(tmp_path)
    ends: list[RecordingEnded] = []
    recording = recorder.open("call", ends.append)
    a.leg.record(recording)
    sound = speech()
    a.leg.play(1, sound[:16_000], last=True)
    b.leg.play(2, sound[16_000:32_000], last=True)
    async with asyncio.timeout(10):
        await finished(a, 1)
    a.leg.record(None)
    recording.close()
    await asyncio.to_thread(recorder.close)
    audio, _ = soundfile.read(tmp_path / "call.flac", dtype="int16")
    assert ends[0].gap_ms == 0
    assert likeness(sound[16_000:32_000], audio[:, 0])[0] > 0.98
    assert likeness(sound[:16_000], audio[:, 1])[0] > 0.999


async def test_two_callers_in_a_room_hear_each_other_at_once(connect: Connect) -> None:
    """Each says a tone for as long as it takes; the house's two legs are joined in the middle of it."""
    (left, house_left), (right, house_right) = connect(), connect()
    for party, hz in ((left, 500), (right, 800)):
        wave = 12_000 * np.sin(2 * np.pi * hz * np.arange(48_000) / 16_000)
        party.leg.play(1, np.rint(wave).astype(np.int16), last=True)
    await asyncio.sleep(0.5)
    room = Room()
    joined = [len(party.frames) * 320 for party in (left, right)]
    house_left.leg.enter(room)
    house_right.leg.enter(room)
    async with asyncio.timeout(10):
        await asyncio.gather(finished(left, 1), finished(right, 1))
    for party, begin, other_hz, own_hz in zip((left, right), joined, (800, 500), (500, 800), strict=True):
        assert np.abs(party.heard[:begin]).max() < 50
        audible = np.flatnonzero(np.abs(party.heard[begin:]) > 1_000)
        assert audible[0] / 16 <= 100
        steady = party.heard[begin + audible[0] :][1_600:33_600].astype(np.float64)  # 2 s: whole turns of both tones
        strengths = np.abs(np.fft.rfft(steady))[[2 * other_hz, 2 * own_hz]] / 16_000
        assert strengths[0] == pytest.approx(12_000, rel=0.05)
        assert strengths[1] < 100


async def test_a_packet_without_a_socket_is_there_when_its_tick_is_told(plane: MediaPlane) -> None:
    """Both threads wake at one moment: a packet that was not there yet would wait for the next tick, 20 ms."""
    left, told = Counter[int](), Counter[int]()
    missing: list[int] = []

    def carry(number: int) -> MediaLeg:
        wire = RingWire(lambda packets: left.update({number: len(packets)}))
        leg = plane.add_leg(wire, Coding.PCMU, 0, None)

        def listen(_frame: Frame) -> None:
            told[number] += 1
            missing.append(told[number] - left[number])

        leg.listen(listen)
        return leg

    legs = [carry(number) for number in range(4)]
    await asyncio.sleep(2)
    for leg in legs:
        leg.close()
    assert len(missing) > 200
    assert max(missing) <= 0

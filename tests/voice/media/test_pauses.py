"""What leaves while there is nothing to say: steady silence, or next to nothing where that was agreed on."""

import asyncio
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from dsp.noise import SOFTEST_GUESS_DBFS
from tests.fakes.coders import OpusCoder
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.ports import RATE_HZ, TICK_SAMPLES, Frame, Pcm, Room
from voice.wire.rtp import RtpPacket, timestamp_step

CN = 13
HANGOVER = 10
RENEWED = 20


def of(wire: FakeWire) -> list[RtpPacket]:
    return [RtpPacket.parse(data) for data, _ in wire.sent]


def kinds(wire: FakeWire, since: int = 0) -> list[int]:
    return [packet.payload_type for packet in of(wire)[since:]]


def pausing(bench: Bench, coding: Coding = Coding.PCMU) -> tuple[MediaLeg, FakeWire]:
    wire = FakeWire()
    leg = bench.plane.add_leg(wire, coding, 0, 101)
    leg.allow_pauses(CN)
    return leg, wire


@pytest.mark.parametrize("coding", [Coding.PCMU, Coding.PCMA, Coding.G722])
async def test_a_pause_is_told_at_once_and_then_now_and_then(coding: Coding) -> None:
    bench = Bench()
    leg, wire = pausing(bench, coding)
    await bench.run(5)
    leg.play(1, tone(100), last=True)
    await bench.run(5)
    assert kinds(wire) == [0] * 10
    await bench.run(HANGOVER + 1)
    assert kinds(wire, 10) == [0] * HANGOVER + [CN]
    await bench.run(3 * RENEWED + 6)
    leg.play(1, tone(40), last=True)
    await bench.run(2)
    packets = of(wire)
    assert [packet.payload_type for packet in packets[10:]] == [0] * HANGOVER + [CN] * 4 + [0] * 2
    assert [n for n, packet in enumerate(packets) if packet.marker] == [0, 5, len(packets) - 2]
    assert {packet.payload for packet in packets if packet.payload_type == CN} == {bytes([75])}
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    steps = [timestamp_step(a.timestamp, b.timestamp) // 160 for a, b in pairwise(packets)]
    assert steps == [1] * 20 + [RENEWED] * 3 + [7, 1]
    assert leg.stats.packets_sent == leg.sending.packets == len(packets)


async def test_without_agreement_packets_go_on() -> None:
    bench = Bench()
    bench.leg(wire := FakeWire())
    await bench.run(60)
    assert kinds(wire) == [0] * 60
    leg, allowed = pausing(bench)
    await bench.run(30)
    leg.allow_pauses(None)
    await bench.run(30)
    assert kinds(allowed) == [0] * HANGOVER + [CN] + [0] * 30
    assert of(allowed)[HANGOVER + 1].marker


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
async def test_a_packet_that_was_begun_is_filled_first(ptime_ms: int) -> None:
    bench = Bench()
    leg, wire = pausing(bench)
    leg.packetise(ptime_ms)
    leg.play(1, tone(200), last=True)
    await bench.run(40)
    packets = of(wire)
    assert [packet.payload_type for packet in packets].index(CN) > 20 * HANGOVER // ptime_ms
    before = [packet for packet in packets if packet.payload_type == 0]
    assert {len(packet.payload) for packet in before} == {ptime_ms * 8}
    after = next(packet for packet in packets if packet.payload_type == CN)
    assert timestamp_step(before[-1].timestamp, after.timestamp) == ptime_ms * 8, "the pause begins where sound ends"


async def test_played_silence_is_no_pause() -> None:
    bench = Bench()
    leg, wire = pausing(bench)
    leg.play(1, np.zeros(40 * TICK_SAMPLES, np.int16), last=True)
    await bench.run(40)
    assert kinds(wire) == [0] * 40


async def test_keys_end_a_pause() -> None:
    bench = Bench()
    leg, wire = pausing(bench)
    await bench.run(30)
    leg.send_keys("5")
    await bench.run(8)
    assert kinds(wire, HANGOVER + 1) == [101] * 7
    await bench.run(HANGOVER + 1)
    assert kinds(wire, HANGOVER + 8) == [0] * HANGOVER + [CN]


async def test_nothing_at_all_is_sent_on_hold() -> None:
    bench = Bench()
    leg, wire = pausing(bench)
    await bench.run(30)
    leg.set_direction(send=False, receive=True)
    await bench.run(50)
    assert len(wire.sent) == HANGOVER + 1
    leg.set_direction(send=True, receive=True)
    await bench.run(HANGOVER + 1)
    assert kinds(wire, HANGOVER + 1) == [0] * HANGOVER + [CN]
    assert of(wire)[HANGOVER + 1].marker


async def test_whoever_is_with_others_hears_them_silent_or_not() -> None:
    bench = Bench()
    (leg, wire), (other, _) = pausing(bench), bench.leg(FakeWire())
    room = Room()
    leg.enter(room)
    await bench.run(30)
    assert kinds(wire) == [0] * HANGOVER + [CN], "alone in a room"
    other.enter(room)
    await bench.run(30)
    assert kinds(wire, HANGOVER + 1) == [0] * 30
    assert of(wire)[HANGOVER + 1].marker
    other.enter(None)
    await bench.run(HANGOVER + 1)
    assert kinds(wire, HANGOVER + 31) == [0] * HANGOVER + [CN]


async def test_another_stream_does_not_pause_before_that_is_agreed_on() -> None:
    bench = Bench()
    leg, _ = pausing(bench)
    await bench.run(30)
    wire = FakeWire()
    leg.move(wire, Coding.PCMA, 8, None)
    await bench.run(40)
    assert kinds(wire) == [8] * 40


@pytest.mark.parametrize("coding", [Coding.PCMU, Coding.G722])
async def test_a_far_end_of_our_own_kind_hears_soft_noise_and_every_word(coding: Coding) -> None:
    bench = Bench()
    leg, wire = pausing(bench, coding)
    far = FakeWire()
    hearing = bench.plane.add_leg(far, coding, 0, 101)
    heard: list[Frame] = []
    hearing.listen(heard.append)
    for tick in range(200):
        if tick in (20, 120):
            leg.play(1, tone(400), last=True)
        await bench.run()
        far.inbound, wire.sent = [(data, PEER) for data, _ in wire.sent], []
    levels = [frame.level_dbfs for frame in heard]
    loud = [n for n, level in enumerate(levels) if level > -40]
    assert len(loud) == pytest.approx(2 * 20, abs=2)
    assert hearing.stats.packets_lost == 0
    assert hearing.quality is not None
    assert hearing.quality.concealed_frames == 0
    if coding is Coding.PCMU:
        assert np.mean(levels[60:110]) == pytest.approx(SOFTEST_GUESS_DBFS, abs=2)


async def opus_leg(*, dtx: bool) -> tuple[Bench, MediaLeg, FakeWire]:
    bench, wire = Bench(), FakeWire()
    bench.plane = MediaPlane(asyncio.get_running_loop(), capacity=2, allowance_ms=0, chance=Random(1), dtx=dtx)
    return bench, bench.plane.add_leg(wire, Coding.OPUS, 111, 126), wire


def speech_like(ms: int) -> Pcm:
    """A tone whose loudness moves as speech's does, or Opus takes it for noise."""
    at = np.arange(ms * 16) / RATE_HZ
    return np.rint(tone(ms, 220.0) * np.abs(np.sin(2 * np.pi * 4 * at))).astype(np.int16)


async def test_opus_pauses_by_itself() -> None:
    bench, leg, wire = await opus_leg(dtx=True)
    leg.play(1, speech_like(400), last=True)
    await bench.run(20)
    assert len(wire.sent) == 20
    await bench.run(100)
    pause = of(wire)[20:]
    assert 10 <= len(pause) <= 30
    leg.play(1, speech_like(400), last=True)
    await bench.run(20)
    packets = of(wire)
    assert all(len(packet.payload) > 2 for packet in packets)
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    last, first = packets[-21], packets[-20]
    assert (first.marker, packets[-1].marker) == (True, False)
    assert timestamp_step(packets[0].timestamp, first.timestamp) == 120 * 960
    assert timestamp_step(last.timestamp, first.timestamp) > 960
    steps = [timestamp_step(a.timestamp, b.timestamp) for a, b in pairwise(packets)]
    after_gaps = [n for n, step in enumerate(steps, start=1) if step > 960]
    assert [n for n, packet in enumerate(packets) if packet.marker] == [0, *after_gaps]
    far, before = OpusCoder(), packets[0].timestamp
    heard = []
    for packet in packets:
        missed = timestamp_step(before, packet.timestamp) // 960 - 1
        heard += [far.decode(None) for _ in range(missed)]
        heard.append(far.decode(packet.payload))
        before = packet.timestamp
    loud = [bool(np.std(piece) > 1_000) for piece in heard]
    assert loud[2:18] == loud[122:138] == [True] * 16
    assert not any(loud[25:118])


async def test_opus_is_steady_unless_it_may_pause() -> None:
    bench, leg, wire = await opus_leg(dtx=False)
    leg.play(1, speech_like(400), last=True)
    await bench.run(120)
    assert len(wire.sent) == 120
    leg.switch(Coding.OPUS, 112)
    await bench.run(60)
    assert len(wire.sent) == 180


async def test_a_member_that_pauses_is_heard_by_one_that_might() -> None:
    """Its payloads are passed on as they come, and its noise in between."""
    bench = Bench()
    leg, wire = pausing(bench)
    far = FakeWire()
    other = bench.plane.add_leg(far, Coding.PCMU, 0, 101)
    room = Room()
    leg.enter(room)
    other.enter(room)
    payloads = octets(tone(2_000))
    for tick in range(60):
        speaks = tick < 20 or tick >= 40
        payload, payload_type = (payloads[tick], 0) if speaks else (b"\x4b", CN)
        far.inbound = [(rtp(tick, payload, payload_type), PEER)] if speaks or tick in (20, 39) else []
        await bench.run()
    assert kinds(wire) == [0] * 60
    assert [packet.payload for packet in of(wire)][50] == payloads[49]

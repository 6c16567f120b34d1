"""G.722 on a leg: wideband both ways, what is lost, and changes to and from G.711."""

import numpy as np
import pytest

from dsp.g711 import MU_LAW
from tests.fakes.coders import G722Coder
from tests.voice.media.ticks import PEER, Bench, frequency, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.ports import Frame, Pcm
from voice.wire.rtp import RtpPacket

WIDE_HZ = 6_000
"""Above all that G.711 can carry."""


def payloads(pcm: Pcm) -> list[bytes]:
    far = G722Coder()
    return [far.encode(pcm[at : at + 320]) for at in range(0, pcm.size, 320)]


def rms(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))


async def test_a_leg_hears_and_says_what_g711_cannot_carry() -> None:
    bench, wire, far = Bench(), FakeWire(), G722Coder()
    leg = bench.plane.add_leg(wire, Coding.G722, 9, 101)
    frames: list[Frame] = []
    leg.listen(frames.append)
    leg.play(1, tone(1_000, WIDE_HZ), last=True)
    for n, payload in enumerate(payloads(tone(1_000, WIDE_HZ))):
        wire.inbound = [(rtp(n, payload, 9), PEER)]
        await bench.run()
    said = np.concatenate([far.decode(RtpPacket.parse(data).payload) for data, _ in wire.sent])
    heard = np.concatenate([frame.pcm for frame in frames])
    for pcm in (said[3_200:], heard[3_200:]):
        assert abs(frequency(pcm) - WIDE_HZ) < 5
        assert rms(pcm) == pytest.approx(12_000 / 2**0.5, rel=0.1)
    steps = np.diff([RtpPacket.parse(data).timestamp for data, _ in wire.sent])
    assert set(steps.tolist()) == {160}, "the clock is 8 kHz"


async def test_packets_of_any_length_are_heard() -> None:
    bench, wire = Bench(), FakeWire()
    leg = bench.plane.add_leg(wire, Coding.G722, 9, 101)
    frames: list[Frame] = []
    leg.listen(frames.append)
    stream = b"".join(payloads(tone(1_200, 1_000)))
    for n in range(20):
        packet = RtpPacket(9, n, n * 480, 1, stream[n * 480 : (n + 1) * 480])
        wire.inbound = [(bytes(packet), PEER)]
        await bench.run(3)
    heard = np.concatenate([frame.pcm for frame in frames])[8_000:]
    assert abs(frequency(heard) - 1_000) < 5
    assert leg.stats.packets_lost == 0


async def test_what_is_lost_is_made_up_and_fades() -> None:
    bench, wire = Bench(), FakeWire()
    leg = bench.plane.add_leg(wire, Coding.G722, 9, 101)
    frames: list[Frame] = []
    leg.listen(frames.append)
    for n, payload in enumerate(payloads(tone(1_000, 300))):
        wire.inbound = [(rtp(n, payload, 9), PEER)] if not 20 <= n < 30 else []
        await bench.run()
    heard, lost, back = ([frame.pcm for frame in frames[at:until]] for at, until in ((1, 21), (21, 31), (31, 50)))
    assert rms(lost[0]) > rms(heard[-1]) / 2
    assert not any(pcm[100:].any() for pcm in lost[9:])
    assert rms(back[-1]) == pytest.approx(rms(heard[-1]), rel=0.1)
    steepest = np.abs(np.diff(np.concatenate(heard[2:]).astype(np.int32))).max()
    joined = np.concatenate([*heard[-2:], *lost, *back]).astype(np.int32)
    assert np.abs(np.diff(joined)).max() < 12_000 + steepest, "no step beyond the sound's own height"
    assert leg.stats.packets_lost == 10


@pytest.mark.parametrize("octets_more", [-1, 1])
async def test_packets_a_little_shorter_or_longer_than_a_frame_are_heard(octets_more: int) -> None:
    """The time line is that of the timestamps: what they leave out is mended, what they count twice is heard once."""
    bench, wire = Bench(), FakeWire()
    leg = bench.plane.add_leg(wire, Coding.G722, 9, 101)
    frames: list[Frame] = []
    leg.listen(frames.append)
    stream = b"".join(payloads(tone(1_000, 1_000)))
    for n in range(49):
        wire.inbound = [(rtp(n, stream[n * 160 : (n + 1) * 160 + octets_more], 9), PEER)]
        await bench.run()
    heard = np.concatenate([frame.pcm for frame in frames])[8_000:]
    assert abs(frequency(heard) - 1_000) < 5
    assert len(frames) == 49
    assert leg.stats.packets_refused == 0


async def test_a_call_goes_from_g711_to_g722_and_back() -> None:
    bench, wire = Bench(), FakeWire()
    leg = bench.plane.add_leg(wire, Coding.PCMU, 0, 101)
    frames: list[Frame] = []
    leg.listen(frames.append)
    wide, narrow = payloads(tone(1_000, 1_000)), octets(tone(2_000, 1_000), MU_LAW)
    for n in range(150):
        if n == 50:
            leg.switch(Coding.G722, 9)
        elif n == 100:
            leg.switch(Coding.PCMU, 0)
        payload, kind = (wide[n - 50], 9) if 50 <= n < 100 else (narrow[n % 50], 0)
        wire.inbound = [(rtp(n, payload, kind), PEER)]
        await bench.run()
    heard = [np.concatenate([f.pcm for f in frames[at : at + 30]]) for at in (15, 65, 115)]
    for pcm in heard:
        assert abs(frequency(pcm) - 1_000) < 5
        assert 8_000 < rms(pcm) < 9_000
    assert max(int(np.abs(frame.pcm).max()) for frame in frames[8:]) < 14_000, "no octet of one is heard as the other"
    kinds = [RtpPacket.parse(data).payload_type for data, _ in wire.sent]
    assert (kinds[:50], kinds[50:100], kinds[100:]) == ([0] * 50, [9] * 50, [0] * 50)
    assert leg.stats.packets_refused == 0

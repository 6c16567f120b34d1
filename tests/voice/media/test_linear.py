"""Plain samples: what goes in comes out, at either rate; and what is missing."""

import numpy as np
import pytest

from dsp.resample import Downsampler, Upsampler
from tests.voice.media.ticks import PEER, Bench, frequency, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.ports import Frame, Pcm, Room
from voice.wire.rtp import RtpPacket

RATES = pytest.mark.parametrize("coding", [Coding.L16_8K, Coding.L16_16K])


class Stream:
    """A leg of plain samples, and how a platform brings and takes them."""

    def __init__(self, bench: Bench, coding: Coding) -> None:
        self.bench, self.wire, self.coding = bench, FakeWire(), coding
        self.leg: MediaLeg = bench.plane.add_leg(self.wire, coding, 111, None)
        self.frames: list[Frame] = []
        self.leg.listen(self.frames.append)
        self._n = 0

    def bring(self, samples: Pcm | None) -> None:
        """What comes in this tick; None: nothing."""
        units = self.coding.clock_hz // 50
        if samples is not None:
            packet = RtpPacket(111, self._n, self._n * units, 1, samples.astype("<i2").tobytes())
            self.wire.inbound = [(bytes(packet), PEER)]
        self._n += 1

    @property
    def heard(self) -> Pcm:
        return np.concatenate([frame.pcm for frame in self.frames])

    @property
    def said(self) -> list[bytes]:
        return [RtpPacket.parse(data).payload for data, _ in self.wire.sent]

    def ticks(self, sound: Pcm) -> Pcm:
        return sound.reshape(-1, self.coding.clock_hz // 50)


async def test_the_houses_own_rate_is_untouched() -> None:
    stream, sound = Stream(Bench(), Coding.L16_16K), tone(200)
    stream.leg.play(1, sound, last=True)
    for samples in stream.ticks(sound):
        stream.bring(samples)
        await stream.bench.run()
    assert b"".join(stream.said) == sound.astype("<i2").tobytes()
    assert np.array_equal(stream.heard[320:], sound[:-320])


async def test_half_the_rate_is_resampled_both_ways() -> None:
    stream, sound = Stream(Bench(), Coding.L16_8K), tone(1_000)
    stream.leg.play(1, sound, last=True)
    await stream.bench.run(50)
    for payload in stream.said:
        stream.bring(np.frombuffer(payload, "<i2").astype(np.int16))
        await stream.bench.run()
    heard = stream.heard[51 * 320 :].astype(float)
    late = Upsampler.DELAY_SAMPLES + Downsampler.DELAY_SAMPLES
    assert np.abs(heard[late + 1_000 :] - sound[1_000 : heard.size - late]).max() < 300


@RATES
async def test_what_is_lost_is_made_up_and_fades(coding: Coding) -> None:
    stream = Stream(Bench(), coding)
    step = 16_000 // coding.clock_hz
    for n, samples in enumerate(stream.ticks(np.ascontiguousarray(tone(800)[::step]))):
        stream.bring(None if 20 <= n < 30 else samples)
        await stream.bench.run()
    frames = [frame.pcm for frame in stream.frames]
    assert frequency(np.concatenate(frames[21:23])) == pytest.approx(440, abs=30)
    assert np.abs(frames[21]).max() > 10_000
    assert np.abs(frames[22]).max() > np.abs(frames[26]).max() > np.abs(frames[28]).max()
    assert not np.concatenate(frames[29:31])[160:].any(), "silent after 160 ms"
    assert np.abs(frames[34]).max() > 10_000
    assert stream.leg.stats.packets_lost == 10


@RATES
async def test_a_payload_of_another_length_is_refused(coding: Coding) -> None:
    stream = Stream(Bench(), coding)
    wrong = {Coding.L16_8K: 320, Coding.L16_16K: 160}[coding]
    for size in (wrong, 0, wrong + 1):
        stream.bring(np.full(size, 20_000, np.int16))
        await stream.bench.run()
    await stream.bench.run(5)
    assert stream.leg.refusals.malformed == 3
    assert not stream.heard.any()


@RATES
async def test_only_what_is_not_resampled_goes_on_as_it_came(coding: Coding) -> None:
    bench, room = Bench(), Room()
    one, other = Stream(bench, coding), Stream(bench, coding)
    for stream in (one, other):
        stream.leg.enter(room)
    samples = stream.ticks(np.ascontiguousarray(tone(600)[:: 16_000 // coding.clock_hz]))
    brought = []
    for piece in samples:
        one.bring(piece)
        brought.append(piece.astype("<i2").tobytes())
        await bench.run()
    passed = other.said[-len(brought) + 1 :] == brought[:-1]
    assert passed == (coding is Coding.L16_16K)

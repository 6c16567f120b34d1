"""Opus on a leg: fidelity on speech, loss, odd packets, garbage."""

import ctypes
import random
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import soxr
from hibari import Hibari
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.coders import OpusCoder
from tests.voice.media.ticks import PEER, Bench, expected_loss
from tests.voice.media.wires import FakeWire
from voice.media import opus
from voice.media.codecs import Coding
from voice.media.engine.layout import COMMANDS
from voice.media.opus import LEAST_LOSS_PERCENT, MOST_LOSS_PERCENT, ExpectedLoss, OpusState, library
from voice.ports import RATE_HZ, TICK_SAMPLES, Frame
from voice.wire.rtp import RtpPacket, timestamp_step

Samples = npt.NDArray[np.int16]
UNITS = opus.CLOCK_HZ // 1000
"""Of the RTP clock, in a millisecond."""


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Some six seconds of synthetic speech, 16 kHz, whole ticks."""
    blocks = [
        np.asarray(b, np.float32)
        for b in Hibari(threads=1).stream(
            "Your balance is twelve pounds and forty pence. Is there anything else that I can do for you today?"
        )
    ]
    audio = soxr.resample(np.concatenate(blocks), 24_000, RATE_HZ)
    pcm: Samples = (audio / np.max(np.abs(audio)) * 12_000).astype(np.int16)
    return pcm[: len(pcm) // TICK_SAMPLES * TICK_SAMPLES]


class Browser:
    """A leg that speaks Opus, and what its far end sends."""

    def __init__(self) -> None:
        self.bench, self.wire = Bench(), FakeWire()
        self.leg = self.bench.plane.add_leg(self.wire, Coding.OPUS, 111, 126)
        self._heard: list[Samples] = []
        self.leg.listen(self._hear)
        self._sequence = self._timestamp = 0

    async def send(self, *payloads: bytes | None, ms: int = 20, swapped: bool = False) -> None:
        """One packet after the other, each of so much sound; None: it is lost. `swapped`: those of a tick come in the
        wrong order."""
        for payload in payloads:
            if payload is not None:
                packet = RtpPacket(111, self._sequence & 0xFFFF, self._timestamp & 0xFFFF_FFFF, 1, payload)
                self.wire.inbound.append((bytes(packet), PEER))
            self._sequence += 1
            self._timestamp += ms * UNITS
            while self.bench.tick * 20 * UNITS < self._timestamp - 20 * UNITS + 1:
                self.wire.inbound = self.wire.inbound[:: -1 if swapped else 1]
                await self.bench.run()

    async def rest(self, ticks: int) -> None:
        """Nothing is sent."""
        await self.bench.run(ticks)
        self._timestamp += ticks * 20 * UNITS

    def _hear(self, frame: Frame) -> None:
        """As it was decoded: what ears are given is levelled."""
        self._heard.append(self.leg.row.heard(frame.tick, frame.tick))

    @property
    def heard(self) -> Samples:
        """From the first packet on: a tick after it came."""
        return np.concatenate(self._heard[1:])

    @property
    def concealed(self) -> int:
        assert self.leg.quality is not None
        return self.leg.quality.concealed_frames


def ticks(audio: Samples) -> Samples:
    return audio.reshape(-1, TICK_SAMPLES)


def coded(audio: Samples) -> list[bytes]:
    far = OpusCoder()
    return [far.encode(frame) for frame in ticks(audio)]


def likeness(sent: Samples, received: Samples) -> float:
    """Mean normalised correlation of 20 ms pieces that hold speech, after finding the codec's delay."""
    a, b = sent.astype(np.float64), received.astype(np.float64)
    span = min(len(a), len(b)) - 800
    size = len(a) + len(b)
    delay = int(np.argmax(np.fft.irfft(np.fft.rfft(b, size) * np.fft.rfft(a, size).conj())[:400]))
    pieces = []
    for start in range(0, span - TICK_SAMPLES, TICK_SAMPLES):
        x, y = a[start : start + TICK_SAMPLES], b[start + delay : start + delay + TICK_SAMPLES]
        if np.sqrt(np.mean(x * x)) > 1_000:
            pieces.append(float(np.dot(x, y) / (np.linalg.norm(x) * np.linalg.norm(y) + 1e-9)))
    return float(np.mean(pieces))


async def test_speech_is_heard_and_said(speech: Samples) -> None:
    browser, far = Browser(), OpusCoder()
    browser.leg.play(1, speech, last=True)
    await browser.send(*coded(speech))
    said = [RtpPacket.parse(data) for data, _ in browser.wire.sent]
    for received in (browser.heard, np.concatenate([far.decode(packet.payload) for packet in said])):
        assert likeness(speech, received) > 0.9
        assert abs(20 * np.log10(np.std(received) / np.std(speech))) < 1.0
    assert browser.leg.refusals.total == browser.concealed == 0
    assert {timestamp_step(a.timestamp, b.timestamp) for a, b in pairwise(said)} == {20 * UNITS}
    rate_bps = sum(len(packet.payload) for packet in said) * 8 / (len(speech) / RATE_HZ)
    assert rate_bps < 1.6 * opus.BITRATE_BPS


async def test_lost_packets_are_concealed_and_time_is_kept(speech: Samples) -> None:
    browser, chance = Browser(), random.Random(5)
    payloads = coded(speech)
    lost = [n >= 5 and chance.random() < 0.05 for n in range(len(payloads) - 2)] + [False] * 2
    await browser.send(*[None if gone else payload for gone, payload in zip(lost, payloads, strict=True)])
    assert len(browser.heard) == len(speech) - TICK_SAMPLES
    assert likeness(speech, browser.heard) > 0.85
    assert browser.leg.stats.packets_lost == browser.concealed == sum(lost)


async def test_what_is_lost_is_taken_from_the_packet_after_it(speech: Samples) -> None:
    """In-band FEC, where the far end sends it: nearer to what was said than any concealment."""
    payloads = coded(speech)
    whole, lossy, concealing = Browser(), Browser(), OpusCoder()
    holes = [n % 6 == 5 for n in range(len(payloads))]
    kept = [None if hole else payload for hole, payload in zip(holes, payloads, strict=True)]
    await whole.send(*payloads)
    await lossy.send(*kept)
    made_up = np.concatenate([concealing.decode(payload) for payload in kept])

    def error(received: Samples) -> float:
        """In the lost ticks, as a share of what was said there."""
        pairs = zip(ticks(whole.heard), ticks(received[: whole.heard.size]), holes, strict=False)
        missed = [(a.astype(float), a.astype(float) - b) for a, b, hole in pairs if hole]
        return sum(float(np.sum(d * d)) for _, d in missed) / sum(float(np.sum(a * a)) for a, _ in missed)

    assert error(lossy.heard) < 0.5 * error(made_up)


async def test_of_two_lost_in_a_row_each_is_made_up(speech: Samples) -> None:
    payloads = coded(speech)
    loud = max(range(10, len(payloads) - 2), key=lambda n: float(np.std(ticks(speech)[n : n + 2])))
    browser, whole = Browser(), Browser()
    await whole.send(*payloads)
    await browser.send(*[None if n in (loud, loud + 1) else payload for n, payload in enumerate(payloads)])
    assert len(browser.heard) == len(whole.heard)
    for n in (loud, loud + 1):
        assert np.std(ticks(browser.heard)[n]) > 0.2 * np.std(ticks(whole.heard)[n])
    assert browser.concealed == 2


async def test_a_long_gap_fades_to_silence(speech: Samples) -> None:
    browser = Browser()
    await browser.send(*coded(speech)[:50])
    await browser.rest(50)
    assert np.max(np.abs(browser.heard[-RATE_HZ // 4 :])) < 200


def encoded_elsewhere(duration_ms: int, channels: int, audio: Samples) -> list[bytes]:
    """What another Opus sender makes: 48 kHz, any duration of packet, mono or stereo."""
    library = ctypes.CDLL(str(opus.library_path()))
    state = ctypes.create_string_buffer(library.opus_encoder_get_size(channels))
    assert library.opus_encoder_init(state, 48_000, channels, 2048) == 0
    wide = np.asarray(soxr.resample(audio, RATE_HZ, 48_000), np.int16)
    samples = 48 * duration_ms
    out = ctypes.create_string_buffer(1500)
    payloads = []
    for start in range(0, len(wide) - samples + 1, samples):
        piece = np.ascontiguousarray(np.repeat(wide[start : start + samples, None], channels, axis=1))
        size = library.opus_encode(state, ctypes.c_void_p(piece.ctypes.data), samples, out, 1500)
        assert size > 0
        payloads.append(out.raw[:size])
    return payloads


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("duration_ms", [20, 40, 60])
async def test_packets_of_other_durations_and_stereo(speech: Samples, duration_ms: int, channels: int) -> None:
    browser = Browser()
    await browser.send(*encoded_elsewhere(duration_ms, channels, speech), ms=duration_ms)
    heard = browser.heard
    assert browser.leg.refusals.total == browser.concealed == 0
    assert browser.leg.stats.packets_lost == 0
    assert likeness(speech[: len(heard)], heard) > 0.9


async def test_packets_of_half_a_tick_are_all_heard(speech: Samples) -> None:
    browser = Browser()
    await browser.send(*encoded_elsewhere(10, 1, speech), ms=10)
    assert len(browser.heard) == len(speech) - TICK_SAMPLES
    assert browser.leg.refusals.total == browser.leg.stats.packets_lost == browser.concealed == 0
    assert likeness(speech, browser.heard) > 0.9


async def test_packets_of_half_a_tick_in_the_wrong_order_are_put_right(speech: Samples) -> None:
    payloads = encoded_elsewhere(10, 1, speech)
    right, wrong = Browser(), Browser()
    await right.send(*payloads, ms=10)
    await wrong.send(*payloads[:2], ms=10)
    await wrong.send(*payloads[2:], ms=10, swapped=True)
    np.testing.assert_array_equal(right.heard, wrong.heard)


async def test_of_half_a_tick_that_is_lost_no_more_is_made_up(speech: Samples) -> None:
    payloads: list[bytes | None] = list(encoded_elsewhere(10, 1, speech))
    lost = range(41, len(payloads) - 2, 12)
    for n in lost:
        payloads[n] = None
    browser = Browser()
    await browser.send(*payloads, ms=10)
    assert len(browser.heard) == len(speech) - TICK_SAMPLES
    assert browser.leg.stats.packets_lost == len(lost)
    assert browser.leg.row["backlog"] == 0, "the delay is what it was"
    assert likeness(speech, browser.heard) > 0.85


async def test_more_than_the_clock_allows_lags_but_does_not_grow(speech: Samples) -> None:
    browser = Browser()
    await browser.send(*encoded_elsewhere(60, 1, speech), ms=20)
    await browser.bench.run(2 * 240 // 20)
    await browser.bench.run(5)
    assert len(browser.heard) == (browser.bench.tick - 1) * TICK_SAMPLES
    assert np.max(np.abs(browser.heard[-5 * TICK_SAMPLES :])) < 2_000


async def test_garbage_is_counted_and_never_breaks_the_leg(speech: Samples) -> None:
    chance, browser = random.Random(20), Browser()
    good = coded(speech)
    for turn in range(5_000):
        kind = turn % 4
        if kind == 0:
            payload = chance.randbytes(chance.randrange(1, 200))
        elif kind == 1:
            payload = chance.randbytes(chance.randrange(1, 1_500))
        else:
            mutated = bytearray(good[turn % len(good)])
            for _ in range(chance.randrange(1, 4)):
                mutated[chance.randrange(len(mutated))] = chance.randrange(256)
            payload = bytes(mutated[: chance.randrange(1, len(mutated) + 1)] if kind == 3 else mutated)
        await browser.send(payload)
    bad = browser.leg.refusals.malformed
    assert 0 < bad < 5_000
    assert len(browser.heard) == 4_999 * TICK_SAMPLES
    await browser.send(b"")
    await browser.rest(2)
    assert browser.leg.refusals.malformed == bad, "an empty payload is a lost one"
    # after all that, and once what garbage left behind has played out, good packets sound as they should
    await browser.rest(240 // 20)
    before = len(browser.heard) + TICK_SAMPLES
    await browser.send(*good)
    assert likeness(speech, browser.heard[before:]) > 0.9


async def test_the_encoder_expects_what_the_far_end_reports_to_lose() -> None:
    browser = Browser()
    await browser.bench.run()
    assert expected_loss(browser.leg) == LEAST_LOSS_PERCENT
    for share, percent in ((0.4, 20), (0.4, 25), (0.0, 25), (0.0, 23), (0.0, 20)):
        browser.leg.take_report(share)
        await browser.bench.run()
        assert expected_loss(browser.leg) == percent
    browser.leg.switch(Coding.OPUS, 112)
    await browser.bench.run()
    assert expected_loss(browser.leg) == 20, "another encoder goes on with what is known of the way"


async def test_reports_on_a_leg_without_opus_ask_nothing_of_the_engine() -> None:
    bench = Bench()
    leg, _ = bench.leg(FakeWire())
    for share in [0.5, 0.0] * COMMANDS:
        leg.take_report(share)
    leg.packetise(40)
    await bench.run()
    assert leg.row["packet_octets"] == 320


async def test_reports_that_come_faster_than_the_engine_obeys_are_passed_over() -> None:
    browser = Browser()
    for share in [1.0, *[0.0] * 8] * COMMANDS:
        browser.leg.take_report(share)
    await browser.bench.run(2)
    browser.leg.take_report(1.0)
    await browser.bench.run()
    assert expected_loss(browser.leg) == MOST_LOSS_PERCENT


@given(st.lists(st.floats(0, 1)))
def test_expected_loss_is_bounded_and_never_beyond_what_was_told(shares: list[float]) -> None:
    expected = ExpectedLoss()
    for share in shares:
        before = expected.percent
        expected.add(share)
        assert LEAST_LOSS_PERCENT <= expected.percent <= MOST_LOSS_PERCENT
        assert min(before, 100 * share - 1) <= expected.percent <= max(before, 100 * share + 1)


def test_the_least_that_is_expected_is_the_least_that_libopus_repairs_in_full_band(speech: Samples) -> None:
    """With another libopus this may be another number."""
    has_repair, wideband = library().opus_packet_has_lbrr, (8, 9, 10, 11)
    has_repair.argtypes = [ctypes.c_char_p, ctypes.c_int32]

    def encode(percent: int) -> list[bytes]:
        state, out = OpusState(percent), ctypes.create_string_buffer(1_275)
        sizes_and_payloads = []
        for frame in ticks(speech):
            size = library().opus_encode(state.encoder_address, frame.ctypes.data, TICK_SAMPLES, out, 1_275)
            sizes_and_payloads.append(out.raw[:size])
        return sizes_and_payloads

    def fit(payloads: list[bytes]) -> bool:
        repairs = sum(has_repair(payload, len(payload)) for payload in payloads)
        return repairs > len(payloads) / 2 and all(payload[0] >> 3 in wideband for payload in payloads)

    assert fit(encode(LEAST_LOSS_PERCENT))
    assert not any(fit(encode(percent)) for percent in (2, 5, LEAST_LOSS_PERCENT - 1))

"""Telephones and pages on a loudspeaker: what they are told comes back through a room, and nobody hears it."""

import numpy as np
import pytest

from dsp.kernel import Pcm
from tests.dsp.echoes import clipped, gain_db, response_of, wide_talk
from tests.fakes.coders import coder
from tests.voice.media.ticks import PEER, Bench
from tests.voice.media.wires import FakeWire
from voice.line_test import Echo
from voice.listener import CLAIM_MS
from voice.media.codecs import Coding
from voice.ports import RATE_HZ, TICK_SAMPLES, Frame, Room
from voice.speech.endpoint import ONSET_VOICE, Endpointer, VoiceEnded, VoiceStarted
from voice.wire.rtp import RtpPacket

FORMATS = pytest.mark.parametrize("coding", [Coding.PCMU, Coding.G722, Coding.L16_16K, Coding.OPUS])
TYPES = {Coding.PCMU: 0, Coding.G722: 9, Coding.L16_16K: 111, Coding.OPUS: 111}
SECOND = 50  # ticks
DELAY_MS = 60


def person(seconds: float, seed: int) -> Pcm:
    """Who speaks from the first tick on, 16 kHz."""
    sound = wide_talk(seconds + 1, seed)
    begin = int(np.argmax(np.abs(sound) > 1_000))
    return sound[begin : begin + int(seconds * SECOND) * TICK_SAMPLES]


class Telephone:
    """A far end whose loudspeaker gives back what it is told, weaker by `loss_db` (None: not at all); `caller` i16[n]
    speaks there."""

    def __init__(self, bench: Bench, coding: Coding, loss_db: float | None, caller: Pcm | None = None) -> None:
        self.coding, self.wire, self._bench, self._coder = coding, FakeWire(), bench, coder(coding)
        self.leg = bench.plane.add_leg(self.wire, coding, TYPES[coding], None)
        self.frames: list[Frame] = []
        self.heard: list[Pcm] = []
        self.leg.listen(self._hear)
        response = response_of(DELAY_MS, "room", seed=1, hz=16_000)
        self._response = response / np.linalg.norm(response) * (0 if loss_db is None else 10 ** (-loss_db / 20))
        self.told: list[Pcm] = [np.zeros(TICK_SAMPLES, np.int16)] * (response.size // TICK_SAMPLES + 2)
        self.came: list[Pcm] = []
        self._caller = np.zeros((0, TICK_SAMPLES)) if caller is None else caller.reshape(-1, TICK_SAMPLES)
        self._noise = np.random.default_rng(1)

    def _hear(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.heard.append(self.leg.row.heard(frame.tick, frame.tick))

    def live(self) -> None:
        """One tick: what has come is played, and what the microphone hears is sent."""
        for data, _ in self.wire.sent:
            self.told.append(self._coder.decode(RtpPacket.parse(data).payload))
        self.wire.sent.clear()
        past = np.concatenate(self.told[-self._response.size // TICK_SAMPLES - 2 :])[
            -TICK_SAMPLES - self._response.size :
        ]
        sound = np.convolve(past, self._response, "valid")[-TICK_SAMPLES:] + 5 * self._noise.standard_normal(320)
        n = len(self.came)
        sound += self._caller[n] if n < len(self._caller) else 0
        self.came.append(clipped(sound))
        packet = RtpPacket(TYPES[self.coding], n, n * self.coding.clock_hz // 50, 1, self._coder.encode(self.came[-1]))
        self.wire.inbound = [(bytes(packet), PEER)]

    def weaker_db(self, first: int, last: int) -> float:
        """What is heard than what came, in these ticks."""
        return gain_db(np.concatenate(self.heard[first:last]), np.concatenate(self.came[first:last]))


async def live(bench: Bench, *telephones: Telephone, seconds: float) -> None:
    for _ in range(int(seconds * SECOND)):
        for telephone in telephones:
            telephone.live()
        await bench.run()


def spoken(frames: list[Frame]) -> list[tuple[int, int | None]]:
    """Whenever somebody is found to speak: the tick in which that is known, and the one from which it interrupts us."""
    endpointer, found, begun_ms = Endpointer(), list[tuple[int, int | None]](), 0
    for frame in frames:
        now_ms = (frame.tick + 1) * 20
        for event in endpointer.frame(now_ms, frame.voice, frame.level_dbfs):
            if isinstance(event, VoiceStarted):
                begun_ms = event.at_ms
                found.append((frame.tick, None))
            elif isinstance(event, VoiceEnded):
                begun_ms = 0
        if begun_ms and found[-1][1] is None and frame.voice >= ONSET_VOICE and now_ms - begun_ms >= CLAIM_MS:
            found[-1] = found[-1][0], frame.tick
    return found


@FORMATS
@pytest.mark.parametrize("loss_db", [6, 20])
async def test_our_voice_that_comes_back_is_taken_out_and_interrupts_nobody(coding: Coding, loss_db: float) -> None:
    bench = Bench(1, cancels_echo=True)
    telephone = Telephone(bench, coding, loss_db)
    telephone.leg.play(1, person(6, 2), last=True)
    await live(bench, telephone, seconds=6)
    assert telephone.weaker_db(3 * SECOND, 6 * SECOND) > (15 if coding is Coding.OPUS else 20)
    assert not any(interrupts for _, interrupts in spoken(telephone.frames))


@FORMATS
@pytest.mark.parametrize("loss_db", [None, 12])
@pytest.mark.parametrize("begin_s", [1, 4])
async def test_who_speaks_over_us_is_heard_within_200_ms(coding: Coding, loss_db: float | None, begin_s: int) -> None:
    caller = np.concatenate([np.zeros(begin_s * 16_000, np.int16), person(1, 92)])
    bench = Bench(1, cancels_echo=True)
    telephone = Telephone(bench, coding, loss_db, caller)
    telephone.leg.play(1, person(6, 2), last=True)
    await live(bench, telephone, seconds=begin_s + 1)
    begun, interrupts = spoken(telephone.frames)[0]
    assert begin_s * SECOND < begun <= begin_s * SECOND + 10
    assert interrupts is not None
    assert interrupts <= begin_s * SECOND + 20


@FORMATS
async def test_a_leg_that_gives_nothing_back_is_heard_bit_for_bit_as_without(coding: Coding) -> None:
    heard = []
    for cancels_echo in (False, True):
        bench = Bench(1, cancels_echo=cancels_echo)
        caller = np.concatenate([np.zeros(2 * 16_000, np.int16), person(2, 92)])
        telephone = Telephone(bench, coding, None, caller)
        telephone.leg.play(1, person(3, 2), last=True)
        await live(bench, telephone, seconds=4)
        heard.append(telephone)
    for without, with_ in zip(*(each.heard for each in heard), strict=True):
        np.testing.assert_array_equal(with_, without)
    levels = [[frame.level_dbfs for frame in each.frames] for each in heard]
    assert levels[0] == levels[1]
    begun = [spoken(each.frames)[0][0] for each in heard]
    assert abs(begun[0] - begun[1]) <= 2


@FORMATS
async def test_who_talks_to_a_loudspeaker_does_not_hear_himself(coding: Coding) -> None:
    """His packets go on as they came, and those that come back do not once they hold an echo."""
    bench, room = Bench(2, cancels_echo=True), Room()
    loud, other = Telephone(bench, coding, 12), Telephone(bench, coding, None, person(6, 3))
    for telephone in (loud, other):
        telephone.leg.enter(room)
    await live(bench, loud, other, seconds=6)
    came, told = (np.concatenate(pieces[-2 * SECOND :]) for pieces in (loud.came, other.told))
    assert gain_db(told, came) > 20


async def test_a_tone_that_a_test_number_gives_back_is_no_echo() -> None:
    """All of a steady tone is explained by what was played before."""
    tone = (3_000 * np.sin(2 * np.pi * 440 * np.arange(15 * SECOND * TICK_SAMPLES) / RATE_HZ)).astype(np.int16)
    bench = Bench(1, cancels_echo=True)
    telephone = Telephone(bench, Coding.PCMU, None, tone)
    telephone.leg.listen(Echo(telephone.leg, lambda cause: None).on_frame)
    await live(bench, telephone, seconds=15)
    said, told = telephone.came[SECOND : 3 * SECOND], telephone.told[-2 * SECOND :]
    assert abs(gain_db(np.concatenate(told), np.concatenate(said))) < 1

"""What bad lines leave of a call, through the whole media engine: loss, words understood, drifting clocks.

In virtual time, from packets in to what the recogniser's ears get and the recording holds. Speech is Debian's prompts
as G.711; the network loses packets one by one or four in a row, and delays each by up to so much.

Loss: speech without its pauses, so that what is silent was put in. A piece of 5 ms is `sound` unless it is 20 dB below
the softest that was said: concealment that has faded so far counts as lost. `late` came after its turn and was made up
as well: the buffer aims at one in a hundred; `dropped` came in time and was not played all the same. Words: word error
rates of the default recogniser, from the plain file and from what a leg gave its ears.
Drift: half an hour of a far end whose clock is off. `delay`: from when a packet came until its sound is due, found by
where it is in the recording, sample by sample: a vowel is like itself a pitch period later, too, but not the same. A
slot is due when its work has had its 2 ms, which take no time here and are added. The buffer aims at 20 ms behind the
fastest packet of the last 4.5 s, and in so long a clock that is 200 ppm slow is 0.9 ms later: so much less the delay is
when it is set right. A click would be a step that the tone does not
have, or leave a mark beside its line in the spectrum: `beside` is the strongest of 40 ms at other frequencies against
the tone.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence

import jiwer
import numpy as np
import numpy.typing as npt

from bench.corpus import Recording, debian_prompts, load
from bench.figures import Figure
from bench.likeness import largest_step
from bench.normalise import normalised
from bench.recognise import excluded, through_g711
from bench.sound import BURSTS, losses
from bench.virtual_line import TAIL_TICKS, Carried, carry, spoken
from dialog.actions import Expect
from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_HZ, WIDE_TICK, Pcm
from dsp.resample import Upsampler, resample
from tests.dsp.network import Arrival, over
from voice.media.engine.layout import SLOTS
from voice.ports import TICK_MS
from voice.speech.engines.base import Recogniser
from voice.speech.engines.catalogue import open_recogniser
from voice.speech.settings import EngineSettings

PERCENT = (0, 1, 2, 5, 10, 20, 30)
JITTER_MS = (0, 10, 30, 60)
WORDS_LOST_PERCENT = (0, 5)
DRIFT_PPM = (-200, 200)

MUST_SOUND = ">= 99.5"
MUST_LATE = "<= 1"
MUST_LENGTH_MS = "<= 20"
MUST_WORDS = "<= 2"
MUST_LEAST_DELAY_MS = ">= 20"
MUST_MOST_DELAY_MS = "<= 200"
MUST_STEP = "<= 1.25"
MUST_BESIDE_DB = "<= -40"

_WAY_MS = 15.0  # to the tick after next with little jitter, to the next with none
_SAID_DBFS = -45.0  # the softest 5 ms of what is said without pauses
_SILENT_DBFS = _SAID_DBFS - 20
_PIECES = 4  # of 5 ms in a tick
_TONE_HZ = 440.0
_FOUND_MS = 60  # of sound are looked for in the recording ...
_SOUGHT_MS = 300  # ... for so long from when they came
_ALIKE = 0.999
_SLOT_MS = TICK_MS / SLOTS  # from when a slot's packets are read until its sound is due
_WIDENED, _BETWEEN = divmod(Upsampler.DELAY_SAMPLES, 2)  # samples at 8 kHz; those that came are every other one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much of each."""
    parser.add_argument("--seconds", type=float, default=60, help="of speech over each kind of network")
    parser.add_argument("--every", type=int, default=1, help="only every n-th recording is read to the recogniser")
    parser.add_argument("--minutes", type=float, default=30, help="of drift")


def run(options: argparse.Namespace) -> list[Figure]:
    """All figures; 0 seconds or minutes, or `every` 0, leave theirs out."""
    recordings = load(debian_prompts())
    figures: list[Figure] = []
    if options.seconds:
        figures += loss(without_pauses(recordings[:: max(1, len(recordings) // 30)], options.seconds))
    if options.every:
        figures += words(recordings[:: options.every])
    if options.minutes:
        figures += drift(with_pauses(recordings[::5]), options.minutes)
    return figures


# --- loss ---


def levels_dbfs(x: Pcm, size: int) -> npt.NDArray[np.float64]:
    """Of pieces of `size` samples."""
    pieces = x[: x.size // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(10 * np.log10(np.mean(pieces**2, axis=1) / 32_768**2 + 1e-12))


def without_pauses(recordings: Sequence[Recording], seconds: float) -> Pcm:
    """The ticks at 8 kHz in which somebody speaks all the time, one after the other."""
    kept = []
    for recording in recordings:
        ticks = _narrow(recording.pcm).reshape(-1, NARROW_TICK)
        softest = levels_dbfs(ticks.reshape(-1), NARROW_TICK // _PIECES).reshape(-1, _PIECES).min(axis=1)
        kept.append(ticks[softest >= _SAID_DBFS].reshape(-1))
    return np.concatenate(kept)[: int(seconds * NARROW_HZ)]


def _narrow(pcm: Pcm) -> Pcm:
    narrow = resample(pcm, WIDE_HZ, NARROW_HZ)
    return narrow[: narrow.size // NARROW_TICK * NARROW_TICK]


def lossy(packets: list[Arrival], percent: float, burst: int, jitter_ms: float) -> list[Arrival]:
    """What arrives of them: `percent` lost, `burst` in a row, the rest delayed by up to `jitter_ms`."""
    lost = losses(len(packets), percent, burst, np.random.default_rng(int(percent)))
    left = [packet for packet, gone in zip(packets, lost, strict=True) if not gone]
    return over(left, delay_ms=lambda chance: _WAY_MS + chance.uniform(0, jitter_ms))


def loss(said: Pcm, percents: Sequence[int] = PERCENT, jitters_ms: Sequence[int] = JITTER_MS) -> list[Figure]:
    """Over every kind of network."""
    packets = spoken(said)
    kinds = [(percent, burst, ms) for burst in BURSTS for percent in percents for ms in jitters_ms]
    calls = [lossy(packets, *kind) for kind in kinds]
    ticks = len(packets) + TAIL_TICKS
    figures = []
    for (percent, burst, ms), came, call in zip(kinds, calls, asyncio.run(carry(calls, ticks)), strict=True):
        name = f"loss_{percent:02}.burst_{burst}.jitter_{ms:02}"
        arrivals = call.arrivals
        figures += [
            Figure(f"{name}.sound", round(100 * sounding(call.left), 2), "%", MUST_SOUND),
            Figure(f"{name}.late", round(100 * arrivals.late / len(came), 2), "%", MUST_LATE),
            Figure(f"{name}.dropped", arrivals.overflowed + arrivals.repeated, "packets", "== 0"),
            Figure(f"{name}.recording.off", call.off_ms(ticks), "ms", MUST_LENGTH_MS),
        ]
    return figures


def sounding(heard: Pcm) -> float:
    """The share of what was heard, from its beginning to its end, that is no silence."""
    loud = levels_dbfs(heard, WIDE_TICK // _PIECES) >= _SILENT_DBFS
    there = np.flatnonzero(loud)
    return float(loud[there[0] : there[-1] + 1].mean())


# --- words ---


def words(recordings: Sequence[Recording]) -> list[Figure]:
    """Each recording is a call of its own."""
    left_out = excluded()
    counted = [recording for recording in recordings if recording.name not in left_out]
    truth = [normalised(recording.text) for recording in counted]
    recogniser = open_recogniser(EngineSettings(recogniser="moonshine"))
    recogniser.warm()

    def errors_percent(heard: Sequence[Pcm]) -> float:
        return 100 * jiwer.wer(truth, [normalised(_text(recogniser, pcm)) for pcm in heard])

    plain = errors_percent([through_g711(recording.pcm) for recording in counted])
    figures = [
        Figure("words", sum(len(text.split()) for text in truth), "words"),
        Figure("words.plain.wer", round(plain, 2), "%"),
    ]
    for percent in WORDS_LOST_PERCENT:
        wer = errors_percent(asyncio.run(_through_engine(counted, percent)))
        name = f"words.loss_{percent:02}"
        figures += [
            Figure(f"{name}.wer", round(wer, 2), "%"),
            Figure(f"{name}.over_plain", round(wer - plain, 2), "points", MUST_WORDS),
        ]
    return figures


async def _through_engine(recordings: Sequence[Recording], percent: int) -> list[Pcm]:
    calls = []
    for number, recording in enumerate(recordings):
        packets = spoken(_narrow(recording.pcm))
        lost = losses(len(packets), percent, 1, np.random.default_rng(number))
        calls.append([(at + _WAY_MS, packet) for (at, packet), gone in zip(packets, lost, strict=True) if not gone])
    ends = [recording.pcm.size // WIDE_TICK + TAIL_TICKS for recording in recordings]
    carried = await carry(calls, max(ends))
    return [np.concatenate(call.ears[:end]) for call, end in zip(carried, ends, strict=True)]


def _text(recogniser: Recogniser, pcm: Pcm) -> str:
    stream = recogniser.open(Expect.FREE)
    stream.push(pcm)
    hypotheses = stream.final().hypotheses
    stream.close()
    return hypotheses[0].text if hypotheses else ""


# --- drift ---


def with_pauses(recordings: Sequence[Recording]) -> Pcm:
    """Recordings at 8 kHz, half a second of silence after each."""
    pause = np.zeros(NARROW_HZ // 2, np.int16)
    return np.concatenate([part for recording in recordings for part in (_narrow(recording.pcm), pause)])


def drift(said: Pcm, minutes: float, off_ppm: Sequence[int] = DRIFT_PPM) -> Iterator[Figure]:
    """Speech and a tone from clocks that are slow, or fast."""
    ticks = int(minutes * 60_000 / TICK_MS)
    samples = (ticks + TAIL_TICKS) * NARROW_TICK  # a fast clock says more in the time
    tone = np.rint(9_000 * np.sin(2 * np.pi * _TONE_HZ * np.arange(samples) / NARROW_HZ)).astype(np.int16)
    speech = np.resize(said, samples)
    calls = [spoken(pcm, TICK_MS * (1 + ppm / 1e6)) for ppm in off_ppm for pcm in (speech, tone)]
    carried = asyncio.run(carry(calls, ticks))
    for ppm, packets, of_speech, of_tone in zip(off_ppm, calls[::2], carried[::2], carried[1::2], strict=True):
        name = f"drift_{ppm:+}"
        delays_ms = list(_delays_ms(packets, speech, of_speech))
        steady = of_tone.left[WIDE_HZ:-WIDE_HZ]
        yield Figure(f"{name}.delays", len(delays_ms), "found")
        yield Figure(f"{name}.delay.least", round(min(delays_ms), 2), "ms", MUST_LEAST_DELAY_MS)
        yield Figure(f"{name}.delay.most", round(max(delays_ms), 2), "ms", MUST_MOST_DELAY_MS)
        yield Figure(f"{name}.recording.off", max(of_speech.off_ms(ticks), of_tone.off_ms(ticks)), "ms", MUST_LENGTH_MS)
        yield Figure(f"{name}.concealed", of_speech.arrivals.concealed, "ticks")
        yield Figure(f"{name}.tone.step", round(largest_step(steady) / _tone_step(), 3), "times", MUST_STEP)
        yield Figure(f"{name}.tone.beside", round(beside_db(steady), 1), "dB", MUST_BESIDE_DB)


def _delays_ms(arrivals: list[Arrival], said: Pcm, call: Carried) -> Iterator[float]:
    """How long after its packet came a sound is due, every five seconds or so where it is unmistakable."""
    heard = call.left[_BETWEEN::2].astype(np.float64)
    size, sought = _FOUND_MS * 8, _SOUGHT_MS * 8
    for n in range(250, len(arrivals) - 250, 50):
        wanted = said[n * NARROW_TICK : n * NARROW_TICK + size].astype(np.float64)
        came = int(arrivals[n][0] * 8)
        windows = np.lib.stride_tricks.sliding_window_view(heard[came : came + sought], size)
        alike = windows @ wanted / (np.linalg.norm(windows, axis=1) * np.linalg.norm(wanted) + 1)
        if alike.max() > _ALIKE:
            yield float(alike.argmax() - _WIDENED) / 8 + _SLOT_MS


def _tone_step() -> float:
    return float(9_000 * 2 * np.sin(np.pi * _TONE_HZ / WIDE_HZ))


def beside_db(steady: Pcm) -> float:
    """The strongest away from the tone's line, in windows of 40 ms, against the tone."""
    size = 2 * WIDE_TICK
    windows = np.lib.stride_tricks.sliding_window_view(steady, size)[:: WIDE_TICK // 2]
    worst = 0.0
    line = int(_TONE_HZ * size / WIDE_HZ)
    for part in np.array_split(windows, len(windows) // 1_000 + 1):
        spectra = np.abs(np.fft.rfft(part * np.hanning(size)))
        worst = max(worst, float((spectra[:, 2 * line :].max(axis=1) / spectra.max(axis=1)).max()))
    return float(20 * np.log10(worst))

"""Call progress: what is told, what is not, and silence about everything else over 25 minutes of human speech."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dsp import g711
from dsp.kernel import Pcm
from dsp.progress import Progress, ProgressDetector
from dsp.resample import resample
from dsp.tones import DIGITS, dtmf_tone
from tests.dsp.speech import prompts, voice
from voice.media.music import hold_music

ROW = np.zeros(1, np.int32)

Wave = npt.NDArray[np.float64]


def tone(hz: float, seconds: float, dbfs: float = -15) -> Wave:
    """At an RMS, with a phase of its own."""
    time = np.arange(round(seconds * 8_000)) / 8_000
    return np.asarray(np.sqrt(2) * 32_768 * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time + hz))


def pause(seconds: float) -> Wave:
    return np.zeros(round(seconds * 8_000))


def noisy(x: Wave, snr_db: float, seed: int = 1) -> Wave:
    """With white noise so far below a tone of -15 dBFS."""
    return x + np.random.default_rng(seed).standard_normal(x.size) * 32_768 * 10 ** ((-15 - snr_db) / 20)


def told(*parts: Wave | Pcm, law: int | None = None) -> list[Progress]:
    """What one row is told of over the parts and 0.6 s of silence."""
    pcm: Pcm = np.rint(np.clip(np.concatenate([*parts, pause(0.6)]), -32_768, 32_767)).astype(np.int16)
    if law is not None:
        pcm = g711.decode_block(g711.encode_block(pcm, law), law)
    detector, event, found = ProgressDetector(1), np.full(1, 9, np.uint8), []
    for tick in pcm[: pcm.size // 160 * 160].reshape(-1, 1, 160):
        detector.process(ROW, np.ascontiguousarray(tick), event)
        found.append(Progress(int(event[0])))
    return [each for each in found if each]


@pytest.mark.parametrize("snr_db", [60, 15, 10])
@pytest.mark.parametrize("hz", [205, 250, 325, 520, 700, 1_000, 1_047, 1_375, 1_400, 1_633, 2_000, 2_495])
def test_beeps_are_told_however_long_and_whenever_they_begin(hz: float, snr_db: float) -> None:
    for number, seconds in enumerate((0.12, 0.2, 0.5, 1.0, 1.95)):
        lead = pause(0.3 + 0.007 * number)
        assert told(noisy(np.concatenate([lead, tone(hz, seconds), pause(0.6)]), snr_db)) == [Progress.BEEP]


def test_a_beep_after_a_greeting_is_told_and_one_that_speech_follows_is_not() -> None:
    greeting, beep = voice(2, seed=3), tone(1_000, 0.4)
    assert told(greeting, pause(0.3), beep) == [Progress.BEEP]
    assert told(greeting, beep) == [Progress.BEEP]
    assert told(beep, tone(100, 1) + tone(800, 1)) == []


@pytest.mark.parametrize("seconds", [0.02, 0.06, 2.1, 5])
def test_what_is_too_short_or_too_long_is_no_beep(seconds: float) -> None:
    for lead in range(0, 160, 16):
        assert told(np.zeros(lead), tone(1_000, seconds)) == []


def test_a_tone_that_glides_or_swells_is_no_beep() -> None:
    time = np.arange(8_000) / 8_000
    glide = 5_000 * np.sin(2 * np.pi * (800 * time + 300 * time**2))
    assert told(glide) == []
    assert told(tone(900, 1) * np.exp(-12 * time)) == []


@pytest.mark.parametrize("snr_db", [60, 15])
@pytest.mark.parametrize("hz", [1_064, 1_100, 1_136])
@pytest.mark.parametrize("seconds", [0.43, 0.5, 0.57])
def test_a_fax_that_calls_is_told_each_time(hz: float, seconds: float, snr_db: float) -> None:
    calling = np.concatenate([pause(0.21), tone(hz, seconds), pause(3), tone(hz, seconds), pause(3)])
    assert told(noisy(calling, snr_db)) == [Progress.FAX_CALLING] * 2


@pytest.mark.parametrize("snr_db", [60, 15])
@pytest.mark.parametrize("hz", [2_085, 2_100, 2_115])
@pytest.mark.parametrize("wobble", [0, 0.2], ids=["CED", "ANSam"])
@pytest.mark.parametrize("reversed_phase", [False, True])
def test_a_fax_that_answers_is_told_once(hz: float, wobble: float, reversed_phase: bool, snr_db: float) -> None:
    number = np.arange(3 * 8_000)
    answer = tone(hz, 3) * (1 + wobble * np.sin(2 * np.pi * 15 * number / 8_000))
    if reversed_phase:
        answer *= 1 - 2 * (number // 3_600 % 2)
    assert told(noisy(np.concatenate([pause(0.33), answer, pause(0.6)]), snr_db)) == [Progress.FAX_ANSWERING]


def cadence(frequencies: tuple[float, ...], on_s: float, off_s: float, count: int) -> Wave:
    one = sum((tone(hz, on_s, -18) for hz in frequencies), start=pause(on_s))
    return np.concatenate([one, pause(off_s)] * count)


SIT = np.concatenate([tone(950, 0.33), tone(1_400, 0.33), tone(1_800, 0.33), pause(1)])
SIT_2 = np.concatenate([tone(914, 0.27), pause(0.03), tone(1_371, 0.27), pause(0.03), tone(1_777, 0.38), pause(1)])


@pytest.mark.parametrize(
    ("sound", "what"),
    [
        pytest.param(cadence((440, 480), 2, 4, 2), [], id="ring US"),
        pytest.param(cadence((425,), 1, 4, 3), [], id="ring EU"),
        pytest.param(np.concatenate([cadence((400, 450), 0.4, 0.2, 2), pause(1.8)] * 3), [], id="ring UK"),
        pytest.param(cadence((400,), 1, 2, 3), [], id="ring JP"),
        pytest.param(cadence((350, 440), 1.5, 1, 1), [], id="dial US"),
        pytest.param(np.concatenate([cadence((425,), 0.2, 0.2, 1), cadence((425,), 0.6, 1, 1)] * 4), [], id="dial IT"),
        pytest.param(cadence((440,), 0.3, 2, 2), [], id="waiting"),
        pytest.param(cadence((480, 620), 0.5, 0.5, 3), [], id="busy, too few"),
        pytest.param(cadence((480, 620), 0.5, 0.5, 9), [Progress.BUSY], id="busy US"),
        pytest.param(cadence((425,), 0.5, 0.5, 6), [Progress.BUSY], id="busy EU"),
        pytest.param(cadence((425,), 0.48, 0.48, 6), [Progress.BUSY], id="busy DE"),
        pytest.param(cadence((400,), 0.375, 0.375, 6), [Progress.BUSY], id="busy UK"),
        pytest.param(cadence((425,), 0.3, 0.3, 6), [Progress.BUSY], id="busy FI"),
        pytest.param(cadence((480, 620), 0.25, 0.25, 8), [Progress.CONGESTION], id="reorder US"),
        pytest.param(cadence((425,), 0.2, 0.2, 8), [Progress.CONGESTION], id="congestion IT"),
        pytest.param(cadence((425,), 0.24, 0.24, 8), [Progress.CONGESTION], id="congestion DE"),
        pytest.param(SIT, [Progress.SIT], id="SIT"),
        pytest.param(SIT_2, [Progress.SIT], id="SIT 2"),
    ],
)
def test_what_exchanges_play_is_told_or_nothing_and_no_beep(sound: Wave, what: list[Progress]) -> None:
    for offset in (0, 70, 110):
        assert told(np.zeros(offset), sound) == what
        assert told(np.zeros(offset), noisy(sound, 15)) == what


def test_a_cadence_that_is_uneven_or_filled_is_no_busy_tone() -> None:
    uneven = [cadence((425,), 0.5, pause_s, 1) for pause_s in (0.5, 0.3, 0.5, 0.3, 0.5, 0.3)]
    assert told(*uneven) == []
    assert told(*(cadence((425,), burst_s, 0.4, 1) for burst_s in (0.5, 0.35) * 4)) == []
    assert told(*(cadence((hz,), 0.4, 0.4, 1) for hz in (400, 450) * 4)) == []
    assert told(*(0.5 ** (n % 2) * cadence((425,), 0.5, 0.5, 1) for n in range(8))) == []
    hum = tone(150, 8, -20)
    assert told(cadence((425,), 0.5, 0.5, 8) + hum) == []
    assert told(cadence((900,), 0.5, 0.2, 4), pause(1)) == [Progress.BEEP]


def test_keys_are_no_beeps() -> None:
    assert told(*(part for digit in DIGITS for part in (dtmf_tone(digit, 200, 8_000), pause(0.5)))) == []


def test_human_speech_is_nothing_and_a_beep_among_it_is_one() -> None:
    """The only prompt that is told of is a beep."""
    minutes, found = 0.0, {}
    for name, pcm in prompts():
        minutes += pcm.size / 8_000 / 60
        if events := told(pcm):
            found[name] = events
    assert found == {"beep.wav": [Progress.BEEP]}
    assert minutes > 20


def test_human_speech_that_breaks_off_anywhere_is_nothing() -> None:
    for name, pcm in prompts():
        for end in range(4_000, min(pcm.size, 40_000), 3_100):
            assert told(pcm[max(0, end - 8_000) : end]) == [], (name, end)


def test_music_is_nothing_wherever_it_breaks_off() -> None:
    music = resample(hold_music(), 16_000, 8_000)
    assert told(music) == []
    for end in range(8_000, music.size, 2_770):
        assert told(music[end - 8_000 : end]) == [], end


@pytest.mark.parametrize("law", [g711.MU_LAW, g711.A_LAW])
def test_all_are_told_through_g711(law: int) -> None:
    assert told(pause(0.2), tone(1_400, 0.3, -25), law=law) == [Progress.BEEP]
    assert told(pause(0.2), tone(1_100, 0.5, -25), law=law) == [Progress.FAX_CALLING]
    assert told(pause(0.2), tone(2_100, 3, -25), law=law) == [Progress.FAX_ANSWERING]
    assert told(cadence((480, 620), 0.5, 0.5, 4), law=law) == [Progress.BUSY]
    assert told(SIT * 0.3, law=law) == [Progress.SIT]


def waited(sound: Wave, ticks: int, below_dbfs: float) -> list[int]:
    detector, event = ProgressDetector(1), np.zeros(1, np.uint8)
    detector.await_silence(0, ticks, below_dbfs)
    found = []
    for number, tick in enumerate(np.rint(sound).astype(np.int16).reshape(-1, 1, 160)):
        detector.process(ROW, np.ascontiguousarray(tick), event)
        if event[0] == Progress.SILENCE:
            found.append(number)
    return found


def test_silence_is_told_once_when_it_is_long_enough() -> None:
    sound = np.concatenate([tone(300, 0.2) + tone(900, 0.2), pause(1), tone(300, 0.1) + tone(900, 0.1), pause(0.5)])
    assert waited(sound, 20, -50) == [10 + 19, 10 + 50 + 5 + 19]
    assert waited(sound, 40, -50) == [10 + 39]
    assert waited(sound, 0, -50) == []
    assert waited(sound + 120, 20, -50) == []
    assert waited(sound + 120, 20, -48) == [29, 84]


def test_a_silence_and_a_beep_in_one_tick_are_told_in_two() -> None:
    detector, event, found = ProgressDetector(1), np.zeros(1, np.uint8), []
    detector.await_silence(0, 11)
    for tick in np.rint(np.concatenate([tone(1_000, 0.2), pause(0.4)])).astype(np.int16).reshape(-1, 1, 160):
        detector.process(ROW, np.ascontiguousarray(tick), event)
        found.append(int(event[0]))
    at = found.index(Progress.BEEP)
    assert found[at + 1] == Progress.SILENCE
    assert sum(map(bool, found)) == 2


@given(arrays.arrays(np.int16, st.tuples(st.integers(1, 3), st.just(160))))
def test_any_samples_are_taken(ticks: Pcm) -> None:
    detector, event = ProgressDetector(1), np.full(1, 9, np.uint8)
    for tick in ticks[:, None]:
        detector.process(ROW, np.ascontiguousarray(tick), event)
        assert event[0] == Progress.NOTHING  # three ticks are too few for anything


def test_rows_are_apart_and_begin_anew() -> None:
    detector, event, pcm = ProgressDetector(3), np.full(3, 9, np.uint8), np.zeros((3, 160), np.int16)
    beep = np.rint(np.concatenate([tone(1_000, 0.2), pause(0.3)])).astype(np.int16).reshape(-1, 160)
    for reset in (False, True):
        found = []
        for number, tick in enumerate(beep):
            pcm[[0, 2]] = tick
            detector.process(np.array([2, 0], np.int32), pcm, event)
            found.append((int(event[0]), int(event[2])))
            if reset and number == 12:
                detector.reset(2)
        assert [a for a, _ in found if a] == [Progress.BEEP]
        assert [b for _, b in found if b] == ([] if reset else [Progress.BEEP])
        assert event[1] == 9


def test_wrong_rows_and_shapes_are_refused() -> None:
    detector, pcm, event = ProgressDetector(2), np.zeros((2, 160), np.int16), np.zeros(2, np.uint8)
    for row in (-1, 2):
        with pytest.raises(ValueError, match="rows must be"):
            detector.process(np.array([row], np.int32), pcm, event)
        with pytest.raises(ValueError, match="row must be"):
            detector.await_silence(row, 5)
        with pytest.raises(ValueError, match="row must be"):
            detector.reset(row)
    with pytest.raises(ValueError, match="pcm8k must have shape"):
        detector.process(ROW, pcm[:1], event)
    with pytest.raises(ValueError, match="event must have shape"):
        detector.process(ROW, pcm, event[:1])

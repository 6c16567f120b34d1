"""DTMF: what Q.24 wants heard, what it wants refused, and silence over 25 minutes of human speech."""

import numpy as np
import numpy.typing as npt
import pytest

from dsp import g711
from dsp.kernel import Pcm
from dsp.tones import DIGITS, HIGH_HZ, LOW_HZ, DtmfDetector, dtmf_tone, key_tones
from tests.dsp.oracles import keys_pressed
from tests.dsp.speech import prompts, voice

Wave = npt.NDArray[np.float64]


def tone(
    digit: str,
    duration_ms: int,
    *,
    low_off: float = 0.0,
    high_off: float = 0.0,
    low_dbfs: float = -13,
    high_dbfs: float = -13,
) -> Wave:
    """A tone with each frequency off by a part and at a level (RMS)."""
    row, column = divmod(DIGITS.index(digit), 4)
    time = np.arange(duration_ms * 8) / 8_000
    low = 10 ** (low_dbfs / 20) * np.sin(2 * np.pi * LOW_HZ[row] * (1 + low_off) * time + 1)
    high = 10 ** (high_dbfs / 20) * np.sin(2 * np.pi * HIGH_HZ[column] * (1 + high_off) * time + 2)
    return np.asarray(np.sqrt(2) * 32_768 * (low + high))


def pause(duration_ms: int) -> Wave:
    return np.zeros(duration_ms * 8)


def heard(*parts: Wave | Pcm) -> str:
    """The digits that one row reports over the parts, then 40 ms of silence."""
    x = np.concatenate([*parts, pause(60)])
    pcm: Pcm = np.rint(np.clip(x, -32_768, 32_767)).astype(np.int16)
    detector, digit, found = DtmfDetector(1), np.full(1, 1, np.uint8), b""
    for tick in pcm[: pcm.size // 160 * 160].reshape(-1, 1, 160):
        detector.process(np.zeros(1, np.int32), np.ascontiguousarray(tick), digit)
        found += digit.tobytes()
    return found.replace(b"\0", b"").decode("ascii")


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("lead_ms", [0, 3, 9, 14, 19])
def test_forty_milliseconds_are_heard_wherever_they_begin(digit: str, lead_ms: int) -> None:
    assert heard(pause(lead_ms), tone(digit, 40)) == digit


@pytest.mark.parametrize("digit", DIGITS)
def test_what_the_generator_makes_is_heard(digit: str) -> None:
    x = dtmf_tone(digit, 100, 8_000)
    assert heard(x) == digit
    assert x.size == 800
    assert dtmf_tone(digit, 100, 16_000).size == 1_600
    assert np.abs(x.astype(np.int32)).max() < 32_767


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("off", [-0.015, 0.015])
def test_frequencies_within_q24_are_heard(digit: str, off: float) -> None:
    assert heard(pause(5), tone(digit, 40, low_off=off, high_off=off)) == digit


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("off", [-0.035, 0.035])
def test_frequencies_outside_q24_are_refused(digit: str, off: float) -> None:
    assert heard(tone(digit, 200, low_off=off, high_off=off)) == ""
    assert heard(tone(digit, 200, low_off=off, low_dbfs=-16)) == ""  # one alone is enough, even the weaker
    assert heard(tone(digit, 200, high_off=off, high_dbfs=-16)) == ""


@pytest.mark.parametrize(("low_dbfs", "high_dbfs"), [(-20, -16), (-12, -20), (-35, -35), (-7, -7)])
def test_twist_and_level_within_q24_are_heard(low_dbfs: float, high_dbfs: float) -> None:
    assert heard(tone("7", 40, low_dbfs=low_dbfs, high_dbfs=high_dbfs)) == "7"


@pytest.mark.parametrize(("low_dbfs", "high_dbfs"), [(-30, -10), (-10, -30), (-60, -60)])
def test_twist_and_level_far_outside_are_refused(low_dbfs: float, high_dbfs: float) -> None:
    assert heard(tone("7", 200, low_dbfs=low_dbfs, high_dbfs=high_dbfs)) == ""


@pytest.mark.parametrize("duration_ms", [10, 15, 20, 22])
def test_short_tones_are_refused(duration_ms: int) -> None:
    for lead_ms in range(20):
        assert heard(pause(lead_ms), tone("5", duration_ms)) == ""


def test_noise_at_15_db_does_not_hide_a_tone() -> None:
    rng = np.random.default_rng(1)
    for digit in DIGITS:
        clean = np.concatenate([pause(30), tone(digit, 45)])
        noise = rng.standard_normal(clean.size) * 32_768 * 10 ** ((-10 - 15) / 20)
        assert heard(clean + noise) == digit


def test_one_frequency_alone_is_no_digit() -> None:
    assert heard(tone("5", 200, high_dbfs=-90)) == ""
    assert heard(tone("5", 200, low_dbfs=-90)) == ""


def test_a_held_key_is_one_digit_and_a_drop_out_does_not_make_it_two() -> None:
    held = tone("9", 3_000)
    assert heard(held) == "9"
    held[8_000:8_080] = 0
    assert heard(held) == "9"


def test_fast_dialling_with_repeats() -> None:
    number = "4155500119##*ABCD0"
    assert heard(*(part for digit in number for part in (tone(digit, 40), pause(40)))) == number


def test_a_digit_is_reported_at_its_onset() -> None:
    """In the tick in which the fortieth millisecond falls, not at the end of the tone."""
    detector, digit = DtmfDetector(1), np.zeros(1, np.uint8)
    reports = []
    for tick in np.rint(tone("3", 400)).astype(np.int16).reshape(-1, 1, 160):
        detector.process(np.zeros(1, np.int32), np.ascontiguousarray(tick), digit)
        reports.append(int(digit[0]))
    assert reports == [0, ord("3"), *[0] * 18]


def test_human_speech_presses_no_keys() -> None:
    minutes = 0.0
    for name, pcm in prompts():
        assert heard(pcm.astype(np.float64)) == "", name
        minutes += pcm.size / 8_000 / 60
    assert minutes > 20


def test_a_key_pressed_over_speech_is_heard() -> None:
    speech = voice(1, seed=1).astype(np.float64) * 0.05
    speech[4_000:4_800] += tone("6", 100)
    assert heard(speech) == "6"


def keyed(rng: np.random.Generator, samples: int) -> Pcm:
    """Somebody at a keypad, hastily and on a bad line: near everything that is a limit, and beyond."""
    x, at = rng.standard_normal(samples) * 10 ** rng.uniform(-1, 2.5), int(rng.integers(160))
    while at < samples:
        level = rng.uniform(-48, -20)
        sound = tone(
            str(rng.choice(list(DIGITS))),
            int(rng.integers(12, 120)),
            low_off=rng.uniform(-0.04, 0.04) * rng.integers(2),
            high_off=rng.uniform(-0.04, 0.04) * rng.integers(2),
            low_dbfs=level,
            high_dbfs=level + rng.uniform(-13, 9),
        )[: samples - at]
        x[at : at + sound.size] += sound
        at += sound.size + int(rng.integers(0, 500))
    pcm: Pcm = np.rint(np.clip(x, -32_768, 32_767)).astype(np.int16)
    return pcm


@pytest.mark.parametrize("seed", range(3))
def test_it_hears_what_the_oracle_hears_however_many_are_listened_to(seed: int) -> None:
    rng, calls, ticks = np.random.default_rng(seed), 100, 40
    pcm = np.stack([keyed(rng, ticks * 160) for _ in range(calls)])
    detector, digit = DtmfDetector(calls), np.zeros(calls, np.uint8)
    given = np.zeros(calls, np.int64)  # ticks of each row: they come by different ticks
    reported: list[list[tuple[int, str]]] = [[] for _ in range(calls)]
    for _ in range(ticks + 20):
        rows = rng.permutation(calls)[: rng.integers(calls)].astype(np.int32)
        rows = rows[given[rows] < ticks]
        now = np.zeros((calls, 160), np.int16)
        for row in rows:
            now[row] = pcm[row, given[row] * 160 :][:160]
        detector.process(rows, now, digit)
        for row in rows[digit[rows] > 0]:
            reported[row].append((int(given[row]), chr(digit[row])))
        given[rows] += 1
    expected = [keys_pressed(row[: 160 * heard]) for row, heard in zip(pcm, given, strict=True)]
    assert reported == expected
    assert sum(map(len, expected)) > calls


def test_a_weak_tone_counts_from_where_it_begins() -> None:
    """Its first block is the last of a tick in which nothing could be a digit."""
    for digit in DIGITS:
        x = np.concatenate([pause(15), tone(digit, 37, low_dbfs=-44.3, high_dbfs=-44.3), pause(60)])
        assert keys_pressed(np.rint(x).astype(np.int16)) == [(2, digit)]
        assert heard(x) == digit


def test_rows_are_apart_and_reset_forgets() -> None:
    x = {0: dtmf_tone("1", 80, 8_000), 2: dtmf_tone("#", 80, 8_000)}
    detector, pcm, digit = DtmfDetector(3), np.zeros((3, 160), np.int16), np.full(3, 9, np.uint8)
    found: dict[int, str] = {0: "", 2: ""}
    for tick in range(4):
        for row, signal in x.items():
            pcm[row] = signal[tick * 160 : tick * 160 + 160]
        detector.process(np.array([2, 0], np.int32), pcm, digit)
        for row in x:
            found[row] += chr(digit[row]) if digit[row] else ""
    assert found == {0: "1", 2: "#"}
    assert digit[1] == 9
    detector.reset(2)
    again = ""
    for tick in range(3):
        pcm[2] = x[2][tick * 160 : tick * 160 + 160]
        detector.process(np.array([2], np.int32), pcm, digit)
        again += chr(digit[2]) if digit[2] else ""
    assert again == "#"


def test_a_tone_that_ran_out_in_the_last_call_does_not_lengthen_one_in_the_next() -> None:
    x = np.concatenate([pause(10), tone("5", 30), pause(60)])
    ticks = np.rint(x).astype(np.int16).reshape(-1, 1, 160)
    for reset, expected in ((False, "5"), (True, "")):
        detector, digit, found = DtmfDetector(1), np.zeros(1, np.uint8), ""
        for number, tick in enumerate(ticks):
            if number == 1 and reset:
                detector.reset(0)
            detector.process(np.zeros(1, np.int32), np.ascontiguousarray(tick), digit)
            found += chr(digit[0]) if digit[0] else ""
        assert found == expected


@pytest.mark.parametrize("law", [g711.MU_LAW, g711.A_LAW])
def test_tones_are_heard_through_g711(law: int) -> None:
    for digit in DIGITS:
        coded = g711.encode_block(dtmf_tone(digit, 40, 8_000), law)
        assert heard(pause(7), g711.decode_block(coded, law)) == digit


def test_a_table_of_keys_holds_their_tones_in_ticks() -> None:
    table = key_tones("0#A", 5)
    assert table.shape == (3, 5, 320)
    np.testing.assert_array_equal(table[1].reshape(-1), dtmf_tone("#", 100, 16_000))


@pytest.mark.parametrize("digit", ["", "E", "12", "a"])
def test_no_such_digit(digit: str) -> None:
    with pytest.raises(ValueError, match="DTMF digit"):
        dtmf_tone(digit, 100, 8_000)

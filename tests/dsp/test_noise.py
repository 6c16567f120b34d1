"""Comfort noise: levels and spectra as RFC 3389 tells them, the same each time, and never a shock."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.kernel import Pcm
from dsp.noise import LOUDEST_DBFS, LOUDEST_GUESS_DBFS, ORDER, SOFTEST_GUESS_DBFS, ComfortNoise, level_octet

ROW = np.zeros(1, np.int32)

Wave = npt.NDArray[np.floating[Any]]


def noise(comfort: ComfortNoise, ticks: int, *, guess: bool = True) -> Pcm:
    out, parts = np.zeros((1, 160), np.int16), []
    for _ in range(ticks):
        comfort.process(ROW, out, guess=guess)
        parts.append(out[0].copy())
    return np.concatenate(parts)


def told(level: int, coefficients: tuple[float, ...] = ()) -> ComfortNoise:
    comfort = ComfortNoise(1)
    assert comfort.take(0, bytes([level, *(round(k * 32_768 / 258) + 127 for k in coefficients)]))
    return comfort


def dbfs(x: Pcm | Wave) -> float:
    return float(10 * np.log10(np.mean(x.astype(np.float64) ** 2) / 32_768**2 + 1e-12))


def hear(comfort: ComfortNoise, level_dbfs: float, probability: float = 0.0, ticks: int = 50) -> None:
    for _ in range(ticks):
        comfort.listen(ROW, np.array([level_dbfs], np.float32), np.array([probability], np.float32))


@pytest.mark.parametrize("level", [30, 40, 55, 70])
def test_noise_is_as_loud_as_it_was_told(level: int) -> None:
    assert dbfs(noise(told(level), 500)) == pytest.approx(-level, abs=0.2)


def test_white_noise_is_marsaglias_sequence() -> None:
    seed, expected = (2_654_435_769 | 1), []
    for _ in range(320):
        seed ^= (seed << 13) & 0xFFFF_FFFF
        seed ^= seed >> 17
        seed ^= (seed << 5) & 0xFFFF_FFFF
        signed = seed - 2**32 if seed >= 2**31 else seed
        expected.append(signed / 2**31 * np.sqrt(3) * 32_768 * 10 ** (-35 / 20))
    np.testing.assert_allclose(noise(told(35), 2), expected, atol=0.51)


def model_power(coefficients: tuple[float, ...], hz: Wave) -> Wave:
    """Power over frequency of the all-pole model, its total 1."""
    taps = np.ones(1)
    for k in coefficients:
        taps = np.append(taps, 0) + k * np.append(taps, 0)[::-1]
    turns = np.exp(-2j * np.pi * hz[:, None] / 8_000 * np.arange(taps.size))
    left = np.prod(1 - np.array(coefficients) ** 2)
    return np.asarray(left / np.abs(turns @ taps) ** 2)


@pytest.mark.parametrize(
    "coefficients", [(-0.9,), (0.7,), (-0.8, 0.4, 0.1, -0.3), (0.2, -0.1, *[0.05] * 9, 0.5)], ids=len
)
def test_noise_has_the_spectrum_that_it_was_told(coefficients: tuple[float, ...]) -> None:
    x = noise(told(35, coefficients), 1_600)[40 * 160 :].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x, 256)[::128] * np.hanning(256)
    power = np.mean(np.abs(np.fft.rfft(windows)) ** 2, axis=0)[4:-4] / np.sum(np.hanning(256) ** 2)
    hz = np.fft.rfftfreq(256, 1 / 8_000)[4:-4]
    exact = tuple(258 * round(k * 32_768 / 258) / 32_768 for k in coefficients)
    expected = model_power(exact, hz) * 32_768**2 * 10 ** (-35 / 10)
    off_db = 10 * np.log10(power / expected)
    assert np.sqrt(np.mean(off_db**2)) < 0.6
    assert dbfs(x) == pytest.approx(-35, abs=0.3)


def test_what_follows_the_twelfth_coefficient_is_left_out_and_the_reserved_one_is_none() -> None:
    twelve = bytes([40, *range(100, 112)])
    one, other = ComfortNoise(1), ComfortNoise(1)
    assert one.take(0, twelve)
    assert other.take(0, twelve + bytes([9] * 40))
    np.testing.assert_array_equal(noise(one, 20), noise(other, 20))
    reserved = ComfortNoise(1)
    assert reserved.take(0, bytes([40, 255, 255]))
    np.testing.assert_array_equal(noise(reserved, 20), noise(told(40), 20))


@given(st.lists(st.binary(max_size=2 * ORDER), min_size=1, max_size=6))
def test_whatever_comes_noise_stays_noise(payloads: list[bytes]) -> None:
    """No filter rings up, and nothing is louder than what may be asked for, but for a moment of a narrow one."""
    comfort, worst = ComfortNoise(1), -100.0
    for payload in payloads:
        assert comfort.take(0, payload) == bool(payload)
        worst = max(worst, dbfs(noise(comfort, 25)))
    assert worst < LOUDEST_DBFS + 15


def test_a_level_of_speech_is_bounded() -> None:
    assert dbfs(noise(told(0), 200)) == pytest.approx(LOUDEST_DBFS, abs=0.2)
    assert dbfs(noise(told(128 + 50), 200)) == pytest.approx(-50, abs=0.3)  # the top bit is not of the level


def test_a_new_level_comes_within_a_tenth_of_a_second_and_without_a_step() -> None:
    comfort = told(60)
    before = dbfs(noise(comfort, 50))
    comfort.take(0, bytes([40]))
    levels = [dbfs(noise(comfort, 1)) for _ in range(30)]
    steps = np.diff([before, *levels])
    assert levels[0] < -48
    assert levels[5] > -44
    assert np.mean(levels[15:]) == pytest.approx(-40, abs=0.5)
    assert abs(steps[10:]).max() < 1.5


@pytest.mark.parametrize(
    ("heard_dbfs", "expected_dbfs"), [(-60, -60), (-20, LOUDEST_GUESS_DBFS), (-100, SOFTEST_GUESS_DBFS)]
)
def test_a_sender_that_says_nothing_is_lent_its_background(heard_dbfs: float, expected_dbfs: float) -> None:
    comfort = ComfortNoise(1)
    hear(comfort, heard_dbfs)
    hear(comfort, -15, probability=0.9)  # speech is not background
    assert dbfs(noise(comfort, 300)) == pytest.approx(expected_dbfs, abs=0.6)


def test_what_was_told_counts_more_than_what_was_heard() -> None:
    comfort = told(65)
    hear(comfort, -52)
    assert dbfs(noise(comfort, 300)) == pytest.approx(-65, abs=0.3)


def test_without_guessing_it_is_silent() -> None:
    comfort = ComfortNoise(1)
    hear(comfort, -50)
    assert not noise(comfort, 5, guess=False).any()
    assert noise(comfort, 20).any()


@pytest.mark.parametrize(
    ("level_dbfs", "octet"), [(-60.4, 60), (-60.6, 61), (0.0, 0), (3.0, 0), (-127, 127), (-500, 127)]
)
def test_our_own_level_is_one_octet(level_dbfs: float, octet: int) -> None:
    assert level_octet(level_dbfs) == octet


def test_rows_are_apart_the_same_each_time_and_begin_anew() -> None:
    comfort, out = ComfortNoise(3), np.full((3, 160), 7, np.int16)
    for row in (0, 2):
        comfort.take(row, bytes([40, 90]))
    rows = np.array([2, 0], np.int32)
    comfort.process(rows, out)
    first = out.copy()
    assert (first[1] == 7).all()
    assert abs(np.corrcoef(first[0], first[2])[0, 1]) < 0.3
    comfort.process(rows, out)
    assert (out[0] != first[0]).any()
    comfort.reset(0)
    comfort.take(0, bytes([40, 90]))
    comfort.process(rows, out)
    np.testing.assert_array_equal(out[0], first[0])


def test_wrong_rows_and_shapes_are_refused() -> None:
    comfort, two = ComfortNoise(2), np.zeros(2, np.float32)
    for row in (-1, 2):
        with pytest.raises(ValueError, match="row must be"):
            comfort.take(row, b"\x28")
        with pytest.raises(ValueError, match="row must be"):
            comfort.reset(row)
        with pytest.raises(ValueError, match="rows must be"):
            comfort.process(np.array([row], np.int32), np.zeros((2, 160), np.int16))
    with pytest.raises(ValueError, match="pcm8k must have shape"):
        comfort.process(ROW, np.zeros((2, 320), np.int16))
    with pytest.raises(ValueError, match="rms_dbfs must have shape"):
        comfort.listen(ROW, two[:1], two)
    with pytest.raises(ValueError, match="probability must have shape"):
        comfort.listen(ROW, two, two[:1])

"""Rate conversion: the response that is streamed out of it, scipy's same filter, and rows that are apart."""

from math import gcd

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from dsp.kernel import Pcm
from dsp.polyphase import KAISER_BETA, RATES_HZ, Converter, delay

PAIRS = [(from_hz, to_hz) for from_hz in RATES_HZ for to_hz in RATES_HZ if from_hz != to_hz]

pairs = pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)


def streamed(x: Pcm, from_hz: int, to_hz: int) -> Pcm:
    """Every row of `x` i16[C, ticks] through a converter of its own row, tick by tick."""
    stage, rows, parts = Converter(len(x), from_hz, to_hz), np.arange(len(x), dtype=np.int32), []
    for tick in np.split(x, x.shape[1] // (from_hz // 50), axis=1):
        out = np.zeros((len(x), to_hz // 50), np.int16)
        stage.process(rows, np.ascontiguousarray(tick), out)
        parts.append(out)
    return np.concatenate(parts, axis=1)


def impulse_response(from_hz: int, to_hz: int) -> npt.NDArray[np.float64]:
    """What the second tick's first sample becomes, at the least common multiple of the rates; gain 1 at 0 Hz.

    What comes out shows one in `down` of its samples, so impulses stand at as many places in turn. And it is rounded to
    whole numbers: the impulse is what it adds to noise, on the average of two thousand rows.
    """
    up, down = to_hz // gcd(from_hz, to_hz), from_hz // gcd(from_hz, to_hz)
    noise = np.random.default_rng(1).integers(-500, 501, (2_000, from_hz // 25)).astype(np.int16)
    noise_out = streamed(noise, from_hz, to_hz)
    response = np.zeros(up * from_hz // 50)
    for place in range(down):
        x = noise.copy()
        x[:, from_hz // 50 + place] += 30_000
        y = (streamed(x, from_hz, to_hz) - noise_out.astype(np.float64)).mean(axis=0)[to_hz // 50 :] / 30_000
        at = (np.arange(y.size) + 1) * down - 1 - place * up
        response[at[at >= 0]] = y[at >= 0]
    return response / up


@pairs
def test_stop_band_is_85_db_down_and_pass_band_flat_within_a_tenth(from_hz: int, to_hz: int) -> None:
    response = impulse_response(from_hz, to_hz)
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(response, 1 << 16)) + 1e-9)
    hz = np.fft.rfftfreq(1 << 16, 1 / np.lcm(from_hz, to_hz))
    half_hz = min(from_hz, to_hz) / 2
    assert gain_db[hz >= half_hz + 500].max() < -85
    assert np.abs(gain_db[hz <= half_hz - 350]).max() < 0.1
    if half_hz == 4_000:
        assert half_hz - 350 > 3_400  # the telephone band passes
        assert half_hz + 500 < 8_000 - 3_400  # and its images do not


@pairs
def test_group_delay_is_what_is_stated_at_every_frequency(from_hz: int, to_hz: int) -> None:
    response = impulse_response(from_hz, to_hz)
    down = from_hz // gcd(from_hz, to_hz)
    centre = (delay(to_hz) + 1) * down - 1
    mirrored = response[2 * centre :: -1]
    np.testing.assert_allclose(response[: mirrored.size], mirrored, atol=3e-6)
    assert not response[mirrored.size :].any()
    assert delay(to_hz) < 0.003 * to_hz
    assert Converter(1, from_hz, to_hz).delay == delay(to_hz)


@pairs
def test_is_what_scipy_makes_of_it(from_hz: int, to_hz: int) -> None:
    x = np.random.default_rng(2).integers(-12_000, 12_001, (2, from_hz // 50 * 4)).astype(np.int16)
    up, down = to_hz // gcd(from_hz, to_hz), from_hz // gcd(from_hz, to_hz)
    taps = 2 * (np.lcm(from_hz, to_hz) * 3 // 1_000) - 1
    parts = max(up, down)
    fir = up * signal.firwin(taps, 1 / parts, window=("kaiser", KAISER_BETA))
    for part in range(parts):
        fir[part::parts] *= up / parts / fir[part::parts].sum()
    spread = signal.upfirdn(fir, x, up, axis=1)
    expected = spread[:, down - 1 :: down][:, : x.shape[1] * up // down]
    assert np.abs(streamed(x, from_hz, to_hz) - expected).max() < 0.51


def test_full_scale_saturates_and_does_not_wrap() -> None:
    square = np.where(np.arange(480 * 10) % 60 < 30, 32_767, -32_768).astype(np.int16)[None]
    for from_hz, to_hz in ((24_000, 48_000), (24_000, 16_000)):
        y = streamed(square, from_hz, to_hz)[0]
        assert y.max() == 32_767
        assert y.min() == -32_768
        assert np.abs(np.diff(y[500:].astype(np.int32))).max() < 60_000  # a wrap would jump by 65,536


@given(pair=st.sampled_from(PAIRS), rows=st.permutations(range(5)), active=st.integers(0, 5), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_rows_are_apart_and_reset_forgets(pair: tuple[int, int], rows: list[int], active: int, seed: int) -> None:
    from_hz, to_hz = pair
    rng = np.random.default_rng(seed)
    x = rng.choice([-32_768, -1, 0, 32_767, int(rng.integers(-9_000, 9_000))], (5, from_hz // 50 * 3)).astype(np.int16)
    alone = streamed(x, from_hz, to_hz)
    stage, chosen = Converter(5, from_hz, to_hz), np.array(rows[:active], np.int32)
    for _ in range(2):
        for number, tick in enumerate(np.split(x, 3, axis=1)):
            out = np.full((5, to_hz // 50), 7, np.int16)
            stage.process(chosen, np.ascontiguousarray(tick), out)
            expected = np.split(alone, 3, axis=1)[number]
            np.testing.assert_array_equal(out[chosen], expected[chosen])
            assert (np.delete(out, chosen, axis=0) == 7).all()
        for row in chosen:
            stage.reset(row)


def test_wrong_rates_rows_and_shapes_are_refused() -> None:
    for pair in ((8_000, 8_000), (8_000, 44_100), (0, 8_000)):
        with pytest.raises(ValueError, match="two of"):
            Converter(1, *pair)
    stage, x, out = Converter(2, 24_000, 16_000), np.zeros((2, 480), np.int16), np.zeros((2, 320), np.int16)
    with pytest.raises(ValueError, match="rows must be"):
        stage.process(np.array([2], np.int32), x, out)
    with pytest.raises(ValueError, match="x must have shape"):
        stage.process(np.array([1], np.int32), out, out)
    with pytest.raises(ValueError, match="out must have shape"):
        stage.process(np.array([1], np.int32), x, x)

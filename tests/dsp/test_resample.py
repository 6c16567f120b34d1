"""Resampling against soxr, and against what a filter must do: reject, pass, and be late by what it says."""

from math import gcd

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from dsp.kernel import Floats, Pcm
from dsp.resample import Downsampler, StreamResampler, Upsampler, resample


def tone(hz: float, rate_hz: int, ticks: int, amplitude: float = 12_000) -> Pcm:
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(ticks * rate_hz // 50) / rate_hz)).astype(np.int16)


def band(rate_hz: int, low_hz: float, high_hz: float, ticks: int, seed: int) -> Pcm:
    """Noise between two frequencies, made in the frequency domain, faded in and out."""
    rng = np.random.default_rng(seed)
    count = ticks * rate_hz // 50
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum = np.where((hz >= low_hz) & (hz <= high_hz), np.exp(2j * np.pi * rng.random(hz.size)), 0)
    x = np.fft.irfft(spectrum, count) * np.hanning(count)
    pcm: Pcm = np.rint(x / np.abs(x).max() * 12_000).astype(np.int16)
    return pcm


def through(stage: Upsampler | Downsampler, x: Pcm, tick_in: int, tick_out: int) -> Pcm:
    """Run a 1-D signal through row 2 of a stage of 4 rows."""
    rows = np.array([2], np.int32)
    buffer, out = np.zeros((4, tick_in), np.int16), np.zeros((4, tick_out), np.int16)
    parts = []
    for tick in x.reshape(-1, tick_in):
        buffer[2] = tick
        stage.process(rows, buffer, out)
        parts.append(out[2].copy())
    return np.concatenate(parts)


def level_db(x: npt.NDArray[np.generic]) -> float:
    return float(10 * np.log10(np.mean(np.square(x.astype(np.float64))) + 1e-9))


def power_db(x: Pcm, rate_hz: int, low_hz: float, high_hz: float) -> float:
    """Power of the steady middle of `x` between two frequencies."""
    middle = x[x.size // 4 : -x.size // 4].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle * np.blackman(middle.size))) ** 2
    hz = np.fft.rfftfreq(middle.size, 1 / rate_hz)
    return float(10 * np.log10(spectrum[(hz >= low_hz) & (hz <= high_hz)].sum() + 1e-9))


@pytest.mark.parametrize("hz", [300.0, 1_000.0, 2_500.0, 3_400.0])
def test_images_of_the_telephone_band_are_rejected_by_85_db(hz: float) -> None:
    y = through(Upsampler(4), tone(hz, 8_000, 50, amplitude=30_000), 160, 320)
    assert power_db(y, 16_000, 4_100, 8_000) < power_db(y, 16_000, 0, 3_900) - 85


@pytest.mark.parametrize("hz", [4_600.0, 5_000.0, 6_500.0, 7_900.0])
def test_what_would_alias_is_rejected_by_85_db(hz: float) -> None:
    x = tone(hz, 16_000, 50, amplitude=30_000)
    y = through(Downsampler(4), x, 320, 160)
    assert level_db(y[200:]) < level_db(x) - 85


@pytest.mark.parametrize("hz", [50.0, 1_000.0, 3_400.0, 3_500.0])
def test_the_pass_band_is_flat_within_a_tenth_of_a_decibel(hz: float) -> None:
    up = through(Upsampler(4), tone(hz, 8_000, 50), 160, 320)
    down = through(Downsampler(4), tone(hz, 16_000, 50), 320, 160)
    reference = level_db(tone(hz, 8_000, 50))
    assert abs(level_db(up[1_000:]) - reference) < 0.1
    assert abs(level_db(down[500:]) - reference) < 0.1


def test_upsampler_is_soxr_but_for_the_delay_it_states() -> None:
    x = band(8_000, 200, 3_400, 50, seed=1)
    y = through(Upsampler(4), x, 160, 320)
    expected = soxr.resample(x, 8_000, 16_000, quality="HQ")
    error = y[Upsampler.DELAY_SAMPLES :].astype(np.float64) - expected[: -Upsampler.DELAY_SAMPLES]
    assert level_db(error) < level_db(x) - 60


def test_downsampler_is_soxr_but_for_the_delay_it_states() -> None:
    x = band(16_000, 200, 3_400, 50, seed=2)
    y = through(Downsampler(4), x, 320, 160)
    delay = Downsampler.DELAY_SAMPLES // 2
    expected = soxr.resample(x, 16_000, 8_000, quality="HQ")
    assert level_db(y[delay:].astype(np.float64) - expected[:-delay]) < level_db(x) - 60


def test_full_scale_saturates_and_does_not_wrap() -> None:
    square = np.where(np.arange(160 * 10) % 20 < 10, 32_767, -32_768).astype(np.int16)
    up = through(Upsampler(4), square, 160, 320)
    assert up.max() == 32_767
    assert up.min() == -32_768
    assert np.abs(np.diff(up[200:].astype(np.int32))).max() < 45_000  # a wrap would jump by 65,536


@pytest.mark.parametrize(("stage", "tick_in", "tick_out"), [(Upsampler, 160, 320), (Downsampler, 320, 160)])
def test_rows_do_not_touch_each_other_and_reset_forgets(
    stage: type[Upsampler] | type[Downsampler], tick_in: int, tick_out: int
) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-9_000, 9_000, (6, tick_in)).astype(np.int16)
    together, alone = stage(6), stage(6)
    out, out_alone = np.full((6, tick_out), 5, np.int16), np.zeros((6, tick_out), np.int16)
    for _ in range(3):
        together.process(np.array([5, 1, 2], np.int32), x, out)
        alone.process(np.array([1], np.int32), x, out_alone)
    np.testing.assert_array_equal(out[1], out_alone[1])
    assert (out[[0, 3, 4]] == 5).all()
    together.reset(1)
    stage(6).process(np.array([1], np.int32), x, out_alone)
    together.process(np.array([1], np.int32), x, out)
    np.testing.assert_array_equal(out[1], out_alone[1])


RATES = [
    (24_000, 16_000),
    (24_000, 8_000),
    (48_000, 16_000),
    (16_000, 48_000),
    (8_000, 16_000),
    (16_000, 8_000),
    (48_000, 8_000),
    (44_100, 16_000),
    (22_050, 8_000),
]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_whole_array_is_soxr(from_hz: int, to_hz: int) -> None:
    low = min(from_hz, to_hz)
    x = band(from_hz, 50, low * 0.41, 50, seed=4)
    y = resample(x, from_hz, to_hz)
    expected = soxr.resample(x, from_hz, to_hz, quality="VHQ")
    assert y.dtype == np.int16
    assert y.size == -(-x.size * to_hz // from_hz)
    count = min(y.size, expected.size)
    assert abs(y.size - expected.size) <= 1
    assert level_db(y[:count].astype(np.float64) - expected[:count]) < level_db(x) - 60


@pytest.mark.parametrize(("from_hz", "to_hz"), [*RATES, (16_000, 16_000)])
@pytest.mark.parametrize("seed", [1, 2])
def test_blocks_of_any_length_give_what_the_whole_gives(from_hz: int, to_hz: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x: Floats = rng.standard_normal(rng.integers(1, 9_000)).astype(np.float32)
    stream = StreamResampler(from_hz, to_hz)
    parts, at = [], 0
    while at < x.size:
        length = int(rng.integers(0, 700)) if rng.random() < 0.8 else int(rng.integers(0, 3))
        parts.append(stream.push(x[at : at + length]))
        at += length
    parts.append(stream.flush())
    np.testing.assert_allclose(np.concatenate(parts), resample(x, from_hz, to_hz), atol=1e-5)
    again = [stream.push(x), stream.flush()]  # flush left nothing behind
    np.testing.assert_allclose(np.concatenate(again), resample(x, from_hz, to_hz), atol=1e-5)


def test_the_same_rate_is_the_same_samples() -> None:
    x = band(16_000, 50, 7_900, 5, seed=5)
    np.testing.assert_array_equal(resample(x, 16_000, 16_000), x)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_streams_filter_is_85_db_down_flat_and_of_linear_phase(from_hz: int, to_hz: int) -> None:
    """An impulse at each place that a whole number of samples out does not come back to, as `resample` places it."""
    up, down = to_hz // gcd(from_hz, to_hz), from_hz // gcd(from_hz, to_hz)
    reach = 40 * max(up, down)  # more than the filter's
    before = 40 // min(up, down) + 2  # times `down` samples in, and as many times `up` out, stand before the impulse
    response = np.zeros(2 * reach + 1)
    for place in range(down):
        x = np.zeros(2 * before * down, np.float32)
        x[before * down + place] = 1
        y = resample(x, from_hz, to_hz)
        at = (np.arange(y.size) - before * up) * down - place * up + reach
        inside = (at >= 0) & (at < response.size)
        response[at[inside]] = y[inside]
    np.testing.assert_allclose(response, response[::-1], atol=1e-6)
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(response)) / up + 1e-9)
    parts = np.fft.rfftfreq(response.size) * up * from_hz / (min(from_hz, to_hz) / 2)  # of half the lower rate
    assert gain_db[parts >= 1].max() < -85
    assert np.abs(gain_db[parts <= 0.84]).max() < 0.1


def test_an_empty_stream_is_empty() -> None:
    stream = StreamResampler(24_000, 16_000, np.int16)
    assert stream.push(np.zeros(0, np.int16)).size == 0
    assert stream.flush().size == 0


def test_wrong_blocks_and_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(0, 8_000)
    with pytest.raises(TypeError, match="float32"):
        StreamResampler(24_000, 16_000).push(np.zeros(3, np.int16))
    with pytest.raises(ValueError, match="x must have shape"):
        Upsampler(2).process(np.zeros(1, np.int32), np.zeros((2, 320), np.int16), np.zeros((2, 320), np.int16))

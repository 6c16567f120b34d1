"""Gain and limiter: never over the ceiling, never a step, and nothing changed where nothing is to be done."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dsp.kernel import Pcm
from dsp.limiter import CEILING, Limiter
from tests.dsp.speech import voice

ROW = np.zeros(1, np.int32)

Wave = npt.NDArray[np.float64]


def limited(x: Pcm, gains_db: list[float], samples: int = 320) -> Pcm:
    """`x` in ticks, each with its gain; the last gain goes on."""
    limiter, parts = Limiter(1), []
    for number, tick in enumerate(x[: x.size // samples * samples].reshape(-1, 1, samples)):
        out, gain_db = tick.copy(), gains_db[min(number, len(gains_db) - 1)]
        limiter.process(ROW, out, np.array([gain_db], np.float32))
        parts.append(out[0])
    return np.concatenate(parts)


def by_definition(x: Pcm, gains_db: list[float], samples: int = 320) -> Wave:
    gain, held, parts = 1.0, 1.0, []
    for number, tick in enumerate(x.astype(np.float64).reshape(-1, samples)):
        wanted = 10 ** (gains_db[min(number, len(gains_db) - 1)] / 20)
        amplified = tick * (gain + (wanted - gain) * np.arange(samples) / samples)
        needed = np.minimum(1, CEILING / np.maximum(np.abs(amplified), 1e-9))
        for i in range(samples - 2, -1, -1):
            needed[i] = min(needed[i], needed[i + 1] + 1 / 16)
        for i in range(samples):
            held = needed[i] = min(needed[i], held + 1 / 4_000)
        gain = wanted
        parts.append(amplified * needed)
    return np.concatenate(parts)


def sine(hz: float, peak: float, seconds: float = 1.0) -> Pcm:
    wave: Pcm = np.rint(peak * np.sin(2 * np.pi * hz * np.arange(int(seconds * 16_000)) / 16_000)).astype(np.int16)
    return wave


def speech(level: float) -> Pcm:
    """A made voice at 16 kHz, its largest sample at `level`."""
    x = np.repeat(voice(4, seed=5).astype(np.float64), 2)
    scaled: Pcm = np.rint(x * (level / np.abs(x).max())).astype(np.int16)
    return scaled


@pytest.mark.parametrize("samples", [80, 160, 320])
@pytest.mark.parametrize("gains_db", [[0.0], [6.0], [-6.0], [0.0, 3.0, 18.0, 18.0, 2.0]], ids=str)
def test_ticks_are_as_defined(gains_db: list[float], samples: int) -> None:
    for x in (speech(20_000), sine(440, 32_767, 0.2)):
        out = limited(x, gains_db, samples)
        np.testing.assert_allclose(out, by_definition(x[: out.size], gains_db, samples), atol=1.1)


@given(
    arrays.arrays(np.int16, st.tuples(st.integers(1, 4), st.integers(1, 320))),
    st.lists(st.floats(-40, 40), min_size=4, max_size=4),
)
def test_nothing_comes_out_over_the_ceiling_and_what_needs_nothing_stays(x: Pcm, gains_db: list[float]) -> None:
    limiter, quiet = Limiter(1), Limiter(1)
    for tick, gain_db in zip(x[:, None], gains_db, strict=False):
        out = tick.copy()
        limiter.process(ROW, out, np.array([gain_db], np.float32))
        assert np.abs(out.astype(np.int32)).max() <= CEILING
        assert np.all(np.sign(out) * np.sign(tick) >= 0)
        soft, before = tick // 2, tick // 2
        quiet.process(ROW, soft, np.zeros(1, np.float32))
        np.testing.assert_array_equal(soft, before)


def test_at_a_gain_of_one_nothing_is_touched_up_to_the_ceiling() -> None:
    x = sine(700, CEILING)
    np.testing.assert_array_equal(limited(x, [0.0]), x)


def test_gains_are_what_they_say() -> None:
    x = sine(500, 3_000)
    for gain_db in (-6.0, 6.0, 18.0):
        out = limited(x, [gain_db])[320:].astype(np.float64)
        assert 10 * np.log10(np.mean(out**2) / np.mean(x.astype(np.float64) ** 2)) == pytest.approx(gain_db, abs=0.1)


def distortion(x: Wave, hz: float) -> float:
    """What of a tone is not that tone, as a part of its amplitude."""
    time = np.arange(x.size) / 16_000
    basis = np.stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time)], axis=1)
    rest = x - basis @ np.linalg.lstsq(basis, x, rcond=None)[0]
    return float(np.sqrt(np.mean(rest**2) / np.mean(x**2)))


@pytest.mark.parametrize("hz", [150, 300, 1_000])
def test_a_tone_that_is_turned_down_keeps_its_shape_where_clipping_would_not(hz: float) -> None:
    x = sine(hz, 16_000)
    out = limited(x, [12.0])[4_800:].astype(np.float64)
    clipped = np.clip(x[4_800:].astype(np.float64) * 10 ** (12 / 20), -CEILING, CEILING)
    assert distortion(out, hz) < 0.012
    assert distortion(clipped, hz) > 0.1


def test_speech_that_is_turned_down_is_speech_turned_down() -> None:
    """Six decibels too loud: what comes out is, 5 ms by 5 ms, a softer copy of what went in."""
    x = speech(30_000).astype(np.float64)
    out = limited(x.astype(np.int16), [6.0]).astype(np.float64)
    wrong = total = 0.0
    for before, after in zip(x[: out.size].reshape(-1, 80), out.reshape(-1, 80), strict=True):
        fit = before @ after / max(float(before @ before), 1.0)
        wrong += float(np.sum((after - fit * before) ** 2))
        total += float(np.sum(after**2))
    assert np.abs(out).max() <= CEILING
    assert 10 * np.log10(total / wrong) > 27


def test_a_new_gain_is_no_step() -> None:
    x = np.full(320 * 6, 1_000, np.int16)
    out = limited(x, [0.0, 6.0, 6.0, -6.0]).astype(np.int32)
    assert np.abs(np.diff(out)).max() <= 6
    assert out[320] == 1_000
    assert out[-1] == 501


def test_rows_are_apart_and_begin_anew() -> None:
    limiter, pcm, gain_db = Limiter(3), np.full((3, 320), 10_000, np.int16), np.full(3, 18, np.float32)
    limiter.process(np.array([2, 0], np.int32), pcm, gain_db)
    assert (pcm[1] == 10_000).all()
    assert (pcm[[0, 2], -1] == CEILING).all()
    limiter.reset(0)
    pcm[:] = 1_000
    limiter.process(np.array([0, 2], np.int32), pcm, np.zeros(3, np.float32))
    assert (pcm[0] == 1_000).all()
    assert pcm[2, 0] > 2_000


def test_wrong_rows_shapes_and_ticks_are_refused() -> None:
    limiter, pcm, gain_db = Limiter(2, 160), np.zeros((2, 160), np.int16), np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="rows must be"):
        limiter.process(np.array([-1], np.int32), pcm, gain_db)
    with pytest.raises(ValueError, match="pcm must have shape"):
        limiter.process(ROW, pcm[:1], gain_db)
    with pytest.raises(ValueError, match="gain_db must have shape"):
        limiter.process(ROW, pcm, gain_db[:1])
    for samples in (0, 161):
        with pytest.raises(ValueError, match="a tick must have"):
            limiter.process(ROW, np.zeros((2, samples), np.int16), gain_db)

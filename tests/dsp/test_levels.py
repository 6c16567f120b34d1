"""Levels against numpy, and at the ends of the scale."""

import numpy as np
import pytest

from dsp import levels


@pytest.mark.parametrize("samples", [160, 320])
def test_levels_are_numpys(samples: int) -> None:
    rng = np.random.default_rng(1)
    loudness = np.array([30_000, 3_000, 300, 3], np.float64)[:, None]
    pcm = np.rint(rng.uniform(-1, 1, (4, samples)) * loudness).astype(np.int16)
    rms, peak = np.full(4, 7, np.float32), np.full(4, 7, np.uint16)
    levels.measure(np.array([3, 0, 1], np.int32), pcm, rms, peak)
    wide = pcm.astype(np.float64)
    expected = 20 * np.log10(np.sqrt((wide**2).mean(axis=1)) / 32_768)
    np.testing.assert_allclose(rms[[0, 1, 3]], expected[[0, 1, 3]], atol=1e-3)
    np.testing.assert_array_equal(peak[[0, 1, 3]], np.abs(wide).max(axis=1)[[0, 1, 3]])
    assert (rms[2], peak[2]) == (7, 7)


@pytest.mark.parametrize(
    ("sample", "dbfs", "peak"), [(0, levels.SILENCE_DBFS, 0), (1, -90.309, 1), (-32_768, 0.0, 32_768)]
)
def test_the_ends_of_the_scale(sample: int, dbfs: float, peak: int) -> None:
    rms_out, peak_out = np.zeros(1, np.float32), np.zeros(1, np.uint16)
    levels.measure(np.zeros(1, np.int32), np.full((1, 160), sample, np.int16), rms_out, peak_out)
    assert rms_out[0] == pytest.approx(dbfs, abs=1e-3)
    assert peak_out[0] == peak


def test_outputs_of_another_size_are_refused() -> None:
    rows, pcm = np.zeros(1, np.int32), np.zeros((2, 160), np.int16)
    with pytest.raises(ValueError, match="peak must have shape"):
        levels.measure(rows, pcm, np.zeros(2, np.float32), np.zeros(1, np.uint16))

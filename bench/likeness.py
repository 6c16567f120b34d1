"""How like two sounds are, as numbers: spectral distance, noise, the largest step."""

import numpy as np
import numpy.typing as npt

from dsp.kernel import NARROW_HZ, Pcm

_WINDOW_MS = 40
_FLOOR = 50.0  # added to magnitudes at 8 kHz: what lies below it is not heard beside speech


def snr_db(x: Pcm, y: Pcm) -> float:
    """Level of `x` over that of the difference."""
    wide = x.astype(np.float64)
    return float(10 * np.log10(np.sum(wide**2) / (np.sum((wide - y) ** 2) + 1)))


def log_spectra(windows: npt.NDArray[np.int16], hz: int) -> npt.NDArray[np.float64]:
    """Spectra in dB of `windows` [n, 40 ms], above a floor that hides noise."""
    size = windows.shape[1]
    spectra = np.abs(np.fft.rfft(windows.astype(np.float64) * np.hanning(size)))
    return np.asarray(20 * np.log10(spectra + _FLOOR * hz / NARROW_HZ))


def distance_db(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Root mean square difference of two rows of log spectra, averaged over the rows."""
    return float(np.mean(np.sqrt(np.mean((x - y) ** 2, axis=1))))


def spectral_distance_db(x: Pcm, y: Pcm, hz: int = NARROW_HZ) -> float:
    """Distance of two sounds that lie in step, over windows of 40 ms."""
    size = hz * _WINDOW_MS // 1000

    def spectra(signal: Pcm) -> npt.NDArray[np.float64]:
        return log_spectra(np.lib.stride_tricks.sliding_window_view(signal, size)[:: size // 4], hz)

    return distance_db(spectra(x), spectra(y))


def largest_step(x: Pcm) -> int:
    """The largest difference of two neighbours: a click is one that the sound did not have."""
    return int(np.abs(np.diff(x.astype(np.int32))).max())

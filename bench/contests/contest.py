"""The same work done by a kernel and by libraries, and the sound it is done on."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dsp.kernel import Floats, Pcm, Rows

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contest:
    """The same work done by the kernel and by libraries; their outputs were compared when this was made."""

    ours: Work
    theirs: dict[str, Work] = field(default_factory=dict)
    ticks: int = 1  # of every call of the batch, done by one piece of work
    must: str = ">= 1"  # how many times faster than each library, with more than one call


Prepare = Callable[[int], Contest]
"""Makes a contest of so many calls."""


def every_row(batch: int) -> Rows:
    return np.arange(batch, dtype=np.int32)


def sound(batch: int, samples: int, highest: float = 0.17) -> Pcm:
    """Noise that comes and goes, from 0.04 to `highest` of the sample rate, so that resampling keeps all of it."""
    hz = np.fft.rfftfreq(samples, 1)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal((batch, samples))) * ((hz > 0.04) & (hz < highest))
    x = np.fft.irfft(spectrum, samples) * (1 + np.sin(np.arange(samples) / 500))
    pcm: Pcm = np.rint(x / np.abs(x).max() * 12_000).astype(np.int16)
    return pcm


def ticks_of(x: Pcm, samples: int) -> list[Pcm]:
    return [np.ascontiguousarray(x[:, at : at + samples]) for at in range(0, x.shape[1], samples)]


def check_alike(ours: Floats | Pcm, theirs: Floats | Pcm, part: float) -> None:
    """Raise unless two signals differ by no more than a `part` of their level."""
    count = min(ours.size, theirs.size)
    wide = ours[:count].astype(np.float64)
    error = np.sqrt(np.mean((wide - theirs[:count]) ** 2) / np.mean(wide**2))
    if error > part:
        raise ArithmeticError(f"outputs differ by {error:.5f} of their level")

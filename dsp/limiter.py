"""A gain applied, and no sample over -1 dBFS after it.

The gain goes in a straight line from that of the last tick to the new one, so that no step is heard. Where a sample
would come out over the ceiling the limiter turns down: over the millisecond before it as far as that lies in the same
tick, so nothing is delayed, and back up over a quarter of a second, so that a wave keeps its shape. A tick that needs
neither is not touched, bit by bit.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import WIDE_HZ, WIDE_TICK, Floats, Pcm, Rows, check_rows, check_shape, f32, i16, i32, kernel, record

CEILING = int(32_768 * 10 ** (-1 / 20))  # -1 dBFS

_DOWN = 1 / (0.001 * WIDE_HZ)  # of the limiter's gain, a sample
_UP = 1 / (0.25 * WIDE_HZ)


class Limiting(NamedTuple):
    """Where the gains of every row stand at the end of a tick."""

    gain: Floats  # [capacity], what was asked for, as a factor
    held: Floats  # [capacity], the limiter's own, 0..1
    curve: Floats  # [samples], of the limiter over the tick at hand


_values = types.float32[::1]
LIMITING = record([_values, _values, _values], Limiting)


def limiting(capacity: int, samples: int = WIDE_TICK) -> Limiting:
    """Every row at a gain of 1, for ticks of up to `samples`."""
    return Limiting(np.ones(capacity, np.float32), np.ones(capacity, np.float32), np.ones(samples, np.float32))


@kernel(types.void(LIMITING, types.int64))
def forget(it: Limiting, row: int) -> None:
    """Another call begins in `row`."""
    it.gain[row] = 1
    it.held[row] = 1


@kernel("void(i2[::1], f4, f4, f4, f4[::1])")
def _bend(tick: Pcm, gain: float, slope: float, held: float, curve: Floats) -> None:
    """The limiter's gain for each sample: what the sample needs, begun a millisecond before, let go of slowly."""
    following = f32(1)
    for i in range(tick.size - 1, -1, -1):
        amplified = abs(f32(tick[i])) * (gain + slope * f32(i))
        needed = f32(CEILING) / max(amplified, f32(CEILING))
        following = min(needed, following + f32(_DOWN))
        curve[i] = following
    for i in range(tick.size):
        held = min(curve[i], held + f32(_UP))
        curve[i] = held


@kernel(types.void(types.int32[::1], types.int16[:, ::1], _values, LIMITING))
def limit(rows: Rows, pcm: Pcm, gain_db: Floats, it: Limiting) -> None:
    """The kernel behind `Limiter.process`, unchecked."""
    for row in rows:
        tick = pcm[row]
        gain = it.gain[row]
        wanted = f32(10) ** (gain_db[row] * f32(1 / 20))
        slope = (wanted - gain) / f32(tick.size)
        it.gain[row] = wanted
        highest = i32(0)
        for i in range(tick.size):
            highest = max(highest, abs(i32(tick[i])))
        if it.held[row] < f32(1) or f32(highest) * max(gain, wanted) > f32(CEILING):
            curve = it.curve[: tick.size]
            _bend(tick, gain, slope, it.held[row], curve)
            it.held[row] = curve[tick.size - 1]
            for i in range(tick.size):
                amplified = f32(tick[i]) * (gain + slope * f32(i)) * curve[i]
                tick[i] = i16(min(max(np.rint(amplified), f32(-CEILING)), f32(CEILING)))
        elif gain != f32(1) or wanted != f32(1):
            for i in range(tick.size):
                tick[i] = i16(np.rint(f32(tick[i]) * (gain + slope * f32(i))))


class Limiter:
    """Gains applied to `capacity` rows of 16 kHz audio in ticks of up to `samples`. One object serves one thread."""

    def __init__(self, capacity: int, samples: int = WIDE_TICK) -> None:
        self._capacity, self._samples = capacity, samples
        self._it = limiting(capacity, samples)

    def process(self, rows: Rows, pcm: Pcm, gain_db: Floats) -> None:
        """Bring one tick of `pcm` i16[C, n] to its row's `gain_db` f32[C], in place."""
        check_rows(rows, self._capacity)
        check_shape("pcm", pcm, (self._capacity, pcm.shape[-1]))
        check_shape("gain_db", gain_db, (self._capacity,))
        if not 0 < pcm.shape[1] <= self._samples:
            raise ValueError(f"a tick must have 1..{self._samples} samples, got {pcm.shape[1]}")
        limit(rows, pcm, gain_db, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)

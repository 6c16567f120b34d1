"""Automatic gain control: how much louder or softer a row must become for its speech to stand at one level.

Only ticks of speech count, and only in them the gain moves: in a pause it stays, so that the background does not come
up between words. The level of speech is its mean power over the last one and a half seconds that were spoken. The gain
goes up slowly and comes down three times as fast, and leaves alone what is right to within one decibel. What is loud
before the gain is down is the limiter's (`dsp.limiter`), which also applies the gain.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import Floats, Rows, check_rows, check_shape, f32, kernel, record

TARGET_DBFS = -23.0
LEAST_DB = -6.0
MOST_DB = 18.0
UP_DB_S = 6.0
DOWN_DB_S = 18.0

_SPEECH = 0.5  # probability from which a tick is speech,
_QUIETEST_DBFS = -60.0  # unless it is softer: no gain that is allowed would help it
_FIRST_S = 0.2  # of speech are heard before the gain moves
_MEMORY_S = 1.5
_SLACK_DB = 1.0


class Aiming(NamedTuple):
    """What every row's speech was like, and the gain that it wants."""

    power: Floats  # [capacity], mean, of full scale
    heard_s: Floats  # [capacity], of speech, up to the memory's length
    gain_db: Floats  # [capacity]


_values = types.float32[::1]
AIMING = record([_values, _values, _values], Aiming)


def aiming(capacity: int) -> Aiming:
    """Every row at a gain of 0 dB with nothing heard."""
    return Aiming(*(np.zeros(capacity, np.float32) for _ in Aiming._fields))


@kernel(types.void(AIMING, types.int64))
def forget(it: Aiming, row: int) -> None:
    """Another call begins in `row`."""
    it.power[row] = 0
    it.heard_s[row] = 0
    it.gain_db[row] = 0


@kernel(types.void(types.int32[::1], _values, _values, types.float32, AIMING))
def aim(rows: Rows, rms_dbfs: Floats, probability: Floats, tick_s: float, it: Aiming) -> None:
    """The kernel behind `GainControl.process`, unchecked; the gain is in `it.gain_db`."""
    for row in rows:
        if probability[row] < f32(_SPEECH) or rms_dbfs[row] < f32(_QUIETEST_DBFS):
            continue
        heard_s = min(it.heard_s[row] + tick_s, f32(_MEMORY_S))
        it.heard_s[row] = heard_s
        power = f32(10) ** (rms_dbfs[row] * f32(0.1))
        it.power[row] += (power - it.power[row]) * min(tick_s / heard_s, f32(1))
        if heard_s < f32(_FIRST_S):
            continue
        level_dbfs = f32(10) * np.log10(it.power[row])
        wanted_db = min(max(f32(TARGET_DBFS) - level_dbfs, f32(LEAST_DB)), f32(MOST_DB))
        off_db = wanted_db - it.gain_db[row]
        if abs(off_db) > f32(_SLACK_DB):
            it.gain_db[row] += min(max(off_db, f32(-DOWN_DB_S) * tick_s), f32(UP_DB_S) * tick_s)


class GainControl:
    """The gains of `capacity` rows. One object serves one thread; others may read `gain_db`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = aiming(capacity)
        self.gain_db = self._it.gain_db
        """f32[C], between `LEAST_DB` and `MOST_DB`."""

    def process(self, rows: Rows, rms_dbfs: Floats, probability: Floats, tick_s: float = 0.02) -> None:
        """Take the level of one tick before the gain, `rms_dbfs` f32[C] as `dsp.levels` measures it, and the
        `probability` f32[C] that somebody speaks in it; a tick lasts `tick_s`, and another one may last longer."""
        check_rows(rows, self._capacity)
        check_shape("rms_dbfs", rms_dbfs, (self._capacity,))
        check_shape("probability", probability, (self._capacity,))
        if not 0 < tick_s <= 1:
            raise ValueError(f"tick_s must be in 0..1 s, got {tick_s}")
        aim(rows, rms_dbfs, probability, tick_s, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)

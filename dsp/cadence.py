"""The cadence of busy tones: bursts of sound that are alike, with pauses that are.

A tick sounds when nearly all of its energy lies where such tones do. Four bursts of one level, pitch and length, with
pauses that are alike and about as long, are a cadence (ITU-T E.180, section 3 of its supplement 2). Ringing tones pause
for longer, and speech keeps no such time.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import Floats, Rows, f32, kernel, record

LEVEL = 10 ** (2 / 10)
"""Two powers are one level within 2 dB."""
HUSH = 10 ** (-9 / 10)
"""Of a sound's power: what must not be passed for it to have ended in silence."""

_SHARE = 0.8  # of a tick's energy
_ENOUGH = 4  # bursts
_SHORTEST, _LONGEST = 5, 40  # ticks of a burst, and of its pause
_ALIKE, _ALIKE_PART = 2, 8  # ticks, and part of it, that two may differ by: edges, and a jitter buffer that grows,
_ALIKE_HZ = 25.0  # and the middle of their energy
_EDGES = 4  # ticks of a pause that are not silent: its first and last, and what is made up for a lost packet
_FEW = 8  # ticks that a burst's level and pitch are the mean of

_BURST = 0  # columns of the counts: ticks of the burst that is heard,
_PAUSE, _EDGE = 1, 2  # of the pause, and of it those that are not silent;
_BURST_BEFORE, _PAUSE_BEFORE = 3, 4  # of the last of either;
_IN_ROW = 5  # and bursts that are alike
_COUNTS = 6
_POWER, _HZ, _POWER_BEFORE, _HZ_BEFORE = 0, 1, 2, 3  # columns of the sounds: of the burst that is heard and of the last
_SOUNDS = 4


class Keeping(NamedTuple):
    """The last bursts of every row."""

    counts: Rows  # [capacity, 6]
    sounds: Floats  # [capacity, 4]


KEEPING = record([types.int32[:, ::1], types.float32[:, ::1]], Keeping)


def keeping(capacity: int) -> Keeping:
    """Every row with nothing heard."""
    return Keeping(np.zeros((capacity, _COUNTS), np.int32), np.zeros((capacity, _SOUNDS), np.float32))


@kernel(types.void(KEEPING, types.int64))
def forget(it: Keeping, row: int) -> None:
    """Another call begins in `row`."""
    it.counts[row] = 0
    it.sounds[row] = 0


@kernel("boolean(f4, f4)")
def _level(power: float, other: float) -> bool:
    """Whether two are as loud."""
    level: bool = max(power, other) < min(power, other) * f32(LEVEL)
    return level


@kernel("i8(i4[::1], f4[::1])")
def _count(counts: Rows, sounds: Floats) -> int:
    """A burst is over: see `beat`."""
    burst, pause = counts[_BURST], counts[_PAUSE]
    alike = min(burst, pause) >= _SHORTEST and max(burst, pause) <= _LONGEST
    alike &= max(burst, pause) < 2 * min(burst, pause) and counts[_EDGE] <= _EDGES
    alike &= abs(burst - counts[_BURST_BEFORE]) <= _ALIKE + burst // _ALIKE_PART
    alike &= _level(sounds[_POWER], sounds[_POWER_BEFORE])
    alike &= abs(sounds[_HZ] - sounds[_HZ_BEFORE]) < f32(_ALIKE_HZ)
    alike &= counts[_IN_ROW] == 1 or abs(pause - counts[_PAUSE_BEFORE]) <= _ALIKE + pause // _ALIKE_PART
    counts[_IN_ROW] = min(counts[_IN_ROW] + 1, _ENOUGH + 1) if alike else 1
    counts[_BURST_BEFORE], counts[_PAUSE_BEFORE] = burst, pause
    sounds[_POWER_BEFORE], sounds[_HZ_BEFORE] = sounds[_POWER], sounds[_HZ]
    counts[_PAUSE] = counts[_EDGE] = 0
    return burst + pause if counts[_IN_ROW] == _ENOUGH else 0


@kernel("i8(i4[::1], f4[::1], f4, f4, f4)")
def beat(counts: Rows, sounds: Floats, hz: float, share: float, power: float) -> int:
    """Take a tick of a row with that power, of which `share` lies where busy tones do, around `hz`. Once a cadence is
    certain: ticks of a burst and its pause together; else 0."""
    loud, period = share > f32(_SHARE), 0
    if loud and counts[_BURST] and _level(power, sounds[_POWER]):
        counts[_BURST] += 1
        weight = f32(1) / f32(min(counts[_BURST], _FEW))
        sounds[_POWER] += (power - sounds[_POWER]) * weight
        sounds[_HZ] += (hz - sounds[_HZ]) * weight
        return period
    if counts[_BURST] >= _SHORTEST:
        period = _count(counts, sounds)
    else:
        counts[_PAUSE] += counts[_BURST]
        counts[_EDGE] += counts[_BURST]
    counts[_BURST] = loud
    if loud:
        sounds[_POWER], sounds[_HZ] = power, hz
    else:
        counts[_PAUSE] = min(counts[_PAUSE] + 1, _LONGEST + 1)
        counts[_EDGE] += power > sounds[_POWER_BEFORE] * f32(HUSH)
    return period

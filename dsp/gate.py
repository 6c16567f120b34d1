"""Which rows may hold speech: a gate in front of the network, by level alone.

What is hardly louder than the noise of its line is not speech, and the network need not be asked. The noise is the
quietest tick of the last 0.8 to 1.6 s (minimum statistics: Martin 1994): speech has gaps in it. The margin is
small, so that the gate is open before a word is loud enough to be one, and opens for noise rather than keep a
quiet word out: the network judges what it lets in. While the network hears anything the gate stays open, however quiet.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import Bytes, Floats, Rows, check_rows, check_shape, f32, i32, kernel, record
from dsp.levels import SILENCE_DBFS

MARGIN_DB = 4.0
"""Above the quietest tick. White noise stays within 2.5 dB of it; more than 4 began to cost quiet beginnings."""
LEAST_DBFS = -80.0
"""Below this a line is dead: one least bit is -90, G.711's quietest hiss -72."""
HEARD = 0.1
"""With this probability of speech the gate stays open."""
HOLD_TICKS = 10
"""Ticks for which it stays open after the last reason."""
WINDOW_TICKS = 40
"""The quietest tick is that of this window and the one before it."""


class Gating(NamedTuple):
    """A row's past."""

    lowest: Floats  # level of the quietest tick of the window, dBFS
    lowest_before: Floats  # and of the window before
    age: Rows  # ticks of the window so far
    hold: Rows  # ticks for which the gate is still open


_floats, _rows = types.float32[::1], types.int32[::1]
GATING = record([_floats, _floats, _rows, _rows], Gating)


def gating(capacity: int) -> Gating:
    """For `capacity` legs that begin. A leg's gate is open for its first 0.8 s, until its noise is known."""
    lowest, lowest_before = np.full((2, capacity), SILENCE_DBFS, np.float32)
    age, hold = np.zeros((2, capacity), np.int32)
    return Gating(lowest, lowest_before, age, hold)


@kernel(types.void(_rows, _floats, _floats, types.uint8[::1], GATING))
def gate(rows: Rows, level_dbfs: Floats, probability: Floats, awake: Bytes, it: Gating) -> None:
    """One tick: from the level of each row's tick (RMS) and its latest probability of speech to 1 in `awake` or 0."""
    for row in rows:
        level = level_dbfs[row]
        if it.age[row] == 0:
            it.lowest_before[row] = it.lowest[row]
            it.lowest[row] = level
        it.lowest[row] = min(it.lowest[row], level)
        it.age[row] = (it.age[row] + 1) % WINDOW_TICKS
        noise = min(it.lowest[row], it.lowest_before[row])
        if level > max(noise + f32(MARGIN_DB), f32(LEAST_DBFS)) or probability[row] >= f32(HEARD):
            it.hold[row] = HOLD_TICKS
        else:
            it.hold[row] = max(it.hold[row] - 1, 0)
        awake[row] = it.hold[row] > 0


@kernel(types.void(GATING, types.int64))
def forget(it: Gating, row: int) -> None:
    """Another call begins in `row`."""
    it.lowest[row] = it.lowest_before[row] = f32(SILENCE_DBFS)
    it.age[row] = it.hold[row] = i32(0)


class Gate:
    """The gate of `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._gating = gating(capacity)

    def process(self, rows: Rows, level_dbfs: Floats, probability: Floats, awake: Bytes) -> None:
        """One tick: `level_dbfs` f32[C] as `levels.measure` gives it, before anything that changes the level, and
        the latest `probability` f32[C] of `vad`; `awake` u8[C] becomes 1 where the network is to judge, else 0."""
        check_rows(rows, self._capacity)
        for name, values in (("level_dbfs", level_dbfs), ("probability", probability), ("awake", awake)):
            check_shape(name, values, (self._capacity,))
        gate(rows, level_dbfs, probability, awake, self._gating)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._gating, row)

"""Packet loss concealment at 8 or 16 kHz: what a lost tick probably sounded like.

After ITU-T G.711 Appendix I: speech repeats itself at its pitch, so the last pitch period is repeated in place of what
was lost, from one period in the first tick to three in the third (fewer would buzz), faded from 10 ms on, silent after
160. The Appendix is silent after 60 ms; where four packets of 20 ms are lost in a row that leaves a hole in the speech,
and what is said is understood worse (`bench.sound`). It also delays all speech by 3.75 ms to blend the first repeat
with the past. Here nothing is delayed: what was played was played, the step from it to the first repeat is spread over
a quarter period instead, and the way back is a cross-fade inside the first tick that arrives. A tick that arrives after
a tick that arrived is left untouched.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import NARROW_TICK, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, i16, i32, kernel, record

# In samples at 8 kHz; at 16 kHz there are twice as many.
_SHORTEST = 26  # pitch periods searched: 308 Hz ...
_LONGEST = 120  # ... to 66 Hz
_COMPARED = 48  # what of the past is compared with what stood a period before; more did worse
_PERIODS = 3
_HISTORY = _PERIODS * _LONGEST + _LONGEST // 4  # what is kept: the periods, and the quarter that joins them
_FULL = 80  # of a gap at full level
_FADE = 1200  # from full level to silence
_REJOIN_STEP = 32  # the cross-fade back is a quarter period and this for each 10 ms lost after the first ...
_REJOIN_MOST = 80  # ... but no more than this


class Concealing(NamedTuple):
    """Row r is leg r; the width of `made` says how long a tick is."""

    history: Pcm  # i16[C, 48.75 ms]: what was played last
    before_gap: Floats  # f32[C, 48.75 ms]: the same, as it was when the gap began
    gap: Rows  # i32[C]: ticks lost so far
    period: Rows  # i32[C]: the pitch period
    place: Rows  # i32[C]: where in the repeated periods the next sample is read
    loop: Floats  # f32[45 ms]: scratch, the repeated periods
    made: Floats  # f32[tick]: scratch
    next_made: Floats  # f32[tick]: scratch


_counts, _floats = types.int32[::1], types.float32[::1]
CONCEALING = record(
    [types.int16[:, ::1], types.float32[:, ::1], _counts, _counts, _counts, _floats, _floats, _floats], Concealing
)


def concealing(capacity: int, tick: int = NARROW_TICK) -> Concealing:
    """For `capacity` legs with `tick` samples a tick."""
    scale = tick // NARROW_TICK
    gap, period, place = np.zeros((3, capacity), np.int32)
    made, next_made = np.zeros((2, tick), np.float32)
    return Concealing(
        history=np.zeros((capacity, _HISTORY * scale), np.int16),
        before_gap=np.zeros((capacity, _HISTORY * scale), np.float32),
        gap=gap,
        period=period,
        place=place,
        loop=np.zeros(_PERIODS * _LONGEST * scale, np.float32),
        made=made,
        next_made=next_made,
    )


@kernel(types.void(CONCEALING, types.int64))
def forget(it: Concealing, row: int) -> None:
    """Another call begins in `row`."""
    it.history[row] = i16(0)
    it.gap[row] = i32(0)


@kernel("i8(f4[::1], i8)")
def _pitch(past: Floats, scale: int) -> int:
    """The lag at which the end of `past` is most like what stood before it (normalised correlation)."""
    end, compared = past.size, _COMPARED * scale
    recent = past[end - compared :]
    best, best_score = _SHORTEST * scale, f32(-1)
    for lag in range(_SHORTEST * scale, _LONGEST * scale + 1):
        earlier = past[end - compared - lag : end - lag]
        product, energy = f32(0), f32(1)
        for i in range(compared):
            product += recent[i] * earlier[i]
            energy += earlier[i] * earlier[i]
        score = product * abs(product) / energy
        if score > best_score:
            best, best_score = lag, score
    return best


@kernel("i8(f4[::1], i8, i8, i8, i8, f4[::1], f4[::1])")
def _repeat(past: Floats, period: int, periods: int, place: int, begun: int, loop: Floats, out: Floats) -> int:
    """Read the last `periods` periods of `past` round and round from `place`; the place reached.

    The end of the loop is blended with what stood before its start, so that it joins. `begun` is the number of
    samples of the gap before this tick: the level follows from it.
    """
    length = period * periods
    start = past.size - length
    overlap = period // 4
    for i in range(length):
        loop[i] = past[start + i]
    for i in range(overlap):
        weight = f32(i + 1) / f32(overlap + 1)
        at = length - overlap + i
        loop[at] += (past[start - overlap + i] - loop[at]) * weight
    scale = out.size // NARROW_TICK
    for i in range(out.size):
        level = f32((_FADE + _FULL) * scale - begun - i) / f32(_FADE * scale)
        out[i] = loop[place] * min(max(level, f32(0)), f32(1))
        place += 1
        if place == length:
            place = 0
    return place


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.uint8[::1], CONCEALING))
def conceal(rows: Rows, pcm: Pcm, lost: Bytes, it: Concealing) -> None:
    """One tick in place: `pcm` i16[C, tick]; where `lost` u8[C] is not 0 the row's samples are made up."""
    loop, made, next_made = it.loop, it.made, it.next_made
    size = made.size
    scale = size // NARROW_TICK
    for row in rows:
        tick, past, history = pcm[row], it.before_gap[row], it.history[row]
        gap, period, place = it.gap[row], it.period[row], it.place[row]
        if lost[row] and gap == 0:
            for i in range(past.size):
                past[i] = f32(history[i])
            period = _pitch(past, scale)
            place = _repeat(past, period, 1, 0, 0, loop, made)
            step = past[past.size - 1] - past[past.size - 1 - period]
            for i in range(period // 4):
                made[i] += step * (f32(1) - f32(i + 1) / f32(period // 4 + 1))
        elif lost[row]:
            first_place = place % period
            place = _repeat(past, period, min(gap, _PERIODS), place, gap * size, loop, made)
            if gap < _PERIODS:
                place = _repeat(past, period, gap + 1, first_place, gap * size, loop, next_made)
                for i in range(size):
                    weight = min(f32(i + 1) / f32(period // 4 + 1), f32(1))
                    made[i] += (next_made[i] - made[i]) * weight
        elif gap > 0:
            _repeat(past, period, min(gap, _PERIODS), place, gap * size, loop, made)
            overlap = min(period // 4 + _REJOIN_STEP * scale * (2 * gap - 1), _REJOIN_MOST * scale)
            for i in range(overlap):
                weight = f32(i + 1) / f32(overlap + 1)
                made[i] += (f32(tick[i]) - made[i]) * weight
            for i in range(overlap, size):
                made[i] = f32(tick[i])
        if lost[row] or gap > 0:
            for i in range(size):
                tick[i] = i16(i32(np.rint(min(max(made[i], f32(-32768)), f32(32767)))))
        it.gap[row] = gap + 1 if lost[row] else 0
        it.period[row] = period
        it.place[row] = place
        kept = history.size - size
        for i in range(kept):
            history[i] = history[size + i]
        for i in range(size):
            history[kept + i] = tick[i]


class Concealer:
    """Concealment for `capacity` legs with `tick` samples a tick, 160 or 320. One object serves one thread."""

    def __init__(self, capacity: int, tick: int = NARROW_TICK) -> None:
        self._shape = (capacity, tick)
        self._it = concealing(capacity, tick)

    def process(self, rows: Rows, pcm: Pcm, lost: Bytes) -> None:
        """One tick in place: `pcm` i16[C, tick]; where `lost` u8[C] is not 0 the row's samples are made up.

        What a lost row holds on entry does not matter.
        """
        check_rows(rows, self._shape[0])
        check_shape("pcm", pcm, self._shape)
        check_shape("lost", lost, self._shape[:1])
        conceal(rows, pcm, lost, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)

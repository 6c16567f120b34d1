"""Packet loss concealment at 8 kHz: what a lost tick probably sounded like.

After ITU-T G.711 Appendix I: speech repeats itself at its pitch, so the last pitch period is repeated in place of what
was lost, from one period in the first tick to three in the third (fewer would buzz), faded from 10 ms on, silent after
60. The Appendix delays all speech by 3.75 ms to blend the first repeat with the past. Here nothing is delayed: what
was played was played, the step from it to the first repeat is spread over a quarter period instead, and the way back
is a cross-fade inside the first tick that arrives. A tick that arrives after a tick that arrived is left untouched.
"""

import numpy as np

from dsp.kernel import NARROW_TICK, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, i16, i32, kernel

_SHORTEST = 26  # pitch periods searched, in samples: 308 Hz ...
_LONGEST = 120  # ... to 66 Hz
_COMPARED = 48  # samples of the past that are compared with what stood a period before; more did worse
_PERIODS = 3
_HISTORY = _PERIODS * _LONGEST + _LONGEST // 4  # samples kept: the periods, and the quarter that joins them
_FULL = 80  # samples of a gap at full level
_FADE = 400  # samples from full level to silence
_REJOIN_STEP = 32  # the cross-fade back is a quarter period and this for each 10 ms lost after the first ...
_REJOIN_MOST = 80  # ... but no more than this

_GAP = 0  # columns of the state: ticks lost so far
_PERIOD = 1  # the pitch period
_PLACE = 2  # where in the repeated periods the next sample is read


@kernel("i8(f4[::1])")
def _pitch(past: Floats) -> int:
    """The lag at which the end of `past` is most like what stood before it (normalised correlation)."""
    end = past.size
    recent = past[end - _COMPARED :]
    best, best_score = _SHORTEST, f32(-1)
    for lag in range(_SHORTEST, _LONGEST + 1):
        earlier = past[end - _COMPARED - lag : end - lag]
        product, energy = f32(0), f32(1)
        for i in range(_COMPARED):
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
    loop[:length] = past[start:]
    for i in range(overlap):
        weight = f32(i + 1) / f32(overlap + 1)
        at = length - overlap + i
        loop[at] += (past[start - overlap + i] - loop[at]) * weight
    for i in range(out.size):
        level = f32(_FADE + _FULL - begun - i) / f32(_FADE)
        out[i] = loop[place] * min(max(level, f32(0)), f32(1))
        place += 1
        if place == length:
            place = 0
    return place


@kernel("void(i4[::1], i2[:, ::1], u1[::1], i2[:, ::1], f4[:, ::1], i4[:, ::1], f4[::1], f4[::1], f4[::1])")
def _process(
    rows: Rows,
    pcm: Pcm,
    lost: Bytes,
    history: Pcm,
    before_gap: Floats,
    state: Rows,
    loop: Floats,
    made: Floats,
    next_made: Floats,
) -> None:
    size = made.size
    for row in rows:
        tick, past = pcm[row], before_gap[row]
        gap, period, place = state[row, _GAP], state[row, _PERIOD], state[row, _PLACE]
        if lost[row] and gap == 0:
            for i in range(past.size):
                past[i] = f32(history[row, i])
            period = _pitch(past)
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
            overlap = min(period // 4 + _REJOIN_STEP * (2 * gap - 1), _REJOIN_MOST)
            for i in range(overlap):
                weight = f32(i + 1) / f32(overlap + 1)
                made[i] += (f32(tick[i]) - made[i]) * weight
            for i in range(overlap, size):
                made[i] = f32(tick[i])
        if lost[row] or gap > 0:
            for i in range(size):
                tick[i] = i16(i32(np.rint(min(max(made[i], f32(-32768)), f32(32767)))))
        state[row, _GAP] = gap + 1 if lost[row] else 0
        state[row, _PERIOD] = period
        state[row, _PLACE] = place
        kept = history.shape[1] - size
        for i in range(kept):
            history[row, i] = history[row, size + i]
        history[row, kept:] = tick


class Concealer:
    """Concealment for `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._history = np.zeros((capacity, _HISTORY), np.int16)
        self._before_gap = np.zeros((capacity, _HISTORY), np.float32)
        self._state = np.zeros((capacity, 3), np.int32)
        self._loop = np.zeros(_PERIODS * _LONGEST, np.float32)
        self._made = np.zeros(NARROW_TICK, np.float32)
        self._next_made = np.zeros(NARROW_TICK, np.float32)

    def process(self, rows: Rows, pcm: Pcm, lost: Bytes) -> None:
        """One tick in place: `pcm` i16[C, 160]; where `lost` u8[C] is not 0 the row's samples are made up.

        What a lost row holds on entry does not matter.
        """
        check_rows(rows, self._capacity)
        check_shape("pcm", pcm, (self._capacity, NARROW_TICK))
        check_shape("lost", lost, (self._capacity,))
        before, state = self._before_gap, self._state
        _process(rows, pcm, lost, self._history, before, state, self._loop, self._made, self._next_made)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        self._history[row] = 0
        self._state[row] = 0

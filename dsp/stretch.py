"""Time stretching: how a leg's delay grows and shrinks without a click, and how clock drift is taken up.

After decoding and concealment. A row holds a line of decoded samples, two ticks of them at the most, and gives one tick
a tick; the jitter buffer says by how much the delay should grow or shrink. Speech grows by a pitch period that is
played twice and shrinks by one that is left out (WSOLA: Verhelst and Roelands, ICASSP 1993): what is played fades from
where it is into where it would be that much earlier or later, which is heard only where the two are not alike, and
then nothing is done. Where nobody speaks any length may go or come. Lengths are then chosen so that nothing is left on
the line: from there on a tick is the samples of one packet, untouched and not delayed, and its octets may be passed on.
So a line of whole ticks is left alone for less than half a tick; one that is cut anyway grows by any lack that a pitch
period may fill, and nothing shrinks by more than is wanted: too short a delay loses packets, too long a one does not.

One tick of one row: as many frames as `needed` says are taken from the jitter buffer, decoded and brought by `feed`;
then `stretch` gives the tick.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import NARROW_TICK, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, i16, i32, kernel, record

_SHORTEST_MS = 2.5  # pitch periods: 400 Hz ...
_LONGEST_MS = 15  # ... to 67 Hz
_ALIKE = 0.8  # normalised correlation of what is faded in speech; less is heard
_QUIET = 80.0  # root mean square below which nobody speaks: -52 dBFS
_ONSET = 4.0  # where the voice activity says so, a rise in power of more than this is a beginning it does not know yet
_REST = 4  # ticks from one move to the next

_LINE = 4  # ticks in a line: the one that was played, and what is to be played
_MS = 20  # of a tick


class Stretching(NamedTuple):
    """Row r is leg r; the width of the line says how long a tick is."""

    line: Pcm  # i16[C, 4 ticks]: the tick that was played, then `held` samples to be played
    held: Rows  # i32[C]
    want: Rows  # i32[C]: samples by which the delay should grow
    rest: Rows  # i32[C]: ticks until the next move
    moved: Rows  # i32[C]: samples by which the delay grew in the last tick
    signal: Floats  # f32[4 ticks]: scratch


_counts = types.int32[::1]
STRETCHING = record([types.int16[:, ::1], _counts, _counts, _counts, _counts, types.float32[::1]], Stretching)


def stretching(capacity: int, tick: int = NARROW_TICK) -> Stretching:
    """For `capacity` legs with `tick` samples a tick."""
    held, want, rest, moved = np.zeros((4, capacity), np.int32)
    line, signal = np.zeros((capacity, _LINE * tick), np.int16), np.zeros(_LINE * tick, np.float32)
    return Stretching(line, held, want, rest, moved, signal)


@kernel(types.void(STRETCHING, types.int64))
def forget(it: Stretching, row: int) -> None:
    """Another call begins in `row`."""
    it.line[row] = i16(0)
    it.held[row] = it.want[row] = it.rest[row] = it.moved[row] = i32(0)


@kernel(types.int64(STRETCHING, types.int64, types.float64))
def needed(it: Stretching, row: int, want_ms: float) -> int:
    """How many frames `row` needs for its next tick: 0, 1, or 2 to shrink, when the second may also be missing.

    `want_ms` is by how much the delay, of the jitter buffer and of `held` together, should grow; it is heeded in the
    next `stretch`.
    """
    tick: int = it.line.shape[1] // _LINE
    want = int(np.rint(min(max(want_ms, -1e6), 1e6) * tick / _MS))
    it.want[row] = want
    least = tick
    if want < -tick // 2 and it.rest[row] == 0:
        least += tick * _LONGEST_MS // _MS
    return max((least - int(it.held[row]) + tick - 1) // tick, 0)


@kernel(types.void(types.int32[::1], types.int16[:, ::1], STRETCHING))
def feed(rows: Rows, pcm: Pcm, it: Stretching) -> None:
    """Put a frame of each of `rows` on its line, `pcm` i16[C, tick]; what a full line cannot take is not taken."""
    tick = pcm.shape[1]
    for row in rows:
        frame, end = pcm[row], it.line[row, tick + it.held[row] :]
        if end.size >= tick:
            for i in range(tick):
                end[i] = frame[i]
            it.held[row] += tick


@kernel("f4(f4[::1])")
def _power(x: Floats) -> float:
    """Mean square."""
    total: float = f32(0)
    for i in range(x.size):
        total += x[i] * x[i]
    return total / x.size


@kernel("i8(i8, i8, i8)")
def _even(held: int, want: int, tick: int) -> int:
    """The move nearest to `want` that leaves whole ticks on the line, of a tick at the most."""
    over = held % tick
    least = -1 if over == 0 and held > tick else 0
    return min(max(int(np.rint((want + over) / tick)), least), 1) * tick - over


@kernel("i8(f4[::1], i8, i8, i8)")
def _period(signal: Floats, tick: int, sign: int, longest: int) -> int:
    """The move by a pitch period, of the given sign, by which the coming tick is most like itself; 0 if it is not."""
    shortest = int(_SHORTEST_MS * tick) // _MS
    coming = signal[tick : 2 * tick]
    level = max(_power(coming), f32(1))
    best, best_score = 0, f32(_ALIKE * _ALIKE)
    for lag in range(shortest, longest + 1):
        start = tick - sign * lag
        other = signal[start : start + tick]
        product, energy = f32(0), f32(1)
        for i in range(tick):
            product += coming[i] * other[i]
            energy += other[i] * other[i]
        score = product * abs(product) / (energy * level * f32(tick))
        if score > best_score:
            best, best_score = sign * lag, score
    return best


@kernel(types.int64(STRETCHING, types.int64, types.uint8))
def _move(it: Stretching, row: int, quiet: int) -> int:
    """By how many samples the delay of `row` grows in this tick."""
    signal, held, want = it.signal, int(it.held[row]), int(it.want[row])
    tick = signal.size // _LINE
    if it.rest[row] > 0:
        it.rest[row] -= 1
        return 0
    cut = held % tick != 0
    wanted = abs(want) > tick // 2 or (cut and want > tick * _SHORTEST_MS / _MS)
    if held < tick or not (cut or wanted):
        return 0
    for i in range(tick + held):
        signal[i] = f32(it.line[row, i])
    before, after = _power(signal[:tick]), _power(signal[tick : tick + held])
    floor = f32(_QUIET * _QUIET)
    if (before < floor and after < floor) or (quiet and after < f32(_ONSET) * before):
        return _even(held, want, tick)
    longest = tick * _LONGEST_MS // _MS
    if want < 0:
        longest = min(longest, held - tick, -want)
    return _period(signal, tick, 1 if want > 0 else -1, longest) if wanted else 0


@kernel(types.void(types.int32[::1], types.uint8[::1], types.int16[:, ::1], STRETCHING))
def stretch(rows: Rows, quiet: Bytes, out: Pcm, it: Stretching) -> None:
    """The next tick of each of `rows`, to `out` i16[C, tick]; `quiet` u8[C] is not 0 where nobody speaks."""
    tick = out.shape[1]
    for row in rows:
        line, played, held = it.line[row], out[row], int(it.held[row])
        calm = held == tick and it.rest[row] == 0 and abs(it.want[row]) <= tick // 2  # as most are, at half the price
        move = 0 if calm else _move(it, row, quiet[row])
        coming = line[tick - move :]
        for i in range(tick):
            played[i] = coming[i]
        if move != 0:
            it.rest[row] = _REST
            for i in range(tick):
                weight = f32(i + 1) / f32(tick + 1)
                here = f32(line[tick + i])
                played[i] = i16(i32(np.rint(here + (f32(played[i]) - here) * weight)))
        used = min(tick - move, held)
        left, rest = held - used, line[tick + used :]
        for i in range(tick):
            line[i] = played[i]
        for i in range(left):
            line[tick + i] = rest[i]
        it.held[row] = left
        it.moved[row] = move


class Stretcher:
    """Time stretching for `capacity` legs with `tick` samples a tick. One object serves one thread."""

    def __init__(self, capacity: int, tick: int = NARROW_TICK) -> None:
        self._shape = (capacity, tick)
        self._it = stretching(capacity, tick)

    def needed(self, row: int, want_ms: float = 0) -> int:
        """How many frames `row` needs for its next tick; its delay should grow by `want_ms`."""
        return needed(self._it, row, want_ms)

    def feed(self, rows: Rows, pcm: Pcm) -> None:
        """The next frame of each row: `pcm` i16[C, tick]."""
        check_rows(rows, self._shape[0])
        check_shape("pcm", pcm, self._shape)
        feed(rows, pcm, self._it)

    def process(self, rows: Rows, quiet: Bytes, out: Pcm) -> None:
        """One tick to `out` i16[C, tick]; `quiet` u8[C] where nobody speaks, for all that is known.

        ValueError where a row was not fed what it needed.
        """
        check_rows(rows, self._shape[0])
        check_shape("quiet", quiet, self._shape[:1])
        check_shape("out", out, self._shape)
        if (self._it.held[rows] < self._shape[1]).any():
            raise ValueError("a row was not fed what it needed")
        stretch(rows, quiet, out, self._it)

    def moved(self, row: int) -> int:
        """Samples by which the delay of `row` grew in its last tick."""
        return int(self._it.moved[row])

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)

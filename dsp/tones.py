"""DTMF in the audio itself: a detector for all calls of a tick, and a generator (ITU-T Q.23, limits of Q.24).

Every 5 ms the detector looks at the last 15 ms: the power at the eight frequencies is a sum over three blocks, so
each sample is correlated once. A window speaks for a digit when two frequencies, one of each group, hold most of
its energy and are near each other in level. A digit is reported once, when five windows in a row (35 to 40 ms) spoke
for it and the phase from window to window shows both frequencies to be what they should; it can come again after
pauses of 30 ms or more, so a drop-out of 10 ms does not make two digits of one. Speech passes some of these tests at
times, never all of them.

Accepted as Q.24 asks: tones of 40 ms and more, frequencies within 1.5 %, the high group up to 4 dB above or 8 dB below
the low. Refused: tones under 23 ms, frequencies off by 3.5 %.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import (
    NARROW_HZ,
    NARROW_TICK,
    WIDE_HZ,
    WIDE_TICK,
    Bytes,
    Floats,
    Pcm,
    Rows,
    check_rows,
    check_shape,
    f32,
    kernel,
    record,
)

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
DIGITS = "123A456B789C*0#D"  # row by row: one low frequency a row, one high a column

_BLOCK = 40  # 5 ms
_BLOCKS = 3  # a window
_WINDOW = _BLOCK * _BLOCKS
_STEPS = NARROW_TICK // _BLOCK  # blocks of a tick, and windows that end in it
_HITS = 5  # windows in a row that make a digit
_MISSES = 6  # windows in a row that end it
_QUIETEST = 10 ** (-42 / 10) * 32_768.0**2 * _WINDOW  # energy of a window at -42 dBFS
_SHARE = 0.65  # of the energy that the two frequencies must hold; 1.5 % off at 1,633 Hz leaves 0.72
_HIGH_OVER_LOW = 10 ** (5.5 / 10)  # 4 dB, and what a frequency at the edge of its band loses in the window
_LOW_OVER_HIGH = 10 ** (10.0 / 10)  # 8 dB, and the same
_OFF_FREQUENCY = 0.025

# Where things are in the room for a tick, which is one array, and in what is kept of the last: so that loops over them
# become SIMD, real parts and imaginary ones stand apart, eight frequencies for each block or window.
_REAL = 0  # [6, 8] and the same for the imaginary parts: sums of two blocks that were and four that are,
_IMAGINARY = 48
_ENERGY = 96  # [6], of those blocks,
_NOW_REAL = 104  # [5, 8] twice, of a window that was and four that are,
_NOW_IMAGINARY = 144
_POWER = 184  # [4, 8], of those four,
_SOUND = 216  # [160], the tick in floats,
_SUMS = 376  # [4, 16], the sums of its blocks
_WORK = 440
_KEPT = 56  # [2, 8] twice, a window twice, and two energies with six unused: of the blocks and the window that were

_RUN_DIGIT = 0  # columns of the integer state: the digit (1..16, 0 none) that the last windows spoke for
_RUN = 1  # how many windows
_HELD = 2  # the digit that was reported and has not ended
_MISSED = 3  # windows in a row that did not speak for it


def _block_table() -> Floats:
    """[40 * 16]: for each sample of a block the eight cosines, then the eight negative sines."""
    radians = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ) / NARROW_HZ * np.arange(_BLOCK)[:, None]
    return np.concatenate([np.cos(radians), -np.sin(radians)], axis=1).astype(np.float32).reshape(-1)


def _turn_table() -> Floats:
    """[4 * 32]: cosine and sine of each frequency's turn in a block, and in two, once for each window of a tick."""
    radians = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ) / NARROW_HZ * _BLOCK
    turns = [np.cos(radians), np.sin(radians), np.cos(2 * radians), np.sin(2 * radians)]
    return np.concatenate([np.tile(turn, _STEPS) for turn in turns]).astype(np.float32)


class Detecting(NamedTuple):
    """What every row heard last, and room for the tick at hand."""

    table: Floats  # [40 * 16], of `_block_table`
    turns: Floats  # [4 * 32], of `_turn_table`
    most_off: Floats  # [8], tangent of how far beyond that a frequency may turn
    names: Bytes  # [16], the digits in ASCII
    kept: Floats  # [capacity, 56], the last two blocks and the last window
    drift: Floats  # [capacity, 4], how far two frequencies turned beyond what they should
    state: Rows  # [capacity, 4]
    work: Floats  # [440], room for the tick at hand


_vector, _matrix = types.float32[::1], types.float32[:, ::1]
_octets, _counts = types.uint8[::1], types.int32[:, ::1]
DETECTING = record([_vector] * 3 + [_octets, _matrix, _matrix, _counts, _vector], Detecting)


def detecting(capacity: int) -> Detecting:
    """Every row with nothing heard."""
    off = np.tan(2 * np.pi * np.array(LOW_HZ + HIGH_HZ) / NARROW_HZ * _BLOCK * _OFF_FREQUENCY)
    return Detecting(
        _block_table(),
        _turn_table(),
        off.astype(np.float32),
        np.frombuffer(bytearray(DIGITS, "ascii"), np.uint8),
        np.zeros((capacity, _KEPT), np.float32),
        np.zeros((capacity, 4), np.float32),
        np.zeros((capacity, 4), np.int32),
        np.zeros(_WORK, np.float32),
    )


@kernel(types.void(DETECTING, types.int64))
def forget(it: Detecting, row: int) -> None:
    """Another call begins in `row`."""
    it.kept[row] = 0
    it.state[row] = 0


@kernel("boolean(i2[:, ::1], i8, f4[::1])")
def _weigh(pcm: Pcm, row: int, work: Floats) -> bool:
    """Take a tick in, and the energy of each of its blocks; whether there is enough of it for a digit in any."""
    for i in range(NARROW_TICK):
        work[_SOUND + i] = f32(pcm[row, i])
    a, b, c, d = f32(0), f32(0), f32(0), f32(0)
    for i in range(_SOUND, _SOUND + _BLOCK):
        a += work[i] * work[i]
        b += work[i + 40] * work[i + 40]
        c += work[i + 80] * work[i + 80]
        d += work[i + 120] * work[i + 120]
    work[_ENERGY + 2], work[_ENERGY + 3], work[_ENERGY + 4], work[_ENERGY + 5] = a, b, c, d
    loud: bool = max(max(a, b), max(c, d)) >= f32(_QUIETEST / _BLOCKS)
    return loud


@kernel("void(f4[::1], f4[::1])")
def _correlate(table: Floats, work: Floats) -> None:
    """The sums of the four blocks of a tick: block @ table. A value of the table is read once for all four: reading is
    what takes the time."""
    for k in range(_SUMS, _SUMS + 64):
        work[k] = f32(0)
    for n in range(0, _BLOCK, 4):
        at, i = 16 * n, _SOUND + n
        a0, a1, a2, a3 = work[i], work[i + 1], work[i + 2], work[i + 3]
        b0, b1, b2, b3 = work[i + 40], work[i + 41], work[i + 42], work[i + 43]
        c0, c1, c2, c3 = work[i + 80], work[i + 81], work[i + 82], work[i + 83]
        d0, d1, d2, d3 = work[i + 120], work[i + 121], work[i + 122], work[i + 123]
        for k in range(16):
            t0, t1, t2, t3 = table[at + k], table[at + k + 16], table[at + k + 32], table[at + k + 48]
            work[_SUMS + k] += (a0 * t0 + a1 * t1) + (a2 * t2 + a3 * t3)
            work[_SUMS + 16 + k] += (b0 * t0 + b1 * t1) + (b2 * t2 + b3 * t3)
            work[_SUMS + 32 + k] += (c0 * t0 + c1 * t1) + (c2 * t2 + c3 * t3)
            work[_SUMS + 48 + k] += (d0 * t0 + d1 * t1) + (d2 * t2 + d3 * t3)
    for block in range(_STEPS):
        for k in range(8):
            work[_REAL + 16 + 8 * block + k] = work[_SUMS + 16 * block + k]
            work[_IMAGINARY + 16 + 8 * block + k] = work[_SUMS + 16 * block + 8 + k]


@kernel("void(f4[:, ::1], i8, f4[::1])")
def _recall(kept: Floats, row: int, work: Floats) -> None:
    for k in range(16):
        work[_REAL + k] = kept[row, k]
        work[_IMAGINARY + k] = kept[row, 16 + k]
    for k in range(8):
        work[_NOW_REAL + k] = kept[row, 32 + k]
        work[_NOW_IMAGINARY + k] = kept[row, 40 + k]
    work[_ENERGY], work[_ENERGY + 1] = kept[row, 48], kept[row, 49]


@kernel("void(f4[:, ::1], i8, f4[::1])")
def _keep(kept: Floats, row: int, work: Floats) -> None:
    for k in range(16):
        kept[row, k] = work[_REAL + 32 + k]
        kept[row, 16 + k] = work[_IMAGINARY + 32 + k]
    for k in range(8):
        kept[row, 32 + k] = work[_NOW_REAL + 32 + k]
        kept[row, 40 + k] = work[_NOW_IMAGINARY + 32 + k]
    kept[row, 48], kept[row, 49] = work[_ENERGY + 4], work[_ENERGY + 5]


@kernel("void(f4[::1], f4[::1])")
def _look(work: Floats, turns: Floats) -> None:
    """Sum three blocks at a time, each turned back to the window's start, and take the powers of the sums."""
    for k in range(8 * _STEPS):
        real, real1, real2 = work[_REAL + k], work[_REAL + 8 + k], work[_REAL + 16 + k]
        other, other1, other2 = work[_IMAGINARY + k], work[_IMAGINARY + 8 + k], work[_IMAGINARY + 16 + k]
        real += (real1 * turns[k] + other1 * turns[32 + k]) + (real2 * turns[64 + k] + other2 * turns[96 + k])
        other += (other1 * turns[k] - real1 * turns[32 + k]) + (other2 * turns[64 + k] - real2 * turns[96 + k])
        work[_NOW_REAL + 8 + k] = real
        work[_NOW_IMAGINARY + 8 + k] = other
        work[_POWER + k] = real * real + other * other


@kernel("i8(f4[::1], i8)")
def _judge(work: Floats, window: int) -> int:
    """The digit (1..16) that a window speaks for, or 0."""
    at = _POWER + 8 * window
    low_power = max(max(work[at], work[at + 1]), max(work[at + 2], work[at + 3]))
    high_power = max(max(work[at + 4], work[at + 5]), max(work[at + 6], work[at + 7]))
    energy = work[_ENERGY + window] + work[_ENERGY + window + 1] + work[_ENERGY + window + 2]
    if energy < f32(_QUIETEST) or (low_power + high_power) * f32(2 / _WINDOW) < f32(_SHARE) * energy:
        return 0
    if high_power > low_power * f32(_HIGH_OVER_LOW) or low_power > high_power * f32(_LOW_OVER_HIGH):
        return 0
    low, high = 0, 0
    for k in range(1, 4):
        if work[at + k] > work[at + low]:
            low = k
        if work[at + 4 + k] > work[at + 4 + high]:
            high = k
    return low * 4 + high + 1


@kernel("boolean(i8, i8, i8, i8, f4[:, ::1], f4[::1], f4[::1], f4[::1])")
def _steady(
    row: int, window: int, k: int, group: int, drift: Floats, work: Floats, turns: Floats, most_off: Floats
) -> bool:
    """Whether frequency `k` turned since the window before, in this run so far, by what it should.

    The complex sum of the turns beyond that is kept in two columns of `drift` for each group.
    """
    c, s, at = turns[k], turns[32 + k], 8 * window + k
    real, imaginary = work[_NOW_REAL + 8 + at], work[_NOW_IMAGINARY + 8 + at]
    turned_real, turned_imaginary = real * c + imaginary * s, imaginary * c - real * s
    real, imaginary = work[_NOW_REAL + at], work[_NOW_IMAGINARY + at]
    drift[row, 2 * group] += turned_real * real + turned_imaginary * imaginary
    drift[row, 2 * group + 1] += turned_imaginary * real - turned_real * imaginary
    steady: bool = abs(drift[row, 2 * group + 1]) < most_off[k] * drift[row, 2 * group]
    return steady


@kernel("i8(i8, i8, i8, i4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1])")
def _count(
    row: int, window: int, found: int, state: Rows, drift: Floats, work: Floats, turns: Floats, most_off: Floats
) -> int:
    """Take what a window speaks for into the run; the digit (1..16) that begins with it, or 0."""
    began = 0
    if found == 0 or found != state[row, _RUN_DIGIT]:
        state[row, _RUN_DIGIT] = found
        state[row, _RUN] = min(found, 1)
        for k in range(4):
            drift[row, k] = f32(0)
    else:
        state[row, _RUN] += 1
        low_steady = _steady(row, window, (found - 1) // 4, 0, drift, work, turns, most_off)
        high_steady = _steady(row, window, (found - 1) % 4 + 4, 1, drift, work, turns, most_off)
        if state[row, _RUN] >= _HITS and low_steady and high_steady and state[row, _HELD] != found:
            state[row, _HELD] = found
            began = found
    state[row, _MISSED] = 0 if found == state[row, _HELD] else state[row, _MISSED] + 1
    if state[row, _MISSED] >= _MISSES:
        state[row, _HELD] = 0
        state[row, _MISSED] = 0
    return began


@kernel("void(i8, i4[:, ::1], f4[:, ::1])")
def _rest(row: int, state: Rows, kept: Floats) -> None:
    """A tick in which no window can speak for a digit: what `_count` would do, for all of them."""
    for k in range(_KEPT):
        kept[row, k] = f32(0)
    state[row, _RUN_DIGIT] = state[row, _RUN] = 0
    state[row, _MISSED] += _STEPS
    if state[row, _HELD] == 0 or state[row, _MISSED] >= _MISSES:
        state[row, _HELD] = 0
        state[row, _MISSED] = 0


@kernel(types.void(types.int32[::1], types.int16[:, ::1], _octets, DETECTING))
def detect(rows: Rows, pcm8k: Pcm, digit: Bytes, it: Detecting) -> None:
    """The kernel behind `DtmfDetector.process`, unchecked."""
    work, state = it.work, it.state
    for row in rows:
        digit[row] = 0
        loud = _weigh(pcm8k, row, work)
        if not loud and it.kept[row, 48] + it.kept[row, 49] < f32(_QUIETEST / _BLOCKS):
            _rest(row, state, it.kept)  # the usual tick: nobody presses a key in silence
            continue
        _recall(it.kept, row, work)
        _correlate(it.table, work)
        _look(work, it.turns)
        _keep(it.kept, row, work)
        for window in range(_STEPS):
            found = _judge(work, window)
            if found or state[row, _RUN_DIGIT] or state[row, _HELD]:
                began = _count(row, window, found, state, it.drift, work, it.turns, it.most_off)
                if began:
                    digit[row] = it.names[began - 1]


class DtmfDetector:
    """Keys pressed on `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = detecting(capacity)

    def process(self, rows: Rows, pcm8k: Pcm, digit: Bytes) -> None:
        """Take one tick of `pcm8k` i16[C, 160]; `digit` u8[C] becomes the ASCII of a digit that began, or 0."""
        check_rows(rows, self._capacity)
        check_shape("pcm8k", pcm8k, (self._capacity, NARROW_TICK))
        check_shape("digit", digit, (self._capacity,))
        detect(rows, pcm8k, digit, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)


def dtmf_tone(digit: str, duration_ms: int, rate_hz: int) -> Pcm:
    """The tone of one of `DIGITS`, edges rounded over 2 ms: the low group at -15 dBFS RMS, the high one at -13, which a
    telephone line knows as -9 and -7 dBm0 (ETSI ES 201 235-2)."""
    if len(digit) != 1 or digit not in DIGITS:
        raise ValueError(f"a DTMF digit is one of {DIGITS}, got {digit!r}")
    row, column = divmod(DIGITS.index(digit), 4)
    time = np.arange(duration_ms * rate_hz // 1_000) / rate_hz
    low, high = np.sin(2 * np.pi * LOW_HZ[row] * time), np.sin(2 * np.pi * HIGH_HZ[column] * time)
    edges = np.clip(np.minimum(time, time[::-1]) / 0.002, 0, 1)
    tone = np.sqrt(2) * 32_768 * (10 ** (-15 / 20) * low + 10 ** (-13 / 20) * high) * edges
    pcm: Pcm = np.rint(tone).astype(np.int16)
    return pcm


def key_tones(keys: str, ticks: int) -> Pcm:
    """The tones of `keys`, each `ticks` long, as ticks at 16 kHz: i16[keys, ticks, 320]."""
    return np.stack(
        [dtmf_tone(key, ticks * 1_000 * WIDE_TICK // WIDE_HZ, WIDE_HZ).reshape(ticks, WIDE_TICK) for key in keys]
    )

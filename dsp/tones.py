"""DTMF in the audio itself: a detector for all calls of a tick, and a generator (ITU-T Q.23, limits of Q.24).

Every 5 ms the detector looks at the last 15 ms: the power at the eight frequencies is a sum over three blocks, so
each sample is correlated once. A window speaks for a digit when two frequencies, one of each group, hold most of
its energy and are near each other in level. A digit is reported once, when five windows in a row (35 to 40 ms) spoke
for it and the phase from window to window shows both frequencies to be what they should; it can come again after
pauses of 30 ms or more, so a drop-out of 10 ms does not make two digits of one. Speech passes some of these tests at
times, never all of them.

Rows that are loud enough for a digit are taken many at a time, side by side (`dsp.lanes`): correlating is a product of
matrices then, and every decision is one for all of them, made without a branch.

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
from dsp.lanes import LANES, gather, lay, lay_pcm
from dsp.panel import NO_FLOOR, dense

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
DIGITS = "123A456B789C*0#D"  # row by row: one low frequency a row, one high a column

_BLOCK = 40  # 5 ms
_HALF = _BLOCK // 2
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

# Where things are in the room for a tick, which is one array, the rows side by side: so that how far they lie apart is
# known to LLVM, and loops over lanes and windows become SIMD.
_EACH = 6 * LANES  # of a frequency: [6, lanes]
_GROUP = 4 * _EACH  # of the low group, of the high one
_REAL = 0  # [8] of _EACH: sums of two blocks that were and four that are,
_IMAGINARY = _REAL + 2 * _GROUP
_NOW_REAL = _IMAGINARY + 2 * _GROUP  # [8] of _EACH: of a window that was and four that are,
_NOW_IMAGINARY = _NOW_REAL + 2 * _GROUP
_POWER = _NOW_IMAGINARY + 2 * _GROUP  # [8] of _EACH: power in those four,
_ALONG = _POWER + 2 * _GROUP  # and how it turned since the window before, beyond what it should: not at all,
_ASIDE = _ALONG + 2 * _GROUP  # or to the side, in units of the most it may
_BEST = _ASIDE + 2 * _GROUP  # [2] of _GROUP, in each [4, lanes] four times: the power of the strongest frequency,
_WHICH = _BEST + _STEPS * LANES  # which it is (0..3),
_BEST_ALONG = _WHICH + _STEPS * LANES  # and how it turned
_BEST_ASIDE = _BEST_ALONG + _STEPS * LANES
_ENERGY = _BEST + 2 * _GROUP  # [6, lanes], of the blocks
_FOUND = _ENERGY + 6 * LANES  # [4, lanes], the digit (1..16, 0 none) that a window speaks for
_BEGAN = _FOUND + _STEPS * LANES  # [lanes], the digit that was reported
_RUN_DIGIT = _BEGAN + LANES  # [lanes], the digit that the last windows spoke for,
_RUN = _RUN_DIGIT + LANES  # how many windows,
_DRIFT = _RUN + LANES  # [4, lanes], what the two frequencies turned in them,
_HELD = _DRIFT + 4 * LANES  # the digit that was reported and has not ended,
_MISSED = _HELD + LANES  # windows in a row that did not speak for it
_UNUSED = _MISSED + LANES
_SOUND = _UNUSED + LANES  # [2, 4, 20, lanes], halves of the blocks
_WORK = _SOUND + NARROW_TICK * LANES

_KEPT = 64  # of a row, from tick to tick: see `_kept_places`
_KEPT_ENERGY, _KEPT_HELD, _KEPT_MISSED = 48, 56, 57


def _table() -> Floats:
    """[24 * 20]: for each frequency the cosines of a block's first half, counted from its middle, and then the sines;
    with room after them, which is read too."""
    radians = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ)[:, None] / NARROW_HZ * (_HALF - 0.5 - np.arange(_HALF))
    return np.concatenate([np.cos(radians), np.sin(radians), np.zeros((8, _HALF))]).astype(np.float32).reshape(-1)


def _turns() -> Floats:
    """[8, 5]: cosine and sine of each frequency's turn in a block, and in two, and the cotangent of how far beyond that
    it may turn in one."""
    radians = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ) / NARROW_HZ * _BLOCK
    off = 1 / np.tan(radians * _OFF_FREQUENCY)
    turns = np.stack([np.cos(radians), np.sin(radians), np.cos(2 * radians), np.sin(2 * radians), off], axis=1)
    return np.ascontiguousarray(turns, np.float32)


def _sound_places() -> Rows:
    """[160]: where samples are laid. A block's second half is apart, last sample first."""
    block, n = np.divmod(np.arange(NARROW_TICK), _BLOCK)
    second = n >= _HALF
    places = _SOUND + LANES * (_HALF * (block + _STEPS * second) + np.where(second, _BLOCK - 1 - n, n))
    return np.asarray(places, np.int32)


def _kept_places(begin: int) -> Rows:
    """[64]: where what is kept stands in the room for a tick: the blocks and the window that were (`begin` 0), or that
    will have been (`begin` 4)."""
    each = np.arange(8) * _EACH + begin * LANES
    sums = [start + each + block * LANES for block in range(2) for start in (_REAL, _IMAGINARY)]
    energies = _ENERGY + (begin + np.arange(2)) * LANES
    state = _RUN_DIGIT + np.arange(8) * LANES
    places = np.concatenate([*sums, _NOW_REAL + each, _NOW_IMAGINARY + each, energies, state, np.full(6, _UNUSED)])
    return np.asarray(places, np.int32)


class Detecting(NamedTuple):
    """What every row heard last, and room for the tick at hand."""

    table: Floats  # of `_table`
    turns: Floats  # [8, 5], of `_turns`
    names: Bytes  # [16], the digits in ASCII
    kept: Floats  # [capacity, 64], the last two blocks, the last window, and the run of windows
    chosen: Rows  # [lanes], the rows at hand
    sound_places: Rows
    before: Rows  # of `_kept_places`
    after: Rows
    work: Floats  # room for the tick at hand
    halves: Floats  # [8, 20, lanes], the sound in it
    nothing: Floats  # [4 * lanes]


_vector, _matrix, _panels = types.float32[::1], types.float32[:, ::1], types.float32[:, :, ::1]
_octets, _numbers = types.uint8[::1], types.int32[::1]
DETECTING = record([_vector, _matrix, _octets, _matrix] + [_numbers] * 4 + [_vector, _panels, _vector], Detecting)


def detecting(capacity: int) -> Detecting:
    """Every row with nothing heard."""
    work = np.zeros(_WORK, np.float32)
    return Detecting(
        table=_table(),
        turns=_turns(),
        names=np.frombuffer(bytearray(DIGITS, "ascii"), np.uint8),
        kept=np.zeros((capacity, _KEPT), np.float32),
        chosen=np.zeros(LANES, np.int32),
        sound_places=_sound_places(),
        before=_kept_places(0),
        after=_kept_places(_STEPS),
        work=work,
        halves=work[_SOUND:].reshape(2 * _STEPS, _HALF, LANES),
        nothing=np.zeros(_STEPS * LANES, np.float32),
    )


@kernel(types.void(DETECTING, types.int64))
def forget(it: Detecting, row: int) -> None:
    """Another call begins in `row`."""
    it.kept[row] = 0


@kernel("f4(i2[:, ::1], i8)")
def _energy(pcm: Pcm, row: int) -> float:
    total: float = f32(0)
    for i in range(NARROW_TICK):
        x = f32(pcm[row, i])
        total += x * x
    return total


@kernel("void(i8, f4[:, ::1])")
def _rest(row: int, kept: Floats) -> None:
    """A tick in which no window can speak for a digit: what `_count` would do, for all of them."""
    held, missed = kept[row, _KEPT_HELD], kept[row, _KEPT_MISSED] + f32(_STEPS)
    for k in range(_KEPT):
        kept[row, k] = f32(0)
    if held > f32(0) and missed < f32(_MISSES):
        kept[row, _KEPT_HELD] = held
        kept[row, _KEPT_MISSED] = missed


@kernel("void(f4[::1])")
def _fold(work: Floats) -> None:
    """Sums and differences of what lies as far before as after a block's middle: a cosine sees the one, a sine the
    other, so that correlating takes half the products. The energies, too."""
    for block in range(_STEPS):
        for lane in range(LANES):
            energy = f32(0)
            for n in range(_HALF):
                first = _SOUND + (block * _HALF + n) * LANES + lane
                last = first + _STEPS * _HALF * LANES
                before, after = work[first], work[last]
                work[first] = before + after
                work[last] = before - after
                energy += before * before + after * after
            work[_ENERGY + (2 + block) * LANES + lane] = energy


@kernel(types.void(DETECTING))
def _correlate(it: Detecting) -> None:
    """The sums of the four blocks of a tick: table @ block. Of what is written beyond them nothing is read before it
    is written again."""
    sums = it.work[2 * LANES :]
    dense(8, it.table, _HALF, it.halves[:_STEPS], it.nothing, NO_FLOOR, sums[_REAL:], _EACH)
    dense(8, it.table[8 * _HALF :], _HALF, it.halves[_STEPS:], it.nothing, NO_FLOOR, sums[_IMAGINARY:], _EACH)


@kernel("void(f4[::1], f4[:, ::1])")
def _look(work: Floats, turns: Floats) -> None:
    """Sum three blocks at a time, each turned back to the window's start, and take the powers of the sums; then see
    how each turned since the window before."""
    for k in range(8):
        c, s, c2, s2, off = turns[k, 0], turns[k, 1], turns[k, 2], turns[k, 3], turns[k, 4]
        windows = range(k * _EACH, k * _EACH + _STEPS * LANES)
        for i in windows:
            real, real1, real2 = work[_REAL + i], work[_REAL + i + LANES], work[_REAL + i + 2 * LANES]
            other, other1 = work[_IMAGINARY + i], work[_IMAGINARY + i + LANES]
            other2 = work[_IMAGINARY + i + 2 * LANES]
            real += (real1 * c + other1 * s) + (real2 * c2 + other2 * s2)
            other += (other1 * c - real1 * s) + (other2 * c2 - real2 * s2)
            work[_NOW_REAL + i + LANES] = real
            work[_NOW_IMAGINARY + i + LANES] = other
            work[_POWER + i] = real * real + other * other
        for i in windows:
            real, other = work[_NOW_REAL + i + LANES], work[_NOW_IMAGINARY + i + LANES]
            before_real, before_other = work[_NOW_REAL + i], work[_NOW_IMAGINARY + i]
            back_real, back_other = real * c + other * s, other * c - real * s
            work[_ALONG + i] = back_real * before_real + back_other * before_other
            work[_ASIDE + i] = (back_other * before_real - back_real * before_other) * off


@kernel("void(f4[::1])")
def _compare(work: Floats) -> None:
    """Find the strongest frequency of each group in each window, and how it turned: that is a sum in which it counts
    once and the others do not, for LLVM would make fetches of a choice, lane by lane."""
    for group in range(2):
        for i in range(group * _GROUP, group * _GROUP + _STEPS * LANES):
            most, which = work[_POWER + i], f32(0)
            for k in range(1, 4):
                power = work[_POWER + i + k * _EACH]
                which = f32(k) if power > most else which
                most = max(most, power)
            along, aside = f32(0), f32(0)
            for k in range(4):
                counts = f32(1) if which == f32(k) else f32(0)
                along += counts * work[_ALONG + i + k * _EACH]
                aside += counts * work[_ASIDE + i + k * _EACH]
            work[_BEST + i] = most
            work[_WHICH + i] = which
            work[_BEST_ALONG + i] = along
            work[_BEST_ASIDE + i] = aside


@kernel("void(f4[::1])")
def _judge(work: Floats) -> None:
    """The digit that each window speaks for."""
    for i in range(_STEPS * LANES):
        low, high = work[_BEST + i], work[_BEST + _GROUP + i]
        energy = work[_ENERGY + i] + work[_ENERGY + i + LANES] + work[_ENERGY + i + 2 * LANES]
        speaks = (energy >= f32(_QUIETEST)) & ((low + high) * f32(2 / _WINDOW) >= f32(_SHARE) * energy)
        speaks &= (high <= low * f32(_HIGH_OVER_LOW)) & (low <= high * f32(_LOW_OVER_HIGH))
        digit = work[_WHICH + i] * f32(4) + work[_WHICH + _GROUP + i] + f32(1)
        work[_FOUND + i] = digit if speaks else f32(0)


@kernel("void(f4[::1])")
def _count(work: Floats) -> None:
    """Take what the windows speak for into the run, one after the other, and report a digit that begins with one.

    A frequency is steady when all it turned in the run, as a complex sum, is near enough to what it should.
    """
    none, one = f32(0), f32(1)
    for lane in range(LANES):
        digit, run, held, missed = work[_RUN_DIGIT + lane], work[_RUN + lane], work[_HELD + lane], work[_MISSED + lane]
        low_along, low_aside = work[_DRIFT + lane], work[_DRIFT + LANES + lane]
        high_along, high_aside = work[_DRIFT + 2 * LANES + lane], work[_DRIFT + 3 * LANES + lane]
        began = none
        for i in range(lane, lane + _STEPS * LANES, LANES):
            found = work[_FOUND + i]
            again = one if found == digit else none
            digit = found
            run = run * again + one
            low_along = (low_along + work[_BEST_ALONG + i]) * again
            low_aside = (low_aside + work[_BEST_ASIDE + i]) * again
            high_along = (high_along + work[_BEST_ALONG + _GROUP + i]) * again
            high_aside = (high_aside + work[_BEST_ASIDE + _GROUP + i]) * again
            steady = (abs(low_aside) < low_along) & (abs(high_aside) < high_along)
            begins = (found > none) & (run >= f32(_HITS)) & steady & (found != held)
            held = found if begins else held
            began = found if begins else began
            missed = none if found == held else missed + one
            ends = missed >= f32(_MISSES)
            held = none if ends else held
            missed = none if ends else missed
        work[_RUN_DIGIT + lane], work[_RUN + lane], work[_HELD + lane], work[_MISSED + lane] = digit, run, held, missed
        work[_DRIFT + lane], work[_DRIFT + LANES + lane] = low_along, low_aside
        work[_DRIFT + 2 * LANES + lane], work[_DRIFT + 3 * LANES + lane] = high_along, high_aside
        work[_BEGAN + lane] = began


@kernel(types.void(types.int64, types.int16[:, ::1], _octets, DETECTING))
def _hear(count: int, pcm: Pcm, digit: Bytes, it: Detecting) -> None:
    """The first `count` of the chosen rows. The lanes beyond them do what the last does, and write the same."""
    rows, work = it.chosen, it.work
    for lane in range(count, LANES):
        rows[lane] = rows[count - 1]
    lay(rows, it.kept, it.before, work)
    lay_pcm(rows, pcm, it.sound_places, work)
    _fold(work)
    _correlate(it)
    _look(work, it.turns)
    _compare(work)
    _judge(work)
    _count(work)
    gather(rows, it.kept, it.after, work)
    for lane in range(count):
        began = int(work[_BEGAN + lane])
        if began:
            digit[rows[lane]] = it.names[began - 1]


@kernel(types.void(types.int32[::1], types.int16[:, ::1], _octets, DETECTING))
def detect(rows: Rows, pcm8k: Pcm, digit: Bytes, it: Detecting) -> None:
    """The kernel behind `DtmfDetector.process`, unchecked."""
    kept, count = it.kept, 0
    for row in rows:
        digit[row] = 0
        before = kept[row, _KEPT_ENERGY] + kept[row, _KEPT_ENERGY + 1]
        if max(before, _energy(pcm8k, row)) < f32(_QUIETEST / _BLOCKS):
            _rest(row, kept)  # the usual tick: nobody presses a key in silence
            continue
        it.chosen[count] = row
        count += 1
        if count == LANES:
            _hear(count, pcm8k, digit, it)
            count = 0
    if count:
        _hear(count, pcm8k, digit, it)


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

"""Comfort noise: what is heard while the far end, or we, send nothing because nobody speaks (RFC 3389).

A payload of type CN is a level and, if the sender likes, the shape of the noise as reflection coefficients. Each row
has a generator of its own, so the same packets give the same noise. Level and shape go over into new ones within a
tenth of a second. Where a sender is silent without a word, a row may be lent the background that was last heard of it,
bounded: a line that is dead sounds as if the call were gone.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import (
    NARROW_TICK,
    Bytes,
    Cast,
    Floats,
    Pcm,
    Rows,
    check_rows,
    check_shape,
    f32,
    i16,
    kernel,
    record,
    u8,
)

LOUDEST_DBFS = -30.0  # that a payload may ask for: noise as loud as speech is a mistake, and hurts
LOUDEST_GUESS_DBFS = -50.0  # of a background that no payload told,
SOFTEST_GUESS_DBFS = -75.0  # between a bad line and what is heard at all
ORDER = 12  # coefficients that are used, of as many as come

_RESERVED = 255
_WIDEST = 0.98  # a coefficient of one would ring for ever,
_LEAST = 0.001  # and of less than this is none
_STEP = 0.2  # of the way to a new level or shape, a tick
_BACKGROUND = 0.3  # probability of speech up to which a tick is background
_LEARN = 0.1  # of the way to the level of a tick of background
_UNKNOWN = 1.0  # as a level: louder than full scale

_Seeds = npt.NDArray[np.uint32]
_u32: Cast = np.uint32


class Noising(NamedTuple):
    """The noise of every row."""

    told_dbfs: Floats  # [capacity], the level of the last payload, or unknown,
    told: Floats  # [capacity, 12], and its coefficients
    heard_dbfs: Floats  # [capacity], the background of the ticks that came, or unknown
    amplitude: Floats  # [capacity], RMS at the end of the last tick, below 0 before the first
    shape: Floats  # [capacity, 12], the coefficients as they are now
    past: Floats  # [capacity, 12], the last samples
    seeds: _Seeds  # [capacity]
    taps: Floats  # [12], the filter of the row at hand,
    turned: Floats  # [12], what is needed to make it,
    signal: Floats  # [12 + 160], and its samples


_values, _matrix = types.float32[::1], types.float32[:, ::1]
NOISING = record(
    [_values, _matrix, _values, _values, _matrix, _matrix, types.uint32[::1], _values, _values, _values], Noising
)


def noising(capacity: int) -> Noising:
    """Every row with nothing told and nothing heard."""
    it = Noising(
        told_dbfs=np.zeros(capacity, np.float32),
        told=np.zeros((capacity, ORDER), np.float32),
        heard_dbfs=np.zeros(capacity, np.float32),
        amplitude=np.zeros(capacity, np.float32),
        shape=np.zeros((capacity, ORDER), np.float32),
        past=np.zeros((capacity, ORDER), np.float32),
        seeds=np.zeros(capacity, np.uint32),
        taps=np.zeros(ORDER, np.float32),
        turned=np.zeros(ORDER, np.float32),
        signal=np.zeros(ORDER + NARROW_TICK, np.float32),
    )
    for row in range(capacity):
        forget(it, row)
    return it


@kernel(types.void(NOISING, types.int64))
def forget(it: Noising, row: int) -> None:
    """Another call begins in `row`, with the noise that every call has in this row."""
    it.told_dbfs[row] = f32(_UNKNOWN)
    it.told[row] = 0
    it.heard_dbfs[row] = f32(_UNKNOWN)
    it.amplitude[row] = f32(-1)
    it.shape[row] = 0
    it.past[row] = 0
    it.seeds[row] = _u32(_u32(row + 1) * _u32(2_654_435_769)) | _u32(1)


@kernel(types.boolean(types.int64, types.uint8[::1], NOISING))
def take(row: int, payload: Bytes, it: Noising) -> bool:
    """The kernel behind `ComfortNoise.take`, unchecked: False, and nothing taken, where the payload is empty."""
    if payload.size == 0:
        return False
    it.told_dbfs[row] = min(-f32(payload[0] & 0x7F), f32(LOUDEST_DBFS))
    for k in range(ORDER):
        octet = payload[1 + k] if 1 + k < payload.size else u8(127)
        coefficient = f32(0) if octet == _RESERVED else f32(octet) * f32(258 / 32_768) - f32(127 * 258 / 32_768)
        it.told[row, k] = min(max(coefficient, f32(-_WIDEST)), f32(_WIDEST))
    return True


@kernel("u1(f4)")
def level_octet(rms_dbfs: float) -> int:
    """The one octet of a CN payload that tells of a background at this level: 0..127 decibels below full scale."""
    octet: int = u8(min(max(np.rint(-rms_dbfs), f32(0)), f32(127)))
    return octet


@kernel(types.void(types.int32[::1], _values, _values, NOISING))
def listen(rows: Rows, rms_dbfs: Floats, probability: Floats, it: Noising) -> None:
    """The kernel behind `ComfortNoise.listen`, unchecked; the background is in `it.heard_dbfs`."""
    for row in rows:
        if probability[row] > f32(_BACKGROUND):
            continue
        if it.heard_dbfs[row] == f32(_UNKNOWN):
            it.heard_dbfs[row] = rms_dbfs[row]
        it.heard_dbfs[row] += (rms_dbfs[row] - it.heard_dbfs[row]) * f32(_LEARN)


@kernel(types.float32(types.int64, types.boolean, NOISING))
def _wanted(row: int, guess: bool, it: Noising) -> float:
    """The RMS that a row's noise is to have."""
    level_dbfs = it.told_dbfs[row]
    if level_dbfs == f32(_UNKNOWN):
        if not guess:
            return f32(0)  # type: ignore[no-any-return]  # a cast of numba's
        level_dbfs = f32(SOFTEST_GUESS_DBFS)
        if it.heard_dbfs[row] != f32(_UNKNOWN):
            level_dbfs = min(max(it.heard_dbfs[row], level_dbfs), f32(LOUDEST_GUESS_DBFS))
    wanted: float = f32(32_768) * f32(10) ** (level_dbfs * f32(1 / 20))
    return wanted


@kernel(types.float32(types.int64, NOISING))
def _model(row: int, it: Noising) -> float:
    """The taps of a row's all-pole filter from its coefficients (step-up recursion), and the RMS of white noise that
    comes out of it at an RMS of 1."""
    taps, turned = it.taps, it.turned
    left = f32(1)
    for m in range(ORDER):
        it.shape[row, m] += (it.told[row, m] - it.shape[row, m]) * f32(_STEP)
        k = it.shape[row, m]
        if abs(k) < f32(_LEAST):
            k = f32(0)
        for i in range(m):
            turned[i] = taps[i] + k * taps[m - 1 - i]
        for i in range(m):
            taps[i] = turned[i]
        taps[m] = k
        left *= f32(1) - k * k
    white: float = np.sqrt(left)
    return white


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.boolean, NOISING))
def generate(rows: Rows, pcm8k: Pcm, guess: bool, it: Noising) -> None:
    """The kernel behind `ComfortNoise.process`, unchecked."""
    taps, signal = it.taps, it.signal
    for row in rows:
        amplitude, wanted = it.amplitude[row], _wanted(row, guess, it)
        if amplitude < f32(0):
            amplitude = wanted
        slope = (wanted - amplitude) * f32(_STEP / NARROW_TICK)
        it.amplitude[row] = amplitude + slope * f32(NARROW_TICK)
        white = _model(row, it) * f32(np.sqrt(3) / 2**31)  # evenly spread, so its RMS is a root of three below its peak
        order = ORDER
        while order > 0 and taps[order - 1] == f32(0):
            order -= 1
        seed = it.seeds[row]
        for i in range(ORDER):
            signal[i] = it.past[row, i]
        for n in range(ORDER, ORDER + NARROW_TICK):
            seed ^= _u32(seed << _u32(13))  # Marsaglia, "Xorshift RNGs", 2003
            seed ^= _u32(seed >> _u32(17))
            seed ^= _u32(seed << _u32(5))
            sample = f32(np.int32(seed)) * white
            for i in range(order):
                sample -= taps[i] * signal[n - 1 - i]
            signal[n] = sample
        it.seeds[row] = seed
        for i in range(ORDER):
            it.past[row, i] = signal[NARROW_TICK + i]
        for i in range(NARROW_TICK):
            sample = np.rint(signal[ORDER + i] * (amplitude + slope * f32(i)))
            pcm8k[row, i] = i16(min(max(sample, f32(-32_768)), f32(32_767)))


class ComfortNoise:
    """Noise for `capacity` rows. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = noising(capacity)

    def take(self, row: int, payload: bytes) -> bool:
        """Go over to what a CN `payload` says (RFC 3389 section 3); what follows the twelfth coefficient is left out.
        False, and nothing is changed, where it is empty."""
        self._check_row(row)
        return bool(take(row, np.frombuffer(bytearray(payload), np.uint8), self._it))

    def listen(self, rows: Rows, rms_dbfs: Floats, probability: Floats) -> None:
        """Learn the background from one tick that came: its level `rms_dbfs` f32[C] (`dsp.levels`), where the
        `probability` f32[C] that somebody speaks is low."""
        check_rows(rows, self._capacity)
        check_shape("rms_dbfs", rms_dbfs, (self._capacity,))
        check_shape("probability", probability, (self._capacity,))
        listen(rows, rms_dbfs, probability, self._it)

    def process(self, rows: Rows, pcm8k: Pcm, *, guess: bool = True) -> None:
        """Fill one tick of `pcm8k` i16[C, 160]. A row to which nothing was told gets the background that was heard of
        it, or with `guess` off silence."""
        check_rows(rows, self._capacity)
        check_shape("pcm8k", pcm8k, (self._capacity, NARROW_TICK))
        generate(rows, pcm8k, guess, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        self._check_row(row)
        forget(self._it, row)

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self._capacity:
            raise ValueError(f"row must be 0..{self._capacity - 1}, got {row}")

"""Rate conversion of all rows of a tick by polyphase FIR filters (Crochiere, Rabiner: Multirate Digital Signal
Processing).

To change a rate by up / down is to put up - 1 zeros behind every sample, to filter, and to keep one sample in `down`.
Neither the zeros nor what is thrown away is computed: the samples that come out fall into `up` phases and those that go
in into `down`, and from a phase in to a phase out leads a plain filter. Zeros at a filter's ends are not computed
either, so that the half of a half-band filter that is a plain delay costs next to nothing.

The filter is a sinc under a Kaiser window that reaches 3 ms to either side: of linear phase, late by `delay` and by
nothing else. It is flat within 0.1 dB to 350 Hz below half the lower rate, and 85 dB down from 500 Hz above it: between
8 and 16 kHz the images and aliases of the telephone band (to 3.4 kHz) vanish.
"""

from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import Floats, Pcm, Rows, check_rows, check_shape, f32, i16, i32, index, kernel, record

KAISER_BETA = 8.8  # side lobes 88 dB down
RATES_HZ = (8_000, 16_000, 24_000, 48_000)
_TICKS = 50  # a second
_REACH_MS = 3  # of the filter to either side
_PASS = 8  # taps computed in one go


def low_pass(taps: int, cutoff: float) -> npt.NDArray[np.float64]:
    """Windowed sinc of `taps` taps with gain 1 at 0 Hz; `cutoff` (-6 dB) in parts of the sample rate."""
    time = np.arange(taps) - (taps - 1) / 2
    response = np.sinc(2 * cutoff * time) * np.kaiser(taps, KAISER_BETA)
    return np.asarray(response / response.sum())


def _nyquist(taps: int, parts: int) -> npt.NDArray[np.float64]:
    """A low pass at half of one of `parts` of the rate: but for the middle every tap there is a multiple away is zero.

    Each tap in `parts` adds up to the same, so that a sample that needs nothing but the middle tap stays as it is.
    """
    response = low_pass(taps, 0.5 / parts)
    response[taps // 2 % parts :: parts] = 0
    response[taps // 2] = 1
    for part in range(parts):
        response[part::parts] /= response[part::parts].sum() * parts
    return response


def delay(to_hz: int) -> int:
    """How many samples at `to_hz` what is converted to it is late."""
    return to_hz * _REACH_MS // 1_000 - 1


class Converting(NamedTuple):
    """What the conversion between two rates needs: each row's past, the filters, and room to work in."""

    past: Pcm  # [C, kept]: the last samples in
    taps: Floats  # of all filters, one after the other
    filters: Rows  # [filters, 5]: phase out, phase in, where in it the filter begins, first tap, last tap + 1
    taken: Floats  # [down, (kept + samples in) / down]: the phases of past and tick
    made: Floats  # [up, samples out / up]


CONVERTING = record(
    [types.int16[:, ::1], types.float32[::1], types.int32[:, ::1], types.float32[:, ::1], types.float32[:, ::1]],
    Converting,
)


def converting(capacity: int, from_hz: int, to_hz: int) -> Converting:
    """For `capacity` rows from one of `RATES_HZ` to another; ValueError for others."""
    if from_hz == to_hz or not {from_hz, to_hz} <= set(RATES_HZ):
        raise ValueError(f"rates must be two of {RATES_HZ}, got {from_hz} and {to_hz}")
    up, down = to_hz // gcd(from_hz, to_hz), from_hz // gcd(from_hz, to_hz)
    response = _nyquist(2 * (up * from_hz * _REACH_MS // 1_000) - 1, max(up, down)) * up
    before = -(-response.size // (up * down)) + _PASS  # samples of each phase in that are older than the tick
    taps: list[float] = []
    filters = []
    for phase_out, phase_in in np.ndindex(up, down):
        tap = (phase_out + 1) * down - 1 - up * (phase_in + down * (np.arange(before + 1) - before))
        inside = (tap >= 0) & (tap < response.size)
        part = np.where(inside, response[tap * inside], 0)
        used = np.flatnonzero(part)
        if used.size:
            end = used[-1] + 1
            count = -(-(end - used[0]) // _PASS) * _PASS
            filters.append((phase_out, phase_in, end - count, len(taps), len(taps) + count))
            taps += part[end - count : end].tolist()
    return Converting(
        past=np.zeros((capacity, before * down), np.int16),
        taps=np.array(taps, np.float32),
        filters=np.array(filters, np.int32),
        taken=np.zeros((down, before + from_hz // _TICKS // down), np.float32),
        made=np.zeros((up, to_hz // _TICKS // up), np.float32),
    )


@kernel("void(i2[:, ::1], i8, f4[:, ::1], i8)")
def _deal(x: Pcm, row: int, taken: Floats, place: int) -> None:
    """Deal a row's samples out to the phases, from `place` on; loops whose step is known become SIMD."""
    down, begin = taken.shape[0], index(place)
    count = x.shape[1] // down
    if down == 1:
        for i in range(count):
            taken[0, begin + index(i)] = f32(x[row, i])
    elif down == 2:
        for i in range(count):
            at = index(i)
            taken[0, begin + at] = f32(x[row, index(2) * at])
            taken[1, begin + at] = f32(x[row, index(2) * at + index(1)])
    else:
        for phase in range(down):
            for i in range(count):
                at = index(i)
                taken[phase, begin + at] = f32(x[row, index(down) * at + index(phase)])


@kernel(types.void(CONVERTING, types.int64))
def _add_filtered(it: Converting, which: int) -> None:
    """made[i] += sum over k of taps[first + k] * taken[place + i + k], eight taps a pass: LLVM makes that SIMD."""
    taken, taps, made = it.taken, it.taps, it.made
    phase_out, phase_in = index(it.filters[which, 0]), index(it.filters[which, 1])
    place, first, end = it.filters[which, 2], it.filters[which, 3], it.filters[which, 4]
    for k in range(first, end, _PASS):
        tap0, tap1, tap2, tap3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        tap4, tap5, tap6, tap7 = taps[k + 4], taps[k + 5], taps[k + 6], taps[k + 7]
        begin = index(place + k - first)
        for i in range(made.shape[1]):
            at = begin + index(i)
            low = tap0 * taken[phase_in, at] + tap1 * taken[phase_in, at + index(1)]
            low += tap2 * taken[phase_in, at + index(2)] + tap3 * taken[phase_in, at + index(3)]
            high = tap4 * taken[phase_in, at + index(4)] + tap5 * taken[phase_in, at + index(5)]
            high += tap6 * taken[phase_in, at + index(6)] + tap7 * taken[phase_in, at + index(7)]
            made[phase_out, index(i)] += low + high


@kernel("i2(f4)")
def _rounded(value: float) -> int:
    sample: int = i16(i32(np.rint(min(max(value, f32(-32768)), f32(32767)))))
    return sample


@kernel("void(f4[:, ::1], i2[:, ::1], i8)")
def _weave(made: Floats, out: Pcm, row: int) -> None:
    """The phases' samples in turn to a row."""
    up, count = made.shape
    if up == 1:
        for i in range(count):
            out[row, i] = _rounded(made[0, i])
    elif up == 2:
        for i in range(count):
            at = index(2) * index(i)
            out[row, at] = _rounded(made[0, i])
            out[row, at + index(1)] = _rounded(made[1, i])
    else:
        for phase in range(up):
            for i in range(count):
                out[row, index(up) * index(i) + index(phase)] = _rounded(made[phase, i])


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.int16[:, ::1], CONVERTING))
def convert(rows: Rows, x: Pcm, out: Pcm, it: Converting) -> None:
    """One tick of `x` i16[C, samples at the one rate] to `out` i16[C, samples at the other]."""
    kept = it.past.shape[1]
    newer = index(x.shape[1] - kept)
    for row in rows:
        _deal(it.past, row, it.taken, 0)
        _deal(x, row, it.taken, kept // it.taken.shape[0])  # what is kept is a whole number of each phase's
        it.made[:] = f32(0)
        for i in range(it.filters.shape[0]):
            _add_filtered(it, i)
        _weave(it.made, out, row)
        for i in range(kept):
            it.past[row, i] = x[row, newer + index(i)]


@kernel(types.void(CONVERTING, types.int64))
def forget(it: Converting, row: int) -> None:
    """Another call begins in `row`."""
    it.past[row] = i16(0)


class Converter:
    """`convert` for `capacity` legs from one of `RATES_HZ` to another. One object serves one thread."""

    def __init__(self, capacity: int, from_hz: int, to_hz: int) -> None:
        self._it = converting(capacity, from_hz, to_hz)
        self._shape_in, self._shape_out = (capacity, from_hz // _TICKS), (capacity, to_hz // _TICKS)
        self.delay = delay(to_hz)

    def process(self, rows: Rows, x: Pcm, out: Pcm) -> None:
        """One tick: `x` i16[C, from_hz / 50] to `out` i16[C, to_hz / 50], which is late by `delay` of its samples."""
        check_rows(rows, self._shape_in[0])
        check_shape("x", x, self._shape_in)
        check_shape("out", out, self._shape_out)
        convert(rows, x, out, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)

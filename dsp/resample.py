"""Sample rate conversion by polyphase FIR filters (Crochiere, Rabiner: Multirate Digital Signal Processing).

Three forms of one idea, a sinc under a Kaiser window:

- `Upsampler` and `Downsampler` take every leg between 8 and 16 kHz in one call a tick. They are causal: what
  comes out is late by `DELAY_SAMPLES` and by nothing else. Half of the half-band filter's taps are zero and
  are never computed. Flat within 0.1 dB to 3.5 kHz and 60 dB down from 4.6 kHz, so the images and aliases of
  the telephone band (to 3.4 kHz) vanish; between the two it is not for hi-fi.
- `StreamResampler` takes one stream between any two rates in blocks of any length (a synthesised voice at
  24 kHz, a browser at 48 kHz). It gives back every sample in its place in time, so the last few milliseconds
  of a block come with the next one, or with `flush`. Flat to 0.84 of the lower rate's half, 70 dB down beyond.
- `resample` does that for a whole array.
"""

from functools import cache
from math import gcd
from typing import Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

from dsp.kernel import NARROW_TICK, WIDE_TICK, Floats, Pcm, Rows, check_rows, check_shape, f32, i32, kernel

_BRANCH_TAPS = 48  # of the half-band filter's branch that is not a plain delay; a multiple of 4
_STREAM_TAPS = 64  # of a stream's filter, counted in samples of the lower of the two rates
_KAISER_BETA = 7.9  # side lobes 80 dB down ...
_TRANSITION = 0.078  # ... for a transition this wide, in parts of the lower rate, with _STREAM_TAPS

Sample = TypeVar("Sample", np.int16, np.float32)


def _low_pass(taps: int, cutoff: float) -> npt.NDArray[np.float64]:
    """Windowed sinc of `taps` taps with gain 1 at 0 Hz; `cutoff` (-6 dB) in parts of the sample rate."""
    time = np.arange(taps) - (taps - 1) / 2
    response = np.sinc(2 * cutoff * time) * np.kaiser(taps, _KAISER_BETA)
    return np.asarray(response / response.sum())


def _half_band_branch() -> Floats:
    """Every second tap of the half-band filter; the others are zero but the middle one, a plain delay."""
    branch = _low_pass(2 * _BRANCH_TAPS - 1, 0.25)[0::2]
    return np.ascontiguousarray(branch / branch.sum(), np.float32)


@kernel("void(f4[::1], f4[::1], f4[::1])")
def _filter(signal: Floats, taps: Floats, out: Floats) -> None:
    """out[i] = sum over k of taps[k] * signal[i + k]; by slices, four taps a pass: LLVM makes that SIMD."""
    count = out.size
    out[:] = f32(0)
    for k in range(0, taps.size, 4):
        tap0, tap1, tap2, tap3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        signal0, signal1 = signal[k : k + count], signal[k + 1 : k + 1 + count]
        signal2, signal3 = signal[k + 2 : k + 2 + count], signal[k + 3 : k + 3 + count]
        for i in range(count):
            out[i] += tap0 * signal0[i] + tap1 * signal1[i] + tap2 * signal2[i] + tap3 * signal3[i]


@kernel("void(i4[::1], i2[:, ::1], f4[::1], f4[:, ::1], f4[::1], f4[::1], i2[:, ::1])")
def _upsample(rows: Rows, x: Pcm, branch: Floats, past: Floats, signal: Floats, between: Floats, out: Pcm) -> None:
    kept = branch.size - 1
    middle = signal[branch.size // 2 :]
    for row in rows:
        tick, result = x[row], out[row]
        signal[:kept] = past[row]
        for i in range(tick.size):
            signal[kept + i] = f32(tick[i])
        _filter(signal, branch, between)
        for i in range(tick.size):
            value = min(max(np.rint(between[i]), f32(-32768)), f32(32767))
            result[2 * i] = np.int16(i32(value))
            result[2 * i + 1] = np.int16(i32(middle[i]))
        past[row, :] = signal[tick.size :]


@kernel("void(i4[::1], i2[:, ::1], f4[::1], f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1], i2[:, ::1])")
def _downsample(
    rows: Rows,
    x: Pcm,
    branch: Floats,
    past_even: Floats,
    past_odd: Floats,
    even: Floats,
    odd: Floats,
    filtered: Floats,
    out: Pcm,
) -> None:
    kept, delay = past_odd.shape[1], past_even.shape[1]
    count = filtered.size
    for row in rows:
        tick, result = x[row], out[row]
        even[:delay] = past_even[row]
        odd[:kept] = past_odd[row]
        for i in range(count):
            even[delay + i] = f32(tick[2 * i])
            odd[kept + i] = f32(tick[2 * i + 1])
        _filter(odd, branch, filtered)
        for i in range(count):
            value = np.rint(f32(0.5) * (filtered[i] + even[i]))
            result[i] = np.int16(i32(min(max(value, f32(-32768)), f32(32767))))
        past_even[row, :] = even[count:]
        past_odd[row, :] = odd[count:]


@kernel("void(f4[::1], f4[:, ::1], i8, i8, f4[::1])")
def _polyphase(signal: Floats, branches: Floats, position: int, step: int, out: Floats) -> None:
    """Filter at positions counted in 1/len(branches) of an input sample, `step` apart."""
    count, taps = branches.shape
    start, phase = divmod(position, count)
    for i in range(out.size):
        total = f32(0)
        for k in range(taps):
            total += (
                branches[phase, k] * signal[np.uintp(start) + np.uintp(k)]
            )  # unsigned: it may not count from the end
        out[i] = total
        phase += step
        while phase >= count:
            phase -= count
            start += 1


class Upsampler:
    """8 to 16 kHz for `capacity` legs. One object serves one thread."""

    DELAY_SAMPLES = _BRANCH_TAPS - 1  # at 16 kHz: 2.9 ms

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._branch = _half_band_branch()
        self._past = np.zeros((capacity, _BRANCH_TAPS - 1), np.float32)
        self._signal = np.zeros(_BRANCH_TAPS - 1 + NARROW_TICK, np.float32)
        self._between = np.zeros(NARROW_TICK, np.float32)

    def process(self, rows: Rows, x: Pcm, out: Pcm) -> None:
        """One tick: `x` i16[C, 160] at 8 kHz to `out` i16[C, 320] at 16 kHz."""
        check_rows(rows, self._capacity)
        check_shape("x", x, (self._capacity, NARROW_TICK))
        check_shape("out", out, (self._capacity, WIDE_TICK))
        _upsample(rows, x, self._branch, self._past, self._signal, self._between, out)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        self._past[row] = 0


class Downsampler:
    """16 to 8 kHz for `capacity` legs. One object serves one thread."""

    DELAY_SAMPLES = _BRANCH_TAPS - 2  # at 16 kHz: 2.9 ms

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._branch = _half_band_branch()
        self._past_even = np.zeros((capacity, _BRANCH_TAPS // 2 - 1), np.float32)
        self._past_odd = np.zeros((capacity, _BRANCH_TAPS - 1), np.float32)
        self._even = np.zeros(_BRANCH_TAPS // 2 - 1 + NARROW_TICK, np.float32)
        self._odd = np.zeros(_BRANCH_TAPS - 1 + NARROW_TICK, np.float32)
        self._filtered = np.zeros(NARROW_TICK, np.float32)

    def process(self, rows: Rows, x: Pcm, out: Pcm) -> None:
        """One tick: `x` i16[C, 320] at 16 kHz to `out` i16[C, 160] at 8 kHz."""
        check_rows(rows, self._capacity)
        check_shape("x", x, (self._capacity, WIDE_TICK))
        check_shape("out", out, (self._capacity, NARROW_TICK))
        past_even, past_odd = self._past_even, self._past_odd
        _downsample(rows, x, self._branch, past_even, past_odd, self._even, self._odd, self._filtered, out)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        self._past_even[row] = 0
        self._past_odd[row] = 0


@cache
def _branches(up: int, down: int) -> tuple[Floats, int]:
    """The filter for a rate change of up / down, one row a phase, and its delay in 1/up input samples."""
    if up == down:
        return np.ones((1, 1), np.float32), 0
    taps = -(-_STREAM_TAPS * max(up, down) // up // 4) * 4
    cutoff = (0.5 - _TRANSITION / 2) / max(up, down)
    response = np.append(_low_pass(up * taps - 1, cutoff), 0.0) * up
    return np.ascontiguousarray(response.reshape(taps, up).T[:, ::-1], np.float32), up * taps // 2 - 1


class StreamResampler(Generic[Sample]):
    """One stream from `from_hz` to `to_hz`: float32 (the default) or int16 blocks of any length.

    n samples in come out as ceil(n * to_hz / from_hz) in all once `flush` was called, none late.
    """

    @overload
    def __init__(self: "StreamResampler[np.float32]", from_hz: int, to_hz: int) -> None: ...

    @overload
    def __init__(self, from_hz: int, to_hz: int, dtype: type[Sample]) -> None: ...

    def __init__(self, from_hz: int, to_hz: int, dtype: type[np.generic] = np.float32) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"rates must be positive, got {from_hz} and {to_hz}")
        common = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        self._branches, self._delay = _branches(self._up, self._down)
        self._dtype = np.dtype(dtype)
        self._restart()

    def push(self, block: npt.NDArray[Sample]) -> npt.NDArray[Sample]:
        """Take the next block (1-D) and return what is complete, perhaps nothing."""
        if block.dtype != self._dtype or block.ndim != 1:
            raise TypeError(f"block must be a {self._dtype} vector, got {block.dtype} {block.shape}")
        self._taken += block.size
        return self._typed(self._convert(block))

    def flush(self) -> npt.NDArray[Sample]:
        """End the stream and return its rest; the next `push` begins another."""
        missing = -(-self._taken * self._up // self._down) - self._given
        rest = self._convert(np.zeros(self._branches.shape[1], np.float32))[:missing]
        self._restart()
        return self._typed(rest)

    def _restart(self) -> None:
        self._signal = np.zeros(self._branches.shape[1] - 1, np.float32)
        self._position = self._delay
        self._taken = 0
        self._given = 0

    def _convert(self, block: npt.NDArray[Sample] | Floats) -> Floats:
        signal = np.concatenate([self._signal, block], dtype=np.float32)
        last_start = signal.size - self._branches.shape[1]
        count = max(0, ((last_start + 1) * self._up - 1 - self._position) // self._down + 1)
        out = np.empty(count, np.float32)
        _polyphase(signal, self._branches, self._position, self._down, out)
        self._given += count
        used, self._position = divmod(self._position + count * self._down, self._up)
        self._signal = signal[used:]  # never more than there is: a filter is longer than a step
        return out

    def _typed(self, block: Floats) -> npt.NDArray[Sample]:
        if self._dtype == np.int16:
            block = np.clip(np.rint(block), -32768, 32767)
        return block.astype(self._dtype, copy=False)


def resample(x: npt.NDArray[Sample], from_hz: int, to_hz: int) -> npt.NDArray[Sample]:
    """Resample a whole int16 or float32 vector; n samples become ceil(n * to_hz / from_hz), none late."""
    stream = StreamResampler(from_hz, to_hz, x.dtype.type)
    return np.concatenate([stream.push(x), stream.flush()])

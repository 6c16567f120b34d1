"""Resampling: of ticks between 8 and 16 kHz, of streams, and of whole arrays.

- `Upsampler` and `Downsampler` take every leg between 8 and 16 kHz in one call a tick (`dsp.polyphase`). They are
  causal: what comes out is late by `DELAY_SAMPLES`.
- `StreamResampler` takes one stream between any two rates in blocks of any length (a synthesised voice at
  24 kHz, a browser at 48 kHz). It gives back every sample in its place in time, so the last few milliseconds
  of a block come with the next one, or with `flush`. Linear phase, flat within 0.1 dB to 0.84 of the lower rate's half,
  85 dB down beyond that half.
- `resample` does that for a whole array.
"""

from functools import cache
from math import gcd
from typing import Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

from dsp.kernel import NARROW_HZ, WIDE_HZ, Floats, f32, index, kernel
from dsp.polyphase import Converter, delay, low_pass

_STREAM_TAPS = 64  # of a stream's filter, counted in samples of the lower of the two rates
_TRANSITION = 0.088  # how wide, in parts of the lower rate, `low_pass` is from -0.1 to -85 dB with so many

Sample = TypeVar("Sample", np.int16, np.float32)


@kernel("void(f4[::1], f4[:, ::1], i8, i8, f4[::1])")
def _polyphase(signal: Floats, branches: Floats, position: int, step: int, out: Floats) -> None:
    """Filter at positions counted in 1/len(branches) of an input sample, `step` apart."""
    count, taps = branches.shape
    start, phase = divmod(position, count)
    for i in range(out.size):
        total = f32(0)
        for k in range(taps):
            total += branches[phase, k] * signal[index(start) + index(k)]
        out[i] = total
        phase += step
        while phase >= count:
            phase -= count
            start += 1


class Upsampler(Converter):
    """8 to 16 kHz for `capacity` legs. One object serves one thread."""

    DELAY_SAMPLES = delay(WIDE_HZ)  # at 16 kHz: 2.9 ms

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, NARROW_HZ, WIDE_HZ)


class Downsampler(Converter):
    """16 to 8 kHz for `capacity` legs. One object serves one thread."""

    DELAY_SAMPLES = 2 * delay(NARROW_HZ)  # at 16 kHz: 2.9 ms

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, WIDE_HZ, NARROW_HZ)


@cache
def _branches(up: int, down: int) -> tuple[Floats, int]:
    """The filter for a rate change of up / down, one row a phase, and its delay in 1/up input samples."""
    if up == down:
        return np.ones((1, 1), np.float32), 0
    taps = -(-_STREAM_TAPS * max(up, down) // up // 4) * 4
    cutoff = (0.5 - _TRANSITION / 2) / max(up, down)
    response = np.append(low_pass(up * taps - 1, cutoff), 0.0) * up
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

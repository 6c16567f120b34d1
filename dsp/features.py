"""Log-mel features as Kaldi makes them ("fbank"), which many recognisers hear, for all rows of a tick.

Every 10 ms the last 25 ms: mean taken off, pre-emphasis 0.97, Povey's window, power spectrum of 512 points, 80
triangles that are even in mel from 20 to 8,000 Hz, natural logarithm. Samples are taken as -1..1, and no dither is
added. A tick of 20 ms gives two frames, and a row begins with 15 ms of silence, so that its first tick does: the frames
are those that Kaldi makes of 240 zeros and then the row's samples.

The rows lie side by side, one a lane, so that each step is SIMD whatever it does along a row. A row's two frames are
the real and the imaginary part of one Fourier transform, whose even and odd part they are afterwards.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import (
    WIDE_HZ,
    WIDE_TICK,
    Floats,
    Pcm,
    Rows,
    check_rows,
    check_shape,
    f32,
    i16,
    i32,
    index,
    kernel,
    record,
)

BINS = 80
FRAMES = 2  # a tick
_FRAME = 400  # samples
_HOP = 160
_SPAN = _FRAME + _HOP  # samples that a tick's frames see
_KEPT = _SPAN - WIDE_TICK  # of them from before the tick
_POINTS = 512  # of the Fourier transform
_LANES = 16
_SIZE = _POINTS * _LANES  # of a real part; the imaginary one stands behind it
_PAIR = FRAMES * _LANES
_LOWEST_HZ = 20
_EMPHASIS = 0.97
_FLOOR = float(np.finfo(np.float32).eps)


class Analysing(NamedTuple):
    """Each row's past, the tables, and a tile of rows at work, flat, with `_LANES` values of everything."""

    past: Pcm  # [C, 240]
    window: Floats  # [399], from its second point on
    turns: Floats  # [2, 512]: cosine and sine of each part of a turn, clockwise
    places: Rows  # [256]: the triangle that falls at each frequency; the next one rises there
    weights: Floats  # [2, 256]: of the one that falls and the one that rises
    samples: Pcm  # [560]: of past and tick
    shuffled: Pcm  # the same half-way to lying side by side
    mean: Floats  # [2, lanes]: of the frames
    first: Floats  # [2, 512]: real and imaginary parts before a step of the transform or after it ...
    second: Floats  # ... and the other way round
    power: Floats  # [256, 2]
    mel: Floats  # [82, 2]: a triangle more at either end, for frequencies outside


_vector, _matrix, _pcm = types.float32[::1], types.float32[:, ::1], types.int16[::1]
ANALYSING = record(
    [types.int16[:, ::1], _vector, _matrix, types.int32[::1], _matrix, _pcm, _pcm, _matrix] + [_vector] * 4,
    Analysing,
)


def _mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1_127 * np.log1p(hz / 700))


def analysing(capacity: int) -> Analysing:
    """For `capacity` rows."""
    hz = np.arange(_POINTS // 2) * WIDE_HZ / _POINTS
    lowest, highest = _mel(np.array([_LOWEST_HZ, WIDE_HZ / 2]))
    place = np.maximum((_mel(hz) - lowest) / (highest - lowest) * (BINS + 1), 0)  # 0 is where the first one begins
    falling = np.floor(place)
    rises = np.where(hz > _LOWEST_HZ, place - falling, 0)
    falls = np.where(hz > _LOWEST_HZ, 1 - rises, 0)
    radians = -2 * np.pi * np.arange(_POINTS) / _POINTS
    scale = 1 / 32_768**2 / 4  # of samples, and of the halves that the two frames are put together from
    return Analysing(
        past=np.zeros((capacity, _KEPT), np.int16),
        window=(np.hanning(_FRAME)[1:] ** 0.85).astype(np.float32),
        turns=np.stack([np.cos(radians), np.sin(radians)]).astype(np.float32),
        places=falling.astype(np.int32),
        weights=(scale * np.stack([falls, rises])).astype(np.float32),
        samples=np.zeros(_SPAN * _LANES, np.int16),
        shuffled=np.zeros(_SPAN * _LANES, np.int16),
        mean=np.zeros((FRAMES, _LANES), np.float32),
        first=np.zeros(2 * _SIZE, np.float32),
        second=np.zeros(2 * _SIZE, np.float32),
        power=np.zeros(_POINTS // 2 * _PAIR, np.float32),
        mel=np.zeros((BINS + 2) * _PAIR, np.float32),
    )


@kernel("void(i2[:, ::1], i8, i2[:, ::1], i8, i2[::1])")
def _lay(past: Pcm, row: int, tick: Pcm, lane: int, samples: Pcm) -> None:
    """A row's samples behind those of the lanes before."""
    begin = index(lane * _SPAN)
    for i in range(_KEPT):
        samples[begin + index(i)] = past[row, i]
    for i in range(WIDE_TICK):
        samples[begin + index(_KEPT) + index(i)] = tick[row, i]


@kernel("i8(i2[::1], i8)")
def _sum(samples: Pcm, begin: int) -> int:
    """Of a frame."""
    total: int = i32(0)
    for i in range(_FRAME):
        total += i32(samples[index(begin) + index(i)])
    return total


@kernel("void(i2[::1], i2[::1])")
def _shuffle(x: Pcm, y: Pcm) -> None:
    """A perfect shuffle: both halves of `x` in turn. Four of them turn 16 lanes, one after the other, side by side."""
    half = index(x.size // 2)
    for i in range(x.size // 2):
        y[index(2) * index(i)] = x[i]
        y[index(2) * index(i) + index(1)] = x[half + index(i)]


@kernel("f4(i2[::1], u8, f4, f4)")
def _windowed(samples: Pcm, at: int, mean: float, weight: float) -> float:
    sample = f32(samples[at]) - f32(_EMPHASIS) * f32(samples[index(at) - index(_LANES)])
    result: float = (sample - f32(1 - _EMPHASIS) * mean) * weight
    return result


@kernel("void(i2[::1], i8, f4[::1], f4[::1], f4[::1], i8)")
def _frame(samples: Pcm, start: int, mean: Floats, window: Floats, y: Floats, part: int) -> None:
    """A frame of each lane, less its mean, emphasised and windowed, as 256 transforms of two points.

    The frame is taken from its second point on, since the window's first is zero: power shows no shift in time.
    """
    half, both = _POINTS // 2, _FRAME - 1 - _POINTS // 2
    lanes, far = mean.size, index(half * _LANES)  # were the number of lanes known, LLVM would unroll instead of SIMD
    for i in range(both):
        for lane in range(lanes):
            at, to = index((start + 1 + i) * _LANES) + index(lane), index(part + i * _LANES) + index(lane)
            near_value = _windowed(samples, at, mean[lane], window[i])
            far_value = _windowed(samples, at + far, mean[lane], window[half + i])
            y[to], y[to + far] = near_value + far_value, near_value - far_value
    for i in range(both, half):
        for lane in range(lanes):
            at, to = index((start + 1 + i) * _LANES) + index(lane), index(part + i * _LANES) + index(lane)
            near_value = _windowed(samples, at, mean[lane], window[i])
            y[to], y[to + far] = near_value, near_value


@kernel("void(f4[::1], f4[::1], f4[:, ::1], i8)")
def _step_of_four(x: Floats, y: Floats, turns: Floats, points: int) -> None:
    """From transforms of points / 4 to transforms of `points`: Stockham's algorithm, decimated in time, so that what it
    writes stands at distances known when it is compiled, and LLVM need not check what it overwrites to make SIMD of it.
    """
    step = _POINTS // points
    width = index(step * _LANES)
    part, quarter = index(_SIZE), index(_SIZE // 4)
    for k in range(points // 4):
        turn = index(k * step)
        cos1, sin1 = turns[0, turn], turns[1, turn]
        cos2, sin2 = turns[0, index(2) * turn], turns[1, index(2) * turn]
        cos3, sin3 = turns[0, index(3) * turn], turns[1, index(3) * turn]
        for i in range(step * _LANES):
            at = index(4 * k) * width + index(i)
            real0, imag0 = x[at], x[at + part]
            real, imag = x[at + width], x[at + width + part]
            real1, imag1 = real * cos1 - imag * sin1, real * sin1 + imag * cos1
            real, imag = x[at + width + width], x[at + width + width + part]
            real2, imag2 = real * cos2 - imag * sin2, real * sin2 + imag * cos2
            real, imag = x[at + width + width + width], x[at + width + width + width + part]
            real3, imag3 = real * cos3 - imag * sin3, real * sin3 + imag * cos3
            to = index(k) * width + index(i)
            real_sum, imag_sum, real_step, imag_step = real0 + real2, imag0 + imag2, real0 - real2, imag0 - imag2
            real_odd, imag_odd, real_turn, imag_turn = real1 + real3, imag1 + imag3, imag1 - imag3, real3 - real1
            y[to], y[to + part] = real_sum + real_odd, imag_sum + imag_odd
            to += quarter
            y[to], y[to + part] = real_step + real_turn, imag_step + imag_turn
            to += quarter
            y[to], y[to + part] = real_sum - real_odd, imag_sum - imag_odd
            to += quarter
            y[to], y[to + part] = real_step - real_turn, imag_step - imag_turn


@kernel("void(f4[::1], i8, i8, i8, f4[::1], i8)")
def _power(x: Floats, begin: int, opposite: int, lanes: int, power: Floats, to: int) -> None:
    """Both frames' power at one frequency, times four, from their transform at that and at its negative.

    The loop is a kernel of its own because LLVM does not make SIMD of it inside another.
    """
    part = index(_SIZE)
    for lane in range(lanes):
        at, mirrored, out = index(begin) + index(lane), index(opposite) + index(lane), index(to) + index(lane)
        real, imag = x[at] + x[mirrored], x[at + part] - x[mirrored + part]
        next_real, next_imag = x[at + part] + x[mirrored + part], x[mirrored] - x[at]
        power[out] = real * real + imag * imag
        power[out + index(_LANES)] = next_real * next_real + next_imag * next_imag


@kernel("void(f4[::1], f4[::1])")
def _spectra(x: Floats, power: Floats) -> None:
    """The power of both frames at all frequencies but 0 Hz, which is in no triangle."""
    for k in range(1, _POINTS // 2):
        _power(x, k * _LANES, (_POINTS - k) * _LANES, _LANES, power, k * _PAIR)


@kernel("void(f4[::1], i4[::1], f4[:, ::1], f4[::1])")
def _triangles(power: Floats, places: Rows, weights: Floats, mel: Floats) -> None:
    """The weighted sums: each frequency lies in the triangle that falls there and in the next, which rises."""
    mel[:] = f32(0)
    for k in range(_POINTS // 2):
        falls, rises = weights[0, k], weights[1, k]
        begin = index(places[k] * _PAIR)
        for i in range(_PAIR):
            value = power[index(k * _PAIR) + index(i)]
            to = begin + index(i)
            mel[to] += falls * value
            mel[to + index(_PAIR)] += rises * value


@kernel("void(f4[::1])")
def _logarithms(x: Floats) -> None:
    """Natural, in place, with the Cephes polynomial, which becomes SIMD where a call to libm would not."""
    for i in range(x.size):
        bits = np.float32(max(x[i], f32(_FLOOR))).view(np.int32)
        exponent = i32(i32(bits >> i32(23)) - i32(126))
        fraction = np.int32(i32(i32(bits & i32(0x7FFFFF)) | i32(0x3F000000))).view(np.float32)
        small = fraction < f32(0.70710678)
        z = (fraction + fraction if small else fraction) - f32(1)
        power = f32(i32(exponent - i32(1)) if small else exponent)
        y = f32(7.0376836292e-2) * z - f32(1.1514610310e-1)
        y = y * z + f32(1.1676998740e-1)
        y = y * z - f32(1.2420140846e-1)
        y = y * z + f32(1.4249322787e-1)
        y = y * z - f32(1.6668057665e-1)
        y = y * z + f32(2.0000714765e-1)
        y = y * z - f32(2.4999993993e-1)
        y = y * z + f32(3.3333331174e-1)
        y = y * z * z * z - power * f32(2.12194440e-4) - f32(0.5) * z * z
        x[i] = z + y + power * f32(0.693359375)


@kernel("void(f4[::1], i8, f4[:, :, ::1], i8)")
def _give(mel: Floats, lane: int, out: Floats, row: int) -> None:
    """A lane's frames to their row."""
    for frame in range(FRAMES):
        for i in range(BINS):
            out[row, frame, i] = mel[index((i + 1) * _PAIR + frame * _LANES) + index(lane)]


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.float32[:, :, ::1], ANALYSING))
def log_mel(rows: Rows, pcm16k: Pcm, out: Floats, it: Analysing) -> None:
    """One tick of `pcm16k` i16[C, 320] to `out` f32[C, 2, 80], the earlier frame first."""
    for begin in range(0, rows.size, _LANES):
        count = min(_LANES, rows.size - begin)
        for lane in range(count):
            row = rows[begin + lane]
            _lay(it.past, row, pcm16k, lane, it.samples)
            for frame in range(FRAMES):
                total = _sum(it.samples, lane * _SPAN + frame * _HOP)
                it.mean[frame, lane] = f32(total) / f32(_FRAME)
            for i in range(_KEPT):
                it.past[row, i] = pcm16k[row, i + WIDE_TICK - _KEPT]
        _shuffle(it.samples, it.shuffled)
        _shuffle(it.shuffled, it.samples)
        _shuffle(it.samples, it.shuffled)
        _shuffle(it.shuffled, it.samples)
        for frame in range(FRAMES):
            _frame(it.samples, frame * _HOP, it.mean[frame], it.window, it.second, frame * _SIZE)
        _step_of_four(it.second, it.first, it.turns, 8)
        _step_of_four(it.first, it.second, it.turns, 32)
        _step_of_four(it.second, it.first, it.turns, 128)
        _step_of_four(it.first, it.second, it.turns, 512)
        _spectra(it.second, it.power)
        _triangles(it.power, it.places, it.weights, it.mel)
        _logarithms(it.mel)
        for lane in range(count):
            _give(it.mel, lane, out, rows[begin + lane])


@kernel(types.void(ANALYSING, types.int64))
def forget(it: Analysing, row: int) -> None:
    """Another call begins in `row`."""
    it.past[row] = i16(0)


class LogMel:
    """`log_mel` for `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = analysing(capacity)

    def process(self, rows: Rows, pcm16k: Pcm, out: Floats) -> None:
        """One tick: `pcm16k` i16[C, 320] to the two frames that end in it, `out` f32[C, 2, 80], the earlier first."""
        check_rows(rows, self._capacity)
        check_shape("pcm16k", pcm16k, (self._capacity, WIDE_TICK))
        check_shape("out", out, (self._capacity, FRAMES, BINS))
        log_mel(rows, pcm16k, out, self._it)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)

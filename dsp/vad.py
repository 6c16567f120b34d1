"""Voice activity: the Silero network at its native 8 kHz, as one kernel for all calls of a tick.

One step takes 256 new samples and the 32 before them and gives the probability that a person is speaking:

    288 samples, 32 mirrored at the end -> 4 short-time spectra of 65 magnitudes -> 4 convolutions with ReLU
    -> LSTM of 128 -> ReLU, weighted sum, sigmoid

A tick brings 160 samples, so a row takes a step in five ticks of eight, and rows need not be in phase. The rows
that are ready go through the layers together, a few at a time so that a layer's weights and the rows' values stay
in the processor's nearest caches: with one row each call would wait for the weights.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import NARROW_TICK, Floats, Pcm, Rows, check_rows, check_shape, f32, i32, kernel, record
from dsp.silero import BINS, FRAMES, SPECTRUM, Network, load_network

CHUNK = 256  # new samples a step
CONTEXT = 32  # samples before them that the step sees again
_HOP = 64
_INPUT = CONTEXT + CHUNK + 32
_TILE = 16  # rows that go through the layers together

_vector = types.float32[::1]
_matrix = types.float32[:, ::1]


class Scratch(NamedTuple):
    """Values between the layers for a tile of rows, flat, so that a layer may see overlapping frames as rows."""

    spectrum: Floats  # [tile, 4, 136]
    magnitude: Floats  # [tile, 6, 65], first and last frame zero, and 8 more
    conv1: Floats  # [tile, 4, 128]
    conv2: Floats  # [tile, 2, 64]
    conv3: Floats  # [tile, 64]
    lstm_in: Floats  # [tile, 256]
    gates: Floats  # [tile, 512]


_network = record([_matrix] * 6 + [_vector] * 7, Network)
_scratch = record([_vector] * 7, Scratch)


@kernel("void(i8, f4[::1], i8, i8, f4[:, ::1], f4[::1], i8, i8)")
def _add_product(
    count: int, x: Floats, x_at: int, x_step: int, weights: Floats, y: Floats, y_at: int, y_step: int
) -> None:
    """y += x @ weights for `count` rows that lie in flat arrays at a start and a step; 8 inputs a pass."""
    depth, width = weights.shape
    for k in range(0, depth, 8):
        for row in range(count):
            at = x_at + row * x_step + k
            x0, x1, x2, x3 = x[at], x[at + 1], x[at + 2], x[at + 3]
            x4, x5, x6, x7 = x[at + 4], x[at + 5], x[at + 6], x[at + 7]
            start = y_at + row * y_step
            out = y[start : start + width]
            for i in range(width):
                low = x0 * weights[k, i] + x1 * weights[k + 1, i] + x2 * weights[k + 2, i] + x3 * weights[k + 3, i]
                high = x4 * weights[k + 4, i] + x5 * weights[k + 5, i] + x6 * weights[k + 6, i] + x7 * weights[k + 7, i]
                out[i] += low + high


@kernel("void(f4[::1], f4[::1], i8)")
def _fill(y: Floats, bias: Floats, repeats: int) -> None:
    for i in range(repeats):
        y[i * bias.size : (i + 1) * bias.size] = bias


@kernel("void(f4[::1], i8)")
def _relu(y: Floats, size: int) -> None:
    for i in range(size):
        y[i] = max(y[i], f32(0))


@kernel("f4(f4)")
def _sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)) with the Cephes polynomial for exp, which becomes SIMD where a call to libm would not."""
    x = min(max(-x, f32(-80)), f32(80))
    power = np.floor(f32(1.44269504088896341) * x + f32(0.5))
    x = x - power * f32(0.693359375) + power * f32(2.12194440e-4)
    y = f32(1.9875691500e-4) * x + f32(1.3981999507e-3)
    y = y * x + f32(8.3334519073e-3)
    y = y * x + f32(4.1665795894e-2)
    y = y * x + f32(1.6666665459e-1)
    y = y * x + f32(5.0000001201e-1)
    y = y * x * x + x + f32(1)
    scale = np.int32(i32(i32(power) + i32(127)) << i32(23)).view(np.float32)
    result: float = f32(1) / (f32(1) + y * scale)
    return result


@kernel("f4(f4[::1], f4[::1], f4[::1], f4[::1], f4)")
def _lstm_step(gates: Floats, hidden: Floats, cell: Floats, out: Floats, bias: float) -> float:
    size = hidden.size
    entered, kept, new, shown = gates[:size], gates[size:], gates[2 * size :], gates[3 * size :]
    for i in range(size):
        candidate = f32(2) * _sigmoid(f32(2) * new[i]) - f32(1)
        memory = _sigmoid(kept[i]) * cell[i] + _sigmoid(entered[i]) * candidate
        cell[i] = memory
        hidden[i] = _sigmoid(shown[i]) * (f32(2) * _sigmoid(f32(2) * memory) - f32(1))
    total = bias
    for i in range(size):
        total += max(hidden[i], f32(0)) * out[i]
    return _sigmoid(total)


@kernel(types.void(types.int64, _vector, _network, _scratch))
def _encode(count: int, x: Floats, network: Network, scratch: Scratch) -> None:
    """Everything before the LSTM, for the first `count` rows of `x` [rows, 320], into scratch.lstm_in[:, :128]."""
    spectrum, magnitude = scratch.spectrum, scratch.magnitude
    width = SPECTRUM
    spectrum[: count * FRAMES * width] = f32(0)
    for frame in range(FRAMES):
        at = frame * width
        _add_product(count, x, frame * _HOP, _INPUT, network.spectrum, spectrum, at, FRAMES * width)
    for row in range(count):
        for frame in range(FRAMES):
            at = (row * FRAMES + frame) * width
            real, imaginary = spectrum[at : at + BINS], spectrum[at + BINS : at + 2 * BINS]
            to = (row * (FRAMES + 2) + frame + 1) * BINS
            out = magnitude[to : to + BINS]
            for i in range(BINS):
                out[i] = np.sqrt(real[i] * real[i] + imaginary[i] * imaginary[i])

    _fill(scratch.conv1, network.bias1, count * FRAMES)
    for frame in range(FRAMES):
        _add_product(
            count, magnitude, frame * BINS, (FRAMES + 2) * BINS, network.conv1, scratch.conv1, frame * 128, 512
        )
    _relu(scratch.conv1, count * 512)

    _fill(scratch.conv2, network.bias2, count * 2)
    _add_product(count, scratch.conv1, 0, 512, network.conv2[128:], scratch.conv2, 0, 128)
    _add_product(count, scratch.conv1, 128, 512, network.conv2, scratch.conv2, 64, 128)
    _relu(scratch.conv2, count * 128)

    _fill(scratch.conv3, network.bias3, count)
    _add_product(count, scratch.conv2, 0, 128, network.conv3, scratch.conv3, 0, 64)
    _relu(scratch.conv3, count * 64)

    for row in range(count):
        scratch.lstm_in[row * 256 : row * 256 + 128] = network.bias4
    _add_product(count, scratch.conv3, 0, 64, network.conv4, scratch.lstm_in, 0, 256)
    _relu(scratch.lstm_in, count * 256)  # the second half is overwritten with the hidden state


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.int32[::1], _matrix, types.int32[::1], _matrix,
                   _network, _scratch, _matrix, _matrix, _vector))  # fmt: skip
def _process(
    rows: Rows,
    pcm: Pcm,
    filled: Rows,
    pending: Floats,
    ready: Rows,
    x: Floats,
    network: Network,
    scratch: Scratch,
    hidden: Floats,
    cell: Floats,
    probability: Floats,
) -> None:
    count = 0
    for row in rows:
        tick, waiting, at = pcm[row], pending[row], filled[row]
        taken = min(tick.size, CHUNK - at)
        for i in range(taken):
            waiting[CONTEXT + at + i] = f32(tick[i]) * f32(1 / 32768)
        filled[row] = at + taken
        if at + taken == CHUNK:
            ready[count] = row
            chunk = x[count]
            chunk[: CONTEXT + CHUNK] = waiting
            for i in range(_INPUT - CONTEXT - CHUNK):
                chunk[CONTEXT + CHUNK + i] = waiting[CONTEXT + CHUNK - 2 - i]
            waiting[:CONTEXT] = chunk[CHUNK : CHUNK + CONTEXT]
            left = tick.size - taken
            for i in range(left):
                waiting[CONTEXT + i] = f32(tick[taken + i]) * f32(1 / 32768)
            filled[row] = left
            count += 1

    for first in range(0, count, _TILE):
        size = min(_TILE, count - first)
        _encode(size, x[first:].reshape(-1), network, scratch)
        for i in range(size):
            scratch.lstm_in[i * 256 + 128 : i * 256 + 256] = hidden[ready[first + i]]
        _fill(scratch.gates, network.bias_lstm, size)
        _add_product(size, scratch.lstm_in, 0, 256, network.lstm, scratch.gates, 0, 512)
        for i in range(size):
            row = ready[first + i]
            gates = scratch.gates[i * 512 : i * 512 + 512]
            probability[row] = _lstm_step(gates, hidden[row], cell[row], network.out, network.bias_out[0])


class SileroVad:
    """Speech probability of `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._network = load_network()
        self._filled = np.zeros(capacity, np.int32)
        self._pending = np.zeros((capacity, CONTEXT + CHUNK), np.float32)
        self._ready = np.zeros(capacity, np.int32)
        self._x = np.zeros((capacity, _INPUT), np.float32)
        self._hidden = np.zeros((capacity, 128), np.float32)
        self._cell = np.zeros((capacity, 128), np.float32)
        sizes = (FRAMES * SPECTRUM, (FRAMES + 2) * BINS + 8, 512, 128, 64, 256, 512)
        self._scratch = Scratch(*(np.zeros(_TILE * size, np.float32) for size in sizes))

    def process(self, rows: Rows, pcm8k: Pcm, probability: Floats) -> None:
        """Take one tick of `pcm8k` i16[C, 160]; where a row's step completes, write `probability` f32[C] 0..1.

        A row whose step is not complete keeps what stands in `probability`, its latest.
        """
        check_rows(rows, self._capacity)
        check_shape("pcm8k", pcm8k, (self._capacity, NARROW_TICK))
        check_shape("probability", probability, (self._capacity,))
        _process(
            rows,
            pcm8k,
            self._filled,
            self._pending,
            self._ready,
            self._x,
            self._network,
            self._scratch,
            self._hidden,
            self._cell,
            probability,
        )

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        self._filled[row] = 0
        self._pending[row] = 0
        self._hidden[row] = 0
        self._cell[row] = 0

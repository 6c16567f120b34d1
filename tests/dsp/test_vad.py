"""The VAD kernel against the model it was taken from, run by onnxruntime."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.kernel import Pcm
from dsp.silero import CHUNK, CONTEXT
from dsp.vad import FADING, SileroVad
from tests.dsp.speech import prompts, voice
from tools.silero_weights import OUTPUT, model_path, weights


@pytest.fixture(scope="module")
def model() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model_path()), options)


def expected(model: onnxruntime.InferenceSession, x: Pcm) -> npt.NDArray[np.float64]:
    """Probability after each whole chunk of 256 samples."""
    state = np.zeros((2, 1, 128), np.float32)
    signal = np.concatenate([np.zeros(CONTEXT, np.float32), x.astype(np.float32) / 32_768])
    found = []
    for start in range(0, x.size - CHUNK + 1, CHUNK):
        chunk = signal[None, start : start + CONTEXT + CHUNK]
        probability, state = model.run(None, {"input": chunk, "state": state, "sr": np.array(8_000)})
        found.append(float(probability[0, 0]))
    return np.array(found)


def heard(vad: SileroVad, capacity: int, row: int, x: Pcm) -> npt.NDArray[np.float64]:
    """What `row` says after each whole chunk."""
    rows = np.array([row], np.int32)
    pcm, probability = np.zeros((capacity, 160), np.int16), np.full(capacity, -1, np.float32)
    found = []
    for tick in range(x.size // 160):
        pcm[row] = x[tick * 160 : tick * 160 + 160]
        vad.process(rows, pcm, probability)
        if (tick * 160 + 160) // CHUNK > tick * 160 // CHUNK:
            found.append(float(probability[row]))
    return np.array(found)


def long_prompts() -> Iterator[Pcm]:
    for _, pcm in prompts():
        if pcm.size > 6 * 8_000:
            yield pcm


def test_the_packaged_weights_are_the_models() -> None:
    originals = weights(model_path())
    with np.load(OUTPUT) as packaged:
        assert sorted(packaged.files) == sorted(originals)
        for name, tensor in originals.items():
            np.testing.assert_array_equal(packaged[name], tensor)


def test_probabilities_are_the_models_over_a_made_voice(model: onnxruntime.InferenceSession) -> None:
    x = voice(8, seed=1)
    ours, theirs = heard(SileroVad(3), 3, 1, x), expected(model, x)
    assert theirs.max() > 0.5 > theirs.min()  # else the comparison would show little
    np.testing.assert_allclose(ours, theirs[: ours.size], atol=1e-4)


def test_probabilities_are_the_models_over_human_speech(model: onnxruntime.InferenceSession) -> None:
    compared = 0
    for x in long_prompts():
        x = x[: 30 * 8_000]
        ours, theirs = heard(SileroVad(1), 1, 0, x), expected(model, x)
        np.testing.assert_allclose(ours, theirs[: ours.size], atol=1e-4)
        compared += ours.size
    assert compared > 1_000


def test_forty_rows_out_of_phase_say_what_each_says_alone() -> None:
    """More rows than go through the layers together, begun at different ticks, in no order."""
    rng = np.random.default_rng(2)
    signals = [voice(1.5, seed=seed) for seed in range(40)]
    vad, order = SileroVad(40), rng.permutation(40).astype(np.int32)
    pcm, probability = np.zeros((40, 160), np.int16), np.full(40, -1, np.float32)
    for tick in range(60):
        rows = np.array([row for row in order if row % 8 <= tick], np.int32)
        for row in rows:
            at = (tick - row % 8) * 160
            pcm[row] = signals[row][at : at + 160]
        vad.process(rows, pcm, probability)
    for row in (0, 7, 13, 39):
        alone = heard(SileroVad(1), 1, 0, signals[row][: (60 - row % 8) * 160])
        assert probability[row] == pytest.approx(alone[-1], abs=1e-5)


def test_an_incomplete_step_leaves_the_latest_probability() -> None:
    vad, probability = SileroVad(1), np.full(1, 0.25, np.float32)
    vad.process(np.zeros(1, np.int32), np.zeros((1, 160), np.int16), probability)
    assert probability[0] == 0.25
    vad.process(np.zeros(1, np.int32), np.zeros((1, 160), np.int16), probability)
    assert probability[0] != 0.25


def test_a_row_that_wakes_has_kept_its_samples_and_some_of_its_memory(model: onnxruntime.InferenceSession) -> None:
    """Heard for 2 s, asleep for the next, heard for another: what the model says that skips steps and fades."""
    x, asleep = voice(5, seed=5), range(62, 93)
    signal = np.concatenate([np.zeros(CONTEXT, np.float32), x.astype(np.float32) / 32_768])
    state, theirs = np.zeros((2, 1, 128), np.float32), []
    for step in range(x.size // CHUNK):
        if step in asleep:
            state *= FADING
            theirs.append(0.0)
        else:
            chunk = signal[None, step * CHUNK : step * CHUNK + CONTEXT + CHUNK]
            probability, state = model.run(None, {"input": chunk, "state": state, "sr": np.array(8_000)})
            theirs.append(float(probability[0, 0]))

    vad, rows, ours = SileroVad(3), np.array([2], np.int32), list[float]()
    pcm, probability, awake = np.zeros((3, 160), np.int16), np.full(3, -1, np.float32), np.ones(3, np.uint8)
    for tick in range(x.size // 160):
        pcm[2] = x[tick * 160 : tick * 160 + 160]
        awake[2] = len(ours) not in asleep
        vad.process(rows, pcm, probability, awake)
        if (tick * 160 + 160) // CHUNK > tick * 160 // CHUNK:
            ours.append(float(probability[2]))
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=1e-4)
    assert max(theirs[93:]) > 0.5 > min(theirs[93:])


@settings(deadline=None, max_examples=20)
@given(level=st.integers(0, 32_767), seed=st.integers(0, 99), odd=st.sampled_from(["noise", "square", "step"]))
def test_no_sound_makes_a_probability_that_is_none(level: int, seed: int, odd: str) -> None:
    noise = np.random.default_rng(seed).uniform(-level, level, 30 * 160)
    x = {"noise": noise, "square": np.sign(noise) * level, "step": np.full(noise.size, level)}[odd].astype(np.int16)
    found = heard(SileroVad(1), 1, 0, x)
    assert ((found >= 0) & (found <= 1)).all()


def test_reset_forgets() -> None:
    x = voice(1.2, seed=3)
    vad = SileroVad(2)
    heard(vad, 2, 1, voice(1, seed=4)[: 9 * 160])
    vad.reset(1)
    np.testing.assert_array_equal(heard(vad, 2, 1, x), heard(SileroVad(2), 2, 1, x))

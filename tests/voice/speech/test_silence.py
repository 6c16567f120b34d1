"""The span of the speech, and the place to cut."""

import numpy as np

from tests.voice.speech.human import silence
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.silence import FRAME, LEAD, TRAIL, quietest, spoken_span

SECOND = RATE_HZ


def noise(rms: float, samples: int, seed: int = 0) -> Pcm:
    return np.random.default_rng(seed).normal(0, rms, samples).astype(np.int16)


def test_silence_around_the_speech_is_left_out() -> None:
    audio = np.concatenate([silence(2_000), noise(3_000, SECOND), silence(2_000)])
    assert spoken_span(audio) == (2 * SECOND - LEAD, 3 * SECOND + TRAIL)


def test_so_is_the_noise_of_the_line() -> None:
    audio = noise(100, 5 * SECOND, seed=1)
    audio[2 * SECOND : 3 * SECOND] += noise(3_000, SECOND)
    assert spoken_span(audio) == (2 * SECOND - LEAD, 3 * SECOND + TRAIL)


def test_soft_speech_beside_loud_noise_is_kept() -> None:
    audio = noise(1_000, 3 * SECOND, seed=1)
    audio[SECOND : 2 * SECOND] += noise(1_500, SECOND)
    assert spoken_span(audio) == (0, audio.size)


def test_pauses_inside_are_kept() -> None:
    audio = np.concatenate([noise(3_000, SECOND), silence(3_000), noise(3_000, SECOND)])
    assert spoken_span(audio) == (0, audio.size)


def test_nothing_is_spoken_in_silence() -> None:
    assert spoken_span(silence(1_000)) == (0, 0)
    assert spoken_span(noise(10, SECOND)) == (0, 0)
    assert spoken_span(silence(0)) == (0, 0)


def test_the_cut_lies_in_the_pause() -> None:
    audio = np.concatenate([noise(3_000, SECOND), silence(300), noise(3_000, 2 * SECOND)])
    assert SECOND + 4 * FRAME <= quietest(audio) <= SECOND + 15 * FRAME

"""hibari-tts: one English voice, a hundred times faster than real time on one core.

It gives a whole sentence at once, at 24 kHz, with a quarter second of silence before the first word: that silence is
cut, because the caller would wait through it at every answer.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from hibari import SAMPLE_RATE, Hibari

from voice.ports import Pcm
from voice.speech.phrases import split_phrases
from voice.speech.pronounce import spoken_form

Floats = npt.NDArray[np.float32]

GAIN = 2.0
"""hibari peaks at 0.2 to 0.43 of full scale; twice that is the usual level of a telephone prompt."""
VOICED = 0.005
"""Of full scale, before the gain: louder is speech."""
LEAD_S = 0.02
TRAIL_S = 0.18
"""Kept around the words; the trail is the pause between two sentences."""
SLOWEST, FASTEST = 0.5, 2.0
_TAPS = 96


class HibariVoice:
    """The voice "heart", which lies in the package."""

    def __init__(self) -> None:
        self._engine = Hibari(threads=1)
        for _ in self.stream("Ready.", 1.0):  # loads the dictionaries
            pass

    def stream(self, text: str, pace: float) -> Iterator[Pcm]:
        """A block for each phrase, so that the first words leave while the rest is computed."""
        speed = min(max(pace, SLOWEST), FASTEST)
        for phrase in split_phrases(spoken_form(text)):
            # a fixed seed: the same text is always the same sound, so cached prompts can be compared
            sound = np.concatenate([*self._engine.stream(phrase, speed=speed, seed=1), np.zeros(0, np.float32)])
            block = to_pcm(trimmed(sound))
            if block.size:
                yield block


def trimmed(sound: Floats) -> Floats:
    """24 kHz sound without the silence around it."""
    loud = np.flatnonzero(np.abs(sound) > VOICED)
    if loud.size == 0:
        return sound[:0]
    start = max(0, int(loud[0]) - int(LEAD_S * SAMPLE_RATE))
    return sound[start : int(loud[-1]) + int(TRAIL_S * SAMPLE_RATE)]


def to_pcm(sound: Floats) -> Pcm:
    """24 kHz float to 16 kHz int16, three samples to two.

    Here in numpy, not by `dsp.resample`: the sentence comes whole, and importing numba would double the time in
    which a killed child is back.
    """
    if sound.size == 0:
        return np.zeros(0, np.int16)
    padding = np.zeros(_TAPS // 2, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([padding, sound, padding]), _TAPS)
    out = np.empty(2 * len(windows[::3]), np.float32)
    early, late = _branches()
    out[0::2] = windows[::3] @ early
    out[1::2] = windows[::3] @ late
    count = -(-sound.size * 2 // 3)
    pcm: Pcm = np.clip(np.rint(out[:count] * (GAIN * 32767)), -32768, 32767).astype(np.int16)
    return pcm


@cache
def _branches() -> tuple[Floats, Floats]:
    """Windowed-sinc low-pass at 7.5 kHz, sampled at the two places that 16 kHz samples have among 24 kHz ones."""
    cutoff = 2 * 7500 / SAMPLE_RATE

    def branch(offset: float) -> Floats:
        at = np.arange(_TAPS) - _TAPS // 2 - offset
        response = cutoff * np.sinc(cutoff * at) * np.i0(9.0 * np.sqrt(np.clip(1 - (2 * at / _TAPS) ** 2, 0, 1)))
        normal: Floats = (response / response.sum()).astype(np.float32)
        return normal

    return branch(0.0), branch(1.5)

"""Where an utterance is silent, by the levels of its 20 ms frames: for recognisers that decode it as a whole.

Silence is not harmless to such a recogniser. Moonshine Base heard 3 of 14 spoken numbers with 0.5 s of silence behind
them, and took the others for nothing; with 0.25 s it hears all 14.
"""

import numpy as np
import numpy.typing as npt

from voice.ports import RATE_HZ, Pcm

FRAME = RATE_HZ // 50
QUIET_DBFS = -64.0
"""A line with nobody speaking."""
RANGE_DB = 35.0
"""Frames this much below the loudest are silent."""
NOISE_MARGIN_DB = 8.0
LEAST_RANGE_DB = 15.0
"""On a noisy line silence reaches up to 8 dB above the quietest frames, but never this near to the loudest."""
LEAD = RATE_HZ * 300 // 1000
TRAIL = RATE_HZ * 250 // 1000
"""Silence left around the speech: without any the first and last sounds are misheard."""


def spoken_span(audio: Pcm) -> tuple[int, int]:
    """First and last (exclusive) sample of the speech in `audio` with a little silence around; (0, 0) for none."""
    levels = _levels_dbfs(audio)
    if levels.size == 0 or levels.max() < QUIET_DBFS:
        return 0, 0
    noise = float(np.percentile(levels, 5)) + NOISE_MARGIN_DB
    loudest = float(levels.max())
    loud = np.flatnonzero(levels > max(loudest - RANGE_DB, min(noise, loudest - LEAST_RANGE_DB)))
    return max(0, int(loud[0]) * FRAME - LEAD), min(audio.size, (int(loud[-1]) + 1) * FRAME + TRAIL)


def quietest(audio: Pcm) -> int:
    """The sample in the middle of the quietest 200 ms of `audio`: best a pause, never the middle of a loud word."""
    power = 10 ** (_levels_dbfs(audio) / 10)
    smooth = np.convolve(power, np.ones(10) / 10, mode="valid")
    return (int(smooth.argmin()) + 5) * FRAME


def _levels_dbfs(audio: Pcm) -> npt.NDArray[np.float64]:
    frames = audio[: audio.size // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return np.asarray(10 * np.log10((frames**2).mean(axis=1) / 32_768.0**2 + 1e-12))

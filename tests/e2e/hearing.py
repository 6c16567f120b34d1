"""What can be told from a recording without a recogniser, and what with one: who is heard, music, nobody.

Arrays are 16 kHz mono. A voice has its pitch below 300 Hz, where the node's music has nothing: so the beginning of a
voice after music is found to 10 ms.
"""

import asyncio
import re

import numpy as np
import numpy.typing as npt

from tests.e2e.conversation import read_back
from voice.ports import RATE_HZ, Pcm

STEP_MS = 10
_WINDOW = RATE_HZ // 25
_PITCH_HZ = (100, 275)
_SOUND_RMS, _VOICE_RMS, _MUSIC_RMS, _NOTHING_RMS = 30, 150, 300, 30

Levels = npt.NDArray[np.float64]


def sound_begins_ms(pcm: Pcm) -> int:
    """When there first is more than nothing, be it a quiet room."""
    return _first_ms(_levels(pcm), _SOUND_RMS)


def voice_begins_ms(pcm: Pcm) -> int:
    """When somebody first speaks, though there may be music before."""
    return _first_ms(_levels(pcm, *_PITCH_HZ), _VOICE_RMS)


def is_music(pcm: Pcm) -> bool:
    """Sound without a break, and nobody's voice."""
    loud, voiced = np.median(_levels(pcm)) > _MUSIC_RMS, np.percentile(_levels(pcm, *_PITCH_HZ), 95) > _VOICE_RMS
    return bool(loud and not voiced)


def is_quiet(pcm: Pcm) -> bool:
    """Nobody, and not even a room; a click is none."""
    return bool(np.percentile(_levels(pcm), 95) < _NOTHING_RMS)


async def check_heard(pcm: Pcm, words: frozenset[str], never: frozenset[str]) -> None:
    """Somebody who says `words` can be understood (one of them may be misheard), and nobody who says any of `never`."""
    heard = await asyncio.to_thread(read_back, pcm)
    found = frozenset(re.findall(r"[a-z']+", heard.lower()))
    assert words & found, heard
    assert len(words - found) <= 1, heard
    assert not never & found, heard


def _levels(pcm: Pcm, low_hz: int = 0, high_hz: int = RATE_HZ) -> Levels:
    """RMS of what lies between two frequencies, over 40 ms, every 10 ms."""
    step = RATE_HZ * STEP_MS // 1000
    windows = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), _WINDOW)[::step]
    shape = np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(windows * shape, axis=1)) ** 2
    hz = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    band = power[:, (hz >= low_hz) & (hz <= high_hz)].sum(axis=1)
    levels: Levels = np.sqrt(2 * band / (_WINDOW * (shape**2).sum()))
    return levels


def _first_ms(levels: Levels, least: float) -> int:
    reached = np.flatnonzero(levels >= least)
    assert reached.size, f"never: at most {levels.max():.0f}"
    return int(reached[0]) * STEP_MS

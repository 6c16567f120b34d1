"""Echoes as telephones make them: of a hybrid (a few milliseconds, sharp) and of a room with a loudspeaker in it."""

from functools import cache

import numpy as np
import numpy.typing as npt

from dsp.g711 import MU_LAW, decode_block, encode_block
from dsp.kernel import Pcm
from dsp.resample import resample
from tests.dsp.speech import prompts

Doubles = npt.NDArray[np.float64]

_DECAY_MS = {"hybrid": 1.5, "room": 25.0}
_LENGTH_MS = {"hybrid": 8, "room": 100}


@cache
def _prompts() -> tuple[Pcm, ...]:
    return tuple(pcm for _, pcm in prompts() if pcm.size > 8_000)


def talk(seconds: float, seed: int) -> Pcm:
    """A person who speaks on and on, by `seed` prompt after prompt; 8 kHz, whole ticks."""
    rng, parts, size = np.random.default_rng(seed), list[Pcm](), int(seconds * 50) * 160
    while sum(part.size for part in parts) < size:
        parts.append(_prompts()[rng.integers(len(_prompts()))])
    return np.concatenate(parts)[:size]


def wide_talk(seconds: float, seed: int) -> Pcm:
    """The same at 16 kHz: over 4 kHz the person's sound is a mirror of what is below, 12 dB weaker."""
    narrow = talk(seconds, seed)
    mirrored = np.zeros(2 * narrow.size)
    mirrored[::2] = narrow / 2  # with zeros between them samples have their spectrum twice, at half its height
    return clipped(resample(narrow, 8_000, 16_000) + mirrored)


def response_of(delay_ms: float, path: str = "hybrid", seed: int = 0, hz: int = 8_000) -> Doubles:
    """What an impulse comes back as."""
    per_ms = hz // 1_000
    time_ms = np.arange(per_ms * _LENGTH_MS[path]) / per_ms
    decaying = np.random.default_rng(seed).standard_normal(time_ms.size) * np.exp(-time_ms / _DECAY_MS[path])
    return np.concatenate([np.zeros(int(per_ms * delay_ms)), decaying])


def echo_of(
    played: Pcm, loss_db: float, delay_ms: float, *, path: str = "hybrid", seed: int = 0, hz: int = 8_000
) -> Pcm:
    """The echo of `played`, so much weaker and later, over a line with a little noise."""
    echo = np.convolve(played.astype(np.float64), response_of(delay_ms, path, seed, hz))[: played.size]
    echo *= 10 ** (-loss_db / 20) * np.linalg.norm(played.astype(np.float64)) / np.linalg.norm(echo)
    return clipped(echo + 10 * np.random.default_rng(seed + 1_000).standard_normal(played.size))


def clipped(x: Doubles) -> Pcm:
    pcm: Pcm = np.clip(np.rint(x), -32_768, 32_767).astype(np.int16)
    return pcm


def over_g711(x: Pcm) -> Pcm:
    """`x` as it is after a telephone line."""
    return decode_block(encode_block(x, MU_LAW), MU_LAW)


def gain_db(x: Pcm, y: Pcm) -> float:
    """How much louder `y` is than `x`."""
    return float(20 * np.log10((np.linalg.norm(y.astype(np.float64)) + 1) / (np.linalg.norm(x.astype(np.float64)) + 1)))

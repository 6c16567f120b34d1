"""Echoes as telephones make them: of a hybrid (a few milliseconds, sharp) and of a room with a loudspeaker in it."""

from functools import cache

import numpy as np

from dsp.g711 import MU_LAW, decode_block, encode_block
from dsp.kernel import Pcm
from tests.dsp.speech import prompts

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


def echo_of(played: Pcm, loss_db: float, delay_ms: float, *, path: str = "hybrid", seed: int = 0) -> Pcm:
    """The echo of `played`, so much weaker and later, over a line with a little noise."""
    rng = np.random.default_rng(seed)
    time_ms = np.arange(8 * _LENGTH_MS[path]) / 8
    response = rng.standard_normal(time_ms.size) * np.exp(-time_ms / _DECAY_MS[path])
    echo = np.convolve(played.astype(np.float64), np.concatenate([np.zeros(int(8 * delay_ms)), response]))[
        : played.size
    ]
    echo *= 10 ** (-loss_db / 20) * np.linalg.norm(played.astype(np.float64)) / np.linalg.norm(echo)
    return clipped(echo + 10 * rng.standard_normal(played.size))


def clipped(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Pcm:
    pcm: Pcm = np.clip(np.rint(x), -32_768, 32_767).astype(np.int16)
    return pcm


def over_g711(x: Pcm) -> Pcm:
    """`x` as it is after a telephone line."""
    return decode_block(encode_block(x, MU_LAW), MU_LAW)


def gain_db(x: Pcm, y: Pcm) -> float:
    """How much louder `y` is than `x`."""
    return float(20 * np.log10((np.linalg.norm(y.astype(np.float64)) + 1) / (np.linalg.norm(x.astype(np.float64)) + 1)))

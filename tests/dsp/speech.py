"""Speech for the tests: the human prompts of Debian's Asterisk packages, and a made voice that is always here."""

import os
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dsp.kernel import Pcm

_PROMPTS = Path("/usr/share/asterisk/sounds")
_PACKAGE = "asterisk-core-sounds-en-wav"


def prompts() -> Iterator[tuple[str, Pcm]]:
    """Every packaged prompt at 8 kHz by name; without the package the test is skipped by name, and in CI it fails."""
    files = {path.name: path for path in sorted(_PROMPTS.glob("**/*.wav"))}
    if not files:
        message = f"test peer speech is not installed (Debian package {_PACKAGE})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    for name, path in files.items():
        with wave.open(str(path)) as file:
            if file.getframerate() == 8_000:
                yield name, np.frombuffer(file.readframes(file.getnframes()), np.int16)


def voice(seconds: float, seed: int) -> Pcm:
    """A made voice at 8 kHz: a gliding glottal pulse through three gliding formants, in syllables with pauses."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 8_000)
    time = np.arange(count) / 8_000

    def glide(low: float, high: float, every_s: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        knots = np.arange(0, seconds + every_s, every_s)
        return np.asarray(np.interp(time, knots, rng.uniform(low, high, knots.size)))

    phase = np.cumsum(glide(105, 180, 0.45)) / 8_000
    formants = [(glide(300, 800, 0.17), 80.0), (glide(900, 2_100, 0.13), 110.0), (glide(2_300, 3_100, 0.19), 160.0)]
    pitch_hz = np.gradient(phase) * 8_000
    x = np.zeros(count)
    for harmonic in range(1, 36):
        hz = harmonic * pitch_hz
        gain = sum(1 / (1 + ((hz - centre) / width) ** 2) for centre, width in formants)
        x += np.where(hz < 3_500, gain * np.sin(2 * np.pi * harmonic * phase) / np.sqrt(harmonic), 0)
    syllables = np.clip(glide(-0.5, 1.5, 0.11), 0, 1)
    x = x * syllables + 0.003 * rng.standard_normal(count)
    pcm: Pcm = np.rint(x / np.abs(x).max() * 14_000).astype(np.int16)
    return pcm

"""Speech to recognise: human prompts of Debian's Asterisk packages, and Korean by espeak-ng."""

import io
import os
import re
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from dsp.resample import resample
from tests.peers import peer
from voice.ports import RATE_HZ, Pcm

_PROMPTS = Path("/usr/share/asterisk/sounds/en")


def prompt(name: str) -> Pcm:
    """A human prompt, 8 kHz telephone sound at 16 kHz; without the package the test is skipped, and in CI it fails."""
    path = _PROMPTS / f"{name}.wav"
    if not path.exists():
        message = f"test peer speech {path} is not installed (Debian package asterisk-core-sounds-en-wav)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return _at_16_khz(path.read_bytes())


def korean(text: str) -> Pcm:
    """`text` as espeak-ng says it in Korean."""
    command = [peer("espeak-ng", "espeak-ng"), "-v", "ko", "-s", "130", "--stdout", text]
    return _at_16_khz(subprocess.run(command, capture_output=True, check=True, timeout=10).stdout)


def words(text: str) -> str:
    """Lower case, without punctuation, "good bye" as one word: for comparing what was recognised."""
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split()).replace("good bye", "goodbye")


def silence(ms: int) -> Pcm:
    return np.zeros(ms * RATE_HZ // 1000, np.int16)


def _at_16_khz(wav: bytes) -> Pcm:
    with wave.open(io.BytesIO(wav)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        return resample(pcm, file.getframerate(), RATE_HZ)

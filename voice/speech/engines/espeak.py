"""espeak-ng as a voice: robotic, in a hundred languages, for those hibari does not speak."""

import io
import re
import shutil
import subprocess
import wave
from collections.abc import Iterator

import numpy as np

from dialog.errors import EngineError, EngineTimeout, ModelMissing
from voice.ports import RATE_HZ, Pcm
from voice.speech.phrases import split_phrases

WORDS_PER_MINUTE = 150
TIMEOUT_S = 5.0


class EspeakVoice:
    """The program `espeak-ng`, run once a phrase; `language` is one of `espeak-ng --voices`."""

    def __init__(self, language: str) -> None:
        program = shutil.which("espeak-ng")
        if program is None:
            raise ModelMissing("voice espeak needs the program espeak-ng: install Debian's package espeak-ng")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+\-]*", language):
            raise ModelMissing(f"voice espeak has no language {language!r}: see `espeak-ng --voices`")
        self._program = program
        self._language = language
        for _ in self.stream("1", 1.0):
            pass

    def stream(self, text: str, pace: float) -> Iterator[Pcm]:
        """A block a phrase."""
        for phrase in split_phrases(text):
            speed = str(max(80, round(WORDS_PER_MINUTE * pace)))
            command = [self._program, "-v", self._language, "-s", speed, "--stdin", "--stdout"]
            try:
                done = subprocess.run(
                    command, input=phrase.encode(), capture_output=True, timeout=TIMEOUT_S, check=True
                )
            except subprocess.TimeoutExpired as error:
                raise EngineTimeout(f"espeak-ng took longer than {TIMEOUT_S} s") from error
            except subprocess.CalledProcessError as error:
                reason = error.stderr.decode(errors="replace").strip()
                raise EngineError(f"espeak-ng -v {self._language} failed: {reason}") from error
            yield _pcm(done.stdout)


def _pcm(wav: bytes) -> Pcm:
    """espeak-ng's WAV at 22,050 Hz as 16 kHz; linear interpolation is below what its voice would show."""
    with wave.open(io.BytesIO(wav)) as file:
        rate_hz = file.getframerate()
        sound = np.frombuffer(file.readframes(-1), "<i2").astype(np.float32)
    if sound.size == 0:
        return np.zeros(0, np.int16)
    at = np.arange(int(sound.size * RATE_HZ / rate_hz)) * (rate_hz / RATE_HZ)
    pcm: Pcm = np.rint(np.interp(at, np.arange(sound.size), sound)).astype(np.int16)
    return pcm

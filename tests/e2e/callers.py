"""What callers say, as telephone sound: two unlike synthetic voices with noise, and human clips where they fit.

Rendered once into a cache outside the tree, named by everything it is made of.
"""

import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dsp.resample import resample
from tests.peers import peer
from tests.voice.speech.human import prompt
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.hibari import HibariVoice
from voice.speech.models import cache_dir

LINE_HZ = 8_000
SNR_DB = 25.0
"""Speech to pink noise, over the whole telephone band and all of the call: an office, not a quiet room."""
SPEECH_RMS = 2_600.0
"""Level of the voiced parts, -22 dBFS: what telephones are made to give."""
LEAD_MS = 100
TAIL_S = 120
"""Noise after the words; the caller waits, and the line is never dead."""

_DIGITS = dict(zip("zero one two three four five six seven eight nine".split(), "0123456789", strict=True))
_CLIPS = {word: f"digits/{digit}" for word, digit in _DIGITS.items()} | {
    "oh": "digits/oh",
    "no": "vm-no",
    "goodbye": "vm-goodbye",
}
_CLIP_GAP_MS = 150
_SLOWER = "duration_stretch=1.15"

_hibari: HibariVoice | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """Telephone sound, 8 kHz: `words_ms` of words between a short lead and a long tail of noise."""

    pcm: Pcm
    words_ms: int
    voice: str


def say(text: str, voice: str) -> Sound:
    """`text` in `voice`: "hibari", "flite", or "human" (clips where every word has one, else hibari)."""
    if voice == "human" and not set(_words(text)) <= set(_CLIPS):
        voice = "hibari"
    words = _levelled(_cached(text, voice))
    lead = np.zeros(LEAD_MS * LINE_HZ // 1000, np.int16)
    return Sound(_noisy(np.concatenate([lead, words])), words.size * 1000 // LINE_HZ, voice)


def nothing() -> Sound:
    """The line with nobody speaking."""
    return Sound(_noisy(np.zeros(0, np.int16)), 0, "nobody")


def laugh() -> Sound:
    """Voice for seven tenths of a second, and not a word in it."""
    draw = np.random.default_rng(1)
    at = np.arange(120 * LINE_HZ // 1000) / LINE_HZ
    fade = np.minimum(1.0, np.minimum(at / 0.03, (at[-1] - at) / 0.05))
    phase = np.cumsum(220.0 - 100.0 * at) / LINE_HZ
    pulses = (np.diff(np.floor(phase), prepend=0.0) > 0).astype(np.float64)
    pieces: list[npt.NDArray[np.float64]] = []
    for _ in range(4):
        burst = pulses + 0.1 * draw.normal(size=at.size)
        for formant_hz, width_hz in ((700.0, 120.0), (1_300.0, 150.0)):
            burst = _resonance(burst, formant_hz, width_hz)
        burst *= fade
        pieces += [burst / np.abs(burst).max() * 9_000, np.zeros(LINE_HZ * 60 // 1000)]
    pcm = np.concatenate(pieces).astype(np.int16)
    return Sound(_noisy(pcm), pcm.size * 1000 // LINE_HZ, "laugh")


def tones(keys: str, key_ms: int = 100, gap_ms: int = 100) -> Sound:
    """Keys as tones in the sound (ITU-T Q.23), as telephones without telephone events send them."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477)
    at = np.arange(key_ms * LINE_HZ // 1000) / LINE_HZ
    gap = np.zeros(gap_ms * LINE_HZ // 1000)
    pieces = [gap]
    for key in keys:
        row, column = divmod("123456789*0#".index(key), 3)
        pair = np.sin(2 * np.pi * low[row] * at) + np.sin(2 * np.pi * high[column] * at)
        pieces += [pair * 4_000, gap]
    pcm = np.concatenate(pieces).astype(np.int16)
    return Sound(_noisy(pcm), pcm.size * 1000 // LINE_HZ, "tones")


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def _cached(text: str, voice: str) -> Pcm:
    key = hashlib.sha256(f"3 {voice} {text}".encode()).hexdigest()[:16]
    path = cache_dir() / "callers" / f"{key}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pcm = {"hibari": _by_hibari, "flite": _by_flite, "human": _by_clips}[voice](text)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npy", delete=False) as part:
            np.save(part, pcm)
        Path(part.name).replace(path)
    loaded: Pcm = np.load(path)
    return loaded


def _by_hibari(text: str) -> Pcm:
    global _hibari
    if _hibari is None:
        _hibari = HibariVoice()
    return resample(np.concatenate(list(_hibari.stream(text, 1.0))), RATE_HZ, LINE_HZ)


def _by_flite(text: str) -> Pcm:
    """A man's voice put together from recorded speech ("rms"); hibari is a woman's, made by a neural network."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "say.wav"
        subprocess.run(
            [peer("flite", "flite"), "-voice", "rms", "--setf", _SLOWER, "-t", text, "-o", wav], check=True, timeout=20
        )
        raw = np.frombuffer(wav.read_bytes()[44:], "<i2").astype(np.int16)
    return resample(raw, RATE_HZ, LINE_HZ)


def _by_clips(text: str) -> Pcm:
    gap = np.zeros(_CLIP_GAP_MS * LINE_HZ // 1000, np.int16)
    clips = [resample(prompt(_CLIPS[word]), RATE_HZ, LINE_HZ) for word in _words(text)]
    return np.concatenate([piece for clip in clips for piece in (_trimmed(clip), gap)])


def _trimmed(pcm: Pcm) -> Pcm:
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 300)
    return pcm[max(0, int(loud[0]) - 400) : int(loud[-1]) + 800]


def _levelled(pcm: Pcm) -> Pcm:
    trimmed = _trimmed(pcm).astype(np.float64)
    voiced = trimmed[np.abs(trimmed) > 200]
    gain = SPEECH_RMS / float(np.sqrt(np.mean(voiced**2)))
    levelled: Pcm = np.clip(np.rint(trimmed * gain), -32_768, 32_767).astype(np.int16)
    return levelled


def _noisy(pcm: Pcm) -> Pcm:
    """`pcm` and the tail, in pink noise; the same for the same length, so a call can be made again."""
    size = pcm.size + TAIL_S * LINE_HZ
    noise = _pink(size, np.random.default_rng(pcm.size)) * SPEECH_RMS / 10 ** (SNR_DB / 20)
    noise[: pcm.size] += pcm
    mixed: Pcm = np.clip(np.rint(noise), -32_768, 32_767).astype(np.int16)
    return mixed


def _resonance(sound: npt.NDArray[np.float64], centre_hz: float, width_hz: float) -> npt.NDArray[np.float64]:
    """A two-pole resonator: one formant."""
    radius = np.exp(-np.pi * width_hz / LINE_HZ)
    a1, a2 = 2 * radius * np.cos(2 * np.pi * centre_hz / LINE_HZ), -(radius**2)
    out = np.zeros(sound.size + 2)
    for i, x in enumerate(sound):
        out[i + 2] = x + a1 * out[i + 1] + a2 * out[i]
    return out[2:]


def _pink(size: int, draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise of unit power whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(draw.normal(size=size))
    hz = np.fft.rfftfreq(size, 1 / LINE_HZ)
    spectrum /= np.sqrt(np.maximum(hz, 50.0))
    noise: npt.NDArray[np.float64] = np.fft.irfft(spectrum, size)
    noise /= noise.std()
    return noise

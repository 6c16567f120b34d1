"""What those who wait are played: a calm tune made by the node itself, or a sound file of the operator's."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dialog.errors import ConfigurationError
from dsp.resample import resample
from voice.ports import RATE_HZ, Pcm

LEVEL_DBFS = -24.0
"""RMS of what is played: below a speaking voice, so that the announcements in between are no shock."""
LONGEST_S = 300
"""A file may last this long; decoded it takes 10 MB."""

_BAR_S = 4.0
_FADE_S = 0.01  # at both ends of a file, so that it goes over into itself without a click
_FULL_SCALE = 32_767

_Sound = npt.NDArray[np.float64]

# MIDI notes. All of them, with the harmonics of `_mallet` and `_pad`, lie in the telephone's band of 300 to 3,400 Hz.
_TUNE: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (  # a bar: its chord, and eight notes (0: none)
    ((67, 71, 74), (67, 74, 78, 79, 0, 78, 74, 71)),  # G major seventh
    ((64, 67, 71), (71, 74, 76, 79, 0, 76, 74, 0)),  # E minor seventh
    ((67, 72, 76), (72, 76, 79, 83, 0, 79, 76, 72)),  # C major seventh
    ((66, 69, 74), (69, 74, 78, 81, 0, 78, 74, 0)),  # D
    ((67, 71, 74), (79, 0, 78, 74, 71, 0, 74, 0)),
    ((64, 67, 71), (76, 0, 74, 71, 67, 0, 71, 0)),
    ((67, 72, 76), (79, 0, 76, 72, 67, 0, 72, 76)),
    ((66, 69, 74), (78, 0, 76, 74, 69, 0, 0, 0)),
)


def hold_music(seconds: float = len(_TUNE) * _BAR_S) -> Pcm:
    """A tune of `seconds` that goes over into its own beginning, at `LEVEL_DBFS`; always the same.

    Bars last about four seconds, as many as fill the time. What rings on after the end is laid over the beginning.
    """
    bars = [_TUNE[bar % len(_TUNE)] for bar in range(max(1, round(seconds / _BAR_S)))]
    bar_s = seconds / len(bars)
    pads = {note: _pad(note, bar_s) for note in {note for chord, _ in bars for note in chord}}
    strokes = {note: _mallet(note, bar_s) for note in {note for _, notes in bars for note in notes if note}}
    total = round(seconds * RATE_HZ)
    sound = np.zeros(2 * total)
    for bar, (chord, notes) in enumerate(bars):
        begun = [(0, pads[note]) for note in chord]
        begun += [(eighth, strokes[note]) for eighth, note in enumerate(notes) if note]
        for eighth, one in begun:
            place = round((bar + eighth / 8) * bar_s * RATE_HZ)
            sound[place : place + one.size] += one
    return _levelled(sound[:total] + sound[total:])


@cache
def ringing_tone() -> Pcm:
    """What is heard while it rings elsewhere: 425 Hz, a second of five (ETSI TR 101 041), at `LEVEL_DBFS`; for ever the
    same, and loud enough."""
    time = np.arange(RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 425 * time) * _ends(RATE_HZ, _FADE_S) * _FULL_SCALE * 10 ** (LEVEL_DBFS / 20) * np.sqrt(2)
    return np.concatenate([np.rint(tone), np.zeros(4 * RATE_HZ)]).astype(np.int16)


def _mallet(note: int, bar_s: float) -> _Sound:
    """A soft stroke: a fundamental and two harmonics that die away sooner, over three quarters of a bar."""
    time = np.arange(round(0.75 * bar_s * RATE_HZ)) / RATE_HZ
    turns = 2 * np.pi * _hz(note) * time
    ringing = sum(part * np.sin(k * turns) * np.exp(-1.8 * k * time) for k, part in ((1, 1.0), (2, 0.3), (3, 0.08)))
    return ringing * _ends(time.size, 0.015)


def _pad(note: int, bar_s: float) -> _Sound:
    """A chord's note, swelling and fading over a bar and a quarter; two pure tones beat slowly against each other."""
    time = np.arange(round(1.25 * bar_s * RATE_HZ)) / RATE_HZ
    turns = 2 * np.pi * _hz(note) * time
    return 0.12 * (np.sin(turns) + np.sin(1.0015 * turns)) * _ends(time.size, 0.25 * bar_s)


def _hz(note: int) -> float:
    """Frequency of a MIDI note in equal temperament; 69 is 440 Hz."""
    return float(440 * 2 ** ((note - 69) / 12))


def _ends(samples: int, ramp_s: float) -> _Sound:
    """An envelope of 1 that rises at the beginning and falls at the end, each for `ramp_s`, along half a cosine."""
    count = min(round(ramp_s * RATE_HZ), samples // 2)
    ramp = (1 - np.cos(np.pi * (np.arange(count) + 0.5) / max(1, count))) / 2
    return np.concatenate([ramp, np.ones(samples - 2 * count), ramp[::-1]])


def load_music(path: Path) -> Pcm:
    """A file that libsndfile reads (WAV, FLAC, Ogg, MP3), of any rate, its channels mixed to one, at `LEVEL_DBFS`.

    Raises ConfigurationError, naming the setting `desk.music`, for a file that cannot be read, holds nothing or lasts
    longer than `LONGEST_S`.
    """
    try:
        with path.open("rb") as data, soundfile.SoundFile(data.fileno(), closefd=False) as file:
            rate_hz = file.samplerate
            channels = file.read(LONGEST_S * rate_hz + 1, dtype="float32", always_2d=True)
    except OSError as error:
        raise ConfigurationError(f"desk.music: {path}: {error.strerror}; name a file that can be read") from error
    except soundfile.SoundFileError as error:
        raise ConfigurationError(f"desk.music: {path}: no sound in a format known here; name a WAV file") from error
    if not channels.size:
        raise ConfigurationError(f"desk.music: {path}: holds no sound")
    if len(channels) > LONGEST_S * rate_hz:
        raise ConfigurationError(f"desk.music: {path}: lasts longer than {LONGEST_S} s; name a shorter one")
    sound = resample(np.ascontiguousarray(channels.mean(axis=1)), rate_hz, RATE_HZ).astype(np.float64)
    return _levelled(sound * _ends(sound.size, _FADE_S))


def _levelled(sound: _Sound) -> Pcm:
    """At `LEVEL_DBFS`, or as near to it as the peaks allow; silence stays silence."""
    rms, peak = np.sqrt(np.mean(sound**2)), np.abs(sound).max()
    gain = min(32_768 * 10 ** (LEVEL_DBFS / 20) / rms, _FULL_SCALE / peak) if peak else 0
    pcm: Pcm = np.rint(sound * gain).astype(np.int16)
    return pcm

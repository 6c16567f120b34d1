"""Recordings with transcripts: a folder of WAV files and `transcripts.tsv`, and the one made of Debian's prompts.

The prompts are announcements by one professional speaker (Allison Smith, CC-BY-SA-3.0), 16 kHz by G.722, with the text
she was given. Not all of them are taken: see `_is_taken`. Transcripts that disagree with the sound are not corrected
here but listed with their reasons in `recognise_exclusions.tsv`.
"""

import gzip
import re
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsp.resample import resample
from voice.ports import RATE_HZ, Pcm
from voice.speech.models import cache_dir

SOUNDS = Path("/usr/share/asterisk/sounds/en")
TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
LEAST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound and what was said in it; `name` is its file's, below the corpus."""

    name: str
    pcm: Pcm
    text: str


def load(folder: Path) -> list[Recording]:
    """All recordings of `folder`, in the order of its `transcripts.tsv` (lines of file, tab, text)."""
    recordings = []
    for line in (folder / "transcripts.tsv").read_text().splitlines():
        name, _, text = line.partition("\t")
        with wave.open(str(folder / name)) as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise ValueError(f"{name}: WAV files must be mono, 16 bit")
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
            recordings.append(Recording(name, resample(pcm, file.getframerate(), RATE_HZ), text))
    return recordings


def debian_prompts() -> Path:
    """The corpus of Debian's prompts, made in the cache where it is not there yet.

    SystemExit with one line where the packages are missing.
    """
    folder = cache_dir() / "bench" / "asterisk-en"
    if (folder / "transcripts.tsv").exists():
        return folder
    if not TEXTS.exists() or not (SOUNDS / "goodbye.g722").exists():
        raise SystemExit("the default corpus needs Debian's asterisk-core-sounds-en and asterisk-core-sounds-en-g722")
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, text in _texts():
        source = SOUNDS / f"{name}.g722"
        if _is_taken(text) and source.exists():
            file_name = f"{name.replace('/', '_')}.wav"
            _write(folder / file_name, _g722(source))
            lines.append(f"{file_name}\t{text}\n")
    (folder / "transcripts.tsv").write_text("".join(lines))
    return folder


def _texts() -> list[tuple[str, str]]:
    lines = gzip.decompress(TEXTS.read_bytes()).decode().splitlines()
    pairs = (line.partition(":") for line in lines if line and not line.startswith(";"))
    return [(name.strip(), text.strip()) for name, _, text in pairs]


def _is_taken(text: str) -> bool:
    """Whole utterances of words: no tones ("[beep]", "<beep>"), and no fragments that calls are pieced together of."""
    return not re.search(r"[\[<]", text) and len(re.findall(r"[\w']+", text)) >= LEAST_WORDS


def _g722(path: Path) -> Pcm:
    """Raw G.722 by PyAV, which aiortc brings."""
    import av

    blocks = []
    with av.open(str(path), format="g722") as container:
        for frame in container.decode(audio=0):
            blocks.append(frame.to_ndarray().reshape(-1))
    return np.concatenate(blocks).astype(np.int16)


def _write(path: Path, pcm: Pcm) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm.astype("<i2").tobytes())

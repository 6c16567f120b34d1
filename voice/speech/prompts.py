"""Fixed prompts, kept as sound: in memory for the calls, on disk so that the next start has them at once."""

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np

from voice.ports import Pcm

MAX_BYTES = 64 << 20
"""Half an hour of prompts, in memory and again on disk."""


class PromptCache:
    """Sound by text and pace, of one voice (`identity`), below `folder`."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder / "prompts" / identity
        self._identity = identity
        self._kept: dict[str, Pcm] = {}
        self._bytes = 0

    def get(self, text: str, pace: float) -> Pcm | None:
        """The sound, where it is in memory."""
        return self._kept.get(self._key(text, pace))

    async def load(self, text: str, pace: float) -> Pcm | None:
        """The sound from memory or disk."""
        key = self._key(text, pace)
        if key not in self._kept:
            pcm = await asyncio.to_thread(_read, self._path(key))
            if pcm is not None:
                self._keep(key, pcm)
        return self._kept.get(key)

    async def store(self, text: str, pace: float, pcm: Pcm) -> None:
        """Keep a prompt; past `MAX_BYTES` it is left to be synthesised when it is wanted."""
        key = self._key(text, pace)
        if self._keep(key, pcm):
            await asyncio.to_thread(_write, self._path(key), pcm)

    def _keep(self, key: str, pcm: Pcm) -> bool:
        fits = self._bytes + pcm.nbytes <= MAX_BYTES
        if fits and key not in self._kept:
            self._kept[key] = pcm
            self._bytes += pcm.nbytes
        return fits

    def _key(self, text: str, pace: float) -> str:
        return hashlib.sha256(f"{self._identity}\n{pace:.2f}\n{text}".encode()).hexdigest()[:40]

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.pcm"


def _read(path: Path) -> Pcm | None:
    try:
        sound = path.read_bytes()
    except OSError:
        return None
    return np.frombuffer(sound, "<i2").astype(np.int16) if sound and len(sound) % 2 == 0 else None


def _write(path: Path, pcm: Pcm) -> None:
    """One rename, so that no half prompt is ever read; a full disk only costs the next start some time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(pcm.astype("<i2").tobytes())
        Path(made).replace(path)
        _prune(path.parent)
    except OSError:
        return


def _prune(folder: Path) -> None:
    """Remove the oldest prompts past the bound: texts that are no longer said are never asked for again."""
    files = sorted(folder.glob("*.pcm"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > MAX_BYTES:
            path.unlink(missing_ok=True)

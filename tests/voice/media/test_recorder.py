"""Recordings: both channels, in time, whatever the disk and the process do."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voice.media.recorder import MAX_TICKS, Recorder, Recording, RecordingEnded
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


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path)
    yield recorder
    recorder.close()


def tick(n: int) -> Pcm:
    return np.full(TICK_SAMPLES, n % 30_000 + 1, np.int16)


def test_the_caller_is_on_the_left_and_we_on_the_right(recorder: Recorder, tmp_path: Path) -> None:
    ends = Ends()
    recording = recorder.open("call-1.flac", ends)
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


def test_after_close_nothing_is_taken_and_the_end_comes_once(recorder: Recorder) -> None:
    ends = Ends()
    recording = recorder.open("call-1.flac", ends)
    recording.write(tick(0), tick(0))
    recording.close()
    recording.close()
    recording.write(tick(1), tick(1))
    assert ends.wait().duration_ms == 20
    recorder.close()
    assert len(ends.all) == 1


def test_closing_the_recorder_ends_what_is_open(tmp_path: Path) -> None:
    recorder, ends = Recorder(tmp_path), Ends()
    recorder.open("a.flac", ends).write(tick(1), tick(2))
    recorder.open("b.flac", ends).write(tick(3), tick(4))
    recorder.close()
    assert sorted(ended.path.name for ended in ends.all) == ["a.flac", "b.flac"]
    assert {ended.duration_ms for ended in ends.all} == {20}


def test_a_slow_disk_costs_audio_but_no_time(tmp_path: Path) -> None:
    ends = Ends()
    recording = Recording(tmp_path / "slow.flac", ends)  # no writer's thread: the disk stands still
    for n in range(MAX_TICKS + 30):
        recording.write(tick(n), tick(n))
    assert not recording.advance()
    recording.write(tick(7), tick(7))
    recording.close()
    assert recording.advance()
    assert ends.wait() == RecordingEnded(tmp_path / "slow.flac", (MAX_TICKS + 31) * 20, 30 * 20)
    audio, _ = soundfile.read(tmp_path / "slow.flac", dtype="int16")
    assert audio.shape == ((MAX_TICKS + 31) * TICK_SAMPLES, 2)
    assert not audio[MAX_TICKS * TICK_SAMPLES : -TICK_SAMPLES].any()
    assert (audio[-TICK_SAMPLES:] == tick(7)[:, None]).all()


def test_a_folder_that_cannot_be_written_ends_the_recording_and_raises_nothing(tmp_path: Path) -> None:
    ends = Ends()
    recording = Recording(tmp_path / "absent" / "x.flac", ends)
    recording.write(tick(0), tick(0))
    assert recording.advance()
    assert ends.wait().failure != ""


def test_a_recording_that_does_not_get_its_name_is_told(tmp_path: Path) -> None:
    ends = Ends()
    recording = Recording(tmp_path / "x.flac", ends)
    recording.write(tick(0), tick(0))
    assert not recording.advance()
    (tmp_path / "x.flac").mkdir()
    recording.close()
    assert recording.advance()
    assert "x.flac" in ends.wait().failure


def test_names_do_not_leave_the_folder(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="recording name"):
        recorder.open("../x", Ends())


CHILD = """
    import os, resource, signal, sys
    from pathlib import Path
    import numpy as np
    from voice.media.recorder import Recording
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(1)
    tell = lambda ended: print(ended.duration_ms, ended.failure, flush=True)
    recording = Recording(Path(sys.argv[1]) / "call.flac", tell)
    if sys.argv[2] == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    for n in range(100):
        for _ in range(10):
            tick = (noise.standard_normal(320) * 3000).astype(np.int16)
            recording.write(tick, tick)
        if recording.advance():
            sys.exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def child(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(folder), what],
        capture_output=True, text=True, timeout=50, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip


def test_a_full_disk_ends_the_recording_and_keeps_what_fitted(tmp_path: Path) -> None:
    run = child(tmp_path, "full")
    assert run.returncode == 0, run.stderr
    duration_ms, failure = run.stdout.split(maxsplit=1)
    assert failure.strip()
    audio, _ = soundfile.read(tmp_path / "call.flac", dtype="int16")
    assert 1_000 <= audio.shape[0] / 16 <= int(duration_ms) + 500


def test_a_killed_process_leaves_a_recording_that_can_be_played(tmp_path: Path) -> None:
    run = child(tmp_path, "kill")
    assert run.returncode == -9, run.stderr
    Recorder(tmp_path).close()
    audio, _ = soundfile.read(tmp_path / "call.flac", dtype="int16")
    assert 19_000 <= audio.shape[0] / 16 <= 20_000
    assert np.array_equal(audio[:, 0], audio[:, 1])
    assert audio.std() > 2_000

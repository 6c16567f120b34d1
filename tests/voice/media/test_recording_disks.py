"""Recordings on disks that are full, read-only or gone, and in processes that are killed: each in a process of its own,
on a small filesystem of its own where this machine lets us mount one, and under a limit of file sizes everywhere."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voice.media.audio_file import Format
from voice.media.recorder import Recorder
from voice.media.recording import Recording, RecordingEnded
from voice.ports import TICK_SAMPLES

ROOM = 300_000
"""Octets that the disk has room for, until it is given more."""
PASSES = 60
"""Of the writer, each with 400 ms of sound."""
FREED = 30

CHILD = """
    import json, os, resource, shutil, signal, sys
    from pathlib import Path
    import numpy as np
    from voice.media.recording import Recording
    from tests.voice.media.test_recording_disks import FREED, PASSES, ROOM, noise
    disk, what, format, out = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    ballast = disk / "ballast"
    def fill():
        if what.startswith("limit"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
        elif what.startswith("mount"):
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            ballast.write_bytes(bytes(free - ROOM))
    def free():
        if what.startswith("limit"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            ballast.unlink()
    ends, refused = [], []
    fill()
    recording = Recording(disk / f"call.{format}", ends.append, format)
    for n in range(PASSES):
        if n == FREED and what.endswith("freed"):
            free()
        for tick in noise(n):
            recording.write(tick, tick)
        recording.advance()
        refused.append(recording.refusal)
        if what == "kill" and n == FREED:
            print(recording.path, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    recording.close()
    recording.advance()
    (end,) = ends
    if end.path.exists():
        shutil.copy(end.path, out)
    print(json.dumps([end.duration_ms, end.gap_ms, end.failure, recording.trouble, refused]))
"""


def noise(n: int) -> npt.NDArray[np.int16]:
    """What is said between two passes: i16[20, 320]."""
    return (np.random.default_rng(n).standard_normal((20, TICK_SAMPLES)) * 3_000).astype(np.int16)


def child(
    folder: Path, what: str, format: Format = "flac", mount: str = "", disk: Path | None = None
) -> subprocess.CompletedProcess[str]:
    out = folder / "out"
    if disk is None:
        disk = folder / "disk"
        disk.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(disk), what, format, str(out)]
    if mount:
        command = [*MOUNTED, f'mount -t tmpfs -o {mount} tmpfs {disk} && exec "$@"', "sh", *command]
    root = Path(__file__).parents[3]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=root)


MOUNTED = ["unshare", "--map-root-user", "--mount", "sh", "-c"]


def can_mount() -> bool:
    try:
        return not subprocess.run([*MOUNTED, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


DISKS = [("limit", ""), *([("mount", "size=4m")] if can_mount() else [])]


@pytest.mark.parametrize("format", ["flac", "wav", "opus"])
def test_a_killed_process_leaves_all_but_the_last_second(tmp_path: Path, format: Format) -> None:
    run = child(tmp_path, "kill", format)
    assert run.returncode == -9, run.stderr
    Recorder(tmp_path / "disk", format).close()
    audio, _ = soundfile.read(tmp_path / "disk" / f"call.{format}", dtype="int16")
    said_ms = (FREED + 1) * 400
    assert said_ms - 600 <= audio.shape[0] / 16 <= said_ms, "and 400 more wait, at most, for the next pass"
    assert np.array_equal(audio[:, 0], audio[:, 1])
    assert audio[-1_600:].std() > 500
    if format != "opus":
        assert np.array_equal(audio[:, 0], np.concatenate([noise(n) for n in range(FREED + 1)]).ravel()[: len(audio)])


@pytest.mark.parametrize(("disk", "mount"), DISKS)
def test_a_full_disk_ends_the_recording_where_it_was_full(tmp_path: Path, disk: str, mount: str) -> None:
    run = child(tmp_path, f"{disk} for good", mount=mount)
    assert run.returncode == 0, run.stderr
    duration_ms, gap_ms, failure, trouble, _ = json.loads(run.stdout)
    assert failure == trouble
    assert trouble in ("File too large", "No space left on device")
    assert duration_ms + gap_ms <= PASSES * 400
    audio, _ = soundfile.read(tmp_path / "out", dtype="int16")
    assert 2_000 < audio.shape[0] / 16 <= duration_ms + 400
    assert np.array_equal(audio[:, 0], np.concatenate([noise(n) for n in range(PASSES)]).ravel()[: len(audio)])


@pytest.mark.parametrize("format", ["flac", "wav"])
@pytest.mark.parametrize(("disk", "mount"), DISKS)
def test_where_room_is_made_the_recording_goes_on_in_time(
    tmp_path: Path, disk: str, mount: str, format: Format
) -> None:
    run = child(tmp_path, f"{disk}, freed", format, mount)
    assert run.returncode == 0, run.stderr
    duration_ms, gap_ms, failure, trouble, refused = json.loads(run.stdout)
    assert (duration_ms, failure) == (PASSES * 400, "")
    assert trouble in ("File too large", "No space left on device")
    full = next(n for n in range(PASSES) if refused[n])
    assert not any(refused[FREED:])
    assert gap_ms == (FREED - full - 1) * 400
    audio, _ = soundfile.read(tmp_path / "out", dtype="int16")
    said = np.concatenate([np.zeros_like(noise(n)) if full < n < FREED else noise(n) for n in range(PASSES)]).ravel()
    assert np.array_equal(audio[:, 0], said)
    assert np.array_equal(audio[:, 1], said)


def test_a_read_only_disk_costs_the_recording_and_nothing_else(tmp_path: Path) -> None:
    if len(DISKS) > 1:
        run = child(tmp_path, "read-only", mount="ro")
    else:  # nobody can make a file there
        run = child(tmp_path, "read-only", disk=Path("/proc"))
    assert run.returncode == 0, run.stderr
    duration_ms, gap_ms, failure, trouble, refused = json.loads(run.stdout)
    assert duration_ms == 0
    assert gap_ms == PASSES * 400
    assert failure
    assert set(refused) == {trouble}
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_costs_what_was_said_until_it_is(tmp_path: Path) -> None:
    ends: list[RecordingEnded] = []
    folder = tmp_path / "gone"
    recording = Recording(folder / "x.flac", ends.append)
    for n in range(3):
        for tick in noise(n):
            recording.write(tick, tick)
        assert not recording.advance()
    assert recording.refusal == "No such file or directory"
    folder.mkdir()
    for tick in noise(3):
        recording.write(tick, tick)
    recording.close()
    assert recording.advance()
    assert ends == [RecordingEnded(folder / "x.flac", 1_600, 1_200)]
    audio, _ = soundfile.read(folder / "x.flac", dtype="int16")
    silence = np.zeros_like(noise(1))
    assert np.array_equal(audio[:, 0], np.concatenate([silence, silence, silence, noise(3)]).ravel())


def test_a_recording_that_does_not_get_its_name_is_told(tmp_path: Path) -> None:
    ends: list[RecordingEnded] = []
    recording = Recording(tmp_path / "x.flac", ends.append)
    (tmp_path / "x.flac").mkdir()
    recording.close()
    assert recording.advance()
    assert "x.flac" in ends[0].failure
    assert ends[0].partial

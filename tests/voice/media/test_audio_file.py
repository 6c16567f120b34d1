"""A sound file that can be played at any moment, as far as it was given to the disk."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voice.media.audio_file import CHANNELS, AudioFile, Format
from voice.ports import RATE_HZ


@pytest.mark.parametrize(("format", "behind_ms"), [("flac", 73), ("wav", 0), ("opus", 300)])
def test_after_each_flush_the_file_is_as_long_as_what_was_written_but_for_a_frame(
    tmp_path: Path, format: Format, behind_ms: int
) -> None:
    path = tmp_path / f"x.{format}"
    file = AudioFile(path, format)
    noise = np.random.default_rng(3)
    whole = np.zeros((0, CHANNELS), np.int16)
    for _ in range(40):
        said = (noise.standard_normal((RATE_HZ * 4 // 10, CHANNELS)) * 2_000).astype(np.int16)
        whole = np.concatenate([whole, said])
        file.write(said)
        file.flush()
        heard, _ = soundfile.read(path, dtype="int16")
        assert 0 <= len(whole) - len(heard) <= behind_ms * RATE_HZ // 1_000
        if format != "opus":
            assert np.array_equal(heard, whole[: len(heard)])
    file.finish()
    file.flush()
    file.close()
    heard, _ = soundfile.read(path, dtype="int16")
    assert len(heard) == len(whole)


@pytest.mark.parametrize("format", ["flac", "wav", "opus"])
def test_what_the_disk_refused_is_there_once_it_takes_it(tmp_path: Path, format: Format) -> None:
    path = tmp_path / "later" / f"x.{format}"
    file = AudioFile(path, format)
    said = (np.random.default_rng(3).standard_normal((RATE_HZ, CHANNELS)) * 2_000).astype(np.int16)
    file.write(said)
    with pytest.raises(FileNotFoundError):
        file.flush()
    file.write(said)
    file.finish()
    with pytest.raises(FileNotFoundError):
        file.flush()
    path.parent.mkdir()
    file.flush()
    file.close()
    file.close()
    heard, _ = soundfile.read(path, dtype="int16")
    assert len(heard) == 2 * RATE_HZ
    assert format == "opus" or np.array_equal(heard, np.concatenate([said, said]))

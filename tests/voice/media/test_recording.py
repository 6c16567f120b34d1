"""A recording is as long as the call, in both channels, whatever was lost, left out or paused."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voice.media.audio_file import Format
from voice.media.recording import LATE, MAX_TICKS, Recording, RecordingEnded
from voice.ports import TICK_SAMPLES, Pcm

FORMATS: tuple[Format, ...] = ("flac", "wav", "opus")
HOUR_TICKS = 180_000
LOUD = 12_000


class Tape:
    """A recording that is written to its end in this thread."""

    def __init__(self, folder: Path, format: Format = "flac") -> None:
        self.ends: list[RecordingEnded] = []
        self.path = folder / f"call.{format}"
        self.recording = Recording(self.path, self.ends.append, format)

    def say(self, *ticks: int) -> None:
        """Write a tick of each of these values, the caller's as it is and ours negated."""
        for value in ticks:
            self.recording.write(tick(value), -tick(value))

    def end(self) -> RecordingEnded:
        self.recording.close()
        assert self.recording.advance()
        (ended,) = self.ends
        return ended

    @property
    def values(self) -> list[int]:
        """The ticks of the file, by their first sample."""
        audio, _ = soundfile.read(self.path, dtype="int16")
        assert np.array_equal(audio[:, 0], -audio[:, 1])
        return [int(value) for value in audio[::TICK_SAMPLES, 0]]


def tick(value: int) -> Pcm:
    return np.full(TICK_SAMPLES, value, np.int16)


def test_blocks_of_any_length_follow_each_other(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    blocks = [np.arange(n * TICK_SAMPLES, dtype=np.int16) for n in (1, 7, 3, 1)]
    for block in blocks:
        tape.recording.write(block, -block)
    assert tape.end() == RecordingEnded(tape.path, 12 * 20, 0)
    audio, _ = soundfile.read(tape.path, dtype="int16")
    assert np.array_equal(audio[:, 0], np.concatenate(blocks))
    assert np.array_equal(audio[:, 1], -np.concatenate(blocks))


def test_what_was_left_out_is_silent_and_counted(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.recording.skip(2)
    tape.say(1, 2)
    tape.recording.skip(1)
    tape.recording.skip(2)
    tape.say(3)
    tape.recording.skip(1)
    assert tape.recording.trouble == LATE
    ended = tape.end()
    assert ended == RecordingEnded(tape.path, 9 * 20, 6 * 20)
    assert ended.partial
    assert tape.values == [0, 0, 1, 2, 0, 0, 0, 3, 0]


def test_a_slow_disk_costs_audio_but_no_time(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.say(*range(1, MAX_TICKS + 31))
    assert not tape.recording.advance()
    tape.say(7_000)
    ended = tape.end()
    assert (ended.duration_ms, ended.gap_ms) == ((MAX_TICKS + 31) * 20, 30 * 20)
    assert tape.values == [*range(1, MAX_TICKS + 1), *[0] * 30, 7_000]


def test_a_pause_is_silent_and_nothing_is_missing(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.say(1)
    tape.recording.pause("silence")
    tape.say(2, 3)
    tape.recording.skip(1)
    tape.recording.resume()
    tape.say(4)
    ended = tape.end()
    assert (ended.duration_ms, ended.gap_ms, ended.partial) == (100, 0, False)
    assert tape.values == [1, 0, 0, 0, 4]


def test_a_pause_may_be_left_out(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.say(1)
    tape.recording.pause("skip")
    tape.say(2, 3)
    tape.recording.skip(1)
    tape.recording.resume()
    tape.say(4)
    assert tape.end().duration_ms == 40
    assert tape.values == [1, 4]


def test_a_recording_that_ends_in_a_pause_has_all_of_it(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.recording.pause("silence")
    for _ in range(2 * MAX_TICKS):
        tape.say(1)
    assert tape.end().duration_ms == 2 * MAX_TICKS * 20
    assert not any(tape.values)


def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.say(1)
    tape.recording.close()
    tape.say(2)
    tape.recording.skip(3)
    assert tape.end() == RecordingEnded(tape.path, 20, 0)


@pytest.mark.parametrize(("format", "ticks"), [("flac", HOUR_TICKS), ("wav", HOUR_TICKS), ("opus", HOUR_TICKS // 20)])
def test_an_hour_is_an_hour_long_and_what_was_said_is_where_it_was_said(
    tmp_path: Path, format: Format, ticks: int
) -> None:
    """Losses, stalls of the disk and pauses at random; a bang every second, caller and we in turn."""
    chance = np.random.default_rng(5)
    tape = Tape(tmp_path, format)
    said: tuple[list[int], list[int]] = ([], [])
    at, paused, standing = 0, False, 0
    while at < ticks:
        n = min(int(chance.integers(1, 11)), ticks - at)
        if chance.random() < 0.002:
            paused = not paused
            tape.recording.pause("silence") if paused else tape.recording.resume()
        if chance.random() < 0.001:
            standing = 700  # ticks in which nothing is written: more than may wait
        if chance.random() < 0.05:
            tape.recording.skip(n)
        else:
            missing = tape.recording.gap_ms
            sides = np.zeros((2, n * TICK_SAMPLES), np.int16)
            bang = next((k for k in range(n) if (at + k) % 50 == 25), None)
            side = (at // 50) % 2
            if bang is not None:
                sides[side, bang * TICK_SAMPLES : (bang + 1) * TICK_SAMPLES] = bang_of_a_tick()
            tape.recording.write(*sides)
            if bang is not None and not paused and tape.recording.gap_ms == missing:
                said[side].append(at + bang)
        at += n
        standing -= n
        if standing <= 0 and chance.random() < 0.3:
            tape.recording.advance()
    ended = tape.end()
    assert ended.duration_ms == ticks * 20
    assert ended.partial
    assert min(map(len, said)) > ticks // 300, "most of it was recorded"
    heard = list(loud_ticks(tape.path, ticks))
    for side in (0, 1):
        found = [at for of, at in heard if of == side]
        assert len(found) == len(said[side])
        assert max(abs(a - b) for a, b in zip(found, said[side], strict=True)) <= (1 if format == "opus" else 0)


def bang_of_a_tick() -> Pcm:
    return (LOUD * np.sin(np.arange(TICK_SAMPLES) * 2 * np.pi / 20)).astype(np.int16)


def loud_ticks(path: Path, ticks: int) -> Iterator[tuple[int, int]]:
    """Side and place of each bang in the file, which is `ticks` long; of two ticks that share one the louder."""
    levels: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
    for audio in soundfile.blocks(path, TICK_SAMPLES * 1_000, dtype="int16"):
        levels.append(np.abs(audio.reshape(-1, TICK_SAMPLES, 2).astype(np.float64)).mean(axis=1))
    level = np.concatenate(levels)
    assert len(level) == ticks
    for at, side in np.argwhere(level > LOUD / 5):
        around = level[max(0, at - 1) : at + 2, side]
        if level[at, side] == around.max():
            yield int(side), int(at)

"""Several legs in one recording: who speaks at the same time is in the same place."""

from dataclasses import dataclass, field

import numpy as np

from voice.media.tracks import LEFT, RIGHT, Track, Tracks
from voice.ports import TICK_SAMPLES, Pcm

SILENCE = np.zeros(TICK_SAMPLES, np.int16)


@dataclass
class Tape:
    """`ticks` has the first sample of both channels of each tick."""

    ticks: list[tuple[int, int]] = field(default_factory=list)

    def write(self, caller: Pcm, ours: Pcm) -> None:
        assert caller.dtype == ours.dtype == np.int16
        assert caller.size == ours.size == TICK_SAMPLES
        self.ticks.append((int(caller[0]), int(ours[0])))


def say(track: Track, value: int) -> None:
    track.write(np.full(TICK_SAMPLES, value, np.int16), SILENCE)


def test_each_side_has_its_channel() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    caller, agent = Track(tracks, LEFT), Track(tracks, RIGHT)
    for tick in range(3):
        say(caller, 10 + tick)
        say(agent, 20 + tick)
    assert tape.ticks == [(10, 20), (11, 21)], "the last tick is not over yet"


def test_one_that_comes_later_and_one_that_leaves_change_nothing_for_the_others() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    first, second = Track(tracks, LEFT), Track(tracks, RIGHT)
    say(first, 1)
    say(first, 2)
    say(second, 3)
    say(first, 4)
    say(second, 5)
    say(second, 6)
    say(second, 7)
    assert tape.ticks == [(1, 0), (2, 3), (4, 5), (0, 6)]


def test_those_of_one_side_are_added_up_and_cut_where_they_are_too_loud() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    one, two = Track(tracks, LEFT), Track(tracks, LEFT)
    for value in (1, 30_000, -30_000, 0):
        say(one, value)
        say(two, value)
    assert tape.ticks == [(2, 0), (32_767, 0), (-32_768, 0)]


def test_who_changes_sides_is_heard_on_the_other() -> None:
    tape = Tape()
    track = Track(Tracks(tape), LEFT)
    say(track, 1)
    track.side = RIGHT
    say(track, 2)
    say(track, 3)
    assert tape.ticks == [(1, 0), (0, 2)]

"""Several legs in one recording: who speaks at the same time is in the same place."""

from dataclasses import dataclass, field

import numpy as np

from voice.media.tracks import LEFT, RIGHT, Track, Tracks
from voice.ports import TICK_SAMPLES, Pcm

LEFT_OUT = (-1, -1)


@dataclass
class Tape:
    """`ticks` has the first sample of both channels of each tick, and `LEFT_OUT` for each that was left out."""

    ticks: list[tuple[int, int]] = field(default_factory=list)

    def write(self, caller: Pcm, ours: Pcm) -> None:
        assert caller.dtype == ours.dtype == np.int16
        assert caller.size == ours.size
        for at in range(0, caller.size, TICK_SAMPLES):
            self.ticks.append((int(caller[at]), int(ours[at])))

    def skip(self, ticks: int) -> None:
        self.ticks += [LEFT_OUT] * ticks


def say(track: Track, *values: int) -> None:
    """A block of a tick of each value."""
    track.write(np.repeat(np.array(values, np.int16), TICK_SAMPLES), np.zeros(len(values) * TICK_SAMPLES, np.int16))


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


def test_blocks_of_one_length_are_in_the_same_place() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    caller, agent = Track(tracks, LEFT), Track(tracks, RIGHT)
    say(caller, 1, 2, 3)
    say(agent, 4, 5, 6)
    say(caller, 7, 8)
    say(agent, 9, 10)
    say(caller, 11)
    assert tape.ticks == [(1, 4), (2, 5), (3, 6), (7, 9), (8, 10)]


def test_one_that_comes_in_the_midst_of_a_block_has_heard_the_end_of_it() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    caller, agent = Track(tracks, LEFT), Track(tracks, RIGHT)
    say(caller, 1, 2, 3)
    say(agent, 4)
    say(caller, 5, 6)
    say(agent, 7, 8)
    say(caller, 9)
    assert tape.ticks == [(1, 0), (2, 0), (3, 4), (5, 7), (6, 8)]


def test_blocks_of_different_lengths_stay_in_step_and_nobody_is_waited_for_too_long() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    caller, agent = Track(tracks, LEFT), Track(tracks, RIGHT)
    say(caller, 1, 2)
    say(agent, 1, 2)
    for n in range(1, 30):
        say(caller, 2 * n + 1, 2 * n + 2)
        say(agent, 2 * n + 1)
        say(agent, 2 * n + 2)
    assert tape.ticks == [(n, n) for n in range(1, len(tape.ticks) + 1)]
    assert len(tape.ticks) >= 50
    say(agent, *[7] * 200)
    say(caller, 8)
    say(agent, 9)
    assert len(tape.ticks) >= 200


def test_what_all_of_them_missed_is_left_out_and_what_one_missed_is_silent() -> None:
    tape = Tape()
    tracks = Tracks(tape)
    caller, agent = Track(tracks, LEFT), Track(tracks, RIGHT)
    say(caller, 1)
    agent.skip(1)
    caller.skip(3)
    agent.skip(3)
    caller.skip(1)
    say(agent, 2)
    say(caller, 3)
    assert tape.ticks == [(1, 0), LEFT_OUT, LEFT_OUT, LEFT_OUT, (0, 2)]

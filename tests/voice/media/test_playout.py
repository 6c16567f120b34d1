"""What is queued, what left, and what was heard of it."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.media.engine import playing
from voice.media.engine.arrays import engine
from voice.media.engine.layout import MAX_CHUNKS
from voice.media.playout import Playout
from voice.media.row import Row
from voice.ports import QUEUE_MS, TICK_SAMPLES, Pcm, Played

_ROW = np.zeros(1, np.int32)


def audio(ms: int, start: int = 0) -> Pcm:
    return (np.arange(start, start + ms * 16) % 30_000).astype(np.int16)


class Mouth:
    """A playout over an engine's row, and the tick that drains it."""

    def __init__(self, allowance_ms: int = 0) -> None:
        self._it = engine(1)
        self._leg = self._it.inbound.legs[0]
        self._leg["sends"] = self._leg["reachable"] = 1
        self._leg["event_type"] = -1
        self._row = Row(self._it, 0, post=lambda *_: None, chance=Random(1))
        self._tick = 0
        self.playout = Playout(self._it.speaking, 0, allowance_ms)

    def take(self) -> tuple[Pcm, tuple[Played, ...]]:
        """What the far end is told in the next tick, and how far that brings its playbacks."""
        playing.play(_ROW, self._tick, self._it.inbound.legs, self._it.speaking)
        self._tick += 1
        heard = [self.playout.heard(mark.playback, mark.samples, done=mark.done) for mark in self._row.marks()]
        assert self._leg["playing"] or not heard
        return self._it.speaking.told[0].copy(), tuple(heard)

    def heard(self) -> tuple[Played, ...]:
        return self.take()[1]

    def hold(self, *, sends: bool) -> None:
        self._leg["sends"] = sends


def test_nothing_queued_is_silence() -> None:
    out, heard = Mouth().take()
    assert heard == ()
    assert not out.any()


def test_what_was_heard_is_what_left_less_the_allowance() -> None:
    mouth = Mouth(60)
    mouth.playout.play(7, audio(200), last=True)
    heard = [mouth.heard() for _ in range(11)]
    assert heard[:9] == [(Played(7, max(0, 20 * n - 60), False),) for n in range(1, 10)]
    assert heard[9] == (Played(7, 200, True),)
    assert heard[10] == ()


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), max_size=12), st.integers(1, 5))
def test_pieces_of_any_length_leave_without_a_gap(sizes: list[int], playbacks: int) -> None:
    mouth = Mouth()
    total = sum(sizes)
    sound = (np.arange(1, total + 1) % 30_000).astype(np.int16)
    at = 0
    for n, size in enumerate(sizes):
        assert mouth.playout.play(n % playbacks, sound[at : at + size], last=False)
        at += size
    out = np.concatenate([mouth.take()[0] for _ in range(total // TICK_SAMPLES + 2)])
    assert np.array_equal(out[:total], sound)
    assert not out[total:].any()
    assert mouth.playout.queued_ms == 0


def test_heard_never_goes_back_and_ends_with_the_whole() -> None:
    mouth = Mouth(60)
    for _ in range(10):
        mouth.playout.play(1, audio(33), last=False)
    mouth.playout.play(1, audio(0), last=True)
    marks = [mark for _ in range(20) for mark in mouth.heard()]
    assert [mark.played_ms for mark in marks] == sorted(mark.played_ms for mark in marks)
    assert marks[-1] == Played(1, 330, True)
    assert sum(mark.done for mark in marks) == 1


def test_a_playback_waits_for_its_next_piece() -> None:
    mouth = Mouth()
    mouth.playout.play(1, audio(30), last=False)
    assert [mouth.heard() for _ in range(3)] == [(Played(1, 20, False),), (Played(1, 30, False),), ()]
    mouth.playout.play(1, audio(10), last=True)
    assert mouth.heard() == (Played(1, 40, True),)


def test_two_playbacks_may_share_a_tick() -> None:
    mouth = Mouth()
    mouth.playout.play(1, audio(30), last=True)
    mouth.playout.play(2, audio(30), last=True)
    assert [mouth.heard() for _ in range(3)] == [
        (Played(1, 20, False),),
        (Played(1, 30, True), Played(2, 10, False)),
        (Played(2, 30, True),),
    ]


def test_on_hold_the_queue_stands() -> None:
    mouth = Mouth()
    mouth.playout.play(1, audio(40), last=True)
    mouth.take()
    mouth.hold(sends=False)
    for _ in range(10):
        out, heard = mouth.take()
        assert not out.any()
        assert heard == ()
    assert mouth.playout.queued_ms == 20
    mouth.hold(sends=True)
    out, heard = mouth.take()
    assert np.array_equal(out, audio(20, start=320))
    assert heard == (Played(1, 40, True),)


def test_stop_tells_where_it_stood_and_drops_the_rest() -> None:
    mouth = Mouth(60)
    mouth.playout.play(3, audio(1000), last=True)
    mouth.playout.play(4, audio(1000), last=True)
    for _ in range(10):
        mouth.take()
    assert mouth.playout.queued_ms == 1800
    assert mouth.playout.stop() == Played(3, 140, False)
    assert mouth.playout.queued_ms == 0
    assert mouth.heard() == ()
    assert mouth.playout.stop() is None


def test_stop_before_anything_left() -> None:
    mouth = Mouth()
    mouth.playout.play(3, audio(100), last=True)
    assert mouth.playout.stop() == Played(3, 0, False)
    assert mouth.playout.stop() is None


def test_stop_after_the_last_sample_has_nothing_to_stop() -> None:
    mouth = Mouth()
    mouth.playout.play(3, audio(20), last=True)
    mouth.take()
    assert mouth.playout.stop() is None


def test_stop_when_nothing_waits_but_the_end() -> None:
    mouth = Mouth()
    mouth.playout.play(3, audio(20), last=False)
    mouth.take()
    mouth.playout.play(3, audio(0), last=True)
    mouth.playout.play(4, audio(20), last=True)
    assert mouth.playout.stop() == Played(3, 20, True)


def test_stop_while_a_playback_waits_for_its_next_piece() -> None:
    mouth = Mouth()
    mouth.playout.play(3, audio(20), last=False)
    mouth.take()
    mouth.take()
    assert mouth.playout.stop() == Played(3, 20, False)


def test_after_a_stop_new_audio_starts_at_once_and_from_nothing() -> None:
    mouth = Mouth()
    mouth.playout.play(3, audio(1000), last=True)
    mouth.take()
    mouth.playout.stop()
    mouth.playout.play(3, audio(40, start=5), last=True)
    assert mouth.playout.queued_ms == 40
    out, heard = mouth.take()
    assert np.array_equal(out, audio(20, start=5))
    assert heard == (Played(3, 20, False),)


def test_a_stop_in_the_middle_of_a_piece_costs_the_next_one_nothing() -> None:
    mouth = Mouth()
    mouth.playout.play(1, audio(30), last=True)
    mouth.take()
    mouth.playout.stop()
    mouth.playout.play(2, audio(30, start=7), last=True)
    out = np.concatenate([mouth.take()[0] for _ in range(2)])
    assert np.array_equal(out[:480], audio(30, start=7))
    assert mouth.playout.queued_ms == 0


def test_the_queue_is_bounded_in_time_and_number() -> None:
    playout = Mouth().playout
    assert playout.play(1, audio(QUEUE_MS), last=False)
    assert not playout.play(1, audio(20), last=False)
    assert playout.queued_ms == QUEUE_MS
    many = Mouth()
    assert all(many.playout.play(1, audio(1), last=False) for _ in range(MAX_CHUNKS))
    assert not many.playout.play(1, audio(1), last=False)
    many.take()
    assert [many.playout.play(1, audio(1), last=False) for _ in range(21)] == [True] * 20 + [False]


def test_a_queue_goes_round_its_ring() -> None:
    mouth = Mouth()
    for n in range(2 * MAX_CHUNKS // 20):
        for k in range(20):
            assert mouth.playout.play(1, audio(1, start=20 * n + k), last=False)
        out, heard = mouth.take()
        assert np.array_equal(out[::16], np.arange(20) + 20 * n)
        assert heard == (Played(1, 20 * (n + 1), False),)


def test_other_audio_than_int16_vectors_is_refused() -> None:
    playout = Mouth().playout
    with pytest.raises(ValueError, match="float32"):
        playout.play(1, np.zeros(10, np.float32), last=False)
    with pytest.raises(ValueError, match="int16"):
        playout.play(1, np.zeros((2, 10), np.int16), last=False)

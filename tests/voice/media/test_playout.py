"""What is queued, what left, and what was heard of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.media.playout import MAX_CHUNKS, Playout
from voice.ports import QUEUE_MS, TICK_SAMPLES, Pcm, Played


def audio(ms: int, start: int = 0) -> Pcm:
    return (np.arange(start, start + ms * 16) % 30_000).astype(np.int16)


def take(playout: Playout) -> tuple[Pcm, tuple[Played, ...] | None]:
    out = np.full(TICK_SAMPLES, -1, np.int16)
    moved = playout.take(out)
    return out, moved


def test_nothing_queued_is_silence() -> None:
    out, moved = take(Playout())
    assert moved is None
    assert not out.any()


def test_what_was_heard_is_what_left_less_the_allowance() -> None:
    playout = Playout(60)
    playout.play(7, audio(200), last=True)
    heard = [take(playout)[1] for _ in range(11)]
    assert heard[:9] == [(Played(7, max(0, 20 * n - 60), False),) for n in range(1, 10)]
    assert heard[9] == (Played(7, 200, True),)
    assert heard[10] is None


@given(st.lists(st.integers(0, 1000), max_size=12), st.integers(1, 5))
def test_pieces_of_any_length_leave_without_a_gap(sizes: list[int], playbacks: int) -> None:
    playout = Playout()
    total = sum(sizes)
    sound = (np.arange(1, total + 1) % 30_000).astype(np.int16)
    at = 0
    for n, size in enumerate(sizes):
        assert playout.play(n % playbacks, sound[at : at + size], last=False)
        at += size
    out = np.concatenate([take(playout)[0] for _ in range(total // TICK_SAMPLES + 2)])
    assert np.array_equal(out[:total], sound)
    assert not out[total:].any()
    assert playout.queued_ms == 0


def test_heard_never_goes_back_and_ends_with_the_whole() -> None:
    playout = Playout(60)
    for _ in range(10):
        playout.play(1, audio(33), last=False)
    playout.play(1, audio(0), last=True)
    marks = [mark for _ in range(20) for mark in take(playout)[1] or ()]
    assert [mark.played_ms for mark in marks] == sorted(mark.played_ms for mark in marks)
    assert marks[-1] == Played(1, 330, True)
    assert sum(mark.done for mark in marks) == 1


def test_a_playback_waits_for_its_next_piece() -> None:
    playout = Playout(0)
    playout.play(1, audio(30), last=False)
    assert take(playout)[1] == (Played(1, 20, False),)
    assert take(playout)[1] == (Played(1, 30, False),)
    assert take(playout)[1] is None
    playout.play(1, audio(10), last=True)
    assert take(playout)[1] == (Played(1, 40, True),)


def test_two_playbacks_may_share_a_tick() -> None:
    playout = Playout(0)
    playout.play(1, audio(30), last=True)
    playout.play(2, audio(30), last=True)
    assert [take(playout)[1] for _ in range(3)] == [
        (Played(1, 20, False),),
        (Played(1, 30, True), Played(2, 10, False)),
        (Played(2, 30, True),),
    ]


def test_stop_tells_where_it_stood_and_drops_the_rest() -> None:
    playout = Playout(60)
    playout.play(3, audio(1000), last=True)
    playout.play(4, audio(1000), last=True)
    for _ in range(10):
        take(playout)
    assert playout.queued_ms == 1800
    assert playout.stop() == Played(3, 140, False)
    assert playout.queued_ms == 0
    assert take(playout)[1] is None
    assert playout.stop() is None


def test_stop_before_anything_left() -> None:
    playout = Playout()
    playout.play(3, audio(100), last=True)
    assert playout.stop() == Played(3, 0, False)
    assert playout.stop() is None


def test_stop_after_the_last_sample_has_nothing_to_stop() -> None:
    playout = Playout()
    playout.play(3, audio(20), last=True)
    take(playout)
    assert playout.stop() is None


def test_stop_when_nothing_waits_but_the_end() -> None:
    playout = Playout()
    playout.play(3, audio(20), last=False)
    take(playout)
    playout.play(3, audio(0), last=True)
    playout.play(4, audio(20), last=True)
    assert playout.stop() == Played(3, 20, True)


def test_stop_while_a_playback_waits_for_its_next_piece() -> None:
    playout = Playout(0)
    playout.play(3, audio(20), last=False)
    take(playout)
    take(playout)
    assert playout.stop() == Played(3, 20, False)


def test_after_a_stop_new_audio_starts_at_once_and_from_nothing() -> None:
    playout = Playout(0)
    playout.play(3, audio(1000), last=True)
    take(playout)
    playout.stop()
    playout.play(3, audio(40, start=5), last=True)
    assert playout.queued_ms == 40
    out, moved = take(playout)
    assert np.array_equal(out, audio(20, start=5))
    assert moved == (Played(3, 20, False),)


def test_the_queue_is_bounded_in_time_and_number() -> None:
    playout = Playout()
    assert playout.play(1, audio(QUEUE_MS), last=False)
    assert not playout.play(1, audio(20), last=False)
    assert playout.queued_ms == QUEUE_MS
    many = Playout()
    assert all(many.play(1, audio(1), last=False) for _ in range(MAX_CHUNKS))
    assert not many.play(1, audio(1), last=False)


def test_other_audio_than_int16_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        Playout().play(1, np.zeros(10, np.float32), last=False)

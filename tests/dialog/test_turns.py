"""The table of turns: it is a function, it ends, and the pairs that decide how a call feels are in it."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dialog.turns import TABLE, Effect, Input, State, mermaid, step


def test_each_pair_stands_once() -> None:
    pairs = Counter((row.state, row.input) for row in TABLE)
    assert [pair for pair, times in pairs.items() if times > 1] == []


def test_every_state_can_be_reached_and_left() -> None:
    reached = {State.OPENING} | {row.next for row in TABLE}
    left = {row.state for row in TABLE}
    assert reached == set(State)
    assert left == set(State) - {State.ENDED}


@given(st.lists(st.sampled_from(Input), max_size=60))
def test_nothing_leaves_the_end_and_the_caller_leaving_always_ends(inputs: list[Input]) -> None:
    state = State.OPENING
    for happened in inputs:
        before = state
        state, effects = step(state, happened)
        if before is State.ENDED:
            assert (state, effects) == (State.ENDED, ())
        if happened is Input.GONE:
            assert state is State.ENDED


def test_barge_in_yields_and_words_make_a_turn() -> None:
    state, effects = step(State.ANSWERING, Input.VOICE)
    assert (state, effects) == (State.HEARING, (Effect.YIELD,))
    state, _ = step(state, Input.PAUSED_OUT)
    assert step(state, Input.WORDS) == (State.ANSWERING, (Effect.DROP, Effect.ASK))
    assert step(state, Input.NO_WORDS) == (State.ANSWERING, (Effect.RESUME,))


def test_nothing_comes_before_the_notices() -> None:
    for happened in set(Input) - {Input.REPLY, Input.GONE}:
        assert step(State.OPENING, happened) == (State.OPENING, ())


def test_a_key_over_the_news_that_a_person_comes_asks_nobody_again() -> None:
    for state in (State.ANSWERING, State.HEARING, State.DECIDING):
        state, effects = step(state, Input.HURRIED)
        assert state is State.ENDED
        assert effects[-2:] == (Effect.DROP, Effect.CLOSE)


def test_the_announcement_of_the_end_is_not_interrupted() -> None:
    for state in set(State) - {State.OPENING, State.LEAVING, State.ENDED}:
        assert step(state, Input.EXPIRED)[0] is State.LEAVING
    for happened in set(Input) - {Input.REPLY, Input.CLOSED, Input.GONE}:
        assert step(State.LEAVING, happened) == (State.LEAVING, ())


def test_a_late_reply_is_never_spoken_over_the_caller() -> None:
    for state in (State.HEARING, State.DECIDING):
        assert Effect.PLAY not in step(state, Input.REPLY)[1]


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    docs = Path(__file__).parents[2] / "docs" / "turns.md"
    assert mermaid() in docs.read_text(encoding="utf-8")

"""The table of presence: it is a function, nobody is stuck in it, and the diagram in the docs is drawn from it."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent_assist.desk.ports import Presence
from agent_assist.desk.presence import TABLE, Input, mermaid, step


def test_each_pair_stands_once() -> None:
    pairs = Counter((row.presence, row.input) for row in TABLE)
    assert [pair for pair, times in pairs.items() if times > 1] == []


def test_every_presence_can_be_reached_and_left() -> None:
    assert {row.next for row in TABLE} == {row.presence for row in TABLE} == set(Presence)


@given(st.lists(st.sampled_from(Input), max_size=60))
def test_calls_ring_only_where_the_agent_said_ready_and_wrap_up_is_not_skipped(inputs: list[Input]) -> None:
    presence = Presence.OFFLINE
    for happened in inputs:
        before, presence = presence, step(presence, happened)
        if presence is Presence.RINGING and before is not Presence.RINGING:
            assert (before, happened) == (Presence.READY, Input.RUNG)
        if before is Presence.WRAPPING and presence is not Presence.WRAPPING:
            assert happened in (Input.WRITTEN, Input.ABSENT)
        if presence is Presence.TALKING and before is not Presence.TALKING:
            assert before in (Presence.RINGING, Presence.CALLING)


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    docs = Path(__file__).parents[3] / "docs" / "desk.md"
    assert mermaid() in docs.read_text(encoding="utf-8")

"""Calls that agents have by other telephones: shown while they last, and none of the desk's."""

from collections.abc import Callable
from typing import Literal

import pytest

from agent_assist.desk.messages import CallJoined, CallLeft, CallView, Offered, Recorded
from agent_assist.desk.ports import Conflict, Presence
from dialog.events import (
    CallEnded,
    CallStarted,
    FinalHeard,
    Reading,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    NoteWritten,
    SuggestionDismissed,
    SuggestionTaken,
)
from tests.agent_assist.desk.house import House


def hear(house: House, call_id: str, *agents: str) -> str:
    """A recording client lets us hear a call that `agents` are in."""
    call = house.calls.start(call_id, transport="siprec")
    for agent in agents:
        call.journal.append(0, AgentJoined(agent=agent))
    return call_id


def leave(house: House, call_id: str, agent: str, why: Literal["transferred", "ended"] = "ended") -> None:
    house.calls.tell(call_id, AgentLeft(agent=agent, why=why))


def end(house: House, call_id: str) -> None:
    house.calls.tell(call_id, CallEnded(cause="recording_over", duration_ms=0))


def heard(text: str) -> FinalHeard:
    return FinalHeard(
        utterance=0, readings=(Reading(text=text, confidence=1.0),), voice_start_ms=0, voice_end_ms=1, speaker="agent"
    )


def on_screen(house: House, agent: str) -> CallView:
    view = house.screen(agent).call
    assert view is not None
    return view


def test_the_agent_in_it_sees_the_call_and_nobody_else_does(house: House) -> None:
    for name in ("ann", "bob"):
        house.desk.arrive(name, ())
    hear(house, "a", "ann")
    (joined,) = house.shown("ann", CallJoined)
    assert joined.call == on_screen(house, "ann")
    assert (joined.call.call_id, joined.call.observed) == ("a", True)
    assert joined.call.brief.transport == "siprec"
    assert isinstance(joined.call.records[0].event, CallStarted)
    house.calls.tell("a", heard("Good morning."))
    assert house.shown("ann", Recorded)[-1].record.event == heard("Good morning.")
    assert house.shown("bob", CallJoined) == []
    assert house.shown("bob", Recorded) == []
    assert house.screen("bob").call is None
    assert house.presence("ann") is Presence.AWAY


def test_who_comes_in_the_middle_finds_everything_on_the_screen(house: House) -> None:
    hear(house, "a", "ann")
    house.calls.tell("a", heard("Good morning."))
    house.desk.arrive("ann", ())
    assert [record.seq for record in on_screen(house, "ann").records] == [0, 1, 2, 3]


def test_it_leaves_the_screen_when_it_ends_and_there_is_nothing_to_write_down(house: House) -> None:
    house.desk.arrive("ann", ())
    hear(house, "a", "ann")
    leave(house, "a", "ann")
    end(house, "a")
    assert [(left.call_id, left.why) for left in house.shown("ann", CallLeft)] == [("a", "ended")]
    assert house.screen("ann").call is None
    assert house.screen("ann").wrap_up is None
    assert house.desk.figures["observed"] == 0


def test_a_call_that_ends_without_a_word_is_gone_as_well(house: House) -> None:
    house.desk.arrive("ann", ())
    hear(house, "a", "ann")
    end(house, "a")
    assert house.screen("ann").call is None
    assert house.desk.figures["observed"] == 0


def test_a_colleague_takes_over(house: House) -> None:
    for name in ("ann", "bob"):
        house.desk.arrive(name, ())
    hear(house, "a", "ann")
    leave(house, "a", "ann", "transferred")
    house.calls.tell("a", AgentJoined(agent="bob"))
    assert house.screen("ann").call is None
    assert on_screen(house, "bob").brief.summary == "Was with ann."


def test_who_was_in_it_may_read_it_later(house: House) -> None:
    hear(house, "a", "ann", "bob")
    house.wait(1)
    assert house.store.kept == [("participant", "a", "ann"), ("participant", "a", "bob")]


def test_of_two_the_newest_is_shown_and_then_the_other_again(house: House) -> None:
    house.desk.arrive("ann", ())
    hear(house, "a", "ann")
    hear(house, "b", "ann")
    house.calls.tell("a", heard("Unseen."))
    assert on_screen(house, "ann").call_id == "b"
    assert heard("Unseen.") not in [told.record.event for told in house.shown("ann", Recorded)]
    leave(house, "b", "ann")
    assert on_screen(house, "ann").call_id == "a"
    assert house.shown("ann", CallJoined)[-1].call.records[-1].event == heard("Unseen.")


def test_notes_and_suggestions_are_the_calls(house: House) -> None:
    house.desk.arrive("ann", ())
    hear(house, "a", "ann")
    house.desk.note("ann", "asks for a copy")
    house.desk.suggestion("ann", "copies", "copied")
    house.desk.suggestion("ann", "moves", "dismissed")
    assert house.journal("a", NoteWritten) == [NoteWritten(agent="ann", text="asks for a copy")]
    assert house.journal("a", SuggestionTaken) == [SuggestionTaken(agent="ann", article="copies", how="copied")]
    assert house.journal("a", SuggestionDismissed) == [SuggestionDismissed(agent="ann", article="moves")]


def test_nothing_can_be_done_with_it(house: House) -> None:
    house.desk.arrive("ann", ())
    hear(house, "a", "ann")
    asking: tuple[Callable[[], None], ...] = (
        lambda: house.desk.hold("ann", on=True),
        lambda: house.desk.hang_up("ann"),
        lambda: house.desk.hand_back("ann"),
        lambda: house.desk.transfer("ann", "bob"),
        lambda: house.desk.speak("ann", "Hello."),
    )
    for ask in asking:
        with pytest.raises(Conflict, match="your telephone's"):
            ask()
    assert house.commands("a") == []


def test_who_is_in_a_call_elsewhere_is_not_rung_until_it_is_over(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    hear(house, "a", "ann")
    house.talking("bob", "b")
    house.caller("c")
    assert house.shown("ann", Offered) == []
    with pytest.raises(Conflict, match="already"):
        house.desk.pick("ann", "c")
    with pytest.raises(Conflict, match="not ready"):
        house.desk.transfer("bob", "ann")
    leave(house, "a", "ann")
    assert [offered.offer.call_id for offered in house.shown("ann", Offered)] == ["c"]


def test_a_call_of_ours_comes_before_one_that_is_observed(house: House) -> None:
    house.agent("ann")
    house.caller("b")
    hear(house, "a", "ann")  # while it rings
    house.desk.answer("ann", "b")
    assert on_screen(house, "ann").call_id == "b"
    house.calls.tell("a", heard("Unseen."))
    assert heard("Unseen.") not in [told.record.event for told in house.shown("ann", Recorded)]
    house.hang_up("b")
    assert on_screen(house, "ann").call_id == "a"
    assert house.shown("ann", CallJoined)[-1].call.observed
    assert house.screen("ann").wrap_up is not None


def test_one_that_begins_during_a_call_of_ours_is_shown_after_it_also_when_the_agent_is_lost(house: House) -> None:
    house.talking("ann", "b")
    hear(house, "a", "ann")
    house.audio("ann", False)
    house.wait(20)
    assert house.shown("ann", CallLeft)[-1].why == "lost"
    assert house.shown("ann", CallJoined)[-1].call.call_id == "a"
    end(house, "a")
    assert house.screen("ann").call is None


def test_an_agent_who_joins_twice_is_in_it_once(house: House) -> None:
    house.desk.arrive("ann", ())
    hear(house, "a", "ann", "ann")
    assert len(house.shown("ann", CallJoined)) == 1
    leave(house, "a", "ann")
    leave(house, "a", "ann")
    assert len(house.shown("ann", CallLeft)) == 1

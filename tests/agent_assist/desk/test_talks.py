"""Callers who are with an agent: what agents do with them, and what happens to either side meanwhile."""

from collections.abc import Callable

import pytest

from agent_assist.desk.messages import CallChanged, CallJoined, CallLeft, MeChanged, Recorded, WrapUpDone, WrapUpDue
from agent_assist.desk.ports import Conflict, Presence
from dialog.commands import Announce, End, HandBack, Hold, PauseRecording
from dialog.errors import StoreError
from dialog.events import PartialHeard
from dialog.people_events import NoteWritten, SuggestionDismissed, SuggestionTaken
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place

# -- commands ---------------------------------------------------------------------------------------------------


def test_hold_is_told_once_for_each_change(house: House) -> None:
    house.talking("ann", "a")
    for on in (True, True, False):
        house.desk.hold("ann", on=on)
    assert house.commands("a")[-2:] == [Hold(True, "ann"), Hold(False, "ann")]
    assert [message.on_hold for message in house.shown("ann", CallChanged)] == [True, False]


def test_a_pause_is_told_once_for_each_change_and_is_the_agents_alone(house: House) -> None:
    house.talking("ann", "a")
    for on in (True, True, False, True):
        house.desk.pause_recording("ann", on=on)
    ordered = [command for command in house.commands("a") if isinstance(command, PauseRecording)]
    assert ordered == [PauseRecording(on, "ann") for on in (True, False, True)]
    assert [message.paused for message in house.shown("ann", CallChanged)] == [True, False, True]
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.answer("bob", "a")
    (joined,) = house.shown("bob", CallJoined)
    assert not joined.call.paused


def test_a_pause_that_the_call_refuses_is_none(house: House) -> None:
    house.talking("ann", "a")
    house.calls.refusing = True
    house.desk.pause_recording("ann", on=True)
    assert [(m.paused, m.trouble) for m in house.shown("ann", CallChanged)][-1] == (False, "refused")


def test_what_is_said_noted_and_used_stands_in_the_journal(house: House) -> None:
    house.talking("ann", "a")
    house.desk.speak("ann", "The line is free from six on.", "opening")
    house.desk.speak("ann", "One moment.")
    house.desk.note("ann", "asks for a copy")
    house.desk.suggestion("ann", "copies", "copied")
    house.desk.suggestion("ann", "moves", "dismissed")
    assert house.calls["a"].spoken == ["The line is free from six on.", "One moment."]
    assert house.journal("a", NoteWritten) == [NoteWritten(agent="ann", text="asks for a copy")]
    assert house.journal("a", SuggestionTaken) == [
        SuggestionTaken(agent="ann", article="opening", how="spoken"),
        SuggestionTaken(agent="ann", article="copies", how="copied"),
    ]
    assert house.journal("a", SuggestionDismissed) == [SuggestionDismissed(agent="ann", article="moves")]


def test_each_record_comes_to_the_screen_of_whoever_has_the_call_and_to_no_other(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.calls.tell("a", PartialHeard(utterance=0, text="what"))
    house.desk.note("ann", "listens")
    seqs = [message.record.seq for message in house.shown("ann", Recorded)]
    (joined,) = house.shown("ann", CallJoined)
    assert seqs == [len(joined.call.records), len(joined.call.records) + 1]
    assert house.shown("bob", Recorded) == []


def test_who_is_in_no_call_can_do_nothing_with_it(house: House) -> None:
    house.agent("ann")
    ask: tuple[Callable[[], None], ...] = (
        lambda: house.desk.hold("ann", on=True),
        lambda: house.desk.pause_recording("ann", on=True),
        lambda: house.desk.hang_up("ann"),
        lambda: house.desk.hand_back("ann"),
        lambda: house.desk.transfer("ann", "bob"),
        lambda: house.desk.speak("ann", "hello"),
        lambda: house.desk.note("ann", "hello"),
        lambda: house.desk.suggestion("ann", "moves", "copied"),
    )
    for asked in ask:
        with pytest.raises(Conflict, match="in no call"):
            asked()


def test_a_command_that_the_call_refuses_is_told_as_trouble(house: House) -> None:
    house.talking("ann", "a")
    house.calls.refusing = True
    house.desk.hold("ann", on=True)
    house.desk.speak("ann", "One moment.")
    assert house.troubles("ann") == ["refused", "refused"]
    call = house.screen("ann").call
    assert call is not None
    assert not call.on_hold


# -- how a call ends for an agent -------------------------------------------------------------------------------


def test_the_agent_hangs_up_and_nothing_rings_until_it_is_written_down(house: House) -> None:
    house.talking("ann", "a")
    house.caller("b")
    house.desk.hang_up("ann")
    assert house.commands("a")[-1] == End()
    assert house.presence("ann") is Presence.WRAPPING
    assert [message.why for message in house.shown("ann", CallLeft)] == ["hung_up"]
    (due,) = house.shown("ann", WrapUpDue)
    assert (due.wrap_up.call_id, due.wrap_up.dispositions) == ("a", house.rules.dispositions)
    house.wait(60)
    assert house.place("b") is Place.WAITING
    house.wrap_up("ann", "a", "solved", "sent a copy")
    assert house.presence("ann") is Presence.RINGING
    assert house.store.kept == [("participant", "a", "ann"), ("wrap_up", "a", "ann", "solved", "sent a copy")]
    assert [message.call_id for message in house.shown("ann", WrapUpDone)] == ["a"]


def test_what_was_said_to_follow_the_call_follows_it(house: House) -> None:
    house.talking("ann", "a")
    house.desk.set_presence("ann", "away")
    assert house.shown("ann", MeChanged)[-1].me.next == "away"
    house.desk.hang_up("ann")
    house.wrap_up("ann", "a")
    assert house.presence("ann") is Presence.AWAY


def test_away_may_also_be_said_while_it_is_written_down(house: House) -> None:
    house.talking("ann", "a")
    house.hang_up("a")
    house.desk.set_presence("ann", "away")
    assert house.presence("ann") is Presence.WRAPPING
    house.wrap_up("ann", "a")
    assert house.presence("ann") is Presence.AWAY


def test_the_caller_hangs_up(house: House) -> None:
    house.talking("ann", "a")
    house.hang_up("a")
    assert [message.why for message in house.shown("ann", CallLeft)] == ["caller"]
    assert house.presence("ann") is Presence.WRAPPING


def test_back_to_the_bot_and_from_there_to_a_person_again(house: House) -> None:
    house.talking("ann", "a")
    house.desk.hand_back("ann")
    assert house.commands("a")[-1] == HandBack()
    assert (house.place("a"), house.presence("ann")) == (Place.BOT, Presence.WRAPPING)
    house.caller("a")
    assert house.commands("a")[-1] == Announce(1, None)


def test_a_caller_who_asks_for_a_person_is_not_with_one(house: House) -> None:
    house.talking("ann", "a")
    house.caller("a")
    assert house.presence("ann") is Presence.WRAPPING
    assert house.commands("a")[-1] == Announce(1, None)


def test_a_wrap_up_that_the_store_refuses_is_still_due(house: House) -> None:
    house.talking("ann", "a")
    house.desk.hang_up("ann")
    house.wait(1)
    house.store.refusals = 1
    with pytest.raises(StoreError):
        house.wrap_up("ann", "a")
    assert house.presence("ann") is Presence.WRAPPING
    house.wrap_up("ann", "a")
    assert house.presence("ann") is Presence.READY


def test_a_wrap_up_that_is_not_due_or_names_no_disposition(house: House) -> None:
    house.talking("ann", "a")
    with pytest.raises(Conflict, match="nothing to write down"):
        house.wrap_up("ann", "a")
    house.desk.hang_up("ann")
    with pytest.raises(Conflict, match='"forgotten"'):
        house.wrap_up("ann", "a", "forgotten")
    with pytest.raises(Conflict, match="nothing to write down"):
        house.wrap_up("ann", "b")
    house.wrap_up("ann", "a")
    with pytest.raises(Conflict, match="nothing to write down"):
        house.wrap_up("ann", "a")


# -- transfers --------------------------------------------------------------------------------------------------

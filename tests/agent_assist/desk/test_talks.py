"""Callers who are with an agent: what agents do with them, and what happens to either side meanwhile."""

from collections.abc import Callable

import pytest

from agent_assist.desk.messages import (
    CallChanged,
    CallJoined,
    CallLeft,
    MeChanged,
    OfferWithdrawn,
    Recorded,
    Snapshot,
    WrapUpDone,
    WrapUpDue,
)
from agent_assist.desk.ports import Conflict, LeaveWhy, Presence
from dialog.commands import Announce, BlindTransfer, End, HandBack, Hold, Join, NobodyWhy, Requeue, TurnAway
from dialog.errors import StoreError
from dialog.events import (
    AgentLeft,
    AgentMissed,
    NoteWritten,
    PartialHeard,
    SuggestionDismissed,
    SuggestionTaken,
    TransferFailed,
)
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


def _troubles(house: House, agent: str) -> list[str]:
    return [message.trouble for message in house.shown(agent, CallChanged) if message.trouble]


# -- commands ---------------------------------------------------------------------------------------------------


def test_hold_is_told_once_for_each_change(house: House) -> None:
    house.talking("ann", "a")
    for on in (True, True, False):
        house.desk.hold("ann", on=on)
    assert house.commands("a")[-2:] == [Hold(True, "ann"), Hold(False, "ann")]
    assert [message.on_hold for message in house.shown("ann", CallChanged)] == [True, False]


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
    assert _troubles(house, "ann") == ["refused", "refused"]
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


def test_a_transfer_rings_the_colleague_and_the_first_agent_wraps_up(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.transfer("ann", "bob")
    offer, call = house.screen("bob").offer, house.screen("ann").call
    assert offer is not None and call is not None
    assert (offer.by, offer.brief.reason, call.transferring_to) == ("ann", "a bill", "bob")
    assert house.calls["a"].agent == "ann"
    house.desk.answer("bob", "a")
    assert house.calls["a"].agent == "bob"
    assert [message.why for message in house.shown("ann", CallLeft)] == ["transferred"]
    assert (house.presence("ann"), house.presence("bob")) == (Presence.WRAPPING, Presence.TALKING)
    assert [event.why for event in house.journal("a", AgentLeft)] == ["transferred"]


def test_a_transfer_that_is_declined_changes_nothing(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.decline("bob", "a")
    assert _troubles(house, "ann") == ["declined"]
    assert (house.calls["a"].agent, house.presence("bob")) == ("ann", Presence.READY)
    house.desk.transfer("ann", "bob")
    assert house.presence("bob") is Presence.RINGING


def test_a_transfer_that_is_missed_changes_nothing(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.wait(21)
    assert _troubles(house, "ann") == ["no_answer"]
    assert (house.calls["a"].agent, house.presence("bob")) == ("ann", Presence.AWAY)
    assert [event.why for event in house.journal("a", AgentMissed)] == ["no_answer"]


@pytest.mark.parametrize("page", [True, False], ids=["page", "audio"])
def test_the_colleague_goes_away_while_a_transfer_rings(house: House, page: bool) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.depart("bob") if page else house.audio("bob", False)
    assert _troubles(house, "ann") == ["gone"]
    assert house.calls["a"].agent == "ann"


def test_the_colleague_answers_and_cannot_be_heard(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.calls.audio.discard("bob")
    house.desk.answer("bob", "a")
    assert _troubles(house, "ann") == ["gone"]
    assert (house.calls["a"].agent, house.presence("ann")) == ("ann", Presence.TALKING)


def test_a_transfer_outside_is_ordered_once_and_the_screen_says_whither(house: House) -> None:
    house.calls.reachable.add("112")
    house.talking("ann", "a")
    house.agent("bob")
    for _ in range(2):
        house.desk.transfer_outside("ann", "112")
    assert house.commands("a")[-2:] == [Join("ann"), BlindTransfer("112", "ann")]
    call = house.screen("ann").call
    assert call is not None
    assert call.transferring_to == "112"
    with pytest.raises(Conflict, match="rings 112 already"):
        house.desk.transfer_outside("ann", "113")
    with pytest.raises(Conflict, match="rings 112 already"):
        house.desk.transfer("ann", "bob")
    house.desk.leave("a", LeaveWhy.TRANSFERRED)
    assert [message.why for message in house.shown("ann", CallLeft)] == ["transferred"]
    assert house.presence("ann") is Presence.WRAPPING


def test_a_transfer_outside_that_fails_is_told_and_changes_nothing(house: House) -> None:
    house.talking("ann", "a")
    house.desk.transfer_outside("ann", "113")
    house.calls.reachable.add("112")
    house.desk.transfer_outside("ann", "112")
    house.calls.tell("a", TransferFailed(why="failed", status=486))
    assert _troubles(house, "ann") == ["not_allowed", "failed"]
    call = house.screen("ann").call
    assert call is not None
    assert (call.transferring_to, house.presence("ann")) == ("", Presence.TALKING)
    house.calls.refusing = True
    house.desk.transfer_outside("ann", "112")
    assert _troubles(house, "ann")[-1] == "refused"
    assert house.calls["a"].agent == "ann"


def test_who_has_no_caller_transfers_nobody(house: House) -> None:
    house.agent("ann")
    with pytest.raises(Conflict, match="you are in no call"):
        house.desk.transfer_outside("ann", "112")


def test_a_transfer_to_whoever_cannot_take_it(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.agent("cy")
    house.desk.set_presence("cy", "away")
    for name in ("ann", "cy", "nobody"):
        with pytest.raises(Conflict, match=f"{name} is not ready"):
            house.desk.transfer("ann", name)
    house.desk.transfer("ann", "bob")
    with pytest.raises(Conflict, match="rings bob already"):
        house.desk.transfer("ann", "cy")


def test_the_caller_hangs_up_while_a_transfer_rings(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.hang_up("a")
    assert [message.why for message in house.shown("bob", OfferWithdrawn)] == ["caller"]
    assert (house.presence("ann"), house.presence("bob")) == (Presence.WRAPPING, Presence.READY)


def test_the_agent_gives_the_caller_away_otherwise_while_a_transfer_rings(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.hand_back("ann")
    assert house.screen("bob").offer is None
    assert house.presence("bob") is Presence.READY


def test_the_first_agent_is_lost_while_a_transfer_rings_and_the_colleague_answers(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.close_page("ann")
    house.wait(16)
    assert house.commands("a")[-2:] == [Requeue(), Announce(1, None)]
    assert house.presence("bob") is Presence.RINGING
    house.desk.answer("bob", "a")
    assert house.calls["a"].agent == "bob"
    assert house.desk.figures["waiting"] == 0


def test_the_first_agent_is_lost_while_a_transfer_rings_and_the_colleague_declines(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.agent("cy")
    house.desk.transfer("ann", "bob")
    house.close_page("ann")
    house.wait(16)
    house.desk.decline("bob", "a")
    assert house.presence("cy") is Presence.RINGING


# -- who goes away in mid call ----------------------------------------------------------------------------------


def test_the_page_is_loaded_again_in_mid_call(house: House) -> None:
    house.talking("ann", "a")
    house.close_page("ann")
    assert house.calls["a"].music
    house.wait(3)
    house.desk.arrive("ann", ())
    call = house.screen("ann").call
    assert call is not None
    with pytest.raises(Conflict, match="audio is away"):
        house.desk.hold("ann", on=True)
    house.audio("ann")
    assert house.commands("a")[-2:] == [Hold(True), Join("ann")]
    assert not house.calls["a"].music
    house.wait(60)
    assert house.calls["a"].agent == "ann"
    assert len(house.shown("ann", CallJoined)) == 1


def test_a_caller_on_hold_is_on_hold_after_the_audio_was_away(house: House) -> None:
    house.talking("ann", "a")
    house.desk.hold("ann", on=True)
    house.audio("ann", False)
    house.audio("ann", True)
    assert house.commands("a")[-3:] == [Hold(True, "ann"), Join("ann"), Hold(True, "ann")]


def test_a_page_without_its_stream_for_a_moment_does_not_part_the_two(house: House) -> None:
    house.talking("ann", "a")
    house.desk.depart("ann")
    house.wait(10)
    house.desk.arrive("ann", ())
    house.wait(20)
    assert (house.calls["a"].agent, house.calls["a"].music) == ("ann", False)


def test_an_agent_who_is_lost_for_good_leaves_the_caller_in_front(house: House) -> None:
    house.talking("ann", "a")
    house.talking("bob", "b")
    house.caller("c")
    house.close_page("ann")
    house.wait(16)
    assert house.commands("a")[-2:] == [Requeue(), Announce(1, None)]
    assert house.commands("c")[-1] == Announce(2, None)
    assert [message.why for message in house.shown("ann", CallLeft)] == ["lost"]
    house.hang_up("b")
    house.wrap_up("bob", "b")
    offer = house.screen("bob").offer
    assert offer is not None
    assert offer.call_id == "a"


def test_the_only_agent_is_lost_and_the_caller_is_told_and_not_left(house: House) -> None:
    house.talking("ann", "a")
    house.close_page("ann")
    house.wait(16)
    assert house.commands("a")[-2:] == [Requeue(), TurnAway(NobodyWhy.NOBODY)]


def test_an_audio_that_is_away_for_good_leaves_the_caller_in_front(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.audio("ann", False)
    house.wait(16)
    assert (house.presence("ann"), house.presence("bob")) == (Presence.AWAY, Presence.RINGING)


def test_an_audio_that_is_back_and_cannot_be_joined_is_waited_for_no_longer(house: House) -> None:
    house.talking("ann", "a")
    house.audio("ann", False)
    house.wait(5)
    house.desk.audio("ann", connected=True)  # and gone again before the call could join it
    house.wait(11)
    assert house.commands("a")[-2:] == [Requeue(), TurnAway(NobodyWhy.NOBODY)]


def test_the_caller_hangs_up_while_the_agent_is_waited_for(house: House) -> None:
    house.talking("ann", "a")
    house.close_page("ann")
    house.hang_up("a")
    assert house.presence("ann") is Presence.WRAPPING
    house.wait(20)
    assert house.presence("ann") is Presence.OFFLINE
    house.wait(600)
    house.open_page("ann")
    assert house.presence("ann") is Presence.WRAPPING
    assert isinstance(house.screens["ann"][-1], MeChanged)
    assert house.shown("ann", Snapshot)[-1].wrap_up is not None
    house.wrap_up("ann", "a")
    assert house.presence("ann") is Presence.AWAY, "until it says ready"


def test_who_was_offline_is_shown_the_whole_screen_anew(house: House) -> None:
    house.agent("ann")
    house.close_page("ann")
    house.wait(10)
    house.open_page("ann")
    assert (house.presence("ann"), len(house.shown("ann", Snapshot))) == (Presence.READY, 1)
    house.close_page("ann")
    house.wait(16)
    assert house.shown("ann", MeChanged)[-1].me.presence is Presence.OFFLINE
    house.open_page("ann")
    assert (house.presence("ann"), len(house.shown("ann", Snapshot))) == (Presence.AWAY, 2)


def test_audio_that_outlives_the_page_is_known_when_the_page_is_back(house: House) -> None:
    house.agent("ann")
    house.desk.depart("ann")
    house.wait(16)
    house.desk.arrive("ann", ())
    house.desk.set_presence("ann", "ready")
    assert house.presence("ann") is Presence.READY


def test_ready_needs_audio_and_a_page(house: House) -> None:
    with pytest.raises(Conflict, match="no page"):
        house.desk.set_presence("ann", "ready")
    house.desk.arrive("ann", ())
    with pytest.raises(Conflict, match="audio"):
        house.desk.set_presence("ann", "ready")


def test_colleagues_see_each_other(house: House) -> None:
    house.agent("ann", "bills")
    house.agent("bob")
    (colleague,) = house.screen("bob").colleagues
    assert (colleague.agent, colleague.presence, colleague.skills) == ("ann", Presence.READY, ("bills",))
    house.caller("a")
    house.desk.leave("a", LeaveWhy.BOT)
    assert house.screen("bob").colleagues == (colleague,)

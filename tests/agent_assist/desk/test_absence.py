"""An agent whose page or audio goes away, for a moment or for good."""

import pytest

from agent_assist.desk.messages import CallJoined, CallLeft, MeChanged, Snapshot
from agent_assist.desk.ports import Conflict, LeaveWhy, Presence
from dialog.commands import Announce, Hold, Join, NobodyWhy, Requeue, TurnAway
from tests.agent_assist.desk.house import House


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

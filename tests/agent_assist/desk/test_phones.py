"""Agents with a desk phone: no audio until they pick up, and calls all the same."""

import pytest

from agent_assist.desk.messages import CallLeft, Offered, OfferWithdrawn, WrapUpDue
from agent_assist.desk.ports import GRACE_S, Conflict, Presence
from dialog.commands import Hold, Join, NobodyWhy, TurnAway
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


def with_phone(house: House, name: str) -> str:
    """Somebody whose phone is registered opens the page and is ready."""
    house.desk.arrive(name, ())
    house.desk.phone(name, registered=True)
    house.desk.set_presence(name, "ready")
    return name


def pick_up(house: House, name: str, call_id: str) -> None:
    """What follows when the phone that rings is picked up."""
    house.audio(name)
    house.desk.answer(name, call_id)


def test_a_registered_phone_is_enough_to_be_ready(house: House) -> None:
    house.desk.arrive("eve", ())
    with pytest.raises(Conflict):
        house.desk.set_presence("eve", "ready")
    house.desk.phone("eve", registered=True)
    house.desk.set_presence("eve", "ready")
    me = house.screen("eve").me
    assert (me.presence, me.phone, me.audio) == (Presence.READY, True, False)
    house.wait(2 * GRACE_S)
    assert house.presence("eve") is Presence.READY


def test_picking_up_connects_and_the_call_is_written_up_as_any_other(house: House) -> None:
    with_phone(house, "eve")
    house.caller("c1")
    assert len(house.shown("eve", Offered)) == 1
    with pytest.raises(Conflict, match="pick it up"):
        house.desk.answer("eve", "c1")
    assert house.presence("eve") is Presence.RINGING, "there is nothing to connect yet"
    pick_up(house, "eve", "c1")
    assert (house.place("c1"), house.presence("eve")) == (Place.TALKING, Presence.TALKING)
    house.desk.hang_up("eve")
    house.audio("eve", False)
    assert len(house.shown("eve", WrapUpDue)) == 1
    assert Hold(on=True) not in house.commands("c1")
    house.wrap_up("eve", "c1")
    assert house.presence("eve") is Presence.READY


def test_a_call_taken_out_of_turn_rings_the_phone(house: House) -> None:
    with_phone(house, "eve")
    house.desk.set_presence("eve", "away")
    house.agent("ann")
    house.caller("c1")
    house.desk.set_presence("eve", "ready")
    house.desk.pick("eve", "c1")
    assert house.presence("eve") is Presence.RINGING
    assert [withdrawn.why for withdrawn in house.shown("ann", OfferWithdrawn)] == ["taken"]
    assert not any(isinstance(command, Join) for command in house.commands("c1"))
    pick_up(house, "eve", "c1")
    assert house.place("c1") is Place.TALKING


def test_a_phone_that_goes_while_it_rings_leaves_the_caller_to_the_next(house: House) -> None:
    with_phone(house, "eve")
    house.caller("c1")
    house.agent("ann")
    house.desk.phone("eve", registered=False)
    assert [withdrawn.why for withdrawn in house.shown("eve", OfferWithdrawn)] == ["gone"]
    assert house.presence("ann") is Presence.RINGING
    house.wait(GRACE_S + 1)
    assert house.presence("eve") is Presence.AWAY


def test_nobody_waits_for_a_phone_that_is_gone_and_one_that_is_back_is_rung(house: House) -> None:
    with_phone(house, "eve")
    house.desk.phone("eve", registered=False)
    house.caller("c1")
    house.desk.phone("eve", registered=True)
    assert house.presence("eve") is Presence.RINGING
    house.desk.phone("eve", registered=False)
    house.wait(GRACE_S + 1)
    assert house.commands("c1")[-1] == TurnAway(NobodyWhy.NOBODY)


def test_a_registration_that_ends_in_a_call_ends_no_call(house: House) -> None:
    with_phone(house, "eve")
    house.caller("c1")
    pick_up(house, "eve", "c1")
    house.desk.phone("eve", registered=False)
    house.wait(2 * GRACE_S)
    assert house.place("c1") is Place.TALKING


def test_who_talks_by_phone_needs_the_page_only_afterwards(house: House) -> None:
    with_phone(house, "eve")
    house.caller("c1")
    pick_up(house, "eve", "c1")
    house.desk.depart("eve")
    house.wait(2 * GRACE_S)
    assert house.place("c1") is Place.TALKING
    house.hang_up("c1")
    house.audio("eve", False)
    assert [left.why for left in house.shown("eve", CallLeft)] == ["caller"]
    house.wait(GRACE_S + 1)
    assert house.presence("eve") is Presence.OFFLINE
    house.desk.arrive("eve", ())
    assert house.presence("eve") is Presence.WRAPPING


def test_audio_beside_a_phone_is_answered_as_ever(house: House) -> None:
    house.desk.phone("eve", registered=True)
    house.talking("eve", "c1")
    assert house.place("c1") is Place.TALKING
    house.audio("eve", False)
    assert house.commands("c1")[-1] == Hold(on=True)
    house.wait(GRACE_S + 1)
    assert house.place("c1") is Place.CHOOSING, "the phone does not take over a call that other audio had"


def test_a_phone_alone_is_forgotten_with_its_registration(house: House) -> None:
    house.desk.phone("eve", registered=True)
    house.desk.phone("eve", registered=True)
    assert house.desk.figures["agents"] == 1
    house.desk.phone("eve", registered=False)
    assert house.desk.figures["agents"] == 0

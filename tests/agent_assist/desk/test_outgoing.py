"""The node calls somebody for an agent: nothing rings meanwhile, and whoever answers is a caller like any other."""

import pytest

from agent_assist.desk.messages import CallJoined, NotReached
from agent_assist.desk.ports import Conflict, Presence
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


def calling(house: House) -> None:
    house.agent("ann")
    house.desk.call_out("ann", "112", "a bill")


def test_whoever_answers_is_with_the_agent_and_the_call_is_as_any_other(house: House) -> None:
    calling(house)
    house.desk.call_out("ann", "112", "a bill")
    screen = house.screen("ann")
    assert (screen.me.presence, screen.me.calling) == (Presence.CALLING, "112")
    assert house.calls.calling == {"ann": "112"}
    house.caller("b")
    assert house.place("b") is Place.WAITING, "the agent comes back to the queue afterwards"
    house.calls.answer_out("ann", "a")
    (joined,) = house.shown("ann", CallJoined)
    assert (joined.call.brief.reason, joined.call.brief.caller) == ("a bill", "tel:112")
    assert (house.presence("ann"), house.screen("ann").me.calling) == (Presence.TALKING, "")
    house.wait(1)
    assert ("participant", "a", "ann") in house.store.kept
    house.desk.hand_back("ann")
    assert house.place("a") is Place.BOT
    house.wrap_up("ann", "a")
    assert house.presence("ann") is Presence.RINGING


def test_one_who_is_handed_back_and_comes_again_waits_as_any_other(house: House) -> None:
    calling(house)
    house.calls.answer_out("ann", "a")
    house.desk.hand_back("ann")
    house.wrap_up("ann", "a")
    house.caller("a")
    assert house.presence("ann") is Presence.RINGING
    house.desk.answer("ann", "a")
    assert house.calls["a"].agent == "ann"
    assert house.presence("ann") is Presence.TALKING


@pytest.mark.parametrize("ready", [True, False])
def test_who_is_not_reached_is_told_and_the_agent_is_as_before(house: House, ready: bool) -> None:
    house.agent("ann")
    if not ready:
        house.desk.set_presence("ann", "away")
    house.desk.call_out("ann", "112", "")
    house.desk.not_reached("ann", "no_answer")
    house.desk.not_reached("ann", "no_answer")
    assert house.shown("ann", NotReached) == [NotReached(number="112", why="no_answer")]
    assert house.presence("ann") is (Presence.READY if ready else Presence.AWAY)


def test_a_call_that_is_given_up_leaves_the_agent_as_before(house: House) -> None:
    calling(house)
    house.desk.give_up("ann")
    house.desk.give_up("ann")
    assert house.calls.calling == {}
    assert house.presence("ann") is Presence.READY
    assert house.shown("ann", NotReached) == []


@pytest.mark.parametrize("gone", ["audio", "page"])
def test_an_agent_who_goes_away_calls_nobody(house: House, gone: str) -> None:
    calling(house)
    house.audio("ann", False) if gone == "audio" else house.desk.depart("ann")
    assert house.calls.calling == {}
    assert house.screen("ann").me.calling == ""


def test_one_who_answers_in_the_moment_of_giving_up_is_hung_up_on(house: House) -> None:
    calling(house)
    number = house.calls.calling["ann"]
    house.desk.give_up("ann")
    house.calls.calling["ann"] = number  # the answer was on its way
    house.calls.answer_out("ann", "a")
    assert house.place("a") is Place.OVER
    assert house.presence("ann") is Presence.READY


def test_who_cannot_call(house: House) -> None:
    house.agent("ann")
    house.desk.set_presence("ann", "away")
    house.audio("ann", False)
    with pytest.raises(Conflict, match="there is no audio"):
        house.desk.call_out("ann", "112", "")
    house.talking("bob", "b")
    with pytest.raises(Conflict, match="who is talking cannot call"):
        house.desk.call_out("bob", "112", "")
    with pytest.raises(Conflict, match="no page of yours is open"):
        house.desk.call_out("cy", "112", "")


def test_away_said_while_calling_follows_the_call(house: House) -> None:
    calling(house)
    house.desk.set_presence("ann", "away")
    assert house.presence("ann") is Presence.CALLING
    house.desk.not_reached("ann", "busy")
    assert house.presence("ann") is Presence.AWAY

"""An agent calls somebody in: alone with them, all three, or the caller goes on with them."""

import pytest

from agent_assist.desk.messages import CallChanged, CallLeft, Third
from agent_assist.desk.ports import Conflict, Presence
from dialog.commands import Consult, DropThird, Hold, Join, PutThrough
from dialog.people_events import AgentLeft, CallerPutThrough
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


def consulting(house: House, *, answered: bool = True) -> None:
    """Ann has a caller, and has called 112 in."""
    house.calls.reachable.add("112")
    house.talking("ann", "a")
    house.desk.consult("ann", "112")
    if answered:
        house.calls.answer_third("a")


def third(house: House) -> Third | None:
    call = house.screen("ann").call
    assert call is not None
    return call.third


def test_somebody_is_called_in_and_the_screen_says_how_it_stands(house: House) -> None:
    consulting(house, answered=False)
    house.desk.consult("ann", "112")
    assert house.commands("a")[-2:] == [Join("ann"), Consult("112", "ann")], "asked twice is asked once"
    call = house.screen("ann").call
    assert call is not None
    assert (call.on_hold, call.third) == (True, Third(number="112"))
    house.calls.answer_third("a")
    assert third(house) == Third(number="112", joined=True)
    house.desk.hold("ann", on=False)
    assert house.commands("a")[-1] == Hold(False, "ann")
    last = house.shown("ann", CallChanged)[-1]
    assert (last.on_hold, last.third) == (False, Third(number="112", joined=True)), "all three hear each other"


def test_the_caller_goes_on_with_whom_the_agent_called_in(house: House) -> None:
    consulting(house)
    house.desk.put_through("ann")
    assert house.commands("a")[-1] == PutThrough()
    assert house.place("a") is Place.THROUGH
    assert house.presence("ann") is Presence.WRAPPING
    assert [message.why for message in house.shown("ann", CallLeft)] == ["transferred"]
    assert house.journal("a", CallerPutThrough) == [CallerPutThrough(target="112", agent="ann")]
    assert [event.why for event in house.journal("a", AgentLeft)] == ["transferred"]
    house.wrap_up("ann", "a")
    house.hang_up("a")
    assert house.presence("ann") is Presence.READY


def test_nobody_is_put_through_to_who_has_not_answered(house: House) -> None:
    consulting(house, answered=False)
    with pytest.raises(Conflict, match="nobody else is in the call"):
        house.desk.put_through("ann")
    assert house.calls["a"].agent == "ann"


def test_one_who_is_dropped_is_no_trouble(house: House) -> None:
    consulting(house)
    house.desk.drop_third("ann")
    assert house.commands("a")[-1] == DropThird()
    assert third(house) is None
    assert house.troubles("ann") == []
    house.desk.drop_third("ann")
    assert house.commands("a").count(DropThird()) == 1, "there is nobody to drop any more"
    call = house.screen("ann").call
    assert call is not None
    assert call.on_hold, "the agent takes the caller back"


def test_who_cannot_be_called_or_leaves_is_told_and_the_caller_stays(house: House) -> None:
    house.talking("ann", "a")
    house.desk.consult("ann", "113")
    assert house.troubles("ann") == ["third_not_allowed"]
    call = house.screen("ann").call
    assert call is not None
    assert (call.third, call.on_hold) == (None, False), "and the caller noticed nothing"
    house.calls.reachable.add("112")
    house.desk.consult("ann", "112")
    house.calls.lose_third("a", "no_answer")
    house.desk.consult("ann", "112")
    house.calls.answer_third("a")
    house.calls.lose_third("a", "hung_up")
    assert house.troubles("ann") == ["third_not_allowed", "third_no_answer", "third_hung_up"]
    assert house.presence("ann") is Presence.TALKING


def test_one_thing_at_a_time(house: House) -> None:
    consulting(house, answered=False)
    house.agent("bob")
    for ask, whom in (
        (house.desk.consult, "113"),
        (house.desk.transfer, "bob"),
        (house.desk.transfer_outside, "114"),
    ):
        with pytest.raises(Conflict, match="112 is in the call already"):
            ask("ann", whom)
    house.desk.drop_third("ann")
    house.desk.transfer("ann", "bob")
    with pytest.raises(Conflict, match="the call rings bob already"):
        house.desk.consult("ann", "112")


def test_a_call_that_cannot_says_so(house: House) -> None:
    house.talking("ann", "a")
    house.calls.refusing = True
    house.desk.consult("ann", "112")
    assert house.troubles("ann") == ["refused"]
    assert third(house) is None


def test_without_audio_nobody_is_called_in_and_who_is_there_stays_until_it_is_back(house: House) -> None:
    consulting(house)
    house.audio("ann", False)
    with pytest.raises(Conflict, match="your audio is away"):
        house.desk.consult("ann", "112")
    house.audio("ann")
    assert third(house) == Third(number="112", joined=True)
    assert house.commands("a")[-2:] == [Join("ann"), Hold(True, "ann")]


@pytest.mark.parametrize("leave", ["hand_back", "hang_up", "lost"])
def test_whoever_was_called_in_goes_with_the_agent(house: House, leave: str) -> None:
    consulting(house)
    if leave == "lost":
        house.audio("ann", False)
        house.wait(16)
    else:
        getattr(house.desk, leave)("ann")
    assert house.calls["a"].third == ""
    assert house.troubles("ann") == []

"""What rings: at whom, for how long, and what follows where it is not taken."""

import pytest

from agent_assist.desk.messages import CallJoined, Message, Offered, OfferWithdrawn
from agent_assist.desk.ports import Conflict, LeaveWhy, Presence
from dialog.commands import Announce, Join, NobodyWhy, TurnAway
from dialog.people_events import AgentJoined, AgentMissed, AgentRung
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


def _missed(house: House, call_id: str) -> list[tuple[str, str]]:
    return [(event.agent, event.why) for event in house.journal(call_id, AgentMissed)]


def _withdrawn(house: House, agent: str) -> list[str]:
    return [message.why for message in house.shown(agent, OfferWithdrawn)]


def test_the_longest_idle_is_rung_and_told_everything_before_the_caller_is_heard(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a", reason="a bill")
    assert (house.presence("ann"), house.presence("bob")) == (Presence.RINGING, Presence.READY)
    offer = house.screen("ann").offer
    assert offer is not None
    assert (offer.brief.caller, offer.brief.reason, offer.expires_s) == ("sip:ann@example.com", "a bill", 20.0)
    house.wait(3)
    house.desk.answer("ann", "a")
    kinds: list[type[Message]] = [type(message) for message in house.screens["ann"]]
    assert kinds.index(Offered) < kinds.index(OfferWithdrawn) < kinds.index(CallJoined)
    (joined,) = house.shown("ann", CallJoined)
    assert [record.seq for record in joined.call.records] == list(range(len(joined.call.records)))
    assert isinstance(joined.call.records[-1].event, AgentJoined)
    assert _withdrawn(house, "ann") == ["answered"]
    assert house.presence("ann") is Presence.TALKING


def test_a_decline_goes_to_the_next_and_the_decliner_stays_ready(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.desk.decline("ann", "a")
    assert (house.presence("ann"), house.presence("bob")) == (Presence.READY, Presence.RINGING)
    assert _missed(house, "a") == [("ann", "declined")]
    assert house.commands("a") == [Announce(1, 0)]


def test_no_answer_for_twenty_seconds_goes_to_the_next_and_makes_away(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.wait(19.5)
    assert house.presence("ann") is Presence.RINGING
    house.wait(1)
    assert (house.presence("ann"), house.presence("bob")) == (Presence.AWAY, Presence.RINGING)
    assert _missed(house, "a") == [("ann", "no_answer")]
    assert _withdrawn(house, "ann") == ["no_answer"]


def test_everybody_declines(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.desk.decline("ann", "a")
    house.wait(21)
    assert _missed(house, "a") == [("ann", "declined"), ("bob", "no_answer")]
    assert house.commands("a")[-1] == TurnAway(NobodyWhy.DECLINED)


def test_a_decline_is_no_end_while_a_busy_colleague_may_come(house: House) -> None:
    house.talking("ann", "on")
    house.agent("bob")
    house.caller("a")
    house.desk.decline("bob", "a")
    assert house.place("a") is Place.WAITING
    house.desk.hang_up("ann")
    house.wrap_up("ann", "on")
    assert house.screen("ann").offer is not None


def test_who_says_ready_anew_is_asked_anew(house: House) -> None:
    house.talking("ann", "on")
    house.agent("bob")
    house.caller("a")
    house.wait(21)
    assert house.presence("bob") is Presence.AWAY
    house.desk.set_presence("bob", "ready")
    assert house.presence("bob") is Presence.RINGING


def test_two_press_at_once_and_the_second_is_told_who_was_first(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.desk.answer("ann", "a")
    with pytest.raises(Conflict, match="taken by ann"):
        house.desk.pick("bob", "a")
    with pytest.raises(Conflict, match="taken by ann"):
        house.desk.answer("bob", "a")
    assert (house.presence("bob"), house.calls["a"].agent) == (Presence.READY, "ann")


def test_a_call_is_picked_that_was_just_offered_to_another(house: House) -> None:
    for name in ("ann", "bob", "cy"):
        house.agent(name)
    house.caller("a")
    house.wait(2)
    house.desk.pick("bob", "a")
    assert house.calls["a"].agent == "bob"
    assert _withdrawn(house, "ann") == ["taken"]
    assert house.presence("ann") is Presence.READY
    assert _missed(house, "a") == []
    with pytest.raises(Conflict, match="taken by bob"):
        house.desk.answer("ann", "a")
    house.caller("b")
    assert house.presence("ann") is Presence.RINGING, "idle for longer than cy"


def test_a_pick_shows_the_brief_before_the_caller_is_heard(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a", skill="")
    house.caller("b")
    house.desk.set_presence("ann", "ready")
    house.agent("bob")
    house.desk.decline("bob", "a")
    house.desk.decline("bob", "b")
    house.desk.pick("bob", "b")
    assert house.calls["b"].agent == "bob"
    assert [offered.offer.call_id for offered in house.shown("bob", Offered)] == ["a", "b", "b"]
    assert [event.agent for event in house.journal("b", AgentRung)] == ["bob", "bob"]


def test_a_pick_of_what_rings_here_is_an_answer(house: House) -> None:
    house.agent("ann")
    house.caller("a")
    house.desk.pick("ann", "a")
    house.desk.pick("ann", "a")
    assert house.commands("a").count(Join("ann")) == 1


def test_only_who_is_ready_and_heard_may_pick(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a")
    with pytest.raises(Conflict, match="talking"):
        house.desk.pick("ann", "a")
    house.desk.arrive("bob", ())
    with pytest.raises(Conflict, match="no audio"):
        house.desk.pick("bob", "a")
    with pytest.raises(Conflict, match="no page"):
        house.desk.pick("nobody", "a")
    with pytest.raises(Conflict, match="not there any more"):
        house.desk.pick("bob", "nobody's")


def test_the_caller_hangs_up_while_it_rings(house: House) -> None:
    house.agent("ann")
    house.caller("a")
    house.hang_up("a")
    assert _withdrawn(house, "ann") == ["caller"]
    assert house.presence("ann") is Presence.READY
    with pytest.raises(Conflict, match="not there any more"):
        house.desk.answer("ann", "a")


def test_the_caller_chooses_while_it_rings(house: House) -> None:
    house.agent("ann")
    house.caller("a")
    house.desk.leave("a", LeaveWhy.BOT)
    assert _withdrawn(house, "ann") == ["caller"]


def test_the_caller_hangs_up_within_the_answer(house: House) -> None:
    house.agent("ann")
    house.caller("a")
    house.calls.during = lambda call_id, command: house.hang_up("a") if isinstance(command, Join) else None
    house.desk.answer("ann", "a")
    assert house.presence("ann") is Presence.READY
    assert house.shown("ann", CallJoined) == []
    assert _withdrawn(house, "ann") == ["caller"]


def test_a_call_that_cannot_be_joined_goes_to_the_next(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.calls.audio.discard("ann")  # and the desk has not heard of it yet
    house.desk.answer("ann", "a")
    assert _missed(house, "a") == [("ann", "gone")]
    assert house.presence("bob") is Presence.RINGING
    house.desk.decline("bob", "a")
    assert house.commands("a")[-1] == TurnAway(NobodyWhy.DECLINED), "it is not offered in a circle"


def test_the_page_is_loaded_again_while_it_rings_at_the_only_agent(house: House) -> None:
    house.agent("ann")
    house.caller("a")
    house.close_page("ann")
    assert _missed(house, "a") == [("ann", "gone")]
    house.wait(3)
    assert house.place("a") is Place.WAITING
    house.open_page("ann")
    assert house.presence("ann") is Presence.RINGING
    house.desk.answer("ann", "a")
    assert house.place("a") is Place.TALKING


def test_the_page_is_loaded_again_while_it_rings_and_a_colleague_is_there(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.desk.depart("ann")
    assert house.presence("bob") is Presence.RINGING
    house.desk.arrive("ann", ())
    assert house.presence("ann") is Presence.READY


def test_the_audio_goes_while_it_rings_and_does_not_come_back(house: House) -> None:
    house.agent("ann")
    house.caller("a")
    house.audio("ann", False)
    assert house.screen("ann").offer is None
    house.wait(16)
    assert house.presence("ann") is Presence.AWAY
    assert house.commands("a")[-1] == TurnAway(NobodyWhy.NOBODY)


def test_away_while_it_rings_is_a_no(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.desk.set_presence("ann", "away")
    assert (house.presence("ann"), house.presence("bob")) == (Presence.AWAY, Presence.RINGING)


def test_the_same_command_twice_does_nothing_twice(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.desk.set_presence("ann", "ready")
    house.desk.arrive("ann", ())
    house.caller("a")
    house.desk.decline("ann", "a")
    with pytest.raises(Conflict):
        house.desk.decline("ann", "a")
    house.desk.answer("bob", "a")
    house.desk.answer("bob", "a")
    assert house.commands("a") == [Announce(1, 0), Join("bob")]
    assert len(house.shown("bob", CallJoined)) == 1


def test_two_callers_ring_at_two_agents_in_the_order_of_both(house: House) -> None:
    house.talking("ann", "on")
    house.caller("first")
    house.caller("second")
    house.agent("bob")
    house.agent("cy")
    assert [offer.call_id for name in ("bob", "cy") if (offer := house.screen(name).offer)] == ["first", "second"]

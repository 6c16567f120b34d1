"""Those who wait: told at once where they stand, or that nobody will come."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from agent_assist.desk.hours import Hours
from agent_assist.desk.messages import QueueChanged
from agent_assist.desk.ports import LeaveWhy, Presence
from agent_assist.desk.rules import Rules
from dialog.commands import Announce, NobodyWhy, TurnAway
from dialog.people_events import CallQueued
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


@pytest.fixture
def small() -> Iterator[House]:
    house = House(Rules(queue=2, longest_wait_s=60, ring_s=30, hours=Hours.parse("mon-fri 08:00-18:00")))
    yield house
    house.close()


def test_nobody_signed_in_is_said_at_once(house: House) -> None:
    house.caller("a")
    assert house.commands("a") == [TurnAway(NobodyWhy.NOBODY)]


def test_nobody_with_the_skill_is_nobody(house: House) -> None:
    house.agent("ann", "bills")
    house.agent("bob")
    house.caller("a", skill="moves")
    assert house.commands("a") == [TurnAway(NobodyWhy.NOBODY)]
    house.caller("b", skill="bills")
    assert house.screen("ann").offer is not None


def test_an_agent_who_is_away_is_nobody(house: House) -> None:
    house.agent("ann")
    house.desk.set_presence("ann", "away")
    house.caller("a")
    assert house.commands("a") == [TurnAway(NobodyWhy.NOBODY)]


def test_each_hears_the_place_and_again_when_it_changes(house: House) -> None:
    house.talking("ann", "on")
    for call_id in "abc":
        house.caller(call_id)
    house.wait(5)
    assert [house.commands(call_id) for call_id in "abc"] == [[Announce(n, None)] for n in (1, 2, 3)]
    house.hang_up("b")
    assert house.commands("c") == [Announce(3, None), Announce(2, None)]
    assert house.commands("a") == [Announce(1, None)]
    assert [event.position for event in house.journal("c", CallQueued)] == [3, 2]


def test_the_estimate_is_known_once_a_call_was_handled(house: House) -> None:
    house.talking("ann", "on")
    house.wait(80)
    house.desk.hang_up("ann")
    house.wait(20)
    house.wrap_up("ann", "on")
    house.caller("a")
    assert house.commands("a") == [Announce(1, 0)]
    house.desk.answer("ann", "a")
    house.caller("b")
    house.caller("c")
    assert [house.commands(call_id) for call_id in "bc"] == [[Announce(1, 100)], [Announce(2, 200)]]


def test_the_last_agent_who_leaves_leaves_nobody_waiting(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a")
    house.caller("b")
    house.desk.set_presence("ann", "away")
    assert [house.commands(call_id)[-1] for call_id in "ab"] == [TurnAway(NobodyWhy.NOBODY)] * 2
    assert house.place("on") is Place.TALKING


def test_the_last_page_that_does_not_come_back_leaves_nobody_waiting(house: House) -> None:
    house.talking("ann", "on")
    house.desk.hang_up("ann")
    house.caller("a")
    house.close_page("ann")
    house.wait(14)
    assert house.place("a") is Place.WAITING
    house.wait(2)
    assert house.commands("a")[-1] == TurnAway(NobodyWhy.NOBODY)


def test_outside_opening_hours(small: House) -> None:
    small.agent("ann")
    small.local_time = datetime(2026, 11, 2, 7, 59)
    small.caller("a")
    assert small.commands("a") == [TurnAway(NobodyWhy.CLOSED)]
    small.local_time = datetime(2026, 11, 2, 8, 0)
    small.caller("b")
    assert small.commands("b") == [Announce(1, 0)]


def test_the_hours_end_while_callers_wait_ring_and_talk(small: House) -> None:
    small.talking("ann", "talks")
    small.agent("bob")
    small.caller("rings")
    small.caller("waits")
    small.local_time = datetime(2026, 11, 2, 18, 0)
    small.wait(21)
    assert small.commands("waits")[-1] == TurnAway(NobodyWhy.CLOSED)
    assert (small.place("talks"), small.place("rings")) == (Place.TALKING, Place.WAITING)
    small.desk.decline("bob", "rings")
    assert small.commands("rings")[-1] == TurnAway(NobodyWhy.CLOSED)


def test_what_rings_as_the_hours_end_may_be_answered(small: House) -> None:
    small.agent("ann")
    small.caller("a")
    small.wait(10)
    small.local_time = datetime(2026, 11, 2, 18, 0)
    small.desk.answer("ann", "a")
    assert small.place("a") is Place.TALKING


def test_the_queue_is_full(small: House) -> None:
    small.talking("ann", "on")
    for call_id in "abc":
        small.caller(call_id)
    assert small.commands("c") == [TurnAway(NobodyWhy.FULL)]
    assert small.desk.figures["waiting"] == 2


def test_one_who_is_lost_by_an_agent_has_a_place_even_when_the_queue_is_full(small: House) -> None:
    small.talking("ann", "on")
    small.talking("bob", "other")
    small.caller("a")
    small.caller("b")
    small.close_page("ann")
    small.wait(15)
    assert small.commands("on")[-1] == Announce(1, None)
    assert small.desk.figures["waiting"] == 3


def test_a_queue_of_no_place_leaves_all_calls_to_the_bot() -> None:
    house = House(Rules(queue=0))
    house.agent("ann")
    house.caller("a")
    assert house.commands("a") == [TurnAway(NobodyWhy.FULL)]
    house.close()


def test_nobody_waits_for_longer_than_the_longest_wait(small: House) -> None:
    small.talking("ann", "on")
    small.caller("a")
    small.wait(59)
    assert small.place("a") is Place.WAITING
    small.wait(2)
    assert small.commands("a")[-1] == TurnAway(NobodyWhy.TOO_LONG)


def test_what_rings_at_the_longest_wait_may_be_answered(small: House) -> None:
    small.talking("ann", "on")
    small.caller("a")
    small.wait(50)
    small.agent("bob")
    small.wait(15)
    small.desk.answer("bob", "a")
    assert small.place("a") is Place.TALKING


def test_after_that_ring_the_wait_is_over(small: House) -> None:
    small.talking("ann", "on")
    small.caller("a")
    small.wait(50)
    small.agent("bob")
    small.wait(15)
    small.desk.decline("bob", "a")
    assert small.commands("a")[-1] == TurnAway(NobodyWhy.TOO_LONG)


def test_the_same_caller_twice_stands_once_and_hears_the_place_twice(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a")
    house.caller("a")
    assert house.commands("a") == [Announce(1, None)] * 2
    assert house.desk.figures["waiting"] == 1


def test_the_caller_chooses_the_bot_while_waiting_and_comes_again(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a")
    house.desk.leave("a", LeaveWhy.BOT)
    house.calls.return_to_bot("a")
    assert house.desk.figures["waiting"] == 0
    house.caller("a")
    assert house.commands("a") == [Announce(1, None)] * 2


def test_being_called_back_is_a_task_once_also_after_having_been_turned_away(house: House) -> None:
    house.caller("a", reason="a late parcel")
    assert house.place("a") is Place.CHOOSING
    for _ in range(2):
        house.desk.leave("a", LeaveWhy.CALLBACK)
    house.talking("ann", "on")
    house.caller("b", reason="a bill")
    house.desk.leave("b", LeaveWhy.CALLBACK)
    house.desk.leave("nobody's", LeaveWhy.HUNG_UP)
    house.wait(1)
    callbacks = [kept for kept in house.store.kept if kept[0] == "callback"]
    assert callbacks == [("callback", "a", "a late parcel"), ("callback", "b", "a bill")]
    assert house.desk.figures["waiting"] == 0


def test_a_call_that_ends_without_a_word_waits_no_more(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a")
    house.calls.end("a")
    assert house.desk.figures["waiting"] == 0
    house.calls.end("on")
    assert house.presence("ann") is Presence.WRAPPING


def test_every_screen_lists_those_who_wait(house: House) -> None:
    house.talking("ann", "on")
    house.caller("a", reason="a bill")
    house.wait(30)
    (line,) = house.screen("ann").queue
    assert (line.call_id, line.reason, line.waited_s) == ("a", "a bill", 30)
    house.hang_up("a")
    assert [len(changed.queue) for changed in house.shown("ann", QueueChanged)] == [1, 0, 1, 0]

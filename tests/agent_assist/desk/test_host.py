"""The desk on the event loop: what comes back while something is carried out, the store, the end."""

import asyncio

import pytest

from agent_assist.desk.clerk import Clerk
from agent_assist.desk.messages import CallJoined, Recorded
from agent_assist.desk.outputs import CallbackWanted, TookPart
from agent_assist.desk.ports import Conflict, LeaveWhy, Presence
from dialog.commands import Announce, Command, Join
from dialog.errors import StoreError
from tests.agent_assist.desk.house import FakeStore, House
from tests.fakes.live_calls import Place


def test_what_a_call_says_while_it_obeys_is_heard_at_once_and_followed_in_order(house: House) -> None:
    house.agent("ann")
    house.calls.start("b")

    def another_comes(call_id: str, command: Command) -> None:
        if isinstance(command, Join):
            house.caller("b")

    house.calls.during = another_comes
    house.caller("a")
    house.desk.answer("ann", "a")
    assert house.commands("b") == [Announce(2, None), Announce(1, None)]
    (joined,) = house.shown("ann", CallJoined)
    seqs = [record.seq for record in joined.call.records]
    seqs += [message.record.seq for message in house.shown("ann", Recorded)]
    assert seqs == list(range(len(house.calls["a"].records))), "each record once, and in order"


def test_one_timer_is_enough_for_all(house: House) -> None:
    house.agent("ann")
    house.agent("bob")
    house.caller("a")
    house.wait(5)
    house.caller("b")
    house.wait(15.1)
    assert [house.screen(name).me.presence for name in ("ann", "bob")] == ["away", "ringing"]
    house.wait(5)
    assert [house.place(call_id) for call_id in "ab"] == [Place.CHOOSING, Place.CHOOSING]


def test_the_store_refuses_for_a_while_and_nothing_is_lost(house: House) -> None:
    house.store.refusals = 5
    house.talking("ann", "a")
    house.caller("b")
    house.desk.leave("b", LeaveWhy.CALLBACK)
    house.wait(60)
    assert house.store.kept == [("participant", "a", "ann"), ("callback", "b", "a bill")]
    assert house.desk.figures["records_lost"] == 0


def test_a_store_that_goes_on_refusing_costs_the_record_and_no_call(house: House) -> None:
    house.store.refusals = 6
    house.talking("ann", "a")
    house.wait(60)
    assert house.desk.figures["records_lost"] == 1
    assert house.place("a") is Place.TALKING
    house.caller("b")
    house.desk.leave("b", LeaveWhy.CALLBACK)
    house.wait(1)
    assert house.store.kept == [("callback", "b", "a bill")]


def test_what_is_written_down_twice_at_once_is_kept_once(house: House) -> None:
    house.talking("ann", "a")
    house.hang_up("a")
    house.wait(1)
    house.store.refusals = 1

    async def twice() -> list[BaseException | None]:
        writing = (house.desk.wrap_up("ann", "a", "solved", "") for _ in range(2))
        return await asyncio.gather(*writing, return_exceptions=True)

    for first in (StoreError, type(None)):
        kinds = [type(each) for each in house.loop.run_until_complete(twice())]
        assert kinds == [first, Conflict]
    assert house.store.kept.count(("wrap_up", "a", "ann", "solved", "")) == 1
    assert house.presence("ann") is Presence.READY


async def test_the_clerks_queue_is_bounded_and_what_was_promised_first_stays() -> None:
    store = FakeStore()
    clerk = Clerk(store, bound=2)
    for number in range(3):
        clerk.put(CallbackWanted(f"call-{number}", ""))
    assert clerk.lost == 1
    await clerk.close(within_s=0.01)  # nobody runs it
    assert clerk.lost == 3
    clerk.put(TookPart("a", "ann"))


@pytest.mark.parametrize("refusals", [0, 1])
def test_closing_waits_for_what_is_to_be_written(refusals: int) -> None:
    house = House()
    house.talking("ann", "a")
    house.store.refusals = refusals
    house.close()
    assert house.store.kept == [("participant", "a", "ann")]

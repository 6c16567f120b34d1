"""Admission, and that one call's fault is nobody else's."""

import asyncio

import pytest

from dialog.errors import Overloaded
from dialog.events import CallEnded
from tests.voice.house import House


async def test_calls_being_set_up_take_places_too() -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks, calls=2)
        coming: list[str] = []
        house.calls.expect(lambda: coming)
        house.calls.admit("192.0.2.1")
        coming += ["192.0.2.2", "192.0.2.3"]
        with pytest.raises(Overloaded, match="full"):
            house.calls.admit("192.0.2.1")
        coming.clear()
        house.lag_ms = 1_000
        with pytest.raises(Overloaded, match="lagging"):
            house.calls.admit("192.0.2.1")
        assert house.calls.refused == {"full": 1, "lagging": 1}


@pytest.mark.parametrize(("calls", "share"), [(4, 2), (8, 2), (40, 10)])
async def test_half_open_calls_of_one_address_leave_places_to_the_others(calls: int, share: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks, calls=calls)
        coming: list[str] = []
        house.calls.expect(lambda: coming)
        for _ in range(share):
            house.calls.admit("192.0.2.1")
            coming.append("192.0.2.1")
        with pytest.raises(Overloaded, match="half_open"):
            house.calls.admit("192.0.2.1")
        house.calls.admit("192.0.2.2")
        coming.pop()
        house.calls.admit("192.0.2.1")
        assert house.calls.refused == {"half_open": 1}


async def test_a_farewell_that_fails_harms_no_other_call() -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks)
        house.start()
        house.start()
        await asyncio.sleep(0)
        house.calls.end_all()
        await house.calls.drain(1)
    assert house.ended == ["shutdown", "shutdown"]
    assert [record.event.cause for record in house.records if isinstance(record.event, CallEnded)] == ["shutdown"] * 2

"""Admission, and that one call's fault is nobody else's."""

import asyncio

import pytest

from dialog.actions import Reply
from dialog.errors import Overloaded
from dialog.events import CallEnded, Record
from dialog.ports import HungUp, UserTurn
from tests.fakes.bot import FakeBot
from tests.fakes.speech import FakeEars, FakeMouth
from tests.voice.media.wires import FakeWire
from voice.call import Services
from voice.calls import Calls
from voice.config import LimitSettings
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane


class RudeBot(FakeBot):
    """Breaks on a farewell, as somebody's plug-in may."""

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        if isinstance(turn, HungUp):
            raise ZeroDivisionError
        return await super().respond(call_id, turn)


class House:
    """`Calls` on a plane that nobody ticks."""

    def __init__(self, tasks: asyncio.TaskGroup, **limits: int) -> None:
        self.plane = MediaPlane(asyncio.get_running_loop(), capacity=8)
        self.records: list[Record] = []
        self.ended: list[str] = []
        self.lag_ms = 0.0
        services = Services(FakeEars(), FakeMouth(), {"helpdesk": RudeBot()}, [self.records.append], 60)
        self.calls = Calls(LimitSettings(**limits), services, None, tasks, lambda: self.lag_ms)

    def leg(self) -> MediaLeg:
        return self.plane.add_leg(FakeWire(), "PCMU", 0, None)

    def start(self) -> None:
        self.calls.start(
            self.leg(),
            transport="sip",
            caller="sip:a@b",
            dialled="100",
            bot="helpdesk",
            codec="PCMU",
            ended=self.ended.append,
        )


async def test_calls_being_set_up_take_places_too() -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks, calls=2)
        coming = 0
        house.calls.expect(lambda: coming)
        house.calls.admit("192.0.2.1")
        coming = 2
        with pytest.raises(Overloaded, match="full"):
            house.calls.admit("192.0.2.1")
        coming, house.lag_ms = 0, 1_000
        with pytest.raises(Overloaded, match="lagging"):
            house.calls.admit("192.0.2.1")
        assert house.calls.refused == {"full": 1, "lagging": 1}


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

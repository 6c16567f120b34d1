"""A house of calls for tests: a media plane that nobody ticks, ears and a mouth that follow a script."""

import asyncio

from dialog.actions import Reply
from dialog.announcements import Announcements
from dialog.events import Record
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
        services = Services(
            FakeEars(), FakeMouth(), {"helpdesk": RudeBot()}, [self.records.append], Announcements(), 60
        )
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

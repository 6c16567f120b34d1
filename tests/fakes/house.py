"""The calls of a node without the node: a media plane that the test ticks, ears and a bot that follow a script."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from dialog.announcements import Announcements
from dialog.events import Record
from dialog.journal import Listener
from tests.fakes.bot import FakeBot
from tests.fakes.speech import FakeEars, FakeMouth
from voice.calls import Calls
from voice.media.plane import MediaPlane
from voice.media.recorder import Recorder
from voice.ports import TICK_MS
from voice.services import Services
from voice.settings.sections import LimitSettings

E = TypeVar("E")


class House:
    """`Calls`, and what they lean on. `records` is what all journals told; `lag_ms` the loop's lateness."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        bot: FakeBot | None = None,
        *,
        recorder: Recorder | None = None,
        rows: int = 8,
        limits: LimitSettings | None = None,
    ) -> None:
        self.tasks = tasks
        self.plane = MediaPlane(asyncio.get_running_loop(), capacity=rows)
        self.bot = bot or FakeBot()
        self.records: list[Record] = []
        self.lag_ms = 0.0
        self._ticks = 0
        self._listeners: list[Listener] = [self.records.append]
        services = Services(FakeEars(), FakeMouth(), {"helpdesk": self.bot}, self._listeners, Announcements(), 60)
        self.calls = Calls(limits or LimitSettings(), services, recorder, tasks, lambda: self.lag_ms)

    def listen(self, listener: Listener) -> None:
        """Let `listener` hear the journals of calls that begin from now on."""
        self._listeners.append(listener)

    async def tick(self, ms: int, turns: int = 8) -> None:
        """Let audio time run; the loop turns so often after each tick."""
        for _ in range(ms // TICK_MS):
            self.plane.run_tick(self._ticks)
            self._ticks += 1
            for _ in range(turns):
                await asyncio.sleep(0)

    def told(self, kind: type[E]) -> list[E]:
        """Events of `kind`, of all calls."""
        return [record.event for record in self.records if isinstance(record.event, kind)]


class _Over(Exception):
    """The test is done: the group cancels what its calls still had under way."""


@asynccontextmanager
async def house(
    bot: FakeBot | None = None,
    *,
    recorder: Recorder | None = None,
    rows: int = 8,
    limits: LimitSettings | None = None,
) -> AsyncIterator[House]:
    """A house, and all of its calls ended when the block is left."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield (laid := House(tasks, bot, recorder=recorder, rows=rows, limits=limits))
            laid.calls.end_all()
            await laid.calls.drain(5)
            await laid.tick(TICK_MS)  # the plane closes the wires of what ended
            raise _Over
    except* _Over:
        pass

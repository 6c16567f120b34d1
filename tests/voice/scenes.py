"""A call whose caller, agents, desk and people outside the test plays, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np

from dialog.actions import Handoff, Reply, Say
from dialog.announcements import Announcements
from dialog.events import (
    CallEnded,
    CallStarted,
    Record,
)
from tests.fakes.bot import FakeBot
from tests.fakes.desk_calls import FakeCallDesk
from tests.fakes.leg import FakeLeg
from tests.fakes.outside import FakeOutside
from tests.fakes.speech import FakeEars, FakeMouth
from voice.call import Call
from voice.media.recording import Recording
from voice.ports import TICK_MS
from voice.services import People, Refer, Services

E = TypeVar("E")
PERSON = Reply("fake", (Say("One moment."), Handoff("asked for a person", "billing")))
MUSIC = np.full(32_000, 77, np.int16)
STARTED = CallStarted(transport="sip", caller="sip:ann@host", dialled="100", bot="helpdesk", started_at="")


class Scene:
    """A caller, an agent's leg, and a call whose desk the test plays."""

    def __init__(
        self,
        *script: Reply,
        hears: tuple[str, ...] = (),
        started: CallStarted = STARTED,
        longest_call_s: int = 3_600,
        refer: Refer | None = None,
        outside: FakeOutside | None = None,
        recording: Recording | None = None,
    ) -> None:
        self.caller, self.agent = FakeLeg(), FakeLeg()
        self.legs = {"eve": self.agent}
        self.mouth, self.bot, self.desk = FakeMouth(), FakeBot(*script), FakeCallDesk()
        self.records: list[Record] = []
        people = People(self.desk, self.legs.get, MUSIC, outside)
        services = Services(
            FakeEars(*hears),
            self.mouth,
            {"helpdesk": self.bot},
            [self.records.append],
            Announcements(),
            longest_call_s,
        )
        self.call = Call("c1", started, self.caller, "PCMU", services, people, refer, recording)
        self.caller.record(recording)
        self.desk.command = lambda call_id, command: self.call.command(command)

    async def tick(self, ms: int, *, caller: float = 0.0, agent: float = 0.0, keys: str = "") -> None:
        for index in range(ms // TICK_MS):
            self.caller.tick(caller, keys if index == 0 else "")
            self.agent.tick(agent)
            for _ in range(8):
                await asyncio.sleep(0)  # tasks of the call run between ticks, as they do between real ones

    async def queued(self) -> None:
        """The bot has spoken its last word and the caller has heard the place in the queue."""
        await self.tick(6_000)

    def told(self, kind: type[E]) -> list[E]:
        return [record.event for record in self.records if isinstance(record.event, kind)]

    @property
    def hears_music(self) -> bool:
        return any(int(np.abs(pcm).max()) == 77 for pcm in self.caller.sent[-10:])


@asynccontextmanager
async def scene(
    *script: Reply,
    hears: tuple[str, ...] = (),
    started: CallStarted = STARTED,
    longest_call_s: int = 3_600,
    refer: Refer | None = None,
    outside: FakeOutside | None = None,
    recording: Recording | None = None,
) -> AsyncIterator[Scene]:
    played = Scene(
        *script,
        hears=hears,
        started=started,
        longest_call_s=longest_call_s,
        refer=refer,
        outside=outside,
        recording=recording,
    )
    running = asyncio.create_task(played.call.run())
    await asyncio.sleep(0)
    try:
        yield played
    finally:
        played.call.end("test")
        await running
        assert len(played.told(CallEnded)) == 1

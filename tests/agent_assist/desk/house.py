"""A desk with everything around it, in virtual time: callers, agents, screens, a store."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from agent_assist.desk.host import DeskHost
from agent_assist.desk.messages import CallChanged, Message, Snapshot
from agent_assist.desk.ports import LeaveWhy, Presence
from agent_assist.desk.router import LongestIdle
from agent_assist.desk.rules import Rules
from dialog.commands import Command
from dialog.errors import StoreError
from tests.fakes.live_calls import FakeCalls, Place
from tests.fakes.virtual_time import VirtualLoop

T = TypeVar("T")


class FakeStore:
    """`DeskStore` that refuses the next `refusals`."""

    def __init__(self) -> None:
        self.refusals = 0
        self.kept: list[tuple[str, ...]] = []

    async def add_participant(self, call_id: str, agent: str) -> None:
        self._keep("participant", call_id, agent)

    async def add_callback(self, call_id: str, reason: str) -> None:
        self._keep("callback", call_id, reason)

    async def add_wrap_up(self, call_id: str, agent: str, disposition: str, note: str) -> None:
        await asyncio.sleep(0)  # a disk takes its time
        self._keep("wrap_up", call_id, agent, disposition, note)

    def _keep(self, *record: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("the disk is full")
        self.kept.append(record)


class House:
    """Drives a `DeskHost` from outside its loop: each step is carried out before the next line of a test."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.loop = VirtualLoop()
        self.calls = FakeCalls()
        self.store = FakeStore()
        self.screens: dict[str, list[Message]] = {}
        self.told: list[tuple[str, object]] = []
        self.local_time = datetime(2026, 11, 2, 9, 30)  # a Monday
        self.rules = rules or Rules()
        self.desk = self.loop.run_until_complete(self._open())

    async def _open(self) -> DeskHost:
        desk = DeskHost(
            self.rules, self.calls, self.calls, self, self.store, LongestIdle(), local_time=lambda: self.local_time
        )
        self.calls.listeners.append(desk)
        self._running = asyncio.get_running_loop().create_task(desk.run())
        return desk

    def close(self) -> None:
        """Take it apart."""
        self.loop.run_until_complete(self.desk.close())
        self._running.cancel()
        self.loop.run_until_complete(asyncio.gather(self._running, return_exceptions=True))
        self.loop.close()

    def tell(self, agent: str, message: Message) -> None:
        """`Feeds`."""
        self.screens.setdefault(agent, []).append(message)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    # -- agents -------------------------------------------------------------------------------------------------

    def agent(self, name: str, *skills: str, supervisor: bool = False) -> str:
        """Somebody opens the page and is ready, a second after whoever came before."""
        self.wait(1)
        self.desk.arrive(name, skills, supervisor=supervisor)
        self.audio(name)
        self.desk.set_presence(name, "ready")
        return name

    def audio(self, name: str, connected: bool = True) -> None:
        """The agent's audio comes up, or goes away."""
        (self.calls.audio.add if connected else self.calls.audio.discard)(name)
        self.desk.audio(name, connected=connected)

    def close_page(self, name: str) -> None:
        """Page and audio go, as in a reload."""
        self.desk.depart(name)
        self.audio(name, False)

    def open_page(self, name: str, *skills: str) -> None:
        """They are back."""
        self.desk.arrive(name, skills)
        self.audio(name)

    def wrap_up(self, name: str, call_id: str, disposition: str = "solved", note: str = "") -> None:
        """The agent writes down how it ended."""
        self.loop.run_until_complete(self.desk.wrap_up(name, call_id, disposition, note))

    def presence(self, name: str) -> Presence:
        """What the agent is doing."""
        return self.screen(name).me.presence

    def screen(self, name: str) -> Snapshot:
        """What a page that is loaded now would show."""
        return self.desk.snapshot(name)

    def shown(self, name: str, kind: type[T]) -> list[T]:
        """What the screen was told of that kind."""
        return [message for message in self.screens.get(name, ()) if isinstance(message, kind)]

    def troubles(self, name: str) -> list[str]:
        """What went wrong with the call, as the screen says it."""
        return [message.trouble for message in self.shown(name, CallChanged) if message.trouble]

    # -- callers ------------------------------------------------------------------------------------------------

    def caller(self, call_id: str, *, reason: str = "a bill", skill: str = "") -> str:
        """Somebody calls, and wants a person."""
        if call_id not in self.calls.calls:
            self.calls.start(call_id)
        self.calls.ask(call_id, reason, skill)
        self.desk.enqueue(call_id, reason, skill)
        return call_id

    def hang_up(self, call_id: str) -> None:
        """The caller hangs up."""
        self.desk.leave(call_id, LeaveWhy.HUNG_UP)
        self.calls.end(call_id)

    def talking(self, name: str, call_id: str) -> str:
        """An agent is ready, a caller comes, the agent answers."""
        self.agent(name)
        self.caller(call_id)
        self.desk.answer(name, call_id)
        return call_id

    def place(self, call_id: str) -> Place:
        """Where the caller is."""
        return self.calls[call_id].place

    def commands(self, call_id: str) -> Sequence[Command]:
        """What the call was told, in order."""
        return self.calls[call_id].commands

    def journal(self, call_id: str, kind: type[T]) -> list[T]:
        """The call's events of that kind."""
        return [record.event for record in self.calls[call_id].records if isinstance(record.event, kind)]

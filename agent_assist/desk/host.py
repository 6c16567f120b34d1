"""The desk on the event loop: inputs with the time of day, outputs to calls, screens and store, one timer."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Literal, Protocol

from agent_assist.desk.clerk import Clerk
from agent_assist.desk.desk import Desk
from agent_assist.desk.messages import Message, Snapshot
from agent_assist.desk.outputs import CallbackWanted, CallGivenUp, CallPlaced, Noted, Ordered, Told, TookPart
from agent_assist.desk.ports import Conflict, DeskStore, LeaveWhy, LiveCalls, Placing, Router
from agent_assist.desk.rules import Rules
from dialog.commands import How, Join
from dialog.events import Record

HOURS_S = 20.0
"""While somebody waits, opening hours are looked at this often."""

SOONEST_S = 0.01
"""The timer's shortest wait: whatever is due, the loop is not held by it."""


class Feeds(Protocol):
    """The agents' screens."""

    def tell(self, agent: str, message: Message) -> None:
        """Add `message` to the agent's stream; returns at once."""
        ...


class DeskHost:
    """Implements `CallDesk` and `AgentDesk`, and listens to the journals of all calls.

    Everything is carried out before the method returns. A call may come back with inputs of its own while it carries
    out a command: they go to the desk at once, and what they lead to comes after what was already due.
    """

    def __init__(
        self,
        rules: Rules,
        calls: LiveCalls,
        placing: Placing,
        feeds: Feeds,
        store: DeskStore,
        router: Router,
        clock: Callable[[], float] | None = None,
        local_time: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Made on the event loop. `clock`: seconds, monotonic; by default the loop's."""
        self._loop = asyncio.get_running_loop()
        self._desk = Desk(rules, router)
        self._hours = rules.hours
        self._calls = calls
        self._placing = placing
        self._feeds = feeds
        self._store = store
        self._clerk = Clerk(store)
        self._clock = clock or self._loop.time
        self._local_time = local_time
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._writing: set[str] = set()  # agents for whose wrap-up the store has not answered yet

    async def run(self) -> None:
        """Bring to the store what is to be kept, without end. The owner's task group runs this."""
        await self._clerk.run()

    async def close(self, within_s: float = 5.0) -> None:
        """Stop the timer, and wait until everything is written, at most `within_s`."""
        if self._timer is not None:
            self._timer.cancel()
        await self._clerk.close(within_s)

    @property
    def figures(self) -> dict[str, int]:
        """How many of what the desk knows of, and records that did not reach the store."""
        return self._desk.figures | {"records_lost": self._clerk.lost}

    def snapshot(self, agent: str) -> Snapshot:
        """The whole screen of an agent, with everything that was told so far."""
        return self._desk.snapshot(agent, self._clock())

    # -- what calls tell: CallDesk, and a dialog.journal.Listener ------------------------------------------------

    def __call__(self, record: Record) -> None:
        with self._input() as now:
            self._desk.record(record, now)

    def enqueue(self, call_id: str, reason: str, skill: str) -> None:
        with self._input() as now:
            self._desk.enqueue(call_id, reason, skill, now)

    def leave(self, call_id: str, why: LeaveWhy) -> None:
        with self._input() as now:
            self._desk.leave(call_id, why, now)

    def audio(self, agent: str, *, connected: bool) -> None:
        with self._input() as now:
            self._desk.audio(agent, now, connected=connected)

    def phone(self, agent: str, *, registered: bool) -> None:
        with self._input() as now:
            self._desk.phone(agent, now, registered=registered)

    def not_reached(self, agent: str, why: str) -> None:
        with self._input() as now:
            self._desk.outgoing.not_reached(agent, why, now)

    # -- what agents ask: AgentDesk -----------------------------------------------------------------------------

    def arrive(self, agent: str, skills: Sequence[str], *, supervisor: bool = False) -> None:
        with self._input() as now:
            self._desk.arrive(agent, skills, now, supervisor=supervisor)

    def depart(self, agent: str) -> None:
        with self._input() as now:
            self._desk.depart(agent, now)

    def set_presence(self, agent: str, presence: Literal["ready", "away"]) -> None:
        with self._input() as now:
            self._desk.set_presence(agent, presence, now)

    def answer(self, agent: str, call_id: str) -> None:
        with self._input() as now:
            self._desk.answer(agent, call_id, now)

    def decline(self, agent: str, call_id: str) -> None:
        with self._input() as now:
            self._desk.decline(agent, call_id, now)

    def pick(self, agent: str, call_id: str) -> None:
        with self._input() as now:
            self._desk.pick(agent, call_id, now)

    def hold(self, agent: str, *, on: bool) -> None:
        with self._input():
            self._desk.in_call.hold(agent, on=on)

    def pause_recording(self, agent: str, *, on: bool) -> None:
        with self._input():
            self._desk.in_call.pause_recording(agent, on=on)

    def hang_up(self, agent: str) -> None:
        with self._input() as now:
            self._desk.in_call.hang_up(agent, now)

    def hand_back(self, agent: str) -> None:
        with self._input() as now:
            self._desk.in_call.hand_back(agent, now)

    def transfer(self, agent: str, to: str) -> None:
        with self._input() as now:
            self._desk.in_call.transfer(agent, to, now)

    def transfer_outside(self, agent: str, to: str) -> None:
        with self._input() as now:
            self._desk.in_call.transfer_outside(agent, to, now)

    def consult(self, agent: str, to: str) -> None:
        with self._input():
            self._desk.in_call.consult(agent, to)

    def drop_third(self, agent: str) -> None:
        with self._input():
            self._desk.in_call.drop_third(agent)

    def put_through(self, agent: str) -> None:
        with self._input() as now:
            self._desk.in_call.put_through(agent, now)

    def supervise(self, supervisor: str, agent: str, how: How) -> None:
        with self._input() as now:
            self._desk.supervision.supervise(supervisor, agent, how, now)

    def call_out(self, agent: str, number: str, reason: str) -> None:
        with self._input() as now:
            self._desk.outgoing.call_out(agent, number, reason, now)

    def give_up(self, agent: str) -> None:
        with self._input() as now:
            self._desk.outgoing.give_up(agent, now)

    def speak(self, agent: str, text: str, article: str = "") -> None:
        with self._input():
            self._desk.in_call.speak(agent, text, article)

    def note(self, agent: str, text: str) -> None:
        with self._input():
            self._desk.in_call.note(agent, text)

    def suggestion(self, agent: str, article: str, how: Literal["copied", "dismissed"]) -> None:
        with self._input():
            self._desk.in_call.suggestion(agent, article, how)

    async def wrap_up(self, agent: str, call_id: str, disposition: str, note: str) -> None:
        """See `AgentDesk`. The agent waits for the store; nobody else does."""
        self._desk.check_wrap_up(agent, call_id, disposition)
        if agent in self._writing:
            raise Conflict("it is being written down")
        self._writing.add(agent)
        try:
            await self._store.add_wrap_up(call_id, agent, disposition, note)
        finally:
            self._writing.discard(agent)
        with self._input() as now:
            self._desk.wrapped_up(agent, call_id, now)

    # -- the loop -----------------------------------------------------------------------------------------------

    @contextmanager
    def _input(self) -> Iterator[float]:
        """Around one input: opening hours before it, what comes of it after it."""
        now = self._clock()
        self._desk.set_open(self._hours.contains(self._local_time()), now)
        try:
            yield now
        finally:
            self._carry_out()

    def _carry_out(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            while (output := self._desk.next_output()) is not None:
                match output:
                    case Ordered():
                        self._order(output)
                    case Noted(call_id, event):
                        self._calls.tell(call_id, event)
                    case Told(agent, message):
                        self._feeds.tell(agent, message)
                    case TookPart() | CallbackWanted():
                        self._clerk.put(output)
                    case CallPlaced(agent, number):
                        self._placing.call_out(agent, number)
                    case CallGivenUp(agent):
                        self._placing.give_up(agent)
        finally:
            self._busy = False
        self._set_timer()

    def _order(self, ordered: Ordered) -> None:
        command = ordered.command
        if not self._calls.command(ordered.call_id, command):
            self._desk.refused(ordered.call_id, command, self._clock())
        elif isinstance(command, Join):
            self._desk.joined(ordered.call_id, command.agent, self._clock())

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due, now = self._desk.deadline(), self._clock()
        if due is None:
            self._timer = None
            return
        in_s = max(SOONEST_S, due - now)
        self._timer = self._loop.call_later(min(in_s, HOURS_S) if self._desk.waiting else in_s, self._on_timer)

    def _on_timer(self) -> None:
        with self._input() as now:
            self._desk.on_timer(now)

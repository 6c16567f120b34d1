"""Calls that the node places for agents: whoever answers is connected with the agent, and the call is as any other."""

import asyncio
from typing import Protocol

import structlog

from dialog.errors import CentralinoError
from voice.calls import Calls
from voice.dialling import PlacedCall
from voice.third import why_not

BOT = "helpdesk"
"""Who has whomever the agent hands to a bot."""

log = structlog.get_logger("placing")


class WaitingDesk(Protocol):
    """Who is told where nobody was reached (agent_assist.desk.host.DeskHost)."""

    def not_reached(self, agent: str, why: str) -> None: ...


class Dial(Protocol):
    """Calls numbers outside (voice.outbound.Outbound)."""

    async def dial(self, number: str) -> PlacedCall:
        """Call, and wait for the answer; to be cancelled is to hang up. Raises CentralinoError."""
        ...


class Placing:
    """Implements `agent_assist.desk.ports.Placing`: one call an agent at a time, each in a task of `tasks`."""

    def __init__(self, calls: Calls, dial: Dial, tasks: asyncio.TaskGroup) -> None:
        self._calls = calls
        self._dial = dial
        self._tasks = tasks
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._desk: WaitingDesk | None = None

    def work_for(self, desk: WaitingDesk) -> None:
        """Tell `desk` of those who were not reached."""
        self._desk = desk

    def call_out(self, agent: str, number: str) -> None:
        self.give_up(agent)
        self._under_way[agent] = self._tasks.create_task(self._place(agent, number), name=f"call out {agent}")

    def give_up(self, agent: str) -> None:
        if task := self._under_way.pop(agent, None):
            task.cancel()

    async def _place(self, agent: str, number: str) -> None:
        try:
            placed = await self._dial.dial(number)
        except CentralinoError as error:
            why, _ = why_not(error)
            self._not_reached(agent, why)
        except Exception:  # one call's fault: those of others, in the same group, go on
            log.exception("call out failed", agent=agent)
            self._not_reached(agent, "failed")
        else:
            self._reached(agent, number, placed)

    def _reached(self, agent: str, number: str, placed: PlacedCall) -> None:
        del self._under_way[agent]
        leg = placed.leg
        assert leg is not None, "it was answered"
        call = self._calls.start(
            leg,
            transport="sip",
            caller=f"tel:{number}",
            dialled=number,
            bot=BOT,
            codec=placed.audio.codec,
            trunk=placed.trunk,
            placed_by=agent,
            ended=lambda _cause: self._ended(placed, agent),
            refer=lambda _to: False,  # the far end is ours to hang up on, and not to send away
        )
        placed.on_machine = call.meet
        placed.ended.add_done_callback(lambda _: call.end("caller"))

    def _ended(self, placed: PlacedCall, agent: str) -> None:
        placed.hang_up()
        self._not_reached(agent, "ended")  # nothing, where the agent had the call

    def _not_reached(self, agent: str, why: str) -> None:
        assert self._desk is not None, "work_for() comes before calls"
        self._under_way.pop(agent, None)
        self._desk.not_reached(agent, why)

"""Calls that the node places for agents: whoever answers is connected with the agent, and the call is as any other."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from dialog.errors import CentralinoError
from dsp.parts import Part
from voice.calls import Calls
from voice.dialling import PlacedCall
from voice.ports import Leg, Room
from voice.ringing import Ringing
from voice.third import Early, why_not

BOT = "helpdesk"
"""Who has whomever the agent hands to a bot."""

log = structlog.get_logger("placing")


class WaitingDesk(Protocol):
    """Who is told where nobody was reached (agent_assist.desk.host.DeskHost)."""

    def not_reached(self, agent: str, why: str) -> None: ...


class Dial(Protocol):
    """Calls numbers outside (voice.outbound.Outbound)."""

    async def dial(self, number: str, *, early: Early) -> PlacedCall:
        """Call, and wait for the answer; to be cancelled is to hang up. `early` is told of sound before the answer.
        Raises CentralinoError."""
        ...


class _Outgoing:
    """A call that is being placed for an agent, who hears on `leg`, where there is one, that it rings."""

    def __init__(self, leg: Leg | None) -> None:
        self.task: asyncio.Task[None] | None = None
        self._leg = leg
        self._ringing: Ringing | None = None
        if leg is not None:
            room = Room()
            self._ringing = ringing = Ringing(leg, room)
            leg.enter(room, Part.COACHED)
            leg.listen(lambda _frame: ringing.feed())

    def hear(self, early: Leg) -> None:
        """Sound comes from there."""
        if self._ringing is not None:
            self._ringing.hear(early)

    def stop(self) -> None:
        """The agent hears no more of it: the leg is free at once for whoever has it next."""
        if self._leg is not None and self._ringing is not None:
            self._ringing.stop()
            self._leg.listen(lambda _frame: None)
            self._leg.enter(None)


class Placing:
    """Implements `agent_assist.desk.ports.Placing`: one call an agent at a time, each in a task of `tasks`. `legs` has
    the audio of an agent who has one."""

    def __init__(self, calls: Calls, dial: Dial, legs: Callable[[str], Leg | None], tasks: asyncio.TaskGroup) -> None:
        self._calls = calls
        self._dial = dial
        self._legs = legs
        self._tasks = tasks
        self._under_way: dict[str, _Outgoing] = {}
        self._desk: WaitingDesk | None = None

    def work_for(self, desk: WaitingDesk) -> None:
        """Tell `desk` of those who were not reached."""
        self._desk = desk

    def call_out(self, agent: str, number: str) -> None:
        self.give_up(agent)
        outgoing = self._under_way[agent] = _Outgoing(self._legs(agent))
        outgoing.task = self._tasks.create_task(self._place(agent, number, outgoing), name=f"call out {agent}")

    def give_up(self, agent: str) -> None:
        outgoing = self._under_way.pop(agent, None)
        if outgoing is not None and outgoing.task is not None:
            outgoing.stop()
            outgoing.task.cancel()

    async def _place(self, agent: str, number: str, outgoing: _Outgoing) -> None:
        try:
            placed = await self._dial.dial(number, early=outgoing.hear)
        except CentralinoError as error:
            why, _ = why_not(error)
            self._not_reached(agent, why)
        except Exception:  # one call's fault: those of others, in the same group, go on
            log.exception("call out failed", agent=agent)
            self._not_reached(agent, "failed")
        else:
            self._reached(agent, number, placed)

    def _reached(self, agent: str, number: str, placed: PlacedCall) -> None:
        self._under_way.pop(agent).stop()
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
        self._tell(agent, "ended")  # nothing, where the agent had the call

    def _not_reached(self, agent: str, why: str) -> None:
        self._under_way.pop(agent).stop()
        self._tell(agent, why)

    def _tell(self, agent: str, why: str) -> None:
        assert self._desk is not None, "work_for() comes before calls"
        self._desk.not_reached(agent, why)

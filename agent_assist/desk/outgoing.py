"""Calls that the node places for agents: the agent waits, and has whoever answers."""

from agent_assist.desk.floor import Floor
from agent_assist.desk.messages import NotReached
from agent_assist.desk.outputs import CallGivenUp, CallPlaced
from agent_assist.desk.ports import Conflict, Presence
from agent_assist.desk.presence import Input
from dialog.commands import End


class Outgoing:
    """Inputs of the desk, as `desk.py` says of all of them."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def call_out(self, agent: str, number: str, reason: str, now: float) -> None:
        """See `AgentDesk`."""
        floor = self._floor
        who = floor.agents.here(agent)
        if who.calling == number:
            return
        if who.presence not in (Presence.AWAY, Presence.READY):
            raise Conflict(f"who is {who.presence} cannot call")
        if floor.is_elsewhere(agent):
            raise Conflict("you are in a call already")
        if not who.audio:
            raise Conflict("there is no audio: open it first")
        who.calling, who.calling_for = number, reason
        who.happen(Input.CALLS, now)
        floor.outputs.append(CallPlaced(agent, number))
        floor.settle(now)

    def give_up(self, agent: str, now: float) -> None:
        """See `AgentDesk`; and where page or audio are gone."""
        floor = self._floor
        who = floor.agents.get(agent)
        if who is not None and who.calling:
            floor.outputs.append(CallGivenUp(agent))
            self._settle_down(agent, now)

    def not_reached(self, agent: str, why: str, now: float) -> None:
        """Whom the node called did not answer, or could not be called: `why` as in `ThirdLeft`."""
        floor = self._floor
        who = floor.agents.get(agent)
        if who is not None and who.calling:
            floor.tell(agent, NotReached(number=who.calling, why=why))
            self._settle_down(agent, now)

    def reached(self, call_id: str, agent: str, now: float) -> None:
        """Whoever was called and the agent hear each other. One who was given up in that moment is hung up on."""
        floor = self._floor
        who = floor.agents.get(agent)
        if who is None or not who.calling:
            floor.order(call_id, End())
            return
        brief = floor.dossiers.brief(call_id, reason=who.calling_for, skill="", waited_s=0)
        who.calling = who.calling_for = ""
        floor.begin(call_id, who, brief, now)
        floor.settle(now)

    def _settle_down(self, agent: str, now: float) -> None:
        who = self._floor.agents[agent]
        who.calling = who.calling_for = ""
        who.happen(Input.WITHDRAWN, now)
        who.settle_down(now)
        self._floor.settle(now)

"""Supervisors in the calls of colleagues: they listen, whisper to the agent, or join."""

from agent_assist.desk.agents import Agent
from agent_assist.desk.floor import Floor
from agent_assist.desk.ports import Conflict, Presence
from agent_assist.desk.talks import Talk
from dialog.commands import How

MOST = 4
"""Supervisors of one call."""


class Supervision:
    """Inputs of the desk, as `desk.py` says of all of them."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def supervise(self, supervisor: str, agent: str, how: How, now: float) -> None:
        """See `AgentDesk`."""
        floor = self._floor
        who, within = floor.agents.here(supervisor), floor.talks.supervised_by(supervisor)
        if how != "none":
            talk = self._talk(who, agent)
            if within is not talk:
                self._check_may_enter(who, talk)
                if within is not None:
                    floor.supervise(supervisor, within, "none")
            floor.supervise(supervisor, talk, how)
        elif within is not None and agent in ("", within.agent):
            floor.supervise(supervisor, within, "none")
        floor.settle(now)

    def _talk(self, who: Agent, agent: str) -> Talk:
        talk = self._floor.talks.of(agent)
        if not who.supervisor:
            raise Conflict("that is for supervisors")
        if talk is None:
            raise Conflict(f"{agent} is in no call")
        return talk

    def _check_may_enter(self, who: Agent, talk: Talk) -> None:
        floor = self._floor
        engaged = who.presence in (Presence.RINGING, Presence.CALLING, Presence.TALKING)
        if engaged or floor.observed.of(who.name) is not None:
            raise Conflict("you are in a call already")
        if not who.audio:
            raise Conflict("there is no audio: open it first")
        if len(talk.supervisors) >= MOST:
            raise Conflict("too many are in that call")

"""Who is there: each agent's page, audio and presence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agent_assist.desk.messages import Colleague, Me, WrapUp
from agent_assist.desk.ports import GRACE_S, Candidate, Conflict, Presence
from agent_assist.desk.presence import Input, step

_ENGAGED = (Presence.READY, Presence.RINGING, Presence.TALKING)


@dataclass(slots=True)
class Agent:
    """One agent. `audio` stands, `phone` can be rung; `missing_since` is set while the page, or what the presence needs
    of the two, is away. `calling` is whom the node calls for the agent, and `calling_for` why."""

    name: str
    skills: tuple[str, ...] = ()
    supervisor: bool = False
    page: bool = False
    audio: bool = False
    phone: bool = False
    presence: Presence = Presence.OFFLINE
    next: Literal["ready", "away"] = "away"
    idle_since: float = 0.0
    missing_since: float | None = None
    owes: WrapUp | None = None
    joined_at: float = 0.0
    calling: str = ""
    calling_for: str = ""

    @property
    def reachable(self) -> bool:
        """A call could be connected now, or once the phone is picked up."""
        return self.page and (self.audio or self.phone)

    @property
    def free(self) -> bool:
        """A call may ring here now."""
        return self.presence is Presence.READY and self.reachable

    @property
    def serves(self) -> bool:
        """Takes calls, now or after the one that is on."""
        if self.presence in (Presence.CALLING, Presence.TALKING, Presence.WRAPPING):
            return self.next == "ready"
        return self.presence in (Presence.READY, Presence.RINGING)

    @property
    def grace_until(self) -> float | None:
        """When the agent is lost, if nothing comes back before."""
        return None if self.missing_since is None else self.missing_since + GRACE_S

    @property
    def candidate(self) -> Candidate:
        return Candidate(self.name, frozenset(self.skills), self.idle_since)

    @property
    def colleague(self) -> Colleague:
        return Colleague(agent=self.name, presence=self.presence, skills=self.skills)

    @property
    def me(self) -> Me:
        return Me(
            agent=self.name,
            presence=self.presence,
            audio=self.audio,
            phone=self.phone,
            next=self.next,
            calling=self.calling,
            supervisor=self.supervisor,
        )

    def happen(self, happened: Input, now: float) -> None:
        """Follow the table. Who becomes ready is idle from now on; who only was rung has been for longer."""
        before, self.presence = self.presence, step(self.presence, happened)
        if self.presence is Presence.READY and before is not Presence.RINGING:
            self.idle_since = now

    def settle_down(self, now: float) -> None:
        """What was on is done: ready again, unless the agent wished otherwise."""
        if self.next == "ready":
            self.happen(Input.READY, now)

    def look(self, now: float, *, cut: bool) -> None:
        """Begin the grace, or end it; `cut`: the caller does not hear the agent yet. Who talks by phone needs no page
        for that."""
        on_phone = self.presence is Presence.TALKING and self.audio and self.phone
        missing = self.presence is not Presence.OFFLINE and (
            not (self.page or on_phone) or cut or (not (self.audio or self.phone) and self.presence in _ENGAGED)
        )
        if not missing:
            self.missing_since = None
        elif self.missing_since is None:
            self.missing_since = now


class Agents:
    """Everybody of whom there is something to know."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def __getitem__(self, name: str) -> Agent:
        return self._agents[name]

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[Agent]:
        return iter(tuple(self._agents.values()))

    def get(self, name: str) -> Agent | None:
        """The agent, where one of that name is known."""
        return self._agents.get(name)

    def here(self, name: str) -> Agent:
        """The agent, where a page is open. Raises Conflict."""
        who = self._agents.get(name)
        if who is None or not who.page:
            raise Conflict("no page of yours is open")
        return who

    def open(self, name: str) -> Agent:
        """The agent, made known where that is needed."""
        return self._agents.setdefault(name, Agent(name))

    def forget_absent(self) -> None:
        """Drop those of whom nothing is left to know: no page, no audio, no phone, nothing to write down."""
        for agent in self:
            if agent.presence is Presence.OFFLINE and not (agent.page or agent.audio or agent.phone or agent.owes):
                del self._agents[agent.name]

"""What agents' screens show: the whole for one who comes, and for the others what has changed since they were told."""

from collections.abc import Iterator
from dataclasses import dataclass

from agent_assist.desk.agents import Agents
from agent_assist.desk.dossiers import Dossiers
from agent_assist.desk.messages import (
    CallView,
    Colleague,
    ColleaguesChanged,
    Me,
    MeChanged,
    QueueChanged,
    QueueLine,
    Snapshot,
)
from agent_assist.desk.observed import ObservedCalls
from agent_assist.desk.offers import Offers
from agent_assist.desk.outputs import Told
from agent_assist.desk.ports import Presence
from agent_assist.desk.queue import Queue
from agent_assist.desk.talks import Talks


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a screen shows of the desk as a whole; of those who wait only who, since their time runs."""

    me: Me
    colleagues: tuple[Colleague, ...]
    queue: tuple[str, ...]


class Screens:
    """Reads the desk's nouns and changes none."""

    def __init__(
        self,
        agents: Agents,
        queue: Queue,
        offers: Offers,
        talks: Talks,
        observed: ObservedCalls,
        dossiers: Dossiers,
    ) -> None:
        self._agents = agents
        self._queue = queue
        self._offers = offers
        self._talks = talks
        self._observed = observed
        self._dossiers = dossiers
        self._shown: dict[str, _Shown] = {}

    def snapshot(self, name: str, now: float) -> Snapshot:
        """The whole screen of an agent; the agent need not be there."""
        agent, offer = self._agents.get(name), self._offers.at(name)
        return Snapshot(
            me=agent.me if agent else Me(agent=name, presence=Presence.OFFLINE, audio=False, next="away"),
            colleagues=_others(self._here(), name),
            queue=self._lines(now),
            offer=offer.view(now) if offer else None,
            call=self.call(name),
            wrap_up=agent.owes if agent else None,
        )

    def call(self, name: str) -> CallView | None:
        """The call on the agent's screen: the agent's own, before one of a colleague, before one that is observed."""
        if supervised := self._talks.supervised_by(name):
            return supervised.supervised(name, self._dossiers.records(supervised.call_id))
        call = self._talks.of(name) or self._observed.of(name)
        return call.view(self._dossiers.records(call.call_id)) if call else None

    def changes(self, now: float) -> Iterator[Told]:
        """What has to be told; it counts as told. Who has come, or come again after being offline, is told all: the
        screen may still show what was."""
        here, lines = self._here(), self._lines(now)
        waiting = tuple(line.call_id for line in lines)
        for agent in self._agents:
            name, shown = agent.name, self._shown.get(agent.name)
            if agent.presence is Presence.OFFLINE:
                if self._shown.pop(name, None):
                    yield Told(name, MeChanged(me=agent.me))
                continue
            due = self._shown[name] = _Shown(agent.me, _others(here, name), waiting)
            if shown is None:
                yield Told(name, self.snapshot(name, now))
                continue
            if shown.me != due.me:
                yield Told(name, MeChanged(me=due.me))
            if shown.colleagues != due.colleagues:
                yield Told(name, ColleaguesChanged(colleagues=due.colleagues))
            if shown.queue != due.queue:
                yield Told(name, QueueChanged(queue=lines))

    def _here(self) -> tuple[Colleague, ...]:
        return tuple(agent.colleague for agent in self._agents if agent.presence is not Presence.OFFLINE)

    def _lines(self, now: float) -> tuple[QueueLine, ...]:
        return tuple(
            QueueLine(call_id=w.call_id, reason=w.reason, skill=w.skill, waited_s=round(now - w.since))
            for w in self._queue
        )


def _others(here: tuple[Colleague, ...], name: str) -> tuple[Colleague, ...]:
    return tuple(colleague for colleague in here if colleague.agent != name)

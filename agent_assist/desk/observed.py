"""Calls that agents have by other telephones: a recording client lets us hear them, and the desk only shows them."""

from dataclasses import dataclass

from agent_assist.desk.messages import Brief, CallView
from dialog.events import Record


@dataclass(frozen=True, slots=True)
class Observed:
    """One call and one agent in it."""

    call_id: str
    agent: str
    brief: Brief

    def view(self, records: tuple[Record, ...]) -> CallView:
        """As the screen is told, with all that was said."""
        return CallView(call_id=self.call_id, brief=self.brief, records=records, observed=True)


class ObservedCalls:
    """All of them. A call may have several agents, and an agent several calls: the screen shows the newest."""

    def __init__(self) -> None:
        self._all: list[Observed] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, observed: Observed) -> None:
        """The agent is in it now."""
        self._all.append(observed)

    def remove(self, observed: Observed) -> None:
        """The agent is in it no more."""
        self._all.remove(observed)

    def of(self, agent: str) -> Observed | None:
        """The newest of that agent."""
        return next((each for each in reversed(self._all) if each.agent == agent), None)

    def get(self, call_id: str, agent: str) -> Observed | None:
        """That agent in that call."""
        return next((each for each in self._all if (each.call_id, each.agent) == (call_id, agent)), None)

    def in_call(self, call_id: str) -> tuple[Observed, ...]:
        """Everybody in that call."""
        return tuple(each for each in self._all if each.call_id == call_id)

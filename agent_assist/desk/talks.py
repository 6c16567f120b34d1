"""Callers who are with an agent."""

from collections.abc import Iterator
from dataclasses import dataclass

from agent_assist.desk.messages import Brief, CallChanged, CallView
from dialog.events import Record


@dataclass(slots=True)
class Talk:
    """One call and its agent. `on_hold` is the agent's wish; `cut` means that the agent's audio is away, and the house
    holds the caller. `transferring_to` is whom the call rings: a colleague, or a number outside."""

    call_id: str
    agent: str
    brief: Brief
    on_hold: bool = False
    cut: bool = False
    transferring_to: str = ""

    def view(self, records: tuple[Record, ...]) -> CallView:
        """As the screen is told, with all that was said."""
        return CallView(
            call_id=self.call_id,
            brief=self.brief,
            records=records,
            on_hold=self.on_hold,
            transferring_to=self.transferring_to,
        )

    def changed(self, trouble: str = "") -> CallChanged:
        """What about it is another way now."""
        return CallChanged(
            call_id=self.call_id, on_hold=self.on_hold, transferring_to=self.transferring_to, trouble=trouble
        )


class Talks:
    """All of them: a call with one agent at a time, an agent with one call."""

    def __init__(self) -> None:
        self._by_call: dict[str, Talk] = {}

    def __len__(self) -> int:
        return len(self._by_call)

    def __iter__(self) -> Iterator[Talk]:
        return iter(tuple(self._by_call.values()))

    def add(self, talk: Talk) -> None:
        """One more begins."""
        self._by_call[talk.call_id] = talk

    def remove(self, talk: Talk) -> None:
        """It is over."""
        del self._by_call[talk.call_id]

    def get(self, call_id: str) -> Talk | None:
        """Who has that call."""
        return self._by_call.get(call_id)

    def of(self, agent: str) -> Talk | None:
        """The call that agent has."""
        return next((talk for talk in self._by_call.values() if talk.agent == agent), None)

"""Those who wait, in their order: who came back from an agent first, then by the time they came."""

from collections.abc import Iterator
from dataclasses import replace

from agent_assist.desk.ports import Waiting


class Queue:
    """Callers who wait, also while their call rings somewhere; each stands in it once."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._told: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._waiting

    def __iter__(self) -> Iterator[Waiting]:
        return iter(sorted(self._waiting.values(), key=lambda waiting: (not waiting.front, waiting.since)))

    def get(self, call_id: str) -> Waiting | None:
        """Who waits with that call."""
        return self._waiting.get(call_id)

    def add(self, waiting: Waiting) -> None:
        """One more waits."""
        self._waiting[waiting.call_id] = waiting

    def remove(self, call_id: str) -> None:
        """One waits no more; unknown calls are no error."""
        self._waiting.pop(call_id, None)
        self._told.pop(call_id, None)

    def pass_over(self, call_id: str, agent: str) -> None:
        """`agent` did not take that call: it goes to others."""
        if waiting := self._waiting.get(call_id):
            self._waiting[call_id] = replace(waiting, passed_over=waiting.passed_over | {agent})

    def ask_again(self, agent: str) -> None:
        """Whatever `agent` did not take may be offered there anew."""
        for waiting in self._waiting.values():
            if agent in waiting.passed_over:
                self._waiting[waiting.call_id] = replace(waiting, passed_over=waiting.passed_over - {agent})

    def say_again(self, call_id: str) -> None:
        """The caller asks for the place once more."""
        self._told.pop(call_id, None)

    def moved(self) -> Iterator[tuple[Waiting, int]]:
        """Those whose position (from 1) is not the one they were told last; it counts as told now."""
        for position, waiting in enumerate(self, 1):
            if self._told.get(waiting.call_id) != position:
                self._told[waiting.call_id] = position
                yield waiting, position

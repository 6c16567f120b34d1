"""Callers who are with an agent."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from agent_assist.desk.messages import Brief, CallChanged, CallState, CallView, Supervisor, Third
from dialog.commands import How
from dialog.events import Record


@dataclass(slots=True)
class Talk:
    """One call and its agent. `on_hold` and `paused` are the agent's wishes; `cut` means that the agent's audio is
    away, and the house holds the caller. `transferring_to` is whom the call rings: a colleague, or a number outside;
    `third` is who was called in, and `supervisors` are in it as each of them wishes."""

    call_id: str
    agent: str
    brief: Brief
    on_hold: bool = False
    paused: bool = False
    cut: bool = False
    transferring_to: str = ""
    third: Third | None = None
    supervisors: dict[str, How] = field(default_factory=dict)

    @property
    def state(self) -> CallState:
        """How it stands."""
        return CallState(
            on_hold=self.on_hold,
            paused=self.paused,
            transferring_to=self.transferring_to,
            third=self.third,
            supervisors=tuple(Supervisor(agent=agent, how=how) for agent, how in self.supervisors.items()),
        )

    def view(self, records: tuple[Record, ...]) -> CallView:
        """As its agent's screen is told, with all that was said."""
        return CallView(call_id=self.call_id, brief=self.brief, records=records, **dict(self.state))

    def supervised(self, supervisor: str, records: tuple[Record, ...]) -> CallView:
        """As the screen of a supervisor who is in it is told."""
        view = self.view(records)
        return view.model_copy(update={"supervised": self.supervisors[supervisor], "of": self.agent})

    def changed(self, trouble: str = "") -> CallChanged:
        """How it stands now."""
        return CallChanged(call_id=self.call_id, trouble=trouble, **dict(self.state))


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

    def supervised_by(self, agent: str) -> Talk | None:
        """The call of a colleague that agent is in."""
        return next((talk for talk in self._by_call.values() if agent in talk.supervisors), None)

"""What was said so far in each live call, for the agent who gets it."""

from collections import deque

from agent_assist.desk.brief import brief
from agent_assist.desk.messages import Brief
from dialog.events import (
    CallEnded,
    CallStarted,
    Event,
    PartialHeard,
    Record,
)
from dialog.people_events import AgentJoined, HandoffRequested

CALLS = 1_024
"""Calls that are followed at once; more than a node takes. Of one beyond them an agent sees what follows."""

RECORDS = 2_000
"""Records kept of a call, an hour of lively talk. Beyond them the oldest go, but the first, which says who calls."""


class Dossier:
    """One call's records; partials are left out, since the final word follows each."""

    def __init__(self, first: Record) -> None:
        self._records = deque((first,))
        self.callback_wanted = False

    def take(self, record: Record) -> None:
        """Add the next record."""
        if len(self._records) == RECORDS:
            del self._records[1]
        self._records.append(record)

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(self._records)

    @property
    def is_recorded(self) -> bool:
        """Others hold the call, and we only hear it."""
        started = self._records[0].event
        return isinstance(started, CallStarted) and started.transport == "siprec"

    @property
    def placed_by(self) -> str:
        """The agent for whom the node called; "" where the caller did."""
        started = self._records[0].event
        return started.placed_by if isinstance(started, CallStarted) else ""

    def awaits(self, event: Event) -> bool:
        """Whether this is the agent for whom the call was placed, coming into it for the first time."""
        first = sum(isinstance(record.event, AgentJoined) for record in self._records) == 1
        return isinstance(event, AgentJoined) and event.agent == self.placed_by and first

    @property
    def request(self) -> HandoffRequested | None:
        """What the caller asked for last."""
        asked = (record.event for record in reversed(self._records))
        return next((event for event in asked if isinstance(event, HandoffRequested)), None)


class Dossiers:
    """The dossiers of all live calls, told from their journals; a call that ended has none."""

    def __init__(self) -> None:
        self._dossiers: dict[str, Dossier] = {}

    def __len__(self) -> int:
        return len(self._dossiers)

    def take(self, record: Record) -> None:
        """Add one record of any call."""
        if isinstance(record.event, CallEnded):
            self._dossiers.pop(record.call_id, None)
        elif isinstance(record.event, PartialHeard):
            pass
        elif dossier := self._dossiers.get(record.call_id):
            dossier.take(record)
        elif len(self._dossiers) < CALLS:
            self._dossiers[record.call_id] = Dossier(record)

    def get(self, call_id: str) -> Dossier | None:
        """The dossier of a live call."""
        return self._dossiers.get(call_id)

    def records(self, call_id: str) -> tuple[Record, ...]:
        """All that is known of the call, in order."""
        dossier = self._dossiers.get(call_id)
        return () if dossier is None else dossier.records

    def brief(self, call_id: str, *, reason: str, skill: str, waited_s: float) -> Brief:
        """The call in a few words."""
        return brief(self.records(call_id), reason=reason, skill=skill, waited_s=round(waited_s))

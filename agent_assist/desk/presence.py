"""What an agent is doing, as a table.

Who drives it (the desk) knows why something happened; the table knows what follows for the agent. A pair the table does
not hold changes nothing. An agent whose page or audio goes away keeps what it had for the grace; only then is it `lost`
or `absent`.
"""

from dataclasses import dataclass
from enum import StrEnum

from agent_assist.desk.ports import Presence


class Input(StrEnum):
    """What can happen to an agent."""

    ARRIVED = "arrived"  # a page is open
    OWES = "owes"  # ... and a call of before is not written down yet
    READY = "ready"  # the agent takes calls
    AWAY = "away"  # the agent takes none
    RUNG = "rung"  # a call is offered
    CALLS = "calls"  # the node calls somebody for the agent
    JOINED = "joined"  # the agent answered, and has the caller
    DECLINED = "declined"  # not this one
    UNANSWERED = "unanswered"  # it rang for as long as it may
    WITHDRAWN = "withdrawn"  # the caller is gone, or has a colleague; nobody is called any more
    GONE = "gone"  # page or audio went away while it rang
    LEFT = "left"  # the call is over for the agent
    WRITTEN = "written"  # how it ended is written down
    LOST = "lost"  # the audio did not come back
    ABSENT = "absent"  # no page came back


@dataclass(frozen=True, slots=True)
class Row:
    """Where an input leads, and why."""

    presence: Presence
    input: Input
    next: Presence
    why: str


_P, _I = Presence, Input

TABLE: tuple[Row, ...] = (
    Row(_P.OFFLINE, _I.ARRIVED, _P.AWAY, "an open page is no promise: calls come when the agent says so"),
    Row(_P.AWAY, _I.OWES, _P.WRAPPING, "the call of before is still to be written down"),
    Row(_P.AWAY, _I.READY, _P.READY, "with audio: an answer connects at once"),
    Row(_P.READY, _I.AWAY, _P.AWAY, "a break"),
    Row(_P.READY, _I.RUNG, _P.RINGING, "one call at a time"),
    *(
        Row(presence, _I.CALLS, _P.CALLING, "nothing rings meanwhile: whoever answers is to find the agent there")
        for presence in (_P.AWAY, _P.READY)
    ),
    Row(_P.READY, _I.LOST, _P.AWAY, "nobody can be connected; a caller would wait for nobody"),
    Row(_P.RINGING, _I.JOINED, _P.TALKING, "answered"),
    Row(_P.RINGING, _I.DECLINED, _P.READY, "a no to this caller, not to all"),
    Row(_P.RINGING, _I.UNANSWERED, _P.AWAY, "nobody sits there: the next caller need not find that out again"),
    Row(_P.RINGING, _I.WITHDRAWN, _P.READY, "not the agent's doing: idle for as long as before"),
    Row(_P.RINGING, _I.GONE, _P.READY, "a page that is loaded again is back within the grace"),
    Row(_P.CALLING, _I.JOINED, _P.TALKING, "whoever was called is there"),
    Row(_P.CALLING, _I.WITHDRAWN, _P.AWAY, "and ready right after, where the agent was"),
    Row(_P.TALKING, _I.LEFT, _P.WRAPPING, "nothing rings until it is written down"),
    Row(_P.TALKING, _I.LOST, _P.AWAY, "the caller waits in front; whoever takes the call writes it down"),
    Row(_P.WRAPPING, _I.WRITTEN, _P.AWAY, "and ready right after, unless the agent wished otherwise"),
    *(
        Row(presence, _I.ABSENT, _P.OFFLINE, "the page did not come back; an offer was gone before")
        for presence in (_P.AWAY, _P.READY, _P.CALLING, _P.TALKING, _P.WRAPPING)
    ),
)

_ROWS = {(row.presence, row.input): row for row in TABLE}


def step(presence: Presence, happened: Input) -> Presence:
    """The next presence; a pair that the table does not hold changes nothing."""
    row = _ROWS.get((presence, happened))
    return presence if row is None else row.next


def mermaid() -> str:
    """The table as a diagram, for docs/desk.md (a test compares the two)."""
    lines = ["stateDiagram-v2", "    [*] --> offline"]
    lines += [f"    {row.presence} --> {row.next}: {row.input}" for row in TABLE]
    return "\n".join(lines)

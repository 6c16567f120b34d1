"""Everything said so far, for the agent whom a call rings."""

from collections.abc import Sequence

from agent_assist.desk.messages import Brief
from dialog.events import CallStarted, Record, TurnUnderstood


def brief(records: Sequence[Record], *, reason: str, skill: str, waited_s: int) -> Brief:
    """Who calls, why, and what is known."""
    events = [record.event for record in records]
    started = next((event for event in events if isinstance(event, CallStarted)), None)
    slots = next((event.slots for event in reversed(events) if isinstance(event, TurnUnderstood)), ())
    return Brief(
        caller=started.caller if started else "",
        transport=started.transport if started else "",
        bot=started.bot if started else "",
        reason=reason,
        skill=skill,
        summary=reason,
        slots=slots,
        waited_s=waited_s,
    )

"""How this desk is run."""

from dataclasses import dataclass

from agent_assist.desk.hours import ALWAYS, Hours


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of `[desk]` that the desk goes by."""

    hours: Hours = ALWAYS
    queue: int = 50
    longest_wait_s: int = 600
    ring_s: int = 20
    dispositions: tuple[str, ...] = ("solved", "follow-up")

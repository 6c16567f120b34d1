"""Who gets a caller, by the rule that every desk begins with."""

from collections.abc import Sequence

from agent_assist.desk.ports import Candidate, Waiting


class LongestIdle:
    """The agent with the skill who has been idle for longest; by name where two are equal, so that the choice is the
    same each time. A caller who needs no skill may go to anybody."""

    def choose(self, waiting: Waiting, candidates: Sequence[Candidate]) -> str | None:
        """See `Router`."""
        able = [c for c in candidates if not waiting.skill or waiting.skill in c.skills]
        return min(able, key=lambda c: (c.idle_since, c.agent)).agent if able else None

"""How long one who waits will wait: a moving average of what calls took."""

from collections import deque

KEPT = 20
"""Calls that the average is taken over: an afternoon of a small desk."""


class HandlingTimes:
    """What the last calls took their agents, from joining until the wrap-up was written (s)."""

    def __init__(self) -> None:
        self._taken_s: deque[float] = deque(maxlen=KEPT)

    def add(self, taken_s: float) -> None:
        """One more call is done."""
        self._taken_s.append(taken_s)

    def wait_s(self, position: int, *, free: int, serving: int) -> int | None:
        """What whoever is at `position` (from 1) waits, with `free` of the `serving` agents doing nothing: those at the
        front get a free one at once, and each of the others an average for every round. None while unknown."""
        behind = position - free
        if behind <= 0:
            return 0
        if not self._taken_s or not serving:
            return None
        return round(sum(self._taken_s) / len(self._taken_s) * behind / serving)

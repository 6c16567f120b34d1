"""How often one address may ask for something."""

from collections import OrderedDict

ADDRESSES = 4_096
"""Addresses remembered; the one that was silent longest is forgotten."""


class RateLimit:
    """A bucket of tokens an address: `burst` at once, `per_minute` in the long run. Forgets the longest silent."""

    def __init__(self, per_minute: float, burst: int) -> None:
        self._per_s = per_minute / 60
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, address: str, now: float) -> bool:
        """Count one, at `now` (seconds, monotonic); False when it is one too many."""
        tokens, at = self._buckets.pop(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_s)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        return allowed

"""Patience with those who guess: so many failures in a window, then nothing for a while."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Tally:
    since_s: float
    failures: int = 0
    banned_until_s: float = 0.0


class Throttle:
    """Counts failures by key; `limit` within `window_s` ban the key for `ban_s`.

    At most `bound` keys are remembered, least recently failed forgotten first: an attacker with that many addresses
    gets that many fresh starts, and no memory of ours.
    """

    def __init__(
        self, clock: Callable[[], float], *, limit: int, window_s: float = 300, ban_s: float = 900, bound: int = 10_000
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._window_s = window_s
        self._ban_s = ban_s
        self._bound = bound
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tallies)

    def wait_s(self, key: str) -> int:
        """Whole seconds `key` has to wait; 0 when it may try."""
        tally = self._tallies.get(key)
        return 0 if tally is None else max(0, math.ceil(tally.banned_until_s - self._clock()))

    def fail(self, key: str) -> None:
        """Count a failure."""
        now_s = self._clock()
        tally = self._tallies.pop(key, None)
        if tally is None or now_s - tally.since_s > self._window_s:
            tally = _Tally(since_s=now_s)
        tally.failures += 1
        if tally.failures >= self._limit:
            tally.banned_until_s = now_s + self._ban_s
            tally.failures = 0
        self._tallies[key] = tally
        if len(self._tallies) > self._bound:
            self._tallies.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Forget `key`'s failures: it succeeded."""
        self._tallies.pop(key, None)


def address_key(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 an IPv6 host draws its addresses from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)

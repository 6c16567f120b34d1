"""Patience with those who guess passwords: so many wrong ones in a window, then no answer for a while."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

LIMIT = 10
WINDOW_S = 300.0
BAN_S = 900.0
MAX_HOSTS = 10_000


@dataclass(slots=True)
class _Tally:
    since: float
    failures: int = 0
    banned_until: float = 0.0


class Throttle:
    """Counts failures by host: LIMIT within WINDOW_S ban it for BAN_S.

    Success forgives nothing: who has an account could guess at others between two calls. Of more than MAX_HOSTS the one
    that failed longest ago is forgotten.
    """

    def __init__(self) -> None:
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def banned(self, host: str, now: float) -> bool:
        tally = self._tallies.get(network(host))
        return tally is not None and now < tally.banned_until

    def fail(self, host: str, now: float) -> None:
        """Count one."""
        key = network(host)
        tally = self._tallies.pop(key, None)
        if tally is None or now - tally.since > WINDOW_S:
            tally = _Tally(since=now)
        tally.failures += 1
        if tally.failures >= LIMIT:
            tally.banned_until, tally.failures = now + BAN_S, 0
        self._tallies[key] = tally
        if len(self._tallies) > MAX_HOSTS:
            self._tallies.popitem(last=False)


def network(host: str) -> str:
    """An IPv4 address, or the /64 from which an IPv6 host draws its addresses."""
    address = ipaddress.ip_address(host)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))

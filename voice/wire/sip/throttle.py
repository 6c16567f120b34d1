"""Patience with those who guess passwords: longer and longer waits, and then no answer at all for a while."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

LIMIT = 10
WINDOW_S = 300.0
BAN_S = 900.0

FREE_OF_HOST = 3
"""Failures of one host in a window before it has to wait: who mistypes is not in its way."""

FREE_OF_ACCOUNT = 10
"""Failures at one account, from wherever they come, before hosts that it is not used from have to wait."""

LONGEST_S = 64.0
"""The wait is 1 s, doubled with each failure up to this."""

MAX_TALLIES = 10_000
MAX_KNOWN = 10_000

MAX_NAME = 64
"""Characters by which the name of an account is told from others: no real one is longer."""


@dataclass(slots=True)
class _Tally:
    """Failures since a moment, and since when a host waits for its next try."""

    since: float
    waits_since: float
    failures: int = 0
    banned_until: float = 0.0

    def wait_s(self, free: int, now: float) -> float:
        """How long the next try has to wait after the one before."""
        over = self.failures - free if now - self.since <= WINDOW_S else -1
        return 0.0 if over < 0 else min(LONGEST_S, 2.0**over)


class _Tallies:
    """One for each key; of more than MAX_TALLIES the one that changed longest ago is forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Tally] = OrderedDict()

    def get(self, key: str) -> _Tally | None:
        return self._kept.get(key)

    def change(self, key: str, now: float) -> _Tally:
        """That of the window which `now` is in."""
        tally = self._kept.pop(key, None)
        if tally is None or now - tally.since > WINDOW_S:
            tally = _Tally(since=now, waits_since=now)
        self._kept[key] = tally
        if len(self._kept) > MAX_TALLIES:
            self._kept.popitem(last=False)
        return tally


class Throttle:
    """Counts failures by host: from FREE_OF_HOST on it waits before each try, LIMIT within WINDOW_S ban it for BAN_S.

    Counts them by account, too, whether there is one of that name or not: guesses at one that come from many hosts make
    each of these wait. The wait is a host's own and has an end, so nobody can lock the owner out; and where the owner
    signed in before there is none.

    Success forgives nothing: who has an account could guess at others between two calls.
    """

    def __init__(self) -> None:
        self._hosts = _Tallies()
        self._accounts = _Tallies()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def banned(self, host: str, now: float) -> bool:
        tally = self._hosts.get(network(host))
        return tally is not None and now < tally.banned_until

    def wait_s(self, host: str, account: str, now: float) -> float:
        """How long `host` has to wait until it may try a password of `account`; 0: it may."""
        key = network(host)
        if (account, key) in self._known:
            return 0.0
        tally, target = self._hosts.get(key), self._accounts.get(account[:MAX_NAME])
        wait_s = max(
            tally.wait_s(FREE_OF_HOST, now) if tally else 0.0, target.wait_s(FREE_OF_ACCOUNT, now) if target else 0.0
        )
        if not wait_s:
            return 0.0
        waits_since = (tally or self._hosts.change(key, now)).waits_since
        return max(0.0, waits_since + wait_s - now)

    def fail(self, host: str, account: str, now: float) -> None:
        """Count one."""
        key = network(host)
        tally = self._hosts.change(key, now)
        tally.failures += 1
        tally.waits_since = now
        if tally.failures >= LIMIT:
            tally.banned_until, tally.failures = now + BAN_S, 0
        if (account, key) not in self._known:
            self._accounts.change(account[:MAX_NAME], now).failures += 1

    def succeed(self, host: str, account: str) -> None:
        """The owner of `account` is at `host`; of more than MAX_KNOWN that was known longest ago is forgotten."""
        pair = (account, network(host))
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


def network(host: str) -> str:
    """An IPv4 address, or the /64 from which an IPv6 host draws its addresses."""
    address = ipaddress.ip_address(host)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))

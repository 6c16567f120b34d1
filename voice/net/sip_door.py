"""Whom a SIP address listens to: those who are listed, and strangers, where they are asked who they are."""

import asyncio
from collections import Counter
from collections.abc import Callable

from voice.rate import RateLimit
from voice.wire.sip.throttle import network

STRANGER_PER_S, STRANGER_BURST = 50, 500
"""Messages from one address that is not listed, and REGISTERs from any: as many as an office behind one address sends
when its phones come back together. What is beyond is dropped unread, so a flood costs next to nothing."""

STRANGERS_PER_S, STRANGERS_BURST = 500, 2_000
"""Of all such addresses together: a call that is on must not hear that many knock. Who means it sends again."""


class SipDoor:
    """`lists` decides by IP address who is listed; with `strangers` others are listened to as well, but not without
    end. `turned_away` counts messages that nobody looked at, by reason."""

    def __init__(self, lists: Callable[[str], bool], *, strangers: bool) -> None:
        self.lists = lists
        self.turned_away: Counter[str] = Counter()
        self._strangers = strangers
        self._of_each = RateLimit(STRANGER_PER_S * 60, STRANGER_BURST)
        self._of_all = RateLimit(STRANGERS_PER_S * 60, STRANGERS_BURST)

    def hears(self, host: str) -> bool:
        """Whether anything at all is taken from there."""
        return self._strangers or self.lists(host)

    def lets_in(self, data: bytes, host: str, *, listed: bool) -> bool:
        """Whether this message is looked at; if not, it is counted."""
        if not (listed or self._strangers):
            self.turned_away["unlisted"] += 1
            return False
        if listed and not data.startswith(b"REGISTER "):
            return True
        now = asyncio.get_running_loop().time()
        if self._of_each.allow(network(host), now) and self._of_all.allow("", now):
            return True
        self.turned_away["too often"] += 1
        return False

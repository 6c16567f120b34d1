"""How long a session lasts unless somebody refreshes it (RFC 4028): the clock that either end of a dialog keeps."""

import re
from collections.abc import Mapping
from enum import Enum, auto

from sipmessage import Message, Request, Response

from voice.wire.sip.message import NO_HEADERS, names

TIMER = "timer"

MIN_S = 90
"""Nobody may be asked to refresh more often (section 5)."""

MAX_S = 86_400
"""What a peer's minimum may raise our interval to."""

AGAIN_S = 5.0
"""A refresh that failed is tried again after half the time that is left, and not sooner than this."""

_INTERVAL = re.compile(r"[ \t]*([0-9]{1,9})[ \t]*(?=;|$)")
_REFRESHER = re.compile(r";[ \t]*refresher[ \t]*=[ \t]*(uac|uas)[ \t]*(?=;|$)", re.IGNORECASE)


class Due(Enum):
    """What the clock asks for."""

    REFRESH = auto()
    """We are to show that the session lives."""
    EXPIRED = auto()
    """Nobody has: the session is over."""


class SessionTimer:
    """The clock of one call. `interval_s` is what we ask for; 0 asks for nothing, and grants what peers ask for."""

    def __init__(self, interval_s: int) -> None:
        self._wanted_s = interval_s
        self._least_s = 0
        self._interval_s = 0
        self._ours = False
        self._refresh_at: float | None = None
        self._expires_at: float | None = None

    def proposal(self) -> Mapping[str, str]:
        """Headers for the INVITE that opens a call (section 7.1)."""
        if not self._wanted_s:
            return NO_HEADERS
        least = {"Min-SE": str(self._least_s)} if self._least_s else {}
        return {"Session-Expires": str(self._wanted_s), **least}

    def renewal(self) -> Mapping[str, str]:
        """Headers for a re-INVITE or UPDATE of ours (section 7.4): who refreshes stays as it is."""
        if self._expires_at is None:
            return NO_HEADERS
        least = {"Min-SE": str(self._least_s)} if self._least_s else {}
        return {"Session-Expires": f"{self._interval_s};refresher={'uac' if self._ours else 'uas'}", **least}

    def grant(self, request: Request, now: float) -> Mapping[str, str]:
        """Start the clock as our 2xx to `request` will say; the headers that say it (section 9)."""
        knows = names(request, "Supported", TIMER) or names(request, "Require", TIMER)
        asked, refresher = _read(request)
        if asked is not None and asked >= MIN_S:
            interval_s = max(min(asked, self._wanted_s or asked), _least(request))
            refresher = refresher or ("uac" if knows else "uas")
        elif knows and self._wanted_s:
            interval_s, refresher = max(self._wanted_s, _least(request)), "uas"
        else:
            self.stop()
            return NO_HEADERS
        self._start(interval_s, now, ours=refresher == "uas")
        told = {"Session-Expires": f"{interval_s};refresher={refresher}"}
        return {**told, "Require": TIMER} if refresher == "uac" else told

    def accept(self, response: Response, now: float) -> None:
        """Start the clock as the peer's 2xx says, or stop it where that says nothing (section 7.2)."""
        interval_s, refresher = _read(response)
        if interval_s is None:
            self.stop()
        else:
            self._start(max(interval_s, MIN_S), now, ours=refresher != "uas")

    def lengthen(self, response: Response) -> bool:
        """Take the peer's minimum from its 422 (section 7.3); False where it gives none to be gone by."""
        least_s = _least(response)
        if not self._least_s < least_s <= MAX_S:
            return False
        self._least_s = least_s
        self._wanted_s = max(self._wanted_s, least_s)
        self._interval_s = max(self._interval_s, least_s)
        return True

    def stop(self) -> None:
        """No clock runs any more."""
        self._refresh_at = self._expires_at = None

    def deadline(self) -> float | None:
        return self._expires_at if self._refresh_at is None else self._refresh_at

    def take(self, now: float) -> Due | None:
        """What is due now, once."""
        if self._expires_at is not None and self._expires_at <= now:
            self.stop()
            return Due.EXPIRED
        if self._expires_at is not None and self._refresh_at is not None and self._refresh_at <= now:
            self._refresh_at = min(now + max((self._expires_at - now) / 2, AGAIN_S), self._expires_at)
            return Due.REFRESH
        return None

    def _start(self, interval_s: int, now: float, *, ours: bool) -> None:
        """Whoever refreshes does so after half the time; the other waits almost to the end (section 10)."""
        self._interval_s, self._ours = interval_s, ours
        self._refresh_at = now + interval_s / 2 if ours else None
        self._expires_at = now + interval_s - (0 if ours else min(32, interval_s / 3))


def is_too_brief(request: Request) -> bool:
    """Whether a request asks for a shorter session than we take, and can be told so (section 9)."""
    asked, _ = _read(request)
    return asked is not None and asked < MIN_S and names(request, "Supported", TIMER)


def _read(message: Message) -> tuple[int | None, str]:
    """Seconds and refresher of Session-Expires; None where there is none that can be read."""
    value = message.headers.get("Session-Expires") or ""
    interval, refresher = _INTERVAL.match(value), _REFRESHER.search(value)
    return int(interval[1]) if interval else None, refresher[1].lower() if refresher else ""


def _least(message: Message) -> int:
    interval = _INTERVAL.match(message.headers.get("Min-SE") or "")
    return max(int(interval[1]), MIN_S) if interval else MIN_S

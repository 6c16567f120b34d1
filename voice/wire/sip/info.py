"""Keys by INFO, as telephones send them that have no telephone-event: `application/dtmf-relay` and, of those that come,
`application/dtmf`.

No RFC describes the two; RFC 6086 calls such use of INFO legacy, and keeps it apart by the lack of Info-Package.
"""

import re
from collections import deque

from sipmessage import Request

from voice.wire.dtmf import KEYS, MAX_KEYS
from voice.wire.sip.core import Core
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.guard import Received
from voice.wire.sip.message import Address
from voice.wire.sip.transaction import Transaction

MAX_BODY = 256
PRESS_MS = 100
"""How long we say that a key was pressed."""

_RELAY = re.compile(rb"Signal ?= ?([0-9A-D*#])[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_PLAIN = re.compile(rb"\s*([0-9A-D*#])\s*\Z", re.IGNORECASE)
_FORMATS = {"application/dtmf-relay": _RELAY, "application/dtmf": _PLAIN}

ACCEPTED = ", ".join(_FORMATS)


def read_key(request: Request) -> tuple[int, str]:
    """The status that answers an INFO, and the key it brings (0-9, A-D, * or #); "" for one without a body, which only
    asks whether we are there."""
    if request.headers.get("Info-Package") is not None:
        return 469, ""  # RFC 6086 section 4.2.2: we have named no package
    if not request.body:
        return 200, ""
    pattern = _FORMATS.get((request.headers.get("Content-Type") or "").partition(";")[0].strip().lower())
    if pattern is None:
        return 415, ""
    found = pattern.match(request.body) if len(request.body) <= MAX_BODY else None
    return (200, found[1].decode().upper()) if found else (400, "")


class Keying:
    """Keys that we press in one dialog: each is sent when the one before it has its answer, so that they stay in order.

    After one that is refused, those that wait are dropped: a number with a hole is another number.
    """

    def __init__(self, core: Core, dialog: Dialog) -> None:
        self._core = core
        self._dialog = dialog
        self._waiting: deque[str] = deque()
        self._asked: Transaction | None = None

    def press(self, keys: str, now: float) -> bool:
        """Send keys; False, and nothing taken, when too many wait. Raises ValueError for what is on no keypad."""
        pressed = [KEYS[KEYS.index(key)] for key in keys.upper()]
        if len(self._waiting) + len(pressed) > MAX_KEYS:
            return False
        self._waiting.extend(pressed)
        self._next(now)
        return True

    def end(self) -> None:
        """The call is over."""
        self._waiting.clear()

    def on_passed(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        """A response to our INFO."""
        message = received.message
        if isinstance(message, Request) or message.code < 200:
            return
        if message.code >= 300:
            self._waiting.clear()
        self._asked = None
        self._next(now)

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        self._waiting.clear()
        self._asked = None

    def _next(self, now: float) -> None:
        if self._asked is not None or not self._waiting:
            return
        hop = self._dialog.next_hop()
        request = self._dialog.request("INFO", self._core.via(hop))
        request.body = f"Signal={self._waiting.popleft()}\r\nDuration={PRESS_MS}\r\n".encode()
        request.headers.set("Content-Type", "application/dtmf-relay")
        request.headers.set("Content-Length", str(len(request.body)))
        self._asked = self._core.request(request, hop, now, self)

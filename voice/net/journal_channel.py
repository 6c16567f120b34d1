"""The data channel `journal`: a browser's view of its own call, and its keypad.

The browser opens the channel. We send one `Record` of the journal a message, as JSON; it sends `{"keys": "5"}`.
"""

from collections import deque
from collections.abc import Callable
from typing import Annotated

import msgspec
from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from dialog.events import PartialHeard, Record

LABEL = "journal"

_PENDING = 256
_TIGHT_BYTES = 256 * 1024
_FULL_BYTES = 1024 * 1024
_LARGEST_MESSAGE = 256


class _Pressed(msgspec.Struct, forbid_unknown_fields=True):
    keys: Annotated[str, msgspec.Meta(pattern=r"\A[0-9*#]{1,32}\Z")]


class JournalChannel:
    """Bounded both ways: records wait for the channel to open (256, the oldest go first); a browser that does not
    read gets no partial texts from 256 kB on, and at 1 MB the channel is closed, while the call goes on."""

    def __init__(self, on_keys: Callable[[str], None]) -> None:
        self.dropped = 0
        self.rejected = 0
        self._on_keys = on_keys
        self._channel: RTCDataChannel | None = None
        self._pending: deque[Record] = deque(maxlen=_PENDING)

    def attach(self, channel: RTCDataChannel) -> None:
        """Take the browser's channel; a second one, or one of another name, is closed."""
        if channel.label != LABEL or self._channel is not None:
            self.rejected += 1
            channel.close()
            return
        self._channel = channel
        channel.add_listener("message", self._receive)
        while self._pending:
            self.send(self._pending.popleft())

    def send(self, record: Record) -> None:
        """Send or keep one record; returns at once and never raises."""
        channel = self._channel
        if channel is None:
            if len(self._pending) == _PENDING:
                self.dropped += 1
            self._pending.append(record)
            return
        if channel.readyState != "open":
            self.dropped += 1
            return
        if channel.bufferedAmount > _FULL_BYTES:
            self.dropped += 1
            channel.close()
            return
        if channel.bufferedAmount > _TIGHT_BYTES and isinstance(record.event, PartialHeard):
            self.dropped += 1
            return
        try:
            channel.send(record.model_dump_json())
        except (InvalidStateError, ValueError):  # closed under our hands, or longer than the browser takes
            self.dropped += 1

    def _receive(self, message: str | bytes) -> None:
        if len(message) > _LARGEST_MESSAGE or isinstance(message, bytes):
            self.rejected += 1
            return
        try:
            pressed = msgspec.json.decode(message, type=_Pressed)
        except (msgspec.MsgspecError, UnicodeError):
            self.rejected += 1
            return
        self._on_keys(pressed.keys)

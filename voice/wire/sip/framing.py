"""Messages out of a stream of bytes: RFC 3261 sections 7.5 and 18.3, keep-alives of RFC 5626 section 3.5.1.

However the stream is cut, the same messages come out, and the same fault.
"""

import re

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import TOKEN, read_number
from voice.wire.sip.guard import MAX_DATAGRAM, MAX_HEAD, MAX_LINE, MAX_METHOD

MESSAGE_S = 10.0
"""How long a message may take from its first byte to its last."""

PONG = b"\r\n"
"""The answer to a double CRLF (RFC 5626 section 4.4.1)."""

_END = b"\r\n\r\n"
_BEGINNING = re.compile(rf"(?:{TOKEN[:-2]}|/){{1,{MAX_METHOD}}}(?:[ \t][^\x00-\x08\x0a-\x1f\x7f]*+)?\r?\Z".encode())
"""What a start line may look like before all of it is there."""
_START = re.compile(rf"(?:SIP/2\.0 |{TOKEN}[ \t].*[ \t]SIP/[0-9]++\.[0-9]++[ \t]*\Z)".encode())
_LENGTH = re.compile(r"\r\n(?:content-length|l)[ \t]*+:(?P<value>[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)", re.IGNORECASE)


class Framing:
    """What comes in by one connection.

    `fault` is empty until the stream is of no more use: then it is one of a fixed set of short words, fit to count by,
    and the connection is to be closed, for nobody can tell where the next message would begin.
    """

    over = False
    """A stream has no end of its own: it ends with its connection."""

    def __init__(self) -> None:
        self.fault = ""
        self._buffer = bytearray()
        self._started = False
        self._searched = 0
        self._length: int | None = None
        self._begun: float | None = None
        self._blank = 0
        self._pongs = 0

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take bytes; return the messages they complete."""
        messages: list[bytes] = []
        if self.fault:
            return messages
        self._buffer += data
        try:
            while (message := self._next(now)) is not None:
                messages.append(message)
        except ProtocolError as error:
            self._fail(str(error))
        return messages

    def wrap(self, message: bytes) -> bytes:
        """`message` as it is sent."""
        return message

    def to_send(self) -> bytes:
        """Take the answers to keep-alives."""
        count, self._pongs = self._pongs, 0
        return PONG * count

    def deadline(self) -> float | None:
        """When `on_timer` is due, or None."""
        return None if self._begun is None else self._begun + MESSAGE_S

    def on_timer(self, now: float) -> None:
        """Lose patience with a message that has not ended in time."""
        due = self.deadline()
        if due is not None and due <= now:
            self._fail("slow")

    def _fail(self, reason: str) -> None:
        self.fault = reason
        self._buffer.clear()
        self._begun = None

    def _next(self, now: float) -> bytes | None:
        """Take one message from the buffer, if all of it is there. Raises ProtocolError."""
        if self._begun is None:
            self._skip_line_ends()
            if not self._buffer or self._buffer == b"\r":
                return None
            self._begun = now
        if self._length is None:
            if not self._started:
                self._check_start()
            end = self._buffer.find(_END, max(0, self._searched - len(_END) + 1), MAX_HEAD + len(_END))
            if end < 0:
                self._searched = len(self._buffer)
                if self._searched >= MAX_HEAD + len(_END):
                    raise ProtocolError("oversize")
                return None
            self._length = end + len(_END) + _content_length(self._buffer[:end].decode("latin-1"))
            if self._length > MAX_DATAGRAM:
                raise ProtocolError("oversize")
        if len(self._buffer) < self._length:
            return None
        message = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._started, self._searched, self._length, self._begun, self._blank = False, 0, None, None, 0
        return message

    def _skip_line_ends(self) -> None:
        """Line ends between messages mean nothing, but two together ask for an answer."""
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            self._blank += 1
            if self._blank == 2:
                self._blank = 0
                self._pongs += 1

    def _check_start(self) -> None:
        """See early that what begins is no message: who speaks another protocol may never send an end of headers."""
        line, ended, _ = bytes(self._buffer[: MAX_LINE + 2]).partition(b"\r\n")
        if not _BEGINNING.match(line) or (ended and not _START.match(line)):
            raise ProtocolError("not SIP")
        if len(line.removesuffix(b"\r")) > MAX_LINE:
            raise ProtocolError("oversize")
        self._started = bool(ended)


def _content_length(head: str) -> int:
    """The length of the body. Over a stream it must be told (RFC 3261 section 20.14)."""
    values = {match["value"].strip() for match in _LENGTH.finditer(head)}
    if not values:
        raise ProtocolError("no Content-Length")
    if len(values) > 1:
        raise ProtocolError("malformed Content-Length")
    try:
        return read_number(values.pop(), MAX_DATAGRAM)
    except ProtocolError:
        raise ProtocolError("malformed Content-Length") from None

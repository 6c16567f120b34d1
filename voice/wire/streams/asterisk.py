"""Asterisk's chan_websocket: what `Dial(WebSocket/...)` opens, from Asterisk 20.16, 22.6 and 23.0 on.

Source: docs.asterisk.org, Configuration/Channel-Drivers/WebSocket. Audio is in binary messages, in the codec that the
dial string chose; events and commands are in text, plain or JSON, and we answer in the form that Asterisk speaks.
Asterisk buffers and paces what it is sent. Caller and number are parameters of the URL, which the dial string's `v()`
adds. It tells keys and takes none.
"""

import msgspec

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.streams.stream import (
    MAX_TEXT,
    AudioFormat,
    MediaStream,
    Message,
    Opening,
    Party,
    StreamEvent,
    StreamStarted,
    read_audio,
    read_json,
    read_key,
    read_party,
)

FORMATS = {
    "ulaw": AudioFormat("PCMU"),
    "alaw": AudioFormat("PCMA"),
    "slin": AudioFormat("L16"),
    "slin16": AudioFormat("L16", 16_000),
}
"""By Asterisk's names."""


class _Event(msgspec.Struct):
    event: str
    connection_id: Party = ""
    channel_id: Party = ""
    format: Party = ""
    digit: str = ""


class AsteriskStream(MediaStream):
    """One channel."""

    NAME = "asterisk"

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._begun = False
        self._speaks_json = False
        self._full = False

    def receive(self, message: Message) -> list[StreamEvent]:
        if isinstance(message, bytes):
            if not self._begun:
                raise ProtocolError("audio before MEDIA_START")
            return [read_audio(message)]
        event = read_json(message, _Event) if message.startswith("{") else _plain(message)
        match event.event:
            case "MEDIA_START" if not self._begun:
                self._speaks_json = message.startswith("{")
                return [self._begin(event)]
            case "MEDIA_START":
                raise ProtocolError("MEDIA_START again")
            case "DTMF_END":
                return [read_key(event.digit)]
            case "MEDIA_XOFF" | "MEDIA_XON":
                self._full = event.event == "MEDIA_XOFF"
            case "QUEUE_DRAINED":
                self._command("HANGUP")
                self.over = True
        return []

    def play(self, payload: bytes) -> None:
        if not self._full:  # it would drop this, and perhaps not tell
            self._send(payload)

    def clear(self) -> None:
        self._command("FLUSH_MEDIA")

    def hang_up(self) -> None:
        if self._begun:
            self._command("REPORT_QUEUE_DRAINED")
        else:
            self.over = True

    def _begin(self, start: _Event) -> StreamStarted:
        audio = FORMATS.get(start.format)
        if audio is None:
            raise NoCommonCodec(f"Asterisk streams {start.format!r}; known are {', '.join(FORMATS)}")
        self._begun = True
        caller, dialled = (read_party(self._opening, name) for name in ("caller", "dialled"))
        return StreamStarted(start.channel_id or start.connection_id, audio, caller, dialled)

    def _command(self, command: str) -> None:
        if self._speaks_json:
            self._send_json({"command": command})
        else:
            self._send(command)


def _plain(line: str) -> _Event:
    """`NAME key:value key:value`; a word without a colon is passed over. Raises ProtocolError."""
    if len(line) > MAX_TEXT or not line.isprintable() or not line.strip():
        raise ProtocolError("text that is no event")
    name, *words = line.split()
    members = dict(word.split(":", 1) for word in words if ":" in word)
    try:
        return msgspec.convert({**members, "event": name}, _Event)
    except msgspec.ValidationError:
        raise ProtocolError(f"{name} with members that are none of it") from None

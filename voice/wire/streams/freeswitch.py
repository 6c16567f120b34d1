"""FreeSWITCH's mod_audio_fork (drachtio): what `uuid_audio_fork UUID start` opens.

Source: the README of mod_audio_fork, github.com/drachtio/drachtio-freeswitch-modules and its descendants that stream
both ways. Audio is L16 in binary messages, at 8 kHz, or at 16 kHz where the parameter `rate` of the URL says so: the
module tells nothing of it. The metadata of the command come first, as JSON, if there are any; in them or in the URL
are `caller` and `dialled`. It tells no keys by itself: `uuid_audio_fork UUID send_text` does.
"""

import msgspec

from dialog.errors import ProtocolError
from voice.wire.streams.stream import (
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

FORMATS = {"8000": AudioFormat("L16"), "16000": AudioFormat("L16", 16_000)}
"""By the URL's `rate`."""

FAREWELL = "farewell"
"""A mark; the module sends it back once what was sent before it is played."""


class _Data(msgspec.Struct):
    name: str = ""


class _Text(msgspec.Struct):
    """Metadata, a key, or a mark that came back."""

    caller: Party = ""
    dialled: Party = ""
    uuid: Party = ""
    event: str = ""
    digit: str = ""
    type: str = ""
    data: _Data | None = None


class FreeswitchStream(MediaStream):
    """One fork, `mono`, of a module that streams both ways."""

    NAME = "freeswitch"

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._begun = False

    def receive(self, message: Message) -> list[StreamEvent]:
        text = _Text() if isinstance(message, bytes) else read_json(message, _Text)
        events: list[StreamEvent] = [] if self._begun else [self._begin(text)]
        if isinstance(message, bytes):
            events.append(read_audio(message))
        elif text.event == "dtmf":
            events.append(read_key(text.digit))
        elif text.type == "mark" and text.data is not None and text.data.name == FAREWELL:
            self._send_json({"type": "disconnect"})
            self.over = True
        return events

    def play(self, payload: bytes) -> None:
        self._send(payload)

    def clear(self) -> None:
        self._send_json({"type": "killAudio"})

    def hang_up(self) -> None:
        if self._begun:
            self._send_json({"type": "mark", "data": {"name": FAREWELL}})
        else:
            self.over = True

    def _begin(self, metadata: _Text) -> StreamStarted:
        rate = self._opening.parameters.get("rate", "8000")
        if rate not in FORMATS:
            raise ProtocolError(f"rate in the URL: it may be {' or '.join(FORMATS)}")
        self._begun = True
        caller = metadata.caller or read_party(self._opening, "caller")
        dialled = metadata.dialled or read_party(self._opening, "dialled")
        return StreamStarted(metadata.uuid or read_party(self._opening, "uuid"), FORMATS[rate], caller, dialled)

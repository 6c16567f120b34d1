"""Twilio Media Streams, bidirectional: what `<Connect><Stream>` opens.

Source: twilio.com/docs/voice/media-streams/websocket-messages and /docs/voice/twiml/stream. All messages are JSON in
text, the audio in them base64 of PCMU at 8 kHz. Twilio tells neither caller nor number, and passes no parameters of
the URL on: the parameters `caller` and `dialled` of the TwiML (`<Parameter>`) do. It takes media, mark and clear, and
no keys. Closing the connection ends the stream, and Twilio goes on with the next verb.
"""

import base64

import msgspec

from dialog.errors import ProtocolError
from voice.wire.streams.stream import (
    AudioFormat,
    MediaStream,
    Message,
    Parameters,
    Party,
    StreamEvent,
    StreamStarted,
    read_base64,
    read_json,
    read_key,
)

FORMAT = AudioFormat("PCMU")

FAREWELL = "farewell"
"""A mark; Twilio sends it back once what was sent before it is played, or cleared."""


class _MediaFormat(msgspec.Struct, rename="camel"):
    encoding: Party
    sample_rate: int
    channels: int


class _Start(msgspec.Struct, rename="camel"):
    call_sid: Party
    media_format: _MediaFormat
    custom_parameters: Parameters = {}


class _Media(msgspec.Struct):
    payload: str
    track: str = "inbound"


class _Dtmf(msgspec.Struct):
    digit: str


class _Mark(msgspec.Struct):
    name: str


class _Message(msgspec.Struct, rename="camel"):
    event: str
    stream_sid: Party = ""
    start: _Start | None = None
    media: _Media | None = None
    dtmf: _Dtmf | None = None
    mark: _Mark | None = None


class TwilioStream(MediaStream):
    """One `<Stream>`."""

    NAME = "twilio"

    _stream_sid = ""

    def receive(self, message: Message) -> list[StreamEvent]:
        parsed = read_json(message, _Message)
        match parsed:
            case _Message(event="start", start=_Start() as start) if not self._stream_sid and parsed.stream_sid:
                return [self._begin(parsed.stream_sid, start)]
            case _Message(event="media", media=_Media() as media) if self._stream_sid:
                return [read_base64(media.payload)] if media.track == "inbound" else []
            case _Message(event="dtmf", dtmf=_Dtmf() as dtmf) if self._stream_sid:
                return [read_key(dtmf.digit)]
            case _Message(event="mark", mark=_Mark() as mark):
                self.over = self.over or mark.name == FAREWELL
                return []
            case _Message(event="stop"):
                return self._end()
            case _Message(event="start" | "media" | "dtmf" | "mark"):
                raise ProtocolError(f"{parsed.event} out of turn, or without its object")
            case _:
                return []  # "connected", and what may come to be

    def play(self, payload: bytes) -> None:
        self._tell("media", media={"payload": base64.b64encode(payload).decode()})

    def clear(self) -> None:
        self._tell("clear")

    def hang_up(self) -> None:
        if self._stream_sid:
            self._tell("mark", mark={"name": FAREWELL})
        else:
            self.over = True

    def _begin(self, stream_sid: str, start: _Start) -> StreamStarted:
        told = start.media_format
        if (told.encoding, told.sample_rate, told.channels) != ("audio/x-mulaw", 8_000, 1):
            raise ProtocolError(f"audio as {told.encoding} at {told.sample_rate} Hz")
        self._stream_sid = stream_sid
        parameters = start.custom_parameters
        return StreamStarted(start.call_sid, FORMAT, parameters.get("caller", ""), parameters.get("dialled", ""))

    def _tell(self, event: str, **content: dict[str, str]) -> None:
        self._send_json({"event": event, "streamSid": self._stream_sid, **content})

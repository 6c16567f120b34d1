"""Genesys Cloud AudioHook, version 2, as its Audio Connector opens it from a flow.

Source: developer.genesys.cloud/devapps/audiohook (session walk-through, protocol reference) and Genesys' reference
implementations, github.com/purecloudlabs/audiohook-reference-implementation and
github.com/GenesysCloudBlueprints/audioconnector-server-reference-implementation. Messages are JSON, numbered on both
sides; audio is PCMU at 8 kHz in binary, of the caller alone or of both parties, sample by sample. Genesys is to
close: what hangs up here is a request to do so. It tells keys and takes none.
"""

from typing import Annotated, Literal

import msgspec

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.streams.stream import (
    AudioFormat,
    HoldReceived,
    MediaStream,
    Message,
    Opening,
    Party,
    StreamEvent,
    StreamStarted,
    read_audio,
    read_json,
    read_key,
)

FORMAT = AudioFormat("PCMU")

CHUNK_OCTETS = 12 * FORMAT.frame_octets
"""240 ms a message: Genesys takes five binary messages a second, in the long run (its limits, "audiohook")."""

_SILENCE = 0xFF
_PROBE = "00000000-0000-0000-0000-000000000000"
"""The conversation of a connection that is made to see whether there is one."""


class _Media(msgspec.Struct):
    type: str
    format: str
    channels: Annotated[list[Literal["external", "internal"]], msgspec.Meta(min_length=1, max_length=2)]
    rate: int


class _Participant(msgspec.Struct):
    ani: Party = ""
    dnis: Party = ""


class _Parameters(msgspec.Struct, rename="camel"):
    """Of all messages at once."""

    conversation_id: Party = ""
    participant: _Participant | None = None
    media: Annotated[list[_Media], msgspec.Meta(max_length=16)] = []
    digit: str = ""


class _Message(msgspec.Struct):
    version: Literal["2"]
    id: Annotated[str, msgspec.Meta(max_length=64)]
    type: str
    seq: int
    parameters: _Parameters


class GenesysStream(MediaStream):
    """One session."""

    NAME = "genesys"

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._id = ""
        self._heard_seq = 0
        self._sent_seq = 0
        self._channels = 0
        self._external = 0
        self._chunk = b""
        self._playing = False
        self._leaving = False

    def receive(self, message: Message) -> list[StreamEvent]:
        if isinstance(message, bytes):
            if not self._channels:
                raise ProtocolError("audio before opened")
            return [read_audio(message[self._external :: self._channels])]
        parsed = read_json(message, _Message)
        if parsed.seq != self._heard_seq + 1 or parsed.id != (self._id or parsed.id):
            raise ProtocolError("a message out of its turn, or of another session")
        if (parsed.type == "open") is not (self._heard_seq == 0):
            raise ProtocolError(f"{parsed.type} out of turn")
        self._heard_seq, self._id = parsed.seq, parsed.id
        return self._take(parsed.type, parsed.parameters)

    def play(self, payload: bytes) -> None:
        """Silence is not sent where it would begin a message: nothing sent is silence, too."""
        if self._chunk or payload.strip(bytes([_SILENCE])):
            self._chunk += payload
        if len(self._chunk) >= CHUNK_OCTETS:
            self._send_chunk()

    def clear(self) -> None:
        self._chunk = b""
        self._tell("event", {"entities": [{"type": "barge_in", "data": {}}]})

    def hang_up(self) -> None:
        if self._chunk:
            self._send_chunk()
        self._leaving = True
        if not self._channels:
            self.over = True
        elif not self._playing:
            self._tell("disconnect", {"reason": "completed"})

    def _take(self, kind: str, parameters: _Parameters) -> list[StreamEvent]:
        match kind:
            case "open":
                return self._open(parameters)
            case "ping":
                self._tell("pong")
            case "update":
                self._tell("updated")
            case "paused":
                return [HoldReceived(on=True)]
            case "resumed":
                return [HoldReceived(on=False)]
            case "dtmf":
                return [read_key(parameters.digit)]
            case "playback_completed":
                self._playing = False
                if self._leaving:
                    self._tell("disconnect", {"reason": "completed"})
            case "close":
                self._tell("closed")
                return self._end()
        return []  # "discarded", "error", and what may come to be

    def _open(self, parameters: _Parameters) -> list[StreamEvent]:
        offers = [
            media for media in parameters.media if (media.type, media.format, media.rate) == ("audio", "PCMU", 8_000)
        ]
        media = next((offer for offer in sorted(offers, key=_count) if "external" in offer.channels), None)
        if media is None:
            raise NoCommonCodec("no PCMU of the caller is offered")
        self._channels, self._external = len(media.channels), media.channels.index("external")
        self._tell("opened", {"startPaused": False, "media": [msgspec.to_builtins(media)]})
        if parameters.conversation_id == _PROBE:
            return []
        participant = parameters.participant or _Participant()
        caller, dialled = (party.removeprefix("tel:") for party in (participant.ani, participant.dnis))
        return [StreamStarted(parameters.conversation_id, FORMAT, caller, dialled)]

    def _send_chunk(self) -> None:
        self._send(self._chunk)
        self._chunk = b""
        self._playing = True

    def _tell(self, kind: str, parameters: dict[str, object] | None = None) -> None:
        self._sent_seq += 1
        numbers = {"seq": self._sent_seq, "clientseq": self._heard_seq}
        self._send_json({"version": "2", "id": self._id, "type": kind, **numbers, "parameters": parameters or {}})


def _count(media: _Media) -> int:
    """One channel rather than two."""
    return len(media.channels)

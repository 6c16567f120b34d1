"""AudioSocket, Asterisk's audio over plain TCP: what the application `AudioSocket()` and `Dial(AudioSocket/...)` open.

Source: docs.asterisk.org, Configuration/Channel-Drivers/AudioSocket; for keys, the change log of Asterisk 22.4. A
message is a kind, a length of two octets, big-endian, and that much content. The stream begins with a UUID that the
dial plan made up, and tells nothing else of the call. Audio is L16 at 8 kHz; Asterisk takes audio and a hang-up only,
in frames of 20 ms and at their pace.
"""

from enum import IntEnum
from struct import Struct
from uuid import UUID

from dialog.errors import ProtocolError
from voice.wire.streams.stream import (
    AudioFormat,
    AudioReceived,
    MediaStream,
    Message,
    Opening,
    StreamEvent,
    StreamStarted,
    read_key,
)

FORMAT = AudioFormat("L16")

_HEAD = Struct("!BH")


class Kind(IntEnum):
    """The first octet. Kinds from 0x11 on are L16 at other rates, for which a channel has to be asked."""

    HANGUP = 0x00
    UUID = 0x01
    DTMF = 0x03
    AUDIO = 0x10
    ERROR = 0xFF


def packed(kind: Kind, content: bytes = b"") -> bytes:
    """A message."""
    return _HEAD.pack(kind, len(content)) + content


class AudioSocketStream(MediaStream):
    """One connection."""

    NAME = "audiosocket"

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._held = bytearray()
        self._begun = False

    def receive(self, message: Message) -> list[StreamEvent]:
        assert isinstance(message, bytes), "TCP has no text"
        self._held += message
        events: list[StreamEvent] = []
        while not self.over and len(self._held) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._held)
            end = _HEAD.size + length
            if not self._begun and (kind, length) != (Kind.UUID, 16):
                raise ProtocolError("a stream that does not begin with its UUID")
            if len(self._held) < end:
                break
            content = bytes(self._held[_HEAD.size : end])
            del self._held[:end]
            events += self._take(kind, content)
        return events

    def play(self, payload: bytes) -> None:
        self._send(packed(Kind.AUDIO, payload))

    def clear(self) -> None:
        """Asterisk holds nothing."""

    def hang_up(self) -> None:
        self._send(packed(Kind.HANGUP))
        self.over = True

    def _take(self, kind: int, content: bytes) -> list[StreamEvent]:
        match kind:
            case Kind.UUID if not self._begun:
                self._begun = True
                return [StreamStarted(str(UUID(bytes=content)), FORMAT)]
            case Kind.AUDIO:
                return [AudioReceived(content)]
            case Kind.DTMF:
                return [read_key(content.decode("latin-1"))]
            case Kind.HANGUP | Kind.ERROR:
                return self._end()
            case _:
                raise ProtocolError(f"kind {kind:#04x}; audio is slin at 8 kHz here")

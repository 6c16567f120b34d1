"""What the host, the speech nursery and its children say to each other, and how it lies on their sockets.

One message is four bytes of length (little endian) and that much msgpack. Sans-I/O: bytes in, messages out. Both ends
bound what they take, and treat what no message accepts as the other's death.
"""

from typing import Generic, TypeVar

import msgspec

from dialog.actions import Expect
from dialog.errors import ProtocolError

MAX_MESSAGE_BYTES = 1 << 18
AUDIO_BYTES = 32_000
"""Audio in one message: 1 s."""
MAX_TEXT_CHARS = 2_000

_LENGTH_BYTES = 4


class _Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A message is told by its class's name."""


class Begin(_Message, frozen=True):
    """An utterance of `stream` begins; a running one is forgotten. The first one opens the stream."""

    stream: int
    utterance: int
    expect: Expect


class Audio(_Message, frozen=True):
    """16 kHz int16 little endian. `again`: kept audio of a child that was lost; it comes faster than it was spoken."""

    stream: int
    pcm: bytes
    again: bool = False


class Final(_Message, frozen=True):
    """A final reading is wanted."""

    stream: int


class End(_Message, frozen=True):
    """The utterance is forgotten, and the stream with it until the next `Begin`."""

    stream: int


class Speak(_Message, frozen=True):
    """Synthesise. `ahead`: nobody waits for this one, it is for the cache."""

    request: int
    text: str
    pace: float
    ahead: bool = False


class Cancel(_Message, frozen=True):
    """Stop synthesising; nothing more is said about `request`."""

    request: int


class Ping(_Message, frozen=True):
    """Answered at once by a child that lives."""

    number: int


class Loaded(_Message, frozen=True):
    """The nursery has its models, warm, and can fork."""

    recogniser: str
    model: str
    language: str
    load_ms: int


class Refused(_Message, frozen=True):
    """The nursery cannot do what it was configured for and ends; `code` is of the error tree."""

    code: str
    reason: str


class Ready(_Message, frozen=True):
    """A child serves."""

    pid: int


class Partial(_Message, frozen=True):
    """The words so far."""

    stream: int
    utterance: int
    text: str


class Read(_Message, frozen=True):
    """A final reading: (text, confidence), best first."""

    stream: int
    utterance: int
    audio_ms: int
    hypotheses: tuple[tuple[str, float], ...]


class Gapped(_Message, frozen=True):
    """Audio was dropped: decoding is more than a second behind."""

    stream: int
    utterance: int
    gap_ms: int


class Spoken(_Message, frozen=True):
    """A block of `request`; the last may be empty."""

    request: int
    pcm: bytes
    last: bool


class NotSpoken(_Message, frozen=True):
    """`request` failed."""

    request: int
    code: str
    reason: str


class Pong(_Message, frozen=True):
    """`busy_ms` is the age of the oldest piece of work under way."""

    number: int
    busy_ms: int


ToChild = Begin | Audio | Final | End | Speak | Cancel | Ping
ToHost = Loaded | Refused | Ready | Partial | Read | Gapped | Spoken | NotSpoken | Pong

M = TypeVar("M")

_encoder = msgspec.msgpack.Encoder()


def encode(message: ToChild | ToHost) -> bytes:
    """One message as it goes on the socket."""
    body = _encoder.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


class Receiver(Generic[M]):
    """Bytes of one direction to messages."""

    def __init__(self, decoder: "msgspec.msgpack.Decoder[M]") -> None:
        self._decoder = decoder
        self._held = bytearray()

    def receive(self, data: bytes) -> list[M]:
        """The messages that `data` completes. Raises ProtocolError; the stream is then beyond repair."""
        self._held += data
        messages = []
        at = 0
        while len(self._held) - at >= _LENGTH_BYTES:
            size = int.from_bytes(self._held[at : at + _LENGTH_BYTES], "little")
            if size > MAX_MESSAGE_BYTES:
                raise ProtocolError(f"a message of {size} bytes on the speech socket")
            end = at + _LENGTH_BYTES + size
            if len(self._held) < end:
                break
            try:
                messages.append(self._decoder.decode(memoryview(self._held)[at + _LENGTH_BYTES : end]))
            except msgspec.DecodeError as error:
                raise ProtocolError(f"no message of the speech socket: {error}") from error
            at = end
        del self._held[:at]
        return messages


def child_receiver() -> Receiver[ToChild]:
    """For the child's end."""
    return Receiver(msgspec.msgpack.Decoder(ToChild))


def host_receiver() -> Receiver[ToHost]:
    """For the host's end."""
    return Receiver(msgspec.msgpack.Decoder(ToHost))

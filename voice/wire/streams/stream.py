"""What the protocols of streamed calls have in common: another platform holds the call, and sends its audio here.

A stream is one call. Its messages go in by `receive`, which tells what they mean; `play`, `clear` and `hang_up` are
our side's wishes, and what is to be sent, for those as for itself, is fetched by `to_send`. Sans-I/O. Everything that
no reading of the protocol allows raises ProtocolError, and the stream is then of no use any more.
"""

import binascii
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec

from dialog.errors import ProtocolError
from voice.wire.dtmf import KEYS

Message = str | bytes
"""Text or binary, as WebSocket has the two (RFC 6455 section 5.6). What comes by TCP is binary, cut anywhere."""

MAX_TEXT = 16_384
"""Characters of a message in text."""
MAX_AUDIO = 65_536
"""Octets of a message of audio."""

FRAME_MS = 20

Party = Annotated[str, msgspec.Meta(max_length=256, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
"""A number, a name or an address; nothing in it that a terminal would obey."""
Parameters = Annotated[dict[Party, Party], msgspec.Meta(max_length=64)]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One channel of audio. L16 is signed and little-endian here, as all these platforms have it, unlike in RTP."""

    encoding: Literal["PCMU", "PCMA", "L16"]
    rate_hz: Literal[8_000, 16_000] = 8_000

    @property
    def frame_octets(self) -> int:
        """Of 20 ms."""
        return self.rate_hz * FRAME_MS // 1000 * (2 if self.encoding == "L16" else 1)

    def __str__(self) -> str:
        return self.encoding if self.rate_hz == 8_000 else f"{self.encoding}/{self.rate_hz}"


@dataclass(frozen=True, slots=True)
class Opening:
    """What the request said that opened the stream; `parameters` are those of its URL."""

    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The call is there, and its audio follows. What the platform does not tell is empty."""

    stream_id: str
    format: AudioFormat
    caller: str = ""
    dialled: str = ""


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """Audio of the caller, of any length, in the format that was told."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class KeysReceived:
    """The caller pressed keys."""

    digits: str


@dataclass(frozen=True, slots=True)
class HoldReceived:
    """The platform sends no audio for a while, on purpose; or sends it again."""

    on: bool


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The platform's side is over: the caller hung up, or the platform took the call away."""


StreamEvent = StreamStarted | AudioReceived | KeysReceived | HoldReceived | StreamEnded


class MediaStream(ABC):
    """One call of one platform. `over`: nothing is left to say or to wait for, once `to_send` is empty."""

    NAME: ClassVar[str]
    """In settings, paths and logs; and what such a call dials, where the platform names no number."""

    def __init__(self, opening: Opening) -> None:
        self.over = False
        self._opening = opening
        self._waiting: list[Message] = []

    @abstractmethod
    def receive(self, message: Message) -> list[StreamEvent]:
        """Take a message. Raises ProtocolError."""

    @abstractmethod
    def play(self, payload: bytes) -> None:
        """Let the caller hear 20 ms."""

    @abstractmethod
    def clear(self) -> None:
        """Drop what the platform holds and has not yet played; nothing where it has no way to be told so."""

    @abstractmethod
    def hang_up(self) -> None:
        """End the call. What was played is heard to its end first, where the platform tells when that is: `over`
        follows, sooner or later or never."""

    def to_send(self) -> list[Message]:
        """What is to be sent now, in order."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _send(self, message: Message) -> None:
        self._waiting.append(message)

    def _send_json(self, message: Mapping[str, object]) -> None:
        self._send(msgspec.json.encode(message).decode())

    def _end(self) -> list[StreamEvent]:
        self.over = True
        return [StreamEnded()]


def read_json(message: Message, kind: type[T]) -> T:
    """A message in text as `kind`; members that it does not name are passed over. Raises ProtocolError."""
    if isinstance(message, bytes):
        raise ProtocolError("a binary message, where text was to come")
    if len(message) > MAX_TEXT:
        raise ProtocolError(f"a message of {len(message)} characters")
    try:
        return msgspec.json.decode(message, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"JSON that is none of this protocol: {type(error).__name__}") from None


def read_party(opening: Opening, name: str) -> str:
    """A parameter of the URL; empty where it is not there. Raises ProtocolError for one that no party is called."""
    try:
        return msgspec.convert(opening.parameters.get(name, ""), Party)
    except msgspec.ValidationError:
        raise ProtocolError(f"{name} in the URL is none") from None


def read_audio(payload: bytes) -> AudioReceived:
    """Raises ProtocolError for more than anybody sends at once."""
    if len(payload) > MAX_AUDIO:
        raise ProtocolError(f"{len(payload)} octets of audio in one message")
    return AudioReceived(payload)


def read_base64(text: str) -> AudioReceived:
    """Audio within text. Raises ProtocolError."""
    try:
        return read_audio(binascii.a2b_base64(text, strict_mode=True))
    except (binascii.Error, ValueError):
        raise ProtocolError("audio that is no base64") from None


def read_key(digit: str) -> KeysReceived:
    """Raises ProtocolError for what is on no keypad."""
    if len(digit) != 1 or digit.upper() not in KEYS:
        raise ProtocolError("a key that is on no keypad")
    return KeysReceived(digit.upper())

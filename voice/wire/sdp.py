"""Session descriptions (RFC 8866) as values, and a bounded reader for anything a peer may send as one.

Sans-I/O. Everything wrong raises ProtocolError. What two sides make of their descriptions stands in `negotiation`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from dialog.errors import ProtocolError

MAX_BYTES = 65_536
MAX_LINES = 512
MAX_LINE = 1_024
MAX_MEDIA = 16
MAX_FORMATS = 64

_LINE = re.compile(r"([a-z])=(.*)\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MEDIA = re.compile(r"([a-z0-9\-]{1,32}) ([0-9]{1,5})(?:/([0-9]{1,3}))? ([A-Za-z0-9/\-]{1,64})((?: [^ ]++)++) ?\Z")
_ORIGIN = re.compile(r"([^ ]++) ([0-9]{1,32}) ([0-9]{1,32}) IN (IP[46]) ([^ ]{1,255})\Z")
_CONNECTION = re.compile(r"IN (IP[46]) ([^ /]{1,255})((?:/[0-9]{1,5}){0,2}) ?\Z")
_RTPMAP = re.compile(r"([0-9]{1,3}) ++([A-Za-z0-9.+_\-]{1,64})/([0-9]{1,6})(?:/([0-9]{1,2}))? *\Z")


class Codec(StrEnum):
    """The audio formats we speak (RFC 3551 section 6, RFC 7587), all of them mono."""

    OPUS = "opus"
    G722 = "G722"
    PCMU = "PCMU"
    PCMA = "PCMA"

    @property
    def clock_hz(self) -> int:
        """Of its timestamps, whatever it samples at."""
        return 48_000 if self is Codec.OPUS else 8_000

    @property
    def encoding(self) -> str:
        """As an rtpmap names it; Opus is always of two channels there (RFC 7587 section 7)."""
        return "opus/48000/2" if self is Codec.OPUS else f"{self}/8000"


STATIC = {"0": Codec.PCMU, "8": Codec.PCMA, "9": Codec.G722}
"""Payload types that need no rtpmap (RFC 3551 table 4)."""

COMFORT_NOISE = "13"
"""And that of comfort noise (RFC 3389 section 4), beside formats of 8 kHz clock."""


class Direction(StrEnum):
    """Which way media flows, as the describing side sees it (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> "Direction":
        """The direction in which these flow."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> "Direction":
        """The same flow as the other side sees it."""
        return Direction.of(sends=self.receives, receives=self.sends)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`a=name` or `a=name:value`."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"a={self.name}" if self.value is None else f"a={self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line: who made the session, and how often it changed."""

    user: str
    session_id: int
    version: int
    host: str

    def __str__(self) -> str:
        return f"o={self.user} {self.session_id} {self.version} IN {_family(self.host)} {self.host}"


@dataclass(frozen=True, slots=True)
class Media:
    """An m= line with what belongs to it. `connection` is None where the session's holds."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str | None = None
    attributes: tuple[Attribute, ...] = ()

    def __str__(self) -> str:
        lines = [f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}"]
        if self.connection is not None:
            lines.append(f"c=IN {_family(self.connection)} {self.connection}")
        return "\r\n".join([*lines, *map(str, self.attributes)])

    def value(self, name: str) -> str | None:
        """The first value of attribute `name`."""
        return next((a.value for a in self.attributes if a.name == name), None)

    def direction(self) -> Direction | None:
        """The direction named at this level, if any."""
        return _named_direction(self.attributes)

    def encodings(self) -> dict[str, tuple[str, int]]:
        """Payload type to encoding name in capitals and clock rate in Hz; what is not mapped is left out."""
        static = {pt: codec.value for pt, codec in STATIC.items()} | {COMFORT_NOISE: "CN"}
        found = {pt: (name, 8000) for pt, name in static.items() if pt in self.formats}
        for attribute in self.attributes:
            match = _RTPMAP.match(attribute.value or "") if attribute.name == "rtpmap" else None
            if match and match[1] in self.formats:
                name, channels = match[2].upper(), match[4] or "1"
                known = channels == ("2" if name == "OPUS" else "1")
                found[match[1]] = (name if known else "", int(match[3]))
        return found


@dataclass(frozen=True, slots=True)
class Session:
    """A session description. Lines that no negotiation of ours needs (b=, t=, ...) are not kept."""

    origin: Origin
    connection: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()

    def direction(self) -> Direction | None:
        """The direction named for all media, if any."""
        return _named_direction(self.attributes)

    def __str__(self) -> str:
        lines = ["v=0", str(self.origin), "s=-"]
        if self.connection is not None:
            lines.append(f"c=IN {_family(self.connection)} {self.connection}")
        return "\r\n".join([*lines, "t=0 0", *map(str, self.attributes), *map(str, self.media), ""])

    def __bytes__(self) -> bytes:
        return str(self).encode()


def parse_sdp(data: bytes) -> Session:
    """Read a session description. Raises ProtocolError."""
    if len(data) > MAX_BYTES:
        raise ProtocolError("SDP too long")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("SDP is not UTF-8") from None
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > MAX_LINES or lines[0] != "v=0":
        raise ProtocolError("not an SDP")
    origin: Origin | None = None
    connections: list[str | None] = [None]
    attributes: list[list[Attribute]] = [[]]
    media: list[Media] = []
    for line in lines[1:]:
        match = _LINE.match(line)
        if match is None or len(line) > MAX_LINE or _CONTROL.search(line):
            raise ProtocolError("malformed SDP line")
        key, value = match[1], match[2]
        if key == "o" and not media and origin is None:
            origin = _origin(value)
        elif key == "c":
            connections[-1] = connections[-1] or _connection(value)
        elif key == "a":
            name, colon, rest = value.partition(":")
            attributes[-1].append(Attribute(name, rest if colon else None))
        elif key == "m":
            if len(media) == MAX_MEDIA:
                raise ProtocolError("too many media")
            media.append(_media(value))
            connections.append(None)
            attributes.append([])
    if origin is None:
        raise ProtocolError("SDP without origin")
    described = tuple(
        Media(m.kind, m.port, m.protocol, m.formats, connection, tuple(found))
        for m, connection, found in zip(media, connections[1:], attributes[1:], strict=True)
    )
    return Session(origin, connections[0], tuple(attributes[0]), described)


def _origin(value: str) -> Origin:
    match = _ORIGIN.match(value)
    if match is None:
        raise ProtocolError("malformed o= line")
    return Origin(match[1], int(match[2]), int(match[3]), match[5])


def _connection(value: str) -> str:
    match = _CONNECTION.match(value)
    if match is None:
        raise ProtocolError("malformed c= line")
    return match[2]


def _media(value: str) -> Media:
    match = _MEDIA.match(value)
    if match is None or int(match[2]) > 65535:
        raise ProtocolError("malformed m= line")
    formats = tuple(match[5].split())
    if len(formats) > MAX_FORMATS:
        raise ProtocolError("too many formats")
    if match[4].startswith("RTP/") and not all(pt.isascii() and pt.isdigit() and int(pt) < 128 for pt in formats):
        raise ProtocolError("malformed payload type")
    return Media(match[1], int(match[2]), match[4], formats)


def _named_direction(attributes: tuple[Attribute, ...]) -> Direction | None:
    for attribute in attributes:
        if attribute.value is None and attribute.name in Direction.__members__.values():
            return Direction(attribute.name)
    return None


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"

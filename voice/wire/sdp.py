"""Session descriptions (RFC 8866) and their negotiation for one audio stream (RFC 3264).

Sans-I/O. A bounded reader for anything a peer may send; an offerer and an answerer for PCMU, PCMA and telephone-event
(RFC 4733) over RTP/AVP. Everything wrong raises ProtocolError; an offer we share nothing with raises NoCommonCodec.
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from dialog.errors import NoCommonCodec, ProtocolError

MAX_BYTES = 65_536
MAX_LINES = 512
MAX_LINE = 1_024
MAX_MEDIA = 8
MAX_FORMATS = 64
EVENT_RANGE = "0-16"
"""DTMF and flash (RFC 4733 section 3.2)."""
PTIME_MS = 20

_LINE = re.compile(r"([a-z])=(.*)\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MEDIA = re.compile(r"([a-z0-9\-]{1,32}) ([0-9]{1,5})(?:/([0-9]{1,3}))? ([A-Za-z0-9/\-]{1,64})((?: [^ ]++)++) ?\Z")
_ORIGIN = re.compile(r"([^ ]++) ([0-9]{1,32}) ([0-9]{1,32}) IN (IP[46]) ([^ ]{1,255})\Z")
_CONNECTION = re.compile(r"IN (IP[46]) ([^ /]{1,255})((?:/[0-9]{1,5}){0,2}) ?\Z")
_RTPMAP = re.compile(r"([0-9]{1,3}) ++([A-Za-z0-9.+_\-]{1,64})/([0-9]{1,6})(?:/([0-9]{1,2}))? *\Z")
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_RTCP = re.compile(r"([0-9]{1,5})(?: IN IP[46] ([^ ]{1,255}))? ?\Z")


class Codec(StrEnum):
    """The audio formats we speak, at 8 kHz mono (RFC 3551 section 4.5.14)."""

    PCMU = "PCMU"
    PCMA = "PCMA"


STATIC = {"0": Codec.PCMU, "8": Codec.PCMA}
"""Payload types that need no rtpmap (RFC 3551 table 4)."""
_PAYLOAD_TYPE = {Codec.PCMU: 0, Codec.PCMA: 8}


class Direction(StrEnum):
    """Which way media flows, as the describing side sees it (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> "Direction":
        """The same flow as the other side sees it."""
        return _direction(sends=self.receives, receives=self.sends)


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
        found = {pt: (codec.value, 8000) for pt, codec in STATIC.items() if pt in self.formats}
        for attribute in self.attributes:
            match = _RTPMAP.match(attribute.value or "") if attribute.name == "rtpmap" else None
            if match and match[1] in self.formats:
                mono = match[4] in (None, "1")
                found[match[1]] = (match[2].upper() if mono else "", int(match[3]))
        return found


@dataclass(frozen=True, slots=True)
class Session:
    """A session description. Lines that no negotiation of ours needs (b=, t=, ...) are not kept."""

    origin: Origin
    connection: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()

    def __str__(self) -> str:
        lines = ["v=0", str(self.origin), "s=-"]
        if self.connection is not None:
            lines.append(f"c=IN {_family(self.connection)} {self.connection}")
        return "\r\n".join([*lines, "t=0 0", *map(str, self.attributes), *map(str, self.media), ""])

    def __bytes__(self) -> bytes:
        return str(self).encode()


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What two sides agreed on. `direction` is ours; `answer_bytes` is empty when the peer made the answer."""

    answer_bytes: bytes
    codec: Codec
    payload_type: int
    event_payload_type: int | None
    remote_addr: str
    remote_port: int
    remote_rtcp_addr: str
    remote_rtcp_port: int
    rtcp_mux: bool
    direction: Direction
    ptime_ms: int


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


def make_offer(
    local_host: str,
    rtp_port: int,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    codecs: tuple[Codec, ...] = (Codec.PCMU, Codec.PCMA),
    event_payload_type: int = 101,
) -> bytes:
    """Offer one audio stream, received at `local_host`:`rtp_port`, best codec first (RFC 3264 section 5).

    RTCP may come to the port after it, or to the same one (RFC 5761 section 5.1.1).
    """
    encodings = {str(_PAYLOAD_TYPE[codec]): codec for codec in codecs}
    audio = _our_audio(rtp_port, encodings, str(event_payload_type), direction, rtcp_mux=True)
    return bytes(Session(Origin("-", session_id, version, local_host), local_host, (), (audio,)))


def answer(session: Session, local_host: str, rtp_port: int, session_id: int, version: int) -> Negotiated:
    """Answer an offer (RFC 3264 section 6): the first audio stream we can speak is taken, the rest refused.

    The codec is the first of the offer's that is among ours. `version` must grow by one with every new answer or
    offer of a call. Raises NoCommonCodec (to be answered with 488), ProtocolError.
    """
    media: list[Media] = []
    agreed: Negotiated | None = None
    for offered in session.media:
        found = _agree(session, offered) if agreed is None else None
        if found is None:
            media.append(Media(offered.kind, 0, offered.protocol, offered.formats[:1]))
            continue
        agreed = found
        event = None if found.event_payload_type is None else str(found.event_payload_type)
        encodings = {str(found.payload_type): found.codec}
        media.append(_our_audio(rtp_port, encodings, event, found.direction, rtcp_mux=found.rtcp_mux))
    if agreed is None:
        raise NoCommonCodec("the offer has no audio stream with PCMU or PCMA over RTP/AVP")
    described = Session(Origin("-", session_id, version, local_host), local_host, (), tuple(media))
    return replace(agreed, answer_bytes=bytes(described))


def read_answer(session: Session) -> Negotiated:
    """What the peer's answer to an offer of ours agreed on. Raises NoCommonCodec, ProtocolError."""
    for media in session.media[:1]:
        agreed = _agree(session, media)
        if agreed is not None:
            return agreed
    raise NoCommonCodec("the answer takes no audio stream of ours")


def _agree(session: Session, media: Media) -> Negotiated | None:
    """What we can agree on with one stream of the peer's; None when nothing."""
    if media.kind != "audio" or media.port == 0 or media.protocol != "RTP/AVP":
        return None
    encodings = media.encodings()
    payload_type = next((pt for pt in media.formats if encodings.get(pt) in _SPOKEN), None)
    if payload_type is None:
        return None
    event = next((pt for pt in media.formats if encodings.get(pt) == ("TELEPHONE-EVENT", 8000)), None)
    host = media.connection or session.connection
    if host is None:
        raise ProtocolError("SDP without connection address")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ProtocolError("connection address is a name") from None
    theirs = media.direction() or _named_direction(session.attributes) or Direction.SENDRECV
    if address.is_unspecified:  # hold as RFC 2543 had it (RFC 3264 section 8.4)
        theirs = _direction(sends=theirs.sends, receives=False)
    elif address.is_multicast:
        raise ProtocolError("connection address is multicast")
    rtcp_host, rtcp_port = _rtcp(media, address)
    return Negotiated(
        answer_bytes=b"",
        codec=_SPOKEN[encodings[payload_type]],
        payload_type=int(payload_type),
        event_payload_type=None if event is None else int(event),
        remote_addr=str(address),
        remote_port=media.port,
        remote_rtcp_addr=rtcp_host,
        remote_rtcp_port=rtcp_port,
        rtcp_mux=any(attribute == _MUX for attribute in media.attributes),
        direction=theirs.mirrored,
        ptime_ms=_ptime_ms(media),
    )


def _our_audio(
    port: int, encodings: dict[str, Codec], event: str | None, direction: Direction, *, rtcp_mux: bool
) -> Media:
    attributes = [Attribute("rtpmap", f"{pt} {codec}/8000") for pt, codec in encodings.items()]
    if event is not None:
        attributes += [
            Attribute("rtpmap", f"{event} telephone-event/8000"),
            Attribute("fmtp", f"{event} {EVENT_RANGE}"),
        ]
    attributes += [Attribute("ptime", str(PTIME_MS)), Attribute(direction.value)]
    if rtcp_mux:
        attributes.append(_MUX)
    return Media("audio", port, "RTP/AVP", (*encodings, *([] if event is None else [event])), None, tuple(attributes))


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


def _direction(*, sends: bool, receives: bool) -> Direction:
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


def _rtcp(media: Media, address: _IpAddress) -> tuple[str, int]:
    """RFC 3605; without the attribute one port above RTP's. Port 0 is nowhere: none that could be sent to was named."""
    match = _RTCP.match(media.value("rtcp") or "")
    port = int(match[1]) if match else media.port + 1
    if match and match[2]:
        try:
            address = ipaddress.ip_address(match[2])
        except ValueError:
            port = 0
    return str(address), port if 0 < port < 65536 and not address.is_multicast else 0


def _ptime_ms(media: Media) -> int:
    """How much audio the peer wants in a packet; ours, when it does not say or asks the absurd."""
    text = media.value("ptime") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and 10 <= int(text) <= 200 else PTIME_MS


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


_MUX = Attribute("rtcp-mux")
_SPOKEN = {(codec.value, 8000): codec for codec in Codec}

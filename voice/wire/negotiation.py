"""Offer and answer for one audio stream (RFC 3264): what two session descriptions come to.

Sans-I/O. An offerer and an answerer for PCMU, PCMA and telephone-event (RFC 4733) over RTP/AVP. Everything wrong raises
ProtocolError; an offer we share nothing with raises NoCommonCodec.
"""

import ipaddress
import re
from dataclasses import dataclass, replace

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.sdp import Attribute, Codec, Direction, Media, Origin, Session

EVENT_RANGE = "0-16"
"""DTMF and flash (RFC 4733 section 3.2)."""
PTIME_MS = 20

_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_MUX = Attribute("rtcp-mux")
_PAYLOAD_TYPE = {Codec.PCMU: 0, Codec.PCMA: 8}
_RTCP = re.compile(r"([0-9]{1,5})(?: IN IP[46] ([^ ]{1,255}))? ?\Z")
_SPOKEN = {(codec.value, 8000): codec for codec in Codec}


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
    theirs = media.direction() or session.direction() or Direction.SENDRECV
    if address.is_unspecified:  # hold as RFC 2543 had it (RFC 3264 section 8.4)
        theirs = Direction.of(sends=theirs.sends, receives=False)
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

"""Offer and answer for one audio stream (RFC 3264): what two session descriptions come to.

Sans-I/O. An offerer and an answerer for Opus, G.722, G.711 and telephone-event (RFC 4733) over RTP or SRTP. Everything
wrong raises ProtocolError; an offer we share nothing with raises NoCommonCodec, one that is not encrypted as it must be
NotEncrypted.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from dialog.errors import NoCommonCodec, NotEncrypted, ProtocolError
from voice.wire.rtp import RTCP_TYPES
from voice.wire.sdes import PLAIN, SECURE, Crypto, Keys, Sdes
from voice.wire.sdp import COMFORT_NOISE, STATIC, Attribute, Codec, Direction, Media, Origin, Session

EVENT_RANGE = "0-16"
"""DTMF and flash (RFC 4733 section 3.2)."""
PTIME_MS = 20
"""What we ask for."""
PTIMES_MS = (10, 20, 30, 40, 60)
"""What we send."""

NO_KEYS = Sdes()
"""SRTP is out of the question."""
G711 = (Codec.PCMU, Codec.PCMA)
"""What everybody speaks. Which of the two laws is the far end's affair: it knows what stands behind it."""

_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_MUX = Attribute("rtcp-mux")
_PAYLOAD_TYPE = {codec: payload_type for payload_type, codec in STATIC.items()} | {Codec.OPUS: "96"}
_PARAMETERS = {Codec.OPUS: "useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000"}
_NOISE = ("CN", 8_000)
_RTCP = re.compile(r"([0-9]{1,5})(?: IN IP[46] ([^ ]{1,255}))? ?\Z")
_SPOKEN = {(codec.upper(), codec.clock_hz): codec for codec in Codec}


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What two sides agreed on. `direction` is ours; `answer_bytes` is empty when the peer made the answer; without
    `keys` packets are not encrypted; without `noise_payload_type` there is no comfort noise in place of packets."""

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
    keys: Keys | None = None
    noise_payload_type: int | None = None


def make_offer(
    local_host: str,
    rtp_port: int,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    codecs: tuple[Codec, ...] = G711,
    event_payload_type: int = 101,
    sdes: Sdes = NO_KEYS,
    *,
    events: bool = True,
    noise: bool = False,
) -> bytes:
    """Offer one audio stream, received at `local_host`:`rtp_port`, best codec first (RFC 3264 section 5).

    With `events`, keys have a payload type for each clock, the first of them `event_payload_type` (RFC 4733 section
    2.1); with `noise` comfort noise may take the place of packets (RFC 3389). RTCP may come to the port after RTP's, or
    to the same one (RFC 5761 section 5.1.1). By SRTP where `sdes` demands it.
    """
    encodings = {_PAYLOAD_TYPE[codec]: codec for codec in codecs}
    noise = noise and any(codec.clock_hz == _NOISE[1] for codec in codecs)
    clocks = sorted({codec.clock_hz for codec in codecs if events})
    keys = {str(payload_type): clock for payload_type, clock in enumerate(clocks, start=event_payload_type)}
    audio = _our_audio(rtp_port, encodings, keys, direction, noise=noise, rtcp_mux=True)
    if sdes.offer:
        audio = _secured(audio, SECURE, *sdes.offer)
    return bytes(Session(Origin("-", session_id, version, local_host), local_host, (), (audio,)))


def answer(
    session: Session,
    local_host: str,
    rtp_port: int,
    session_id: int,
    version: int,
    sdes: Sdes = NO_KEYS,
    codecs: tuple[Codec, ...] = G711,
    *,
    events: bool = True,
    noise: bool = False,
) -> Negotiated:
    """Answer an offer (RFC 3264 section 6): the first audio stream we can speak is taken, the rest refused.

    The codec is the first of `codecs` that is offered; of the two laws of G.711 the one that is offered first.
    `version` must grow by one with every new answer or offer of a call. `events` says whether telephone-events are
    taken, `noise` whether comfort noise is. Raises NoCommonCodec and NotEncrypted (to be answered with 488),
    ProtocolError.
    """
    media: list[Media] = []
    agreed: Negotiated | None = None
    for offered in session.media:
        found = None if agreed else _agree(session, offered, codecs, sdes, sdes.answer_to, events=events, noise=noise)
        if found is None:
            media.append(Media(offered.kind, 0, offered.protocol, offered.formats[:1]))
            continue
        agreed = found
        event = found.event_payload_type
        keys = {} if event is None else {str(event): found.codec.clock_hz}
        encodings = {str(found.payload_type): found.codec}
        noisy = found.noise_payload_type is not None
        audio = _our_audio(rtp_port, encodings, keys, found.direction, noise=noisy, rtcp_mux=found.rtcp_mux)
        media.append(audio if found.keys is None else _secured(audio, offered.protocol, found.keys.ours))
    if agreed is None:
        raise _nothing_agreed("offer", sdes)
    described = Session(Origin("-", session_id, version, local_host), local_host, (), tuple(media))
    return replace(agreed, answer_bytes=bytes(described))


def read_answer(
    session: Session,
    sdes: Sdes = NO_KEYS,
    codecs: tuple[Codec, ...] = G711,
    *,
    events: bool = True,
    noise: bool = False,
) -> Negotiated:
    """What the peer's answer to an offer of ours, made with the same `sdes`, `codecs`, `events` and `noise`, agreed on.

    Raises NoCommonCodec, NotEncrypted, ProtocolError.
    """
    for media in session.media[:1]:
        agreed = _agree(session, media, codecs, sdes, sdes.answered_by, events=events, noise=noise)
        if agreed is not None:
            return agreed
    raise _nothing_agreed("answer", sdes)


def _nothing_agreed(description: str, sdes: Sdes) -> NoCommonCodec | NotEncrypted:
    if sdes.demanded:
        return NotEncrypted(f"the {description} has no audio stream by SRTP that we could take")
    return NoCommonCodec(f"the {description} has no audio stream in a format of ours")


def _agree(
    session: Session,
    media: Media,
    codecs: tuple[Codec, ...],
    sdes: Sdes,
    find_keys: Callable[[Media], Keys | None],
    *,
    events: bool,
    noise: bool,
) -> Negotiated | None:
    """What we can agree on with one stream of the peer's; None when nothing.

    RTP/AVP with keys is SRTP for those who can (as many telephones offer it), RTP/SAVP without is nothing.
    """
    if media.kind != "audio" or media.port == 0 or media.protocol not in (PLAIN, SECURE):
        return None
    keys = find_keys(media)
    if keys is None and (sdes.demanded or media.protocol == SECURE):
        return None
    encodings = {pt: encoding for pt, encoding in media.encodings().items() if int(pt) + 128 not in RTCP_TYPES}
    spoken = {pt: _SPOKEN[encodings[pt]] for pt in media.formats if encodings.get(pt) in _SPOKEN}
    wanted = {pt: codec for pt, codec in spoken.items() if codec in codecs}
    if not wanted:
        return None
    payload_type = min(wanted, key=lambda pt: _rank(wanted[pt], codecs))
    codec = wanted[payload_type]
    timed = [pt for pt in media.formats if events and encodings.get(pt) == ("TELEPHONE-EVENT", codec.clock_hz)]
    noisy = noise and encodings.get(COMFORT_NOISE) == _NOISE and codec.clock_hz == _NOISE[1]
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
        codec=codec,
        payload_type=int(payload_type),
        event_payload_type=int(timed[0]) if timed else None,
        remote_addr=str(address),
        remote_port=media.port,
        remote_rtcp_addr=rtcp_host,
        remote_rtcp_port=rtcp_port,
        rtcp_mux=any(attribute == _MUX for attribute in media.attributes),
        direction=theirs.mirrored,
        ptime_ms=_ptime_ms(media),
        keys=keys,
        noise_payload_type=int(COMFORT_NOISE) if noisy else None,
    )


def _our_audio(
    port: int,
    encodings: dict[str, Codec],
    events: dict[str, int],
    direction: Direction,
    *,
    noise: bool,
    rtcp_mux: bool,
) -> Media:
    attributes = [Attribute("rtpmap", f"{pt} {codec.encoding}") for pt, codec in encodings.items()]
    attributes += [Attribute("fmtp", f"{pt} {_PARAMETERS[it]}") for pt, it in encodings.items() if it in _PARAMETERS]
    noises = (COMFORT_NOISE,) if noise else ()
    attributes += [Attribute("rtpmap", f"{pt} {_NOISE[0]}/{_NOISE[1]}") for pt in noises]
    for event, clock_hz in events.items():
        attributes.append(Attribute("rtpmap", f"{event} telephone-event/{clock_hz}"))
        attributes.append(Attribute("fmtp", f"{event} {EVENT_RANGE}"))
    attributes += [Attribute("ptime", str(PTIME_MS)), Attribute(direction.value)]
    if rtcp_mux:
        attributes.append(_MUX)
    return Media("audio", port, "RTP/AVP", (*encodings, *noises, *events), None, tuple(attributes))


def _rank(codec: Codec, codecs: tuple[Codec, ...]) -> int:
    """Its place among `codecs`; the laws of G.711 share the better of their two."""
    return min(place for place, other in enumerate(codecs) if other == codec or {other, codec} <= set(G711))


def _secured(audio: Media, protocol: str, *crypto: Crypto) -> Media:
    """The stream with keys."""
    return replace(audio, protocol=protocol, attributes=(*(it.attribute for it in crypto), *audio.attributes))


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
    """How much audio the peer wants in a packet: the most of `PTIMES_MS` that it asks for and can take; ours, when it
    does not say or asks the absurd."""
    wanted = _milliseconds(media.value("ptime")) or PTIME_MS
    most = _milliseconds(media.value("maxptime")) or wanted
    return max((ms for ms in PTIMES_MS if ms <= min(wanted, most)), default=PTIMES_MS[0])


def _milliseconds(text: str | None) -> int | None:
    number = int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else 0
    return number if 10 <= number <= 200 else None

"""Offer and answer for several labelled streams that we only hear: a recording session's (RFC 7866 section 7.2).

Sans-I/O. Each stream is negotiated as if it were alone; the answers are put together. A stream that is refused, or
given up by the peer, keeps its place with port 0 (RFC 3264 sections 6 and 8.2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dialog.errors import NoCommonCodec
from voice.wire.negotiation import G711, NO_KEYS, Negotiated, answer
from voice.wire.sdes import Sdes
from voice.wire.sdp import Attribute, Codec, Direction, Media, Origin, Session, parse_sdp

MAX_STREAMS = 8
"""Streams that are heard at once; what is offered beyond them is refused."""

_DISCARD = 9
"""Stands in for the port until there is one (RFC 863)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be agreed on for one stream."""

    sdes: Sdes = NO_KEYS
    codecs: tuple[Codec, ...] = G711


@dataclass(frozen=True, slots=True)
class LabelledStream:
    """One stream as it was offered. `agreed` is what it came to, None where it is refused or given up; its direction is
    ours: RECVONLY, or INACTIVE while the peer pauses. `label` is "" where the peer gave none (RFC 4574)."""

    label: str
    answered: Media
    agreed: Negotiated | None

    @property
    def paused(self) -> bool:
        """Nothing is to be heard in it now."""
        return self.agreed is None or not self.agreed.direction.receives


def read_streams(
    session: Session, local_host: str, terms: Callable[[int], Terms] = lambda _number: Terms()
) -> tuple[LabelledStream, ...]:
    """What the streams that a peer describes come to, in its order, each on the terms of its number.

    Raises ProtocolError, and NotEncrypted where a stream that is to be heard is not encrypted as it must be.
    """
    streams: list[LabelledStream] = []
    for number, offered in enumerate(session.media):
        heard = sum(stream.agreed is not None for stream in streams)
        stream = _heard(session, offered, local_host, terms(number)) if heard < MAX_STREAMS else None
        refused = Media(offered.kind, 0, offered.protocol, offered.formats[:1])
        streams.append(stream or LabelledStream(offered.value("label") or "", refused, None))
    return tuple(streams)


def describe(
    streams: Sequence[LabelledStream], ports: Sequence[int], local_host: str, session_id: int, version: int
) -> bytes:
    """Our description: each stream is heard at its port of `ports`; what stands there for a refused one is not read."""
    media = tuple(
        stream.answered if stream.agreed is None else replace(stream.answered, port=port)
        for stream, port in zip(streams, ports, strict=True)
    )
    return bytes(Session(Origin("-", session_id, version, local_host), local_host, (), media))


def _heard(session: Session, offered: Media, local_host: str, terms: Terms) -> LabelledStream | None:
    if offered.kind != "audio" or offered.port == 0:
        return None
    alone = replace(session, media=(offered,))
    try:
        agreed = answer(alone, local_host, _DISCARD, 0, 0, terms.sdes, terms.codecs)
    except NoCommonCodec:
        return None
    direction = Direction.RECVONLY if agreed.direction.receives else Direction.INACTIVE
    (answered,) = parse_sdp(agreed.answer_bytes).media
    kept = [each for each in answered.attributes if each.name not in Direction.__members__.values()]
    label = offered.value("label") or ""
    if label:
        kept.append(Attribute("label", label))
    attributes = (*kept, Attribute(direction.value))
    return LabelledStream(label, replace(answered, attributes=attributes), replace(agreed, direction=direction))

"""Metadata of recording sessions (RFC 7865): who takes part in the call that is recorded, and who speaks where.

Sans-I/O. Everything wrong raises ProtocolError.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dialog.errors import ProtocolError
from voice.wire.xml_element import Element, read_xml

OPTION_TAG = "siprec"
"""What a recording client requires (RFC 7866 section 6.1.1)."""
FEATURE = "+sip.srs"
"""What a recording server adds to its Contact (RFC 7866 section 6.2)."""
METADATA = "application/rs-metadata+xml"

MAX_OBJECTS = 256
"""Of each kind that are kept through updates."""

_NAMESPACES = ("urn:ietf:params:xml:ns:recording:1", "urn:ietf:params:xml:ns:recording")
"""That of the RFC, and that of its drafts, which some recording clients still name."""


@dataclass(frozen=True, slots=True)
class CommunicationSession:
    """A call that is recorded (RFC 7865 section 6.3). `sip_session_ids` are those of RFC 7989."""

    id: str
    sip_session_ids: tuple[str, ...] = ()
    ended: bool = False

    @property
    def key(self) -> Hashable:
        return self.id


@dataclass(frozen=True, slots=True)
class Participant:
    """One who takes part (section 6.5). `aor` is the address of record as it was sent, `name` what is displayed."""

    id: str
    aor: str = ""
    name: str = ""

    @property
    def key(self) -> Hashable:
        return self.id


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the recording session (section 6.7); `label` is that of its m= line (RFC 4574)."""

    id: str
    session: str = ""
    label: str = ""

    @property
    def key(self) -> Hashable:
        return self.id


@dataclass(frozen=True, slots=True)
class Attendance:
    """A participant is in a session (section 6.6), or was: `over`."""

    participant: str
    session: str
    over: bool = False

    @property
    def key(self) -> Hashable:
        return self.participant, self.session


@dataclass(frozen=True, slots=True)
class Sending:
    """Which streams carry what a participant says (section 6.8), or did: `over`."""

    participant: str
    streams: tuple[str, ...] = ()
    over: bool = False

    @property
    def key(self) -> Hashable:
        return self.participant


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a recording. Not `complete`: it says only what has changed (RFC 7865 section 6.1.1)."""

    complete: bool = True
    sessions: tuple[CommunicationSession, ...] = ()
    participants: tuple[Participant, ...] = ()
    streams: tuple[Stream, ...] = ()
    attendances: tuple[Attendance, ...] = ()
    sendings: tuple[Sending, ...] = ()

    def updated(self, later: "Metadata") -> "Metadata":
        """All that is known after `later`. Raises ProtocolError where that is more than one document could say."""
        if later.complete:
            return later
        return Metadata(
            sessions=_merged(self.sessions, later.sessions),
            participants=_merged(self.participants, later.participants),
            streams=_merged(self.streams, later.streams),
            attendances=_merged(self.attendances, later.attendances),
            sendings=_merged(self.sendings, later.sendings),
        )

    @property
    def present(self) -> tuple[Participant, ...]:
        """Those who take part now: in some session, or in none that is told of."""
        over = {a.participant for a in self.attendances if a.over}
        there = {a.participant for a in self.attendances if not a.over}
        return tuple(p for p in self.participants if p.id in there or p.id not in over)

    def speaker(self, label: str) -> Participant | None:
        """Who speaks in the stream of that label; of several the first."""
        ids = {stream.id for stream in self.streams if stream.label == label}
        senders = {s.participant for s in self.sendings if not s.over and not ids.isdisjoint(s.streams)}
        return next((participant for participant in self.present if participant.id in senders), None)


def parse_metadata(data: bytes) -> Metadata:
    """Read one document. Raises ProtocolError."""
    root = read_xml(data, "recording", _NAMESPACES)
    mode = (root.text("datamode") or root.text("dataMode") or "complete").lower()
    if mode not in ("complete", "partial"):
        raise ProtocolError("metadata of no known data mode")
    return Metadata(
        complete=mode == "complete",
        sessions=_unique(
            CommunicationSession(each.id("session_id"), each.texts("sipSessionID"), bool(each.all("stop-time")))
            for each in root.all("session")
        ),
        participants=_unique(_participant(each) for each in root.all("participant")),
        streams=_unique(
            Stream(each.id("stream_id"), each.attribute("session_id"), each.text("label"))
            for each in root.all("stream")
        ),
        attendances=_unique(
            Attendance(each.id("participant_id"), each.id("session_id"), bool(each.all("disassociate-time")))
            for each in root.all("participantsessionassoc")
        ),
        sendings=_unique(
            Sending(each.id("participant_id"), each.texts("send"), bool(each.all("disassociate-time")))
            for each in root.all("participantstreamassoc")
        ),
    )


class _Keyed(Protocol):
    """An object of the metadata; of those with one `key` the last counts."""

    @property
    def key(self) -> Hashable: ...


T = TypeVar("T", bound=_Keyed)


def _unique(found: Iterable[T]) -> tuple[T, ...]:
    return tuple({each.key: each for each in found}.values())


def _merged(former: tuple[T, ...], later: tuple[T, ...]) -> tuple[T, ...]:
    merged = _unique((*former, *later))
    if len(merged) > MAX_OBJECTS:
        raise ProtocolError("metadata grows without end")
    return merged


def _participant(element: Element) -> Participant:
    """Of several names the first counts."""
    named = next(iter(element.all("nameID")), Element("nameID", {}))
    return Participant(element.id("participant_id"), named.attribute("aor"), named.text("name"))

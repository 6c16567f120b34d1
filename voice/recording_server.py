"""Recording sessions (SIPREC): a PBX lets us hear its calls (RFC 7245, RFC 7866). No bot, and nothing is said."""

import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from dialog.errors import NoCommonCodec, NotEncrypted, PeerForbidden, ProtocolError
from voice.call import Call
from voice.calls import Calls
from voice.cast import cast
from voice.config import Settings
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.recorded_streams import RecordedStreams
from voice.rtp_line import RtpLine
from voice.trunks import Trunks
from voice.wire.labelled import LabelledStream, Terms, describe, read_streams
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import parse_sdp
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteCancelled,
    InviteReceived,
    MetadataReceived,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    SipEvent,
)
from voice.wire.sip.flow import is_private
from voice.wire.siprec import Metadata, parse_metadata

log = structlog.get_logger("recordings")

ROWS = 2
"""Media rows that are kept for a recorded call: one who calls, and one who is called."""

_CAUSES = {EndCause.REMOTE: "recording_over", EndCause.LOCAL: "shutdown"}


@dataclass(slots=True)
class _Session:
    """One recording session: whose settings hold for it ("": the node's), what was offered last, and our answer; the
    lines of what is heard, and what is known."""

    invite: InviteReceived
    trunk: str
    session_id: int
    version: int = 0
    offer: bytes | None = None
    answer: bytes = b""
    offered: tuple[LabelledStream, ...] = ()
    lines: dict[int, RtpLine] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=Metadata)
    streams: RecordedStreams = field(default_factory=RecordedStreams)
    call: Call | None = None


class RecordingServer:
    """The recording sessions among a trunk's calls; the trunk hands over their events, and answers for errors."""

    def __init__(self, settings: Settings, calls: Calls, plane: MediaPlane, ports: RtpPorts, trunks: Trunks) -> None:
        self._settings = settings
        self._calls = calls
        self._plane = plane
        self._ports = ports
        self._trunks = trunks
        self._sessions: dict[CallRef, _Session] = {}
        calls.expect(lambda: [each.invite.source[0] for each in self._sessions.values() if each.call is None])

    def takes(self, event: SipEvent) -> bool:
        """Whether the event is of a recording session."""
        return event.call in self._sessions or (isinstance(event, InviteReceived) and event.recording)

    def on_event(self, event: SipEvent, agent: SipAgent) -> None:
        """Take one event that came by `agent`. Raises an error of the tree: the call, or the change of it that is being
        asked for, is to be refused."""
        match event:
            case InviteReceived():
                self._invited(event, agent)
            case InviteAcknowledged():
                self._acknowledged(self._sessions[event.call], agent)
            case ReinviteReceived():
                self._changed(self._sessions[event.call], event, agent)
            case MetadataReceived():
                self._told(self._sessions[event.call], event.metadata)
            case ReinviteAcknowledged() | ReinviteAnswered():
                if event.answer is not None:  # to an offer of ours, or to what refreshes the session
                    self._follow(self._sessions[event.call], self._read(self._sessions[event.call], event.answer))
                    self._settle(self._sessions[event.call])
            case InviteCancelled():
                self._ended(event.call, "recording_over")
            case DialogEnded():
                self._ended(event.call, _CAUSES.get(event.cause, event.cause.value))
            case _:
                pass  # the rest belongs to calls that we place

    def _invited(self, invite: InviteReceived, agent: SipAgent) -> None:
        if invite.account:
            raise PeerForbidden("recording sessions are taken from listed addresses only")
        if invite.offer is None:
            raise ProtocolError("a recording session without an offer")
        self._calls.admit(invite.source[0])
        session = _Session(invite, self._trunks.at(invite.source[0]), secrets.randbits(31))
        if invite.metadata is not None:
            session.metadata = session.metadata.updated(parse_metadata(invite.metadata))
        offered = self._read(session, invite.offer)
        if all(stream.agreed is None for stream in offered):
            raise NoCommonCodec("the offer has no audio stream that can be heard")
        self._follow(session, offered)
        self._settle(session)
        self._sessions[invite.call] = session
        session.offer, session.answer = invite.offer, self._describe(session)
        agent.answer(invite.call, session.answer)

    def _acknowledged(self, session: _Session, agent: SipAgent) -> None:
        if session.call is not None:
            return
        invite, streams = session.invite, session.streams
        for number, line in session.lines.items():
            streams.add(number, line.begin())
        first = next(iter(session.lines.values()), None)
        session.call = self._calls.start(
            streams,
            transport="siprec",
            caller=streams.cast.caller or str(invite.from_uri),
            dialled=invite.dialled,
            bot="",
            codec=first.codec if first is not None else "",
            ended=lambda _cause: _hang_up(agent, invite.call),
        )

    def _changed(self, session: _Session, change: ReinviteReceived, agent: SipAgent) -> None:
        """Other streams, other people, or a pause. Without an offer we offer what stands; the same offer once more has
        the same answer (RFC 3264 section 8)."""
        metadata = session.metadata
        if change.metadata is not None:
            metadata = metadata.updated(parse_metadata(change.metadata))
        if change.offer is not None and change.offer != session.offer:
            self._follow(session, self._read(session, change.offer))
        session.metadata = metadata
        self._settle(session)
        if change.offer is None or change.offer != session.offer:
            session.offer, session.answer = change.offer, self._describe(session)
        agent.reanswer(change.call, session.answer)

    def _told(self, session: _Session, metadata: bytes) -> None:
        """People have come or gone. What cannot be read is no reason to hear no more."""
        try:
            session.metadata = session.metadata.updated(parse_metadata(metadata))
        except ProtocolError as error:
            log.warning("recording metadata passed over", reason=str(error))
        self._settle(session)

    def _read(self, session: _Session, sdp: bytes) -> tuple[LabelledStream, ...]:
        spoken, srtp = self._trunks.codecs(session.trunk), self._trunks.srtp(session.trunk)
        if srtp is Srtp.DEMANDED and not is_private(session.invite.source):
            raise NotEncrypted("keys could be read on their way: call by TLS")

        def terms(number: int) -> Terms:
            line = session.lines.get(number)
            former = None if line is None else line.agreed
            clock_hz = None if former is None else former.codec.clock_hz  # a stream does not change it (RFC 7160)
            codecs = tuple(codec for codec in spoken if clock_hz in (None, codec.clock_hz))
            keys = None if former is None else former.keys
            return Terms(Sdes(srtp, secrets.token_bytes(SECRET_OCTETS), keys), codecs)

        return read_streams(parse_sdp(sdp), self._host(session), terms)

    def _follow(self, session: _Session, offered: tuple[LabelledStream, ...]) -> None:
        """Hear what is offered now, and no more. Where that cannot be, the error leaves everything as it was."""
        opened: dict[int, RtpLine] = {}
        with ExitStack() as undo:
            for number, stream in enumerate(offered):
                if stream.agreed is not None and number not in session.lines:
                    line = opened[number] = RtpLine(self._ports.open(None), self._plane)
                    undo.callback(line.wire.close)
                    line.apply(stream.agreed)
            if session.call is not None:
                for number, line in opened.items():
                    leg = line.begin()
                    undo.callback(session.streams.remove, number)
                    session.streams.add(number, leg)
            undo.pop_all()
        for number, line in tuple(session.lines.items()):
            agreed = offered[number].agreed if number < len(offered) else None
            if agreed is not None:
                line.apply(agreed)
            else:
                session.streams.remove(number)
                session.lines.pop(number).close()
        session.lines |= opened
        session.offered = offered

    def _settle(self, session: _Session) -> None:
        labels = [stream.label for stream in session.offered]
        paused = all(stream.paused for stream in session.offered)
        session.streams.settle(cast(session.metadata, labels, self._settings.sip.siprec), paused=paused)

    def _describe(self, session: _Session) -> bytes:
        session.version += 1
        ports = [session.lines[n].wire.port if n in session.lines else 0 for n in range(len(session.offered))]
        return describe(session.offered, ports, self._host(session), session.session_id, session.version)

    def _host(self, session: _Session) -> str:
        """Where the session's sound is to go."""
        return self._trunks.media_host(session.trunk)

    def _ended(self, ref: CallRef, cause: str) -> None:
        session = self._sessions.pop(ref, None)
        if session is None:
            return
        if session.call is not None:
            session.call.end(cause)
        for line in session.lines.values():
            line.close()


def _hang_up(agent: SipAgent, ref: CallRef) -> None:
    agent.hangup(ref)  # False when the recording client was first: nothing is left to do

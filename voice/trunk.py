"""Calls by SIP: offer and answer, a leg for each call, and whoever hangs up first."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import structlog

from dialog.errors import CentralinoError, NotEncrypted, NotFound, Overloaded
from dialog.events import CallerReplaced, TransferProgressed
from voice.accounts import AccountLimits
from voice.call import Call
from voice.calls import Calls
from voice.config import Settings
from voice.destinations import Destinations
from voice.line_test import BUSY, RING, RING_S
from voice.media.codecs import open_codec
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts, UdpWire, media_address
from voice.net.sip_agent import SipAgent
from voice.wire.negotiation import NO_KEYS, Negotiated, answer, make_offer, read_answer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import Codec, parse_sdp
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteCancelled,
    InviteReceived,
    ReferConcluded,
    ReferProgressed,
    ReferReceived,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    SipEvent,
)
from voice.wire.sip.flow import TLS, Flow
from voice.wire.sip.uas import RETRY_AFTER_S

log = structlog.get_logger("trunk")

REQUEST_TERMINATED = 487

_CAUSES = {
    EndCause.LOST: "lost",
    EndCause.NO_ACK: "no_ack",
    EndCause.EXPIRED: "expired",
    EndCause.LOCAL: "shutdown",
}
"""Of an end that the call itself did not bring about."""


@dataclass(slots=True)
class _Line:
    """One SIP call: its wire, what was agreed, and the call behind it once there is one.

    `replaces` is the line whose place this one is to take, until it has.
    """

    invite: InviteReceived
    bot: str
    wire: UdpWire
    session_id: int
    replaces: "_Line | None" = None
    version: int = 1
    offer: bytes | None = None
    answer: bytes = b""
    sdes: Sdes = NO_KEYS
    agreed: Negotiated | None = None
    leg: MediaLeg | None = None
    call: Call | None = None


class Trunk:
    """Takes the SIP agent's events and makes calls of them. `serve` names the agent before the first event."""

    def __init__(self, settings: Settings, calls: Calls, plane: MediaPlane, ports: RtpPorts) -> None:
        self._settings = settings
        self._calls = calls
        self._plane = plane
        self._ports = ports
        self._accounts = AccountLimits(settings.sip.accounts)
        self._destinations = Destinations(settings.sip.transfer_to)
        self._lines: dict[CallRef, _Line] = {}
        self._agent: SipAgent | None = None
        self.refused: Counter[str] = Counter()
        calls.expect(lambda: [line.invite.source[0] for line in self._lines.values() if line.call is None])

    def serve(self, agent: SipAgent) -> None:
        """Answer on `agent`."""
        self._agent = agent

    async def on_event(self, event: SipEvent) -> None:
        """One event of the agent, in order."""
        match event:
            case InviteReceived():
                self._refusing(event.call, lambda: self._invited(event))
            case InviteAcknowledged():
                self._with_line(event.call, lambda line: self._acknowledged(line, event.answer))
            case ReinviteReceived():
                self._with_line(event.call, lambda line: self._reinvited(line, event.offer))
            case ReinviteAcknowledged() | ReinviteAnswered():
                self._with_line(event.call, lambda line: self._agree_late(line, event.answer))
            case ReferReceived():
                self.agent.refuse_refer(event.call, 603)  # we call nobody, and nobody at a caller's wish
            case ReferProgressed():
                self._with_call(event.call, lambda call: call.tell(TransferProgressed(status=event.status)))
            case ReferConcluded():
                self._with_call(event.call, lambda call: call.transferred(event.status))
            case InviteCancelled():
                self._ended(event.call, "caller")
            case DialogEnded():
                self._ended(event.call, _CAUSES.get(event.cause, "caller"))
            case _:
                pass  # the rest belongs to calls that we place, and this side places none

    @property
    def agent(self) -> SipAgent:
        assert self._agent is not None, "serve() comes before events"
        return self._agent

    def _refusing(self, ref: CallRef, work: Callable[[], None]) -> None:
        """Do `work`; an error of the tree is counted and becomes the SIP status it hints at."""
        try:
            work()
        except CentralinoError as error:
            self.refused[error.code] += 1
            retry_after = RETRY_AFTER_S if isinstance(error, Overloaded) else None
            if not self.agent.reject(ref, error.sip_status, "", retry_after):
                self.agent.hangup(ref)  # too late to refuse: it was answered
        except Exception:  # one call's fault: the agent goes on handing out the events of the others
            log.exception("sip call failed")
            self.agent.hangup(ref)

    def _with_line(self, ref: CallRef, work: Callable[[_Line], None]) -> None:
        line = self._lines.get(ref)
        if line is not None:
            self._refusing(ref, lambda: work(line))

    def _with_call(self, ref: CallRef, work: Callable[[Call], None]) -> None:
        line = self._lines.get(ref)
        if line is not None and line.call is not None:
            work(line.call)

    def _invited(self, invite: InviteReceived) -> None:
        if invite.replaces is not None:
            self._replacing(invite, invite.replaces)
            return
        bot = self._settings.bot_for(invite.dialled)
        if not bot:
            raise NotFound("bots names neither the number dialled nor '*'")
        if bot == BUSY:
            self.agent.reject(invite.call, 486)
            return
        self._check_privacy(invite)
        if invite.account:
            self._accounts.admit(invite.account, (line.invite.account for line in self._lines.values()))
        self._calls.admit(invite.source[0])
        line = self._open_line(invite, bot)
        if bot == RING:
            self.agent.ring(invite.call)
            # who has given up by then is answered in vain: the agent knows the call no more
            asyncio.get_running_loop().call_later(RING_S, self.agent.answer, invite.call, line.answer)
        else:
            self.agent.answer(invite.call, line.answer)

    def _check_privacy(self, invite: InviteReceived) -> None:
        if self._settings.sip.srtp is Srtp.DEMANDED and not is_private(invite.source):
            raise NotEncrypted("keys could be read on their way: call by TLS")

    def _replacing(self, invite: InviteReceived, ref: CallRef) -> None:
        """A call that is to take another's place: as that one has been admitted, this one is not asked again."""
        self._check_privacy(invite)
        former = self._lines.get(ref)
        if former is None or former.call is None:
            self.agent.reject(invite.call, 481)
        elif any(line.replaces is former for line in self._lines.values()):
            self.agent.reject(invite.call, 491)
        else:
            self.agent.answer(invite.call, self._open_line(invite, former.bot, replaces=former).answer)

    def _open_line(self, invite: InviteReceived, bot: str, replaces: _Line | None = None) -> _Line:
        """A line for a call that is taken, with the SDP to answer it."""
        line = _Line(invite, bot, self._ports.open(None), secrets.randbits(31), replaces)
        try:
            line.offer, line.answer = invite.offer, self._respond(line, invite.offer)
        except CentralinoError:
            line.wire.close()
            raise
        self._lines[invite.call] = line
        return line

    def _respond(self, line: _Line, offer: bytes | None) -> bytes:
        """The SDP to send: an answer, or an offer of ours when the peer made none (RFC 3264)."""
        host, codecs, spoken = self._settings.media_advertised, self._codecs(line), line.agreed
        keys = None if spoken is None else spoken.keys
        line.sdes = Sdes(self._policy(line), secrets.token_bytes(SECRET_OCTETS), keys)
        if offer is None:
            # rather the format that is spoken already
            ordered = sorted(codecs, key=lambda codec: spoken is None or codec != spoken.codec)
            return make_offer(
                host, line.wire.port, line.session_id, line.version, codecs=tuple(ordered), sdes=line.sdes
            )
        agreed = answer(parse_sdp(offer), host, line.wire.port, line.session_id, line.version, line.sdes, codecs)
        self._apply(line, agreed)
        return agreed.answer_bytes

    def _policy(self, line: _Line) -> Srtp:
        """What was encrypted stays so, also where another telephone takes the caller's place."""
        former = None if line.replaces is None else line.replaces.agreed
        return Srtp.DEMANDED if former is not None and former.keys is not None else self._settings.sip.srtp

    def _codecs(self, line: _Line) -> tuple[Codec, ...]:
        """What may be spoken: a stream does not change its clock (RFC 7160)."""
        clock_hz = None if line.agreed is None else line.agreed.codec.clock_hz
        return tuple(codec for codec in self._settings.sip.codecs if clock_hz in (None, codec.clock_hz))

    def _agree_late(self, line: _Line, sdp: bytes | None) -> None:
        """The ACK carries the answer to an offer of ours, or the 2xx that to a refresh."""
        if sdp is not None:
            self._apply(line, read_answer(parse_sdp(sdp), line.sdes, self._codecs(line)))

    def _apply(self, line: _Line, agreed: Negotiated) -> None:
        remote = media_address(agreed.remote_addr, agreed.remote_port)
        line.wire.agree(agreed)
        former, line.agreed = line.agreed, agreed
        if line.leg is None:
            line.wire.remote = remote
            return
        if former is not None and (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            line.leg.switch(open_codec(agreed.codec), agreed.payload_type)
        keys = agreed.event_payload_type
        if keys is not None and former is not None and former.event_payload_type not in (None, keys):
            line.leg.renumber_keys(keys)
        if remote is not None:
            line.leg.update_remote(*remote)
        _direct(line.leg, agreed)

    def _acknowledged(self, line: _Line, sdp: bytes | None) -> None:
        if line.agreed is None:
            self._agree_late(line, sdp)
        if line.agreed is None:
            self.agent.hangup(line.invite.call)  # neither side has said what it can hear
        elif line.replaces is not None:
            self._move(line.replaces, line, line.agreed)
        elif line.call is None:
            self._begin(line, line.agreed)

    def _move(self, line: _Line, dialog: _Line, agreed: Negotiated) -> None:
        """The call of `line` goes on in the dialog of another, which stands now; the one it was in is hung up."""
        former = line.invite.call
        if line.call is None or line.leg is None or self._lines.get(former) is not line:
            self.agent.hangup(dialog.invite.call)  # it has ended meanwhile
            return
        dialog.wire.control.begin(line.leg)  # first: the former one says goodbye by the former wire
        line.leg.move(dialog.wire, open_codec(agreed.codec), agreed.payload_type, agreed.event_payload_type)
        _direct(line.leg, agreed)
        line.invite, line.wire, line.agreed = dialog.invite, dialog.wire, agreed
        line.session_id, line.version = dialog.session_id, dialog.version
        line.offer, line.answer, line.sdes = dialog.offer, dialog.answer, dialog.sdes
        del self._lines[former]
        self._lines[line.invite.call] = line
        line.call.transferred(REQUEST_TERMINATED)  # what the former far end was asked for, it tells no more
        line.call.tell(CallerReplaced(caller=str(line.invite.from_uri), codec=agreed.codec.value))
        self.agent.hangup(former)

    def _begin(self, line: _Line, agreed: Negotiated) -> None:
        invite = line.invite
        line.leg = self._plane.add_leg(
            line.wire, open_codec(agreed.codec), agreed.payload_type, agreed.event_payload_type
        )
        _direct(line.leg, agreed)
        line.wire.control.begin(line.leg)
        line.call = self._calls.start(
            line.leg,
            transport="sip",
            caller=str(invite.from_uri),
            dialled=invite.dialled,
            bot=line.bot,
            codec=agreed.codec.value,
            ended=lambda _cause: self._hang_up(line.invite.call),
            headers=invite.headers,
            refer=lambda to: self._refer(line, to),
        )

    def _refer(self, line: _Line, to: str) -> bool:
        """See `services.Refer`. A mere number is one of the exchange that the caller came by."""
        return self.agent.refer(line.invite.call, self._destinations.find(to, line.invite.source[0]))

    def _hang_up(self, ref: CallRef) -> None:
        self.agent.hangup(ref)  # False when the caller was first: nothing is left to do

    def _reinvited(self, line: _Line, offer: bytes | None) -> None:
        """The same offer once more is no change but a refresh: it has the same answer (RFC 3264 section 8)."""
        if offer is None or offer != line.offer:
            line.version += 1
            line.offer, line.answer = offer, self._respond(line, offer)
        self.agent.reanswer(line.invite.call, line.answer)

    def _ended(self, ref: CallRef, cause: str) -> None:
        line = self._lines.pop(ref, None)
        if line is None:
            return
        if line.call is not None:
            line.call.end(cause)
        elif line.leg is not None:
            line.leg.close()
        else:
            line.wire.close()


def _direct(leg: MediaLeg, agreed: Negotiated) -> None:
    """Which way sound flows, and in what pieces."""
    leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
    leg.packetise(agreed.ptime_ms)


def is_private(source: tuple[str, int] | Flow) -> bool:
    """Whether nobody on the way reads what comes from there (RFC 4568 section 8.3): by TLS, or a proxy beside us."""
    return (isinstance(source, Flow) and source.transport == TLS) or ip_address(source[0]).is_loopback

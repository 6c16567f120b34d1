"""Calls by SIP: who is let in, a call for each of them, and whoever hangs up first."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from dialog.errors import CentralinoError, NotFound, Overloaded
from dialog.events import CallerReplaced
from dialog.people_events import TransferProgressed
from voice.accounts import AccountLimits
from voice.call import Call
from voice.calls import Calls
from voice.config import Settings
from voice.destinations import Destinations
from voice.dialling import Dialling
from voice.line_test import BUSY, RING, RING_S, TESTS
from voice.machines import FAX_S, CallingFax
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.recording_server import RecordingServer
from voice.sip_audio import Audios, SipAudio
from voice.trunks import Trunks
from voice.web_phones import WebPhones, offers_dtls
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteCancelled,
    InviteReceived,
    KeyReceived,
    ReferConcluded,
    ReferProgressed,
    ReferReceived,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    SipEvent,
)
from voice.wire.sip.uas import RETRY_AFTER_S

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
    """One SIP call: its sound, and the call behind it once there is one.

    `replaces` is the line whose place this one is to take, until it has. `fax`: for as long as it runs a fax that
    calls is listened for.
    """

    invite: InviteReceived
    bot: str
    audio: SipAudio
    trunk: str = ""
    replaces: "_Line | None" = None
    call: Call | None = None
    fax: asyncio.TimerHandle | None = None


class Trunk:
    """Takes the SIP agent's events and makes calls of them. `serve` names the agent before the first event."""

    def __init__(
        self,
        settings: Settings,
        calls: Calls,
        plane: MediaPlane,
        ports: RtpPorts,
        trunks: Trunks | None = None,
        web_phones: WebPhones | None = None,
    ) -> None:
        """Without `web_phones` a browser's offer has no format of ours."""
        self._settings = settings
        self._calls = calls
        self._audios = Audios(plane, ports)
        self._web_phones = web_phones
        self._accounts = AccountLimits(settings.sip.accounts)
        self._destinations = Destinations(settings.sip.transfer_to)
        self._lines: dict[CallRef, _Line] = {}
        self._agent: SipAgent | None = None
        self._dialling: Dialling | None = None
        self.refused: Counter[str] = Counter()
        self._trunks = trunks or Trunks(settings)
        self._recordings = RecordingServer(settings, calls, plane, ports, self._trunks)
        self._trunks.carries(lambda: [line.trunk for line in self._lines.values()])
        if web_phones is not None:
            self._trunks.carries(lambda: web_phones.trunks)
        calls.expect(lambda: [line.invite.source[0] for line in self._lines.values() if line.call is None])

    def serve(self, agent: SipAgent, dialling: Dialling | None = None) -> None:
        """Answer on `agent`; what it tells of calls that we placed is for `dialling`."""
        self._agent = agent
        self._dialling = dialling

    async def on_event(self, event: SipEvent) -> None:
        """One event of the agent, in order."""
        if isinstance(event, ReferReceived):
            self.agent.refuse_refer(event.call, 603)  # we call nobody at the wish of whoever is in a call
            return
        if self._dialling is not None and self._dialling.on_event(event):
            return
        if self._web_phones is not None and self._web_phones.on_event(event):
            return
        if self._recordings.takes(event):
            self._refusing(event.call, lambda: self._recordings.on_event(event, self.agent))
            return
        match event:
            case InviteReceived():
                self._refusing(event.call, lambda: self._invited(event))
            case InviteAcknowledged():
                self._with_line(event.call, lambda line: self._acknowledged(line, event.answer))
            case ReinviteReceived():
                self._with_line(event.call, lambda line: self._reinvited(line, event.offer))
            case ReinviteAcknowledged() | ReinviteAnswered():
                if (sdp := event.answer) is not None:  # to an offer of ours, or to a refresh
                    self._with_line(event.call, lambda line: line.audio.agree(sdp))
            case KeyReceived(key=key):
                self._with_call(event.call, lambda call: call.press(key))
            case ReferProgressed():
                self._with_call(event.call, lambda call: call.tell(TransferProgressed(status=event.status)))
            case ReferConcluded():
                self._with_call(event.call, lambda call: call.transferred(event.status))
            case InviteCancelled():
                self._ended(event.call, "caller")
            case DialogEnded():
                self._ended(event.call, _CAUSES.get(event.cause, "caller"))
            case _:
                pass  # the rest belongs to calls that we place

    @property
    def agent(self) -> SipAgent:
        assert self._agent is not None, "serve() comes before events"
        return self._agent

    def _refusing(self, ref: CallRef, work: Callable[[], None]) -> None:
        """Do `work`; an error of the tree is counted and becomes the SIP status it hints at."""
        try:
            work()
        except CentralinoError as error:
            self._refuse(ref, error)

    def _refuse(self, ref: CallRef, error: CentralinoError) -> None:
        self.refused[error.code] += 1
        retry_after = RETRY_AFTER_S if isinstance(error, Overloaded) else None
        if not self.agent.reject(ref, error.sip_status, "", retry_after):
            self.agent.hangup(ref)  # too late to refuse: it was answered

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
        trunk = self._trunks.at(invite.source[0])
        bot = self._trunks.bot_for(trunk, invite.dialled)
        if not bot:
            raise NotFound("bots names neither the number dialled nor '*'")
        if bot == BUSY:
            self.agent.reject(invite.call, 486)
            return
        dtls = self._web_phones is not None and offers_dtls(invite.offer)
        if invite.account:
            accounts = [line.invite.account for line in self._lines.values()]
            if self._web_phones is not None:
                accounts += self._web_phones.accounts
            self._accounts.admit(invite.account, accounts)
        if trunk:
            self._trunks.admit(trunk)
        self._calls.admit(invite.source[0], many=bool(trunk))
        if self._web_phones is not None and dtls:
            self._web_phones.invited(self.agent, invite, bot, trunk, self._refuse)
            return
        sdp = self._open_line(invite, bot, trunk)
        if bot == RING:
            self.agent.ring(invite.call)
            # who has given up by then is answered in vain: the agent knows the call no more
            asyncio.get_running_loop().call_later(RING_S, self.agent.answer, invite.call, sdp)
        else:
            self.agent.answer(invite.call, sdp)

    def _replacing(self, invite: InviteReceived, ref: CallRef) -> None:
        """A call that is to take another's place: as that one has been admitted, this one is not asked again."""
        former = self._lines.get(ref)
        if former is None or former.call is None:
            self.agent.reject(invite.call, 481)
        elif any(line.replaces is former for line in self._lines.values()):
            self.agent.reject(invite.call, 491)
        else:
            self.agent.answer(invite.call, self._open_line(invite, former.bot, former.trunk, replaces=former))

    def _open_line(self, invite: InviteReceived, bot: str, trunk: str, replaces: _Line | None = None) -> bytes:
        """A line for a call that is taken; the SDP to answer with."""
        encrypted = replaces is not None and replaces.audio.encrypted  # and stays so
        audio = self._trunks.audio(self._audios, trunk, invite.source, encrypted=encrypted)
        try:
            sdp = audio.respond(invite.offer)
        except CentralinoError:
            audio.close()
            raise
        line = self._lines[invite.call] = _Line(invite, bot, audio, trunk, replaces)
        audio.inform = lambda keys: self.agent.press(line.invite.call, keys)
        return sdp

    def _acknowledged(self, line: _Line, sdp: bytes | None) -> None:
        if line.audio.agreed is None and sdp is not None:
            line.audio.agree(sdp)
        if line.audio.agreed is None:
            self.agent.hangup(line.invite.call)  # neither side has said what it can hear
        elif line.replaces is not None:
            self._move(line.replaces, line)
        elif line.call is None:
            self._begin(line)

    def _move(self, line: _Line, dialog: _Line) -> None:
        """The call of `line` goes on in the dialog of another, which stands now; the one it was in is hung up."""
        former = line.invite.call
        if line.call is None or self._lines.get(former) is not line:
            self.agent.hangup(dialog.invite.call)  # it has ended meanwhile
            return
        line.audio.take_over(dialog.audio)
        line.invite = dialog.invite
        del self._lines[former]
        self._lines[line.invite.call] = line
        line.call.transferred(REQUEST_TERMINATED)  # what the former far end was asked for, it tells no more
        line.call.tell(CallerReplaced(caller=str(line.invite.from_uri), codec=line.audio.codec))
        self.agent.hangup(former)

    def _begin(self, line: _Line) -> None:
        invite = line.invite
        leg = line.audio.begin()
        line.call = call = self._calls.start(
            leg,
            transport="sip",
            caller=str(invite.from_uri),
            dialled=invite.dialled,
            bot=line.bot,
            codec=line.audio.codec,
            trunk=line.trunk,
            ended=lambda _cause: self._hang_up(line.invite.call),
            headers=invite.headers,
            refer=lambda to: self._refer(line, to),
        )
        if line.bot not in TESTS:
            leg.on_progress(CallingFax(lambda: call.meet("fax")).on_progress)
            line.fax = asyncio.get_running_loop().call_later(FAX_S, leg.on_progress, None)

    def _refer(self, line: _Line, to: str) -> bool:
        """See `services.Refer`. A mere number is one of the exchange that the caller came by."""
        target = self._destinations.find(to, line.invite.source[0])
        headers = self._settings.sip.handed_on(line.invite.headers)
        return self.agent.refer(line.invite.call, replace(target, headers=tuple(headers.items())))

    def _hang_up(self, ref: CallRef) -> None:
        self.agent.hangup(ref)  # False when the caller was first: nothing is left to do

    def _reinvited(self, line: _Line, offer: bytes | None) -> None:
        self.agent.reanswer(line.invite.call, line.audio.respond(offer))

    def _ended(self, ref: CallRef, cause: str) -> None:
        line = self._lines.pop(ref, None)
        if line is None:
            return
        if line.fax is not None:
            line.fax.cancel()  # it would hold the leg
        if line.call is not None:
            line.call.end(cause)
        else:
            line.audio.close()

"""Browsers that call by SIP: signalling by the SIP agent, sound by ICE, DTLS and SRTP (RFC 8827, RFC 8829).

Their offers name a certificate where others name an address. They come over WebSocket (RFC 7118), or over UDP or TCP
from a proxy that ends the WebSocket.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dialog.errors import CentralinoError, NoCommonCodec, Overloaded, PeerError, ProtocolError
from voice.browser_lines import BrowserLine, BrowserLines
from voice.call import Call
from voice.calls import Calls
from voice.line_test import RING, RING_S
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.ice_guard import IceGuard
from voice.net.sip_agent import SipAgent
from voice.net.webrtc import BrowserPeer
from voice.wire.sdp import parse_sdp
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    InviteCancelled,
    InviteReceived,
    KeyReceived,
    ReinviteAcknowledged,
    ReinviteReceived,
    SipEvent,
)

DTLS_PROFILES = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")
"""RFC 8827 section 5.1.2."""

log = structlog.get_logger("web phones")

Refuse = Callable[[CallRef, CentralinoError], None]
"""Answers a call with the status of an error."""


def offers_dtls(offer: bytes | None) -> bool:
    """Whether the sound of an offer is a browser's. Raises ProtocolError for what is no SDP."""
    return offer is not None and any(
        media.kind == "audio" and media.protocol in DTLS_PROFILES for media in parse_sdp(offer).media
    )


@dataclass(slots=True, eq=False)
class _WebPhone:
    """One call: its INVITE, who signals for it, and what came of it so far."""

    invite: InviteReceived
    bot: str
    agent: SipAgent
    trunk: str
    line: BrowserLine | None = None
    call: Call | None = None


class WebPhones(BrowserLines):
    """Makes calls of such offers, once the trunk has admitted them."""

    def __init__(self, calls: Calls, plane: MediaPlane, guard: IceGuard, tasks: asyncio.TaskGroup) -> None:
        super().__init__(plane, tasks)
        self._calls = calls
        self._guard = guard
        self._phones: dict[CallRef, _WebPhone] = {}
        self._by_line: dict[BrowserLine, _WebPhone] = {}
        calls.expect(lambda: [phone.invite.source[0] for phone in self._phones.values() if phone.call is None])

    @property
    def accounts(self) -> Iterable[str]:
        """Whose calls they are, one each."""
        return (phone.invite.account for phone in self._phones.values())

    @property
    def trunks(self) -> Iterable[str]:
        """By which trunk they came, one each; "" by none."""
        return (phone.trunk for phone in self._phones.values())

    def invited(self, agent: SipAgent, invite: InviteReceived, bot: str, trunk: str, refuse: Refuse) -> None:
        """A browser calls: it is answered as soon as sockets are open for it, or refused."""
        phone = self._phones[invite.call] = _WebPhone(invite, bot, agent, trunk)
        self._tasks.create_task(self._take(phone, refuse), name="sip browser")

    def on_event(self, event: SipEvent) -> bool:
        """Take an event of one of these calls; False for those of others."""
        phone = self._phones.get(event.call)
        if phone is None:
            return False
        match event:
            case ReinviteReceived():
                self._reinvited(phone, event)
            case ReinviteAcknowledged(answer=bytes(sdp)):
                with suppress(PeerError):  # else all stays as it was
                    self._renew(phone, sdp)
            case KeyReceived(key=key):
                if phone.call is not None:
                    phone.call.press(key)
            case InviteCancelled() | DialogEnded():
                del self._phones[event.call]
                if phone.line is not None:
                    self._close(phone.line, "hung_up")
            case _:
                pass
        return True

    async def _take(self, phone: _WebPhone, refuse: Refuse) -> None:
        invite = phone.invite
        assert invite.offer is not None, "that it offers DTLS was seen"
        if phone.bot == RING:
            phone.agent.ring(invite.call)
            await asyncio.sleep(RING_S)
        try:
            peer = await BrowserPeer.answer(self._guard, invite.offer.decode())
        except OSError:
            refuse(invite.call, Overloaded("no media socket can be opened now"))
        except CentralinoError as error:
            refuse(invite.call, error)
        except Exception:  # one page's fault: those of others, in the same group, go on
            log.exception("page not answered")
            refuse(invite.call, ProtocolError("an offer of no use"))
        else:
            if phone.agent.answer(invite.call, peer.answer_sdp.encode()):
                phone.line = self._lines[await self.accept(peer, invite.source[0])]
                self._by_line[phone.line] = phone
            else:
                await peer.close("cancelled")

    def _reinvited(self, phone: _WebPhone, event: ReinviteReceived) -> None:
        """The page holds, resumes, or shows that it is there (RFC 4028); other media and another connection are
        refused, and all stays as it was (RFC 3261 section 14.2). Where it leaves the offer to us, it is our answer."""
        assert phone.line is not None, "it was answered"
        try:
            if event.offer is not None:
                self._renew(phone, event.offer)
        except PeerError:
            phone.agent.reject(event.call, NoCommonCodec.sip_status)
        else:
            phone.agent.reanswer(event.call, phone.line.peer.answer_sdp.encode())

    def _renew(self, phone: _WebPhone, sdp: bytes) -> None:
        """Read what the page says of its media. Raises ProtocolError, NoCommonCodec."""
        assert phone.line is not None, "it was answered"
        phone.line.peer.renew(sdp.decode(errors="replace"))
        self._direct(phone.line)

    @staticmethod
    def _direct(line: BrowserLine) -> None:
        if line.leg is not None:
            way = line.peer.direction
            line.leg.set_direction(send=way.sends, receive=way.receives)

    def _admit(self, who: str) -> None:
        """The trunk did."""

    def _connected(self, line: BrowserLine, leg: MediaLeg) -> None:
        phone = self._by_line[line]
        self._direct(line)  # it may have been held before it was connected
        phone.call = self._calls.start(
            leg,
            transport="sip",
            caller=str(phone.invite.from_uri),
            dialled=phone.invite.dialled,
            bot=phone.bot,
            codec=line.peer.codec_name,
            trunk=phone.trunk,
            ended=lambda cause: self._hang_up(phone, line, cause),
            headers=phone.invite.headers,
        )

    def _keyed(self, line: BrowserLine, digits: str) -> None:
        """A telephone's keys are in its audio."""

    def _over(self, line: BrowserLine, cause: str) -> None:
        phone = self._by_line.pop(line)
        phone.agent.hangup(phone.invite.call)
        if phone.call is not None:
            phone.call.end("caller" if cause == "hung_up" else cause)

    def _hang_up(self, phone: _WebPhone, line: BrowserLine, cause: str) -> None:
        phone.agent.hangup(phone.invite.call)
        self._close(line, cause)

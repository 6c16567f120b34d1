"""Agents' telephones: rung where the desk offers a call and no other audio stands, and once picked up their audio.

To the desk a telephone is a screen that rings: it is told what the agent's screen is told, and picking up, declining,
holding and hanging up are what the panel's buttons do.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import structlog

from agent_assist.desk.messages import CallLeft, Message, Offer, Offered, OfferWithdrawn
from agent_assist.desk.ports import Conflict
from dialog.errors import CentralinoError, ProtocolError
from voice.call import MEDIA_LIMIT_MS
from voice.config import Settings
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipHandler
from voice.sip_audio import Audios, SipAudio
from voice.wire.sip.dialog import bracketed
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteRefused,
    ReferReceived,
    ReinviteAcknowledged,
    ReinviteReceived,
    SipEvent,
)
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import Address
from voice.wire.sip.registrar import Binding, Registrar

log = structlog.get_logger("phones")

BUSY = frozenset((480, 486, 600, 603))
"""What a telephone says whose owner takes no call now: that is a no. Anything else is a telephone that cannot; the call
rings on at the panel for its time (RFC 3261 section 21)."""

LONGEST_NUMBER = 64
"""Of a caller's number or name, as a telephone shows it."""


class PhoneDesk(Protocol):
    """What a telephone does at the desk (agent_assist.desk.ports); those of an agent raise Conflict."""

    def phone(self, agent: str, *, registered: bool) -> None: ...

    def audio(self, agent: str, *, connected: bool) -> None: ...

    def answer(self, agent: str, call_id: str) -> None: ...

    def decline(self, agent: str, call_id: str) -> None: ...

    def hold(self, agent: str, *, on: bool) -> None: ...

    def hang_up(self, agent: str) -> None: ...


class Dialler(Protocol):
    """Who places the calls (voice.net.sip_agent.SipAgent)."""

    @property
    def port(self) -> int: ...

    def invite_at(self, addr: Address, uri: str, sdp: bytes, from_uri: str, handler: SipHandler) -> CallRef: ...

    def hangup(self, call: CallRef) -> bool: ...

    def reanswer(self, call: CallRef, sdp: bytes) -> bool: ...

    def reject(self, call: CallRef, status: int) -> bool: ...

    def refuse_refer(self, call: CallRef, status: int) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One telephone of `agent` that rings for `call_id`, or was picked up."""

    ref: CallRef
    agent: str
    call_id: str
    audio: SipAudio


class Phones:
    """The telephones of all agents. `users` names the agent of each account that belongs to one.

    Of an agent who has several all ring, and the first that is picked up has the call: at most MAX_CONTACTS an account.
    """

    def __init__(
        self, settings: Settings, users: Mapping[str, str], registrar: Registrar, plane: MediaPlane, ports: RtpPorts
    ) -> None:
        self._settings = settings
        self._users = users
        self._registrar = registrar
        self._audios = Audios(plane, ports)
        self._lines: dict[CallRef, _Line] = {}
        self._picked_up: dict[str, _Line] = {}
        self._desk: PhoneDesk | None = None
        self._has_other: Callable[[str], bool] = lambda agent: False
        self._dialler: Dialler | None = None

    def work_for(self, desk: PhoneDesk, has_other: Callable[[str], bool]) -> None:
        """Ring for `desk`, except agents who have other audio (`has_other`): that wins."""
        self._desk = desk
        self._has_other = has_other

    def serve(self, dialler: Dialler) -> None:
        """Call by `dialler`."""
        self._dialler = dialler

    def leg(self, agent: str) -> MediaLeg | None:
        """The sound of the telephone that the agent picked up."""
        line = self._picked_up.get(agent)
        return line.audio.leg if line is not None else None

    def registered(self, account: str) -> None:
        """The account has a telephone from now on, or none any more."""
        agent = self._users.get(account)
        if agent is not None and self._desk is not None:
            self._desk.phone(agent, registered=bool(self._bindings(agent)))

    # -- what the desk tells (agent_assist.desk.host.Feeds) --------------------------------------------------------

    def tell(self, agent: str, message: Message) -> None:
        """What the agent's screen is told."""
        match message:
            case Offered(offer=offer) if not self._has_other(agent):
                for binding in self._bindings(agent):
                    self._ring(agent, offer, binding)
            case OfferWithdrawn(why="answered"):
                self._stop(agent, keep=self._picked_up.get(agent))
            case OfferWithdrawn() | CallLeft():
                self._stop(agent)
            case _:
                pass

    def _bindings(self, agent: str) -> list[Binding]:
        accounts = [account for account, user in self._users.items() if user == agent]
        return [binding for account in accounts for binding in self._registrar.bindings(account)]

    def _ring(self, agent: str, offer: Offer, binding: Binding) -> None:
        if self._dialler is None:
            return
        try:
            sip = self._settings.sip
            audio = self._audios.open(self._settings.media_advertised, binding.addr, codecs=sip.codecs, srtp=sip.srtp)
        except CentralinoError as error:
            log.warning("phone not rung", agent=agent, code=error.code)
            return
        host = f"{bracketed(self._settings.sip_advertised)}:{self._dialler.port}"
        caller = f"sip:{_number(offer.brief.caller)}@{host}"
        ref = self._dialler.invite_at(binding.addr, str(binding.uri), audio.offer(), caller, self)
        self._lines[ref] = _Line(ref, agent, offer.call_id, audio)

    def _stop(self, agent: str, keep: _Line | None = None) -> None:
        for line in [line for line in self._lines.values() if line.agent == agent and line is not keep]:
            self._drop(line)

    def _drop(self, line: _Line) -> None:
        """Hang the telephone up, whatever it does; nothing where that is done already."""
        if self._lines.pop(line.ref, None) is None:
            return
        if self._dialler is not None:
            self._dialler.hangup(line.ref)  # False when the telephone was first
        line.audio.close()
        if self._picked_up.get(line.agent) is line:
            del self._picked_up[line.agent]
            self._told().audio(line.agent, connected=self._has_other(line.agent))

    # -- what telephones do (voice.net.sip_agent.SipHandler) -------------------------------------------------------

    async def on_event(self, event: SipEvent) -> None:
        """One event of a telephone that was rung."""
        line = self._lines.get(event.call)
        if line is None:
            return  # it was hung up by us
        try:
            self._happened(line, event)
        except Conflict:
            self._drop(line)  # the caller was gone in that moment
        except CentralinoError as error:
            log.warning("phone given up", agent=line.agent, code=error.code)
            self._drop(line)

    def _happened(self, line: _Line, event: SipEvent) -> None:
        match event:
            case InviteAnswered(sdp=sdp):
                self._answered(line, sdp or b"")
            case InviteRefused(status=status):
                self._refused(line, status)
            case ReinviteReceived(offer=offer):
                self._reinvited(line, offer)
            case ReferReceived() if self._dialler is not None:
                self._dialler.refuse_refer(line.ref, 603)  # the panel transfers, where the desk can follow
            case ReinviteAcknowledged(answer=bytes(sdp)):
                line.audio.agree(sdp)
            case DialogEnded(cause=EndCause.LOCAL):
                self._drop(line)  # the agent did, since one of its events failed here: nobody hangs up on the caller
            case DialogEnded():
                self._hung_up(line)
            case _:
                pass

    def _answered(self, line: _Line, sdp: bytes) -> None:
        line.audio.agree(sdp)
        leg = line.audio.begin()
        leg.on_failure(lambda _error: self._drop(line))
        self._picked_up[line.agent] = line
        self._watch(line, leg)
        self._told().audio(line.agent, connected=True)
        self._told().answer(line.agent, line.call_id)

    def _refused(self, line: _Line, status: int) -> None:
        self._drop(line)
        alone = all(other.agent != line.agent for other in self._lines.values())
        if status >= 600 or (status in BUSY and alone):
            self._told().decline(line.agent, line.call_id)

    def _reinvited(self, line: _Line, offer: bytes | None) -> None:
        assert self._dialler is not None, "who was rung was dialled"
        held = line.audio.held
        try:
            sdp = line.audio.respond(offer)
        except CentralinoError as error:
            self._dialler.reject(line.ref, error.sip_status)  # the sound stays as it was
            return
        self._dialler.reanswer(line.ref, sdp)
        if self._picked_up.get(line.agent) is line and line.audio.held is not held:
            with suppress(Conflict):  # the call ends in this moment
                self._told().hold(line.agent, on=line.audio.held)

    def _hung_up(self, line: _Line) -> None:
        try:
            if self._picked_up.get(line.agent) is line:
                self._told().hang_up(line.agent)
        finally:
            self._drop(line)

    def _watch(self, line: _Line, leg: MediaLeg) -> None:
        """A telephone that sends nothing for so long, and does not hold, has gone without a word."""
        life = leg.stats.life

        def look() -> None:
            if self._picked_up.get(line.agent) is not line:
                return
            if leg.stats.life == life and not line.audio.held:
                self._drop(line)
            else:
                self._watch(line, leg)

        asyncio.get_running_loop().call_later(MEDIA_LIMIT_MS / 1000, look)

    def _told(self) -> PhoneDesk:
        assert self._desk is not None, "nothing rings before there is a desk"
        return self._desk


def _number(caller: str) -> str:
    """Whom the telephone shows: the caller's number or name, where there is one."""
    try:
        user = WireURI.parse(caller).user
    except ProtocolError:
        user = None  # a browser
    return quote((user or "anonymous")[:LONGEST_NUMBER], safe="+")

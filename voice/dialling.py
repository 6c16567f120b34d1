"""Calls that we place: an offer goes out, an answer comes in, and a leg stands. A caller and a node both dial so."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from sipmessage import URI

from dialog.errors import CentralinoError, PeerError, PeerTimeout
from dsp.progress import Progress
from voice.machines import ANSWERS, STATUSES, Machine
from voice.media.leg import MediaLeg
from voice.net.rtp_port import UdpWire
from voice.net.sip_agent import SipAgent
from voice.sip_audio import SipAudio
from voice.wire.sip.auth import Login
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteCancelled,
    InviteRefused,
    ReinviteAcknowledged,
    ReinviteReceived,
    Ringing,
    SipEvent,
)
from voice.wire.sip.message import NO_HEADERS, Address


class CallRefused(PeerError):
    """The far end did not take the call; `contacts` is where a 3xx sends us, what it likes best first."""

    code = "peer.refused"

    def __init__(self, status: int, reason: str, contacts: tuple[URI, ...] = ()) -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status
        self.contacts = contacts


class PlacedCall:
    """One call that we placed. Its `audio` has a leg once it is answered; `trunk` is the one that it went through, if
    any. `ended` tells who ended it, or the machine that answered and that nobody has to do with; `on_machine` is told
    of any machine that answered, and `on_early` of the leg by which sound may come before any answer."""

    def __init__(self, audio: SipAudio) -> None:
        self.audio = audio
        self.trunk = ""
        self.early = b""
        """How the far end described its sound before it answered."""
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.hang_up: Callable[[], None] = lambda: None
        self.on_machine: Callable[[Machine], None] = lambda machine: None
        self.on_early: Callable[[MediaLeg], None] = lambda leg: None

    @property
    def wire(self) -> UdpWire:
        return self.audio.wire

    @property
    def leg(self) -> MediaLeg | None:
        """There once the call is answered, or something is to be heard before."""
        return self.audio.leg

    def hear(self) -> MediaLeg:
        """Let the far end be heard, if it is not yet. Raises NoCommonCodec, Overloaded."""
        leg = self.audio.leg
        if leg is None:
            leg = self.audio.begin()
            leg.on_progress(self._on_progress)
        return leg

    def _on_progress(self, progress: Progress) -> None:
        machine = ANSWERS.get(progress)
        if machine is None:
            return
        status = STATUSES.get(machine)
        if not self.answered.done():
            if status is not None:  # else it is music, in place of ringing
                self.answered.set_exception(CallRefused(status, f"({machine}, heard before any answer)"))
            return
        self.on_machine(machine)
        if status is not None:
            self.over(machine)
            self.hang_up()

    def over(self, cause: str) -> None:
        """The call is over, whoever ended it."""
        if not self.ended.done():
            self.ended.set_result(cause)
        self.audio.close()


class Dialling:
    """Places calls by `agent`, whose events about them it has to be told."""

    def __init__(self, agent: SipAgent) -> None:
        self._agent = agent
        self._calls: dict[CallRef, PlacedCall] = {}

    def on_event(self, event: SipEvent) -> bool:
        """Take one event of the agent; False where it is of no call that was placed here."""
        call = self._calls.get(event.call)
        if call is None:
            return False
        match event:
            case InviteAnswered():
                if not call.answered.done():  # else nobody waits for it any more, and it has been hung up
                    call.answered.set_result(event.sdp)
            case Ringing(sdp=bytes(sdp)):
                self._hear_early(call, sdp)
            case ReinviteReceived():
                self._reinvited(call, event)
            case ReinviteAcknowledged(answer=bytes(sdp)):
                self._agreed(call, sdp)
            case InviteRefused():
                del self._calls[event.call]
                if not call.answered.done():
                    call.answered.set_exception(CallRefused(event.status, event.reason, event.contacts))
                call.over("refused")
            case DialogEnded() | InviteCancelled():
                del self._calls[event.call]
                remote = isinstance(event, DialogEnded) and event.cause is EndCause.REMOTE
                call.over("far end" if remote else "us")
            case _:
                pass
        return True

    async def place(
        self,
        call: PlacedCall,
        uri: str,
        from_uri: str,
        limit_s: float,
        login: Login | None = None,
        next_hop: Address | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        """Call `uri` with `headers`, by way of `next_hop` if there is one, and wait for the answer.

        A call that comes to nothing is hung up; to be sent elsewhere (3xx) is to be refused: whoever calls knows
        whether to go there.
        `login` answers a challenge. Raises CallRefused, PeerTimeout, NoCommonCodec, NotEncrypted, Overloaded,
        ProtocolError, OSError.
        """
        stands = False
        try:
            ref = await self._agent.invite(
                uri, call.audio.offer(), from_uri, login=login, headers=headers, next_hop=next_hop
            )
            self._calls[ref] = call
            call.audio.inform = lambda keys: self._agent.press(ref, keys)
            call.hang_up = lambda: None if self._agent.hangup(ref) else call.over("us")
            async with asyncio.timeout(limit_s):
                sdp = await call.answered
            call.audio.agree(sdp or call.early)  # what was said reliably is not said again (RFC 3262 section 5)
            call.hear().count_anew()
            stands = True
        except TimeoutError as error:
            raise PeerTimeout(f"{uri} did not answer within {limit_s:g} s") from error
        finally:
            if not stands:
                call.hang_up()
                call.audio.close()

    @staticmethod
    def _hear_early(call: PlacedCall, sdp: bytes) -> None:
        """Before anybody answers exchanges play that the line is busy, or why nobody will. Where nothing can be heard
        yet, it is the answer that counts."""
        call.early = sdp
        if call.answered.done() or not call.audio.one_clock:
            return
        with suppress(CentralinoError):
            call.audio.agree(sdp)
            if call.leg is None:
                call.on_early(call.hear())

    def _agreed(self, call: PlacedCall, sdp: bytes) -> None:
        """The far end says what it takes of what we offered; with an answer of no use there is no call."""
        try:
            call.audio.agree(sdp)
        except PeerError:
            call.hang_up()

    def _reinvited(self, call: PlacedCall, event: ReinviteReceived) -> None:
        """The far end wants other media, or only to know that we are there. What we cannot take is refused, and all
        stays as it was (RFC 3261 section 14.2)."""
        try:
            sdp = call.audio.respond(event.offer)
        except PeerError as error:
            self._agent.reject(event.call, error.sip_status)
        else:
            self._agent.reanswer(event.call, sdp)

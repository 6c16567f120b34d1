"""Calls that we place: an offer goes out, an answer comes in, and a leg stands. A caller and a node both dial so."""

import asyncio
import secrets
from collections.abc import Callable

from dialog.errors import PeerError, PeerTimeout
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import UdpWire, media_address
from voice.net.sip_agent import SipAgent
from voice.wire.sdp import Negotiated, answer, make_offer, parse_sdp, read_answer
from voice.wire.sip.auth import Login
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteCancelled,
    InviteRefused,
    ReinviteReceived,
    SipEvent,
)
from voice.wire.sip.message import Address


class CallRefused(PeerError):
    """The far end did not take the call."""

    code = "peer.refused"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status


class PlacedCall:
    """One call that we placed. It has a `leg` once it is answered; `ended` tells who ended it."""

    def __init__(self, wire: UdpWire) -> None:
        self.wire = wire
        self.leg: MediaLeg | None = None
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.hang_up: Callable[[], None] = lambda: None
        self.session_id = secrets.randbits(31)
        self.version = 1
        self.host = ""
        self.agreed: Negotiated | None = None

    def over(self, cause: str) -> None:
        """The call is over, whoever ended it."""
        if not self.ended.done():
            self.ended.set_result(cause)
        if self.leg is not None:
            self.leg.close()


class Dialling:
    """Places calls by `agent`, whose events about them it has to be told."""

    def __init__(self, agent: SipAgent, plane: MediaPlane) -> None:
        self._agent = agent
        self._plane = plane
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
            case ReinviteReceived():
                self._reinvited(call, event)
            case InviteRefused():
                del self._calls[event.call]
                if not call.answered.done():
                    call.answered.set_exception(CallRefused(event.status, event.reason))
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
        host: str,
        limit_s: float,
        login: Login | None = None,
        next_hop: Address | None = None,
    ) -> None:
        """Call `uri`, by way of `next_hop` if there is one, and wait for the answer. `host` is where sound is to go.

        A call that comes to nothing is hung up; to be sent elsewhere (3xx) is to be refused.
        `login` answers a challenge. Raises CallRefused, PeerTimeout, NoCommonCodec, Overloaded, ProtocolError, OSError.
        """
        call.host = host
        offer = make_offer(host, call.wire.port, call.session_id, call.version)
        try:
            ref = await self._agent.invite(uri, offer, from_uri, login=login, next_hop=next_hop)
            self._calls[ref] = call
            call.hang_up = lambda: None if self._agent.hangup(ref) else call.over("us")
            async with asyncio.timeout(limit_s):
                sdp = await call.answered
            call.agreed = read_answer(parse_sdp(sdp or b""))
            call.leg = self._lay(call.wire, call.agreed)
        except TimeoutError as error:
            raise PeerTimeout(f"{uri} did not answer within {limit_s:g} s") from error
        finally:
            if call.leg is None:
                call.hang_up()
                call.wire.close()

    def _reinvited(self, call: PlacedCall, event: ReinviteReceived) -> None:
        """The far end wants other media, or only to know that we are there. What we cannot take, or what brings no
        offer, is refused, and all stays as it was (RFC 3261 section 14.2)."""
        if event.offer is None or call.leg is None:
            self._agent.reject(event.call, 488)
            return
        try:
            agreed = answer(parse_sdp(event.offer), call.host, call.wire.port, call.session_id, call.version + 1)
            remote = media_address(agreed.remote_addr, agreed.remote_port)
            control = media_address(agreed.remote_rtcp_addr, agreed.remote_rtcp_port)
        except PeerError as error:
            self._agent.reject(event.call, error.sip_status)
            return
        call.version += 1
        call.wire.control.declare(control, muxed=agreed.rtcp_mux)
        former, call.agreed = call.agreed, agreed
        if former is not None and (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            call.leg.switch(agreed.codec.value, agreed.payload_type)
        if remote is not None:
            call.leg.update_remote(*remote)
        call.leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
        self._agent.reanswer(event.call, agreed.answer_bytes)

    def _lay(self, wire: UdpWire, agreed: Negotiated) -> MediaLeg:
        wire.remote = media_address(agreed.remote_addr, agreed.remote_port)
        control = media_address(agreed.remote_rtcp_addr, agreed.remote_rtcp_port)
        wire.control.declare(control, muxed=agreed.rtcp_mux)
        leg = self._plane.add_leg(wire, agreed.codec.value, agreed.payload_type, agreed.event_payload_type)
        wire.control.begin(leg)
        return leg

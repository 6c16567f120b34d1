"""Telephones that a node rings, and the SIP between: each does what a test says, and hears what became of its call."""

from collections import deque
from dataclasses import dataclass, field

from voice.net.sip_agent import SipHandler
from voice.wire.negotiation import answer, make_offer
from voice.wire.sdp import Direction, parse_sdp
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteRefused,
    ReferReceived,
    ReinviteReceived,
    Ringing,
    SipEvent,
)
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import Address

HOST = "127.0.0.1"


@dataclass
class Handset:
    """One telephone that was rung. `state`: ringing, talking, or how it ended; `answers` are to what it asks."""

    ref: CallRef
    addr: Address
    uri: str
    shows: str
    offer: bytes
    handler: SipHandler
    state: str = "ringing"
    answers: list[bytes | int] = field(default_factory=list)


class Switch:
    """`voice.phones.Dialler`. What a telephone does is told with the next turn of `settle`, as by the real one."""

    port = 5060

    def __init__(self) -> None:
        self.handsets: list[Handset] = []
        self._told: deque[tuple[Handset, SipEvent]] = deque()

    def states(self) -> list[str]:
        """Of all that were rung so far."""
        return [handset.state for handset in self.handsets]

    # -- the node's side ----------------------------------------------------------------------------------------

    def invite_at(self, addr: Address, uri: str, sdp: bytes, from_uri: str, handler: SipHandler) -> CallRef:
        ref = CallRef(len(self.handsets))
        self.handsets.append(Handset(ref, addr, uri, from_uri, sdp, handler))
        self._told.append((self.handsets[ref], Ringing(ref, 180, None)))
        return ref

    def hangup(self, call: CallRef) -> bool:
        handset = self.handsets[call]
        if handset.state not in ("ringing", "talking"):
            return False
        handset.state = "cancelled" if handset.state == "ringing" else "hung up by the node"
        self._told.append((handset, DialogEnded(call, EndCause.LOCAL)))
        return True

    def reanswer(self, call: CallRef, sdp: bytes) -> bool:
        self.handsets[call].answers.append(sdp)
        return True

    def reject(self, call: CallRef, status: int) -> bool:
        self.handsets[call].answers.append(status)
        return True

    def refuse_refer(self, call: CallRef, status: int) -> bool:
        self.handsets[call].answers.append(status)
        return True

    # -- the telephones' ----------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Tell what happened, and what came of that."""
        while self._told:
            handset, event = self._told.popleft()
            await handset.handler.on_event(event)

    async def pick_up(self, index: int, sdp: bytes | None = None) -> None:
        """Answer the call, unencrypted, with `sdp` where that is not to be as it should."""
        self.lift(index, sdp)
        await self.settle()

    def lift(self, index: int, sdp: bytes | None = None) -> None:
        """The same, and the node has not heard of it yet."""
        handset = self.handsets[index]
        handset.state = "talking"
        plain = handset.offer.replace(b"RTP/SAVP", b"RTP/AVP")
        agreed = answer(parse_sdp(plain), HOST, 40_000, 1, 1).answer_bytes
        self._told.append((handset, InviteAnswered(handset.ref, agreed if sdp is None else sdp)))

    async def refuse(self, index: int, status: int) -> None:
        """Take no call."""
        handset = self.handsets[index]
        handset.state = "refused"
        self._told.append((handset, InviteRefused(handset.ref, status, "")))
        await self.settle()

    async def hang_up(self, index: int) -> None:
        handset = self.handsets[index]
        handset.state = "hung up"
        self._told.append((handset, DialogEnded(handset.ref, EndCause.REMOTE)))
        await self.settle()

    async def refer(self, index: int, uri: str) -> None:
        """Ask that the node call somebody else in its stead."""
        handset = self.handsets[index]
        self._told.append((handset, ReferReceived(handset.ref, WireURI.parse(uri), None, "")))
        await self.settle()

    async def change(self, index: int, direction: Direction, *, audio: bool = True) -> None:
        """Offer other sound in the middle of the call: hold, and the end of it."""
        handset = self.handsets[index]
        offer = make_offer(HOST, 40_000, 1, len(handset.answers) + 2, direction)
        self._told.append((handset, ReinviteReceived(handset.ref, offer if audio else b"v=0\r\n")))
        await self.settle()

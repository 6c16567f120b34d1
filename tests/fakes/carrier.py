"""A carrier's side of a trunk, and a node of ours that may call by it."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from tests.fakes.house import House, house
from tests.fakes.registrar import PASSWORD
from tests.fakes.telephone import HOST, free
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.dialling import Dialling, PlacedCall
from voice.media.wires import Address
from voice.net.rtcp_port import RtcpPort
from voice.net.rtp_port import RtpPorts, UdpWire
from voice.net.sip_agent import SipAgent
from voice.outbound import Outbound
from voice.sip_audio import Audios
from voice.trunk import Trunk
from voice.trunks import Trunks
from voice.wire.negotiation import make_offer
from voice.wire.sip.auth import Authenticator
from voice.wire.sip.events import (
    InviteReceived,
    KeyReceived,
    ReinviteAnswered,
    SipEvent,
)

GOOD = make_offer(HOST, 40_000, 1, 1)


@dataclass
class Carrier:
    """The far side of the trunk: does with each call what `do` says, and asks who calls."""

    do: Callable[[SipAgent, InviteReceived], object]
    came: list[SipEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = Authenticator("carrier", {"alice": PASSWORD}, bytes(32))
        self.agent = SipAgent(self, lambda host: False, authenticator=known)

    async def on_event(self, event: SipEvent) -> None:
        self.came.append(event)
        if isinstance(event, InviteReceived):
            self.do(self.agent, event)

    def has(self, kind: type[SipEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.came)

    @property
    def answers(self) -> list[bytes]:
        """To offers in a call that stands."""
        return [event.answer or b"" for event in self.came if isinstance(event, ReinviteAnswered)]

    @property
    def keys(self) -> str:
        """That came by INFO."""
        return "".join(event.key for event in self.came if isinstance(event, KeyReceived))

    @property
    def invite(self) -> InviteReceived:
        (first,) = [event for event in self.came if isinstance(event, InviteReceived)]
        return first


@dataclass
class Node:
    """Our side: its calls out, and all wires that were opened for them."""

    outbound: Outbound
    trunks: Trunks
    carrier: Carrier
    wires: list[UdpWire]
    house: House
    obstacle: str = ""

    async def call(self, number: str = "0039021234", limit_s: float = 5.0) -> PlacedCall:
        return await self.outbound.call(number, PlacedCall, limit_s, trunk="carrier")

    def nothing_is_held(self) -> bool:
        return self.trunks.load == {"carrier": 0} and all(free(wire.port + 1) for wire in self.wires)


@asynccontextmanager
async def node(
    do: Callable[[SipAgent, InviteReceived], object] = lambda agent, invite: agent.answer(invite.call, GOOD),
    **trunk: object,
) -> AsyncIterator[Node]:
    """A node whose trunk `carrier` may dial 0039 and nothing else."""
    carrier = Carrier(do)
    wires: list[UdpWire] = []

    def make(sock: socket.socket, remote: Address | None, control: RtcpPort) -> UdpWire:
        wires.append(UdpWire(sock, remote, control))
        return wires[-1]

    ports = RtpPorts(HOST, FIRST, LAST, Random(), make)
    async with house() as home:
        await carrier.agent.start(HOST, 0, home.tasks)
        given = {"proxy": HOST, "port": carrier.agent.port, "dial": ["0039*"], "user": "alice", "password": PASSWORD}
        try:
            async with calling_out(home, ports, given | trunk, lambda: it.obstacle) as (outbound, trunks):
                it = Node(outbound, trunks, carrier, wires, home)
                yield it
        finally:
            await carrier.agent.close()
            await home.tick(20)


@asynccontextmanager
async def calling_out(
    home: House, ports: RtpPorts, trunk: Mapping[str, object], obstacle: Callable[[], str] = lambda: ""
) -> AsyncIterator[tuple[Outbound, Trunks]]:
    """Our side in `home`: calls out by a trunk `carrier` of these settings."""
    settings = Settings.model_validate({"sip": {"peers": [], "trunks": {"carrier": trunk}}})
    trunks = Trunks(settings)
    calls = Trunk(settings, home.calls, home.plane, ports, trunks)
    agent = SipAgent(calls, trunks.allows, told=trunks.signalling_host)
    await agent.start(HOST, 0, home.tasks)
    trunks.reach(agent, lambda: 0.5)
    dialling = Dialling(agent)
    calls.serve(agent, dialling)
    try:
        yield Outbound(trunks, dialling, Audios(home.plane, ports), obstacle), trunks
    finally:
        await agent.close()

"""SIP calls on loopback: what is taken, what is refused, and who is shut out by whom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import TypeVar

from tests.fakes.sip_network import make_endpoint
from tests.voice.house import House
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.net.udp import Address, UdpSocket
from voice.trunk import Trunk
from voice.wire.sdp import Codec, make_offer, parse_sdp, read_answer
from voice.wire.sip.events import InviteAnswered, ReinviteAnswered, SipEvent

E = TypeVar("E")

HOST = "127.0.0.1"
OPUS_ONLY = make_offer(HOST, 40_000, 1, 1).replace(b"PCMU/8000", b"opus/48000/2").replace(b"RTP/AVP 0 8", b"RTP/AVP 96")


class Telephone:
    """Calls from `host`; acknowledges nothing, and answers nothing, until it is `polite`."""

    def __init__(self, host: str) -> None:
        self.polite = False
        self._host = host
        self._responses: asyncio.Queue[bytes] = asyncio.Queue()
        self._calls = 0

    async def open(self) -> None:
        self._socket = await UdpSocket.open(self._host, 0, self._receive)
        self._endpoint = make_endpoint(self._socket.address, self._host)

    async def close(self) -> None:
        await self._socket.close()

    def _receive(self, data: bytes, source: Address) -> None:
        self._responses.put_nowait(data)
        if self.polite:
            self._endpoint.receive(data, source, 0.0)
            self._send()

    def _send(self) -> None:
        for data, address in self._endpoint.to_send():
            self._socket.send(data, address)

    async def call(self, target: Address, number: str = "100", offer: bytes = b"") -> str:
        """The final response to an INVITE."""
        self._calls += 1
        caller = f"sip:{self._calls}@{self._host}"
        offer = offer or make_offer(self._host, 40_000, 1, 1)
        self._endpoint.invite(f"sip:{number}@{target[0]}:{target[1]}", offer, caller, 0.0)
        self._send()
        async with asyncio.timeout(5):
            while True:
                response = (await self._responses.get()).decode()
                if caller in response and not response.startswith("SIP/2.0 1"):
                    return response


@asynccontextmanager
async def trunk_and(*telephones: Telephone, **limits: int) -> AsyncIterator[tuple[House, Trunk, Address]]:
    """A trunk where 100 is the only number, its address, and telephones that are polite when it closes."""
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks, **limits)
        trunk = Trunk(
            Settings(bots={"100": "helpdesk"}), house.calls, house.plane, RtpPorts(HOST, 41_000, 41_100, Random(1))
        )
        agent = SipAgent(trunk, lambda _address: True)
        trunk.serve(agent)
        await agent.start(HOST, 0, tasks)
        for telephone in telephones:
            await telephone.open()
        yield house, trunk, (HOST, agent.port)
        for telephone in telephones:
            telephone.polite = True
        await agent.close()
        for telephone in telephones:
            await telephone.close()
    house.plane.run_tick(1_000)  # frees the legs
    await house.plane.close()


async def test_calls_that_are_never_acknowledged_shut_out_nobody_else() -> None:
    flood, other = Telephone("127.0.0.2"), Telephone("127.0.0.3")
    async with trunk_and(flood, other, calls=8) as (house, trunk, address):
        statuses = [(await flood.call(address)).split()[1] for _ in range(3)]
        assert statuses == ["200", "200", "503"]
        assert (await other.call(address)).split()[1] == "200"
        assert "\r\nRetry-After: " in await flood.call(address)
        assert house.calls.refused == {"half_open": 2}
        assert trunk.refused == {"ours.overloaded": 2}


class Renegotiator:
    """A telephone that keeps what its SIP agent tells, and the payload types of the media that come."""

    def __init__(self) -> None:
        self.agent = SipAgent(self, lambda _address: True)
        self.heard: asyncio.Queue[int] = asyncio.Queue()
        self._events: asyncio.Queue[SipEvent] = asyncio.Queue()

    async def on_event(self, event: SipEvent) -> None:
        await self._events.put(event)

    async def told(self, kind: type[E]) -> E:
        """The next event of `kind`; those before it are of no interest."""
        async with asyncio.timeout(5):
            while not isinstance(event := await self._events.get(), kind):
                pass
        return event


async def test_a_call_goes_on_in_the_law_that_the_caller_now_wants() -> None:
    phone = Renegotiator()
    media = await UdpSocket.open(HOST, 0, lambda data, _: phone.heard.put_nowait(data[1] & 0x7F))
    port = media.address[1]
    async with trunk_and() as (house, trunk, address), asyncio.TaskGroup() as tasks:
        await phone.agent.start(HOST, 0, tasks)
        first = make_offer(HOST, port, 1, 1, codecs=(Codec.PCMU,))
        call = await phone.agent.invite(f"sip:100@{HOST}:{address[1]}", first, f"sip:a@{HOST}")
        await phone.told(InviteAnswered)
        while not house.calls.live:
            await asyncio.sleep(0)
        house.plane.run_tick(0)
        assert await phone.heard.get() == 0
        phone.agent.reoffer(call, make_offer(HOST, port, 1, 2, codecs=(Codec.PCMA,)))
        answered = await phone.told(ReinviteAnswered)
        assert read_answer(parse_sdp(answered.answer or b"")).codec is Codec.PCMA
        house.plane.run_tick(1)
        assert await phone.heard.get() == 8
        assert not trunk.refused
        await phone.agent.close()
    await media.close()


async def test_calls_that_are_refused_are_counted_by_what_was_wrong() -> None:
    telephone = Telephone("127.0.0.2")
    async with trunk_and(telephone) as (_, trunk, address):
        assert (await telephone.call(address, number="200")).split()[1] == "404"
        assert (await telephone.call(address, offer=OPUS_ONLY)).split()[1] == "488"
        assert (await telephone.call(address, offer=b"v=1")).split()[1] == "400"
        assert trunk.refused == {"peer.not_found": 1, "peer.no_common_codec": 1, "peer.protocol": 1}

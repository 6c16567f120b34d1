"""A trunk that serves on loopback, on a plane that the test ticks, and telephones that may call it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from dialog.events import CallEnded, CallStarted
from tests.fakes.bot import FakeBot
from tests.fakes.browser_call import until
from tests.fakes.house import House, house
from tests.fakes.telephone import HOST, Message, Telephone, telephone
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.settings.sections import LimitSettings
from voice.trunk import Trunk
from voice.wire.sdes import Srtp
from voice.wire.sip.events import InviteReceived, SipEvent


class Desk:
    """Hands events to the trunk while it is `open`: a loop that is behind comes to them later. `source`: where calls
    seem to come from."""

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk
        self.source: tuple[str, int] | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def on_event(self, event: SipEvent) -> None:
        await self.open.wait()
        if self.source is not None and isinstance(event, InviteReceived):
            event = replace(event, source=self.source)
        await self._trunk.on_event(event)


@dataclass
class Exchange:
    """A trunk that serves, and a telephone that has not called yet."""

    house: House
    trunk: Trunk
    desk: Desk
    agent: SipAgent
    phone: Telephone
    phones: AsyncExitStack

    async def another(self, host: str = HOST) -> Telephone:
        """A second telephone; it answers until the trunk is closed."""
        return await self.phones.enter_async_context(telephone(self.agent.port, host=host))

    async def talking(self, sdp: str | None = None) -> int:
        """Call, and let a little of the greeting come; the far end's port for sound."""
        self.phone.invite(sdp or self.phone.sdp())
        answer = await self.phone.answer()
        assert answer.status == 200, answer.line
        self.phone.ack()
        await self.begun()
        return answer.media()[0]

    async def begun(self) -> None:
        """The call has begun, and some of it has been said."""
        await until(lambda: self.house.calls.live > 0)
        await self.house.tick(100)

    async def over(self) -> str:
        """The call is over and nothing of it is held; its cause."""
        await until(lambda: self.house.calls.live + self.agent.calls == 0)
        await self.house.tick(20)
        (ended,) = self.house.told(CallEnded)
        return ended.cause

    async def refused(self, sdp: str) -> Message:
        """Call, and be refused; no call is left of it."""
        self.phone.invite(sdp)
        answer = await self.phone.answer()
        self.phone.ack(refused=True)
        assert self.house.calls.live == 0
        assert self.house.told(CallStarted) == []
        return answer


@asynccontextmanager
async def exchange(
    number: str = "100",
    *,
    bot: FakeBot | None = None,
    bots: dict[str, str] | None = None,
    ports: tuple[int, int] = (FIRST, LAST),
    rows: int = 8,
    calls: int = 32,
    srtp: Srtp = Srtp.ALLOWED,
    transfer_to: tuple[str, ...] = (),
    codecs: tuple[str, ...] = ("G722", "PCMU", "PCMA"),
    trunk: Mapping[str, object] | None = None,
) -> AsyncIterator[Exchange]:
    """`trunk` is what there is to say of the trunk that the telephones belong to; None: of none."""
    trunks = {} if trunk is None else {"pbx": {"peers": [HOST], **trunk}}
    sip = {"srtp": srtp, "transfer_to": transfer_to, "codecs": codecs, "trunks": trunks}
    settings = Settings.model_validate({"bots": bots or {"*": "helpdesk"}, "sip": sip})
    async with house(bot, rows=rows, limits=LimitSettings(calls=calls)) as home:
        served = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, *ports, Random()))
        desk = Desk(served)
        agent = SipAgent(desk, lambda host: True)
        served.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        async with AsyncExitStack() as phones:
            phone = await phones.enter_async_context(telephone(agent.port, number))
            try:
                yield Exchange(home, served, desk, agent, phone, phones)
            finally:
                await agent.close()


def versions(*answers: Message) -> list[int]:
    """Of our session descriptions, counted from the first."""
    return [int(answer.body.split("\r\n")[1].split()[2]) for answer in answers]

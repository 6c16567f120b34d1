"""Browsers that call by SIP: real signalling and real connections on loopback, and sound that the test ticks."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random

import numpy as np
import pytest

from dialog.errors import Overloaded
from dialog.events import CallAnswered, CallEnded, CallStarted
from tests.fakes.browser import FakeBrowser, rtp
from tests.fakes.browser_call import until
from tests.fakes.coders import OpusCoder
from tests.fakes.house import House, house
from tests.fakes.telephone import HOST, Message, Telephone, telephone
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.ports import TICK_MS, TICK_SAMPLES
from voice.trunk import Trunk
from voice.web_phones import WebPhones
from voice.wire.rtp import RtpPacket


class Page:
    """A browser with a SIP stack: `phone` signals for `browser`."""

    def __init__(self, home: House, agent: SipAgent, phone: Telephone) -> None:
        self.house = home
        self.agent = agent
        self.phone = phone
        self.browser = FakeBrowser()

    async def call(self) -> tuple[str, str]:
        """Call, and connect; the offer and the answer, when the call has begun."""
        offer = await self.browser.offer()
        self.phone.invite(offer)
        answer = await self.phone.answer()
        assert answer.status == 200, answer.line
        self.phone.ack()
        await self.browser.connect(answer.body)
        await until(lambda: self.house.calls.live == 1)
        return offer, answer.body

    async def asks(self, sdp: str, method: str = "INVITE") -> Message:
        """The answer to other media."""
        if method == "UPDATE":
            self.phone.update(sdp)
            return await self.phone.answer(method)
        self.phone.invite(sdp)
        answer = await self.phone.answer()
        self.phone.ack(refused=answer.status >= 300)
        return answer

    async def sent(self, ms: int = 200) -> int:
        """How many packets of sound reach the page in that time."""
        await self.house.tick(40)  # what was asked for is so from the next tick on
        before = len(self.browser.heard)
        await self.house.tick(ms)
        return len(self.browser.heard) - before

    async def over(self) -> str:
        """The cause of the call's end; nothing is left of it."""
        await until(lambda: self.house.calls.live == 0 and self.agent.calls == 0)
        assert self.house.calls.obstacle() == ""
        (ended,) = self.house.told(CallEnded)
        return ended.cause


@asynccontextmanager
async def page(bot: str = "echo", carrier: Mapping[str, object] | None = None) -> AsyncIterator[Page]:
    sip = {"trunks": {"carrier": carrier} if carrier else {}}
    settings = Settings.model_validate({"bots": {"*": bot}, "sip": sip})
    async with house() as home:
        phones = WebPhones(home.calls, home.plane, IceGuard([IceAddress(HOST)]), home.tasks)
        trunk = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, FIRST, LAST, Random()), web_phones=phones)
        agent = SipAgent(trunk, lambda host: True)
        trunk.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        async with telephone(agent.port, "4711") as phone:
            it = Page(home, agent, phone)
            try:
                yield it
            finally:
                await it.browser.close()
                await agent.close()


async def test_a_page_hears_itself_and_hangs_up() -> None:
    async with page() as it:
        await it.call()
        (started,) = it.house.told(CallStarted)
        assert (started.transport, started.dialled, started.bot) == ("sip", "4711", "echo")
        assert it.house.told(CallAnswered) == [CallAnswered(codec="opus")]
        theirs, ours = OpusCoder(), OpusCoder()
        for number in range(40):
            tone = np.sin(np.arange(number, number + 1, 1 / TICK_SAMPLES) * 20 * np.pi) * 8_000
            await it.browser.send(rtp(number, theirs.encode(tone.astype(np.int16))))
            await it.house.tick(TICK_MS)
        heard = [ours.decode(RtpPacket.parse(packet).payload) for packet in it.browser.heard]
        assert np.abs(heard[-1]).max() > 4_000
        it.phone.bye()
        assert (await it.phone.answer("BYE")).status == 200
        assert await it.over() == "caller"


async def test_the_page_is_gone_without_a_goodbye_by_sip() -> None:
    async with page() as it:
        await it.call()
        await it.browser.close()
        await it.phone.hung_up_on()
        assert await it.over() == "caller"


async def test_the_node_hangs_up() -> None:
    async with page() as it:
        await it.call()
        it.house.calls.end_all()
        await it.phone.hung_up_on()
        assert await it.over() == "shutdown"
        await until(lambda: it.browser.state == "closed")


async def test_other_media_are_refused_and_the_call_goes_on() -> None:
    async with page() as it:
        await it.call()
        it.phone.invite(it.phone.sdp())
        assert (await it.phone.answer()).status == 488
        it.phone.ack(refused=True)
        assert it.house.calls.live == 1
        it.phone.bye()
        assert await it.over() == "caller"


def held(offer: str, way: str, version: int = 3) -> str:
    """The next version of an offer, which holds."""
    return offer.replace("o=- 1 2 ", f"o=- 1 {version} ").replace("a=sendrecv", f"a={way}")


def version_of(answer: Message) -> str:
    return next(line.split()[2] for line in answer.body.split("\r\n") if line.startswith("o="))


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_page_that_shows_that_it_is_there_has_the_same_answer(method: str) -> None:
    async with page() as it:
        offer, answer = await it.call()
        for again in (offer, held(offer, "sendrecv")):
            refreshed = await it.asks(again, method)
            assert (refreshed.status, refreshed.body) == (200, answer)
        assert await it.sent() > 5


async def test_a_page_that_leaves_the_offer_to_us_is_told_our_answer() -> None:
    async with page() as it:
        offer, answer = await it.call()
        it.phone.invite()
        ours = await it.phone.answer()
        assert (ours.status, ours.body) == (200, answer)
        it.phone.ack(held(offer, "recvonly").replace("actpass", "passive"))
        await it.phone.settled()
        assert await it.sent() > 5
        assert it.house.calls.live == 1


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(("way", "answered"), [("sendonly", "recvonly"), ("inactive", "inactive")])
async def test_a_page_on_hold_is_sent_nothing_until_it_resumes(method: str, way: str, answered: str) -> None:
    async with page() as it:
        offer, answer = await it.call()
        assert await it.sent() > 5
        holding = await it.asks(held(offer, way), method)
        assert (holding.status, version_of(holding)) == (200, "2")
        assert holding.body == answer.replace("a=sendrecv", f"a={answered}").replace(" 1 IN IP4", " 2 IN IP4", 1)
        assert await it.sent() == 0
        resumed = await it.asks(held(offer, "sendrecv", 4), method)
        assert (resumed.status, version_of(resumed)) == (200, "3")
        assert await it.sent() > 5
        assert it.house.calls.live == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=ice-ufrag:", "a=ice-ufrag:x"),  # ICE would begin anew
        ("SAVPF 111 0", "SAVPF 0"),
        ("m=audio", "m=\x80"),
    ],
    ids=["another connection", "another format", "no audio"],
)
async def test_what_a_page_cannot_have_leaves_all_as_it_was(old: str, new: str) -> None:
    async with page() as it:
        offer, answer = await it.call()
        assert (await it.asks(held(offer, "sendonly").replace(old, new))).status == 488
        assert await it.sent() > 5
        assert (await it.asks(offer)).body == answer


async def test_the_node_calls_nobody_at_a_pages_wish() -> None:
    async with page() as it:
        await it.call()
        it.phone.refer("sip:900@elsewhere")
        assert (await it.phone.answer("REFER")).status == 603


async def test_a_page_by_a_trunk_is_one_of_its_calls() -> None:
    async with page(carrier={"peers": [HOST], "calls": 1}) as it:
        await it.call()
        (started,) = it.house.told(CallStarted)
        assert started.trunk == "carrier"
        async with telephone(it.agent.port, "4711") as other:
            other.invite(other.sdp())
            assert (await other.answer()).status == 503
            other.ack(refused=True)


async def test_a_page_that_rings_and_gives_up() -> None:
    async with page("ring") as it:
        it.phone.invite(await it.browser.offer())
        await until(lambda: any(message.status == 180 for message in it.phone.came))
        it.phone.cancel()
        assert (await it.phone.answer()).status == 487
        await until(lambda: it.agent.calls == 0)
        assert it.house.told(CallStarted) == []


@pytest.mark.parametrize("lacking", ["a=fingerprint", "a=ice-ufrag"])
async def test_an_offer_that_cannot_be_connected_to(lacking: str) -> None:
    async with page() as it:
        offer = await it.browser.offer()
        it.phone.invite("\r\n".join(line for line in offer.split("\r\n") if not line.startswith(lacking)))
        assert (await it.phone.answer()).status == 400
        await until(lambda: it.agent.calls == 0)


async def test_no_socket_is_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    async with page() as it:
        offer = await it.browser.offer()

        def none_left(guard: IceGuard) -> None:
            raise OSError

        monkeypatch.setattr(IceGuard, "connection", none_left)
        it.phone.invite(offer)
        answer = await it.phone.answer()
        assert answer.status == Overloaded.sip_status
        assert "retry-after" in answer.headers


async def test_an_ordinary_telephone_is_served_as_ever() -> None:
    async with page() as it:
        it.phone.invite(it.phone.sdp())
        assert (await it.phone.answer()).status == 200
        it.phone.ack()
        await until(lambda: it.house.calls.live == 1)
        assert it.house.told(CallAnswered) == [CallAnswered(codec="PCMU")]

"""Calls by SIP as a telephone sees them: real messages on loopback, and sound that the test ticks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

import pytest

from dialog.actions import Hangup, Reply, Say, Transfer
from dialog.events import (
    BotReturned,
    CallAnswered,
    CallEnded,
    CallerReplaced,
    CallStarted,
    TransferFailed,
    TransferProgressed,
)
from tests.fakes.bot import FakeBot
from tests.fakes.browser_call import until
from tests.fakes.clock import virtual_time
from tests.fakes.house import House, house
from tests.fakes.telephone import HOST, Message, Telephone, free, telephone
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.settings.sections import LimitSettings
from voice.trunk import Trunk
from voice.wire.sdes import Srtp
from voice.wire.sip.events import SipEvent

FIRST, LAST = 25_000, 25_998


class Desk:
    """Hands events to the trunk while it is `open`: a loop that is behind comes to them later."""

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk
        self.open = asyncio.Event()
        self.open.set()

    async def on_event(self, event: SipEvent) -> None:
        await self.open.wait()
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
    codecs: tuple[str, ...] = ("G722", "PCMU", "PCMA"),
    transfer_to: tuple[str, ...] = (),
) -> AsyncIterator[Exchange]:
    sip = {"srtp": srtp, "codecs": codecs, "transfer_to": transfer_to}
    settings = Settings.model_validate({"bots": bots or {"*": "helpdesk"}, "sip": sip})
    async with house(bot, rows=rows, limits=LimitSettings(calls=calls)) as home:
        trunk = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, *ports, Random()))
        desk = Desk(trunk)
        agent = SipAgent(desk, lambda host: True)
        trunk.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        async with AsyncExitStack() as phones:
            phone = await phones.enter_async_context(telephone(agent.port, number))
            try:
                yield Exchange(home, trunk, desk, agent, phone, phones)
            finally:
                await agent.close()


async def test_an_offer_is_answered_and_the_call_begins_with_the_acknowledgement() -> None:
    async with exchange("4711") as it:
        it.phone.invite(it.phone.sdp(formats="8 0 101"))
        answer = await it.phone.answer()
        port, formats, attributes = answer.media()
        assert formats == ["8", "101"], "the caller's first choice"
        assert "sendrecv" in attributes
        await it.house.tick(60)
        assert it.house.told(CallStarted) == [], "the caller has not said yet that it heard the answer"
        assert it.house.calls.obstacle() == ""
        it.phone.ack()
        await it.begun()
        (started,) = it.house.told(CallStarted)
        assert (started.transport, started.dialled, started.bot) == ("sip", "4711", "helpdesk")
        assert started.caller == f"sip:caller@{HOST}"
        assert it.house.told(CallAnswered) == [CallAnswered(codec="PCMA")]
        assert {packet.payload_type for packet in it.phone.heard()} == {8}
        it.phone.bye()
        assert (await it.phone.answer("BYE")).status == 200
        assert await it.over() == "caller"
        assert free(port)


async def test_what_the_invite_tells_of_the_call_is_told_to_the_journal() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp(), "Diversion: <sip:200@pbx>\r\nX-Queue: 7\r\nDiversion: <sip:300@pbx>\r\n")
        await it.phone.answer()
        it.phone.ack()
        await it.begun()
        (started,) = it.house.told(CallStarted)
        assert started.headers == (("Diversion", "<sip:200@pbx>, <sip:300@pbx>"),), "X-Queue was not asked for"


async def test_reports_come_by_the_port_of_the_sound_where_the_caller_offers_that() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp())
        assert "rtcp-mux" not in (await it.phone.answer()).media()[2]
        it.phone.ack()
        await it.begun()
        it.phone.invite(it.phone.sdp() + "a=rtcp-mux\r\n")
        assert "rtcp-mux" in (await it.phone.answer()).media()[2]


async def test_a_call_holds_the_port_of_its_reports_until_its_end() -> None:
    async with exchange() as it:
        port = await it.talking()
        assert not free(port + 1)
        it.phone.bye()
        await it.over()
        assert free(port + 1)


async def test_an_acknowledgement_that_comes_twice_begins_one_call() -> None:
    async with exchange() as it:
        await it.talking()
        it.phone.ack()
        await it.house.tick(100)
        assert len(it.house.told(CallStarted)) == 1


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "no SDP at all"])
async def test_an_acknowledgement_that_does_not_answer_our_offer_ends_the_call(sdp: str) -> None:
    async with exchange() as it:
        it.phone.invite()
        port, _, _ = (await it.phone.answer()).media()
        it.phone.ack(sdp)
        await it.phone.hung_up_on()
        assert it.house.told(CallStarted) == []
        assert free(port)
        assert it.house.calls.obstacle() == ""


async def test_a_number_that_nobody_answers_is_not_found() -> None:
    async with exchange("200", bots={"100": "helpdesk"}) as it:
        assert (await it.refused(it.phone.sdp())).status == 404
        assert it.trunk.refused == {"peer.not_found": 1}


@pytest.mark.parametrize(("formats", "status"), [("96", 488), ("18 3", 488), ("x", 400)])
async def test_an_offer_that_cannot_be_answered_is_refused_and_holds_nothing(formats: str, status: int) -> None:
    async with exchange(calls=1) as it:
        assert (await it.refused(it.phone.sdp(formats=formats))).status == status
        assert it.trunk.refused == {"peer.no_common_codec" if status == 488 else "peer.protocol": 1}
        it.house.calls.admit(HOST)


async def test_a_full_house_says_when_to_try_again() -> None:
    async with exchange(calls=1) as it:
        await it.talking()
        second = await it.another()
        second.invite(second.sdp())
        refusal = await second.answer()
        assert refusal.status == 503
        assert int(refusal.headers["retry-after"]) > 0
        await it.house.tick(100)
        assert it.house.calls.live == 1
        assert it.phone.heard()


async def test_calls_that_are_never_acknowledged_shut_out_nobody_else() -> None:
    async with exchange(calls=8) as it:
        phones = [await it.another(host) for host in (*["127.0.0.2"] * 3, "127.0.0.3")]
        statuses = []
        for phone in phones:
            phone.invite(phone.sdp())
            statuses.append((await phone.answer()).status)
        assert statuses == [200, 200, 503, 200]
        assert it.house.calls.refused == {"half_open": 1}
        assert it.trunk.refused == {"ours.overloaded": 1}
        for phone in phones:
            phone.ack()


async def test_without_a_port_for_sound_no_call_is_taken() -> None:
    async with exchange() as it:
        port = await it.talking()
        async with exchange(ports=(port, port + 1)) as other:
            refusal = await other.refused(other.phone.sdp())
            assert refusal.status == 503
            assert "retry-after" in refusal.headers


async def test_a_call_for_which_no_media_row_is_left_is_hung_up() -> None:
    async with exchange(rows=1) as it:
        await it.talking()
        second = await it.another()
        second.invite(second.sdp())
        port, _, _ = (await second.answer()).media()
        second.ack()
        await second.hung_up_on()
        assert free(port)
        assert it.house.calls.live == 1


async def test_hold_and_resume_elsewhere() -> None:
    async with exchange(bot=FakeBot(Reply("fake", (Say("A rather long sentence. " * 10),)))) as it:
        await it.talking()
        assert it.phone.heard()
        it.phone.invite(it.phone.sdp("sendonly"))
        held = await it.phone.answer()
        it.phone.ack()
        assert "recvonly" in held.media()[2]
        await it.house.tick(20)
        it.phone.heard()
        await it.house.tick(200)
        assert it.phone.heard() == [], "nothing is said into a held line"
        it.phone.ring_up()
        it.phone.invite(it.phone.sdp())
        resumed = await it.phone.answer()
        it.phone.ack()
        assert "sendrecv" in resumed.media()[2]
        assert held.media()[0] == resumed.media()[0]
        await it.house.tick(200)
        assert len(it.phone.heard()) >= 9, "at the port that was named last"
        assert versions(held, resumed) == [2, 3], "each description of ours is newer (RFC 3264 section 8)"


def versions(*answers: Message) -> list[int]:
    """Of our session descriptions, counted from the first."""
    return [int(answer.body.split("\r\n")[1].split()[2]) for answer in answers]


async def test_hold_as_it_was_before_rfc_3264() -> None:
    async with exchange() as it:
        await it.talking()
        it.phone.invite(it.phone.sdp(host="0.0.0.0"))
        assert (await it.phone.answer()).status == 200
        it.phone.ack()
        await it.house.tick(20)
        it.phone.heard()
        await it.house.tick(200)
        assert it.phone.heard() == []


async def test_a_change_that_cannot_be_is_refused_and_the_call_goes_on_as_it_was() -> None:
    async with exchange() as it:
        await it.talking()
        it.phone.invite(it.phone.sdp(formats="18"))
        assert (await it.phone.answer()).status == 488
        it.phone.ack(refused=True)
        it.phone.heard()
        await it.house.tick(100)
        assert {packet.payload_type for packet in it.phone.heard()} == {0}


async def test_who_cancels_before_the_answer_leaves_nothing_behind() -> None:
    async with exchange(calls=1) as it:
        it.desk.open.clear()
        it.phone.invite(it.phone.sdp())
        it.phone.cancel()
        assert (await it.phone.answer()).status == 487
        it.desk.open.set()
        assert (await it.phone.answer("CANCEL")).status == 200
        it.phone.ack(refused=True)
        await it.phone.settled()
        assert it.house.told(CallStarted) == []
        it.house.calls.admit(HOST)


async def test_who_cancels_after_the_answer_is_in_the_call_until_it_says_bye() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp())
        assert (await it.phone.answer()).status == 200
        it.phone.cancel()
        assert (await it.phone.answer("CANCEL")).status == 200
        it.phone.ack()
        await it.begun()
        it.phone.bye()
        assert await it.over() == "caller"


async def test_who_hangs_up_before_the_acknowledgement_leaves_nothing_behind() -> None:
    async with exchange(calls=1) as it:
        it.phone.invite(it.phone.sdp())
        port, _, _ = (await it.phone.answer()).media()
        assert not free(port)
        it.phone.bye()
        assert (await it.phone.answer("BYE")).status == 200
        it.phone.ack()
        await it.phone.settled()
        assert it.house.told(CallStarted) == []
        assert free(port)
        it.house.calls.admit(HOST)


@virtual_time
async def test_who_never_acknowledges_is_hung_up_on() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp())
        port, _, _ = (await it.phone.answer()).media()
        await asyncio.sleep(40)
        await it.phone.hung_up_on()
        assert it.house.told(CallStarted) == []
        assert free(port)


async def test_the_bot_hangs_up() -> None:
    async with exchange(bot=FakeBot(Reply("fake", (Say("Bye."), Hangup("done"))))) as it:
        port = await it.talking()
        await it.house.tick(400)
        await it.phone.hung_up_on()
        assert await it.over() == "done"
        assert free(port)


async def test_another_telephone_takes_the_callers_place_and_the_call_goes_on() -> None:
    async with exchange(calls=1) as it:
        port = await it.talking(it.phone.sdp(formats="0 101"))
        second = await it.another()
        offer = second.sdp(formats="8 101")
        second.invite(offer, it.phone.replaces)
        answer = await second.answer()
        assert answer.status == 200, "although the house is full: it is the same call"
        second.ack()
        await it.phone.hung_up_on()
        await it.house.tick(100)
        assert it.house.calls.live == 1
        assert it.house.told(CallerReplaced) == [CallerReplaced(caller=f"sip:caller@{HOST}", codec="PCMA")]
        assert len(it.house.told(CallStarted)) == 1
        assert free(port)
        assert free(port + 1)
        it.phone.heard()
        second.heard()
        await it.house.tick(200)
        assert {packet.payload_type for packet in second.heard()} == {8}
        assert it.phone.heard() == []
        second.invite(offer)
        assert versions(answer, await second.answer()) == [1, 1], "the same offer once more is no change"
        second.ack()
        second.bye()
        assert await it.over() == "caller"
        assert free(answer.media()[0])


async def test_the_end_of_the_call_hangs_up_where_it_is_now() -> None:
    async with exchange() as it:
        await it.talking()
        second = await it.another()
        second.invite(headers=it.phone.replaces)
        offered = await second.answer()
        second.ack(second.sdp(formats="8 101"))
        await it.phone.hung_up_on()
        offer = second.sdp("sendonly")
        answers = []
        for _ in range(2):
            second.invite(offer)
            answers.append(await second.answer())
            second.ack()
        assert "recvonly" in answers[0].media()[2], "it is a call like any other"
        assert versions(offered, *answers) == [1, 2, 2]
        assert {answer.body.split()[2] for answer in (offered, *answers)} == {offered.body.split()[2]}, "one session"
        it.house.calls.end_all()
        await second.hung_up_on()
        assert await it.over() == "shutdown"


async def test_whose_place_is_asked_for_twice_is_given_once() -> None:
    async with exchange() as it:
        await it.talking()
        second, third, fourth = [await it.another() for _ in range(3)]
        second.invite(second.sdp(), it.phone.replaces)
        assert (await second.answer()).status == 200
        third.invite(third.sdp(), it.phone.replaces)
        assert (await third.answer()).status == 491
        third.ack(refused=True)
        second.bye()
        await second.answer("BYE")
        fourth.invite(fourth.sdp(), it.phone.replaces)
        assert (await fourth.answer()).status == 200, "the second one thought better of it"
        fourth.ack()
        await it.phone.hung_up_on()


async def test_who_offers_nothing_of_use_does_not_get_anothers_place() -> None:
    async with exchange() as it:
        await it.talking()
        second = await it.another()
        second.invite(second.sdp(formats="18"), it.phone.replaces)
        assert (await second.answer()).status == 488
        second.ack(refused=True)
        it.phone.heard()
        await it.house.tick(100)
        assert it.phone.heard()


async def test_the_call_may_end_before_its_place_is_taken() -> None:
    async with exchange() as it:
        await it.talking()
        second = await it.another()
        second.invite(second.sdp(), it.phone.replaces)
        port, _, _ = (await second.answer()).media()
        it.phone.bye()
        await it.phone.answer("BYE")
        second.ack()
        await second.hung_up_on()
        assert await it.over() == "caller"
        assert free(port)


async def test_we_call_nobody_at_a_callers_wish() -> None:
    async with exchange() as it:
        await it.talking()
        it.phone.refer(f"sip:300@{HOST}")
        assert (await it.phone.answer("REFER")).status == 603
        it.phone.heard()
        await it.house.tick(100)
        assert it.phone.heard(), "and the call goes on"


AWAY = Reply("fake", (Transfer("+32 2 555 01 23"),))


async def test_a_caller_is_transferred_to_a_number_of_the_exchange_and_hung_up_when_that_answers() -> None:
    async with exchange(bot=FakeBot(AWAY), transfer_to=("+32*",)) as it:
        await it.talking()
        await it.phone.asked("REFER")
        assert it.phone.accept_refer() == f"<sip:+3225550123@{HOST}>"
        it.phone.report("180 Ringing")
        assert (await it.phone.answer("NOTIFY")).status == 200
        await it.house.tick(40)
        assert it.house.calls.live == 1
        it.phone.report("200 OK")
        await it.phone.answer("NOTIFY")
        await it.phone.hung_up_on()
        assert await it.over() == "transferred"
        assert it.house.told(TransferProgressed) == [TransferProgressed(status=180)]


async def test_a_caller_whom_nobody_answers_there_is_with_the_bot_again() -> None:
    async with exchange(bot=FakeBot(AWAY), transfer_to=("+32*",)) as it:
        await it.talking()
        await it.phone.asked("REFER")
        it.phone.accept_refer()
        it.phone.report("486 Busy Here")
        await it.phone.answer("NOTIFY")
        await it.house.tick(4_000)
        assert it.house.told(TransferFailed) == [TransferFailed(why="failed", status=486)]
        assert it.house.told(BotReturned) == [BotReturned(why="transfer_failed")]
        it.phone.bye()
        assert await it.over() == "caller"


async def test_nobody_is_transferred_where_the_settings_name_nothing() -> None:
    async with exchange(bot=FakeBot(AWAY)) as it:
        await it.talking()
        await it.house.tick(4_000)
        assert it.house.told(TransferFailed)[0] == TransferFailed(why="not_allowed")
        assert not any(message.line.startswith("REFER") for message in it.phone.came)


async def test_a_transfer_ends_with_the_dialog_that_was_asked_for_it() -> None:
    async with exchange(bot=FakeBot(AWAY), transfer_to=("*",)) as it:
        await it.talking()
        await it.phone.asked("REFER")
        it.phone.accept_refer()
        second = await it.another()
        second.invite(second.sdp(), it.phone.replaces)
        await second.answer()
        second.ack()
        await it.phone.hung_up_on()
        assert it.house.told(TransferFailed) == [TransferFailed(why="failed", status=487)]

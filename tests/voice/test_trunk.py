"""Calls by SIP as a telephone sees them: real messages on loopback, and sound that the test ticks."""

import asyncio

import pytest

from dialog.actions import Hangup, Reply, Say
from dialog.events import CallAnswered, CallStarted
from tests.fakes.bot import FakeBot
from tests.fakes.browser_call import until
from tests.fakes.clock import virtual_time
from tests.fakes.exchange import exchange, versions
from tests.fakes.telephone import HOST, free


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


async def test_who_demands_reliable_provisional_responses_is_answered_at_once_but_by_the_number_that_rings() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp(), "Require: 100rel\r\n")
        assert (await it.phone.answer()).status == 200
        assert [message.status for message in it.phone.came] == [100, 200]
    async with exchange(bots={"*": "ring"}) as it:
        it.phone.invite(it.phone.sdp(), "Require: 100rel\r\n")
        await until(lambda: len(it.phone.came) == 2)
        rings = it.phone.came[1]
        assert (rings.status, rings.headers["require"], rings.body) == (180, "100rel", "")
        it.phone.cancel()
        assert (await it.phone.answer()).status == 487


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

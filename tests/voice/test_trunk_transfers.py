"""Callers who are put somewhere else: another telephone takes their place, or their own side calls elsewhere."""

from dialog.actions import Reply, Transfer
from dialog.events import CallerReplaced, CallStarted
from dialog.people_events import BotReturned, TransferFailed, TransferProgressed
from tests.fakes.bot import FakeBot
from tests.fakes.exchange import exchange, versions
from tests.fakes.telephone import HOST, free


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


async def test_what_the_callers_side_told_for_whoever_is_next_goes_along() -> None:
    async with exchange(bot=FakeBot(AWAY), transfer_to=("+32*",)) as it:
        it.phone.invite(it.phone.sdp(), "User-to-User: 56a3;encoding=hex\r\nSubject: a bill\r\n")
        await it.phone.answer()
        it.phone.ack()
        await it.begun()
        await it.phone.asked("REFER")
        assert it.phone.accept_refer() == f"<sip:+3225550123@{HOST}?User-to-User=56a3%3Bencoding%3Dhex>"


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

"""Changes of media in a SIP call, as a telephone asks for them: refreshed, held, moved (RFC 3264)."""

import pytest

from dialog.events import KeysPressed
from tests.fakes.browser_call import until
from tests.fakes.exchange import exchange, versions


async def test_a_refresh_that_changes_nothing_leaves_sound_and_answer_as_they_are() -> None:
    async with exchange() as it:
        sdp = it.phone.sdp()
        it.phone.invite(sdp)
        first = await it.phone.answer()
        it.phone.ack()
        await it.begun()
        it.phone.invite(sdp)
        again = await it.phone.answer()
        it.phone.ack()
        assert again.body == first.body, "RFC 3264 section 8: nothing changed, neither did the version"
        it.phone.update()
        refreshed = await it.phone.answer("UPDATE")
        assert (refreshed.status, refreshed.body) == (200, "")
        before = it.phone.heard()
        await it.house.tick(200)
        after = it.phone.heard()
        assert len(after) >= 9
        assert {packet.ssrc for packet in after} == {packet.ssrc for packet in before}


async def test_media_may_be_changed_by_update() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp(formats="0 101"))
        first = await it.phone.answer()
        it.phone.ack()
        await it.begun()
        it.phone.update(it.phone.sdp(formats="8 101"))
        changed = await it.phone.answer("UPDATE")
        assert changed.media()[1][0] == "8"
        assert versions(first, changed) == [1, 2]
        it.phone.heard()
        await it.house.tick(100)
        assert {packet.payload_type for packet in it.phone.heard()} == {8}
        it.phone.update(it.phone.sdp(formats="18"))
        assert (await it.phone.answer("UPDATE")).status == 488
        it.phone.bye()
        assert await it.over() == "caller"


@pytest.mark.parametrize("by_update", [False, True])
@pytest.mark.parametrize(
    ("direction", "host", "answered"),
    [
        ("sendonly", "", "recvonly"),
        ("inactive", "", "inactive"),
        ("sendrecv", "0.0.0.0", "recvonly"),  # as RFC 2543 had it
        ("sendonly", "0.0.0.0", "recvonly"),
        ("inactive", "0.0.0.0", "inactive"),
        ("recvonly", "0.0.0.0", "inactive"),
    ],
)
async def test_whoever_holds_hears_nothing_until_the_call_is_resumed(
    direction: str, host: str, answered: str, by_update: bool
) -> None:
    """RFC 3264 sections 6.1 and 8.4; the milliwatt never pauses, so what is not heard was not sent."""
    async with exchange(bots={"*": "milliwatt"}) as it:
        await it.talking()
        assert it.phone.heard()
        ask, method = (it.phone.update, "UPDATE") if by_update else (it.phone.invite, "INVITE")
        for sdp, wanted, sounds in (
            (it.phone.sdp(direction, host=host), answered, False),
            (it.phone.sdp(), "sendrecv", True),
        ):
            ask(sdp)
            answer = await it.phone.answer(method)
            if not by_update:
                it.phone.ack()
            assert wanted in answer.media()[2]
            await it.house.tick(40)
            it.phone.heard()
            await it.house.tick(200)
            assert bool(it.phone.heard()) == sounds


async def test_whoever_only_listens_is_played_to() -> None:
    """Not hold: the caller takes sound and sends none."""
    async with exchange(bots={"*": "milliwatt"}) as it:
        await it.talking()
        it.phone.invite(it.phone.sdp("recvonly"))
        assert "sendonly" in (await it.phone.answer()).media()[2]
        it.phone.ack()
        it.phone.heard()
        await it.house.tick(100)
        assert it.phone.heard()


async def test_a_call_may_begin_on_hold() -> None:
    async with exchange(bots={"*": "milliwatt"}) as it:
        it.phone.invite(it.phone.sdp("inactive"))
        assert "inactive" in (await it.phone.answer()).media()[2]
        it.phone.ack()
        await it.begun()
        assert it.phone.heard() == []
        it.phone.invite(it.phone.sdp())
        await it.phone.answer()
        it.phone.ack()
        await it.house.tick(100)
        assert it.phone.heard()


async def test_keys_are_heard_under_the_number_that_was_named_last() -> None:
    async with exchange(bots={"*": "helpdesk"}) as it:
        port = await it.talking()
        it.phone.invite(it.phone.sdp(formats="0 96", keys=96))
        assert "96" in (await it.phone.answer()).media()[1]
        it.phone.ack()
        await it.house.tick(40)
        it.phone.press(port, "5", 96)
        await it.house.tick(40)
        await until(lambda: bool(it.house.told(KeysPressed)))
        assert [event.digits for event in it.house.told(KeysPressed)] == ["5"]


async def test_another_packet_length_in_mid_call_is_answered_and_the_call_goes_on() -> None:
    async with exchange() as it:
        await it.talking()
        it.phone.invite(it.phone.sdp() + "a=ptime:40\r\n")
        assert (await it.phone.answer()).status == 200
        it.phone.ack()
        it.phone.heard()
        await it.house.tick(200)
        assert it.phone.heard()

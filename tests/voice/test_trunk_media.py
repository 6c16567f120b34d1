"""Changes of media in a SIP call, as a telephone asks for them: refreshed, held, moved (RFC 3264)."""

from tests.voice.test_trunk import exchange, versions


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

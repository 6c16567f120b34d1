"""What a call is spoken in: the format, the length of packets, who offers, and changes in the middle."""

from itertools import pairwise

from dialog.events import CallAnswered
from tests.fakes.exchange import exchange


async def test_a_call_goes_on_in_the_law_that_the_caller_now_wants() -> None:
    async with exchange() as it:
        await it.talking(it.phone.sdp(formats="0 101"))
        assert {packet.payload_type for packet in it.phone.heard()} == {0}
        it.phone.invite(it.phone.sdp(formats="8 101"))
        assert (await it.phone.answer()).media()[1][0] == "8"
        it.phone.ack()
        await it.house.tick(100)
        assert {packet.payload_type for packet in it.phone.heard()} == {8}


async def test_a_caller_who_can_is_heard_in_wideband_and_may_change_his_mind() -> None:
    async with exchange() as it:
        await it.talking(it.phone.sdp(formats="0 9 101"))
        assert it.house.told(CallAnswered) == [CallAnswered(codec="G722")]
        assert {(packet.payload_type, len(packet.payload)) for packet in it.phone.heard()} == {(9, 160)}
        for formats, payload_type in (("8 101", 8), ("9 8 101", 9)):
            it.phone.invite(it.phone.sdp(formats=formats))
            assert (await it.phone.answer()).media()[1][0] == str(payload_type)
            it.phone.ack()
            await it.house.tick(100)
            assert {packet.payload_type for packet in it.phone.heard()} == {payload_type}


async def test_packets_are_as_long_as_the_caller_asks_and_may_change() -> None:
    async with exchange() as it:
        await it.talking(it.phone.sdp() + "a=ptime:40\r\n")
        await it.house.tick(200)
        assert {len(packet.payload) for packet in it.phone.heard()} == {320}
        it.phone.invite(it.phone.sdp() + "a=ptime:10\r\n")
        assert (await it.phone.answer()).status == 200
        it.phone.ack()
        await it.house.tick(100)
        assert {len(packet.payload) for packet in it.phone.heard()} == {80}


async def test_asked_for_an_offer_in_mid_call_we_rather_offer_what_we_speak_and_take_the_answer() -> None:
    async with exchange() as it:
        await it.talking(it.phone.sdp(formats="8 101"))
        it.phone.invite()
        _, formats, _ = (await it.phone.answer()).media()
        assert formats == ["8", "9", "0", "101"]
        it.phone.ring_up()
        it.phone.ack(it.phone.sdp(formats="8 101"))
        await it.phone.settled()
        await it.house.tick(100)
        assert it.phone.heard(), "at the port that the acknowledgement named"


async def test_who_offers_nothing_is_made_an_offer_and_answers_it_in_the_acknowledgement() -> None:
    async with exchange() as it:
        it.phone.invite()
        _, formats, _ = (await it.phone.answer()).media()
        assert formats == ["9", "0", "8", "101"]
        it.phone.ack(it.phone.sdp(formats="8 101"))
        await it.begun()
        assert it.house.told(CallAnswered) == [CallAnswered(codec="PCMA")]
        assert {packet.payload_type for packet in it.phone.heard()} == {8}


async def test_opus_by_sip_has_a_clock_of_its_own_and_keeps_it() -> None:
    async with exchange(codecs=("opus", "PCMU")) as it:
        opus = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n"
        await it.talking(it.phone.sdp(formats="0 111 101 110") + opus)
        assert it.house.told(CallAnswered) == [CallAnswered(codec="opus")]
        packets = it.phone.heard()
        assert {packet.payload_type for packet in packets} == {111}
        assert {b.timestamp - a.timestamp for a, b in pairwise(packets)} == {960}
        it.phone.invite(it.phone.sdp(formats="0 101"))
        assert (await it.phone.answer()).status == 488
        it.phone.ack(refused=True)
        it.phone.heard()
        await it.house.tick(100)
        assert {packet.payload_type for packet in it.phone.heard()} == {111}, "the call goes on as it was"


async def test_a_caller_who_takes_comfort_noise_is_sent_it_in_pauses_if_the_node_may() -> None:
    async with exchange() as it:
        it.house.plane.dtx = True
        await it.talking(it.phone.sdp(formats="8 13 101"))
        await it.house.tick(6_000)
        heard = it.phone.heard()
        assert {packet.payload_type for packet in heard} == {8, 13}
        assert len(heard) < 200
        it.phone.invite()
        assert (await it.phone.answer()).media()[1] == ["8", "9", "0", "13", "101"]
        it.phone.ack(it.phone.sdp(formats="8 101"))
        await it.phone.settled()
        it.phone.heard()
        await it.house.tick(600)
        packets = it.phone.heard()
        assert {packet.payload_type for packet in packets} == {8}
        assert len(packets) >= 29


async def test_a_node_that_may_not_pause_takes_no_comfort_noise() -> None:
    async with exchange() as it:
        it.phone.invite(it.phone.sdp(formats="8 13 101"))
        assert (await it.phone.answer()).media()[1] == ["8", "101"]

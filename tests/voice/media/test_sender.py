"""Outgoing packets: one time line, numbers without a hole, markers where talk begins."""

from itertools import pairwise
from random import Random

from voice.media.sender import StreamSender
from voice.wire.dtmf import KeyReceiver
from voice.wire.rtp import RtpPacket, timestamp_step

SILENCE = b"\xff" * 160


def test_numbers_run_on_and_timestamps_follow_the_ticks() -> None:
    sender = StreamSender(8, None, 160, Random(1))
    ticks = [0, 1, 2, 10, 11]
    packets = [RtpPacket.parse(sender.audio(SILENCE, tick, talking=False)) for tick in ticks]
    first = packets[0]
    assert [(packet.sequence - first.sequence) & 0xFFFF for packet in packets] == [0, 1, 2, 3, 4]
    assert [timestamp_step(first.timestamp, packet.timestamp) for packet in packets] == [160 * tick for tick in ticks]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(first.ssrc, 8)}


def test_streams_start_at_random() -> None:
    chance = Random(2)
    firsts = [RtpPacket.parse(StreamSender(0, None, 160, chance).audio(b"", 0, talking=False)) for _ in range(20)]
    for field in ("ssrc", "sequence", "timestamp"):
        assert len({getattr(packet, field) for packet in firsts}) == 20


def test_numbers_and_timestamps_wrap() -> None:
    sender = StreamSender(0, None, 960, Random(3))
    packets = [RtpPacket.parse(sender.audio(b"", tick * 1000, talking=True)) for tick in range(70_000)]
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    assert all(timestamp_step(a.timestamp, b.timestamp) == 960_000 for a, b in pairwise(packets))


def test_the_marker_stands_where_talk_begins() -> None:
    sender = StreamSender(0, None, 160, Random(4))
    talks = [False, False, True, True, False, True]
    marks = [RtpPacket.parse(sender.audio(b"", n, talking=talk)).marker for n, talk in enumerate(talks)]
    assert marks == [True, False, True, False, False, True]


def test_keys_take_the_place_of_audio() -> None:
    sender = StreamSender(0, 101, 160, Random(5))
    first = RtpPacket.parse(sender.audio(SILENCE, 0, talking=True))
    assert sender.press("42")
    keys = KeyReceiver()
    heard = ""
    tick = 1
    count = 1
    while sender.keying:
        packet = sender.key(tick)
        tick += 1
        if packet is not None:
            count += 1
            heard += keys.receive(RtpPacket.parse(packet))
    after = RtpPacket.parse(sender.audio(SILENCE, tick, talking=True))
    assert heard == "42"
    assert (after.sequence - first.sequence) & 0xFFFF == count == sender.sent - 1
    assert timestamp_step(first.timestamp, after.timestamp) == tick * 160
    assert after.marker


def test_a_far_end_without_telephone_events_gets_no_keys() -> None:
    sender = StreamSender(0, None, 160, Random(6))
    assert not sender.press("1")
    assert not sender.keying

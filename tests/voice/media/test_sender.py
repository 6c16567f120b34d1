"""Outgoing packets: one time line, numbers without a hole, markers where talk begins."""

from itertools import pairwise
from random import Random

import pytest

from voice.media.sender import StreamSender
from voice.wire.dtmf import KeyReceiver
from voice.wire.rtp import RtpPacket, timestamp_step

SILENCE = b"\xff" * 160


def only(packets: list[bytes]) -> RtpPacket:
    (packet,) = packets
    return RtpPacket.parse(packet)


def test_numbers_run_on_and_timestamps_follow_the_ticks() -> None:
    sender = StreamSender(8, None, 160, Random(1))
    ticks = [0, 1, 2, 10, 11]
    packets = [only(sender.audio(SILENCE, tick, talking=False)) for tick in ticks]
    first = packets[0]
    assert [(packet.sequence - first.sequence) & 0xFFFF for packet in packets] == [0, 1, 2, 3, 4]
    assert [timestamp_step(first.timestamp, packet.timestamp) for packet in packets] == [160 * tick for tick in ticks]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(first.ssrc, 8)}


def test_streams_start_at_random() -> None:
    chance = Random(2)
    firsts = [only(StreamSender(0, None, 160, chance).audio(SILENCE, 0, talking=False)) for _ in range(20)]
    for field in ("ssrc", "sequence", "timestamp"):
        assert len({getattr(packet, field) for packet in firsts}) == 20


def test_numbers_and_timestamps_wrap() -> None:
    sender = StreamSender(0, None, 960, Random(3))
    packets = [only(sender.audio(SILENCE, tick * 1000, talking=True)) for tick in range(70_000)]
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    assert all(timestamp_step(a.timestamp, b.timestamp) == 960_000 for a, b in pairwise(packets))


def test_the_marker_stands_where_talk_begins() -> None:
    sender = StreamSender(0, None, 160, Random(4))
    talks = [False, False, True, True, False, True]
    marks = [only(sender.audio(SILENCE, n, talking=talk)).marker for n, talk in enumerate(talks)]
    assert marks == [True, False, True, False, False, True]


def test_keys_take_the_place_of_audio() -> None:
    sender = StreamSender(0, 101, 160, Random(5))
    first = only(sender.audio(SILENCE, 0, talking=True))
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
    after = only(sender.audio(SILENCE, tick, talking=True))
    assert heard == "42"
    assert (after.sequence - first.sequence) & 0xFFFF == count == sender.sent - 1
    assert timestamp_step(first.timestamp, after.timestamp) == tick * 160
    assert after.marker


def test_a_far_end_without_telephone_events_gets_no_keys() -> None:
    sender = StreamSender(0, None, 160, Random(6))
    assert not sender.press("1")
    assert not sender.keying


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_packets_are_as_long_as_the_far_end_wants_them(ptime_ms: int) -> None:
    sender = StreamSender(0, None, 160, Random(7))
    sender.packetise(ptime_ms * 8)
    said = Random(8).randbytes(160 * 60)
    packets = []
    for tick in range(60):
        packets += sender.audio(said[tick * 160 :][:160], tick, talking=tick >= 30)
    read = [RtpPacket.parse(packet) for packet in packets]
    assert b"".join(packet.payload for packet in read) == said
    assert {len(packet.payload) for packet in read} == {ptime_ms * 8}
    assert all(timestamp_step(a.timestamp, b.timestamp) == ptime_ms * 8 for a, b in pairwise(read))
    assert [n for n, packet in enumerate(read) if packet.marker] == [0, 600 // ptime_ms]


def test_a_packet_is_of_one_piece_of_time() -> None:
    """Left-out ticks, a hold, keys: what was held for a longer packet by then is void."""
    sender = StreamSender(0, 101, 160, Random(9))
    sender.packetise(320)
    first = only([*sender.audio(b"a" * 160, 0, talking=True), *sender.audio(b"b" * 160, 1, talking=True)])
    assert sender.audio(b"c" * 160, 2, talking=True) == []
    assert sender.audio(b"d" * 160, 7, talking=True) == []
    after = only(sender.audio(b"e" * 160, 8, talking=True))
    assert (after.payload, timestamp_step(first.timestamp, after.timestamp)) == (b"d" * 160 + b"e" * 160, 7 * 160)
    assert sender.audio(b"f" * 160, 9, talking=True) == []
    sender.rest()
    assert sender.audio(b"g" * 160, 10, talking=True) == []
    resumed = only(sender.audio(b"h" * 160, 11, talking=True))
    assert (resumed.payload[0], resumed.marker) == (ord("g"), True)

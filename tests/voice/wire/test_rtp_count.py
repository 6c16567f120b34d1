"""Streams counted packet by packet."""

import random
import struct

from voice.wire.reports import Reception, Sending
from voice.wire.rtp_count import RtpCount


def packet(sequence: int, timestamp: int = 0, ssrc: int = 5, size: int = 40) -> bytes:
    return struct.pack("!BBHII", 0x80, 111, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + bytes(size)


def received(count: RtpCount) -> Reception:
    assert count.reception is not None
    return count.reception


def test_nothing_came_and_nothing_left() -> None:
    count = RtpCount(48_000)
    assert count.reception is None
    assert count.sending(1.0) is None


def test_what_was_sent() -> None:
    count = RtpCount(48_000)
    for n in range(10):
        count.sent(packet(n, 960 * n, ssrc=9), 50 + n * 0.02)
    assert count.sending(50.5) == Sending(9, 9 * 960 + round(0.32 * 48_000), 10, 400)
    count.sent(packet(0, 0, ssrc=10), 51)
    assert count.sending(51) == Sending(10, 0, 1, 40)


def test_lost_packets() -> None:
    count = RtpCount(48_000)
    for n in range(100):
        if n % 4 != 1:
            count.received(packet(n, 960 * n), n * 0.02)
    told = received(count)
    assert (told.expected, told.received, told.highest) == (100, 75, 99)


def test_wrapping_reordered_and_doubled_packets() -> None:
    count = RtpCount(48_000)
    order = list(range(65_500, 65_600))
    order[10], order[11] = order[11], order[10]
    for n in [*order, order[-1]]:
        count.received(packet(n, 960 * n), n * 0.02)
    told = received(count)
    assert told.expected - told.received == -1  # doubled packets count as received (RFC 3550 section 6.4.1)
    assert told.highest == 65_599


def test_a_jump_is_a_new_start() -> None:
    count = RtpCount(48_000)
    count.received(packet(5), 0)
    count.received(packet(30_000), 0.02)
    assert (received(count).expected, received(count).highest) == (1, 30_000)
    count.received(packet(7, ssrc=6), 0.04)
    assert (received(count).ssrc, received(count).highest) == (6, 7)


def test_jitter_is_that_of_the_way() -> None:
    steady, shaken = RtpCount(48_000), RtpCount(48_000)
    rng = random.Random(1)
    for n in range(1_000):
        steady.received(packet(n, 960 * n), n * 0.02)
        shaken.received(packet(n, 960 * n), n * 0.02 + rng.choice((0, 0.005)))
    assert received(steady).jitter <= 1
    assert 80 < received(shaken).jitter < 160  # half the steps are 240 ticks, half are none

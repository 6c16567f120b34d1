"""Reports, read back by aiortc's RTCP parser as the oracle."""

import random
import struct

import pytest
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)

from voice.wire.rtcp import Reports


def packet(sequence: int, timestamp: int = 0, ssrc: int = 5, size: int = 40) -> bytes:
    return struct.pack("!BBHII", 0x80, 111, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + bytes(size)


def read(compound: bytes | None) -> list[object]:
    assert compound is not None
    return list(RtcpPacket.parse(compound))


def block(reports: Reports, now: float = 100.0) -> RtcpReceiverInfo:
    report = read(reports.report(now))[0]
    assert isinstance(report, RtcpRrPacket)
    (only,) = report.reports
    return only


def test_nothing_is_reported_of_nothing() -> None:
    assert Reports("name", 48_000).report(1.0) is None
    assert Reports("name", 48_000).farewell() is None


@pytest.mark.parametrize("cname", ["", "abc", "abcd", "abcdef", "0123456789abcdef"])
def test_a_sender_report_with_its_description(cname: str) -> None:
    reports = Reports(cname, 48_000)
    for n in range(10):
        reports.sent(packet(n, 960 * n, ssrc=9), 50 + n * 0.02)
    report, description = read(reports.report(50.5))
    assert isinstance(report, RtcpSrPacket)
    assert report.ssrc == 9
    assert report.sender_info.packet_count == 10
    assert report.sender_info.octet_count == 400
    assert report.sender_info.ntp_timestamp == round(50.5 * 2**32)
    assert report.sender_info.rtp_timestamp == 9 * 960 + round(0.32 * 48_000)
    assert isinstance(description, RtcpSdesPacket)
    (chunk,) = description.chunks
    assert (chunk.ssrc, chunk.items) == (9, [(1, cname.encode())])
    reports.sent(packet(0, 0, ssrc=10), 51)
    anew = read(reports.report(51))[0]
    assert isinstance(anew, RtcpSrPacket)
    assert (anew.ssrc, anew.sender_info.packet_count) == (10, 1)


def test_loss_is_told_since_the_last_report_and_in_all() -> None:
    reports = Reports("name", 48_000)
    for n in range(100):
        if n % 4 != 1:
            reports.received(packet(n, 960 * n), n * 0.02)
    first = block(reports)
    assert (first.packets_lost, first.fraction_lost, first.highest_sequence) == (25, 64, 99)
    for n in range(100, 200):
        reports.received(packet(n, 960 * n), n * 0.02)
    second = block(reports)
    assert (second.packets_lost, second.fraction_lost, second.highest_sequence) == (25, 0, 199)


def test_wrapping_reordered_and_doubled_packets() -> None:
    reports = Reports("name", 48_000)
    order = list(range(65_500, 65_600))
    order[10], order[11] = order[11], order[10]
    for n in [*order, order[-1]]:
        reports.received(packet(n, 960 * n), n * 0.02)
    told = block(reports)
    assert told.packets_lost == -1  # doubled packets count as received (RFC 3550 section 6.4.1)
    assert told.highest_sequence == 65_599


def test_a_jump_is_a_new_start() -> None:
    reports = Reports("name", 48_000)
    reports.received(packet(5), 0)
    reports.received(packet(30_000), 0.02)
    assert (block(reports).packets_lost, block(reports).highest_sequence) == (0, 30_000)
    reports.received(packet(7, ssrc=6), 0.04)
    assert (block(reports).ssrc, block(reports).highest_sequence) == (6, 7)


def test_jitter_is_that_of_the_way() -> None:
    steady, shaken = Reports("name", 48_000), Reports("name", 48_000)
    rng = random.Random(1)
    for n in range(1_000):
        steady.received(packet(n, 960 * n), n * 0.02)
        shaken.received(packet(n, 960 * n), n * 0.02 + rng.choice((0, 0.005)))
    assert block(steady).jitter <= 1
    assert 80 < block(shaken).jitter < 160  # half the steps are 240 ticks, half are none


def test_the_senders_time_is_given_back() -> None:
    reports = Reports("name", 48_000)
    reports.received(packet(1), 10.0)
    sender = RtcpSrPacket(
        ssrc=5,
        sender_info=RtcpSenderInfo(
            ntp_timestamp=0x0123_4567_89AB_CDEF, rtp_timestamp=0, packet_count=1, octet_count=40
        ),
    )
    reports.receive(bytes(RtcpRrPacket(ssrc=5)) + bytes(sender), 10.0)
    told = block(reports, now=10.5)
    assert (told.lsr, told.dlsr) == (0x4567_89AB, 32_768)


def test_garbage_changes_nothing() -> None:
    reports = Reports("name", 48_000)
    reports.received(packet(1), 10.0)
    rng = random.Random(4)
    for _ in range(5_000):
        head = struct.pack("!BBH", 0x80 | rng.randrange(64), rng.choice((200, 200, 201, 203)), rng.randrange(12))
        reports.receive(head + rng.randbytes(rng.randrange(60)), 10.0)
    assert block(reports).ssrc == 5


def test_farewell() -> None:
    reports = Reports("name", 48_000)
    reports.sent(packet(1, ssrc=9), 1.0)
    empty, bye = read(reports.farewell())
    assert isinstance(empty, RtcpRrPacket)
    assert isinstance(bye, RtcpByePacket)
    assert bye.sources == [9]

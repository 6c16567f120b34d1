"""What two parties tell each other: made-up streams, read back by aiortc's RTCP parser as the oracle."""

import contextlib

import pytest
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.reports import Reception, Reports, Sending, Told, interval_s
from voice.wire.rtcp import Report, ReportBlock, SenderInfo, parse_compound

OURS, THEIRS = 9, 5
SENT = Sending(OURS, timestamp=0, packets=100, octets=16_000)


def reception(expected: int, received: int, *, ssrc: int = THEIRS, jitter: float = 0.0) -> Reception:
    return Reception(ssrc, expected, received, 999 + expected, jitter)


def of(compound: bytes | None) -> Report:
    assert compound is not None
    return parse_compound(compound)[0]


def block(compound: bytes | None) -> ReportBlock:
    (only,) = of(compound).blocks
    return only


def reporting() -> Reports:
    """Reports that have begun: the far end can know our SSRC."""
    reports = Reports("name", 8_000)
    reports.report(1.0, SENT, None)
    return reports


def test_nothing_is_reported_of_nothing() -> None:
    reports = Reports("name", 8_000)
    assert reports.report(1.0, None, None) is None
    assert reports.report(1.0, Sending(OURS, 0, 0, 0), None) is None
    assert reports.farewell(None) is None
    assert reports.farewell(Sending(OURS, 0, 0, 0)) is None
    assert reports.told == Told()


def test_a_sender_report_with_a_block_and_a_name() -> None:
    compound = Reports("name", 8_000).report(50.5, Sending(OURS, 777, 10, 400), reception(100, 75, jitter=12.4))
    assert compound is not None
    report, description = RtcpPacket.parse(compound)
    assert isinstance(report, RtcpSrPacket)
    assert report.ssrc == OURS
    assert report.sender_info.packet_count == 10
    assert report.sender_info.octet_count == 400
    assert report.sender_info.ntp_timestamp == round(50.5 * 2**32)
    assert report.sender_info.rtp_timestamp == 777
    (told,) = report.reports
    assert (told.ssrc, told.packets_lost, told.fraction_lost) == (THEIRS, 25, 64)
    assert (told.highest_sequence, told.jitter) == (1_099, 12)
    assert isinstance(description, RtcpSdesPacket)
    assert description.chunks[0].items == [(1, b"name")]


def test_who_hears_and_says_nothing_sends_a_receiver_report() -> None:
    compound = Reports("name", 8_000).report(1.0, Sending(OURS, 0, 0, 0), reception(1, 1))
    assert isinstance(RtcpPacket.parse(compound or b"")[0], RtcpRrPacket)


def test_who_falls_silent_sends_receiver_reports_after_two() -> None:
    reports = Reports("name", 8_000)
    kinds = [of(reports.report(n, SENT, None)).sender is not None for n in range(4)]
    assert kinds == [True, True, False, False]
    assert of(reports.report(5.0, Sending(OURS, 0, 101, 0), None)).sender is not None


def test_loss_is_told_since_the_last_report_and_in_all() -> None:
    reports = Reports("name", 8_000)
    first, second = (block(reports.report(n, SENT, reception(*seen))) for n, seen in enumerate([(100, 75), (200, 175)]))
    assert (first.lost, first.fraction) == (25, 64)
    assert (second.lost, second.fraction) == (25, 0)
    third = block(reports.report(3.0, SENT, reception(200, 180)))
    assert (third.lost, third.fraction) == (20, 0), "late ones came after all"
    other = block(reports.report(4.0, SENT, reception(10, 5, ssrc=6)))
    assert (other.ssrc, other.lost, other.fraction) == (6, 5, 128)
    anew = block(reports.report(5.0, SENT, reception(2, 1, ssrc=6)))
    assert (anew.lost, anew.fraction) == (1, 128)


def test_packets_that_came_twice_are_told() -> None:
    assert block(Reports("name", 8_000).report(1.0, SENT, reception(10, 12))).lost == -2


def test_the_senders_time_is_given_back() -> None:
    reports = Reports("name", 8_000)
    info = SenderInfo(0x0123_4567_89AB_CDEF, 0, 1, 40)
    reports.receive(bytes(Report(THEIRS, info)), 10.0, 100)
    told = block(reports.report(10.5, SENT, reception(1, 1)))
    assert (told.last_report, told.delay) == (0x4567_89AB, 32_768)
    strange = block(reports.report(11.0, SENT, reception(1, 1, ssrc=6)))
    assert (strange.last_report, strange.delay) == (0, 0)


def test_round_trip_loss_and_jitter_of_the_far_end() -> None:
    reports = reporting()
    for trip_s, lost, jitter in ((0.100, 3, 80), (0.200, 7, 160)):
        sent = of(reports.report(60.0, Sending(OURS, 0, 200 + lost, 0), None))
        assert sent.sender is not None
        reply = ReportBlock(OURS, 0, lost, 0, jitter, sent.sender.middle, round(0.5 * 65_536))
        reports.receive(bytes(Report(THEIRS, None, (reply,))), 60.5 + trip_s, 100)
    told = reports.told
    assert told.round_trip_ms == pytest.approx(150, abs=0.1)
    assert (told.far_lost, told.far_expected, told.far_jitter_ms) == (7, 100, 15)


def test_two_parties_agree_on_the_way_between_them() -> None:
    a, b = Reports("a", 8_000), Reports("b", 8_000)
    now = 4_294_960.0  # the middle of NTP wraps on the way
    for n in range(1, 8):
        now += 5
        told = a.report(now, Sending(OURS, 0, n, 0), reception(n, n)) or b""
        b.receive(told, now + 0.030, n)
        now += 2
        told = b.report(now, Sending(THEIRS, 0, n, 0), reception(n, n, ssrc=OURS)) or b""
        a.receive(told, now + 0.050, n)
    assert a.told.round_trip_ms == pytest.approx(80, abs=0.1)
    assert b.told.round_trip_ms == pytest.approx(80, abs=0.1)


@pytest.mark.parametrize(
    "reply",
    [
        ReportBlock(OURS, 0, 0, 0, 0, 0, 0),  # it had no report of ours yet
        ReportBlock(OURS, 0, 0, 0, 0, 40 << 16, 0),  # 20 s
        ReportBlock(OURS, 0, 0, 0, 0, 59 << 16, 30 << 16),  # received before it was sent
    ],
)
def test_a_round_trip_that_cannot_be_is_none(reply: ReportBlock) -> None:
    reports = reporting()
    reports.receive(bytes(Report(THEIRS, None, (reply,))), 60.0, 100)
    assert reports.told.round_trip_ms is None
    assert reports.told.far_lost == 0


def test_what_was_lost_since_the_report_before() -> None:
    reports = reporting()
    about_us, about_another = ReportBlock(OURS, 64, 3, 0, 0, 0, 0), ReportBlock(OURS + 1, 128, 3, 0, 0, 0, 0)
    assert reports.receive(bytes(Report(THEIRS, None, (about_another, about_us))), 60.0, 100) == 0.25
    assert reports.receive(bytes(Report(THEIRS, None, (about_another,))), 61.0, 100) is None
    assert reports.receive(bytes(Report(THEIRS)), 62.0, 100) is None


def test_a_far_end_that_lost_more_than_was_sent() -> None:
    reports = reporting()
    reports.receive(bytes(Report(THEIRS, None, (ReportBlock(OURS, 0, 1 << 22, 0, 0, 0, 0),))), 60.0, 100)
    assert (reports.told.far_lost, reports.told.far_expected) == (100, 100)


def test_a_block_about_somebody_else_tells_nothing() -> None:
    reports = reporting()
    reports.receive(bytes(Report(THEIRS, None, (ReportBlock(OURS + 1, 0, 7, 0, 0, 0, 0),))), 60.0, 100)
    assert reports.told.far_lost is None


def test_farewell() -> None:
    compound = reporting().farewell(SENT)
    assert compound is not None
    assert [type(packet).__name__ for packet in RtcpPacket.parse(compound)] == ["RtcpRrPacket", "RtcpByePacket"]


def test_the_interval_is_that_of_two_parties() -> None:
    """RFC 3550 section 6.3.1: half to one and a half times 5 s, made up for e - 3/2; the first half of it."""
    assert interval_s(0.0, first=False) == pytest.approx(2.052, abs=0.001)
    assert interval_s(1.0, first=False) == pytest.approx(6.156, abs=0.001)
    assert interval_s(0.5, first=True) == pytest.approx(2.052, abs=0.001)


@given(st.binary(max_size=120), st.floats(0, 1e9))
def test_what_a_far_end_says_breaks_nothing(tail: bytes, now: float) -> None:
    """A report that looks right, of any content."""
    reports = reporting()
    head = bytes([0x81, 200, 0, 12]) + THEIRS.to_bytes(4, "big")
    body = (tail + bytes(44))[:20] + OURS.to_bytes(4, "big") + (tail + bytes(44))[20:40]
    with contextlib.suppress(ProtocolError):
        reports.receive(head + body + tail[40:], now, 100)
    told = reports.told
    assert told.far_lost is None or 0 <= told.far_lost <= told.far_expected
    assert told.round_trip_ms is None or 0 <= told.round_trip_ms <= 10_000
    assert reports.report(now, SENT, reception(1, 1)) is not None

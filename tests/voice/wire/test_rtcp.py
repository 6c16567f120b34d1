"""RTCP packets, read back by aiortc's parser as the oracle; and garbage."""

import pytest
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.rtcp import MAX_COMPOUND, Bye, Description, Report, ReportBlock, SenderInfo, parse_compound

WORDS = st.integers(0, 0xFFFF_FFFF)
BLOCKS = st.builds(
    ReportBlock, WORDS, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1), WORDS, WORDS, WORDS, WORDS
)
SENDERS = st.builds(SenderInfo, st.integers(0, (1 << 64) - 1), WORDS, WORDS, WORDS)
REPORTS = st.builds(Report, WORDS, st.none() | SENDERS, st.lists(BLOCKS, max_size=31).map(tuple))
EMPTY = bytes([0x80, 201, 0, 1]) + bytes(4)


@given(REPORTS)
def test_reports_are_read_as_they_were_written(report: Report) -> None:
    assert parse_compound(bytes(report) + bytes(Description(report.ssrc, "a name")) + bytes(Bye(report.ssrc))) == [
        report
    ]


@given(REPORTS)
def test_others_read_the_same(report: Report) -> None:
    (read,) = RtcpPacket.parse(bytes(report))
    assert isinstance(read, RtcpRrPacket if report.sender is None else RtcpSrPacket)
    assert read.ssrc == report.ssrc
    assert [(b.ssrc, b.packets_lost, b.lsr, b.dlsr) for b in read.reports] == [
        (b.ssrc, b.lost, b.last_report, b.delay) for b in report.blocks
    ]
    if isinstance(read, RtcpSrPacket) and report.sender is not None:
        assert read.sender_info.ntp_timestamp == report.sender.ntp
        assert read.sender_info.octet_count == report.sender.octets


@pytest.mark.parametrize("cname", ["", "abc", "abcd", "abcdef", "0123456789abcdef", "x" * 300])
def test_a_name_and_a_goodbye(cname: str) -> None:
    description, bye = RtcpPacket.parse(bytes(Description(9, cname)) + bytes(Bye(9)))
    assert isinstance(description, RtcpSdesPacket)
    (chunk,) = description.chunks
    assert (chunk.ssrc, chunk.items) == (9, [(1, cname.encode()[:255])])
    assert isinstance(bye, RtcpByePacket)
    assert bye.sources == [9]


def test_more_was_lost_than_fits() -> None:
    (report,) = parse_compound(bytes(Report(1, None, (ReportBlock(2, 0, 1 << 30, 0, 0, 0, 0),))))
    assert report.blocks[0].lost == (1 << 23) - 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no octets"),
        (b"\x80\xc9\x00", "within a packet"),
        (bytes([0x00, 201, 0, 1]) + bytes(4), "another version"),
        (bytes([0x80, 201, 0, 2]) + bytes(4), "longer than its datagram"),
        (bytes([0x80, 203, 0, 1]) + bytes(4), "begin with a report"),
        (bytes([0xA0, 201, 0, 1]) + bytes(4), "begin with a report"),
        (bytes([0x81, 201, 0, 1]) + bytes(4), "shorter than its blocks"),
        (bytes([0x80, 200, 0, 1]) + bytes(4), "shorter than its blocks"),
        (bytes([0x80, 201, 0, 0]), "shorter than its blocks"),
        (EMPTY + bytes([0x80, 203]), "within a packet"),
        (EMPTY + bytes([0x40, 203, 0, 0]), "another version"),
        (EMPTY * (MAX_COMPOUND // 8 + 1), "octets"),
    ],
)
def test_what_is_no_compound_packet_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        parse_compound(data)


def test_what_is_not_for_us_is_stepped_over() -> None:
    extended = bytes([0x80, 207, 0, 3]) + bytes(12)
    nobody_leaves = bytes([0x80, 203, 0, 0])
    assert parse_compound(EMPTY + extended + nobody_leaves + EMPTY) == [Report(0), Report(0)]


@given(
    st.binary(max_size=200)
    | st.lists(st.binary(min_size=4, max_size=60), max_size=4).map(lambda p: EMPTY + b"".join(p))
)
def test_garbage_is_refused_or_read(data: bytes) -> None:
    try:
        reports = parse_compound(data)
    except ProtocolError:
        return
    assert len(b"".join(map(bytes, reports))) <= len(data)

"""RTP packets: round trips, bounds, and anything at all as input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.rtp import HeaderExtension, RtpPacket, is_rtcp, sequence_step, timestamp_step

words = st.integers(0, 0xFFFF_FFFF)
extensions = st.builds(
    lambda profile, count, fill: HeaderExtension(profile, bytes([fill]) * 4 * count),
    st.integers(0, 0xFFFF),
    st.integers(0, 6),
    st.integers(0, 255),
)
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=words,
    ssrc=words,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrc=st.lists(words, max_size=15).map(tuple),
    extension=st.none() | extensions,
)


def test_fixed_header_stands_on_the_wire_as_rfc_3550_draws_it() -> None:
    packet = RtpPacket(0, 0x1234, 0x01020304, 0xAABBCCDD, b"\xff\x7f", marker=True)
    assert bytes(packet).hex() == "8080" + "1234" + "01020304" + "aabbccdd" + "ff7f"


@given(packets)
def test_round_trip(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(packets, st.integers(1, 255))
def test_padding_is_taken_off(packet: RtpPacket, count: int) -> None:
    data = bytearray(bytes(packet) + bytes(count - 1) + bytes([count]))
    data[0] |= 0x20
    assert RtpPacket.parse(bytes(data)) == packet


@given(st.binary(max_size=64))
def test_anything_is_a_packet_or_a_protocol_error(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except ProtocolError:
        return
    assert RtpPacket.parse(bytes(packet)) == packet


@given(packets, st.data())
def test_a_broken_packet_is_a_packet_or_a_protocol_error(packet: RtpPacket, data: st.DataObject) -> None:
    octets = bytearray(bytes(packet))
    octets[data.draw(st.integers(0, min(len(octets), 40) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    try:
        RtpPacket.parse(cut)
    except ProtocolError as error:
        assert error.code == "peer.protocol"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 octets"),
        (bytes(11), "11 octets"),
        (bytes([0x80]) + bytes(2048), "2049 octets"),
        (bytes([0x40]) + bytes(11), "version 1"),
        (bytes([0x8F]) + bytes(11), "contributing sources"),
        (bytes([0x90]) + bytes(11), "header extension"),
        (bytes([0x90]) + bytes(11) + b"\0\0\0\1", "header extension"),
        (bytes([0xA0]) + bytes(11), "padding of no octets"),
        (bytes([0xA0]) + bytes(11) + b"\2", "padding longer"),
    ],
)
def test_each_fault_has_its_words(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        RtpPacket.parse(data)


def test_str_names_what_matters_and_no_payload() -> None:
    packet = RtpPacket(101, 7, 160, 0xBEEF, b"\x05\x0a\x00\xa0", marker=True)
    assert str(packet) == "RTP ssrc=0000beef pt=101 seq=7 ts=160 marker 4 octets"


def test_rtcp_is_told_from_rtp() -> None:
    assert is_rtcp(bytes([0x80, 200]) + bytes(26))
    assert not is_rtcp(bytes([0x80, 0]) + bytes(26))
    assert not is_rtcp(bytes([0x00, 200]) + bytes(26))


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_sequence_steps_wrap(before: int, step: int) -> None:
    assert sequence_step(before, (before + step) & 0xFFFF) == step


@given(words, st.integers(-0x8000_0000, 0x7FFF_FFFF))
def test_timestamp_steps_wrap(before: int, step: int) -> None:
    assert timestamp_step(before, (before + step) & 0xFFFF_FFFF) == step

"""What the engine takes for the payload of a packet, against `RtpPacket.parse`."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.media.engine.inbound import payload_end, payload_start
from voice.wire.rtp import HeaderExtension, RtpPacket

words = st.binary(max_size=5).map(lambda octets: octets * 4)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Packets with all that RFC 3550 allows, and some that are cut or damaged."""
    profile = draw(st.integers(0, 0xFFFF))
    packet = RtpPacket(
        draw(st.integers(0, 127)),
        draw(st.integers(0, 0xFFFF)),
        draw(st.integers(0, 0xFFFF_FFFF)),
        draw(st.integers(0, 0xFFFF_FFFF)),
        draw(st.binary(max_size=40)),
        draw(st.booleans()),
        tuple(draw(st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15))),
        draw(st.none() | words.map(lambda data: HeaderExtension(profile, data))),
    )
    data = bytearray(bytes(packet))
    if draw(st.booleans()):
        count = draw(st.integers(1, 255))
        data[0] |= 0x20
        data += bytes(count - 1) + bytes([draw(st.just(count) | st.integers(0, 255))])
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


def payload(data: bytes) -> bytes | None:
    """By the engine; None for what is no RTP."""
    room = np.frombuffer(data.ljust(2_048, b"\x55"), np.uint8).copy()  # what stood there before must not count
    start = payload_start(room, len(data))
    end = payload_end(room, len(data)) if start >= 0 else -1
    return None if start < 0 or end < start else data[start:end]


@settings(max_examples=1_000, deadline=None)
@given(packets() | st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\x80" + tail))
@example(b"\xb0" + bytes(11) + b"\xbe\xde\x00\x01" + b"\x00\x00\x00\x04")  # a padding that is the extension
@example(b"\x90" + bytes(11) + b"\xbe\xde\xff\xff")  # an extension longer than any packet
@example(b"\xa0" + bytes(11))  # padded by nothing
@example(b"\xa0" + bytes(10) + b"\x0d")  # and by more than there is
def test_the_engine_reads_packets_as_the_parser_does(data: bytes) -> None:
    try:
        expected = RtpPacket.parse(data).payload
    except ProtocolError:
        expected = None
    assert payload(data) == expected


def test_each_part_of_a_header_is_stepped_over() -> None:
    whole = RtpPacket(0, 1, 2, 3, b"sound", csrc=(7, 8), extension=HeaderExtension(0xBEDE, bytes(12)))
    assert payload(bytes(whole)) == b"sound"
    padded = bytearray(bytes(whole) + b"\0\0\3")
    padded[0] |= 0x20
    assert payload(bytes(padded)) == b"sound"

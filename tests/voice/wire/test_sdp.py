"""Session descriptions: read, made, negotiated, and fed with rubbish."""

import random
import time

import pytest

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.negotiation import Negotiated, answer, make_offer, read_answer
from voice.wire.sdp import MAX_BYTES, Codec, Direction, Session, parse_sdp

SOFTPHONE = b"""v=0\r
o=alice 53655765 2353687637 IN IP4 192.0.2.7\r
s=call\r
i=about\r
c=IN IP4 192.0.2.7\r
b=AS:64\r
t=0 0\r
a=sendrecv\r
m=audio 40000 RTP/AVP 9 8 0 96 101 97\r
a=rtpmap:9 G722/8000\r
a=rtpmap:96 opus/48000/2\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=rtpmap:97 telephone-event/48000\r
a=ptime:30\r
a=rtcp:40005 IN IP4 192.0.2.7\r
m=video 40002 RTP/AVP 34\r
"""


def take(offer: bytes) -> Negotiated:
    return answer(parse_sdp(offer), "192.0.2.1", 20_000, 77, 1)


def audio(*lines: str, media: str = "m=audio 40000 RTP/AVP 0", connection: str = "c=IN IP4 192.0.2.7") -> bytes:
    """A small offer."""
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", connection, "t=0 0", media, *lines, ""]).encode()


def test_an_offer_is_answered() -> None:
    agreed = take(SOFTPHONE)
    assert agreed.answer_bytes.decode().split("\r\n") == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 8 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "m=video 0 RTP/AVP 34",
        "",
    ]
    assert (agreed.codec, agreed.payload_type, agreed.event_payload_type) == (Codec.PCMA, 8, 101)
    assert (agreed.remote_addr, agreed.remote_port, agreed.remote_rtcp_port) == ("192.0.2.7", 40000, 40005)
    assert (agreed.direction, agreed.ptime_ms) == (Direction.SENDRECV, 30)


def test_what_is_made_is_read_again() -> None:
    """Round trip of the value types."""
    for text in (
        SOFTPHONE,
        make_offer("192.0.2.1", 20_000, 1, 2),
        make_offer("2001:db8::1", 4, 1, 2),
        take(SOFTPHONE).answer_bytes,
    ):
        session = parse_sdp(text)
        assert parse_sdp(bytes(session)) == session
    assert parse_sdp(SOFTPHONE).media[0].formats == ("9", "8", "0", "96", "101", "97")
    assert str(parse_sdp(SOFTPHONE).origin) == "o=alice 53655765 2353687637 IN IP4 192.0.2.7"


def test_our_offer_and_its_answer() -> None:
    offer = make_offer("192.0.2.1", 20_000, 7, 3)
    session = parse_sdp(offer)
    assert (session.origin.session_id, session.origin.version) == (7, 3)
    assert session.media[0].formats == ("0", "8", "101")
    theirs = answer(session, "192.0.2.7", 40_000, 9, 1)
    ours = read_answer(parse_sdp(theirs.answer_bytes))
    assert (ours.codec, ours.payload_type, ours.event_payload_type) == (Codec.PCMU, 0, 101)
    assert (ours.remote_addr, ours.remote_port, ours.answer_bytes) == ("192.0.2.7", 40_000, b"")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (Direction.SENDRECV, Direction.SENDRECV),
        (Direction.SENDONLY, Direction.RECVONLY),
        (Direction.RECVONLY, Direction.SENDONLY),
        (Direction.INACTIVE, Direction.INACTIVE),
    ],
)
def test_hold_and_its_end(theirs: Direction, ours: Direction) -> None:
    """RFC 3264 section 8.4: the answer mirrors the offer."""
    agreed = take(make_offer("192.0.2.7", 40_000, 1, 2, direction=theirs))
    assert agreed.direction is ours
    assert f"a={ours}\r\n".encode() in agreed.answer_bytes
    assert read_answer(parse_sdp(agreed.answer_bytes)).direction is theirs
    assert ours.sends == theirs.receives
    assert ours.receives == theirs.sends


def test_hold_as_it_was() -> None:
    """RFC 2543 put a call on hold by the address 0.0.0.0."""
    agreed = take(audio(connection="c=IN IP4 0.0.0.0"))
    assert agreed.direction is Direction.RECVONLY
    assert not agreed.direction.sends


def test_a_direction_for_the_whole_session() -> None:
    assert take(audio().replace(b"m=audio", b"a=sendonly\r\nm=audio")).direction is Direction.RECVONLY
    assert take(audio("a=inactive").replace(b"m=audio", b"a=sendonly\r\nm=audio")).direction is Direction.INACTIVE


def test_the_media_address_wins_over_the_sessions() -> None:
    assert take(audio("c=IN IP4 198.51.100.9")).remote_addr == "198.51.100.9"
    assert take(audio(connection="c=IN IP6 2001:DB8::7")).remote_addr == "2001:db8::7"


def test_only_the_first_fitting_stream_is_taken() -> None:
    second = "m=audio 41000 RTP/AVP 8"
    agreed = take(audio(second, media="m=audio 40000 RTP/SAVP 0"))
    assert agreed.remote_port == 41000
    assert b"m=audio 0 RTP/SAVP 0\r\nm=audio 20000 RTP/AVP 8\r\n" in agreed.answer_bytes
    agreed = take(audio(second))
    assert b"m=audio 20000 RTP/AVP 0\r\n" in agreed.answer_bytes
    assert b"m=audio 0 RTP/AVP 8\r\n" in agreed.answer_bytes


def test_codecs_by_name() -> None:
    agreed = take(audio("a=rtpmap:96 pcmu/8000/1", "a=rtpmap:97 Telephone-Event/8000", media="m=audio 4 RTP/AVP 96 97"))
    assert (agreed.codec, agreed.payload_type, agreed.event_payload_type) == (Codec.PCMU, 96, 97)
    assert take(audio()).event_payload_type is None
    assert b"telephone-event" not in take(audio()).answer_bytes


@pytest.mark.parametrize(
    "offer",
    [
        audio(media="m=audio 40000 RTP/AVP 9 18"),
        audio(media="m=audio 0 RTP/AVP 0"),
        audio(media="m=video 40000 RTP/AVP 0"),
        audio(media="m=audio 9 UDP/TLS/RTP/SAVPF 0"),
        audio("a=rtpmap:0 PCMU/16000"),
        audio("a=rtpmap:0 PCMU/8000/2"),
        audio("a=rtpmap:0 other/8000"),
        audio(media="a=tool:none"),
    ],
)
def test_nothing_in_common(offer: bytes) -> None:
    with pytest.raises(NoCommonCodec) as caught:
        take(offer)
    assert caught.value.sip_status == 488


def test_a_refused_offer() -> None:
    with pytest.raises(NoCommonCodec):
        read_answer(parse_sdp(audio(media="m=audio 0 RTP/AVP 0")))
    with pytest.raises(NoCommonCodec):
        read_answer(parse_sdp(audio(media="a=tool:none")))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20", 20), ("60", 60), ("5", 20), ("900", 20), ("x", 20), ("-20", 20), ("1e1", 20), ("", 20)],
)
def test_packet_times(value: str, expected: int) -> None:
    assert take(audio(f"a=ptime:{value}")).ptime_ms == expected


def test_control_ports() -> None:
    assert take(audio()).remote_rtcp_port == 40001
    assert take(audio()).remote_rtcp_addr == take(audio()).remote_addr
    elsewhere = take(audio("a=rtcp:5 IN IP4 192.0.2.99"))
    assert (elsewhere.remote_rtcp_addr, elsewhere.remote_rtcp_port) == ("192.0.2.99", 5)
    assert take(audio("a=rtcp:5 IN IP4 example.org")).remote_rtcp_port == 0
    assert take(audio("a=rtcp:5 IN IP4 224.0.0.1")).remote_rtcp_port == 0
    assert take(audio("a=rtcp:5 and more")).remote_rtcp_port == 40001
    assert take(audio("a=rtcp:5")).remote_rtcp_port == 5
    assert take(audio("a=rtcp:99999")).remote_rtcp_port == 0
    assert take(audio(media="m=audio 65535 RTP/AVP 0")).remote_rtcp_port == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"v=1\r\n",
        b"v=0\r\n",
        b"\xff\xfe",
        b"v=0\r\n" + b"a=x\r\n" * 600,
        b"v=0\r\n" + b" " * MAX_BYTES,
        audio("a=" + "x" * 2000),
        audio("a=x\x00"),
        audio("nonsense"),
        audio("A=x"),
        audio("c=IN IP4"),
        audio("c=IN IP5 1.2.3.4"),
        audio("o=again").replace(b"o=- 1 1 IN IP4 192.0.2.7", b"o=- x 1 IN IP4 192.0.2.7"),
        audio().replace(b"o=- 1 1 IN IP4 192.0.2.7\r\n", b""),
        audio(media="m=audio 70000 RTP/AVP 0"),
        audio(media="m=audio -1 RTP/AVP 0"),
        audio(media="m=audio 1 RTP/AVP"),
        audio(media="m=audio 1 RTP/AVP 128"),
        audio(media="m=audio 1 RTP/AVP x"),
        audio(media="m=audio 1 RTP/AVP" + " 1" * 65),
        audio(*["m=audio 1 RTP/AVP 0"] * 16),
    ],
)
def test_descriptions_that_are_none(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_sdp(data)


@pytest.mark.parametrize("host", ["pbx.example.com", "224.2.1.1/127", "1.2.3", "2001:db8::zz"])
def test_addresses_that_cannot_be_used(host: str) -> None:
    with pytest.raises(ProtocolError):
        take(audio(connection=f"c=IN IP4 {host}"))
    with pytest.raises(ProtocolError):
        take(audio().replace(b"c=IN IP4 192.0.2.7\r\n", b""))


def test_rubbish_raises_nothing_else() -> None:
    """3,000 mutated descriptions: read or refused, quickly, and what is answered can be read."""
    chance = random.Random(8866)
    read = agreed = 0
    for _ in range(3000):
        data = bytearray(chance.choice((SOFTPHONE, make_offer("192.0.2.1", 20_000, 1, 2))))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[at] = chance.choice(b"\r\n =:/0123456789amcovxyz\x00\xff")
            else:
                data[at : at + chance.randint(0, 12)] = data[at : at + chance.randint(0, 30)] * chance.randint(0, 3)
            data = data or bytearray(b"v")
        start = time.thread_time()
        try:
            session = parse_sdp(bytes(data))
            read += 1
            assert parse_sdp(bytes(session)) == session
            agreed += isinstance(parse_sdp(take(bytes(data)).answer_bytes), Session)
        except (ProtocolError, NoCommonCodec):
            pass
        assert time.thread_time() - start < 0.05
    assert read > 500
    assert agreed > 200


@pytest.mark.parametrize(
    "filler", ["a=rtpmap:0 ", "a=", "m=audio 1 RTP/AVP 0 ", "c=IN IP4 1", "o=", "\n", " ", "m=", "0"]
)
def test_no_line_takes_more_than_linear_time(filler: str) -> None:
    for line in (filler * 900, (filler * 1000)[:1000], "a=rtpmap:" + filler * 90, "m=audio 1 RTP/AVP" + " 1" * 400):
        start = time.thread_time()
        with pytest.raises((ProtocolError, NoCommonCodec)):
            take(audio(line, media="m=audio 1 RTP/AVP 9"))
        assert time.thread_time() - start < 0.05

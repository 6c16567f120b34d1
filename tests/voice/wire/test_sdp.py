"""Session descriptions: read, made, and fed with rubbish."""

import random
import time

import pytest

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.negotiation import NO_KEYS, Negotiated, answer, make_offer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import MAX_BYTES, Session, parse_sdp

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


SDES = Sdes(Srtp.ALLOWED, bytes(range(SECRET_OCTETS)))
ENCRYPTED = make_offer("192.0.2.7", 40_000, 1, 1, sdes=Sdes(Srtp.DEMANDED, bytes(SECRET_OCTETS)))


def take(offer: bytes, sdes: Sdes = NO_KEYS) -> Negotiated:
    return answer(parse_sdp(offer), "192.0.2.1", 20_000, 77, 1, sdes)


def audio(*lines: str, media: str = "m=audio 40000 RTP/AVP 0", connection: str = "c=IN IP4 192.0.2.7") -> bytes:
    """A small offer."""
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", connection, "t=0 0", media, *lines, ""]).encode()


def test_what_is_made_is_read_again() -> None:
    """Round trip of the value types."""
    for text in (
        SOFTPHONE,
        make_offer("192.0.2.1", 20_000, 1, 2),
        make_offer("2001:db8::1", 4, 1, 2),
        take(SOFTPHONE).answer_bytes,
        ENCRYPTED,
        take(ENCRYPTED, SDES).answer_bytes,
    ):
        session = parse_sdp(text)
        assert parse_sdp(bytes(session)) == session
    assert parse_sdp(SOFTPHONE).media[0].formats == ("9", "8", "0", "96", "101", "97")
    assert str(parse_sdp(SOFTPHONE).origin) == "o=alice 53655765 2353687637 IN IP4 192.0.2.7"


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
        audio(*["m=audio 1 RTP/AVP 0"] * 8),
    ],
)
def test_descriptions_that_are_none(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_sdp(data)


def test_rubbish_raises_nothing_else() -> None:
    """3,000 mutated descriptions: read or refused, quickly, and what is answered can be read."""
    chance = random.Random(8866)
    read = agreed = 0
    for _ in range(3000):
        data = bytearray(chance.choice((SOFTPHONE, make_offer("192.0.2.1", 20_000, 1, 2), ENCRYPTED)))
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
            agreed += isinstance(parse_sdp(take(bytes(data), SDES).answer_bytes), Session)
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

"""Offer and answer: what two descriptions come to."""

import pytest

from dialog.errors import NoCommonCodec, NotEncrypted, ProtocolError
from tests.voice.wire.test_sdp import ENCRYPTED, SDES, SOFTPHONE, audio, take
from voice.wire.negotiation import answer, make_offer, read_answer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import Codec, Direction, parse_sdp


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


def test_our_offer_and_its_answer() -> None:
    offer = make_offer("192.0.2.1", 20_000, 7, 3)
    session = parse_sdp(offer)
    assert (session.origin.session_id, session.origin.version) == (7, 3)
    assert session.media[0].formats == ("0", "8", "101")
    theirs = answer(session, "192.0.2.7", 40_000, 9, 1)
    ours = read_answer(parse_sdp(theirs.answer_bytes))
    assert (ours.codec, ours.payload_type, ours.event_payload_type) == (Codec.PCMU, 0, 101)
    assert (ours.remote_addr, ours.remote_port, ours.answer_bytes) == ("192.0.2.7", 40_000, b"")


def test_keys_as_events_may_be_out_of_the_question() -> None:
    offer = make_offer("192.0.2.1", 20_000, 7, 3, events=False)
    assert b"telephone-event" not in offer
    assert parse_sdp(offer).media[0].formats == ("0", "8")
    agreed = answer(parse_sdp(make_offer("192.0.2.1", 20_000, 7, 3)), "192.0.2.7", 40_000, 9, 1, events=False)
    assert agreed.event_payload_type is None
    assert b"telephone-event" not in agreed.answer_bytes
    presumptuous = answer(parse_sdp(make_offer("192.0.2.1", 20_000, 7, 3)), "192.0.2.7", 40_000, 9, 1).answer_bytes
    assert read_answer(parse_sdp(presumptuous), events=False).event_payload_type is None


def test_comfort_noise_is_agreed_on_where_both_want_it() -> None:
    offer = make_offer("192.0.2.1", 20_000, 7, 3, noise=True)
    assert parse_sdp(offer).media[0].formats == ("0", "8", "13", "101")
    assert b"a=rtpmap:13 CN/8000\r\n" in offer
    theirs = answer(parse_sdp(offer), "192.0.2.7", 40_000, 9, 1, noise=True)
    assert theirs.noise_payload_type == 13
    assert parse_sdp(theirs.answer_bytes).media[0].formats == ("0", "13", "101")
    assert read_answer(parse_sdp(theirs.answer_bytes), noise=True).noise_payload_type == 13
    assert read_answer(parse_sdp(theirs.answer_bytes)).noise_payload_type is None
    unwilling = answer(parse_sdp(offer), "192.0.2.7", 40_000, 9, 1)
    assert unwilling.noise_payload_type is None
    assert b"CN/8000" not in unwilling.answer_bytes
    assert read_answer(parse_sdp(unwilling.answer_bytes), noise=True).noise_payload_type is None


@pytest.mark.parametrize(
    ("formats", "mapped", "agreed"),
    [
        ("0 13", "", 13),
        ("9 13", "", 13),
        ("0 13", "a=rtpmap:13 CN/8000\r\n", 13),
        ("0 13", "a=rtpmap:13 CN/16000\r\n", None),
        ("0 13", "a=rtpmap:13 telephone-event/8000\r\n", None),
        ("0 98", "a=rtpmap:98 CN/8000\r\n", None),
        ("96 13", "a=rtpmap:96 opus/48000/2\r\n", None),
        ("0", "a=rtpmap:13 CN/8000\r\n", None),
    ],
)
def test_comfort_noise_is_what_rfc_3389_calls_so_beside_a_format_of_its_clock(
    formats: str, mapped: str, agreed: int | None
) -> None:
    session = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    offer = f"{session}m=audio 40000 RTP/AVP {formats}\r\n{mapped}"
    found = answer(parse_sdp(offer.encode()), "192.0.2.1", 20_000, 7, 1, codecs=tuple(Codec), noise=True)
    assert found.noise_payload_type == agreed
    assert (b"CN/8000" in found.answer_bytes) == (agreed is not None)


def test_an_offer_of_opus_alone_has_no_comfort_noise() -> None:
    assert b"CN" not in make_offer("192.0.2.1", 20_000, 7, 3, codecs=(Codec.OPUS,), noise=True)


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


@pytest.mark.parametrize(
    ("ours", "theirs", "taken"),
    [
        ("G722 PCMU PCMA", "0 8 9", Codec.G722),
        ("PCMU PCMA G722", "9 8 0", Codec.PCMA),
        ("PCMA G722 PCMU", "0 9", Codec.PCMU),
        ("G722 PCMU PCMA", "8 0", Codec.PCMA),
        ("PCMU", "9 8 0", Codec.PCMU),
        ("G722", "9", Codec.G722),
        ("opus PCMU", "0 111", Codec.OPUS),
        ("PCMU opus", "111 0", Codec.PCMU),
    ],
)
def test_our_order_counts_but_not_between_the_laws(ours: str, theirs: str, taken: Codec) -> None:
    offer = parse_sdp(audio("a=rtpmap:111 opus/48000/2", media=f"m=audio 40000 RTP/AVP {theirs}"))
    agreed = answer(offer, "192.0.2.1", 20_000, 77, 1, codecs=tuple(map(Codec, ours.split())))
    assert agreed.codec is taken
    described = parse_sdp(agreed.answer_bytes)
    assert read_answer(described, codecs=(taken,)).codec is taken
    assert described.media[0].formats == (str(agreed.payload_type),)
    other = tuple(codec for codec in Codec if codec is not taken)
    with pytest.raises(NoCommonCodec):
        read_answer(described, codecs=other)


def test_keys_have_the_clock_of_the_sound() -> None:
    """RFC 4733 section 2.1: events of another clock would have other timestamps."""
    offer = parse_sdp(make_offer("192.0.2.7", 40_000, 1, 1, codecs=tuple(Codec)))
    assert offer.media[0].formats == ("96", "9", "0", "8", "101", "102")
    for codec, event in ((Codec.OPUS, 102), (Codec.G722, 101), (Codec.PCMA, 101)):
        agreed = answer(offer, "192.0.2.1", 20_000, 77, 1, codecs=(codec,))
        assert agreed.event_payload_type == event
        described = agreed.answer_bytes.decode()
        assert f"a=rtpmap:{event} telephone-event/{codec.clock_hz}\r\n" in described
        assert f"a=rtpmap:{agreed.payload_type} {codec.encoding}\r\n" in described
        assert ("useinbandfec=1" in described) == (codec is Codec.OPUS)
    for rtpmap in ("opus/48000", "opus/48000/1", "opus/8000/2"):
        with pytest.raises(NoCommonCodec):
            answer(
                parse_sdp(audio(f"a=rtpmap:96 {rtpmap}", media="m=audio 4 RTP/AVP 96")),
                "192.0.2.1",
                20_000,
                77,
                1,
                codecs=tuple(Codec),
            )


def test_no_payload_type_looks_like_rtcp() -> None:
    """RFC 5761 section 4: 64 to 95, with the marker set, are RTCP's numbers on a shared port."""
    mapped = [f"a=rtpmap:{number} PCMA/8000" for number in (72, 95, 96)]
    assert take(audio(*mapped, media="m=audio 40000 RTP/AVP 72 95 96")).payload_type == 96


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
    [
        ("20", 20),
        ("60", 60),
        ("10", 10),
        ("15", 10),
        ("50", 40),
        ("200", 60),
        ("5", 20),
        ("900", 20),
        ("x", 20),
        ("-20", 20),
        ("1e1", 20),
        ("", 20),
    ],
)
def test_packet_times(value: str, expected: int) -> None:
    assert take(audio(f"a=ptime:{value}")).ptime_ms == expected


def test_no_packet_is_longer_than_the_far_end_can_take() -> None:
    assert take(audio("a=ptime:60", "a=maxptime:30")).ptime_ms == 30
    assert take(audio("a=ptime:20", "a=maxptime:150")).ptime_ms == 20
    assert take(audio("a=maxptime:10")).ptime_ms == 10


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


@pytest.mark.parametrize("host", ["pbx.example.com", "224.2.1.1/127", "1.2.3", "2001:db8::zz"])
def test_addresses_that_cannot_be_used(host: str) -> None:
    with pytest.raises(ProtocolError):
        take(audio(connection=f"c=IN IP4 {host}"))
    with pytest.raises(ProtocolError):
        take(audio().replace(b"c=IN IP4 192.0.2.7\r\n", b""))


def test_an_encrypted_offer_is_answered_under_its_tag() -> None:
    agreed = take(ENCRYPTED, SDES)
    (audio_stream,) = parse_sdp(agreed.answer_bytes).media
    assert audio_stream.protocol == "RTP/SAVP"
    assert audio_stream.value("crypto") == str(agreed.keys and agreed.keys.ours)
    assert (audio_stream.value("crypto") or "").startswith("1 AEAD_AES_256_GCM inline:")
    with pytest.raises(NoCommonCodec):
        take(ENCRYPTED)
    with pytest.raises(NoCommonCodec):
        read_answer(parse_sdp(agreed.answer_bytes))


def test_of_two_streams_the_encrypted_one_is_taken_where_it_must_be() -> None:
    both = audio(ENCRYPTED.decode().partition("t=0 0\r\n")[2].rstrip())
    assert take(both, SDES).keys is None
    agreed = take(both, Sdes(Srtp.DEMANDED, SDES.secret))
    assert agreed.keys is not None
    assert b"m=audio 0 RTP/AVP 0\r\nm=audio 20000 RTP/SAVP 0 101\r\n" in agreed.answer_bytes
    with pytest.raises(NotEncrypted) as caught:
        take(audio(), Sdes(Srtp.DEMANDED, bytes(SECRET_OCTETS)))
    assert caught.value.sip_status == 488

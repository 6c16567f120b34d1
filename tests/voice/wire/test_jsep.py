"""Offers of browsers: what is taken, what is refused and how, and that no text makes anything but a PeerError."""

import random

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialog.errors import NoCommonCodec, PeerError, ProtocolError
from voice.wire.jsep import Fingerprint, IceCandidate, Identity, Offer

DIGEST = "sha-256 " + ":".join(["AB"] * 32)

CHROMIUM = "\r\n".join(
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS 8f6e",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2113937151 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 50000 typ host generation 0",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        "a=ice-options:trickle",
        f"a=fingerprint:{DIGEST}",
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=sendrecv",
        "a=msid:8f6e 2a3b",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=ssrc:3191426219 cname:5l9f",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        f"a=fingerprint:{DIGEST}",
        "a=setup:actpass",
        "a=mid:1",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]
)

OURS = Identity(
    user="0123456789abcdef",
    password="x" * 22,
    fingerprints=(Fingerprint.parse(DIGEST),),
    candidates=(IceCandidate("c1", 2_130_706_431, "127.0.0.1", 40_000),),
)


def test_a_chromium_offer() -> None:
    offer = Offer.parse(CHROMIUM)
    assert (offer.codec, offer.payload_type, offer.event_payload_type) == ("opus", 111, 110)
    assert offer.remote == Identity("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1", (Fingerprint.parse(DIGEST),))
    assert (offer.sctp_port, offer.max_message_size) == (5000, 262_144)


def test_the_answer_reads_back_in_another_parser() -> None:
    answer = Offer.parse(CHROMIUM).answer(OURS, session_id=7)
    assert "\n" not in answer.replace("\r\n", "")
    read = SessionDescription.parse(answer)
    assert [(m.kind, m.rtp.muxId) for m in read.media] == [("audio", "0"), ("application", "1")]
    assert [(g.semantic, g.items) for g in read.group] == [("BUNDLE", ["0", "1"])]
    audio, channel = read.media
    assert [(c.mimeType, c.clockRate, c.payloadType) for c in audio.rtp.codecs] == [
        ("audio/opus", 48_000, 111),
        ("audio/telephone-event", 48_000, 110),
    ]
    assert audio.rtp.codecs[0].parameters == {
        "minptime": 20,
        "useinbandfec": 1,
        "stereo": 0,
        "sprop-stereo": "0",
        "maxplaybackrate": 16_000,
        "sprop-maxcapturerate": "16000",
    }
    assert "rtcp-fb" not in answer
    assert "rtcp-rsize" not in answer
    assert audio.direction == "sendrecv"
    assert audio.rtcp_mux
    assert channel.sctp_port == 5000
    for media in read.media:
        assert media.dtls is not None and media.ice is not None
        assert media.dtls.role == "client"
        assert (media.ice.usernameFragment, media.ice.password) == (OURS.user, OURS.password)
        assert [(c.ip, c.port, c.type) for c in media.ice_candidates] == [("127.0.0.1", 40_000, "host")]
        assert media.ice_candidates_complete


@pytest.mark.parametrize(
    ("way", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_a_browser_holds_and_resumes(way: str, ours: str) -> None:
    first = Offer.parse(CHROMIUM)
    again = first.renewed(CHROMIUM.replace("a=sendrecv", f"a={way}"))
    answer = again.answer(OURS, session_id=7, version=2)
    assert answer == first.answer(OURS, session_id=7).replace(" 7 1 ", " 7 2 ").replace("a=sendrecv", f"a={ours}")
    assert again.renewed(CHROMIUM) == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:EsAx"),
        ("a=ice-pwd:P", "a=ice-pwd:Q"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
        ("111 63 9 0 8 13 110 126", "0 8 13 110 126"),
        ("111 63 9 0 8 13 110 126", "111 63 9 0 8 13"),
    ],
)
def test_another_connection_or_format_is_no_renewal(old: str, new: str) -> None:
    with pytest.raises(NoCommonCodec):
        Offer.parse(CHROMIUM).renewed(CHROMIUM.replace(old, new))


RELAYED = "a=candidate:7 1 udp 8331263 203.0.113.7 62000 typ relay raddr 198.51.100.2 rport 50000 generation 0"


def test_addresses_that_an_offer_tells() -> None:
    told = CHROMIUM.replace(
        "a=ice-ufrag", f"{RELAYED}\r\na=candidate:1 1 tcp 1518280447 10.0.0.1 9 typ host\r\na=ice-ufrag"
    )
    assert Offer.parse(told).remote.candidates == (IceCandidate("7", 8_331_263, "203.0.113.7", 62_000, "relay"),)
    many = CHROMIUM.replace("a=mid:0", "\r\n".join(["a=mid:0", *[RELAYED] * 30]))
    assert len(Offer.parse(many).remote.candidates) == 15, "the first sixteen are looked at, a name among them"


@pytest.mark.parametrize(
    "text",
    [
        "1 1 udp 1 10.0.0.1 5000 typ host",
        "a/+ 1 udp 8331263 2001:db8::7 62000 typ relay raddr :: rport 9",
        "1 1 udp 1 192.0.2.7 5000 typ srflx raddr 0.0.0.0 rport 9",
    ],
)
def test_a_candidate_is_told_as_it_was_read(text: str) -> None:
    assert str(IceCandidate.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2 udp 1 10.0.0.1 5000 typ host",
        "1 1 udp 1 10.0.0.1 0 typ host",
        "1 1 udp 1 10.0.0.1 65536 typ host",
        "1 1 udp 1 10.0.0.256 5000 typ host",
        "1 1 udp 1 224.0.0.1 5000 typ host",
        "1 1 udp 1 0.0.0.0 5000 typ host",
        "1 1 udp 1 10.0.0.1 5000 typ hosts",
        "1 1 udp 1 name.local 5000 typ host",
    ],
)
def test_a_candidate_of_no_use(text: str) -> None:
    with pytest.raises(ProtocolError):
        IceCandidate.parse(text)


def test_sections_we_do_not_want_are_refused_in_their_place() -> None:
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\n"
    second = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\n"
    at = CHROMIUM.index("m=audio")
    answer = Offer.parse(CHROMIUM[:at] + video + CHROMIUM[at:] + second).answer(OURS, session_id=7)
    lines = [line for line in answer.split("\r\n") if line.startswith(("m=", "a=group"))]
    assert lines == [
        "a=group:BUNDLE 0 1",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111 110",
        "m=application 40000 UDP/DTLS/SCTP webrtc-datachannel",
        "m=audio 0 UDP/TLS/RTP/SAVPF 111",
    ]


def test_a_channel_outside_the_bundle_is_refused() -> None:
    offer = Offer.parse(CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0"))
    assert offer.sctp_port is None
    assert "m=application 0 " in offer.answer(OURS, session_id=7)


@pytest.mark.parametrize(
    ("formats", "rtpmaps", "expected"),
    [
        ("0 8", [], ("PCMU", 0, None)),
        ("8", [], ("PCMA", 8, None)),
        ("8 0 126", ["126 telephone-event/8000"], ("PCMU", 0, 126)),
        ("0 111", ["111 OPUS/48000/2"], ("opus", 111, None)),
        ("100 0", ["100 PCMU/8000/1"], ("PCMU", 100, None)),
        ("111 110", ["111 opus/48000/2", "110 telephone-event/8000"], ("opus", 111, None)),
    ],
)
def test_codecs(formats: str, rtpmaps: list[str], expected: tuple[str, int, int | None]) -> None:
    lines = [line for line in CHROMIUM.split("\r\n") if not line.startswith(("a=rtpmap", "a=fmtp"))]
    at = next(i for i, line in enumerate(lines) if line.startswith("m=audio"))
    lines[at : at + 1] = [f"m=audio 9 UDP/TLS/RTP/SAVPF {formats}", *(f"a=rtpmap:{value}" for value in rtpmaps)]
    offer = Offer.parse("\r\n".join(lines))
    assert (offer.codec, offer.payload_type, offer.event_payload_type) == expected
    assert SessionDescription.parse(offer.answer(OURS, session_id=1)).media[0].rtp.codecs[0].payloadType == expected[1]


def test_no_codec_in_common() -> None:
    with pytest.raises(NoCommonCodec):
        Offer.parse(CHROMIUM.replace("111 63 9 0 8 13 110 126", "63 9 13 110 126"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=0", "v=1"),
        ("m=audio", "m=text"),
        ("m=audio 9 ", "m=audio 99999999 "),
        ("a=rtcp-mux\r\n", ""),
        ("a=sendrecv", "a=recvonly"),
        ("a=sendrecv", "a=inactive"),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:E"),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:E w!"),
        ("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "a=ice-pwd:short"),
        ("a=setup:actpass", "a=setup:active"),
        ("a=setup:actpass\r\n", ""),
        (f"a=fingerprint:{DIGEST}\r\n", ""),
        (DIGEST, DIGEST[:-3]),
        (DIGEST, DIGEST.replace("AB", "zz")),
        ("sha-256", "md5"),
        ("a=mid:1", "a=mid:0"),
        ("a=mid:0", "a=mid:0 0"),
        ("t=0 0", "t=0 0\r\na=ice-lite"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        ("t=0 0\r\n", "t=0 0\r\n" + "a=x\r\n" * 2_000),
        ("t=0 0\r\n", "t=0 0\r\n" + "a=" + "x" * 65_536 + "\r\n"),
        ("a=setup:actpass\r\n", "a=setup:actpass\r\n" + f"a=fingerprint:{DIGEST}\r\n" * 9),
        ("m=application", "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 8 + "m=application"),
    ],
)
def test_refused(old: str, new: str) -> None:
    assert old in CHROMIUM
    with pytest.raises(ProtocolError):
        Offer.parse(CHROMIUM.replace(old, new))


def test_a_fingerprint_reads_back() -> None:
    assert str(Fingerprint.parse(DIGEST.lower().replace("sha", "SHA"))) == DIGEST


def judged(text: str) -> None:
    """An offer is refused by a PeerError, or its answer is clean."""
    try:
        answer = Offer.parse(text).answer(OURS, session_id=7)
    except PeerError:
        return
    assert answer.isascii()
    assert "\n" not in answer.replace("\r\n", "")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    judged(text)
    judged("v=0\r\n" + text)
    judged(CHROMIUM.replace("a=mid:0", text))


def test_mutated_offers() -> None:
    rng = random.Random(8)
    lines = CHROMIUM.split("\r\n")
    answered = 0
    for _ in range(3_000):
        mutant = list(lines)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(mutant))
            match rng.randrange(5):
                case 0:
                    del mutant[at]
                case 1:
                    mutant.insert(at, rng.choice(lines))
                case 2:
                    mutant[at] = mutant[at][: rng.randrange(len(mutant[at]) + 1)]
                case 3:
                    mutant[at] = mutant[at].replace(
                        rng.choice("0123456789:/ "), rng.choice(["", "999999", "\0", "é", "-1", "٣"])
                    )
                case _:
                    swap = rng.randrange(len(mutant))
                    mutant[at], mutant[swap] = mutant[swap], mutant[at]
        text = "\r\n".join(mutant)
        judged(text)
        try:
            Offer.parse(text)
            answered += 1
        except PeerError:
            pass
    assert 500 < answered < 2_900

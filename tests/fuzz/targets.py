"""What is fuzzed: a parser, the only error it may raise, and inputs to start from."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from dialog.errors import NoCommonCodec, NotEncrypted, ProtocolError
from tests.voice.wire.streams.frames import GOOD
from tests.voice.wire.streams.test_credentials import API_KEY, HEADERS, NOW, SECRET, TARGET
from tests.voice.wire.test_jsep import CHROMIUM, OURS
from tests.voice.wire.test_labelled import HEAD, stream
from tests.voice.wire.test_siprec import WHOLE
from tests.voice.wire.test_stun import response
from voice.wire.jsep import Offer
from voice.wire.labelled import Terms, describe, read_streams
from voice.wire.multipart import parse_multipart
from voice.wire.negotiation import answer, make_offer, read_answer
from voice.wire.rtcp import Bye, Description, Report, ReportBlock, SenderInfo, parse_compound
from voice.wire.rtp import HeaderExtension, RtpPacket
from voice.wire.sdes import SECRET_OCTETS, Crypto, Sdes, Srtp, Suite
from voice.wire.sdp import Codec, parse_sdp
from voice.wire.sip.framing import Framing
from voice.wire.sip.guard import examine
from voice.wire.siprec import parse_metadata
from voice.wire.streams.asterisk import AsteriskStream
from voice.wire.streams.audiosocket import AudioSocketStream, Kind, packed
from voice.wire.streams.credentials import audiohook_matches, password_matches, twilio_matches
from voice.wire.streams.freeswitch import FreeswitchStream
from voice.wire.streams.genesys import GenesysStream
from voice.wire.streams.packets import Packetizer
from voice.wire.streams.stream import AudioReceived, MediaStream, Opening, StreamStarted
from voice.wire.streams.twilio import TwilioStream
from voice.wire.stun import is_stun, read_response

TORTURE = Path(__file__).parents[1] / "voice" / "wire" / "sip" / "rfc4475"
_BLOCK = ReportBlock(1, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Target:
    """`parse` may raise `refuses` and nothing else; a tuple that is empty allows nothing."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    refuses: tuple[type[Exception], ...] = (ProtocolError,)


def _negotiate(data: bytes) -> None:
    """All that is done with a description of a peer's, be it an offer or an answer."""
    session = parse_sdp(data)
    with suppress(NoCommonCodec):
        answer(session, "192.0.2.1", 20_000, 1, 1)
    with suppress(NoCommonCodec):
        read_answer(session)


def _stream(data: bytes) -> None:
    """In one piece, and in two."""
    half = len(data) // 2
    for parts in ((data,), (data[:half], data[half:])):
        framing = Framing()
        for part in parts:
            framing.receive(part, 0.0)


def _messages() -> list[bytes]:
    return [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]


def _descriptions() -> list[bytes]:
    bodies = [message.partition(b"\r\n\r\n")[2] for message in _messages()]
    return [make_offer("192.0.2.1", 20_000, 1, 1), make_offer("2001:db8::1", 4, 9, 9), *filter(None, bodies)]


def _offer(data: bytes) -> None:
    """An offer of a page, and our answer to it."""
    Offer.parse(data.decode("utf-8", "replace")).answer(OURS, 1)


def _offers() -> list[bytes]:
    return [CHROMIUM.encode(), CHROMIUM.replace("a=setup:actpass", "a=setup:passive").encode()]


def _stun(data: bytes) -> None:
    if is_stun(data):
        read_response(data)


def _rtp() -> list[bytes]:
    extended = RtpPacket(
        0, 2, 160, 7, bytes(160), marker=True, csrc=(1, 2), extension=HeaderExtension(0xBEDE, bytes(8))
    )
    padded = bytearray(bytes(RtpPacket(101, 3, 320, 7, b"\x01\x0a\x00\xa0\x00\x00\x00\x04")))
    padded[0] |= 0x20
    return [bytes(RtpPacket(8, 1, 0, 7, bytes(160))), bytes(extended), bytes(padded)]


def _rtcp() -> list[bytes]:
    reports = Report(1, None, (_BLOCK,)), Report(2, SenderInfo(1, 2, 3, 4), (_BLOCK, _BLOCK))
    return [bytes(report) + bytes(Description(1, "someone")) + bytes(Bye(1)) for report in reports]


def _parts(data: bytes) -> None:
    """A body, whose boundary is its first line."""
    boundary = data.partition(b"\r\n")[0].removeprefix(b"--").decode("latin-1")
    parse_multipart(f'multipart/mixed; boundary="{boundary}"', data)


def _bodies() -> list[bytes]:
    offer = make_offer("192.0.2.1", 20_000, 1, 1)
    sdp, rest = b"Content-Type: application/sdp\r\n\r\n" + offer, b"Content-Type: application/rs-metadata+xml\r\n\r\n"
    return [b"--b\r\n" + sdp + b"\r\n--b\r\n" + rest + WHOLE + b"\r\n--b--\r\n", b"--b\n\nx\n--b--"]


def _recording(data: bytes) -> None:
    """All that is done with the streams of a recording client, in the clear or where keys are demanded."""
    policy = Srtp.DEMANDED if len(data) % 2 else Srtp.ALLOWED
    terms = Terms(Sdes(policy, bytes(SECRET_OCTETS)), tuple(Codec))
    streams = read_streams(parse_sdp(data), "192.0.2.1", lambda _number: terms)
    describe(streams, range(20_000, 20_000 + 2 * len(streams), 2), "192.0.2.1", 1, 1)


def _recordings() -> list[bytes]:
    key = Crypto(1, Suite.CM_128_80, bytes(Suite.CM_128_80.key_octets))
    secure = stream("97", protocol="RTP/SAVP", formats="8 0 9", more=f"{key.attribute}\r\na=rtcp-mux\r\n")
    both = stream("96") + secure
    return [f"{HEAD}{streams}".encode() for streams in (both, stream("96", port=0) + secure, both * 5)]


def _audiosocket(data: bytes) -> None:
    """A connection, as TCP brings it."""
    AudioSocketStream(Opening()).receive(data)


def _audiosockets() -> list[bytes]:
    begun = packed(Kind.UUID, bytes(16))
    return [begun + packed(Kind.AUDIO, bytes(320)), begun + packed(Kind.DTMF, b"5"), begun + packed(Kind.HANGUP)]


_NEXT, _BINARY = b"\0", b"\xff"
"""Neither is in JSON or UTF-8: what is between two messages of a WebSocket, and what begins one that is not text."""


def _websocket(kind: type[MediaStream]) -> Target:
    """A connection: the parameters of its URL, then messages. We speak after each, and hang up whatever came."""

    def parse(data: bytes) -> None:
        parameters, *messages = data.split(_NEXT)
        stream = kind(Opening(dict(parse_qsl(parameters.decode("latin-1")))))
        packets: Packetizer | None = None
        try:
            for message in messages:
                binary = message.startswith(_BINARY)
                for event in stream.receive(message[1:] if binary else message.decode(errors="replace")):
                    if isinstance(event, StreamStarted):
                        packets = Packetizer(event.format)
                    elif isinstance(event, AudioReceived) and packets is not None:
                        packets.push(event.payload)
                stream.play(bytes(160))
                stream.clear()
        finally:
            stream.hang_up()
            stream.to_send()

    def seeds() -> list[bytes]:
        good = [each.encode() if isinstance(each, str) else _BINARY + each for each in GOOD[kind]]
        calls = ([good[0], each] for each in good[1:])
        return [_NEXT.join((b"caller=1&dialled=2&rate=16000", *messages)) for messages in (good, *calls)]

    return Target(parse, seeds, refuses=(ProtocolError, NoCommonCodec))


def _credentials(data: bytes) -> None:
    """The headers of a request that opens a WebSocket, a line each: each way to prove that it may."""
    lines = (line.partition(": ") for line in data.decode("latin-1").split("\n"))
    headers = {name.lower(): value for name, _, value in lines}
    password_matches(headers, b"open sesame")
    twilio_matches(headers, "wss://voice.example.com/media", b"token")
    audiohook_matches(headers, TARGET, API_KEY, SECRET, NOW)


def _headers() -> list[bytes]:
    signed = "\n".join(f"{name}: {value}" for name, value in HEADERS.items())
    others = ("authorization: Basic dXNlcjpvcGVuIHNlc2FtZQ==", "authorization: Bearer x", "x-twilio-signature: cQ==")
    return [text.encode("latin-1") for text in (signed, *others)]


TARGETS = {
    "message": Target(examine, _messages, refuses=()),
    "stream": Target(_stream, _messages, refuses=()),
    "sdp": Target(_negotiate, _descriptions),
    "offer": Target(_offer, _offers, refuses=(ProtocolError, NoCommonCodec)),
    "stun": Target(_stun, lambda: [response("192.0.2.7", 5060), response("2001:db8::7", 5060)]),
    "rtp": Target(RtpPacket.parse, _rtp),
    "rtcp": Target(parse_compound, _rtcp),
    "multipart": Target(_parts, _bodies),
    "metadata": Target(parse_metadata, lambda: [WHOLE]),
    "recording": Target(_recording, _recordings, refuses=(ProtocolError, NotEncrypted)),
    "audiosocket": Target(_audiosocket, _audiosockets),
    "credentials": Target(_credentials, _headers, refuses=()),
    **{kind.NAME: _websocket(kind) for kind in (TwilioStream, AsteriskStream, FreeswitchStream, GenesysStream)},
}

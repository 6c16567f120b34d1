"""What is fuzzed: a parser, the only error it may raise, and inputs to start from."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dialog.errors import NoCommonCodec, ProtocolError
from tests.voice.wire.test_siprec import WHOLE
from voice.wire.multipart import parse_multipart
from voice.wire.negotiation import answer, make_offer, read_answer
from voice.wire.rtcp import Bye, Description, Report, ReportBlock, SenderInfo, parse_compound
from voice.wire.rtp import HeaderExtension, RtpPacket
from voice.wire.sdp import parse_sdp
from voice.wire.sip.framing import Framing
from voice.wire.sip.guard import examine
from voice.wire.siprec import parse_metadata
from voice.wire.streams.audiosocket import AudioSocketStream, Kind, packed
from voice.wire.streams.stream import Opening

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


def _platform(data: bytes) -> None:
    """A connection of AudioSocket, as TCP brings it."""
    AudioSocketStream(Opening()).receive(data)


def _platforms() -> list[bytes]:
    begun = packed(Kind.UUID, bytes(16))
    return [begun + packed(Kind.AUDIO, bytes(320)), begun + packed(Kind.DTMF, b"5"), begun + packed(Kind.HANGUP)]


TARGETS = {
    "message": Target(examine, _messages, refuses=()),
    "stream": Target(_stream, _messages, refuses=()),
    "sdp": Target(_negotiate, _descriptions),
    "rtp": Target(RtpPacket.parse, _rtp),
    "rtcp": Target(parse_compound, _rtcp),
    "multipart": Target(_parts, _bodies),
    "metadata": Target(parse_metadata, lambda: [WHOLE]),
    "audiosocket": Target(_platform, _platforms),
}

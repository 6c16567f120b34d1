"""What is fuzzed: a parser, the only error it may raise, and inputs to start from."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.negotiation import answer, make_offer, read_answer
from voice.wire.rtcp import Bye, Description, Report, ReportBlock, SenderInfo, parse_compound
from voice.wire.rtp import HeaderExtension, RtpPacket
from voice.wire.sdp import parse_sdp
from voice.wire.sip.framing import Framing
from voice.wire.sip.guard import examine

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


TARGETS = {
    "message": Target(examine, _messages, refuses=()),
    "stream": Target(_stream, _messages, refuses=()),
    "sdp": Target(_negotiate, _descriptions),
    "rtp": Target(RtpPacket.parse, _rtp),
    "rtcp": Target(parse_compound, _rtcp),
}

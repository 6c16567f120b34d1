"""RTCP packets (RFC 3550 section 6) as values: reports, a sender's name and goodbye; a datagram holds several.

What an agent of two parties does not need (extended reports, feedback, other descriptions) is stepped over.
"""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from dialog.errors import ProtocolError

MAX_COMPOUND = 1_500
"""Longest datagram taken for RTCP, in octets."""

_HEAD = Struct("!BBHI")
_SENDER = Struct("!QIII")
_BLOCK = Struct("!IB3sIIII")
_LEAST = 4  # a goodbye of nobody
_VERSION = 2
_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _BYE = 200, 201, 202, 203
_CNAME = 1


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """What a sender has sent (section 6.4.1). `ntp` is 32.32 seconds; `timestamp` is the media clock at that time."""

    ntp: int
    timestamp: int
    packets: int
    octets: int

    def __bytes__(self) -> bytes:
        return _SENDER.pack(self.ntp, self.timestamp, self.packets, self.octets)

    @property
    def middle(self) -> int:
        """The middle 32 bits of `ntp`, 1/65,536 s: what the far end gives back as `ReportBlock.last_report`."""
        return self.ntp >> 16 & 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source is received (section 6.4.1). `fraction`: 1/256 lost since the last report; `lost`: in all, and
    negative when packets came twice; `highest`: sequence number, counted on past 16 bits; `jitter`: timestamp units;
    `last_report`: the source's last SR (0: none), `delay` 1/65,536 s ago."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int

    SIZE: ClassVar[int] = _BLOCK.size

    @classmethod
    def read(cls, data: bytes, at: int) -> "ReportBlock":
        """The block at `at`, which must lie within `data`."""
        ssrc, fraction, lost, *others = _BLOCK.unpack_from(data, at)
        return cls(ssrc, fraction, int.from_bytes(lost, "big", signed=True), *others)

    def __bytes__(self) -> bytes:
        lost = max(-(1 << 23), min((1 << 23) - 1, self.lost)).to_bytes(3, "big", signed=True)
        return _BLOCK.pack(self.ssrc, self.fraction, lost, self.highest, self.jitter, self.last_report, self.delay)


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report, or a receiver report where `sender` is None (sections 6.4.1, 6.4.2)."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        kind = _RECEIVER_REPORT if self.sender is None else _SENDER_REPORT
        body = (b"" if self.sender is None else bytes(self.sender)) + b"".join(map(bytes, self.blocks))
        return _packet(kind, len(self.blocks), self.ssrc, body)


@dataclass(frozen=True, slots=True)
class Description:
    """The name of a source that stays when its SSRC changes (section 6.5.1); only ever written."""

    ssrc: int
    cname: str

    def __bytes__(self) -> bytes:
        name = self.cname.encode()[:255]
        item = bytes([_CNAME, len(name)]) + name
        return _packet(_DESCRIPTION, 1, self.ssrc, item + bytes(4 - len(item) % 4))  # at least one zero ends the list


@dataclass(frozen=True, slots=True)
class Bye:
    """A source leaves (section 6.6); only ever written: that a call is over, its signalling says."""

    ssrc: int

    def __bytes__(self) -> bytes:
        return _packet(_BYE, 1, self.ssrc, b"")


def parse_compound(data: bytes) -> list[Report]:
    """The reports of one datagram. Raises ProtocolError for what section 6.1 and appendix A.2 rule out."""
    if len(data) > MAX_COMPOUND:
        raise ProtocolError(f"RTCP of {len(data)} octets")
    reports: list[Report] = []
    at = 0
    while at < len(data):
        if at + _LEAST > len(data):
            raise ProtocolError("RTCP ends within a packet")
        first, kind, words = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 4 * (words + 1)
        if first >> 6 != _VERSION or end > len(data):
            raise ProtocolError("RTCP of another version, or longer than its datagram")
        if at == 0 and (first & 0x20 or kind not in (_SENDER_REPORT, _RECEIVER_REPORT)):
            raise ProtocolError("RTCP that does not begin with a report")
        if kind in (_SENDER_REPORT, _RECEIVER_REPORT):
            reports.append(_report(data[at:end], first & 0x1F, sends=kind == _SENDER_REPORT))
        at = end
    if not reports:
        raise ProtocolError("RTCP of no octets")
    return reports


def _report(packet: bytes, count: int, *, sends: bool) -> Report:
    start = _HEAD.size + (_SENDER.size if sends else 0)
    if start + count * ReportBlock.SIZE > len(packet):
        raise ProtocolError("RTCP report shorter than its blocks")
    ssrc = int.from_bytes(packet[4:8], "big")
    sender = SenderInfo(*_SENDER.unpack_from(packet, _HEAD.size)) if sends else None
    blocks = tuple(ReportBlock.read(packet, start + n * ReportBlock.SIZE) for n in range(count))
    return Report(ssrc, sender, blocks)


def _packet(kind: int, count: int, ssrc: int, body: bytes) -> bytes:
    return _HEAD.pack(_VERSION << 6 | count, kind, 1 + len(body) // 4, ssrc) + body

"""RTP packets (RFC 3550 section 5.1) as values."""

from dataclasses import dataclass
from struct import Struct, unpack_from

from dialog.errors import ProtocolError

MAX_PACKET = 2048
"""Longest datagram taken for RTP, in octets; more than any link here carries whole."""
RTCP_TYPES = range(192, 224)
"""What the second octet of RTCP may be on a shared port; no payload type may look like it (RFC 5761 section 4)."""

_VERSION = 2
_FIXED = Struct("!BBHII")
_EXTENSION = Struct("!HH")


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """A header extension (RFC 3550 section 5.3.1); `data` is a whole number of 32-bit words."""

    profile: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet. Padding is taken off by `parse` and never put on."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: HeaderExtension | None = None

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Read one datagram. Raises ProtocolError for whatever is not an RTP packet of version 2."""
        size = len(data)
        if not _FIXED.size <= size <= MAX_PACKET:
            raise ProtocolError(f"RTP packet of {size} octets")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        if first >> 6 != _VERSION:
            raise ProtocolError(f"RTP version {first >> 6}")
        end = size
        if first & 0x20:
            padding = data[-1]
            if padding == 0:
                raise ProtocolError("RTP padding of no octets")
            end -= padding
        start = _FIXED.size
        csrc: tuple[int, ...] = ()
        if count := first & 0x0F:
            if start + 4 * count > end:
                raise ProtocolError("RTP packet ends within its contributing sources")
            csrc = unpack_from(f"!{count}I", data, start)
            start += 4 * count
        extension = None
        if first & 0x10:
            if start + _EXTENSION.size > end:
                raise ProtocolError("RTP packet ends within its header extension")
            profile, words = _EXTENSION.unpack_from(data, start)
            start += _EXTENSION.size
            if start + 4 * words > end:
                raise ProtocolError("RTP packet ends within its header extension")
            extension = HeaderExtension(profile, data[start : start + 4 * words])
            start += 4 * words
        if start > end:
            raise ProtocolError("RTP padding longer than the payload")
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[start:end], second >= 0x80, csrc, extension)

    def __bytes__(self) -> bytes:
        first = _VERSION << 6 | len(self.csrc)
        tail = self.payload
        if self.extension is not None:
            first |= 0x10
            head = _EXTENSION.pack(self.extension.profile, len(self.extension.data) // 4)
            tail = head + self.extension.data + tail
        if self.csrc:
            tail = b"".join(source.to_bytes(4, "big") for source in self.csrc) + tail
        second = self.marker << 7 | self.payload_type
        return _FIXED.pack(first, second, self.sequence, self.timestamp, self.ssrc) + tail

    def __str__(self) -> str:
        mark = " marker" if self.marker else ""
        return (
            f"RTP ssrc={self.ssrc:08x} pt={self.payload_type} seq={self.sequence} ts={self.timestamp}"
            f"{mark} {len(self.payload)} octets"
        )


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram on an RTP port is RTCP (RFC 5761 section 4): no fault of the peer, but not audio."""
    return len(data) >= 8 and data[0] >> 6 == _VERSION and data[1] in RTCP_TYPES


def sequence_step(before: int, after: int) -> int:
    """How far `after` lies ahead of `before` (16 bits, wrapping): -32768..32767."""
    return ((after - before + 0x8000) & 0xFFFF) - 0x8000


def timestamp_step(before: int, after: int) -> int:
    """How far `after` lies ahead of `before` (32 bits, wrapping)."""
    return ((after - before + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000

"""The RTCP a browser call needs (RFC 3550 section 6): what we sent and how well we receive, once in a while.

Without receiver reports a browser knows neither loss nor round-trip time. Times are seconds of any monotonic clock:
only differences matter to the far end (RFC 3550 section 6.4.1 allows it for the NTP field of who has no wall clock).
"""

import struct

from voice.wire.rtp import sequence_step, timestamp_step

_HEADER = struct.Struct("!BBHI")
_RTP = struct.Struct("!BBHII")
_SENDER_INFO = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IB3sIIII")
_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _BYE = 200, 201, 202, 203
_CNAME = 1
_RESYNC = 3_000  # a larger step is a new stream, not loss (RFC 3550 appendix A.1, MAX_DROPOUT)


class Reports:
    """Both directions of one audio stream."""

    def __init__(self, cname: str, clock_hz: int) -> None:
        self._cname = cname.encode()[:255]
        self._clock_hz = clock_hz
        self._sent: tuple[int, int, float] | None = None  # ssrc, timestamp and time of the last packet sent
        self._sent_packets = 0
        self._sent_octets = 0
        self._reception: _Reception | None = None

    def sent(self, packet: bytes, now: float) -> None:
        """An RTP packet left."""
        _, _, _, timestamp, ssrc = _RTP.unpack_from(packet)
        if self._sent is None or self._sent[0] != ssrc:
            self._sent_packets = self._sent_octets = 0
        self._sent = (ssrc, timestamp, now)
        self._sent_packets += 1
        self._sent_octets += len(packet) - _RTP.size

    def received(self, packet: bytes, now: float) -> None:
        """An RTP packet came (after decryption; at least 12 octets)."""
        _, _, sequence, timestamp, ssrc = _RTP.unpack_from(packet)
        reception = self._reception
        if reception is None or reception.ssrc != ssrc:
            reception = self._reception = _Reception(ssrc, sequence)
        reception.add(sequence, timestamp, now * self._clock_hz)

    def receive(self, compound: bytes, now: float) -> None:
        """RTCP came: of it only the sender report's time is used, for the far end's round-trip reckoning."""
        at = 0
        while at + _HEADER.size <= len(compound):
            first, kind, words, ssrc = _HEADER.unpack_from(compound, at)
            end = at + 4 * (words + 1)
            if first >> 6 != 2 or end > len(compound):
                return
            reception = self._reception
            if kind == _SENDER_REPORT and end - at >= _HEADER.size + _SENDER_INFO.size and reception is not None:
                ntp = _SENDER_INFO.unpack_from(compound, at + _HEADER.size)[0]
                if ssrc == reception.ssrc:
                    reception.sender_reported = (ntp >> 16 & 0xFFFF_FFFF, now)
            at = end

    def report(self, now: float) -> bytes | None:
        """The next compound packet, SR or RR with SDES; None before the first packet either way."""
        if self._sent is None and self._reception is None:
            return None
        blocks = b"" if self._reception is None else self._reception.block(now)
        count = 0x80 | len(blocks) // _BLOCK.size
        if self._sent is None:
            ssrc = 1
            body, kind = blocks, _RECEIVER_REPORT
        else:
            ssrc, timestamp, at = self._sent
            timestamp = timestamp + round((now - at) * self._clock_hz) & 0xFFFF_FFFF
            ntp = round(now * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF
            packets, octets = self._sent_packets & 0xFFFF_FFFF, self._sent_octets & 0xFFFF_FFFF
            body, kind = _SENDER_INFO.pack(ntp, timestamp, packets, octets) + blocks, _SENDER_REPORT
        report = _HEADER.pack(count, kind, 1 + len(body) // 4, ssrc) + body
        item = bytes([_CNAME, len(self._cname)]) + self._cname
        item += bytes(4 - len(item) % 4)  # at least one zero ends the list (section 6.5)
        return report + _HEADER.pack(0x81, _DESCRIPTION, 1 + len(item) // 4, ssrc) + item

    def farewell(self) -> bytes | None:
        """BYE for our stream (section 6.6), led by an empty report as a compound packet must be."""
        if self._sent is None:
            return None
        ssrc = self._sent[0]
        return _HEADER.pack(0x80, _RECEIVER_REPORT, 1, ssrc) + _HEADER.pack(0x81, _BYE, 1, ssrc)


class _Reception:
    """What one source's packets tell of the way here (RFC 3550 appendices A.1, A.3 and A.8)."""

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self.sender_reported: tuple[int, float] | None = None
        self._restart(sequence)
        self._transit: float | None = None
        self._timestamp = 0
        self._jitter = 0.0

    def _restart(self, sequence: int) -> None:
        self._first = self._highest = sequence  # counts on past 16 bits
        self._count = 0
        self._reported = (0, 0)  # expected and received at the last report

    def add(self, sequence: int, timestamp: int, now_ticks: float) -> None:
        step = sequence_step(self._highest & 0xFFFF, sequence)
        if abs(step) > _RESYNC:
            self._restart(sequence)
        elif step > 0:
            self._highest += step
        self._count += 1
        if self._transit is not None:
            moved = timestamp_step(self._timestamp, timestamp)
            late = now_ticks - self._transit - moved
            self._jitter += (abs(late) - self._jitter) / 16
        self._transit, self._timestamp = now_ticks, timestamp

    def block(self, now: float) -> bytes:
        expected = self._highest - self._first + 1
        lost = max(-(1 << 23), min((1 << 23) - 1, expected - self._count))
        expected_since = expected - self._reported[0]
        lost_since = expected_since - (self._count - self._reported[1])
        fraction = min(255, lost_since * 256 // expected_since) if expected_since > 0 and lost_since > 0 else 0
        self._reported = (expected, self._count)
        middle, delay = 0, 0
        if self.sender_reported is not None:
            middle, at = self.sender_reported
            delay = min(0xFFFF_FFFF, round((now - at) * 65_536))
        jitter = min(0xFFFF_FFFF, round(self._jitter))
        highest = self._highest & 0xFFFF_FFFF
        return _BLOCK.pack(self.ssrc, fraction, (lost & 0xFF_FFFF).to_bytes(3, "big"), highest, jitter, middle, delay)

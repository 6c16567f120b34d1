"""Counts of an RTP stream each way for a transport that sees every packet with its time, as the browser's does."""

from struct import Struct

from voice.wire.reports import Reception, Sending
from voice.wire.rtp import sequence_step, timestamp_step

_RTP = Struct("!BBHII")
_RESYNC = 3_000  # a larger step is a new stream, not loss (RFC 3550 appendix A.1, MAX_DROPOUT)


class RtpCount:
    """Both directions of one audio stream; times are seconds of one monotonic clock."""

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self.sent_packets = 0
        self._sent: tuple[int, int, float] | None = None  # ssrc, timestamp and time of the last packet sent
        self._sent_octets = 0
        self._source: _Source | None = None

    def sent(self, packet: bytes, now: float) -> None:
        """An RTP packet left."""
        _, _, _, timestamp, ssrc = _RTP.unpack_from(packet)
        if self._sent is None or self._sent[0] != ssrc:
            self.sent_packets = self._sent_octets = 0
        self._sent = (ssrc, timestamp, now)
        self.sent_packets += 1
        self._sent_octets += len(packet) - _RTP.size

    def received(self, packet: bytes, now: float) -> None:
        """An RTP packet came (after decryption; at least 12 octets)."""
        _, _, sequence, timestamp, ssrc = _RTP.unpack_from(packet)
        if self._source is None or self._source.ssrc != ssrc:
            self._source = _Source(ssrc, sequence)
        self._source.add(sequence, timestamp, now * self._clock_hz)

    def sending(self, now: float) -> Sending | None:
        """What was sent; None when nothing was."""
        if self._sent is None:
            return None
        ssrc, timestamp, at = self._sent
        timestamp = timestamp + round((now - at) * self._clock_hz) & 0xFFFF_FFFF
        return Sending(ssrc, timestamp, self.sent_packets, self._sent_octets)

    @property
    def reception(self) -> Reception | None:
        """What came of the present source; None when nothing did."""
        return None if self._source is None else self._source.reception


class _Source:
    """What one source's packets tell of the way here (RFC 3550 appendices A.1, A.3 and A.8)."""

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self._restart(sequence)
        self._transit: float | None = None
        self._timestamp = 0
        self._jitter = 0.0

    def _restart(self, sequence: int) -> None:
        self._first = self._highest = sequence  # counts on past 16 bits
        self._count = 0

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

    @property
    def reception(self) -> Reception:
        return Reception(self.ssrc, self._highest - self._first + 1, self._count, self._highest, self._jitter)

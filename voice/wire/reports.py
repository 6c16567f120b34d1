"""What two parties tell each other by RTCP about one audio stream each way, and when (RFC 3550 section 6).

Sans-I/O. Times are seconds of any monotonic clock: only differences matter to the far end (section 6.4.1 allows that
for the NTP field of who has no wall clock).
"""

from dataclasses import dataclass

from voice.wire.rtcp import Bye, Description, Report, ReportBlock, SenderInfo, parse_compound
from voice.wire.rtp import timestamp_step

MIN_INTERVAL_S = 5.0
"""Section 6.2. Two parties of a telephone call are far below 5 % of its bandwidth, so that this least time is all that
the interval of section 6.3.1 comes to; and as neither joins nor leaves, there is nothing to reconsider (6.3.3)."""
_COMPENSATION = 1.21828  # e - 3/2 (section 6.3.1)
_LONGEST_TRIP_S = 10.0  # a longer one is an error of the far end's arithmetic


def interval_s(draw: float, *, first: bool) -> float:
    """How long until the next report, or the first (sections 6.3.1, 6.3.2); `draw` is random, 0..1."""
    return (MIN_INTERVAL_S / 2 if first else MIN_INTERVAL_S) * (0.5 + draw) / _COMPENSATION


@dataclass(frozen=True, slots=True)
class Sending:
    """What we send, so far; `timestamp` is that of the media clock now."""

    ssrc: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Reception:
    """How a source's packets come, so far (appendix A.3). `highest`: sequence number, counted on past 16 bits;
    `jitter`: in timestamp units."""

    ssrc: int
    expected: int
    received: int
    highest: int
    jitter: float


@dataclass(frozen=True, slots=True)
class Told:
    """What the reports of a call came to; round trip and jitter are means over them. None: nothing told.

    `far_lost`: packets of ours that the far end had not received by its last report, of the `far_expected` that had
    been sent by then.
    """

    round_trip_ms: float | None = None
    jitter_ms: float | None = None
    far_expected: int = 0
    far_lost: int | None = None
    far_jitter_ms: float | None = None


class Reports:
    """One party's side. `cname` is random for each call: it must not tell who somebody is (RFC 7022 section 4.2)."""

    def __init__(self, cname: str, clock_hz: int) -> None:
        self._cname = cname
        self.clock_hz = clock_hz
        self._ssrc: int | None = None
        self._sent_before = (0, 0)  # packets at the last two reports
        self._counted = (0, 0, 0)  # of a source: expected and received at the last report
        self._sender_report: tuple[int, int, float] | None = None  # of a source: the time it gave, and when it came
        self._round_trip, self._jitter, self._far_jitter = _Mean(), _Mean(), _Mean()
        self._far_expected = 0
        self._far_lost: int | None = None

    @property
    def told(self) -> Told:
        return Told(
            self._round_trip.value, self._jitter.value, self._far_expected, self._far_lost, self._far_jitter.value
        )

    def receive(self, compound: bytes, now: float, sent: int) -> float | None:
        """RTCP of the far end came, when `sent` packets had been sent: the share of them that it lost since its report
        before, None where it does not say. Raises ProtocolError, and then nothing of it counts."""
        lost: float | None = None
        for report in parse_compound(compound):
            if report.sender is not None:
                self._sender_report = (report.ssrc, report.sender.middle, now)
            for block in report.blocks:
                if block.ssrc == self._ssrc:
                    self._far_expected = sent
                    self._hear(block, now)
                    lost = block.fraction / 256
        return lost

    def report(self, now: float, sending: Sending | None, reception: Reception | None) -> bytes | None:
        """The next compound packet, SR or RR with SDES (section 6.1); None before the first packet either way."""
        if reception is None and (sending is None or not sending.packets):
            return None
        blocks = () if reception is None else (self._block(reception, now),)
        report = Report(1, None, blocks)
        if sending is not None:
            self._ssrc = sending.ssrc
            sends = sending.packets != self._sent_before[0]  # since the report before the last (section 6.4)
            self._sent_before = (self._sent_before[1], sending.packets)
            report = Report(sending.ssrc, _sender_info(sending, now) if sends else None, blocks)
        return bytes(report) + bytes(Description(report.ssrc, self._cname))

    def farewell(self, sending: Sending | None) -> bytes | None:
        """BYE for our stream (section 6.6), led by an empty report; None where the far end never heard of it."""
        if sending is None or not (sending.packets or self._ssrc == sending.ssrc):
            return None
        return bytes(Report(sending.ssrc)) + bytes(Bye(sending.ssrc))

    def _hear(self, block: ReportBlock, now: float) -> None:
        self._far_lost = min(self._far_expected, max(0, block.lost))
        self._far_jitter.add(block.jitter * 1_000 / self.clock_hz)
        if block.last_report:
            left = block.last_report + block.delay & 0xFFFF_FFFF  # had it taken no time
            trip_s = timestamp_step(left, _ntp(now) >> 16 & 0xFFFF_FFFF) / 65_536
            if -_LONGEST_TRIP_S <= trip_s <= _LONGEST_TRIP_S:
                self._round_trip.add(max(0.0, trip_s) * 1_000)

    def _block(self, reception: Reception, now: float) -> ReportBlock:
        ssrc, expected, received = self._counted
        if ssrc != reception.ssrc or expected > reception.expected:
            expected = received = 0  # another source, or the same one counts anew
        expected_since = reception.expected - expected
        lost_since = expected_since - (reception.received - received)
        self._counted = (reception.ssrc, reception.expected, reception.received)
        self._jitter.add(reception.jitter * 1_000 / self.clock_hz)
        middle = delay = 0
        if self._sender_report is not None and self._sender_report[0] == reception.ssrc:
            _, middle, at = self._sender_report
            delay = min(0xFFFF_FFFF, round((now - at) * 65_536))
        return ReportBlock(
            reception.ssrc,
            fraction=min(255, lost_since * 256 // expected_since) if expected_since > 0 and lost_since > 0 else 0,
            lost=reception.expected - reception.received,
            highest=reception.highest & 0xFFFF_FFFF,
            jitter=min(0xFFFF_FFFF, round(reception.jitter)),
            last_report=middle,
            delay=delay,
        )


class _Mean:
    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._count += 1
        self._sum += value

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None


def _sender_info(sending: Sending, now: float) -> SenderInfo:
    return SenderInfo(_ntp(now), sending.timestamp, sending.packets & 0xFFFF_FFFF, sending.octets & 0xFFFF_FFFF)


def _ntp(now: float) -> int:
    return round(now * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF

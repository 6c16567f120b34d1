"""The pacer's arithmetic: absolute deadlines, lateness, and what to do after a standstill. No clock inside."""

from collections import deque
from dataclasses import dataclass

PERIOD_NS = 20_000_000
LATE_NS = 20_000_000
"""A frame is late when it leaves more than 20 ms after its deadline."""
BURST_TICKS = 5
"""Ticks made up for at once after a standstill; those before are left out. More would only flood the far buffer."""

_KEPT = 3000  # ticks of which lateness is remembered: a minute


@dataclass(frozen=True, slots=True)
class TickStats:
    """Lateness: from a tick's deadline to its start. Work: from there to its end. Over the last minute."""

    ticks: int
    skipped: int
    lateness_p50_ms: float
    lateness_p99_ms: float
    lateness_max_ms: float
    work_p50_ms: float
    work_p99_ms: float


class Pacer:
    """Deadlines every `PERIOD_NS` from `start_ns`. Times are nanoseconds of one monotonic clock."""

    def __init__(self, start_ns: int) -> None:
        self.tick = -1
        self.deadline_ns = start_ns
        """Of the running tick."""
        self.skipped = 0
        self._next_ns = start_ns
        self._begun_ns = start_ns
        self._ticks = 0
        self._lateness_ns: deque[int] = deque(maxlen=_KEPT)
        self._work_ns: deque[int] = deque(maxlen=_KEPT)

    def wait_ns(self, now_ns: int) -> int:
        """How long until the next tick is due; 0 when it is."""
        return max(0, self._next_ns - now_ns)

    def begin(self, now_ns: int) -> int:
        """The next tick begins; its number. Ticks that are past making up for are skipped and leave a gap in it."""
        behind = max(0, now_ns - self._next_ns) // PERIOD_NS
        skip = max(0, behind - (BURST_TICKS - 1))
        self.skipped += skip
        self._ticks += 1
        self.tick += 1 + skip
        self.deadline_ns = self._next_ns + skip * PERIOD_NS
        self._next_ns = self.deadline_ns + PERIOD_NS
        self._begun_ns = now_ns
        self._lateness_ns.append(now_ns - self.deadline_ns)
        return self.tick

    def end(self, now_ns: int) -> None:
        """The tick's work is done."""
        self._work_ns.append(now_ns - self._begun_ns)

    def is_late(self, now_ns: int) -> bool:
        """Whether a frame of the running tick that leaves now is late."""
        return now_ns - self.deadline_ns > LATE_NS

    @property
    def stats(self) -> TickStats:
        late = sorted(self._lateness_ns.copy()) or [0]
        work = sorted(self._work_ns.copy()) or [0]

        def at(values: list[int], share: float) -> float:
            return round(values[int(share * (len(values) - 1))] / 1e6, 3)

        return TickStats(
            self._ticks, self.skipped, at(late, 0.5), at(late, 0.99), at(late, 1), at(work, 0.5), at(work, 0.99)
        )

"""How late packets left and how long the engine's work took, from the times that it keeps."""

from dataclasses import dataclass

import numpy as np

from voice.media.engine.external import observe
from voice.media.engine.layout import LATENESS, Counter, Counters
from voice.media.engine.shared import Shared


@dataclass(frozen=True, slots=True)
class TickStats:
    """Lateness: from when a frame was due to when it had left. Work: what a slot of legs took, a tenth of a period.
    Judging: from when a slot was heard to when it was judged. Over the last 65,536 of each. `carrying_s`: what
    receiving and sending took in all."""

    ticks: int
    skipped: int
    unjudged: int
    lateness_p50_ms: float
    lateness_p99_ms: float
    lateness_max_ms: float
    work_p50_ms: float
    work_p99_ms: float
    judging_p99_ms: float
    carrying_s: float


class Punctuality:
    """Of one engine."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._since = (0, 0, 0)
        self._carried_ns = 0

    def forget(self) -> None:
        """What was so far does not count."""
        self._since = self._counts()
        self._carried_ns = observe(self._shared.counters, Counter.CARRIED_NS)

    @property
    def stats(self) -> TickStats:
        shared, counters = self._shared, self._shared.counters
        rings = (shared.lateness_ns, shared.work_ns, shared.judged_ns)
        late, work, judging = map(_kept, rings, self._since, self._counts())
        return TickStats(
            observe(counters, Counter.TICK),
            observe(counters, Counter.SKIPPED),
            observe(counters, Counter.UNJUDGED),
            _at(late, 50),
            _at(late, 99),
            _at(late, 100),
            _at(work, 50),
            _at(work, 99),
            _at(judging, 99),
            (observe(counters, Counter.CARRIED_NS) - self._carried_ns) / 1e9,
        )

    def _counts(self) -> tuple[int, int, int]:
        counters = self._shared.counters
        return (observe(counters, Counter.SENT), observe(counters, Counter.WORKED), observe(counters, Counter.JUDGED))


def _kept(ring: Counters, since: int, count: int) -> Counters:
    """What was kept of the times from number `since` up to `count`."""
    places = np.arange(max(since, count - LATENESS), count) % LATENESS
    kept: Counters = ring[places]
    return kept


def _at(times_ns: Counters, percent: float) -> float:
    return round(float(np.percentile(times_ns, percent)) / 1e6, 3) if times_ns.size else 0.0

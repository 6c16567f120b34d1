"""Each numba kernel against the best library with the same output, for 1 call and for 128.

Time is for one call's 20 ms of audio. Ours and the library's run in turns in one process, and the medians are compared,
so that a busy machine slows both. A kernel exists for its batch: with 128 calls it must beat the library. With one call
the price of entering numba (near a microsecond) is all there is to see. Where no library does the same, what the kernel
costs is stated.
"""

import argparse
import statistics
import time
from collections.abc import Iterator

from bench.contests import KERNELS
from bench.contests.contest import Contest, Work
from bench.figures import Figure

BATCHES = (1, 128)
_TURN_NS = 8_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--only", default="", help="measure the kernels whose name contains this")
    parser.add_argument("--turns", type=int, default=15, help="how often each is timed; the median counts")


def run(options: argparse.Namespace) -> list[Figure]:
    """Compare the outputs, then measure."""
    figures: list[Figure] = []
    for name, prepare in KERNELS.items():
        if options.only in name:
            for batch in BATCHES:
                figures += _measure(f"{name}.batch_{batch}", batch, prepare(batch), options.turns)
    return figures


def _measure(prefix: str, batch: int, contest: Contest, turns: int) -> Iterator[Figure]:
    medians = _median_ns([contest.ours, *contest.theirs.values()], turns)
    ours, *theirs = [each / (contest.ticks * batch) for each in medians]
    yield Figure(f"{prefix}.ours", round(ours, 1), "ns")
    for library, median in zip(contest.theirs, theirs, strict=True):
        yield Figure(f"{prefix}.{library}", round(median, 1), "ns")
        must = contest.must if batch > 1 else ""
        yield Figure(f"{prefix}.faster_than_{library}", round(median / ours, 2), "times", must)


def _median_ns(works: list[Work], turns: int) -> list[float]:
    """Median time of each work, measured in turns; in a turn a work is repeated for some milliseconds."""
    counts = []
    for work in works:
        work()
        begun = time.perf_counter_ns()
        work()
        counts.append(max(1, _TURN_NS // max(1, time.perf_counter_ns() - begun)))
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(turns):
        for work, count, times in zip(works, counts, taken, strict=True):
            begun = time.perf_counter_ns()
            for _ in range(count):
                work()
            times.append((time.perf_counter_ns() - begun) / count)
    return [statistics.median(times) for times in taken]

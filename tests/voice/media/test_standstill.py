"""What the engine does when it comes too late, and what it says of its punctuality."""

import resource
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from voice.media.engine import period
from voice.media.engine.arrays import Engine, engine
from voice.media.engine.external import observe, publish
from voice.media.engine.layout import LATENESS, SLOTS, Counter
from voice.media.engine.period import BURST_TICKS, PERIOD_NS
from voice.media.punctuality import Punctuality

COUNTERS = {counter: int(counter) for counter in Counter}


def run(late_ticks: float, *, worked_ticks: int) -> tuple[Engine, int]:
    """An engine that begins so late, and has worked through so many ticks or more; how late it was when it began."""
    it = engine(1)
    counters = it.shared.counters
    due_ns = time.monotonic_ns() - int(late_ticks * PERIOD_NS)
    lines = (it.inbound, it.hearing, it.speaking, it.heard, it.shared, it.staged)
    thread = threading.Thread(target=partial(period.run_lines, due_ns, 0, 0, it.time, *lines))
    thread.start()
    while observe(counters, COUNTERS[Counter.WORKED]) < worked_ticks * SLOTS:
        time.sleep(0.001)
    publish(counters, COUNTERS[Counter.STOP], 1)
    thread.join()
    return it, time.monotonic_ns() - due_ns


def test_a_short_standstill_is_made_up_for() -> None:
    it, _ = run(BURST_TICKS - 2.5, worked_ticks=20)
    counters = it.shared.counters
    assert counters[Counter.SKIPPED] == 0
    assert counters[Counter.TICK] == (counters[Counter.WORKED] - 1) // SLOTS, "not one was left out"


def test_after_a_long_one_the_oldest_ticks_are_left_out() -> None:
    it, ran_ns = run(1_000, worked_ticks=20)
    counters = it.shared.counters
    skipped = counters[Counter.SKIPPED]
    assert skipped >= 1_000 - BURST_TICKS, "the first is all that a period without legs has in it"
    assert counters[Counter.TICK] - skipped == (counters[Counter.WORKED] - 1) // SLOTS, "numbers keep time"
    assert counters[Counter.TICK] <= ran_ns // PERIOD_NS + 1, "and none comes before it is due"
    assert counters[Counter.TICK] >= ran_ns // PERIOD_NS - BURST_TICKS


def test_deadlines_are_absolute() -> None:
    """However long the work of each slot takes, it does not add up."""
    it, ran_ns = run(0, worked_ticks=25)
    assert it.shared.counters[Counter.TICK] >= ran_ns // PERIOD_NS - BURST_TICKS


def test_where_nobody_is_the_engine_sleeps_a_period_at_a_time() -> None:
    it, ticks = engine(1), 25
    slept: dict[str, int] = {}

    def count(name: str, run: Callable[[], None]) -> None:
        run()
        slept[name] = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw

    start_ns = time.monotonic_ns()
    lines = partial(
        period.run_lines, start_ns, 0, 0, it.time, it.inbound, it.hearing, it.speaking, it.heard, it.shared, it.staged
    )
    judging = partial(period.run_judging, start_ns, 0, it.time_judging, it.heard, it.judgement, it.shared)
    threads = [threading.Thread(target=count, args=each) for each in (("lines", lines), ("judging", judging))]
    for thread in threads:
        thread.start()
    while observe(it.shared.counters, COUNTERS[Counter.TICK]) < ticks:
        time.sleep(0.001)
    publish(it.shared.counters, COUNTERS[Counter.STOP], 1)
    for thread in threads:
        thread.join()
    assert max(slept.values()) < 2 * ticks
    assert it.shared.counters[Counter.UNJUDGED] == 0, "there was nothing to judge"


def put(times_ns: list[int], ring: "np.ndarray[tuple[int], np.dtype[np.int64]]", it: Engine, counter: Counter) -> None:
    """Let the engine have kept these times."""
    for time_ns in times_ns:
        count = it.shared.counters[counter]
        ring[count % LATENESS] = time_ns
        it.shared.counters[counter] += 1


def test_times_are_told_in_shares() -> None:
    it = engine(1)
    punctuality = Punctuality(it.shared)
    assert punctuality.stats.lateness_max_ms == punctuality.stats.work_p99_ms == 0.0
    put([n * 10_000 for n in range(101)], it.shared.lateness_ns, it, Counter.SENT)
    put([4_000_000] * 99 + [8_000_000], it.shared.work_ns, it, Counter.WORKED)
    put([1_000_000] * 10, it.shared.judged_ns, it, Counter.JUDGED)
    it.shared.counters[Counter.SKIPPED] = 7
    stats = punctuality.stats
    assert (stats.lateness_p50_ms, stats.lateness_p99_ms, stats.lateness_max_ms) == (0.5, 0.99, 1.0)
    assert stats.work_p50_ms == 4.0
    assert 4.0 < stats.work_p99_ms < 8.0
    assert stats.judging_p99_ms == 1.0
    assert stats.skipped == 7


def test_old_times_are_forgotten() -> None:
    it = engine(1)
    punctuality = Punctuality(it.shared)
    put([50_000_000], it.shared.lateness_ns, it, Counter.SENT)
    put([1_000_000] * (LATENESS - 1), it.shared.lateness_ns, it, Counter.SENT)
    assert punctuality.stats.lateness_max_ms == 50.0
    put([1_000_000], it.shared.lateness_ns, it, Counter.SENT)
    assert punctuality.stats.lateness_max_ms == 1.0


def test_times_may_begin_anew() -> None:
    it = engine(1)
    punctuality = Punctuality(it.shared)
    put([50_000_000], it.shared.lateness_ns, it, Counter.SENT)
    punctuality.forget()
    assert punctuality.stats.lateness_max_ms == 0.0
    put([2_000_000], it.shared.lateness_ns, it, Counter.SENT)
    assert punctuality.stats.lateness_max_ms == pytest.approx(2.0)

"""The pacer's arithmetic, in virtual nanoseconds."""

from voice.media.tick import BURST_TICKS, PERIOD_NS, Pacer

START = 1_000_000_000


def test_deadlines_are_absolute() -> None:
    pacer = Pacer(START)
    now = START
    for tick in range(1000):
        now += pacer.wait_ns(now)
        assert pacer.begin(now + 3_000_000) == tick  # always 3 ms late: it does not add up
        assert pacer.deadline_ns == START + tick * PERIOD_NS
        now += 7_000_000
        pacer.end(now)
    assert pacer.skipped == 0
    assert pacer.stats.lateness_p99_ms == 3.0
    assert pacer.stats.work_p50_ms == 4.0


def test_a_short_standstill_is_made_up_for() -> None:
    pacer = Pacer(START)
    pacer.begin(START)
    now = START + BURST_TICKS * PERIOD_NS + PERIOD_NS // 2
    ticks = []
    while pacer.wait_ns(now) == 0:
        ticks.append(pacer.begin(now))
    assert ticks == list(range(1, BURST_TICKS + 1))
    assert pacer.skipped == 0
    assert pacer.stats.lateness_max_ms == 90.0


def test_after_a_long_one_the_oldest_ticks_are_left_out() -> None:
    pacer = Pacer(START)
    pacer.begin(START)
    now = START + 60 * PERIOD_NS
    ticks = []
    while pacer.wait_ns(now) == 0:
        ticks.append(pacer.begin(now))
    assert ticks == list(range(61 - BURST_TICKS, 61))
    assert pacer.skipped == 60 - BURST_TICKS
    assert pacer.wait_ns(now) == PERIOD_NS


def test_late_means_more_than_a_tick_behind() -> None:
    pacer = Pacer(START)
    pacer.begin(START)
    assert not pacer.is_late(START + 20_000_000)
    assert pacer.is_late(START + 20_000_001)

"""What the histogram of arrivals says of their jitter, and of the delay that fits."""

import random
from itertools import pairwise

import pytest

from dsp import arrivals
from dsp.arrivals import BASE, MAX_TICKS, MIN_TICKS, TARGET, Arrivals


def arrived(transits: list[int]) -> Arrivals:
    it = arrivals.arrivals(1)
    for tick, transit in enumerate(transits):
        arrivals.add(it, 0, transit, tick)
    return it


def test_a_steady_way_has_no_jitter_and_the_shortest_delay() -> None:
    it = arrived([7] * 1_000)
    assert it.jitter[0] == pytest.approx(0, abs=0.001)
    assert it.state[0, BASE] == 7
    assert it.state[0, TARGET] == MIN_TICKS


def test_jitter_is_how_far_apart_two_packets_are() -> None:
    """RFC 3550 appendix A.8 comes to the mean of the same differences, of neighbours."""
    chance = random.Random(5)
    transits = [chance.choice((0, 0, 1, 3)) for _ in range(2_000)]
    it = arrivals.arrivals(1)
    seen = []
    for tick, transit in enumerate(transits):
        arrivals.add(it, 0, transit, tick)
        seen.append(float(it.jitter[0]))
    neighbours = [abs(a - b) for a, b in pairwise(transits)]
    assert sum(seen[200:]) / len(seen[200:]) == pytest.approx(sum(neighbours) / len(neighbours), rel=0.05)


@pytest.mark.parametrize(("share", "target"), [(0.03, 4), (0.002, 1)])
def test_one_packet_in_a_hundred_may_be_late(share: float, target: int) -> None:
    chance = random.Random(2)
    transits = [4 if chance.random() < share else 0 for _ in range(5_000)]
    it, found = arrivals.arrivals(1), []
    for tick, transit in enumerate(transits):
        arrivals.add(it, 0, transit, tick)
        found.append(int(it.state[0, TARGET]))
    assert sum(each == target for each in found[500:]) > 0.9 * len(found[500:])


def test_no_delay_is_longer_than_the_longest() -> None:
    assert arrived([0, 500] * 100).state[0, TARGET] == MAX_TICKS


def test_the_fastest_packet_is_forgotten_after_four_seconds() -> None:
    assert arrived([0] + [2] * 170).state[0, BASE] == 0
    assert arrived([0] + [2] * 200).state[0, BASE] == 2


def test_a_line_set_anew_keeps_the_spread() -> None:
    it = arrived([0, 3] * 200)
    arrivals.begin(it, 0, -70, 400)
    arrivals.add(it, 0, -70, 400)
    assert it.state[0, BASE] == -70
    assert it.state[0, TARGET] == 3


def test_nothing_has_come_yet() -> None:
    it = arrivals.arrivals(1)
    assert it.jitter[0] == 0
    assert it.state[0, TARGET] == MIN_TICKS

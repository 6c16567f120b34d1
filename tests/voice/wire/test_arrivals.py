"""What the histogram of arrivals says of their jitter."""

import random
from itertools import pairwise

import pytest

from voice.wire.arrivals import Arrivals


def arrived(transits: list[int]) -> Arrivals:
    arrivals = Arrivals()
    for now, transit in enumerate(transits):
        arrivals.add(transit, now)
    return arrivals


def test_a_steady_way_has_no_jitter() -> None:
    assert arrived([7] * 1_000).jitter == pytest.approx(0, abs=0.001)


def test_jitter_is_how_far_apart_two_packets_are() -> None:
    """RFC 3550 appendix A.8 comes to the mean of the same differences, of neighbours."""
    chance = random.Random(5)
    transits = [chance.choice((0, 0, 1, 3)) for _ in range(2_000)]
    late = Arrivals()
    seen = []
    for now, transit in enumerate(transits):
        late.add(transit, now)
        seen.append(late.jitter)
    neighbours = [abs(a - b) for a, b in pairwise(transits)]
    assert sum(seen[200:]) / len(seen[200:]) == pytest.approx(sum(neighbours) / len(neighbours), rel=0.05)


def test_nothing_has_come_yet() -> None:
    assert Arrivals().jitter == 0

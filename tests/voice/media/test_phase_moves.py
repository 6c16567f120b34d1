"""Legs follow packets that come at another time than before, now and then, and never by a period in all."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.voice.media.parts import BUFFERED, Call, talk
from tests.voice.media.ticks import Bench
from voice.media.engine.layout import SLOTS
from voice.media.engine.phase import PACKETS, RESTS

REST = RESTS * PACKETS
LOOK = REST + 100
"""Packets until a leg was looked at again; three looks are over after three of these."""


async def call(phase: int, off: Callable[[int], int], length: int) -> Call:
    """A whole call; nothing of it was lost, doubled, made up or left out."""
    bench = Bench(capacity=1)
    it = Call(bench, phase, off=off, length=length)
    await talk(bench, [it], end=length * SLOTS)
    assert [n for _, n in it.heard] == list(range(len(it.heard)))
    assert it.troubles == [0, 0, 0]
    assert it.leg.row["late_frames"] == 0
    return it


async def test_a_clock_that_is_slow_is_followed() -> None:
    """By a part in each time that the leg rests: 170 ppm."""
    it = await call(4, lambda n: n // LOOK, 3 * LOOK)
    assert set(it.delays_from(50)) <= {BUFFERED, BUFFERED + 1, BUFFERED + 2}
    assert it.leg.row["slot"] == 7


async def test_a_clock_that_is_fast_is_followed() -> None:
    it = await call(4, lambda n: -min(n // 100, 4), LOOK + 50)
    assert it.leg.row["slot"] == 1
    assert set(it.delays_from(LOOK)) == {BUFFERED + 1}


@pytest.mark.parametrize("step", [-2, -1])
async def test_a_leg_stays_where_its_packets_still_come_in_time(step: int) -> None:
    it = await call(4, lambda n: step if n >= 100 else 0, LOOK + 50)
    assert it.leg.row["slot"] == 5
    assert set(it.delays_from(LOOK)) == {BUFFERED + 1 - step}


async def test_a_leg_is_left_alone_for_a_while_and_does_not_move_by_a_period_in_all() -> None:
    """It was a part later than where it began, and goes five back and four; four more were too many."""
    it = await call(0, lambda n: -5 * (n >= 100) - 4 * (n >= LOOK) - 4 * (n >= 2 * LOOK), 3 * LOOK)
    assert it.leg.row["displaced"] == -8
    assert it.leg.row["slot"] == 2
    assert len(it.moves) == 3
    assert min(after - before for before, after in pairwise(it.moves)) >= REST * SLOTS

"""Legs go to the slot that fits their packets: nothing is lost by it or doubled, and sound waits for less."""

from itertools import pairwise

import pytest

from tests.voice.media.parts import BUFFERED, LENGTH, Call, talk
from tests.voice.media.ticks import Bench
from voice.media.engine.layout import SEEKERS, SLOTS
from voice.media.engine.phase import PACKETS, SPARE, SPREAD
from voice.ports import Room
from voice.wire.rtp import timestamp_step


@pytest.mark.parametrize("phase", range(SLOTS))
async def test_a_leg_goes_to_the_slot_after_its_packets_and_neither_way_is_one_lost_or_doubled(phase: int) -> None:
    bench = Bench(capacity=1)
    call = Call(bench, phase)
    await talk(bench, [call])
    assert set(call.delays) == {BUFFERED + 1}
    assert [n for _, n in call.heard] == list(range(len(call.heard)))
    assert len(call.heard) >= LENGTH - 2
    assert call.troubles == [0, 0, 0]
    assert call.leg.row.slot == call.leg.row["slot"] == (phase + 1) % SLOTS
    steps = [after - before for (before, _), (after, _) in pairwise(call.sent)]
    assert sorted(steps)[1:-1] == [SLOTS] * (len(steps) - 2), "but for one, all leave on the beat"
    assert 1 < min(steps) <= max(steps) <= SLOTS + 1
    for before, after in pairwise(packet for _, packet in call.sent):
        assert timestamp_step(before.timestamp, after.timestamp) == 320
        assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert call.leg.row["late_frames"] == 0


async def test_a_little_jitter_is_left_room_for() -> None:
    bench = Bench(capacity=1)
    call = Call(bench, 4, jitter=(0, SPREAD, 1))
    await talk(bench, [call])
    assert call.leg.row.slot == 4 + SPREAD + 1
    assert min(call.delays) == BUFFERED + 1
    assert max(call.delays) == BUFFERED + 1 + SPREAD
    assert call.troubles == [0, 0, 0]


async def test_one_packet_that_comes_late_is_not_the_phase() -> None:
    bench = Bench(capacity=1)
    call = Call(bench, 4, jitter=(*[0] * 7, 6, *[0] * (LENGTH - 8)))
    await talk(bench, [call])
    assert set(call.delays) == {BUFFERED + 1}
    assert call.troubles == [0, 0, 0]


@pytest.mark.parametrize("jitter", [(0, SPREAD + 1), (0, 5)])  # the second as of packets of 10 or 30 ms
async def test_with_more_jitter_than_that_a_leg_stays(jitter: tuple[int, ...]) -> None:
    bench = Bench(capacity=1)
    call = Call(bench, 3, jitter)
    await talk(bench, [call])
    assert call.leg.row.slot == 0


async def test_the_fullest_slot_has_little_more_than_the_others() -> None:
    """All packets come at once: what does not fit goes one slot further."""
    bench = Bench(capacity=2 * SLOTS)
    calls = [Call(bench, 4) for _ in range(2 * SLOTS)]
    await talk(bench, calls)
    slots = [call.leg.row.slot for call in calls]
    assert len(calls) > SEEKERS
    assert slots.count(5) == 3 + SPARE
    assert slots.count(6) == len(calls) - 3 - SPARE
    for call in calls:
        assert set(call.delays) <= {BUFFERED + 1, BUFFERED + 2}
        assert call.troubles == [0, 0, 0]


@pytest.mark.parametrize(("first", "second"), [(2, 3), (3, 2), (2, 8), (8, 2), (0, 5)])
@pytest.mark.parametrize("entered", range(400, 400 + SLOTS, 3))
async def test_a_room_of_two_takes_the_slot_by_which_the_one_who_waits_longer_waits_less(
    first: int, second: int, entered: int
) -> None:
    bench = Bench(capacity=3)
    calls, room = [Call(bench, phase) for phase in (first, second)], Room()
    await talk(bench, calls, end=entered)
    for call in calls:
        call.leg.enter(room)
    await talk(bench, calls, entered)
    slots = {call.leg.row.slot for call in calls} | {call.leg.row["slot"] for call in calls}
    apart = min((second - first) % SLOTS, (first - second) % SLOTS)
    assert len(slots) == 1
    assert {max(call.delays[-9:]) for call in calls} == {BUFFERED + 1, BUFFERED + 1 + apart}
    for call in calls:
        late, overflowed, concealed = call.troubles
        assert (late, overflowed) == (0, 0)
        assert concealed <= 1
        assert {after - before for (before, _), (after, _) in pairwise(call.sent[50:])} == {SLOTS}


async def test_a_leg_in_a_room_stays_with_the_others() -> None:
    bench = Bench(capacity=2)
    calls, room = [Call(bench, phase) for phase in (3, 7)], Room()
    for call in calls:
        call.leg.enter(room)
    await talk(bench, calls)
    assert {call.leg.row["slot"] for call in calls} == {call.leg.row.slot for call in calls} == {1}


async def test_the_next_leg_of_a_row_has_a_phase_of_its_own() -> None:
    bench = Bench(capacity=1)
    first = Call(bench, 2)
    await talk(bench, [first], end=PACKETS // 2 * SLOTS)
    first.leg.close()
    await bench.run_part(PACKETS // 2 * SLOTS)
    second = Call(bench, 7)
    first.wire.inbound.clear()
    for part in range(PACKETS // 2 * SLOTS + 1, LENGTH * SLOTS):
        second.arrive(part)
        await bench.run_part(part)
    assert second.leg.row.slot == 8

"""The jitter buffer against a dictionary: whatever comes in whatever order, all is in its place and nothing outside."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp import jitter
from dsp.arrivals import MAX_TICKS, MIN_TICKS, TARGET
from dsp.cells import CELL_OCTETS, CELLS, HELD
from dsp.jitter import CAPACITY_TICKS, CURSOR, EDGE, FRAME, LOST, OFFSET, SILENCE, TAKEN, JitterBuffers
from dsp.reception import RECEIVED, Numbers
from tests.dsp.network import Packet, audio, numbers

PTIMES_MS = (10, 20, 30, 40, 60, 13)


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Packet]]:
    """Packets of any lengths, each of which comes never, once or twice and up to twelve ticks late: what comes when."""
    ticks: list[list[Packet]] = [[] for _ in range(200)]
    begin_ms = 0
    for sequence in range(draw(st.integers(1, 60))):
        ptime_ms = draw(st.sampled_from(PTIMES_MS))
        packet = Packet(
            0xFFF0 + sequence & 0xFFFF, 0xFFFF_F000 + begin_ms * 8 & 0xFFFF_FFFF, 1, audio(begin_ms, ptime_ms)
        )
        begin_ms += ptime_ms
        for delay in draw(st.lists(st.integers(0, 12), max_size=2)):
            ticks[begin_ms // 20 + delay].append(packet)
    return [draw(st.permutations(packets)) if packets else [] for packets in ticks]


@settings(max_examples=200, deadline=None)
@given(deliveries())
def test_what_came_in_time_is_given_out_once_and_in_its_place(ticks: list[list[Packet]]) -> None:
    buffer = JitterBuffers(1)
    line, expected = buffer.state.line[0], {}
    for tick, packets in enumerate(ticks):
        for packet in packets:
            if buffer.push(0, *packet, tick) == TAKEN:
                begin = numbers(packet.payload)[0]
                moved = (line[OFFSET] + 0xFFFF_F000) // 8
                expected.update({int(n + moved): n for n in numbers(packet.payload) if n + moved >= line[CURSOR] * 20})
                assert begin + len(packet.payload) // 8 + moved > line[CURSOR] * 20
        cursor = int(line[CURSOR])
        kind, octets = buffer.pop(0, tick)
        held = {place: expected.pop(place) for place in range(cursor * 20, cursor * 20 + 20) if place in expected}
        assert (kind == FRAME) == bool(held)
        assert line[CURSOR] - cursor in ((1,) if held else (0, 1))
        if held:
            heard = numbers(octets)
            assert {place: heard[place - cursor * 20] for place in held} == held
            assert set(heard) == set(held.values())  # what was missing repeats what was not
    assert not expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF) | st.integers(0, 40),
            st.integers(0, 0xFFFF_FFFF) | st.integers(0, 20_000),
            st.integers(0, 1),
            st.integers(0, CELL_OCTETS + 100),
            st.integers(0, 3),
            st.integers(0, 60),
        ),
        max_size=120,
    ),
    st.booleans(),
)
def test_anything_may_be_pushed(packets: list[tuple[int, int, int, int, int, int]], divisible: bool) -> None:
    """The rows before and after stay as they are, and what is held lies between the cursor and the edge, where the last
    of it is."""
    buffer = JitterBuffers(3, 160 if divisible else 960, divisible=divisible)
    state, tick = buffer.state, 0
    for sequence, timestamp, ssrc, size, kind, wait in packets:
        if kind == 0:
            jitter.skip(state, 1, sequence, timestamp, ssrc, tick)
        else:
            buffer.push(1, sequence, timestamp, ssrc, bytes([255]) * size, tick, tag=kind)
        for _ in range(wait % 4):
            tick += 1 + wait // 40
            cursor = int(state.line[1, CURSOR])
            assert abs(jitter.want(state, 1, tick, 0.0)) < 2_000
            popped, octets = buffer.pop(1, tick)
            assert popped in (FRAME, LOST, SILENCE)
            assert len(octets) == 160 or not divisible or popped != FRAME
            assert state.line[1, CURSOR] >= cursor
        assert MIN_TICKS <= state.arrivals.state[1, TARGET] <= MAX_TICKS
        held = set(np.flatnonzero(state.cells.marks[1][:, HELD]).tolist())
        assert held <= places(state.line[1])
        assert state.line[1, EDGE] <= state.line[1, CURSOR] or (state.line[1, EDGE] - 1) % CELLS in held
    assert state.reception.counts[1, RECEIVED] == len(packets)
    for row in (0, 2):
        assert not state.cells.octets[row].any()
        assert not state.cells.marks[row].any()
        assert not state.reception.counts[row, RECEIVED]


def places(line: Numbers) -> set[int]:
    """Where a row may hold something."""
    assert line[EDGE] - line[CURSOR] <= CAPACITY_TICKS
    return {int(cell) % CELLS for cell in range(line[CURSOR], line[EDGE])}

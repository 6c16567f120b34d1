"""What the packets of the jitter buffer hold: more than a frame or less, of another law, or what cannot be cut."""

import math

import pytest

from dsp import jitter
from dsp.cells import CELL_OCTETS, TAG
from dsp.jitter import EMPTY, FRAME, LOST, SILENCE, TAKEN, TOO_LATE, JitterBuffers
from dsp.reception import CONCEALED, OVERFLOWED, RECEIVED
from dsp.reception import LOST as PACKETS_LOST
from tests.dsp.network import Packet, audio, counted, frames_of, listen, over, stream


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 50, 60])
def test_other_packet_times_are_cut_and_joined(ptime_ms: int) -> None:
    total_ms = 6_000
    buffer = JitterBuffers(1)
    heard = listen(buffer, over(stream(total_ms // ptime_ms, ptime_ms=ptime_ms)), total_ms // 20 + 12, stretch=False)
    assert heard.audio == list(range(total_ms))
    assert counted(buffer, CONCEALED) <= 10 + 2  # behind the end, and while the packet time was learnt


def test_of_a_half_lost_frame_the_other_half_is_heard() -> None:
    arrivals = [(at, packet) for at, packet in stream(200, ptime_ms=10) if packet.sequence not in (100, 151)]
    heard = listen(JitterBuffers(1), arrivals, 102, stretch=False)
    whole = frames_of(100)
    assert heard.frames[50] == whole[50][80:] * 2
    assert heard.frames[75] == whole[75][:80] * 2
    assert [frame for n, frame in enumerate(heard.frames) if n not in (50, 75)] == [
        frame for n, frame in enumerate(whole) if n not in (50, 75)
    ]


def test_what_is_missing_repeats_the_piece_before() -> None:
    buffer = JitterBuffers(1)
    buffer.push(0, 0, 0, 1, audio(0, 15), 0)
    assert [buffer.pop(0, tick) for tick in range(2)][1] == (FRAME, audio(0, 15) + audio(10, 5))


def test_a_long_packet_that_overflows_counts_once() -> None:
    buffer = JitterBuffers(1)
    packets = [packet for _, packet in stream(100, ptime_ms=60)]
    for packet in packets:
        buffer.push(0, *packet, 0)
    popped = [octets for kind, octets in (buffer.pop(0, 0) for _ in range(60)) if kind == FRAME]
    assert counted(buffer, OVERFLOWED) == 100 - math.ceil(len(popped) / 3)


def test_an_indivisible_packet_is_given_out_whole() -> None:
    packets = [Packet(n, n * 960, 1, bytes([n]) * (n + 1)) for n in range(50)]
    buffer, popped = JitterBuffers(1, 960, divisible=False), []
    for tick in range(51):
        if tick < 50 and tick != 30:
            buffer.push(0, *packets[tick], tick)
        popped.append(buffer.pop(0, tick))
    assert popped[1:] == [(FRAME, p.payload) if p.sequence != 30 else (LOST, b"") for p in packets]


def test_a_long_packet_covers_the_ticks_behind_it() -> None:
    """Opus of 60 ms: a frame in three ticks, and no silence and no loss between them."""
    buffer, popped, ticks_in_hand = JitterBuffers(1, 960, divisible=False), [], 0
    for tick in range(61):
        if tick % 3 == 2 and tick < 60:
            buffer.push(0, tick // 3, tick // 3 * 2_880, 1, bytes([tick // 3]), tick)
        jitter.want(buffer.state, 0, tick, ticks_in_hand * 20)
        if ticks_in_hand == 0:
            popped.append(buffer.pop(0, tick))
            ticks_in_hand = 1
            if popped[-1][0] == FRAME:
                ticks_in_hand = 3
                jitter.cover(buffer.state, 0, 2)
        ticks_in_hand -= 1
    assert popped == [(SILENCE, b"")] * 3 + [(FRAME, bytes([n])) for n in range(20)]
    assert counted(buffer, CONCEALED) == counted(buffer, OVERFLOWED) == 0


def test_the_packet_behind_a_loss_is_shown() -> None:
    buffer = JitterBuffers(1, 960, divisible=False)
    state = buffer.state
    for sequence in (0, 2):
        buffer.push(0, sequence, sequence * 960, 1, bytes([sequence]), 0)
    assert [buffer.pop(0, 0)[0], buffer.pop(0, 0)[0]] == [SILENCE, FRAME]
    assert jitter.peek_next(state, 0) == -1
    assert buffer.pop(0, 1)[0] == LOST
    cell = jitter.peek_next(state, 0)
    assert state.cells.octets[0, cell, 0] == 2
    assert buffer.pop(0, 2) == (FRAME, b"\x02")


def test_each_packet_keeps_its_law() -> None:
    """The law changes in mid call; what the old one was, follows late."""
    buffer, tags = JitterBuffers(1), []
    packets = [packet for _, packet in stream(20)]
    order = [*range(10), 11, 10, *range(12, 20)]
    for tick in range(21):
        if tick < 20:
            sequence, timestamp, ssrc, payload = packets[order[tick]]
            buffer.push(0, sequence, timestamp, ssrc, payload, tick, tag=int(sequence >= 11))
        if buffer.pop(0, tick)[0] == FRAME:
            tags.append(int(buffer.state.frame[0, TAG]))
    assert tags == [0] * 11 + [1] * 9


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_laws_in_a_frame_the_later_stays(order: tuple[int, int]) -> None:
    buffer = JitterBuffers(1)
    before, *_ = stream(1)
    buffer.push(0, *before[1], 0)
    for half in order:
        buffer.push(0, 1 + half, 160 + half * 80, 1, audio(20 + half * 10, 10), 0, tag=half)
    assert [buffer.pop(0, tick) for tick in range(3)][2] == (FRAME, audio(30, 10) * 2)
    assert buffer.state.frame[0, TAG] == 1


def test_a_piece_of_the_former_law_between_two_of_the_new_is_dropped() -> None:
    buffer = JitterBuffers(1)
    for sequence, tag in ((0, 0), (2, 0), (1, 1)):
        buffer.push(0, sequence, sequence * 40, 1, audio(sequence * 5, 5), 0, tag=tag)
    expected = audio(0, 5) * 2 + audio(10, 5) * 2
    assert [buffer.pop(0, tick) for tick in range(2)][1] == (FRAME, expected)
    assert buffer.state.frame[0, TAG] == 0


def test_another_format_begins_with_nothing_held() -> None:
    buffer = JitterBuffers(1)
    packets = [packet for _, packet in stream(40)]
    for tick in range(20):
        buffer.push(0, *packets[tick], tick)
        buffer.pop(0, tick)
    jitter.clear_row(buffer.state, 0, 960, False)
    popped = []
    for tick in range(20, 40):
        buffer.push(0, tick, 20 * 160 + (tick - 20) * 960, 1, bytes([tick]), tick)
        popped.append(buffer.pop(0, tick))
    assert popped[1:] == [(FRAME, bytes([n])) for n in range(20, 39)]
    assert counted(buffer, PACKETS_LOST) == 0


def test_what_fits_no_cell_is_counted_and_dropped() -> None:
    buffer = JitterBuffers(1)
    assert buffer.push(0, 0, 0, 1, bytes(CELL_OCTETS + 8), 0) == EMPTY
    assert buffer.push(0, 1, 0, 1, b"1234567", 0) == EMPTY
    assert buffer.push(0, 2, 0, 1, bytes(160), 0) == TAKEN
    assert [buffer.pop(0, tick)[0] for tick in range(3)] == [SILENCE, FRAME, LOST]
    assert buffer.push(0, 3, 160, 1, bytes(160), 3) == TOO_LATE
    assert counted(buffer, RECEIVED) == 4
    assert counted(buffer, PACKETS_LOST) == 0

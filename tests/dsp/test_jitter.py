"""The jitter buffer in virtual time, pops of one frame a tick: what is given out when, and why nothing is."""

import random

import numpy as np
import pytest

from dsp import jitter
from dsp.arrivals import MIN_TICKS, TARGET
from dsp.jitter import CAPACITY_TICKS, FRAME, LOST, SILENCE, TAKEN, UNWANTED, JitterBuffers
from dsp.reception import CONCEALED, LATE, OVERFLOWED, RECEIVED, REPEATED, SHORTENED_MS, STRETCHED_MS
from dsp.reception import LOST as PACKETS_LOST
from tests.dsp.network import Packet, audio, counted, frames_of, listen, over, stream


def test_a_smooth_stream_is_delayed_by_the_shortest_delay_and_whole() -> None:
    buffer = JitterBuffers(1)
    heard = listen(buffer, over(stream(100)), 101, stretch=False)
    assert heard.kinds[:MIN_TICKS] == [SILENCE] * MIN_TICKS
    assert heard.frames == frames_of(100)
    assert heard.delays_ms == [20] * 100


@pytest.mark.parametrize("percent", [1, 5, 10, 30])
def test_loss_costs_what_was_lost_and_nothing_more(percent: int) -> None:
    count = 10_000
    arrivals = over(stream(count), seed=percent, loss=percent / 100)
    came = {packet.sequence for _, packet in arrivals}
    buffer = JitterBuffers(1)
    heard = listen(buffer, arrivals, count + MIN_TICKS, stretch=False)
    expected = [(FRAME, frame) if n in came else (LOST, b"") for n, frame in enumerate(frames_of(count))]
    last = max(came)
    assert heard.popped[MIN_TICKS : MIN_TICKS + last + 1] == expected[: last + 1]
    assert counted(buffer, RECEIVED) == len(came)
    assert counted(buffer, PACKETS_LOST) == last + 1 - min(came) - len(came)
    assert counted(buffer, LATE) == counted(buffer, STRETCHED_MS) == counted(buffer, SHORTENED_MS) == 0


@pytest.mark.parametrize("length", [2, 5, 9])
def test_a_burst_of_losses_keeps_its_length(length: int) -> None:
    arrivals = [(at, packet) for at, packet in stream(200) if not 100 <= packet.sequence < 100 + length]
    heard = listen(JitterBuffers(1), arrivals, 201, stretch=False)
    assert heard.frames == frames_of(100) + frames_of(200)[100 + length :]
    assert heard.kinds[101 : 101 + length] == [LOST] * length


def test_reordering_within_the_delay_is_undone() -> None:
    arrivals = [(at + (20 if packet.sequence % 7 == 3 else 0), packet) for at, packet in stream(500)]
    buffer = JitterBuffers(1)
    heard = listen(buffer, sorted(arrivals, key=lambda arrival: arrival[0]), 501, stretch=False)
    assert heard.frames == frames_of(500)
    assert counted(buffer, PACKETS_LOST) == 0


def test_repeats_are_dropped_and_counted() -> None:
    arrivals = [(at + late, packet) for at, packet in stream(300) for late in (0, 0, 45)]
    buffer = JitterBuffers(1)
    heard = listen(buffer, sorted(arrivals, key=lambda arrival: arrival[0]), 310, stretch=False)
    assert heard.frames == frames_of(300)
    assert counted(buffer, REPEATED) == 600
    assert buffer.push(0, *stream(300)[-1][1], 311) == UNWANTED


def test_sequence_and_timestamp_wrap() -> None:
    buffer = JitterBuffers(2)
    wrapping = listen(buffer, over(stream(200, sequence=0xFFC0, timestamp=0xFFFF_F000), loss=0.1), 202)
    assert wrapping.popped == listen(buffer, over(stream(200), loss=0.1), 202, row=1).popped
    assert 10 < counted(buffer, PACKETS_LOST) < 40


def test_a_pause_of_the_sender_is_silence_and_no_loss() -> None:
    arrivals = [
        (at, p) if p.sequence < 50 else (at + 120, p._replace(timestamp=p.timestamp + 960)) for at, p in stream(100)
    ]
    buffer = JitterBuffers(1)
    heard = listen(buffer, arrivals, 107, stretch=False)
    assert heard.frames == frames_of(100)
    assert counted(buffer, PACKETS_LOST) == 0


@pytest.mark.parametrize("counts_on", [True, False])
def test_a_minute_without_packets_ends_with_a_fresh_start(counts_on: bool) -> None:
    """The sender's clock may count on through its pause, or stand still."""
    pause_ms = 60_000
    arrivals = [
        (at, p) if p.sequence < 50 else (at + pause_ms, p._replace(timestamp=p.timestamp + counts_on * pause_ms * 8))
        for at, p in stream(100)
    ]
    heard = listen(JitterBuffers(1), arrivals, 101 + pause_ms // 20, stretch=False)
    assert heard.frames == frames_of(100)
    assert heard.kinds.count(LOST) <= 12
    assert heard.popped[-1] == (FRAME, frames_of(100)[-1])


def test_a_minute_of_comfort_noise_is_silence_and_time_goes_on() -> None:
    buffer, kinds = JitterBuffers(1), []
    for tick in range(3_100):
        if tick < 50 or tick >= 3_050:
            buffer.push(0, tick if tick < 50 else tick - 3_000 + 300, tick * 160, 1, audio(tick * 20, 20), tick)
        elif tick % 10 == 0:
            jitter.skip(buffer.state, 0, 50 + (tick - 50) // 10, tick * 160, 1, tick)
            jitter.pause(buffer.state, 0)
        kinds.append(buffer.pop(0, tick)[0])
    assert kinds[51:3_051] == [SILENCE] * 3_000
    assert kinds[3_051:] == [FRAME] * 49
    assert counted(buffer, PACKETS_LOST) == counted(buffer, CONCEALED) == 0


@pytest.mark.parametrize("step", [1_000_000, -1_000_000, 20_000, -20_000])
def test_a_clock_set_anew_costs_nothing(step: int) -> None:
    arrivals = [
        (at, p if p.sequence < 50 else p._replace(timestamp=(p.timestamp + step) & 0xFFFF_FFFF))
        for at, p in stream(100, timestamp=3_000_000)
    ]
    assert listen(JitterBuffers(1), arrivals, 105, stretch=False).frames == frames_of(100)


def test_a_new_source_plays_on_behind_the_old() -> None:
    second = [(at + 1_000, packet) for at, packet in stream(50, ssrc=2, sequence=9_000, timestamp=77)]
    buffer = JitterBuffers(1)
    first = [(at, packet) for at, packet in stream(50) if packet.sequence not in (20, 21)]
    heard = listen(buffer, [*first, *second], 105, stretch=False)
    assert heard.frames == frames_of(20) + frames_of(50)[22:] + frames_of(50)
    assert counted(buffer, PACKETS_LOST) == 2


def test_of_a_stream_that_ended_no_loss_is_known() -> None:
    buffer = JitterBuffers(1)
    for sequence in (9_000, 9_003):
        buffer.push(0, sequence, sequence * 160, 1, bytes(160), 0)
    buffer.push(0, 5, 0, 2, bytes(160), 0)
    kinds = [buffer.pop(0, tick)[0] for tick in range(6)]
    assert kinds == [SILENCE, FRAME, SILENCE, SILENCE, FRAME, FRAME]


def test_a_count_begun_anew_is_no_loss() -> None:
    """RFC 3550 A.1: a sender that was restarted keeps its source and nothing else."""
    arrivals = [(at, p if p.sequence < 50 else p._replace(sequence=p.sequence + 20_000)) for at, p in stream(100)]
    buffer = JitterBuffers(1)
    assert listen(buffer, arrivals, 101, stretch=False).frames == frames_of(100)
    assert counted(buffer, PACKETS_LOST) == 0


def test_a_longer_path_is_followed() -> None:
    """300 ms more of delay, all at once: longer than the deepest buffer."""
    arrivals = [(at if packet.sequence < 200 else at + 300, packet) for at, packet in stream(600)]
    buffer = JitterBuffers(1)
    heard = listen(buffer, arrivals, 620, stretch=False)
    assert heard.frames[-300:] == frames_of(600)[-300:]
    assert counted(buffer, LATE) <= 16


def test_a_standstill_of_the_tick_is_past_and_not_delay() -> None:
    buffer = JitterBuffers(1)
    packets = [packet for _, packet in stream(300)]
    for tick in range(100):
        buffer.push(0, *packets[tick], tick)
        buffer.pop(0, tick)
    for packet in packets[100:201]:
        buffer.push(0, *packet, 200)
    assert buffer.pop(0, 200) == (FRAME, packets[199].payload)


def test_a_loss_that_nobody_missed_makes_no_pause_a_loss() -> None:
    """It lay in what a standstill of the tick dropped; what comes next lies behind a pause of the sender."""
    buffer = JitterBuffers(1)
    packets = [packet for _, packet in stream(20)]
    for tick in range(10):
        buffer.push(0, *packets[tick], tick)
        buffer.pop(0, tick)
    for packet in [*packets[10:15], *packets[16:20], Packet(20, 25 * 160, 1, audio(500, 20))]:
        buffer.push(0, *packet, 22)
    buffer.state.arrivals.state[0, TARGET] = MIN_TICKS
    assert [buffer.pop(0, tick)[0] for tick in range(22, 27)] == [SILENCE] * 4 + [FRAME]


def test_a_hole_is_given_out_longer_while_the_delay_is_too_short() -> None:
    buffer, kinds = JitterBuffers(1), []
    for tick, (_, packet) in enumerate(stream(40)):
        if packet.sequence != 20:
            buffer.push(0, *packet, tick)
        buffer.state.arrivals.state[0, TARGET] = MIN_TICKS if tick < 20 else 3
        kinds.append(buffer.pop(0, tick)[0])
    assert kinds == [SILENCE] + [FRAME] * 20 + [LOST] * 3 + [FRAME] * 16
    assert counted(buffer, STRETCHED_MS) == 40


def test_a_tick_without_a_pop_is_no_standstill() -> None:
    """What was decoded may last for some ticks: `want` told that they went by."""
    buffer, popped = JitterBuffers(1), []
    for tick, (_, packet) in enumerate(stream(100)):
        buffer.push(0, *packet, tick)
        jitter.want(buffer.state, 0, tick, 0.0)
        if not 40 <= tick < 45:
            popped.append(buffer.pop(0, tick))
    assert popped[1:] == [(FRAME, frame) for frame in frames_of(94)]


def test_the_buffer_is_bounded() -> None:
    buffer = JitterBuffers(1)
    packets = [packet for _, packet in stream(200)]
    for packet in packets[:150]:
        buffer.push(0, *packet, 0)
    held = [octets for kind, octets in (buffer.pop(0, 0) for _ in range(60)) if kind == FRAME]
    assert held[-1] == packets[149].payload
    assert len(held) <= CAPACITY_TICKS
    assert counted(buffer, OVERFLOWED) + len(held) == 150


def test_a_packet_too_old_to_know_is_late() -> None:
    buffer = JitterBuffers(1)
    assert buffer.push(0, 500, 500 * 160, 1, bytes(160), 0) == TAKEN
    assert buffer.push(0, 300, 300 * 160, 1, bytes(160), 0) == UNWANTED
    assert counted(buffer, LATE) == 1


def test_keys_among_the_audio_are_no_loss() -> None:
    buffer, popped = JitterBuffers(1), []
    for tick, (_, packet) in enumerate(stream(60)):
        if 20 <= tick < 28:
            jitter.skip(buffer.state, 0, packet.sequence, 20 * 160, 1, tick)
        else:
            buffer.push(0, *packet, tick)
        popped.append(buffer.pop(0, tick))
    assert [kind for kind, _ in popped[21:29]] == [SILENCE] * 8
    assert popped[29] == (FRAME, frames_of(60)[28])
    assert counted(buffer, PACKETS_LOST) == counted(buffer, CONCEALED) == 0


def test_a_row_begun_anew_remembers_nothing() -> None:
    buffer = JitterBuffers(2)
    fresh = [array.copy() for array in (*buffer.state.arrivals, *buffer.state.reception, buffer.state.line)]
    listen(buffer, over(stream(300), loss=0.2, delay_ms=lambda chance: chance.uniform(0, 100)), 300)
    jitter.open_row(buffer.state, 0, 160, True)
    for array, before in zip((*buffer.state.arrivals, *buffer.state.reception, buffer.state.line), fresh, strict=True):
        np.testing.assert_array_equal(array, before)
    assert not buffer.state.cells.marks[:, :, 0].any()


@pytest.mark.parametrize("seed", range(10))
def test_a_wild_network_never_stops_the_clock(seed: int) -> None:
    chance = random.Random(seed)
    arrivals = over(
        stream(2_000),
        seed=seed,
        loss=0.2,
        delay_ms=lambda c: c.uniform(0, 400) if c.random() < 0.2 else c.uniform(0, 20),
    )
    arrivals = [(at, packet) for at, packet in arrivals for _ in range(1 + (chance.random() < 0.1))]
    buffer = JitterBuffers(1)
    heard = listen(buffer, arrivals, 2_020)
    assert heard.audio == sorted(set(heard.audio))
    lost = sum(counted(buffer, column) for column in (LATE, REPEATED, OVERFLOWED))
    assert len(heard.frames) == counted(buffer, RECEIVED) - lost

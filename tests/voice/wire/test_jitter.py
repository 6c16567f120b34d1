"""The jitter buffer in virtual time: every packet that came in time is heard, and time never shrinks."""

import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.voice.wire.packets import over, play, stream
from voice.wire.arrivals import MAX_TICKS, START_TICKS
from voice.wire.jitter import CAPACITY_PACKETS, CAPACITY_TICKS, Hole, JitterBuffer
from voice.wire.rtp import RtpPacket


def frames_of(count: int) -> list[bytes]:
    """The audio of `stream(count)`, cut to frames."""
    return [packet.payload for _, packet in stream(count)]


def test_a_smooth_stream_is_delayed_by_the_start_depth_and_whole() -> None:
    played = play(JitterBuffer(), over(stream(100)), 102)
    assert played.frames[:START_TICKS] == [Hole.SILENCE] * START_TICKS
    assert played.frames[START_TICKS:] == frames_of(100)


@pytest.mark.parametrize("percent", [1, 5, 10, 30])
def test_loss_costs_what_was_lost_and_nothing_more(percent: int) -> None:
    count = 10_000
    arrivals = over(stream(count), seed=percent, loss=percent / 100)
    came = {packet.sequence for _, packet in arrivals}
    buffer = JitterBuffer()
    played = play(buffer, arrivals, count + START_TICKS)
    expected = [frame if n in came else Hole.LOST for n, frame in enumerate(frames_of(count))]
    last = max(came)
    assert played.frames[START_TICKS : START_TICKS + last + 1] == expected[: last + 1]
    assert buffer.stats.received == len(came)
    assert buffer.stats.lost == last + 1 - min(came) - len(came)
    assert buffer.stats.late == buffer.stats.shortened == buffer.stats.stretched == 0


@pytest.mark.parametrize("length", [2, 5, 9])
def test_a_burst_of_losses_keeps_its_length(length: int) -> None:
    arrivals = [(at, packet) for at, packet in stream(200) if not 100 <= packet.sequence < 100 + length]
    played = play(JitterBuffer(), arrivals, 202)
    assert played.audio == frames_of(100) + frames_of(200)[100 + length :]
    assert played.frames[102 : 102 + length] == [Hole.LOST] * length


@pytest.mark.parametrize(("seed", "loss"), [(1, 0.0), (2, 0.01), (3, 0.05), (4, 0.1), (5, 0.3)])
@pytest.mark.parametrize("spread_ms", [10, 30, 60])
def test_jitter_is_learnt_and_few_packets_come_too_late(seed: int, loss: float, spread_ms: int) -> None:
    count = 4_000
    arrivals = over(stream(count), seed=seed, loss=loss, delay_ms=lambda chance: abs(chance.gauss(0, spread_ms)))
    buffer = JitterBuffer()
    played = play(buffer, arrivals, count + 20, quiet=lambda tick: tick % 100 < 30)
    stats = buffer.stats
    assert stats.late <= 0.05 * stats.received
    in_time = stats.received - stats.late
    assert in_time - stats.shortened <= len(played.audio) <= in_time  # a frame left out may have been a hole
    assert stats.overflowed == 0
    assert stats.shortened + stats.stretched < 0.05 * count
    assert all(START_TICKS * 20 <= depth <= MAX_TICKS * 20 for depth in played.depths_ms)


def test_depth_grows_with_jitter_and_comes_back() -> None:
    rough = over(stream(1_000), seed=9, delay_ms=lambda chance: chance.uniform(0, 120))
    calm = [(at + 20_000, replace(packet, sequence=packet.sequence + 1_000, timestamp=packet.timestamp + 160_000))
            for at, packet in stream(2_000)]  # fmt: skip
    played = play(JitterBuffer(), [*rough, *calm], 3_000, quiet=lambda tick: tick % 4 == 0)
    assert 120 <= played.depths_ms[990] <= 160
    assert played.depths_ms[-1] == 40
    assert played.audio[-1] in [packet.payload for _, packet in calm[-4:-2]]  # the delay is back to 40 or 60 ms


def test_reordering_within_the_depth_is_undone() -> None:
    arrivals = [(at + (30 if packet.sequence % 7 == 3 else 0), packet) for at, packet in stream(500)]
    buffer = JitterBuffer()
    played = play(buffer, sorted(arrivals, key=lambda arrival: arrival[0]), 502)
    assert played.audio == frames_of(500)
    assert buffer.stats.lost == 0


def test_repeats_are_dropped_and_counted() -> None:
    arrivals = [(at + late, packet) for at, packet in stream(300) for late in (0, 0, 45)]
    buffer = JitterBuffer()
    played = play(buffer, sorted(arrivals, key=lambda arrival: arrival[0]), 310)
    assert played.audio == frames_of(300)
    assert buffer.stats.repeated == 600


def test_sequence_and_timestamp_wrap() -> None:
    arrivals = over(stream(200, sequence=0xFFC0, timestamp=0xFFFF_F000), loss=0.1)
    reference = over(stream(200), loss=0.1)
    buffer = JitterBuffer()
    assert play(buffer, arrivals, 202).frames == play(JitterBuffer(), reference, 202).frames
    assert 10 < buffer.stats.lost < 40


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_other_packet_times_are_cut_and_joined(ptime_ms: int) -> None:
    total_ms = 6_000
    arrivals = over(stream(total_ms // ptime_ms, ptime_ms=ptime_ms))
    arrivals = [(at + ptime_ms, packet) for at, packet in arrivals]  # a packet leaves when its audio is complete
    buffer = JitterBuffer()
    played = play(buffer, arrivals, total_ms // 20 + 12)
    assert b"".join(played.audio) == b"".join(frames_of(total_ms // 20))
    assert buffer.stats.stretched <= 2


def test_of_a_half_lost_frame_the_other_half_is_heard() -> None:
    arrivals = [(at, packet) for at, packet in stream(200, ptime_ms=10) if packet.sequence not in (100, 151)]
    played = play(JitterBuffer(), arrivals, 102)
    whole = frames_of(100)
    assert played.audio[50] == whole[50][80:] * 2
    assert played.audio[75] == whole[75][:80] * 2
    assert [frame for n, frame in enumerate(played.audio) if n not in (50, 75)] == [
        frame for n, frame in enumerate(whole) if n not in (50, 75)
    ]


def test_a_pause_of_the_sender_is_silence_and_no_loss() -> None:
    arrivals = [(at if packet.sequence < 50 else at + 120, packet) for at, packet in stream(100)]
    arrivals = [(at, p if p.sequence < 50 else replace(p, timestamp=p.timestamp + 960)) for at, p in arrivals]
    buffer = JitterBuffer()
    played = play(buffer, arrivals, 110)
    assert played.audio == frames_of(100)
    assert buffer.stats.lost == 0


@pytest.mark.parametrize("counts_on", [True, False])
def test_a_long_pause_ends_with_a_fresh_start(counts_on: bool) -> None:
    """The sender's clock may count on through its pause, or stand still."""
    pause = 20_000
    arrivals = [
        (at, p) if p.sequence < 50 else (at + pause, replace(p, timestamp=p.timestamp + counts_on * pause * 8))
        for at, p in stream(100)
    ]
    played = play(JitterBuffer(), arrivals, 102 + pause // 20)
    assert played.audio == frames_of(100)
    assert played.count(Hole.LOST) <= 12
    assert played.frames[-1] == frames_of(100)[-1]


@pytest.mark.parametrize("step", [1_000_000, -1_000_000, 20_000, -20_000])
def test_a_clock_set_anew_costs_nothing(step: int) -> None:
    arrivals = [
        (at, packet if packet.sequence < 50 else replace(packet, timestamp=(packet.timestamp + step) & 0xFFFF_FFFF))
        for at, packet in stream(100, timestamp=3_000_000)
    ]
    assert play(JitterBuffer(), arrivals, 106).audio == frames_of(100)


def test_a_new_source_plays_on_behind_the_old() -> None:
    first = over(stream(50))
    second = [(at + 1_000, packet) for at, packet in over(stream(50, ssrc=2, sequence=9_000, timestamp=77))]
    buffer = JitterBuffer()
    played = play(buffer, [*first, *second], 106)
    assert played.audio == frames_of(50) * 2
    assert buffer.stats.lost == 0


def test_a_longer_path_is_followed() -> None:
    """300 ms more of delay, all at once: longer than the deepest buffer."""
    arrivals = [(at if packet.sequence < 200 else at + 300, packet) for at, packet in stream(600)]
    buffer = JitterBuffer()
    played = play(buffer, arrivals, 620)
    assert played.audio[-300:] == frames_of(600)[-300:]
    assert buffer.stats.late <= 16


@pytest.mark.parametrize("drift", [300e-6, -300e-6])
def test_drift_is_taken_up_in_silence(drift: float) -> None:
    """30 minutes; one tick in four is quiet; 300 ppm are 540 ms in all."""
    count = 90_000
    arrivals = [(at * (1 + drift), packet) for at, packet in stream(count)]
    buffer = JitterBuffer()
    ticks = int(arrivals[-1][0] / 20)
    played = play(buffer, arrivals, ticks, quiet=lambda tick: tick % 200 < 50)
    stats = buffer.stats
    moved = stats.shortened - stats.stretched
    assert 24 <= (-moved if drift > 0 else moved) <= 30
    assert stats.late == stats.overflowed == stats.lost == 0
    assert max(played.depths_ms) <= 60
    assert played.frames[-1] in [packet.payload for _, packet in arrivals[-8:]]


def test_drift_without_any_silence_is_bounded() -> None:
    arrivals = [(at * (1 - 1e-3), packet) for at, packet in stream(30_000)]
    buffer = JitterBuffer()
    play(buffer, arrivals, 29_000)
    assert buffer.stats.overflowed == 0
    assert buffer.stats.shortened >= 15


def test_a_standstill_of_the_tick_is_past_and_not_delay() -> None:
    buffer = JitterBuffer()
    packets = [packet for _, packet in stream(300)]
    for now in range(100):
        buffer.push(packets[now], now)
        buffer.pop(now, quiet=False)
    for packet in packets[100:201]:
        buffer.push(packet, 200)
    assert buffer.pop(200, quiet=False) == packets[198].payload


def test_the_buffer_is_bounded_in_time_and_number() -> None:
    buffer = JitterBuffer()
    packets = [packet for _, packet in stream(200)]
    for packet in packets[:150]:
        buffer.push(packet, 0)
    held = [buffer.pop(tick, quiet=False) for tick in range(60)]
    assert packets[149].payload in held
    assert sum(isinstance(frame, bytes) for frame in held) <= CAPACITY_TICKS
    assert buffer.stats.overflowed >= 100
    tiny = JitterBuffer()
    for n in range(CAPACITY_PACKETS + 100):
        tiny.push(RtpPacket(0, n, n, 1, b"\xff"), 0)
    assert tiny.stats.overflowed == 100


def test_keys_among_the_audio_are_no_loss() -> None:
    buffer = JitterBuffer()
    frames = []
    for now, (_, packet) in enumerate(stream(60)):
        if 20 <= now < 28:
            buffer.skip(replace(packet, payload_type=101, timestamp=20 * 160, payload=bytes(4)), now)
        else:
            buffer.push(packet, now)
        frames.append(buffer.pop(now, quiet=False))
    assert frames[22:30] == [Hole.SILENCE] * 8
    assert frames[30] == frames_of(60)[28]
    assert buffer.stats.lost == buffer.stats.concealed == 0


def test_indivisible_packets_are_given_out_whole() -> None:
    packets = [RtpPacket(111, n, n * 960, 1, bytes([n]) * (n + 1)) for n in range(50)]
    arrivals = [(n * 20.0, packet) for n, packet in enumerate(packets) if n != 30]
    played = play(JitterBuffer(960, divisible=False), arrivals, 52)
    assert played.audio == [packet.payload for packet in packets if packet.sequence != 30]
    assert played.frames[32] is Hole.LOST


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF), st.integers(0, 1), st.integers(0, 400), st.booleans()
        ),
        max_size=200,
    ),
    st.booleans(),
)
@example(  # what is held of a stream that ended, behind a hole
    [(0, at, ssrc, size, False) for at, ssrc, size in ((3451, 1, 399), (2787, 1, 400), (801, 1, 1), (0, 0, 0))]
    + [(sequence, 0, ssrc, size, False) for sequence, ssrc, size in ((2, 0, 1), (0, 1, 1), (0, 0, 0))],
    False,
)
def test_anything_may_be_pushed(packets: list[tuple[int, int, int, int, bool]], divisible: bool) -> None:
    buffer = JitterBuffer(divisible=divisible)
    for now, (sequence, timestamp, ssrc, size, key) in enumerate(packets):
        packet = RtpPacket(0, sequence, timestamp, ssrc, bytes(size))
        (buffer.skip if key else buffer.push)(packet, now // 3)
        if now % 3 == 0:
            frame = buffer.pop(now // 3, quiet=size < 100)
            assert isinstance(frame, Hole) or len(frame) == 160 or not divisible


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
    buffer = JitterBuffer()
    played = play(buffer, arrivals, 2_020, quiet=lambda tick: tick % 50 < 10)
    order = [frames_of(2_000).index(frame) for frame in played.audio[:20]]
    assert order == sorted(order)
    stats = buffer.stats
    assert len(played.frames) == 2_020
    in_time = stats.received - stats.late - stats.repeated - stats.overflowed
    assert in_time - stats.shortened <= len(played.audio) <= in_time

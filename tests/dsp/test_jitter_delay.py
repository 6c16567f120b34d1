"""How long the jitter buffer waits: jitter is learnt, drift is followed, and what came in time is heard."""

import random

import pytest

from dsp import jitter
from dsp.jitter import FRAME, SILENCE, TAKEN, TOO_LATE, JitterBuffers
from dsp.reception import CONCEALED, LATE, OVERFLOWED
from tests.dsp.network import TICK_MS, audio, listen, over, stream

PHASE_MS = 7.0


@pytest.mark.parametrize("jitter_ms", [0, 10, 30, 60])
@pytest.mark.parametrize("burst", [1, 4])
@pytest.mark.parametrize("percent", [0, 1, 2, 5, 10, 20, 30])
def test_every_packet_that_came_in_time_is_heard(percent: int, burst: int, jitter_ms: int) -> None:
    """And 99.5 % of all that came did so in time; what was put in where nothing was lost counts as lost, too."""
    count = 3_000
    delay = (lambda chance: PHASE_MS + chance.uniform(0, jitter_ms)) if jitter_ms else (lambda _: PHASE_MS)
    arrivals = over(stream(count), seed=percent, loss=percent / 100, burst=burst, delay_ms=delay)
    buffer = JitterBuffers(1)
    last = max(packet.sequence for _, packet in arrivals)
    heard = listen(buffer, arrivals, last + 8)
    counts = buffer.state.reception.counts[0]
    assert len(heard.frames) == len(arrivals) - counts[LATE]
    assert heard.audio == sorted(set(heard.audio))
    missed = last + 1 - arrivals[0][1].sequence - len(arrivals)
    added = counts[CONCEALED] - missed - 10  # behind the end, ten at most
    assert max(counts[LATE], added) <= 0.005 * count
    assert counts[OVERFLOWED] == 0
    if jitter_ms == 0:
        assert max(heard.delays_ms) <= 40
        assert heard.grown == heard.shrunk == 0
    assert max(heard.delays_ms) <= jitter_ms + 80


@pytest.mark.parametrize("sigma_ms", [10, 30, 60])
def test_a_long_tail_of_delays_is_cut_where_little_is_lost(sigma_ms: int) -> None:
    arrivals = over(stream(6_000), seed=3, delay_ms=lambda chance: PHASE_MS + abs(chance.gauss(0, sigma_ms)))
    buffer = JitterBuffers(1)
    heard = listen(buffer, arrivals, 6_020)
    assert buffer.state.reception.counts[0, LATE] <= 0.01 * 6_000
    assert heard.grown + heard.shrunk <= 0.01 * 6_000
    assert all(20 <= target <= 200 for target in heard.targets_ms)


def test_the_delay_grows_with_jitter_and_comes_back() -> None:
    rough = over(stream(1_000), seed=9, delay_ms=lambda chance: chance.uniform(0, 120))
    calm = [
        (at + 20_000, packet._replace(sequence=packet.sequence + 1_000, timestamp=packet.timestamp + 160_000))
        for at, packet in stream(2_000)
    ]
    heard = listen(JitterBuffers(1), [*rough, *calm], 3_000)
    assert 100 <= heard.targets_ms[990] <= 140
    assert heard.targets_ms[-1] == 20
    assert heard.shrunk >= 5


@pytest.mark.parametrize(("drift", "jitter_ms"), [(200e-6, 0), (200e-6, 20), (-200e-6, 0), (-200e-6, 20), (-1e-3, 20)])
def test_drift_is_followed_for_half_an_hour(drift: float, jitter_ms: int) -> None:
    """200 ppm are 360 ms in all."""
    count, chance = 90_000, random.Random(1)
    arrivals = sorted(
        ((at * (1 + drift) + chance.uniform(0, jitter_ms), packet) for at, packet in stream(count)),
        key=lambda arrival: arrival[0],
    )
    buffer = JitterBuffers(1)
    heard = listen(buffer, arrivals, int(arrivals[-1][0] / 20) + 4)
    delays = [delay - 20 * drift * n for n, delay in enumerate(heard.delays_ms)]
    counts = buffer.state.reception.counts[0]
    assert min(delays) >= 15
    assert max(delays) <= 75
    assert counts[LATE] <= 0.0002 * count
    assert len(heard.frames) >= count - 2 - counts[LATE]
    moves = abs(heard.grown - heard.shrunk)
    assert moves * 8 == pytest.approx(abs(drift) * count * 20, abs=50)


def test_a_phase_at_the_edge_of_the_tick_moves_nothing_for_long() -> None:
    """Once in eight seconds a packet is seen a tick earlier than the rest."""
    chance = random.Random(1)
    arrivals = [(at + (19.5 if chance.random() < 0.0025 else 20.5), packet) for at, packet in stream(30_000)]
    heard = listen(JitterBuffers(1), arrivals, 30_000)
    assert heard.grown + heard.shrunk < 20


def test_without_any_silence_the_delay_is_bounded() -> None:
    """A second comes at once, and then the sender goes on: so much too long is shortened in speech, too."""
    arrivals = [(max(at, 1_000.0), packet) for at, packet in stream(1_000)]
    heard = listen(JitterBuffers(1), arrivals, 1_000, quiet=lambda _: False)
    assert heard.delays_ms[-1] <= 20 + TICK_MS + 60


def test_the_wish_waits_for_a_while_after_a_move() -> None:
    buffer = JitterBuffers(1)
    for tick, (_, packet) in enumerate(stream(20)):
        buffer.push(0, *packet, tick)
        buffer.pop(0, tick)
    buffer.pop(0, 19)  # a pop too many
    told = []
    for tick in range(20, 30):
        buffer.push(0, *stream(30)[tick][1], tick)
        told.append(jitter.want(buffer.state, 0, tick, 0.0))
        if tick == 21:
            jitter.moved(buffer.state, 0, tick, 8.0)
        buffer.pop(0, tick)
    assert told == [20, 20, 0, 0, 0, 20, 20, 20, 20, 20]


def test_the_delay_is_shortened_from_far_too_long_to_nearly_right() -> None:
    """By what is held and what is in hand; and only while the frame to be left out is there."""
    buffer = JitterBuffers(1)
    first, second, third = (packet for _, packet in stream(3))
    buffer.push(0, *first, 0)
    buffer.pop(0, 0)
    buffer.pop(0, 1)
    buffer.push(0, *second, 1)
    assert [jitter.want(buffer.state, 0, 2, carry) for carry in (0.0, 31.0, 500.0, 5.0)] == [0, 0, 0, 0]
    buffer.push(0, *third, 2)
    told = [jitter.want(buffer.state, 0, 2, carry) for carry in (29.0, 31.0, 11.0, 9.0, 29.0)]
    assert told == [0, -31, -11, 0, 0]


def test_a_packet_that_begins_the_time_line_anew_ends_where_it_ends() -> None:
    """It lay across two ticks and lies in one: behind it is nothing that could be waited for."""
    buffer = JitterBuffers(1)
    for n in [0, *range(12, 31)]:
        buffer.push(0, n, n * 160, 1, audio(n * 20, 20), 0)
    kinds = []
    for tick in range(100):
        if 5 <= tick <= 15:
            became = buffer.push(0, tick - 4, 80, 1, audio(10, 20), tick)
            assert became == (TAKEN if tick == 15 else TOO_LATE)
        kinds.append(buffer.pop(0, tick)[0])
    assert kinds.count(FRAME) == 21
    assert kinds[-50:] == [SILENCE] * 50

"""The E-model against figures that are known of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.quality import Arrivals, mean_opinion, measure, rating
from voice.wire.reports import Told


def test_a_perfect_line() -> None:
    """G.107 (06/2015) section 7.7: the defaults give R = 93.2, and that is a MOS of 4.41."""
    assert rating(0, 0) == 93.2
    assert mean_opinion(93.2) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "mos"),
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (3, 1.0), (100, 4.5), (120, 4.5)],
)
def test_the_scores_of_ratings(r: float, mos: float) -> None:
    """G.107 annex B, table B.1."""
    assert mean_opinion(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("delay_ms", "r"), [(100, 90.8), (177.3, 88.9), (277.3, 75.5)])
def test_delay(delay_ms: float, r: float) -> None:
    assert rating(delay_ms, 0) == pytest.approx(r, abs=0.1)


@pytest.mark.parametrize(("loss_percent", "r"), [(1, 89.6), (5, 77.4), (25.1, 45.7), (100, 17.3)])
def test_loss(loss_percent: float, r: float) -> None:
    assert rating(0, loss_percent) == pytest.approx(r, abs=0.1)


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 1e6), st.floats(0, 100))
def test_worse_is_never_better(delay_ms: float, loss: float, more_ms: float, more_loss: float) -> None:
    good = rating(delay_ms, loss)
    bad = rating(delay_ms + more_ms, min(100, loss + more_loss))
    assert 0 <= bad <= good <= 93.2
    assert 1 <= mean_opinion(bad) <= 4.5


EVERY_TENTH_LOST = Arrivals(received=450, lost=50, concealed=50, delay_ms=20)
ALL_CAME = Arrivals(received=500, delay_ms=20)


def test_a_leg_that_nothing_is_known_of() -> None:
    assert measure(Arrivals(), Told()) is None


def test_a_far_end_that_reports_nothing() -> None:
    quality = measure(EVERY_TENTH_LOST, Told())
    assert quality is not None
    assert quality.inbound is not None
    assert (quality.inbound.packets, quality.inbound.lost) == (500, 50)
    assert quality.inbound.mos == pytest.approx(3.27, abs=0.1)
    assert (quality.outbound, quality.round_trip_ms) == (None, None)
    assert quality.concealed_frames == 50


def test_a_far_end_that_hears_badly() -> None:
    quality = measure(ALL_CAME, Told(100.0, 2.5, far_expected=500, far_lost=50, far_jitter_ms=8.0))
    assert quality is not None
    assert quality.round_trip_ms == 100
    assert quality.inbound is not None
    assert quality.outbound is not None
    assert (quality.inbound.lost, quality.inbound.jitter_ms) == (0, 2.5)
    assert quality.inbound.mos > 4.3
    assert (quality.outbound.lost, quality.outbound.packets, quality.outbound.jitter_ms) == (50, 500, 8.0)
    assert quality.outbound.mos == pytest.approx(3.2, abs=0.1)


async def test_a_leg_of_which_every_tenth_packet_was_lost() -> None:
    bench, wire = Bench(), FakeWire()
    leg, _ = bench.leg(wire)
    assert leg.quality is None
    for n, payload in enumerate(octets(tone(10_000))):
        wire.inbound = [(rtp(n, payload), PEER)] if n % 10 != 1 else []
        await bench.run()
    assert leg.quality == measure(EVERY_TENTH_LOST, Told())


def test_packets_that_came_too_late_or_twice() -> None:
    quality = measure(Arrivals(received=500, late=10, repeated=20, overflowed=5, concealed=15, delay_ms=40), Told())
    assert quality is not None
    assert quality.inbound is not None
    assert (quality.inbound.packets, quality.inbound.lost) == (480, 0)
    assert quality.inbound.mos == pytest.approx(mean_opinion(rating(60, 100 * 15 / 480)), abs=0.005)
    assert (quality.late_packets, quality.concealed_frames) == (10, 15)

"""Concealment: measured against silence and repetition over speech, and where its edges must be."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.likeness import largest_step, snr_db, spectral_distance_db
from bench.sound import Way, concealed, repeated, silenced
from dsp.kernel import Pcm
from dsp.plc import Concealer
from dsp.resample import resample
from tests.dsp.oracles import ConcealingOracle
from tests.dsp.speech import prompts, voice

ROW = np.zeros(1, np.int32)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99), st.sampled_from([160, 320]), st.lists(st.booleans(), min_size=30, max_size=70))
def test_it_does_what_the_oracle_does(seed: int, tick: int, losses: list[bool]) -> None:
    x = voice(1.6, seed)
    x = x if tick == 160 else resample(x, 8_000, 16_000)
    ours, oracle = Concealer(1, tick), ConcealingOracle(tick)
    for number, lost in enumerate(losses):
        tick_of_x = x[number * tick : (number + 1) * tick]
        made = tick_of_x.reshape(1, tick).copy()
        ours.process(ROW, made, np.array([lost], np.uint8))
        theirs = oracle.process(None if lost else tick_of_x, int(ours._it.period[0]))
        assert np.abs(made[0].astype(int) - theirs).max() <= 1
        oracle.past[-tick:] = made[0]


def compare(signals: Iterable[Pcm], rate: float) -> dict[Way, tuple[float, float]]:
    """Mean SNR and spectral distance of each way over `signals` with `rate` of their ticks lost."""
    rng = np.random.default_rng(1)
    ways: tuple[Way, ...] = (concealed, silenced, repeated)
    found: dict[Way, list[tuple[float, float]]] = {way: [] for way in ways}
    for signal in signals:
        x = signal[: signal.size // 160 * 160]
        lost = (rng.random(x.size // 160) < rate).astype(np.uint8)
        if lost.any():
            for way in ways:
                y = way(x, lost)
                found[way].append((snr_db(x, y), spectral_distance_db(x, y)))
    return {way: (float(np.mean(each, 0)[0]), float(np.mean(each, 0)[1])) for way, each in found.items()}


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_human_speech_fares_better_than_with_silence_or_repetition(rate: float) -> None:
    signals = [pcm for _, pcm in prompts() if pcm.size > 2 * 8_000][:40]
    figures = compare(signals, rate)
    snr, distance = figures[concealed]
    assert snr > figures[silenced][0] + 0.4
    assert snr > figures[repeated][0] + 3
    assert distance < figures[silenced][1] * 0.85
    assert distance < figures[repeated][1] * 0.72


def test_a_made_voice_fares_better_too() -> None:
    figures = compare([voice(10, seed=seed) for seed in range(4)], 0.05)
    snr, distance = figures[concealed]
    assert snr > figures[silenced][0] + 0.4
    assert snr > figures[repeated][0] + 3
    assert distance < figures[silenced][1] * 0.9
    assert distance < figures[repeated][1] * 0.8


def buzz(period: int, ticks: int) -> Pcm:
    """A steady voice: every harmonic of a period below 3 kHz."""
    time = np.arange(ticks * 160)
    x = sum(np.cos(2 * np.pi * k * time / period + k * k) / k for k in range(1, int(3_000 / (8_000 / period))))
    pcm: Pcm = np.rint(x / np.abs(x).max() * 12_000).astype(np.int16)
    return pcm


@pytest.mark.parametrize("period", [30, 57, 80, 117])
def test_a_steady_voice_goes_on_through_a_gap(period: int) -> None:
    x = buzz(period, 20)
    lost = np.zeros(20, np.uint8)
    lost[10] = 1
    y = concealed(x, lost)
    start = 10 * 160
    assert snr_db(x[start : start + 80], y[start : start + 80]) > 20  # before the fade begins
    middle, late = x[start : start + 160].astype(np.float64), y[start : start + 160].astype(np.float64)
    assert np.corrcoef(middle, late)[0, 1] > 0.98


@pytest.mark.parametrize("phase", [0.0, 0.7, 1.4, 2.1, 2.8])
def test_a_swelling_tone_does_not_click(phase: float) -> None:
    """The last period is far from the one before it: neither where it begins nor where it repeats may that be heard."""
    time = np.arange(20 * 160)
    swell = np.minimum(2 ** (time / 74 - 22), 1)  # doubles every period, up to the gap in tick 10
    x = np.rint(12_000 * swell * np.sin(2 * np.pi * time / 74 + phase)).astype(np.int16)
    lost = np.zeros(20, np.uint8)
    lost[10:12] = 1
    y = concealed(x, lost)
    start = 10 * 160
    assert largest_step(y[start - 2 : start + 320]) <= 1.6 * largest_step(x[start - 160 : start])


def test_no_clicks_at_the_edges_of_gaps_in_a_voice() -> None:
    x = voice(6, seed=5)
    x = x[: x.size // 160 * 160]
    lost = np.zeros(x.size // 160, np.uint8)
    lost[20::9] = 1
    y = concealed(x, lost)
    for edge in (np.flatnonzero(np.diff(lost)) + 1) * 160:
        assert largest_step(y[edge - 1 : edge + 1]) <= largest_step(x)


def test_a_longer_gap_repeats_more_than_one_period() -> None:
    """Three periods of three loudnesses: more than one is heard from the second tick on; one would buzz."""
    loudness = np.array([0.5, 0.75, 1.0])[np.arange(40) % 3]
    pulse = np.exp(-np.arange(80) / 60) * np.cos(np.arange(80) / 3)
    x = np.rint(12_000 * np.concatenate([each * pulse for each in loudness])).astype(np.int16)
    lost = np.zeros(20, np.uint8)
    lost[9:12] = 1  # 1,440 samples in: after a whole number of threes
    y = concealed(x, lost)[9 * 160 : 12 * 160].astype(np.float64)
    y /= np.minimum((1_280 - np.arange(480)) / 1_200, 1)  # without the fade
    loud = [np.sqrt((period**2).sum()) for period in y.reshape(6, 80)]
    assert loud[0] == pytest.approx(loud[1], rel=0.05)
    for tick in (2, 4):
        assert max(loud[tick : tick + 2]) > 1.1 * min(loud[tick : tick + 2])


def test_good_ticks_are_not_delayed_and_not_touched() -> None:
    x = voice(2, seed=6)[: 99 * 160]
    np.testing.assert_array_equal(concealed(x, np.zeros(99, np.uint8)), x)
    lost = np.zeros(99, np.uint8)
    lost[40] = 1
    y = concealed(x, lost)
    np.testing.assert_array_equal(y[: 40 * 160], x[: 40 * 160])
    np.testing.assert_array_equal(y[41 * 160 + 80 :], x[41 * 160 + 80 :])  # rejoined within 10 ms
    assert not np.array_equal(y[41 * 160 : 41 * 160 + 10], x[41 * 160 : 41 * 160 + 10])


@pytest.mark.parametrize("tick", [160, 320])
def test_a_long_gap_fades_to_silence_after_160_ms(tick: int) -> None:
    x = buzz(80, 30) if tick == 160 else resample(buzz(80, 30), 8_000, 16_000)
    lost = np.zeros(30, np.uint8)
    lost[10:20] = 1
    y = concealed(x, lost).reshape(-1, tick).astype(np.float64)
    loudness = np.sqrt((y**2).mean(axis=1))
    assert (np.diff(loudness[10:19]) < 0).all()
    assert loudness[9] * 0.5 < loudness[13], "four packets in a row leave no hole"
    assert loudness[17] > 0
    assert (y[18:20] == 0).all()
    assert loudness[9] * 0.9 < loudness[10]


def test_silence_and_the_first_tick_of_a_call_conceal_as_silence() -> None:
    lost = np.array([1, 0, 0, 1, 1], np.uint8)
    assert not concealed(np.zeros(5 * 160, np.int16), lost).any()


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(160 * 12) % 80 < 40, 32_767, -32_768).astype(np.int16)
    lost = np.zeros(12, np.uint8)
    lost[[6, 7]] = 1
    y = concealed(square, lost).reshape(-1, 160).astype(np.float64)
    assert np.corrcoef(y[6], square[6 * 160 : 7 * 160])[0, 1] > 0.95


def test_rows_are_apart_and_reset_forgets() -> None:
    x, other = buzz(57, 8).reshape(-1, 160), buzz(80, 8).reshape(-1, 160)
    concealer, pcm = Concealer(3), np.zeros((3, 160), np.int16)
    rows = np.array([2, 0], np.int32)
    for tick in range(8):
        pcm[0], pcm[1], pcm[2] = x[tick], 7, other[tick]
        concealer.process(rows, pcm, np.array([tick == 6, 1, 0], np.uint8))
        if tick == 6:
            np.testing.assert_array_equal(pcm[0], concealed(x[:7].reshape(-1), np.arange(7, dtype=np.uint8) // 6)[960:])
        assert (pcm[1] == 7).all()
        np.testing.assert_array_equal(pcm[2], other[tick])
    concealer.reset(0)
    concealer.process(rows, pcm, np.array([1, 0, 0], np.uint8))
    assert not pcm[0].any()
    concealer.reset(0)  # in the middle of a gap: the next tick is the first of another call and stays as it is
    pcm[0] = x[3]
    concealer.process(rows, pcm, np.zeros(3, np.uint8))
    np.testing.assert_array_equal(pcm[0], x[3])

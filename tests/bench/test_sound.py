"""The bench of sound, on a made voice: its figures are whole, and losses are what they say."""

import numpy as np
import pytest

from bench import sound
from bench.likeness import largest_step, snr_db, spectral_distance_db
from dsp.kernel import Pcm
from dsp.resample import resample
from tests.dsp.speech import voice


@pytest.fixture(scope="module")
def narrow() -> list[Pcm]:
    return [voice(4, seed)[: 200 * 160] for seed in range(2)]


@pytest.fixture(scope="module")
def wide(narrow: list[Pcm]) -> list[Pcm]:
    return [resample(x, 8_000, 16_000) for x in narrow]


def test_ways_to_bear_loss_are_compared(narrow: list[Pcm], wide: list[Pcm]) -> None:
    figures = {figure.name: figure for figure in sound._loss(narrow, wide, [10])}
    for burst in sound.BURSTS:
        for band, ways in (("8k", ["concealed", "silence", "repeated"]), ("16k", ["concealed", "opus"])):
            for way in ways:
                assert 0.4 < figures[f"loss_10.burst_{burst}.{band}.{way}.stoi"].value < 1
                assert 0.2 < figures[f"loss_10.burst_{burst}.{band}.{way}.distance"].value < 10
    assert figures["loss_10.burst_1.8k.closer"].holds
    assert {figure.must for figure in figures.values()} == {"", ">= 1"}


def test_distance_is_none_of_the_same_and_6_db_of_half(narrow: list[Pcm]) -> None:
    x = np.rint(8_000 * np.random.default_rng(1).standard_normal(8_000)).clip(-32_000, 32_000).astype(np.int16)
    assert spectral_distance_db(x, x) == 0
    assert spectral_distance_db(x, x // 2) == pytest.approx(6.02, abs=0.1)
    assert spectral_distance_db(narrow[0], narrow[0] // 2) < 6, "pauses count for nothing"
    assert snr_db(x, x // 2) == pytest.approx(6.02, abs=0.1)
    assert largest_step(np.array([-30_000, 30_000, 29_000], np.int16)) == 60_000


def test_ways_to_stretch_are_compared(narrow: list[Pcm], wide: list[Pcm]) -> None:
    figures = {figure.name: figure for figure in sound._stretching(narrow, wide)}
    for band in ("8k", "16k"):
        assert figures[f"faster_5.{band}.length"].value == pytest.approx(95, abs=1)
        assert figures[f"slower_5.{band}.length"].value == pytest.approx(105, abs=1)
        for name in (f"faster_5.{band}", f"slower_5.{band}"):
            assert figures[f"{name}.periods.joint"].value < figures[f"{name}.ticks.joint"].value
            assert figures[f"{name}.periods.step"].holds


def test_resampling_is_measured_in_step(narrow: list[Pcm]) -> None:
    figures = {figure.name: figure.value for figure in sound._resampling(narrow)}
    assert figures["resampled.snr"] > 40


@pytest.mark.parametrize("burst", [1, 4])
@pytest.mark.parametrize("percent", [1, 10, 30])
def test_so_many_are_lost_and_so_many_in_a_row(percent: int, burst: int) -> None:
    lost = sound.losses(40_000, percent, burst, np.random.default_rng(1))
    assert lost.mean() == pytest.approx(percent / 100, rel=0.15)
    edges = np.flatnonzero(np.diff(lost, prepend=0, append=0))
    assert not ((edges[1::2] - edges[::2])[:-1] % burst).any()


@pytest.mark.parametrize("slower", [-0.05, 0.05])
def test_ticks_are_dropped_and_played_twice(slower: float) -> None:
    x = voice(10, 1)
    made = sound.cut(x, 160, slower)
    assert made.pcm.size / x.size == pytest.approx(1 + slower, abs=0.01)
    assert len(made.joints) == pytest.approx(500 * 0.05, abs=3)

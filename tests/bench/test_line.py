"""The bench of bad lines, with little of everything: its figures hold, and it hears what it is there to hear."""

import asyncio

import numpy as np
import pytest

from bench import line
from bench.corpus import Recording
from bench.figures import Figure
from bench.sound import BURSTS
from bench.virtual_line import TAIL_TICKS, carry, spoken
from dsp.kernel import NARROW_HZ, WIDE_HZ, WIDE_TICK, Pcm
from dsp.resample import resample
from tests.dsp.speech import prompts, voice


@pytest.fixture(scope="module")
def said() -> Pcm:
    """Ten seconds of human speech without pauses."""
    long = (pcm for _, pcm in prompts() if pcm.size > 4 * NARROW_HZ)
    recordings = [Recording("", resample(pcm, NARROW_HZ, WIDE_HZ), "") for pcm, _ in zip(long, range(8), strict=False)]
    pcm = line.without_pauses(recordings, 10)
    assert pcm.size == 10 * NARROW_HZ
    return pcm


def failing(figures: list[Figure]) -> list[str]:
    return [f"{figure.name} {figure.value}" for figure in figures if not figure.holds]


def test_speech_goes_on_over_every_kind_of_line(said: Pcm) -> None:
    figures = line.loss(said, (0, 5, 30), (0, 60))
    assert failing(figures) == []
    values = {figure.name: figure.value for figure in figures}
    assert len(values) == 3 * len(BURSTS) * 2 * 4


def test_a_hole_is_heard(said: Pcm) -> None:
    """Where the far end pauses for half a second, or so much is lost in a row, 5 % of ten seconds are no sound."""
    packets = spoken(said)
    paused = said.copy()
    paused[3 * NARROW_HZ : 3 * NARROW_HZ + 4_000] = 0
    calls = [packets, spoken(paused), packets[:150] + packets[175:]]
    whole, pause, hole = [line.sounding(call.left) for call in asyncio.run(carry(calls, len(packets) + TAIL_TICKS))]
    assert whole == 1
    assert pause == pytest.approx(0.95, abs=0.002)
    assert 0.95 < hole < 0.97


def test_drift_is_taken_up_by_speech_and_tone() -> None:
    """48 ms come together in four minutes, each way."""
    figures = list(line.drift(voice(20, seed=1), 4, (-200, 200)))
    assert failing(figures) == []
    values = {figure.name: figure.value for figure in figures}
    for ppm in ("-200", "+200"):
        assert values[f"drift_{ppm}.delays"] > 100
        assert 21 <= values[f"drift_{ppm}.delay.least"] < 23
        assert 40 <= values[f"drift_{ppm}.delay.most"] < 67
        assert values[f"drift_{ppm}.concealed"] == 0


def test_clocks_ten_times_as_bad_are_taken_up_too() -> None:
    """By 9 ms in the 4.5 s for which the fastest packet is remembered."""
    figures = list(line.drift(voice(20, seed=1), 1, (-2_000, 2_000)))
    values = {figure.name: figure.value for figure in figures}
    assert min(values["drift_-2000.delay.least"], values["drift_+2000.delay.least"] + 9) >= 21
    assert max(values["drift_-2000.delay.most"], values["drift_+2000.delay.most"]) < 67
    assert values["drift_-2000.concealed"] == values["drift_+2000.concealed"] == 0


def test_a_click_is_seen() -> None:
    tone = np.rint(9_000 * np.sin(2 * np.pi * 440 * np.arange(WIDE_HZ) / WIDE_HZ)).astype(np.int16)
    clicked = np.concatenate([tone[: 20 * WIDE_TICK], tone[20 * WIDE_TICK + 9 :]])
    assert line.beside_db(tone) < -60
    assert line.beside_db(clicked) > -40

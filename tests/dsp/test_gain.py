"""Automatic gain: against its definition, over human speech at every level, and in pauses."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.gain import DOWN_DB_S, LEAST_DB, MOST_DB, TARGET_DBFS, UP_DB_S, GainControl
from dsp.kernel import Pcm
from dsp.levels import measure
from dsp.vad import SileroVad
from tests.dsp.speech import prompts, voice

ROW = np.zeros(1, np.int32)
TICK_S = 0.02

Gains = npt.NDArray[np.float32]


def gains(levels_dbfs: list[float], probabilities: list[float], tick_s: float = TICK_S) -> Gains:
    control, found = GainControl(1), []
    for level, probability in zip(levels_dbfs, probabilities, strict=True):
        control.process(ROW, np.array([level], np.float32), np.array([probability], np.float32), tick_s)
        found.append(float(control.gain_db[0]))
    return np.array(found, np.float32)


def by_definition(levels_dbfs: list[float], probabilities: list[float]) -> list[float]:
    power = gain_db = 0.0
    heard_s, tick_s = np.float32(0), np.float32(TICK_S)
    found = []
    for level, probability in zip(levels_dbfs, probabilities, strict=True):
        if probability >= 0.5 and level >= -60:
            heard_s = min(heard_s + tick_s, np.float32(1.5))  # ten of these are less than 0.2
            power += (10 ** (level / 10) - power) * TICK_S / float(heard_s)
            off_db = min(max(TARGET_DBFS - 10 * math.log10(power), LEAST_DB), MOST_DB) - gain_db
            if heard_s >= np.float32(0.2) and abs(off_db) > 1:
                gain_db += min(max(off_db, -DOWN_DB_S * TICK_S), UP_DB_S * TICK_S)
        found.append(gain_db)
    return found


@pytest.mark.parametrize("middle_dbfs", [-55, -40, -24, -10])
def test_gains_are_as_defined(middle_dbfs: int) -> None:
    rng = np.random.default_rng(middle_dbfs + 100)
    levels = (middle_dbfs + 8 * rng.standard_normal(600)).round(2).tolist()
    probabilities = rng.choice([0.1, 0.9], 600, p=[0.3, 0.7]).tolist()
    np.testing.assert_allclose(gains(levels, probabilities), by_definition(levels, probabilities), atol=0.02)


@given(st.lists(st.tuples(st.floats(-100, 3), st.floats(0, 1)), min_size=1, max_size=60), st.floats(0.001, 1))
def test_gains_stay_in_their_bounds_and_move_no_faster_than_they_may(
    ticks: list[tuple[float, float]], tick_s: float
) -> None:
    found = gains([level for level, _ in ticks], [probability for _, probability in ticks], tick_s)
    steps = np.diff(found, prepend=0)
    assert found.min() >= LEAST_DB - 1e-3
    assert found.max() <= MOST_DB + 1e-3
    assert steps.max() <= UP_DB_S * tick_s + 1e-3
    assert steps.min() >= -DOWN_DB_S * tick_s - 1e-3
    for step, (_, probability) in zip(steps, ticks, strict=True):
        assert probability >= 0.5 or step == 0


def test_a_pause_moves_nothing_and_speech_goes_on_where_it_was() -> None:
    speech, pause = [-40.0] * 100, [-55.0] * 500
    with_pause = gains(speech + pause + speech, [0.9] * 100 + [0.2] * 500 + [0.9] * 100)
    without = gains(speech + speech, [0.9] * 200)
    assert len(set(with_pause[100:600].tolist())) == 1
    np.testing.assert_array_equal(np.delete(with_pause, slice(100, 600)), without)


@pytest.mark.parametrize(("level_dbfs", "gain_db"), [(-23.9, 0), (-22.1, 0), (-33, 10), (-59, 18), (-19, -4), (-3, -6)])
def test_even_speech_comes_to_the_target_within_a_decibel(level_dbfs: float, gain_db: float) -> None:
    found = gains([level_dbfs] * 300, [1.0] * 300)
    assert found[-1] == pytest.approx(gain_db, abs=1.01)
    assert found[8] == 0  # until a fifth of a second was heard
    if abs(gain_db) < 1:
        assert not found.any()


def test_what_is_too_loud_comes_down_three_times_as_fast() -> None:
    up, down = gains([-40.0] * 60, [1.0] * 60), gains([-5.0] * 60, [1.0] * 60)
    assert up[40] - up[20] == pytest.approx(UP_DB_S * 20 * TICK_S, abs=0.01)
    assert down[15] - down[10] == pytest.approx(-DOWN_DB_S * 5 * TICK_S, abs=0.01)


def heard_at(pcm8k: Pcm, control: GainControl) -> tuple[list[float], list[bool]]:
    """Gains over real sound, with the real judge of what is speech, and which ticks were."""
    vad, rms, peak, probability = SileroVad(1), np.zeros(1, np.float32), np.zeros(1, np.uint16), np.zeros(1, np.float32)
    found, spoken = [], []
    for tick in pcm8k[: pcm8k.size // 160 * 160].reshape(-1, 1, 160):
        tick = np.ascontiguousarray(tick)
        measure(ROW, tick, rms, peak)
        vad.process(ROW, tick, probability)
        control.process(ROW, rms, probability)
        found.append(float(control.gain_db[0]))
        spoken.append(bool(probability[0] >= 0.5))
    return found, spoken


@pytest.mark.parametrize("level_dbfs", [-40, -30, -23, -18])
def test_human_speech_comes_to_the_target(level_dbfs: float) -> None:
    """Thirty seconds and more at a level; over the last ten the speech is where it should be."""
    sound = np.concatenate([pcm for _, pcm in prompts() if pcm.size > 3 * 8_000][:20])[: 40 * 8_000].astype(np.float64)
    control = GainControl(1)
    _, spoken = heard_at(np.rint(sound).astype(np.int16), control)
    ticks = sound[: len(spoken) * 160].reshape(-1, 160)
    now_dbfs = 10 * np.log10(np.mean(ticks[spoken] ** 2) / 32_768**2)
    control.reset(0)
    scaled = np.clip(np.rint(sound * 10 ** ((level_dbfs - now_dbfs) / 20)), -32_768, 32_767).astype(np.int16)
    found, spoken = heard_at(scaled, control)
    last = slice(len(found) - 500, len(found))
    ticks = scaled[: len(found) * 160].astype(np.float64).reshape(-1, 160)[last]
    ticks = ticks * 10 ** (np.array(found[last])[:, None] / 20)
    after_dbfs = 10 * np.log10(np.mean(ticks[spoken[last]] ** 2) / 32_768**2)
    assert after_dbfs == pytest.approx(TARGET_DBFS, abs=2)
    assert np.ptp(found[last]) < 5  # it is steady: words of different weight keep theirs


def test_noise_alone_is_not_made_louder() -> None:
    noise = np.rint(np.random.default_rng(3).standard_normal(20 * 8_000) * 100).astype(np.int16)
    found, _ = heard_at(noise, GainControl(1))
    assert not any(found)


def test_rows_are_apart_and_begin_anew() -> None:
    control = GainControl(3)
    levels, speech = np.array([-40, -40, -10], np.float32), np.ones(3, np.float32)
    for _ in range(100):
        control.process(np.array([2, 0], np.int32), levels, speech)
    assert control.gain_db[0] > 5
    assert control.gain_db[1] == 0
    assert control.gain_db[2] == pytest.approx(LEAST_DB + 1, abs=0.05)
    control.reset(0)
    for _ in range(8):
        control.process(ROW, levels, speech)
    assert control.gain_db[0] == 0


def test_a_made_voice_is_speech_enough() -> None:
    found, spoken = heard_at(voice(10, seed=2) // 8, GainControl(1))
    assert any(spoken)
    assert found[-1] > 0


def test_wrong_rows_shapes_and_ticks_are_refused() -> None:
    control, one, two = GainControl(2), np.zeros(1, np.float32), np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="rows must be"):
        control.process(np.array([2], np.int32), two, two)
    with pytest.raises(ValueError, match="rms_dbfs must have shape"):
        control.process(ROW, one, two)
    with pytest.raises(ValueError, match="probability must have shape"):
        control.process(ROW, two, one)
    for tick_s in (0, 2):
        with pytest.raises(ValueError, match="tick_s"):
            control.process(ROW, two, two, tick_s)

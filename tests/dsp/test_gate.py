"""The gate against the same rule in Python, and against what the network would have said of human speech."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp import g711
from dsp.gate import HEARD, HOLD_TICKS, LEAST_DBFS, MARGIN_DB, WINDOW_TICKS, Gate
from dsp.kernel import Floats, Pcm
from dsp.levels import SILENCE_DBFS, measure
from dsp.vad import SileroVad
from tests.dsp.speech import prompts

NOISE_DBFS, SPEECH_DBFS = -60.0, -30.0
LEARNT = 2 * WINDOW_TICKS  # ticks after which the noise of a new leg is known and its gate closed


def passed(gate: Gate, row: int, capacity: int, levels: list[float], heard: list[float] | None = None) -> list[bool]:
    """Whether `row` is awake after each tick."""
    rows, awake = np.array([row], np.int32), np.full(capacity, 9, np.uint8)
    found = []
    for level, probability in zip(levels, heard or [0.0] * len(levels), strict=True):
        gate.process(rows, np.full(capacity, level, np.float32), np.full(capacity, probability, np.float32), awake)
        found.append(bool(awake[row]))
    assert set(np.delete(awake, row)) <= {9}  # other rows are left alone
    return found


def expected(levels: list[float], heard: list[float]) -> list[bool]:
    """The rule, written down another way: from all levels so far."""
    awake, reason = [], -HOLD_TICKS
    for tick, (level, probability) in enumerate(zip(levels, heard, strict=True)):
        window = tick // WINDOW_TICKS
        known = levels[max(window - 1, 0) * WINDOW_TICKS : tick + 1]
        noise = min(known) if window else SILENCE_DBFS
        if level > max(noise + MARGIN_DB, LEAST_DBFS) or probability >= HEARD:
            reason = tick
        awake.append(tick - reason < HOLD_TICKS)
    return awake


@settings(deadline=None, max_examples=100)
@given(
    runs=st.lists(
        st.tuples(
            st.sampled_from([-100, -90, -80, -79, -70, -67, -66, -65, -50, -20, 0]),
            st.sampled_from([0.0, 0.0625, 0.125, 1.0]),
            st.integers(1, 50),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_it_is_the_rule_that_was_written_down(runs: list[tuple[int, float, int]]) -> None:
    levels = [float(level) for level, _, ticks in runs for _ in range(ticks)]
    heard = [probability for _, probability, ticks in runs for _ in range(ticks)]
    assert passed(Gate(3), 1, 3, levels, heard) == expected(levels, heard)


def test_a_new_leg_is_awake_until_its_noise_is_known() -> None:
    awake = passed(Gate(1), 0, 1, [NOISE_DBFS] * LEARNT)
    assert awake == [True] * (WINDOW_TICKS + HOLD_TICKS - 1) + [False] * (LEARNT - WINDOW_TICKS - HOLD_TICKS + 1)


def test_a_dead_line_sleeps_from_the_first_tick() -> None:
    assert not any(passed(Gate(1), 0, 1, [SILENCE_DBFS] * 10))


def test_speech_wakes_a_row_in_its_first_tick_and_holds_it_for_200_ms() -> None:
    gate = Gate(1)
    passed(gate, 0, 1, [NOISE_DBFS] * LEARNT)
    awake = passed(gate, 0, 1, [SPEECH_DBFS, *[NOISE_DBFS] * HOLD_TICKS])
    assert awake == [True] * HOLD_TICKS + [False]


def test_what_the_network_hears_keeps_a_row_awake_however_quiet() -> None:
    gate = Gate(1)
    passed(gate, 0, 1, [NOISE_DBFS] * LEARNT)
    assert all(passed(gate, 0, 1, [NOISE_DBFS] * 100, [0.2] * 100))


def test_noise_that_grew_is_taken_for_noise_within_two_windows_and_a_hold() -> None:
    gate = Gate(1)
    passed(gate, 0, 1, [NOISE_DBFS] * LEARNT)
    awake = passed(gate, 0, 1, [NOISE_DBFS + 20] * 200)
    assert awake[0]
    assert not any(awake[2 * WINDOW_TICKS + HOLD_TICKS :])


def test_reset_forgets() -> None:
    gate = Gate(2)
    passed(gate, 1, 2, [SPEECH_DBFS] * 57)
    gate.reset(1)
    levels = list(np.random.default_rng(1).uniform(-70, -60, 200))
    assert passed(gate, 1, 2, levels) == passed(Gate(2), 1, 2, levels)


def test_rows_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="rows must be"):
        passed(Gate(2), 2, 3, [0.0])


def calls(count: int, seconds: int, noise: float, seed: int) -> Pcm:
    """Telephone calls, a row each: human prompts with pauses of up to 4 s, hiss of `noise` RMS, through mu-law."""
    rng = np.random.default_rng(seed)
    spoken = [pcm for _, pcm in prompts()]
    x = rng.normal(0, noise, (count, seconds * 8_000))
    for row in x:
        at = int(rng.uniform(800, 24_000))
        while at < row.size:
            pcm = spoken[rng.integers(len(spoken))][: row.size - at]
            row[at : at + pcm.size] += pcm
            at += pcm.size + int(rng.uniform(2_400, 32_000))
    pcm = np.clip(np.rint(x), -32_768, 32_767).astype(np.int16)
    return g711.decode_block(g711.encode_block(pcm.reshape(-1), g711.MU_LAW), g711.MU_LAW).reshape(x.shape)


def judged(x: Pcm, *, gated: bool) -> tuple[Floats, Floats]:
    """Probability [tick, row] and whether the row was awake."""
    count, ticks = len(x), x.shape[1] // 160
    rows, awake, peak = np.arange(count, dtype=np.int32), np.ones(count, np.uint8), np.zeros(count, np.uint16)
    level, probability = np.zeros((2, count), np.float32)
    gate, vad = Gate(count), SileroVad(count)
    found = np.zeros((2, ticks, count), np.float32)
    for tick in range(ticks):
        pcm = np.ascontiguousarray(x[:, tick * 160 : tick * 160 + 160])
        measure(rows, pcm, level, peak)
        if gated:
            gate.process(rows, level, probability, awake)
        vad.process(rows, pcm, probability, awake)
        found[:, tick] = probability, awake
    return found[0], found[1]


@pytest.mark.parametrize("noise", [8, 80], ids=["a quiet line", "a noisy line"])
def test_human_speech_is_judged_as_without_the_gate(noise: float) -> None:
    """Where the network alone is sure. Where it is not, it hears speech sooner for having slept."""
    x = calls(16, 60, noise, seed=1)
    alone, _ = judged(x, gated=False)
    behind, awake = judged(x, gated=True)
    speech, silence = alone >= 0.9, alone <= 0.1
    agreed = (speech & (behind > 0.5)) | (silence & (behind <= 0.5))
    assert (speech | silence).mean() > 0.85
    assert agreed.sum() / (speech | silence).sum() >= 0.995
    assert (behind > 0.5)[speech].mean() >= 0.999
    assert 1 - awake.mean() > 0.4

    sure = 0
    for ours, theirs in zip(behind.T, alone.T, strict=True):
        for tick in np.flatnonzero(theirs >= 0.9):
            if (theirs[max(tick - 10, 0) : tick] <= 0.5).all():  # the first of an utterance
                sure += 1
                assert (ours[tick : tick + 2] > 0.5).any()  # 32 ms are less than two ticks
    assert sure > 50

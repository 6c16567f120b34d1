"""The echo meter: right about echoes, silent about people who merely speak."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.echo_loss import EchoLossMeter
from dsp.kernel import Pcm
from dsp.resample import resample
from tests.dsp.echoes import Doubles, echo_of, over_g711, talk

ROW = np.zeros(1, np.int32)


def measured(said: Pcm, heard: Pcm, tick: int = 160) -> Doubles:
    """Loss in dB, delay in ms and confidence after every tick, [ticks, 3]."""
    meter, found = EchoLossMeter(1), []
    for played, came in zip(said.reshape(-1, 1, tick), heard.reshape(-1, 1, tick), strict=True):
        meter.process(ROW, played.copy(), came.copy())
        found.append((meter.loss_db[0], meter.delay_ms[0], meter.confidence[0]))
    return np.array(found, np.float64)


def envelope(x: Pcm) -> Doubles:
    """Power in blocks of 4 ms, smoothed."""
    powers = (x.reshape(-1, 32).astype(np.float64) ** 2).mean(axis=1) / 32_768**2
    smooth, now = [], 0.0
    for power in powers:
        now = power + (now - power) * 0.75
        smooth.append(now)
    return np.array(smooth)


def fitted(said: Pcm, heard: Pcm) -> tuple[float, int, float]:
    """What stands in the module's docstring, over whole signals in which something is always played."""
    played, came = envelope(said), envelope(heard)
    weights = np.repeat(0.99 ** np.arange(said.size // 160)[::-1], 5)
    weights /= weights.sum()
    fits = []
    for lag in range(64):
        earlier = np.concatenate([np.zeros(lag), played[: played.size - lag]])
        means = weights @ earlier, weights @ came
        covariance = weights @ (earlier * came) - means[0] * means[1]
        variances = weights @ earlier**2 - means[0] ** 2, weights @ came**2 - means[1] ** 2
        fits.append((covariance / np.sqrt(variances[0] * variances[1]), covariance / variances[0]))
    lag = max(range(64), key=lambda each: fits[each][0])
    correlation, slope = fits[lag]
    ticks = (1 - 0.99 ** (said.size // 160)) / 0.01
    return -10 * np.log10(slope), 4 * lag, float(np.sqrt(1 - (1 - correlation**2) * (1 + 20 / ticks)))


def test_it_is_the_best_fit_of_the_envelopes() -> None:
    rng = np.random.default_rng(3)
    said = np.rint(np.repeat(rng.uniform(200, 3_000, 100), 160) * rng.standard_normal(16_000)).astype(np.int16)
    heard = echo_of(said, 14, 60)
    loss, delay, confidence = measured(said, heard)[-1]
    expected = fitted(said, heard)
    assert loss == pytest.approx(expected[0], abs=0.01)
    assert delay == expected[1]
    assert confidence == pytest.approx(expected[2], abs=0.001)


@pytest.mark.parametrize("loss_db", [6, 12, 20, 30])
@pytest.mark.parametrize("delay_ms", [5, 40, 120, 230])
def test_a_hybrid_is_measured_within_2_db_and_8_ms(loss_db: float, delay_ms: float) -> None:
    for seed in range(3):
        said = over_g711(talk(8, seed))
        found = measured(said, over_g711(echo_of(said, loss_db, delay_ms, seed=seed)))
        sure = found[found[:, 2] > 0.6]
        assert len(sure) > 250
        assert abs(np.median(sure[:, 0]) - loss_db) < 2
        assert abs(np.median(sure[:, 1]) - delay_ms) <= 8


def test_a_room_is_measured_within_2_db_and_late_by_its_middle() -> None:
    for seed in range(3):
        said = talk(8, seed)
        found = measured(said, echo_of(said, 15, 80, path="room", seed=seed))
        sure = found[found[:, 2] > 0.6]
        assert len(sure) > 150
        assert abs(np.median(sure[:, 0]) - 15) < 2
        assert 80 <= np.median(sure[:, 1]) <= 104


def bounds(said: Pcm, heard: Pcm) -> Doubles:
    """Of the gain in dB, after every tick."""
    meter, found = EchoLossMeter(1), []
    for played, came in zip(said.reshape(-1, 1, 160), heard.reshape(-1, 1, 160), strict=True):
        meter.process(ROW, played.copy(), came.copy())
        found.append(meter.most[0])
    return 10 * np.log10(np.array(found, np.float64))


def test_the_bound_is_all_that_was_heard_over_all_that_was_played_by_then() -> None:
    rng = np.random.default_rng(4)
    said = np.rint(np.repeat(rng.uniform(200, 3_000, 100), 160) * rng.standard_normal(16_000)).astype(np.int16)
    heard = echo_of(said, 14, 60)
    played, came, least = envelope(said), envelope(heard), 1.0
    earlier = np.concatenate([np.zeros(63), played[:-63]])
    sums, expected = np.zeros(2), []
    for tick in range(100):
        blocks = slice(5 * tick, 5 * tick + 5)
        sums = sums * 0.99 + (came[blocks].sum(), earlier[blocks].sum())
        least = min(least, sums[0] / sums[1]) if sums[1] >= 1e-3 else least
        expected.append(10 * np.log10(least))
    np.testing.assert_allclose(bounds(said, heard), expected, atol=0.01)


@pytest.mark.parametrize("path", ["hybrid", "room"])
@pytest.mark.parametrize("loss_db", [6, 12, 20, 30])
@pytest.mark.parametrize("delay_ms", [5, 60, 120])
def test_the_bound_is_one_and_close_after_two_seconds(path: str, loss_db: float, delay_ms: float) -> None:
    for seed in range(3):
        said = over_g711(talk(8, seed))
        found = bounds(said, over_g711(echo_of(said, loss_db, delay_ms, path=path, seed=seed)))
        assert found[-1] > -loss_db - 3
        assert found[100] < max(-loss_db + 6, 0)


def test_where_nothing_comes_back_the_bound_falls_at_once() -> None:
    for seed in range(8):
        said = talk(3, seed)
        quiet = np.rint(10 * np.random.default_rng(seed).standard_normal(said.size)).astype(np.int16)
        first = int(np.argmax(said.reshape(-1, 160).max(axis=1) > 1_000))
        assert bounds(said, quiet)[first + 20] < -35


def test_16_khz_is_measured_like_8() -> None:
    said = talk(5, 1)
    heard = echo_of(said, 15, 90)
    narrow = measured(said, heard)[-1]
    wide = measured(resample(said, 8_000, 16_000), resample(heard, 8_000, 16_000), 320)[-1]
    np.testing.assert_allclose(wide, narrow, rtol=0.05)


def test_who_merely_speaks_is_no_echo() -> None:
    turns = (np.arange(24 * 8_000) // 24_000 % 2).astype(np.int16)
    for seed in range(8):
        assert (measured(talk(24, seed) * turns, talk(24, seed + 100) * (1 - turns))[:, 2] < 0.6).all()


def test_who_speaks_over_us_is_an_echo_for_a_moment_at_most() -> None:
    taken = [measured(talk(12, seed), talk(12, seed + 100))[:, 2] >= 0.6 for seed in range(20)]
    assert np.mean(taken) < 0.01


def test_a_caller_who_answers_does_not_change_what_was_found() -> None:
    said = talk(10, 2)
    said[5 * 8_000 :] = 0
    answer = np.concatenate([np.zeros(6 * 8_000, np.int16), talk(4, 9)])
    found = measured(said, echo_of(said, 12, 100) + answer)
    assert found[299, 2] > 0.6
    np.testing.assert_array_equal(found[-1], found[299])


def test_silence_says_nothing() -> None:
    quiet = np.zeros(16_000, np.int16)
    assert not measured(quiet, quiet)[:, 2].any()
    assert not measured(quiet, talk(2, 1))[:, 2].any()
    assert not measured(talk(2, 1), quiet)[:, 2].any()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 100, 32_767]), st.sampled_from([1, 100, 32_767]))
def test_whatever_comes_the_figures_are_figures(seed: int, said_peak: int, heard_peak: int) -> None:
    rng = np.random.default_rng(seed)
    said = (np.sign(rng.standard_normal(8_000)) * said_peak * rng.integers(0, 2, 8_000)).astype(np.int16)
    heard = (np.sign(rng.standard_normal(8_000)) * heard_peak).astype(np.int16)
    found = measured(said, heard)
    assert np.isfinite(found).all()
    assert (found[:, 1] >= 0).all()
    assert (found[:, 1] <= 252).all()
    assert (found[:, 2] >= 0).all()
    assert (found[:, 2] <= 1).all()


def test_rows_are_apart_and_reset_forgets() -> None:
    said = talk(3, 4).reshape(-1, 160)
    heard = [echo_of(said.reshape(-1), 10, 50).reshape(-1, 160), echo_of(said.reshape(-1), 20, 150).reshape(-1, 160)]
    meter, rows = EchoLossMeter(3), np.array([2, 0], np.int32)
    for turn in range(2):
        for tick in range(len(said)):
            three = np.stack([said[tick]] * 3)
            meter.process(rows, three, np.stack([heard[turn][tick], said[tick], heard[1 - turn][tick]]))
        for row in (0, 2):
            expected = measured(said.reshape(-1), heard[turn if row == 0 else 1 - turn].reshape(-1))[-1]
            np.testing.assert_allclose((meter.loss_db[row], meter.delay_ms[row], meter.confidence[row]), expected)
            meter.reset(row)
        assert not meter.confidence.any()
        assert (meter.most == 1).all()


def test_what_does_not_fit_is_refused() -> None:
    meter, pcm = EchoLossMeter(2), np.zeros((2, 160), np.int16)
    with pytest.raises(ValueError, match="rows must be"):
        meter.process(np.array([2], np.int32), pcm, pcm)
    with pytest.raises(ValueError, match="said must have"):
        meter.process(ROW, np.zeros((2, 240), np.int16), pcm)
    with pytest.raises(ValueError, match="heard must have"):
        meter.process(ROW, pcm, np.zeros((2, 320), np.int16))

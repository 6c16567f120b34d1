"""Echo cancelling: what comes back of our own voice is gone, what a caller says over it is not."""

import ctypes
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from dsp.echo import Cancelling, EchoCanceller, cancel, cancelling
from dsp.kernel import Pcm
from dsp.resample import resample
from dsp.vad import SileroVad
from tests.dsp.echoes import clipped, echo_of, gain_db, over_g711, talk, wide_talk

ROW = np.zeros(1, np.int32)
SECOND = 50  # ticks
Flags = npt.NDArray[np.bool_]


def cancelled(said: Pcm, heard: Pcm, hz: int = 8_000) -> tuple[Pcm, Flags]:
    """`heard` through one row, and in which ticks it had a canceller."""
    canceller, parts, had = EchoCanceller(1, hz, most=1), [], []
    for played, came in zip(said.reshape(-1, 1, hz // 50), heard.reshape(-1, 1, hz // 50), strict=True):
        tick = came.copy()
        canceller.process(ROW, played.copy(), tick)
        parts.append(tick[0])
        had.append(canceller.has(0))
    return np.concatenate(parts), np.array(had)


def speech(x: Pcm) -> Flags:
    """In which ticks the VAD takes `x` for speech."""
    vad, probability, found = SileroVad(1), np.zeros(1, np.float32), []
    for tick in x.reshape(-1, 1, 160):
        vad.process(ROW, tick.copy(), probability)
        found.append(probability[0] >= 0.5)
    return np.array(found)


def ticks(x: Pcm, begin: int, end: int | None = None) -> Pcm:
    return x.reshape(-1, 160)[begin:end].reshape(-1)


@pytest.mark.parametrize("path", ["hybrid", "room"])
@pytest.mark.parametrize(("loss_db", "least_db"), [(6, 20), (12, 20), (20, 20), (30, 14)])
def test_an_echo_is_found_within_two_seconds_and_gone_at_once(path: str, loss_db: float, least_db: float) -> None:
    for seed, delay_ms in enumerate((5, 60, 120)):
        said = over_g711(talk(8, seed))
        heard = over_g711(echo_of(said, loss_db, delay_ms, path=path, seed=seed))
        clean, had = cancelled(said, heard)
        begun = int(np.argmax(had))
        assert 0 < begun < 2 * SECOND
        caught_up = begun + 15
        first = slice(caught_up, caught_up + 2 * SECOND)
        removed = gain_db(ticks(clean, first.start, first.stop), ticks(heard, first.start, first.stop))
        assert removed > least_db
        assert gain_db(ticks(clean, 5 * SECOND), ticks(heard, 5 * SECOND)) > least_db


def test_our_own_voice_is_no_barge_in_and_a_callers_is() -> None:
    for seed in range(3):
        said = over_g711(talk(12, seed))
        echo = echo_of(said, 12, 80, path="room", seed=seed)
        caller = talk(12, seed + 50)
        caller[: 6 * 8_000] = 0
        caller[9 * 8_000 :] = 0
        clean, had = cancelled(said, over_g711(clipped(echo.astype(np.float64) + caller)))
        caught_up = int(np.argmax(had)) + 30  # and the VAD has forgotten what it heard
        talks = slice(6 * SECOND, 9 * SECOND + 5)
        assert speech(echo)[caught_up : talks.start].mean() > 0.5
        found = speech(clean)
        assert not found[caught_up : talks.start].any()
        assert not found[talks.stop + 10 :].any()
        assert found[talks].mean() > 0.9 * speech(caller)[talks].mean()


def voiced(said: Pcm, heard: Pcm, *, holds: bool = True) -> Flags:
    """In which ticks the VAD hears a caller in what is left of `heard`, where it may be no echo of ours."""
    canceller, vad, found = EchoCanceller(1, 8_000, most=1), SileroVad(1), []
    probability, awake = np.zeros(1, np.float32), np.ones(1, np.uint8)
    for played, came in zip(said.reshape(-1, 1, 160), heard.reshape(-1, 1, 160), strict=True):
        tick = came.copy()
        canceller.process(ROW, played.copy(), tick)
        awake[0] = not (holds and canceller.ours[0])
        vad.process(ROW, tick, probability, awake)
        found.append(probability[0] >= 0.5)
    return np.array(found)


def longest(found: Flags) -> int:
    """How many in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], found, [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


@pytest.mark.parametrize("path", ["hybrid", "room"])
@pytest.mark.parametrize("loss_db", [6, 12, 20, 30])
def test_our_own_voice_is_no_barge_in_before_it_is_cancelled_either(path: str, loss_db: float) -> None:
    for seed in range(3):
        for delay_ms in (5, 120, 200):
            said = over_g711(talk(6, seed))
            heard = over_g711(echo_of(said, loss_db, delay_ms, path=path, seed=seed))
            assert voiced(said, heard, holds=False).sum() > 8
            assert longest(voiced(said, heard)) < 10, "voice over the bot is meant after 200 ms"


@pytest.mark.parametrize("loss_db", [None, 30, 20, 12, 6])
@pytest.mark.parametrize("begin_s", [0.8, 1.2, 2, 4])
def test_who_speaks_over_us_is_heard_as_soon_as_without_us(loss_db: float | None, begin_s: float) -> None:
    later = []
    for seed in range(5):
        said, caller, begin = over_g711(talk(begin_s + 2, seed)), talk(3, seed + 90), int(begin_s * SECOND) * 160
        caller = caller[int(np.argmax(np.abs(caller) > 300)) :][: said.size - begin]
        line = np.rint(10 * np.random.default_rng(seed).standard_normal(said.size)).astype(np.int16)
        echo = line if loss_db is None else echo_of(said, loss_db, 60, path="room", seed=seed)
        alone, over = line.astype(np.float64), echo.astype(np.float64)
        alone[begin : begin + caller.size] += caller
        over[begin : begin + caller.size] += caller
        times = [
            int(np.argmax(voiced(played, over_g711(clipped(came)))[begin // 160 :]))
            for played, came in ((np.zeros_like(said), alone), (said, over))
        ]
        later.append(times[1] - times[0])
    assert np.median(later) <= 2
    assert max(later) <= 10, "200 ms"


def test_nothing_is_ours_while_nothing_is_played_nor_on_a_line_that_gives_nothing_back() -> None:
    said, caller = talk(6, 1), talk(6, 80)
    said[: SECOND * 160] = 0
    caller[2 * SECOND * 160 : 3 * SECOND * 160] = 0
    canceller, ours, speaks = EchoCanceller(1, 8_000, most=1), [], []
    for played, came in zip(said.reshape(-1, 1, 160), caller.reshape(-1, 1, 160), strict=True):
        canceller.process(ROW, played.copy(), came.copy())
        ours.append(canceller.ours[0] == 1)
        speaks.append(np.abs(came).max() > 500)
    assert not np.any(ours[:SECOND])
    assert np.any(ours[SECOND : 3 * SECOND])
    assert not np.logical_and(ours, speaks)[int(2.5 * SECOND) :].any()


def direct(state: Cancelling, first: int, said: Pcm, heard: Pcm) -> Pcm:
    """Speex by ctypes over the ticks from `first` on."""
    origin = getattr(find_spec("speex_noise_cpp"), "origin", None)
    library = ctypes.CDLL(str(origin))
    pointer = ctypes.c_void_p
    library.speex_echo_state_init.restype = library.speex_preprocess_state_init.restype = pointer
    echo = pointer(library.speex_echo_state_init(160, 1_280))
    rest = pointer(library.speex_preprocess_state_init(160, 8_000))
    library.speex_echo_ctl(echo, 24, ctypes.byref(ctypes.c_int(8_000)))
    library.speex_preprocess_ctl(rest, 24, echo)
    for request, value in ((18, 0), (20, -40), (22, -6)):
        library.speex_preprocess_ctl(rest, request, ctypes.byref(ctypes.c_int(value)))
    late = np.concatenate([np.zeros(state.begin[0], np.int16), said])
    parts = []
    for tick in range(first, said.size // 160):
        came, played = heard[tick * 160 :][:160].copy(), late[tick * 160 :][:160].copy()
        out = np.zeros(160, np.int16)
        library.speex_echo_cancellation(echo, *(pointer(each.ctypes.data) for each in (came, played, out)))
        if np.square(out, dtype=np.float64).sum() > 1.4 * np.square(came, dtype=np.float64).sum():
            out = came
        library.speex_preprocess_run(rest, pointer(out.ctypes.data))
        parts.append(out)
    library.speex_preprocess_state_destroy(rest)
    library.speex_echo_state_destroy(echo)
    return np.concatenate(parts)


def test_it_is_speex_over_the_past_and_what_follows() -> None:
    said = talk(6, 5)
    said[:8_000] = 0
    heard = echo_of(said, 12, 130)
    state, first, parts = cancelling(1, 8_000, 1), -1, []
    for tick, (played, came) in enumerate(zip(said.reshape(-1, 1, 160), heard.reshape(-1, 1, 160), strict=True)):
        out = came.copy()
        before = int(state.slot[0])
        cancel(ROW, played.copy(), out, state)
        if before < 0 <= state.slot[0]:
            first = max(tick + 1 - 50, 0)
            caught_up = tick + 15
        parts.append(out[0])
    assert first > 0
    assert abs(state.begin[0] - (130 - 40) * 8) <= 64
    expected = direct(state, first, said, heard)
    np.testing.assert_array_equal(ticks(np.concatenate(parts), caught_up), ticks(expected, caught_up - first))


@pytest.mark.parametrize("hz", [8_000, 16_000])
def test_two_tones_that_begin_together_look_like_an_echo_and_none_is_in_the_other(hz: int) -> None:
    at = np.arange(12 * hz) / hz
    ours, theirs = (6_000 * np.sin(2 * np.pi * tone * at) * (at > 1) for tone in (440, 1_000))
    said, heard = ours.astype(np.int16), theirs.astype(np.int16)
    out, has = cancelled(said, heard, hz)
    assert has.any()
    np.testing.assert_array_equal(out, heard)


def test_a_leg_without_echo_is_not_touched() -> None:
    turns = (np.arange(24 * 8_000) // 24_000 % 2).astype(np.int16)
    said, heard = talk(24, 1) * turns, talk(24, 2) * (1 - turns)
    clean, had = cancelled(said, heard)
    assert not had.any()
    np.testing.assert_array_equal(clean, heard)


def test_a_caller_alone_is_heard_as_before_but_later() -> None:
    said = talk(12, 3)
    said[6 * 8_000 :] = 0
    heard = echo_of(said, 12, 50)
    heard[7 * 8_000 :] = talk(5, 60)
    clean, had = cancelled(said, heard)
    assert had[-1]
    bands = [np.abs(np.fft.rfft(x[7 * 8_000 + 160 * late :][: 4 * 8_000])) for x, late in ((heard, 0), (clean, 1))]
    levels = [20 * np.log10([part.mean() for part in np.array_split(band[1_200:13_600], 12)]) for band in bands]
    np.testing.assert_allclose(levels[1], levels[0], atol=1)


@pytest.mark.parametrize("path", ["hybrid", "room"])
def test_an_echo_that_ends_at_a_stroke_leaves_none_of_ours(path: str) -> None:
    """The filter subtracts an echo that is no longer there: that would be one, and sound like speech."""
    said = talk(14, 1)
    heard = echo_of(said, 12, 40, path=path)
    quiet = 7 * SECOND
    heard[quiet * 160 :] = clipped(10 * np.random.default_rng(1).standard_normal(heard.size - quiet * 160))
    clean, had = cancelled(said, heard)
    assert had[quiet - 1]
    assert not had[quiet + SECOND :].any()
    assert gain_db(ticks(heard, quiet + 2), ticks(clean, quiet + 2)) < 1.5
    assert not speech(clean)[quiet + 10 :].any()


def test_a_canceller_is_given_back_after_ten_seconds_without_an_echo() -> None:
    said = talk(20, 2)
    heard = echo_of(said, 20, 40)
    street = 3 * SECOND  # so loud that what the filter adds is nothing to it
    heard[street * 160 :] = clipped(3_000 * np.random.default_rng(2).standard_normal(heard.size - street * 160))
    _, had = cancelled(said, heard)
    assert had[street : street + 10 * SECOND].all()
    assert not had[street + 15 * SECOND :].any()


def test_an_echo_that_moves_is_followed() -> None:
    said = talk(16, 1)
    heard = np.concatenate([echo_of(said, 12, 30)[: 6 * 8_000], echo_of(said, 12, 200)[6 * 8_000 :]])
    clean, _ = cancelled(said, heard)
    assert gain_db(ticks(clean, 4 * SECOND, 6 * SECOND), ticks(heard, 4 * SECOND, 6 * SECOND)) > 20
    assert gain_db(ticks(clean, 11 * SECOND), ticks(heard, 11 * SECOND)) > 20


def test_an_echo_that_drifts_out_of_the_filter_is_begun_anew() -> None:
    said, state = talk(4, 1), cancelling(1, 8_000, 1)
    heard = echo_of(said, 12, 120)
    for tick, (played, came) in enumerate(zip(said.reshape(-1, 1, 160), heard.reshape(-1, 1, 160), strict=True)):
        if tick == 120:  # something is played
            assert state.slot[0] >= 0
            state.begin[0] += 24 * 8  # as if the echo had been later by 24 ms then
        cancel(ROW, played.copy(), came.copy(), state)
        if tick == 120:
            assert state.slot[0] < 0
    assert state.slot[0] >= 0
    assert abs(state.begin[0] - (120 - 40) * 8) <= 64


def test_at_16_khz_too() -> None:
    said = talk(6, 4)
    wide = resample(said, 8_000, 16_000), resample(echo_of(said, 12, 60), 8_000, 16_000)
    clean, had = cancelled(*wide, hz=16_000)
    assert had[2 * SECOND]
    assert gain_db(clean[3 * 16_000 :], wide[1][3 * 16_000 :]) > 20


@pytest.mark.parametrize("path", ["hybrid", "room"])
@pytest.mark.parametrize(("loss_db", "least_db"), [(6, 20), (12, 20), (20, 20), (30, 14)])
def test_an_echo_of_all_that_16_khz_carry_is_gone(path: str, loss_db: float, least_db: float) -> None:
    for seed, delay_ms in enumerate((5, 60, 120)):
        said = wide_talk(7, seed)
        heard = echo_of(said, loss_db, delay_ms, path=path, seed=seed, hz=16_000)
        clean, had = cancelled(said, heard, hz=16_000)
        assert 0 < int(np.argmax(had)) < 2 * SECOND
        later = slice(4 * 16_000, None)
        assert gain_db(clean[later], heard[later]) > least_db
        upper = [
            float(np.sum(np.abs(np.fft.rfft(x[later])[x[later].size // 4 :]) ** 2)) for x in (heard, clean)
        ]  # over 4 kHz
        assert 10 * np.log10(upper[0] / upper[1]) > least_db - 6


def test_there_are_as_many_as_there_are_and_reset_gives_one_back() -> None:
    said = talk(6, 6).reshape(-1, 160)
    heard = echo_of(said.reshape(-1), 12, 60).reshape(-1, 160)
    canceller, rows = EchoCanceller(3, 8_000, most=1), np.array([2, 0], np.int32)
    for tick in range(3 * SECOND):
        three = np.stack([heard[tick]] * 3)
        canceller.process(rows, np.stack([said[tick]] * 3), three)
        np.testing.assert_array_equal(three[:2], heard[[tick, tick]])  # one is too late, one is no row
    assert [canceller.has(row) for row in range(3)] == [False, False, True]
    canceller.reset(2)
    assert not canceller.has(2)
    three = np.stack([heard[3 * SECOND]] * 3)
    canceller.process(ROW, np.stack([said[3 * SECOND]] * 3), three)
    assert canceller.has(0)


def test_reset_forgets() -> None:
    said = talk(4, 7)
    heard = echo_of(said, 12, 100)
    canceller, runs = EchoCanceller(1, 8_000, most=1), []
    for _ in range(2):
        parts = []
        for played, came in zip(said.reshape(-1, 1, 160), heard.reshape(-1, 1, 160), strict=True):
            tick = came.copy()
            canceller.process(ROW, played.copy(), tick)
            parts.append(tick[0])
        assert canceller.has(0)
        canceller.reset(0)
        runs.append(np.concatenate(parts))
    np.testing.assert_array_equal(runs[0], runs[1])


def test_who_begins_late_does_not_make_a_tick_long() -> None:
    """Many legs at once go through their past: all together by no more than eight ticks a tick."""
    said, rows = talk(4, 8).reshape(-1, 160), np.arange(20, dtype=np.int32)
    heard, state = echo_of(said.reshape(-1), 12, 60).reshape(-1, 160), cancelling(20, 8_000, 20)
    longest = 0
    for played, came in zip(said, heard, strict=True):
        done = state.done.copy()
        had = state.slot >= 0
        cancel(rows, np.stack([played] * 20), np.stack([came] * 20), state)
        longest = max(longest, int((state.done - done)[had].sum()))
    assert longest == 20 + 8
    assert (state.done == state.ticks).all()


def test_cancellers_that_come_and_go_leave_nothing_behind() -> None:
    said = talk(2, 9)
    heard, process = echo_of(said, 12, 30), psutil.Process()
    used = []
    for _ in range(150):
        for _ in range(2):
            _, had = cancelled(said, heard)
            assert had[-1]
        used.append(process.memory_info().rss)
    assert used[-1] - used[50] < 2_000_000  # 200 of them are 13 MB


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="hz must be"):
        EchoCanceller(1, 48_000, most=1)
    canceller, pcm = EchoCanceller(2, 8_000, most=1), np.zeros((2, 160), np.int16)
    with pytest.raises(ValueError, match="rows must be"):
        canceller.process(np.array([2], np.int32), pcm, pcm)
    with pytest.raises(ValueError, match="said must have"):
        canceller.process(ROW, np.zeros((2, 320), np.int16), pcm)
    with pytest.raises(ValueError, match="heard must have"):
        canceller.process(ROW, pcm, np.zeros((1, 160), np.int16))

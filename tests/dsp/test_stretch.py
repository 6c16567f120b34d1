"""Stretching: against an oracle, untouched where nothing is asked, no click where something is, and back to nothing."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.likeness import largest_step
from dsp.kernel import Pcm
from dsp.resample import resample
from dsp.stretch import Stretcher
from tests.dsp.oracles import StretchingOracle
from tests.dsp.speech import prompts, voice

ROW = np.zeros(1, np.int32)
TICKS = pytest.mark.parametrize("tick", [160, 320])

Want = Callable[[int], float]


@dataclass
class Run:
    """One row over a sound: what came out, and for each tick the frames it took and how the delay grew."""

    out: list[Pcm] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)

    @property
    def pcm(self) -> Pcm:
        return np.concatenate(self.out)

    @property
    def origins(self) -> npt.NDArray[np.int64]:
        """Where in the sound each tick begins."""
        tick = self.out[0].size
        return np.concatenate(([0], np.cumsum([tick - move for move in self.moves])[:-1]))

    def held(self) -> npt.NDArray[np.int64]:
        """Samples taken and not played after each tick."""
        tick = self.out[0].size
        return np.cumsum([tick * (frames - 1) + move for frames, move in zip(self.frames, self.moves, strict=True)])


def frames_of(x: Pcm, tick: int) -> Iterator[Pcm]:
    yield from x[: x.size // tick * tick].reshape(-1, 1, tick).copy()


def run(x: Pcm, tick: int, want_ms: Want, quiet: Callable[[int], bool] = lambda at: False) -> Run:
    """All of `x`; `want_ms` and `quiet` by the number of the tick."""
    stretcher, found, frames = Stretcher(1, tick), Run(), frames_of(x, tick)
    out = np.zeros((1, tick), np.int16)
    while True:
        at = len(found.out)
        needed = stretcher.needed(0, want_ms(at))
        for _ in range(needed):
            frame = next(frames, None)
            if frame is None:
                return found
            stretcher.feed(ROW, frame)
        stretcher.process(ROW, np.array([quiet(at)], np.uint8), out)
        found.out.append(out[0].copy())
        found.frames.append(needed)
        found.moves.append(stretcher.moved(0))


KINDS: dict[str, Callable[[int], Pcm]] = {
    "voice": lambda seed: voice(1.5, seed),
    "tone": lambda seed: np.rint(9_000 * np.sin(np.arange(12_000) * (0.05 + seed / 100))).astype(np.int16),
    "noise": lambda seed: np.rint(2_000 * np.random.default_rng(seed).standard_normal(12_000)).astype(np.int16),
    "near silence": lambda seed: np.rint(30 * np.random.default_rng(seed).standard_normal(12_000)).astype(np.int16),
    "bursts": lambda seed: np.where(np.arange(12_000) // 1_900 % 2, voice(1.5, seed), 0).astype(np.int16),
}
WANTS = st.lists(
    st.sampled_from([-200.0, -40.0, -15.0, -5.0, 0.0, 0.0, 5.0, 12.0, 31.0, 100.0]), min_size=1, max_size=9
)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 20),
    st.sampled_from([160, 320]),
    WANTS,
    st.lists(st.booleans(), min_size=1),
    st.lists(st.booleans(), min_size=1),
)
def test_it_does_what_the_oracle_does(
    kind: str, seed: int, tick: int, wants: list[float], quiets: list[bool], missing: list[bool]
) -> None:
    x = KINDS[kind](seed)
    stretcher, oracle, frames = Stretcher(1, tick), StretchingOracle(tick), frames_of(x, tick)
    out = np.zeros((1, tick), np.int16)
    for at in range(70 * 160 // tick):
        want, quiet = wants[at // 5 % len(wants)], quiets[at // 7 % len(quiets)]
        needed = stretcher.needed(0, want)
        assert needed == oracle.needed(want)
        for _ in range(min(needed, 1) if missing[at % len(missing)] else needed):
            frame = next(frames, None)
            if frame is None:
                return
            stretcher.feed(ROW, frame)
            oracle.line += frame[0].tolist()
        stretcher.process(ROW, np.array([quiet], np.uint8), out)
        move = stretcher.moved(0)
        assert move in oracle.moves(want, quiet)
        assert np.abs(out[0].astype(int) - oracle.play(move)).max() <= 1
        oracle.past = out[0].tolist()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([160, 320]), st.floats(-10, 10), st.booleans())
def test_where_nothing_is_asked_nothing_is_touched_or_late(seed: int, tick: int, want: float, quiet: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-32_768, 32_768, 20 * tick).astype(np.int16) // int(rng.choice([1, 300, 30_000]))
    found = run(x, tick, lambda at: want, lambda at: quiet)
    np.testing.assert_array_equal(found.pcm, x)
    assert found.frames == [1] * 20


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 20), st.sampled_from([160, 320]), WANTS)
def test_moves_are_few_and_the_line_is_short(kind: str, seed: int, tick: int, wants: list[float]) -> None:
    found = run(KINDS[kind](seed), tick, lambda at: wants[at // 5 % len(wants)])
    assert set(found.frames) <= {0, 1, 2}
    assert found.held().min() >= 0
    assert found.held().max() <= 2 * tick
    moved = np.flatnonzero(found.moves)
    assert (np.diff(moved) >= 5).all()
    assert np.abs(found.moves).max() <= tick


@TICKS
@pytest.mark.parametrize("want", [-100.0, 100.0])
@pytest.mark.parametrize("hz", [[90], [220], [437], [1_000], [2_713], [697, 1_209], [350, 440]])
def test_tones_do_not_splatter(tick: int, want: float, hz: list[float]) -> None:
    """All that a move may do to a tone is turn its phase: away from it there is nothing."""
    rate = tick * 50
    time = np.arange(rate * 2) / rate
    x = np.rint(sum(8_000 * np.sin(2 * np.pi * each * time) for each in hz)).astype(np.int16)
    found = run(x, tick, lambda at: want)
    assert np.count_nonzero(found.moves) >= (10 if len(hz) == 1 else 0)
    y = found.pcm[4 * tick :]  # from its beginning, which is a step of its own
    power = np.abs(np.fft.rfft(y * np.blackman(y.size))) ** 2
    away = np.min([np.abs(np.fft.rfftfreq(y.size, 1 / rate) - each) for each in hz], axis=0) > 250
    assert 10 * np.log10(power[away].sum() / power.sum()) < -60
    assert largest_step(y) <= largest_step(x) * 1.02 + 2


def steps_are_those_of_the_sound(x: Pcm, found: Run) -> None:
    """A step in a tick that moved is no larger than there is one around, but for the share of it that fades."""
    y, tick = found.pcm, found.out[0].size
    for i in np.flatnonzero(found.moves):
        origin = found.origins[i]
        around = x[max(0, origin - tick - 1) : origin + 3 * tick]
        allowed = largest_step(around) + np.ptp(around.astype(int)) / tick + 2
        assert largest_step(y[max(0, i * tick - 1) : (i + 1) * tick + 1]) <= allowed


@TICKS
@pytest.mark.parametrize("want", [-100.0, 100.0])
def test_speech_does_not_click(tick: int, want: float) -> None:
    spoken = [pcm for _, pcm in prompts() if pcm.size > 3 * 8_000][:12]
    moves = 0
    for each in (*spoken, voice(4, seed=1)):
        x = each if tick == 160 else resample(each, 8_000, 16_000)
        found = run(x, tick, lambda at: want)
        steps_are_those_of_the_sound(x, found)
        moves += int(np.count_nonzero(found.moves))
        assert 0.75 < x.size / found.pcm.size < (0.98 if want > 0 else 1.3)
    assert moves > 100


@pytest.mark.parametrize("want", [-100.0, 100.0])
def test_noise_is_left_alone_until_it_is_known_that_nobody_speaks(want: float) -> None:
    x = KINDS["noise"](1)
    assert not any(run(x, 160, lambda at: want).moves)
    found = run(x, 160, lambda at: want, lambda at: True)
    assert set(found.moves) <= {0, 160, -160}
    assert len(np.flatnonzero(found.moves)) > 8
    steps_are_those_of_the_sound(x, found)


def test_a_beginning_is_not_taken_for_quiet() -> None:
    """The voice activity lags: it still says that nobody speaks when somebody begins."""
    noise = KINDS["noise"](2)[: 20 * 160] // 20
    x = np.concatenate((noise, KINDS["noise"](3)[: 10 * 160]))
    found = run(x, 160, lambda at: -100.0 if at >= 19 else 0.0, lambda at: True)
    assert not any(found.moves[:21])


def settled(frames: list[Pcm], ticks: int, want_ms: float) -> tuple[list[float], list[bool]]:
    """A jitter buffer that wants another delay, once: what it still wants after each tick, and whether a tick was one
    packet, untouched."""
    tick, fed = frames[0].size, 0
    stretcher, out = Stretcher(1, tick), np.zeros((1, tick), np.int16)
    left, whole = [want_ms], list[bool]()
    for _ in range(ticks):
        needed = stretcher.needed(0, left[-1])
        for frame in frames[fed : fed + needed]:
            stretcher.feed(ROW, frame)
        fed += needed
        stretcher.process(ROW, np.zeros(1, np.uint8), out)
        left.append(left[-1] - stretcher.moved(0) / tick * 20)
        whole.append(needed == 1 and np.array_equal(out, frames[fed - 1]))
    return left, whole


@TICKS
@pytest.mark.parametrize("want", [-25.0, 25.0])
def test_once_it_is_quiet_packets_are_whole_again(tick: int, want: float) -> None:
    speech = voice(3, seed=3)[: 150 * 160]
    speech = speech if tick == 160 else resample(speech, 8_000, 16_000)
    noise = np.rint(20 * np.random.default_rng(1).standard_normal(30 * tick)).astype(np.int16)
    left, whole = settled(list(frames_of(np.concatenate((speech, noise, speech)), tick)), 300, want)
    assert abs(left[-1]) <= 10
    assert all(whole[180:])  # all that was said after the silence
    assert not all(whole)


@pytest.mark.parametrize("want", [-60.0, -17.0, 17.0, 60.0])
def test_a_want_is_met_within_half_a_tick_and_then_left(want: float) -> None:
    left, _ = settled(list(frames_of(voice(8, seed=9), 160)), 200, want)
    assert abs(left[-1]) <= 10
    assert len(set(left[150:])) == 1


@pytest.mark.parametrize("hz", [90, 150, 220, 313, 437])
@pytest.mark.parametrize("want", [-40.0, -20.0, 20.0, 40.0])
def test_without_a_pause_too_hardly_anything_is_lacking_in_the_end(want: float, hz: float) -> None:
    """Half a tick may be too much; a delay that shrinks is never shorter than is wanted."""
    tone = np.rint(9_000 * np.sin(2 * np.pi * hz * np.arange(160 * 200) / 8_000)).astype(np.int16)
    left, _ = settled(list(frames_of(tone, 160)), 100, want)
    assert -10 <= left[-1] <= (2.5 if want > 0 else 0)


@pytest.mark.parametrize("ppm", [-200, 200])
def test_drift_is_taken_up(ppm: int) -> None:
    """Ten minutes of a far end whose clock is off by so much, and a buffer that wants the delay it began with."""
    frames = itertools.cycle(frames_of(voice(20, seed=4), 160))
    stretcher, out, moves = Stretcher(1), np.zeros((1, 160), np.int16), 0
    late_ms, most_ms = 0.0, 0.0
    for _ in range(10 * 60 * 50):
        late_ms += 20 * ppm / 1e6
        for _ in range(stretcher.needed(0, -late_ms)):
            stretcher.feed(ROW, next(frames))
        stretcher.process(ROW, np.zeros(1, np.uint8), out)
        late_ms += stretcher.moved(0) / 8
        most_ms = max(most_ms, abs(late_ms))
        moves += stretcher.moved(0) != 0
    assert most_ms < 20
    assert moves < 60  # 120 ms in all


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(160 * 60) % 80 < 40, 32_767, -32_768).astype(np.int16)
    found = run(square, 160, lambda at: 100.0 if at < 30 else -100.0)
    assert np.count_nonzero(found.moves) > 8
    np.testing.assert_array_equal(np.abs(found.pcm.astype(int) * 2 + 1), 65_535)


def test_rows_are_apart_and_reset_forgets() -> None:
    x, other = voice(2, seed=1), voice(2, seed=2)
    stretcher, pcm, out = Stretcher(3), np.zeros((3, 160), np.int16), np.zeros((3, 160), np.int16)
    alone = run(x, 160, lambda at: 60.0)
    mine, others, quiet = frames_of(x, 160), frames_of(other, 160), np.zeros(3, np.uint8)
    out[1] = 7
    for at in range(40):
        if stretcher.needed(0, 60):
            pcm[0] = next(mine)
            stretcher.feed(ROW, pcm)
        assert stretcher.needed(2) == 1
        pcm[2] = next(others)
        stretcher.feed(np.array([2], np.int32), pcm)
        stretcher.process(np.array([2, 0], np.int32), quiet, out)
        np.testing.assert_array_equal(out[0], alone.out[at])
        np.testing.assert_array_equal(out[2], pcm[2])
        assert (out[1] == 7).all()
    stretcher.reset(0)
    for at in range(20):
        assert stretcher.needed(0, 60) == alone.frames[at]
        if alone.frames[at]:
            pcm[0] = x[sum(alone.frames[:at]) * 160 :][:160]
            stretcher.feed(ROW, pcm)
        stretcher.process(ROW, quiet, out)
        np.testing.assert_array_equal(out[0], alone.out[at])


def test_a_full_line_takes_no_more() -> None:
    stretcher, pcm, out = Stretcher(2), np.zeros((2, 160), np.int16), np.zeros((2, 160), np.int16)
    for value in range(1, 9):
        pcm[0] = value
        stretcher.feed(ROW, pcm)
    played = []
    for _ in range(3):
        assert stretcher.needed(0) == 0
        stretcher.process(ROW, np.zeros(2, np.uint8), out)
        played.append(int(out[0, 0]))
    assert played == [1, 2, 3]
    assert stretcher.needed(0) == 1
    assert not out[1].any()


def test_wrong_calls_are_refused() -> None:
    stretcher, pcm, quiet = Stretcher(1), np.zeros((1, 160), np.int16), np.zeros(1, np.uint8)
    with pytest.raises(ValueError, match="fed"):
        stretcher.process(ROW, quiet, pcm)
    with pytest.raises(ValueError, match="rows"):
        stretcher.feed(np.ones(1, np.int32), pcm)
    with pytest.raises(ValueError, match="pcm"):
        stretcher.feed(ROW, np.zeros((1, 320), np.int16))

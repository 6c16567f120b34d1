"""How much of what we play on a leg comes back, and when: echo return loss and delay, from envelopes alone.

The power of what is played is followed in blocks of 4 ms, and so is that of what is heard. Where the second is an echo
of the first it is their sum of a constant and a copy, later and weaker: at the lag where the two go together best the
slope of a straight line through them is the power gain of the echo path (what the caller says is in the constant, or
spoils the fit). Sums are kept for all lags to 250 ms and forget with a time constant of two seconds, counted while
something is played. No samples are multiplied with each other, so this costs a hundredth of an echo canceller and may
watch every leg.

Long before the fit is sure there is a bound: all that was played by the longest lag ago has come back by now, so the
echo path gains no more than all that was heard, whoever said it, over what was played by then. The least such ratio of
a call holds. It is there 0.3 s after the first word that is played, and where nothing comes back it is small at once.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import NARROW_TICK, WIDE_TICK, Floats, Pcm, Rows, check_rows, check_shape, f32, kernel, record

BLOCKS = 5  # a tick
BLOCK_MS = 20 // BLOCKS
LAGS = 64  # 0 to 252 ms
PLAYED = 1e-6  # power from which something is played: -60 dBFS

_SMOOTHED = 0.75  # of the envelope a block before: 16 ms, so that an echo of many paths and one of one path look alike
_KEPT = 0.99  # of the sums, a tick
_LEAST_TICKS = 20  # of something played, before anything is concluded ...
_ENOUGH = 1e-3  # power of blocks played, in all, from which the bound is drawn: 20 ms at -37 dBFS
_DOUBT = 20.0  # ... and after so many ticks what the echo does not explain counts twice: few syllables agree by chance


class EchoLoss(NamedTuple):
    """What is kept of every leg, and what was found."""

    played: Floats  # [C, LAGS + BLOCKS] smoothed power of what was said, the newest block first
    products: Floats  # [C, LAGS] sums over blocks, for each lag: heard times said ...
    said: Floats  # [C, LAGS] ... said ...
    squares: Floats  # [C, LAGS] ... and said squared
    heard: Floats  # [C, 4] smoothed power of what is heard; sums of heard, heard squared, and ticks
    idle: Rows  # [C] ticks since something was played
    loss_db: Floats  # [C] echo return loss
    delay_ms: Floats  # [C]
    confidence: Floats  # [C] correlation of the envelopes, 0..1; 0 while too little was played
    most: Floats  # [C] power gain of the echo path, at most; 1 while nothing is known


_matrix, _vector = types.float32[:, ::1], types.float32[::1]
ECHO_LOSS = record([_matrix] * 5 + [types.int32[::1]] + [_vector] * 4, EchoLoss)


def echo_loss(capacity: int) -> EchoLoss:
    """The state of `capacity` legs."""

    def floats(*shape: int) -> Floats:
        return np.zeros((capacity, *shape), np.float32)

    return EchoLoss(
        floats(LAGS + BLOCKS),
        floats(LAGS),
        floats(LAGS),
        floats(LAGS),
        floats(4),
        np.full(capacity, LAGS, np.int32),
        floats(),
        floats(),
        floats(),
        np.ones(capacity, np.float32),
    )


@kernel("f4(i2[::1])")
def power(block: Pcm) -> float:
    """Mean square; full scale is 1."""
    total = f32(0)
    for i in range(block.size):
        total += f32(block[i]) * f32(block[i])
    mean: float = total / f32(block.size) * f32(1 / 32768**2)
    return mean


@kernel(types.void(types.int64, ECHO_LOSS))
def _conclude(row: int, it: EchoLoss) -> None:
    """Find the lag of the best fit."""
    count = it.heard[row, 3] * f32(BLOCKS)
    heard_mean = it.heard[row, 1] / count
    heard_variance = it.heard[row, 2] / count - heard_mean * heard_mean
    products, said, squares = it.products[row], it.said[row], it.squares[row]
    best, best_fit, slope = 0, f32(0), f32(0)
    for lag in range(LAGS):
        mean = said[lag] / count
        variance = squares[lag] / count - mean * mean + f32(1e-14)
        covariance = max(products[lag] / count - mean * heard_mean, f32(0))
        fit = covariance * covariance / variance
        if fit > best_fit:
            best, best_fit, slope = lag, fit, covariance / variance
    it.loss_db[row] = f32(-10) * np.log10(max(slope, f32(1e-10)))
    it.delay_ms[row] = f32(best * BLOCK_MS)
    unlike = f32(1) - best_fit / (heard_variance + f32(1e-18))
    it.confidence[row] = np.sqrt(max(f32(1) - max(unlike, f32(0)) * (f32(1) + f32(_DOUBT) / it.heard[row, 3]), f32(0)))


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.int16[:, ::1], ECHO_LOSS))
def measure_echo(rows: Rows, said: Pcm, heard: Pcm, it: EchoLoss) -> None:
    """One tick: what is played `said` i16[C, n] and what came in `heard` i16[C, n], n 160 or 320."""
    size = said.shape[1] // BLOCKS
    for row in rows:
        played, sums = it.played[row], it.heard[row]
        for i in range(LAGS - 1, -1, -1):
            played[i + BLOCKS] = played[i]
        loudest = f32(0)
        for block in range(BLOCKS):
            now = power(said[row, block * size : (block + 1) * size])
            loudest = max(loudest, now)
            played[BLOCKS - 1 - block] = now + (played[BLOCKS - block] - now) * f32(_SMOOTHED)
        it.idle[row] = 0 if loudest > f32(PLAYED) else min(it.idle[row] + 1, LAGS)
        listening = it.idle[row] * BLOCKS <= LAGS
        products, totals, squares = it.products[row], it.said[row], it.squares[row]
        if listening:
            for lag in range(LAGS):
                products[lag] *= f32(_KEPT)
                totals[lag] *= f32(_KEPT)
                squares[lag] *= f32(_KEPT)
            sums[1] *= f32(_KEPT)
            sums[2] *= f32(_KEPT)
            sums[3] = sums[3] * f32(_KEPT) + f32(1)
        for block in range(BLOCKS):
            now = power(heard[row, block * size : (block + 1) * size])
            now += (sums[0] - now) * f32(_SMOOTHED)
            sums[0] = now
            if listening:
                sums[1] += now
                sums[2] += now * now
                earlier = played[BLOCKS - 1 - block : BLOCKS - 1 - block + LAGS]
                for lag in range(LAGS):
                    products[lag] += now * earlier[lag]
                    totals[lag] += earlier[lag]
                    squares[lag] += earlier[lag] * earlier[lag]
        if listening and totals[LAGS - 1] >= f32(_ENOUGH):
            it.most[row] = min(it.most[row], sums[1] / totals[LAGS - 1])
        if listening and sums[3] >= f32(_LEAST_TICKS):
            _conclude(row, it)


@kernel(types.void(ECHO_LOSS, types.int64))
def doubt_echo(it: EchoLoss, row: int) -> None:
    """What was measured in `row` was none, so it is measured anew; what bounds it holds."""
    it.played[row] = 0
    it.products[row] = 0
    it.said[row] = 0
    it.squares[row] = 0
    it.heard[row] = 0
    it.idle[row] = LAGS
    it.loss_db[row] = 0
    it.delay_ms[row] = 0
    it.confidence[row] = 0


@kernel(types.void(ECHO_LOSS, types.int64))
def forget_echo(it: EchoLoss, row: int) -> None:
    """Another call begins in `row`, or another path of its echo."""
    doubt_echo(it, row)
    it.most[row] = 1


class EchoLossMeter:
    """Echo return loss of `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._state = echo_loss(capacity)
        self.loss_db = self._state.loss_db
        self.delay_ms = self._state.delay_ms
        self.confidence = self._state.confidence
        self.most = self._state.most

    def process(self, rows: Rows, said: Pcm, heard: Pcm) -> None:
        """One tick at 8 or 16 kHz: `said` was played on each leg while `heard` came in, both i16[C, 160 or 320]."""
        check_rows(rows, self._capacity)
        if said.shape[1:] not in ((NARROW_TICK,), (WIDE_TICK,)):
            raise ValueError(f"said must have {NARROW_TICK} or {WIDE_TICK} samples a row, got {said.shape}")
        check_shape("said", said, (self._capacity, said.shape[1]))
        check_shape("heard", heard, said.shape)
        measure_echo(rows, said, heard, self._state)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget_echo(self._state, row)

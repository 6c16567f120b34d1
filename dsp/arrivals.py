"""How late packets come, and the delay that fits them.

The delay of a jitter buffer is the wait of the *fastest* packet of the last seconds. A histogram of how much later
than the fastest each packet came, with forgetting, gives the delay that lets all but one in a hundred come in time (the
idea of WebRTC's NetEq). All in whole ticks: packets are taken in and frames given out once a tick, so no finer delay
would save a packet.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import Floats, f32, kernel, record
from dsp.reception import NEVER, Numbers

MIN_TICKS = 1
"""Shortest delay: 20 ms."""
MAX_TICKS = 10
"""Longest delay: 200 ms."""

BASE = 0  # columns of the state: transit of the fastest packet of the last seconds
TARGET = 1  # the delay to aim at
_COUNT = 2  # packets counted, as far as it matters
_SPAN = 3  # the span of time that was counted last

_SPANS = 8  # the fastest packet of the last 8 spans of half a second is the zero of all delays
_SPAN_TICKS = 25
_SLOW = 1 << 40  # a transit slower than any
_LATE_SHARE = 0.01  # of the packets may come too late
_MEMORY_PACKETS = 250  # the histogram forgets a packet with this time constant
_FIRST_PACKETS = 9  # the first packet counts as one after so many


class Arrivals(NamedTuple):
    """`state` i64[C, 4]; `fastest` i64[C, 8]: least transit in each span; `spread` f32[C, 11]: share of the packets
    that came so many ticks after the fastest; `jitter` f32[C]: how far apart the transits of two packets are, on
    average, in ticks.

    RFC 3550 section 6.4.1 calls that jitter, but for packets of any two times and with the grain of a tick. It comes
    from the histogram: the mean of |a - b| of two draws is twice the sum of F(1 - F)."""

    state: Numbers
    fastest: Numbers
    spread: Floats
    jitter: npt.NDArray[np.float32]


ARRIVALS = record([numba.int64[:, ::1], numba.int64[:, ::1], numba.float32[:, ::1], numba.float32[::1]], Arrivals)


def arrivals(capacity: int) -> Arrivals:
    """State for `capacity` rows."""
    made = Arrivals(
        np.zeros((capacity, 4), np.int64),
        np.zeros((capacity, _SPANS), np.int64),
        np.zeros((capacity, MAX_TICKS + 1), np.float32),
        np.zeros(capacity, np.float32),
    )
    for row in range(capacity):
        forget(made, row)
    return made


@kernel(types.void(ARRIVALS, types.int64))
def forget(it: Arrivals, row: int) -> None:
    """Another call begins in `row`."""
    it.state[row, BASE] = 0
    it.state[row, TARGET] = MIN_TICKS
    it.state[row, _COUNT] = 0
    it.state[row, _SPAN] = NEVER
    it.fastest[row, :] = _SLOW
    it.spread[row, :] = f32(0)
    it.spread[row, 0] = f32(1)
    it.jitter[row] = f32(0)


@kernel(types.void(ARRIVALS, types.int64, types.int64, types.int64))
def begin(it: Arrivals, row: int, transit: int, tick: int) -> None:
    """The time line was set anew: old transits cannot be compared with this one. The spread is kept."""
    it.fastest[row, :] = _SLOW
    it.state[row, _SPAN] = tick // _SPAN_TICKS
    it.fastest[row, it.state[row, _SPAN] % _SPANS] = transit
    it.state[row, BASE] = transit


@kernel(types.void(ARRIVALS, types.int64))
def shift(it: Arrivals, row: int) -> None:
    """The ticks come at another time than before: old transits cannot be compared with those to come."""
    it.fastest[row, :] = _SLOW


@kernel(types.void(ARRIVALS, types.int64, types.int64, types.int64))
def add(it: Arrivals, row: int, transit: int, tick: int) -> None:
    """Count a packet that took `transit` ticks (arrival less place; only differences mean anything)."""
    state, fastest, spread = it.state[row], it.fastest[row], it.spread[row]
    span = tick // _SPAN_TICKS
    for passed in range(max(state[_SPAN], span - _SPANS) + 1, span + 1):
        fastest[passed % _SPANS] = _SLOW
    state[_SPAN] = max(span, state[_SPAN])
    fastest[span % _SPANS] = min(fastest[span % _SPANS], transit)
    base = transit
    for i in range(_SPANS):
        base = min(base, fastest[i])
    state[BASE] = base
    state[_COUNT] = min(state[_COUNT] + 1, _MEMORY_PACKETS)
    weight = f32(1) / f32(min(_MEMORY_PACKETS, state[_COUNT] + _FIRST_PACKETS))
    for delay in range(MAX_TICKS + 1):
        spread[delay] *= f32(1) - weight
    spread[min(MAX_TICKS, transit - base)] += weight
    target, above, jitter = 0, f32(0), f32(0)
    for delay in range(MAX_TICKS, 0, -1):
        above += spread[delay]
        jitter += f32(2) * above * max(f32(0), f32(1) - above)
        if target == 0 and above > f32(_LATE_SHARE):
            target = delay
    state[TARGET] = max(MIN_TICKS, target)
    it.jitter[row] = jitter

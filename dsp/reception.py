"""Which packets of a stream came: repeats told from late ones, and losses counted (RFC 3550 A.1 and A.3).

Sequence numbers are counted on past 16 bits. The last 128 are remembered by number, so that a repeat is told from a
late packet, and a hole in the audio that the network made from a pause that the sender made.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import kernel, record

Numbers = npt.NDArray[np.int64]

SSRC = 0  # columns of the counts, for whoever wants to know: source of the packets, or NEVER
FIRST = 1  # number of its first packet
HIGHEST = 2  # greatest number so far
UNIQUE = 3  # packets of this source, repeats once
RECEIVED = 4  # packets of all sources, and so on for the rest
LOST = 5
LATE = 6
REPEATED = 7
OVERFLOWED = 8
CONCEALED = 9  # frames given out as lost
STRETCHED_MS = 10
SHORTENED_MS = 11
_LOST_BEFORE = 12  # of streams that ended
_COUNTS = 13

WINDOW = 128
"""Packets remembered by number."""
RESTART = 1 << 20
"""What `step` says of a packet with which another count begins."""
NEVER = -(1 << 40)
"""No such number, or no such tick, yet."""

_RESTART_STEP = 3000  # a number so far ahead is another count, not so many losses (RFC 3550 A.1)


class Reception(NamedTuple):
    """`counts` i64[C, 13]; `arrived` i64[C, 128]: packet n, if it came, is at n modulo 128."""

    counts: Numbers
    arrived: Numbers


RECEPTION = record([numba.int64[:, ::1], numba.int64[:, ::1]], Reception)


def reception(capacity: int) -> Reception:
    """State for `capacity` rows."""
    made = Reception(np.zeros((capacity, _COUNTS), np.int64), np.full((capacity, WINDOW), NEVER, np.int64))
    made.counts[:, SSRC] = NEVER
    return made


@kernel(types.void(RECEPTION, types.int64))
def forget(it: Reception, row: int) -> None:
    """Another call begins in `row`."""
    it.counts[row, :] = 0
    it.counts[row, SSRC] = NEVER
    it.arrived[row, :] = NEVER


@kernel(types.int64(RECEPTION, types.int64, types.int64, types.int64))
def step(it: Reception, row: int, sequence: int, ssrc: int) -> int:
    """How far packet `sequence` lies ahead of the newest one; RESTART: it is of another stream."""
    ahead = ((sequence - it.counts[row, HIGHEST] + 0x8000) & 0xFFFF) - 0x8000
    return RESTART if ssrc != it.counts[row, SSRC] or ahead > _RESTART_STEP else ahead


@kernel(types.void(RECEPTION, types.int64, types.int64, types.int64))
def restart(it: Reception, row: int, sequence: int, ssrc: int) -> None:
    """Another stream begins with packet `sequence`."""
    counts = it.counts[row]
    counts[_LOST_BEFORE] = counts[LOST]
    counts[SSRC] = ssrc
    counts[FIRST] = sequence
    counts[HIGHEST] = sequence - 1
    counts[UNIQUE] = 0
    it.arrived[row, :] = NEVER


@kernel(types.boolean(RECEPTION, types.int64, types.int64))
def admit(it: Reception, row: int, number: int) -> bool:
    """Count packet `number`; False for a repeat and for one too old to know."""
    counts, arrived = it.counts[row], it.arrived[row]
    counts[RECEIVED] += 1
    if number <= counts[HIGHEST] - WINDOW:
        counts[LATE] += 1
        return False
    if arrived[number & (WINDOW - 1)] == number:
        counts[REPEATED] += 1
        return False
    arrived[number & (WINDOW - 1)] = number
    counts[HIGHEST] = max(counts[HIGHEST], number)
    counts[UNIQUE] += 1
    counts[LOST] = counts[_LOST_BEFORE] + max(0, counts[HIGHEST] - counts[FIRST] + 1 - counts[UNIQUE])
    return True


@kernel(types.boolean(RECEPTION, types.int64, types.int64, types.int64))
def missing(it: Reception, row: int, after: int, before: int) -> bool:
    """Whether a packet between two numbers is known not to have come."""
    highest = it.counts[row, HIGHEST]  # numbers above it are of a stream that ended, of which nothing is remembered
    for number in range(max(after + 1, highest - WINDOW + 1), min(before, highest)):
        if it.arrived[row, number & (WINDOW - 1)] != number:
            return True
    return False

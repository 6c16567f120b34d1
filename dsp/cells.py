"""The time line of a stream, cut into cells of one tick, with what was received in its place.

Where an octet is a unit of the RTP clock (G.711, G.722), the packets of any length are cut and joined: a cell has a bit
for each millisecond that is there. Otherwise (Opus) a packet lies whole in the cell in which it begins, or two do, one
behind the other, where they are of half a tick. A cell lies at its number modulo 64.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import Bytes, kernel, record
from dsp.reception import Numbers

CELLS = 64
"""Cells of a row; more than are ever held."""
CELL_OCTETS = 1280
"""Longest packet that is kept whole."""
TICK_MS = 20

HELD = 0  # columns of the marks: a bit for each millisecond, from the lowest; a whole packet has all. 0: empty
LENGTH = 1  # octets
TAG = 2  # the format, as told with the packet
NUMBER = 3  # greatest of the packets in the cell
BEGUN = 4  # packets that begin in the cell
SECOND = 5  # octet at which the second of two whole packets begins; 0: it is one
_MARKS = 6

WHOLE = (1 << TICK_MS) - 1


class Cells(NamedTuple):
    """`octets` u8[C, 64, 1280] and `marks` i64[C, 64, 6]."""

    octets: npt.NDArray[np.uint8]
    marks: Numbers


CELLS_TYPE = record([numba.uint8[:, :, ::1], numba.int64[:, :, ::1]], Cells)


def cells(capacity: int) -> Cells:
    """State for `capacity` rows."""
    return Cells(np.zeros((capacity, CELLS, CELL_OCTETS), np.uint8), np.zeros((capacity, CELLS, _MARKS), np.int64))


@kernel(types.void(CELLS_TYPE, types.int64))
def forget(it: Cells, row: int) -> None:
    """Drop all that `row` holds."""
    for cell in range(CELLS):
        it.marks[row, cell, HELD] = 0


@kernel(types.boolean(types.int64[::1], types.int64, types.int64))
def _claim(mark: Numbers, number: int, tag: int) -> bool:
    """Make a cell fit for a piece of packet `number`; False if it holds a later one in another format."""
    if mark[HELD] == 0:
        mark[NUMBER] = number
        mark[BEGUN] = 0
    elif mark[TAG] != tag:
        if number < mark[NUMBER]:
            return False
        mark[HELD] = 0
    mark[TAG] = tag
    mark[NUMBER] = max(mark[NUMBER], number)
    return True


_PUT = [types.int64, types.int64, types.int64, types.uint8[::1], types.int64, types.int64, types.int64]


@kernel(types.void(CELLS_TYPE, *_PUT))
def put(it: Cells, row: int, number: int, tag: int, packet: Bytes, start: int, end: int, cell: int) -> None:
    """Keep octets `start` to `end` of `packet`, no more than 1280, whole in `cell`; two, in their order, if they fit.
    Of more, or in another format, the first stay."""
    slot = cell & (CELLS - 1)
    mark, octets, size = it.marks[row, slot], it.octets[row, slot], end - start
    at = 0
    if mark[HELD] == 0:
        mark[LENGTH] = mark[SECOND] = 0
    elif mark[SECOND] or mark[TAG] != tag or mark[LENGTH] + size > CELL_OCTETS:
        return
    elif number > mark[NUMBER]:
        at = mark[SECOND] = mark[LENGTH]
    else:
        mark[SECOND] = size
        for i in range(mark[LENGTH] - 1, -1, -1):
            octets[size + i] = octets[i]
    _claim(mark, number, tag)
    for i in range(size):
        octets[at + i] = packet[start + i]
    mark[HELD] = WHOLE
    mark[LENGTH] += size
    mark[BEGUN] += 1


@kernel(types.void(CELLS_TYPE, *_PUT, types.int64, types.int64))
def lay(
    it: Cells, row: int, number: int, tag: int, packet: Bytes, start: int, end: int, at_ms: int, ms: int, least: int
) -> None:
    """Lay octets `start` to `end` of `packet`, `ms` to a millisecond, from `at_ms` of the time line on; what would come
    before cell `least` is left out."""
    left_out = max(0, least * TICK_MS - at_ms)
    at_ms += left_out
    start += left_out * ms
    begins = 1
    while end - start >= ms:
        cell = at_ms // TICK_MS
        within = at_ms - cell * TICK_MS
        count = min(TICK_MS - within, (end - start) // ms)
        slot = cell & (CELLS - 1)
        mark, octets = it.marks[row, slot], it.octets[row, slot]
        if _claim(mark, number, tag):
            for i in range(count * ms):
                octets[within * ms + i] = packet[start + i]
            mark[HELD] |= ((1 << count) - 1) << within
            mark[LENGTH] = TICK_MS * ms
            mark[BEGUN] += begins
            begins = 0
        at_ms += count
        start += count * ms


@kernel(types.void(CELLS_TYPE, types.int64, types.int64))
def mend(it: Cells, row: int, cell: int) -> None:
    """Fill what is missing in `cell` with the piece before, or else with the one after."""
    slot = cell & (CELLS - 1)
    held, octets = it.marks[row, slot, HELD], it.octets[row, slot]
    ms = it.marks[row, slot, LENGTH] // TICK_MS
    at = 0
    while at < TICK_MS:
        if held >> at & 1:
            at += 1
            continue
        end = at
        while end < TICK_MS and not held >> end & 1:
            end += 1
        if at > 0:
            count = min(at, end - at)
            source = at - count
        else:
            source, count = end, 0
            while source + count < TICK_MS and held >> (source + count) & 1:
                count += 1
        for i in range((end - at) * ms):
            octets[at * ms + i] = octets[source * ms + i % (count * ms)]
        at = end

"""An adaptive jitter buffer: packets in as they come, one frame of audio out each time it is asked.

The place of a packet on the time line follows from its timestamp, so what is lost leaves a hole of its own length and
time never shrinks. The delay that fits the arrivals is known here (arrivals.py), but it is changed by stretching what
was decoded, elsewhere: whoever stretches keeps some decoded audio in hand, asks for none, one or two frames a tick, and
is told by `want` how much longer or shorter the delay should be. The same takes up the drift between the sender's clock
and ours. Only where nothing is there to be heard, a hole may be given out a tick longer than it was.

In every tick of a row: `push` what came, `want` once, `pop` as often as needed.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba import types

from dsp import arrivals, cells, reception
from dsp.arrivals import ARRIVALS, BASE, MAX_TICKS, TARGET, Arrivals
from dsp.cells import BEGUN, CELL_OCTETS, CELLS, CELLS_TYPE, HELD, LENGTH, NUMBER, TAG, TICK_MS, WHOLE, Cells
from dsp.kernel import Bytes, kernel, record
from dsp.reception import (
    CONCEALED,
    HIGHEST,
    LATE,
    NEVER,
    OVERFLOWED,
    RECEPTION,
    RESTART,
    SHORTENED_MS,
    STRETCHED_MS,
    Numbers,
    Reception,
)

TAKEN = 0  # what became of a pushed packet; the names below say why it was not taken
EMPTY = 1  # counted, but no audio that fits a cell
UNWANTED = 2  # a repeat, or too old to know
TOO_LATE = 3

FRAME = 0
LOST = 1
"""Audio belongs here and is missing: conceal it."""
SILENCE = 2
"""Nothing was sent for this tick: the sender pauses, or has not begun."""

CAPACITY_TICKS = 50
"""Audio held at most: one second. Past it the oldest is dropped and counted."""

CELL = 0  # columns of the frame popped last: its cell (LENGTH and TAG follow)

_UNITS = 0  # columns of the line: units of the RTP clock in a tick
_DIVISIBLE = 1  # an octet is a unit
CURSOR = 2  # number of the cell that is given out next
EDGE = 3  # number behind that of the last cell that was ever filled
OFFSET = 4  # place in units = timestamp (unwrapped) + offset
ANCHORED = 5  # the offset is valid
_TIMESTAMP = 6  # of the newest packet of audio, unwrapped
_TIMED_AT = 7  # and the tick in which it came
_PLAYED = 8  # number of the packet given out last
_EMPTY_TICKS = 9
_LATE_SINCE = 10
_CLOCK = 11  # the tick of the last question
_SKIPPED_AT = 12
_MOVED_AT = 13  # the tick of the last change of the delay
_SHRINKING = 14
_PAUSES = 15  # the sender said that it says nothing
_COLUMNS = 16

_JUMP_TICKS = MAX_TICKS + 5  # no packet is early by more than the delay was long: a clock set on
_IDLE_TICKS = 10  # so long without a packet, the next one starts the time line anew
_SKIP_TICKS = 3  # so long after a packet without audio, there is none because none was sent
_MOVE_TICKS = 4  # at most one change of the delay in so many ticks ...
_FAR_MS = 60  # ... unless it is off by so much
_EXCESS_MS = 30  # a delay so much too long is shortened ...
_SETTLED_MS = 10  # ... until it is no more than this too long


class Buffers(NamedTuple):
    """`frame` i64[C, 3]: CELL, LENGTH and TAG of the frame popped last, whose octets are
    `cells.octets[row, frame[row, CELL], :frame[row, LENGTH]]` until the next pop; `line` i64[C, 16]."""

    cells: Cells
    arrivals: Arrivals
    reception: Reception
    frame: Numbers
    line: Numbers


BUFFERS = record([CELLS_TYPE, ARRIVALS, RECEPTION, numba.int64[:, ::1], numba.int64[:, ::1]], Buffers)


def buffers(capacity: int) -> Buffers:
    """State for `capacity` rows; a row begins with `open_row`."""
    return Buffers(
        cells.cells(capacity),
        arrivals.arrivals(capacity),
        reception.reception(capacity),
        np.zeros((capacity, 3), np.int64),
        np.zeros((capacity, _COLUMNS), np.int64),
    )


@kernel(types.void(BUFFERS, types.int64, types.int64, types.boolean))
def open_row(it: Buffers, row: int, units: int, divisible: bool) -> None:
    """Another call begins in `row`. `units` of the RTP clock are a tick; `divisible`: an octet is a unit."""
    cells.forget(it.cells, row)
    arrivals.forget(it.arrivals, row)
    reception.forget(it.reception, row)
    line = it.line[row]
    line[:] = 0
    line[_UNITS] = units
    line[_DIVISIBLE] = divisible
    line[_PLAYED] = line[_LATE_SINCE] = line[_CLOCK] = line[_SKIPPED_AT] = line[_MOVED_AT] = NEVER


@kernel(types.void(BUFFERS, types.int64, types.int64, types.boolean))
def clear_row(it: Buffers, row: int, units: int, divisible: bool) -> None:
    """Drop what is held: the stream goes on in another format."""
    cells.forget(it.cells, row)
    line = it.line[row]
    line[EDGE] = line[CURSOR]
    if units != line[_UNITS]:
        line[ANCHORED] = 0
    line[_UNITS] = units
    line[_DIVISIBLE] = divisible


@kernel(types.int64(BUFFERS, types.int64, types.int64, types.int64, types.int64))
def _register(it: Buffers, row: int, sequence: int, timestamp: int, ssrc: int) -> int:
    """The packet's number in the count; NEVER for a repeat and for one too old to know."""
    ahead = reception.step(it.reception, row, sequence, ssrc)
    if ahead == RESTART:  # another stream begins; what is held of the old one is still played
        reception.restart(it.reception, row, sequence, ssrc)
        ahead = 1
        line = it.line[row]
        line[ANCHORED] = 0
        line[_PLAYED] = line[_TIMED_AT] = NEVER
        line[_TIMESTAMP] = timestamp
    number = it.reception.counts[row, HIGHEST] + ahead
    return number if reception.admit(it.reception, row, number) else NEVER


@kernel(types.void(BUFFERS, types.int64, types.int64))
def _move_on(it: Buffers, row: int, cell: int) -> None:
    """Put the cursor on `cell`, if that is further on, and count what is dropped."""
    line = it.line[row]
    for passed in range(line[CURSOR], min(cell, line[EDGE])):
        mark = it.cells.marks[row, passed & (CELLS - 1)]
        if mark[HELD]:
            it.reception.counts[row, OVERFLOWED] += mark[BEGUN]
            line[_PLAYED] = mark[NUMBER]
            mark[HELD] = 0
    line[CURSOR] = max(line[CURSOR], cell)


@kernel(types.void(BUFFERS, types.int64, types.int64))
def _follow_clock(it: Buffers, row: int, tick: int) -> None:
    """Where the tick itself stood still, what it missed is past, and no delay."""
    line = it.line[row]
    missed = tick - line[_CLOCK] - 1
    if line[ANCHORED] and line[_CLOCK] != NEVER and missed > 0:
        state = it.arrivals.state[row]
        _move_on(it, row, min(line[CURSOR] + missed, tick - state[BASE] - state[TARGET]))
    line[_CLOCK] = tick


@kernel(types.void(BUFFERS, types.int64, types.int64, types.int64))
def _anchor(it: Buffers, row: int, timestamp: int, tick: int) -> None:
    """Put `timestamp` on the time line a target delay from now, behind all that is held."""
    line = it.line[row]
    cell = max(line[CURSOR] + it.arrivals.state[row, TARGET], line[EDGE])
    line[OFFSET] = cell * line[_UNITS] - timestamp
    line[ANCHORED] = 1
    line[_EMPTY_TICKS] = 0
    line[_PLAYED] = line[_LATE_SINCE] = NEVER
    arrivals.begin(it.arrivals, row, tick - cell, tick)


@kernel(types.boolean(BUFFERS, types.int64, types.int64, types.int64, types.int64))
def _time(it: Buffers, row: int, number: int, timestamp: int, tick: int) -> bool:
    """See that `timestamp` has a place on the time line; False for an old packet that has none."""
    line = it.line[row]
    reference, units = line[_TIMESTAMP], line[_UNITS]
    # a pause moves the timestamp on by as much as the time that passed; any other step is a clock set anew
    unexplained = timestamp - reference - (tick - line[_TIMED_AT]) * units
    jumped = unexplained < -CAPACITY_TICKS * units or unexplained > _JUMP_TICKS * units
    if number == it.reception.counts[row, HIGHEST]:
        line[_TIMESTAMP] = timestamp
        line[_TIMED_AT] = tick
    elif jumped:
        return False
    if jumped or not line[ANCHORED]:
        _anchor(it, row, timestamp, tick)
    return True


@kernel(types.int64(types.int64[::1], types.int64, types.int64))
def _end(line: Numbers, timestamp: int, size: int) -> int:
    """Number of the cell behind the last into which a packet of `size` octets reaches."""
    place = timestamp + line[OFFSET]
    ms = line[_UNITS] // TICK_MS
    last = (place // ms + size // ms - 1) // TICK_MS if line[_DIVISIBLE] else place // line[_UNITS]
    behind: int = last + 1
    return behind


@kernel(types.int64(BUFFERS, *[types.int64] * 5, types.uint8[::1], types.int64, types.int64, types.int64))
def push(
    it: Buffers,
    row: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    tag: int,
    packet: Bytes,
    start: int,
    end: int,
    tick: int,
) -> int:
    """Take a packet of audio that came by `tick`: octets `start` to `end` of `packet`, in the format `tag` (0..255, the
    caller's own numbers). TAKEN or why not."""
    line, counts = it.line[row], it.reception.counts[row]
    number = _register(it, row, sequence, timestamp, ssrc)
    if number == NEVER:
        return UNWANTED
    if number == counts[HIGHEST]:
        line[_PAUSES] = 0
    units, size = line[_UNITS], end - start
    ms = units // TICK_MS
    if size < (ms if line[_DIVISIBLE] else 1) or size > CELL_OCTETS:
        return EMPTY
    reference = line[_TIMESTAMP]
    unwrapped = reference + ((timestamp - reference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
    if not _time(it, row, number, unwrapped, tick):
        counts[LATE] += 1
        return TOO_LATE
    arrivals.add(it.arrivals, row, tick - (unwrapped + line[OFFSET]) // units, tick)
    if _end(line, unwrapped, size) <= line[CURSOR]:
        counts[LATE] += 1
        if line[_LATE_SINCE] == NEVER:
            line[_LATE_SINCE] = tick
        if tick - line[_LATE_SINCE] < _IDLE_TICKS:
            return TOO_LATE
        _anchor(it, row, unwrapped, tick)  # nothing has come in time for long: the path itself is longer
    line[_LATE_SINCE] = NEVER
    place, behind = unwrapped + line[OFFSET], _end(line, unwrapped, size)
    if behind > line[CURSOR] + CAPACITY_TICKS:
        _move_on(it, row, behind - it.arrivals.state[row, TARGET])
    line[EDGE] = max(line[EDGE], behind)
    if line[_DIVISIBLE]:
        cells.lay(it.cells, row, number, tag, packet, start, end, place // ms, ms, line[CURSOR])
    else:
        cells.put(it.cells, row, number, tag, packet, start, end, place // units)
    return TAKEN


@kernel(types.void(BUFFERS, *[types.int64] * 5))
def skip(it: Buffers, row: int, sequence: int, timestamp: int, ssrc: int, tick: int) -> None:
    """Take note of a packet of the stream that carries no audio (a key, comfort noise): it is not a loss."""
    if _register(it, row, sequence, timestamp, ssrc) != NEVER:
        it.line[row, _SKIPPED_AT] = tick


@kernel(types.void(BUFFERS, types.int64))
def pause(it: Buffers, row: int) -> None:
    """What was skipped last was comfort noise (RFC 3389): until audio comes, nothing is missed."""
    it.line[row, _PAUSES] = 1


@kernel(types.int64(BUFFERS, types.int64))
def _hole(it: Buffers, row: int) -> int:
    """Why nothing is held at the cursor while something is held behind it."""
    line = it.line[row]
    for following in range(line[CURSOR] + 1, line[EDGE]):
        mark = it.cells.marks[row, following & (CELLS - 1)]
        if mark[HELD]:
            known = line[_PLAYED] != NEVER
            return LOST if known and reception.missing(it.reception, row, line[_PLAYED], mark[NUMBER]) else SILENCE
    return SILENCE


@kernel(types.int64(BUFFERS, types.int64, types.int64))
def _pop_nothing(it: Buffers, row: int, tick: int) -> int:
    """What a tick is for which nothing is held, and where it leaves the cursor."""
    line, state = it.line[row], it.arrivals.state[row]
    if line[EDGE] > line[CURSOR]:
        kind = _hole(it, row)
    else:
        line[_EMPTY_TICKS] += 1
        if line[_EMPTY_TICKS] > _IDLE_TICKS:
            line[ANCHORED] = 0
        if not line[ANCHORED]:
            return SILENCE
        kind = SILENCE if line[_PAUSES] or tick - line[_SKIPPED_AT] < _SKIP_TICKS else LOST
    if kind == LOST:
        it.reception.counts[row, CONCEALED] += 1
        if tick - line[CURSOR] - state[BASE] < state[TARGET]:  # the best moment to wait a tick longer
            it.reception.counts[row, STRETCHED_MS] += TICK_MS
            return LOST
    line[CURSOR] += 1
    return kind


@kernel(types.int64(BUFFERS, types.int64, types.int64))
def pop(it: Buffers, row: int, tick: int) -> int:
    """Give out the next frame, FRAME, of which `it.frame` tells the rest; or say why there is none, LOST or SILENCE."""
    _follow_clock(it, row, tick)
    line, frame = it.line[row], it.frame[row]
    slot = line[CURSOR] & (CELLS - 1)
    mark = it.cells.marks[row, slot]
    if mark[HELD] == 0:
        return _pop_nothing(it, row, tick)
    if mark[HELD] != WHOLE:
        cells.mend(it.cells, row, slot)
    frame[CELL], frame[LENGTH], frame[TAG] = slot, mark[LENGTH], mark[TAG]
    mark[HELD] = 0
    line[_PLAYED] = mark[NUMBER]
    line[_EMPTY_TICKS] = 0
    line[CURSOR] += 1
    return FRAME


@kernel(types.int64(BUFFERS, types.int64))
def peek_next(it: Buffers, row: int) -> int:
    """The cell of the frame that `pop` would give next, or -1 if it is not there; its length and tag are in the marks.

    After a LOST it may hold a spare copy of what was lost (Opus in-band FEC)."""
    slot = it.line[row, CURSOR] & (CELLS - 1)
    return slot if it.cells.marks[row, slot, HELD] else -1


@kernel(types.void(BUFFERS, types.int64, types.int64))
def cover(it: Buffers, row: int, ticks: int) -> None:
    """The frame popped last turned out to be `ticks` longer than one (Opus of 40 or 60 ms): go on behind it."""
    _move_on(it, row, it.line[row, CURSOR] + ticks)


@kernel(types.float32(BUFFERS, types.int64, types.int64, types.float32))
def want(it: Buffers, row: int, tick: int, carry_ms: float) -> float:
    """By how many ms the delay should grow, or shrink (below 0), now, before the pops of `tick`; 0: leave it.

    `carry_ms` is the decoded audio in hand. Told only while it can be done, and not again for some ticks after it was
    `moved`. Growing saves packets; shrinking can wait until nobody speaks, unless it is by more than 60 ms."""
    _follow_clock(it, row, tick)
    line, state = it.line[row], it.arrivals.state[row]
    if not line[ANCHORED]:
        return 0.0
    off: float = (tick - line[CURSOR] - state[BASE] - state[TARGET]) * TICK_MS + carry_ms
    if off > _EXCESS_MS:
        line[_SHRINKING] = 1
    elif off <= _SETTLED_MS:
        line[_SHRINKING] = 0
    if tick - line[_MOVED_AT] < _MOVE_TICKS and abs(off) < _FAR_MS:
        return 0.0
    if off < 0:
        return -off
    following = it.cells.marks[row, (line[CURSOR] + 1) & (CELLS - 1), HELD]
    return -off if line[_SHRINKING] and following else 0.0


@kernel(types.void(BUFFERS, types.int64, types.int64, types.float32))
def moved(it: Buffers, row: int, tick: int, ms: float) -> None:
    """The delay was made longer by `ms`, or shorter (below 0)."""
    it.line[row, _MOVED_AT] = tick
    it.reception.counts[row, STRETCHED_MS if ms > 0 else SHORTENED_MS] += np.int64(abs(ms) + 0.5)


@kernel(types.void(BUFFERS, types.int64))
def shift(it: Buffers, row: int) -> None:
    """The ticks come at another time than before, so the delay is another: it is set right at the next chance."""
    arrivals.shift(it.arrivals, row)
    it.line[row, _SHRINKING] = 1


class JitterBuffers:
    """Buffers for `capacity` rows, for Python."""

    def __init__(self, capacity: int, units: int = 160, *, divisible: bool = True) -> None:
        self.state = buffers(capacity)
        for row in range(capacity):
            open_row(self.state, row, units, divisible)

    def push(
        self, row: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, tick: int, *, tag: int = 0
    ) -> int:
        """Take a packet; TAKEN or why not."""
        octets = np.frombuffer(bytearray(payload), np.uint8)
        return push(self.state, row, sequence, timestamp, ssrc, tag, octets, 0, octets.size, tick)

    def pop(self, row: int, tick: int) -> tuple[int, bytes]:
        """FRAME and its octets, or LOST or SILENCE and none."""
        kind = pop(self.state, row, tick)
        cell, length, _ = self.state.frame[row]
        return kind, self.state.cells.octets[row, cell, :length].tobytes() if kind == FRAME else b""

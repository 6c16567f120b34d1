"""Rooms: everyone hears everyone else and not themselves (N-1 mixing, also called mix-minus).

The sum of a room is made once and each member's own words are taken off it again, so a room costs two passes however
many are in it. What coaches say is a sum of its own, which parties do not hear. Sums are exact; only what is handed out
is cut off at the ends of int16.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from dsp.kernel import WIDE_TICK, Bytes, Pcm, Rows, check_rows, check_shape, i32, kernel, record
from dsp.parts import Part

Sums = npt.NDArray[np.int32]

_PARTY, _COACHED, _LISTENER, _COACH = (int(part) for part in Part)


class Mixing(NamedTuple):
    """What the mixer needs at hand; nothing of it stays from tick to tick, so no row has a past to forget."""

    aloud: Sums  # [320], what all in a room hear
    aside: Sums  # [320], and what only some do


_sums = types.int32[::1]
_numbers, _flags, _pcm = types.int32[::1], types.uint8[::1], types.int16[:, ::1]
MIXING = record([_sums, _sums], Mixing)


def mixing() -> Mixing:
    """Sums for one thread."""
    return Mixing(np.zeros(WIDE_TICK, np.int32), np.zeros(WIDE_TICK, np.int32))


@kernel(types.void(_numbers, _numbers, _flags, _flags, _pcm, _pcm, MIXING))
def mix(rows: Rows, sizes: Rows, parts: Bytes, deaf: Bytes, said: Pcm, told: Pcm, it: Mixing) -> None:
    """The kernel behind `Mixer.process`, unchecked."""
    aloud, aside = it.aloud, it.aside
    begin = 0
    for size in sizes:
        room = rows[begin : begin + size]
        begin += size
        aloud[:] = i32(0)
        whispered = False
        for row in room:
            words, played = said[row], told[row]
            if parts[row] <= _COACHED:
                for i in range(aloud.size):
                    aloud[i] += i32(words[i]) + i32(played[i])
            else:
                whispered = True
                for i in range(aloud.size):
                    aloud[i] += i32(played[i])
        if whispered:
            aside[:] = i32(0)
            for row in room:
                if parts[row] == _COACH:
                    words = said[row]
                    for i in range(aside.size):
                        aside[i] += i32(words[i])
        for row in room:
            if deaf[row]:
                continue
            words, heard = said[row], told[row]
            if whispered and parts[row] != _PARTY:
                own = i32(parts[row] != _LISTENER)
                for i in range(aloud.size):
                    total = aloud[i] + aside[i] - own * i32(words[i])
                    heard[i] = min(max(total, i32(-32_768)), i32(32_767))
            else:
                for i in range(aloud.size):
                    heard[i] = min(max(aloud[i] - i32(words[i]), i32(-32_768)), i32(32_767))


class Mixer:
    """The rooms of a node with `capacity` rows. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = mixing()

    def process(self, rows: Rows, sizes: Rows, parts: Bytes, deaf: Bytes, said: Pcm, told: Pcm) -> None:
        """One tick of all rooms. `rows` are the members, one room after the other; `sizes` how many are in each, and
        `parts` u8[C] what each is there (`Part`).

        `said` i16[C, 320] is what each member says, `told` i16[C, 320] what the house plays to each. `told` becomes
        what each hears: all that is played in the room, and what those say whom it hears, less what it says itself. A
        row that is marked in `deaf` u8[C] is heard by the others, but its `told` stays as it is.
        """
        check_rows(rows, self._capacity)
        check_shape("parts", parts, (self._capacity,))
        check_shape("deaf", deaf, (self._capacity,))
        check_shape("said", said, (self._capacity, WIDE_TICK))
        check_shape("told", told, (self._capacity, WIDE_TICK))
        if sum(sizes.tolist()) != rows.size:
            raise ValueError(f"sizes must add up to {rows.size} rows, got {sizes.tolist()}")
        mix(rows, sizes, parts, deaf, said, told, self._it)

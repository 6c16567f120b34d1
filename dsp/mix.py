"""Rooms: everyone hears everyone else and not themselves (N-1 mixing, also called mix-minus).

The sum of a room is made once and each member's own words are taken off it again, so a room costs two passes however
many are in it. Sums are exact; only what is handed out is cut off at the ends of int16.
"""

import numpy as np
import numpy.typing as npt

from dsp.kernel import WIDE_TICK, Bytes, Pcm, Rows, check_rows, check_shape, i32, kernel

Sums = npt.NDArray[np.int32]


@kernel("void(i4[::1], i4[::1], u1[::1], i2[:, ::1], i2[:, ::1], i4[::1])")
def _mix(rows: Rows, sizes: Rows, deaf: Bytes, said: Pcm, told: Pcm, total: Sums) -> None:
    begin = 0
    for size in sizes:
        room = rows[begin : begin + size]
        begin += size
        total[:] = i32(0)
        for row in room:
            words, played = said[row], told[row]
            for i in range(total.size):
                total[i] += i32(words[i]) + i32(played[i])
        for row in room:
            if deaf[row]:
                continue
            words, heard = said[row], told[row]
            for i in range(total.size):
                heard[i] = min(max(total[i] - i32(words[i]), i32(-32_768)), i32(32_767))


class Mixer:
    """The rooms of a node with `capacity` rows; no state stays from tick to tick."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._total = np.zeros(WIDE_TICK, np.int32)

    def process(self, rows: Rows, sizes: Rows, deaf: Bytes, said: Pcm, told: Pcm) -> None:
        """One tick of all rooms. `rows` are the members, one room after the other; `sizes` how many are in each.

        `said` i16[C, 320] is what each member says, `told` i16[C, 320] what the house plays to each. `told` becomes
        what each hears: the sum of both over the whole room, less what the member itself says. A row that is marked
        in `deaf` u8[C] is heard by the others, but its `told` stays as it is.
        """
        check_rows(rows, self._capacity)
        check_shape("deaf", deaf, (self._capacity,))
        check_shape("said", said, (self._capacity, WIDE_TICK))
        check_shape("told", told, (self._capacity, WIDE_TICK))
        if sum(sizes.tolist()) != rows.size:
            raise ValueError(f"sizes must add up to {rows.size} rows, got {sizes.tolist()}")
        _mix(rows, sizes, deaf, said, told, self._total)

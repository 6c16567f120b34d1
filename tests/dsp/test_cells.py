"""Packets that lie whole in a cell, one or two."""

import numpy as np
import pytest

from dsp.cells import BEGUN, CELL_OCTETS, HELD, LENGTH, NUMBER, SECOND, Cells, cells, put

FORMAT = 4


def laid(*packets: tuple[int, bytes], tags: tuple[int, ...] = (FORMAT,) * 3) -> Cells:
    """Cell 3, after packets of these numbers were put there."""
    it = cells(1)
    for (number, payload), tag in zip(packets, tags, strict=False):
        put(it, 0, number, tag, np.frombuffer(bytearray(payload), np.uint8), 0, len(payload), 3)
    return it


def held(it: Cells) -> bytes:
    return it.octets[0, 3, : it.marks[0, 3, LENGTH]].tobytes()


@pytest.mark.parametrize("packets", [((7, b"abc"), (8, b"de")), ((8, b"de"), (7, b"abc"))])
def test_two_lie_in_their_order(packets: tuple[tuple[int, bytes], ...]) -> None:
    it = laid(*packets)
    mark = it.marks[0, 3]
    assert held(it) == b"abcde"
    assert (mark[SECOND], mark[NUMBER], mark[BEGUN]) == (3, 8, 2)


def test_of_three_the_first_two_stay() -> None:
    it = laid((7, b"abc"), (8, b"de"), (9, b"f"))
    assert held(it) == b"abcde"
    assert it.marks[0, 3, BEGUN] == 2


def test_what_does_not_fit_or_is_in_another_format_is_left_out() -> None:
    assert held(laid((7, b"abc"), (8, bytes(CELL_OCTETS - 2)))) == b"abc"
    assert held(laid((7, b"abc"), (8, b"de"), tags=(FORMAT, FORMAT + 1))) == b"abc"
    assert len(held(laid((7, b"abc"), (8, bytes(CELL_OCTETS - 3))))) == CELL_OCTETS


def test_a_cell_that_was_emptied_begins_anew() -> None:
    it = laid((7, b"abc"), (8, b"de"))
    it.marks[0, 3, HELD] = 0
    put(it, 0, 71, FORMAT, np.frombuffer(bytearray(b"xyz!"), np.uint8), 0, 4, 3)
    assert held(it) == b"xyz!"
    assert (it.marks[0, 3, SECOND], it.marks[0, 3, NUMBER], it.marks[0, 3, BEGUN]) == (0, 71, 1)

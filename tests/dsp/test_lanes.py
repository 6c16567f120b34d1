"""Rows laid side by side, and back: against indexing, and with nothing else written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.kernel import Floats, Rows
from dsp.lanes import LANES, gather, lay, lay_pcm

NOTHING = np.float32(7)


def places_of(columns: int, rng: np.random.Generator) -> Rows:
    """Where columns are laid: anywhere, two apart from each other."""
    return (rng.permutation(columns) * (LANES + 2)).astype(np.int32)


def room(columns: int) -> Floats:
    return np.full(columns * (LANES + 2), NOTHING)


@settings(deadline=None, max_examples=40)
@given(capacity=st.integers(1, 70), squares=st.integers(1, 10), samples=st.booleans(), seed=st.integers(0, 99))
def test_every_lane_has_what_its_row_has_and_gives_it_back(
    capacity: int, squares: int, samples: bool, seed: int
) -> None:
    rng, columns = np.random.default_rng(seed), 16 * squares
    rows = rng.integers(0, capacity, LANES).astype(np.int32)  # some of them twice
    pcm = rng.integers(-32_768, 32_768, (capacity, columns)).astype(np.int16)
    table, places, flat = pcm.astype(np.float32), places_of(columns, rng), room(columns)
    if samples:
        lay_pcm(rows, pcm, places, flat)
    else:
        lay(rows, table, places, flat)
    laid = flat.reshape(columns, LANES + 2)
    np.testing.assert_array_equal(laid[places // (LANES + 2), :LANES], table[rows].T)
    assert (laid[:, LANES:] == NOTHING).all()

    back = np.full((capacity, columns), NOTHING)
    gather(rows, back, places, flat)
    np.testing.assert_array_equal(back[rows], table[rows])
    assert (np.delete(back, rows, axis=0) == NOTHING).all()


@pytest.mark.parametrize("extreme", [-32_768, 32_767])
def test_no_sample_is_too_large(extreme: int) -> None:
    flat = room(16)
    pcm = np.full((1, 16), extreme, np.int16)
    lay_pcm(np.zeros(LANES, np.int32), pcm, places_of(16, np.random.default_rng(1)), flat)
    assert set(flat.tolist()) == {float(extreme), float(NOTHING)}

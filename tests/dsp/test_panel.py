"""The dense layer against numpy, whatever its shape, and what it leaves alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.kernel import Floats
from dsp.panel import NO_FLOOR, ROWS, dense, packed

NOTHING = np.float32(7)


def layer(count: int, inputs: int, outputs: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """x [count, inputs], weights and bias."""
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((count, inputs)), rng.standard_normal((inputs, outputs))
    return x.astype(np.float32), weights.astype(np.float32), rng.standard_normal(outputs).astype(np.float32)


def made(x: Floats, weights: Floats, bias: Floats, floor: float, x_gap: int = 0, y_gap: int = 0) -> Floats:
    """What `dense` makes of x, rows lying with gaps, as [rows that were made and one more, outputs and gap]."""
    (count, inputs), outputs = x.shape, bias.size
    whole = -(-count // ROWS) * ROWS
    spaced = np.zeros((whole, inputs + x_gap), np.float32)
    spaced[:count, :inputs] = x
    y = np.full((whole + 1, outputs + y_gap), NOTHING)
    dense(count, spaced.reshape(-1), inputs + x_gap, weights, bias, floor, y.reshape(-1), outputs + y_gap)
    return y


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 20),
    inputs=st.integers(1, 70),
    panels=st.integers(1, 4),
    gaps=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    floor=st.sampled_from([NO_FLOOR, 0.0, -1.5]),
    seed=st.integers(0, 9),
)
def test_it_is_the_product_with_bias_and_floor_and_writes_nothing_else(
    count: int, inputs: int, panels: int, gaps: tuple[int, int], floor: float, seed: int
) -> None:
    outputs = 32 * panels
    x, weights, bias = layer(count, inputs, outputs, seed)
    y = made(x, packed(weights), bias, floor, *gaps)
    expected = np.maximum(x.astype(np.float64) @ weights + bias, floor)
    np.testing.assert_allclose(y[:count, :outputs], expected, atol=1e-4)
    assert (y[:, outputs:] == NOTHING).all()
    assert (y[-1] == NOTHING).all()


@pytest.mark.parametrize("inputs", [slice(0, 40), slice(13, 40), slice(0, 27), slice(13, 14), slice(13, 13)])
def test_some_of_the_inputs_may_be_taken(inputs: slice) -> None:
    x, weights, bias = layer(5, 40, 64, seed=1)
    y = made(np.ascontiguousarray(x[:, inputs]), packed(weights)[:, inputs], bias, NO_FLOOR)
    np.testing.assert_allclose(y[:5], x[:, inputs] @ weights[inputs] + bias, atol=1e-4)


def test_a_row_comes_out_the_same_wherever_it_stands() -> None:
    x, weights, bias = layer(1, 300, 32, seed=2)
    y = made(np.repeat(x, 2 * ROWS + 1, axis=0), packed(weights), bias, 0)
    assert (y[: 2 * ROWS + 1] == y[0]).all()

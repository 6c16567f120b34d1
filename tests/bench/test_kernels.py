"""The kernel bench: every contest is prepared, which compares the outputs, and its figures are whole."""

import argparse

import pytest

from bench import kernels


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_every_kernel_and_its_rival_agree_and_are_measured(name: str) -> None:
    figures = {figure.name: figure for figure in kernels.run(argparse.Namespace(only=name, turns=1))}
    for batch in kernels.BATCHES:
        assert figures[f"{name}.batch_{batch}.ours"].value > 0
    assert all(figure.name.startswith(name) for figure in figures.values())
    bounded = [figure for figure in figures.values() if figure.must]
    assert all(".batch_128.faster_than_" in figure.name for figure in bounded)
    assert bool(bounded) == (name != "conceal")  # nothing to compare concealment with


def test_outputs_that_differ_stop_the_bench() -> None:
    x = kernels._sound(1, 800)[0]
    kernels._same(x, x + 1, 0.01)
    with pytest.raises(ArithmeticError, match="differ"):
        kernels._same(x, x[::-1].copy(), 0.01)

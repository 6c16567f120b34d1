"""The kernel bench: every contest is prepared, which compares the outputs, and its figures are whole."""

import argparse

import pytest

from bench import kernels
from bench.contests import KERNELS
from bench.contests.contest import check_alike, sound

ALONE = {"conceal", "echo_cancel", "echo_cancel_wide", "gain", "gate", "jitter", "limiter", "noise", "progress"}
ALONE |= {"stretch_nothing", "stretch_search"}
"""No library does the same as these."""


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_and_its_rival_agree_and_are_measured(name: str) -> None:
    figures = {figure.name: figure for figure in kernels.run(argparse.Namespace(only=name, turns=1))}
    for batch in kernels.BATCHES:
        assert figures[f"{name}.batch_{batch}.ours"].value > 0
    assert all(figure.name.startswith(name) for figure in figures.values())
    bounded = [figure for figure in figures.values() if figure.must]
    assert all(".batch_128.faster_than_" in figure.name for figure in bounded)
    assert bool(bounded) == (name not in ALONE)


def test_outputs_that_differ_stop_the_bench() -> None:
    x = sound(1, 800)[0]
    check_alike(x, x + 1, 0.01)
    with pytest.raises(ArithmeticError, match="differ"):
        check_alike(x, x[::-1].copy(), 0.01)

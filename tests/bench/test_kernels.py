"""The kernel bench: every contest is prepared, which compares the outputs, and won by half of what it must be."""

import argparse

import pytest

from bench import kernels
from bench.contests import KERNELS
from bench.contests.contest import check_alike, sound

ALONE = {"conceal", "echo_cancel", "echo_cancel_wide", "gain", "gate", "jitter", "limiter", "noise", "progress"}
ALONE |= {"stretch_nothing", "stretch_search"}
"""No library does the same as these."""

MARGIN = 0.5
"""Of a bound, as the machine does other things meanwhile: a kernel that has lost its vectors loses more than that."""


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_and_its_rival_agree_and_are_measured(name: str) -> None:
    figures = {figure.name: figure for figure in kernels.run(argparse.Namespace(only=name, turns=5))}
    for batch in kernels.BATCHES:
        assert figures[f"{name}.batch_{batch}.ours"].value > 0
    assert all(figure.name.startswith(name) for figure in figures.values())
    bounded = [figure for figure in figures.values() if figure.must]
    assert all(".batch_128.faster_than_" in figure.name for figure in bounded)
    assert bool(bounded) == (name not in ALONE)
    for figure in bounded:
        assert figure.value >= float(figure.must.removeprefix(">=")) * MARGIN, figure


def test_outputs_that_differ_stop_the_bench() -> None:
    x = sound(1, 800)[0]
    check_alike(x, x + 1, 0.01)
    with pytest.raises(ArithmeticError, match="differ"):
        check_alike(x, x[::-1].copy(), 0.01)

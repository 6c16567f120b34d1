"""The bench of delay: what went in is found again on both ways out."""

from argparse import Namespace

import pytest

from bench.delay import CALLS, run


@pytest.mark.timeout(120)
def test_packets_and_sounds_are_found_again() -> None:
    figures = {figure.name: figure.value for figure in run(Namespace(seconds=4.0))}
    loud = 2 * CALLS * 10  # in the second that counts, alone or together
    for name in ("out", "heard"):
        assert 0.5 * loud < figures[f"{name}.packets"] <= 1.1 * loud
        assert 0 < figures[f"{name}.least"] <= figures[f"{name}.p50"] <= figures[f"{name}.p99"]
    assert figures["out.least"] < 60

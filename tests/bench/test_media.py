"""The bench of the media plane: it carries calls, and counts what comes on both sides."""

from argparse import Namespace

import pytest

from bench.media import run


@pytest.mark.timeout(120)
def test_calls_are_carried_and_counted() -> None:
    figures = {figure.name: figure.value for figure in run(Namespace(calls=[2], seconds=1.5))}
    assert figures["calls_2.cpu"] > 0
    assert figures["calls_2.far_ends.cpu"] > 0
    lost = figures["calls_2.lost_in"] + figures["calls_2.lost_out"]
    assert -10 < lost < 60, "of 300 packets; a busy machine may hold either side up"
    assert figures["carried"] in (0, 2)

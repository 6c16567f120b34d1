"""The bench of browser calls: they are set up, carried, and counted on both sides; lateness is told by the grid."""

from argparse import Namespace
from typing import cast

import pytest

from bench.webrtc import Departures, run
from voice.net.webrtc import BrowserPeer


class _Nobody:
    def send(self, packets: list[bytes]) -> None:
        pass


@pytest.mark.timeout(120)
def test_calls_are_carried_and_counted() -> None:
    figures = {figure.name: figure.value for figure in run(Namespace(calls=[2], seconds=1.5))}
    assert figures["calls_2.cpu"] > 0
    assert figures["calls_2.browsers.cpu"] > 0
    assert figures["calls_2.late.p99"] > 0
    assert -10 < figures["calls_2.lost"] < 60, "of 500 packets; a busy machine may hold either side up"
    assert figures["calls_a_core"] > 0
    assert figures["carried"] in (0, 2)


def test_a_packet_is_late_by_its_place_in_the_stream() -> None:
    departures = Departures(cast(BrowserPeer, _Nobody()))
    departures.at = [10.0, 10.025, 10.040, 10.080]
    departures.stamps = [2**32 - 960, 0, 960, 2_880]
    assert departures.late_ms() == pytest.approx([0.0, 5.0, 0.0, 0.0])

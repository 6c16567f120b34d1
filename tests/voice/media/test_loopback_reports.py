"""Two legs of one plane over a relay whose loss and delay are known, with real sockets and the real clock."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.fakes.browser_call import until
from tests.fakes.lossy_relay import LossyRelay
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts

HOST = "127.0.0.1"
DELAY_S = 0.04
LOSS = 0.1


class Eager(Random):
    """Reports come as soon as they may: the part of an interval that is drawn is none."""

    def random(self) -> float:
        return 0.0

    def getrandbits(self, k: int, /) -> int:
        return super().getrandbits(k)


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=2)
    plane.start()
    yield plane
    await plane.close()


@pytest.mark.parametrize("muxed", [False, True])
async def test_both_ends_know_the_loss_and_the_round_trip(plane: MediaPlane, muxed: bool) -> None:
    ports = RtpPorts(HOST, 22_400, 22_599, Eager())
    wires = ports.open(None), ports.open(None)
    relays = [LossyRelay((HOST, wires[1].port + n), LOSS if n == 0 else 0.0, delay_s=DELAY_S) for n in range(2)]
    rtp, rtcp = [await relay.start(HOST) for relay in relays]
    legs: list[MediaLeg] = []
    for wire in wires:
        wire.remote = rtp
        wire.control.declare(rtcp, muxed=muxed)
        legs.append(plane.add_leg(wire, Coding.PCMU, 0, 101))
        wire.control.begin(legs[-1])
    await until(lambda: all(wire.control.told.round_trip_ms is not None for wire in wires), within_s=25)
    await asyncio.sleep(2.2)  # another report of each
    for leg in legs:
        leg.close()
    qualities = [leg.quality for leg in legs]
    for relay in relays:
        await relay.close()
    lost = 0
    for quality in qualities:
        assert quality is not None
        assert quality.inbound is not None
        assert quality.round_trip_ms is not None
        assert quality.outbound is not None
        assert 78 <= quality.round_trip_ms <= 180, "80 ms, ticks on the way, and a busy machine"
        lost += quality.inbound.lost
        for stream in (quality.inbound, quality.outbound):
            assert 0.04 <= stream.lost / stream.packets <= 0.18
            assert 2.3 <= stream.mos <= 4.0
            assert stream.jitter_ms < 60
        assert quality.concealed_frames >= quality.inbound.lost * 0.5
    assert lost == pytest.approx(relays[0].lost, abs=8), "what was under way at the end, and reports among RTP"

"""Call progress of a leg: told where it is asked for, through everything that sound goes through, and nowhere else."""

import numpy as np
import pytest

from dsp.progress import Progress
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.ports import Frame, Pcm
from voice.wire.rtp import RtpPacket


def pause(ms: int) -> Pcm:
    return np.zeros(ms * 16, np.int16)


BUSY = np.concatenate([tone(500, 425), pause(500)] * 4)
CONGESTION = np.concatenate([tone(240, 425), pause(240)] * 4)
BEEP = np.concatenate([pause(300), tone(400, 1_000), pause(400)])
FAX = np.concatenate([pause(300), tone(1_000, 2_100)])
CALLING = np.concatenate([pause(300), tone(500, 1_100), pause(400)])
SIT = np.concatenate([pause(300), tone(330, 950), tone(330, 1_400), tone(330, 1_800), pause(400)])


async def heard(bench: Bench, wire: FakeWire, sound: Pcm, quiet_ticks: int = 10) -> None:
    """The far end sends `sound`, and then silence."""
    for n, payload in enumerate(octets(sound) + [b"\xff" * 160] * quiet_ticks):
        wire.inbound = [(rtp(n, payload), PEER)]
        await bench.run()


@pytest.mark.parametrize(
    ("sound", "what"),
    [
        (BUSY, Progress.BUSY),
        (CONGESTION, Progress.CONGESTION),
        (BEEP, Progress.BEEP),
        (FAX, Progress.FAX_ANSWERING),
        (CALLING, Progress.FAX_CALLING),
        (SIT, Progress.SIT),
    ],
    ids=["busy", "congestion", "beep", "fax", "CNG", "SIT"],
)
async def test_what_a_leg_hears_is_told_once(sound: Pcm, what: Progress) -> None:
    bench, wire, told = Bench(), FakeWire(), list[Progress]()
    leg, _ = bench.leg(wire)
    leg.on_progress(told.append)
    await heard(bench, wire, sound)
    assert told == [what]


async def test_a_line_that_loses_a_tenth_is_told_as_well() -> None:
    bench, wire, told = Bench(), FakeWire(), list[Progress]()
    leg, _ = bench.leg(wire)
    leg.on_progress(told.append)
    lost = np.random.default_rng(1).random(400) < 0.1
    for n, payload in enumerate(octets(np.concatenate([BUSY, BUSY[: 500 * 16]]))):
        wire.inbound = [] if lost[n] else [(rtp(n, payload), PEER)]
        await bench.run()
    assert told == [Progress.BUSY]


async def test_a_wide_leg_is_followed_as_well_and_without_a_listener() -> None:
    bench, wire, told = Bench(), FakeWire(), list[Progress]()
    bench.plane.add_leg(wire, Coding.L16_16K, 96, None).on_progress(told.append)
    for n, samples in enumerate(BEEP.reshape(-1, 320)):
        wire.inbound = [(bytes(RtpPacket(96, n, n * 320, 1, samples.astype("<i2").tobytes())), PEER)]
        await bench.run()
    assert told == [Progress.BEEP]


async def test_only_who_asks_is_followed_and_no_longer_than_that() -> None:
    bench, wires, told = Bench(), [FakeWire(), FakeWire()], list[Progress]()
    asking, frames = bench.leg(wires[0])
    bench.leg(wires[1])
    asking.on_progress(told.append)
    sound = np.concatenate([BEEP, BEEP])
    for n, payload in enumerate(octets(sound)):
        wires[0].inbound = wires[1].inbound = [(rtp(n, payload), PEER)]
        await bench.run()
        if told:
            asking.on_progress(None)
    assert told == [Progress.BEEP]
    assert len(frames) == bench.tick


async def test_a_leg_hears_nothing_of_the_one_before_it_in_its_row() -> None:
    bench, wire, told = Bench(capacity=1), FakeWire(), list[Progress]()
    leg, _ = bench.leg(wire)
    leg.on_progress(told.append)
    await heard(bench, wire, BEEP[: 700 * 16], quiet_ticks=0)
    leg.close()
    await bench.run(2)
    leg, _ = bench.leg(wire := FakeWire())
    leg.on_progress(told.append)
    await heard(bench, wire, pause(500))
    assert told == []


async def test_a_sink_may_close_its_leg() -> None:
    bench, wire = Bench(), FakeWire()
    leg, frames = bench.leg(wire)
    at: list[Frame] = []

    def take(_step: Progress) -> None:
        at.extend(frames[-1:])
        leg.close()

    leg.on_progress(take)
    await heard(bench, wire, BEEP)
    assert at
    assert frames[-1] is at[0], "a leg that is closed tells nothing more"

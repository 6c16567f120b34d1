"""Legs come and go for a long time: nothing of them stays, and the first tick costs what any other does."""

import asyncio
import gc
import resource
import sys
import time

import numpy as np
import pytest

from tests.fakes.coders import coder
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.ports import Frame, Room
from voice.wire.rtp import RtpPacket

LEGS = 10_000
SETTLED = 2_000
CODINGS = (Coding.PCMU, Coding.G722, Coding.PCMA, Coding.OPUS)
KIB = 1_024


def in_use() -> tuple[int, int]:
    """Blocks of Python objects, and the most memory that was ever resident, in KiB."""
    gc.collect()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return sys.getallocatedblocks(), most if sys.platform == "linux" else most // KIB


@pytest.mark.timeout(240)
async def test_ten_thousand_legs_leave_nothing_behind() -> None:
    """Each says something, is told something in a room, and goes; every one that follows has a row of one before."""
    asyncio.get_running_loop().slow_callback_duration = 60  # what is logged of a busy machine would be counted
    bench = Bench(capacity=3)
    sound = tone(40)
    payloads = {coding: coder(coding).encode(sound[:320]) for coding in CODINGS}
    before = (0, 0)
    for n in range(LEGS):
        if n == SETTLED:
            before = in_use()
        coding = CODINGS[n % len(CODINGS)]
        wire = FakeWire()
        leg = bench.plane.add_leg(wire, coding, 96, 101)
        frames: list[Frame] = []
        leg.listen(frames.append)
        leg.enter(Room())
        leg.play(1, sound, last=True)
        leg.send_keys("5")
        wire.inbound = [(bytes(RtpPacket(96, 1, 160, 1, payloads[coding])), PEER)]
        await bench.run()
        leg.close()
        await bench.run()
        assert wire.closed
        assert [frame.tick for frame in frames] == [0]
        assert len(wire.sent) == 1
    blocks, resident_kib = np.subtract(in_use(), before)
    assert blocks < 1_000, "one left by each leg would be 8,000"
    assert resident_kib < 2 * KIB, "a leg that left 300 octets behind would be seen"


async def thousand_ticks_ms() -> list[float]:
    """Processor time of each tick of an engine that has just been started, for 50 legs that were opened before."""
    bench = Bench(capacity=50)
    wires = [FakeWire() for _ in range(50)]
    for wire in wires:
        bench.leg(wire)
    payloads, times = octets(tone(1_000)), []
    for n in range(1_000):
        for wire in wires:
            wire.inbound = [(rtp(n, payloads[n % 50]), PEER)]
            wire.sent.clear()
        begun = time.thread_time()
        bench.plane.run_tick(bench.tick)
        times.append((time.thread_time() - begun) * 1_000)
        bench.tick += 1
        await asyncio.sleep(0)
    return times


async def test_the_first_tick_is_as_fast_as_the_thousandth() -> None:
    """Once what is compiled was loaded, as `MediaPlane.start` sees to."""
    await Bench(capacity=1).run()
    runs = np.array([await thousand_ticks_ms() for _ in range(3)])
    first, later = runs[:, 0].min(), np.median(runs[:, 900:])
    assert first < 3 * later, "opening 50 legs is part of it"

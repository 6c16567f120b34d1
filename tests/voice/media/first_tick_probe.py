"""Run by test_first_tick in a fresh process: what numba compiles once the plane has started, and what ticks take."""

import asyncio
import gc
import json
import sys
import time

from numba.core import event

from tests.dsp.warm_probe import Compilations
from tests.fakes.coders import coder
from tests.voice.media.ticks import PEER, Bench, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.plane import MediaPlane
from voice.ports import TICK_SAMPLES, Frame, Room
from voice.wire.rtp import RtpPacket

CODINGS = {Coding.PCMU: 0, Coding.PCMA: 8, Coding.G722: 9, Coding.OPUS: 111}
TICKS = 1_000


def packets(coding: Coding, payload_type: int) -> list[bytes]:
    """Two seconds of a tone."""
    far, units = coder(coding), coding.clock_hz // 50
    pieces = tone(2_000).reshape(-1, TICK_SAMPLES)
    return [bytes(RtpPacket(payload_type, n, n * units, 1, far.encode(piece))) for n, piece in enumerate(pieces)]


async def run(compilations: Compilations) -> list[float]:
    """Milliseconds of this thread that each tick took."""
    said = {coding: packets(coding, kind) for coding, kind in CODINGS.items()}
    plane = MediaPlane(asyncio.get_running_loop(), capacity=1)
    plane.start()
    await plane.close()
    compilations.names.clear()
    bench, room = Bench(capacity=len(CODINGS)), Room()
    heard: list[Frame] = []
    wires: dict[Coding, FakeWire] = {}
    for coding, kind in CODINGS.items():
        wires[coding] = FakeWire()
        leg = bench.plane.add_leg(wires[coding], coding, kind, None)
        leg.listen(heard.append)
        leg.enter(room)
        leg.play(1, tone(500), last=True)
        leg.send_keys("5")
    gc.collect()
    gc.freeze()  # as a node does before it serves: a collection over all that is loaded takes 80 ms
    took = []
    for n in range(TICKS):
        for coding, wire in wires.items():
            wire.inbound = [(said[coding][n % 100], PEER)]
        began = time.thread_time()
        await bench.run()
        took.append((time.thread_time() - began) * 1_000)
    assert len(heard) == TICKS * len(CODINGS)
    return took


def main() -> None:
    compilations = Compilations()
    event.register("numba:compile", compilations)  # type: ignore[no-untyped-call]
    took = asyncio.run(run(compilations))
    json.dump({"compiled": compilations.names, "took": took}, sys.stdout)


if __name__ == "__main__":
    main()

"""A tick of bridged pairs of one format: packets that go on as they came, against a mix encoded for each.

Both run in turns in one process, so that a busy machine slows both. Where the mix is wanted, silence is played to one
of each pair. Time is the thread's, for a whole tick of all legs, voice activity and the rest of hearing with it.
"""

import argparse
import asyncio
import statistics
import time

import numpy as np

from bench.figures import Figure
from tests.fakes.coders import coder
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.ports import TICK_SAMPLES, Pcm, Room
from voice.wire.rtp import RtpPacket

WARM_TICKS = 50

FORMATS = (Coding.PCMU, Coding.G722, Coding.OPUS)


class Pairs:
    """Legs two to a room; `mixed`: something is always played to the first of each."""

    def __init__(self, coding: Coding, count: int, payloads: list[bytes], *, mixed: bool) -> None:
        self.work_ms: list[float] = []
        self._units, self._payloads, self._mixed = coding.clock_hz // 50, payloads, mixed
        self._plane = MediaPlane(asyncio.get_running_loop(), capacity=2 * count)
        self._wires = [FakeWire() for _ in range(2 * count)]
        self._legs: list[MediaLeg] = []
        rooms = [Room() for _ in range(count)]
        for n, wire in enumerate(self._wires):
            leg = self._plane.add_leg(wire, coding, 96, None)
            leg.enter(rooms[n // 2])
            self._legs.append(leg)

    @property
    def told(self) -> bytes:
        """The payload that was sent last."""
        return RtpPacket.parse(self._wires[-1].sent[-1][0]).payload

    def run_tick(self, n: int) -> None:
        """Packets for all; the tick is timed."""
        packet = bytes(RtpPacket(96, n & 0xFFFF, n * self._units, 1, self._payloads[n % len(self._payloads)]))
        for wire in self._wires:
            wire.inbound = [(packet, ("127.0.0.1", 4000))]
            wire.sent.clear()
        if self._mixed:
            for leg in self._legs[::2]:
                leg.play(n, np.zeros(TICK_SAMPLES, np.int16), last=True)
        begun = time.thread_time()
        self._plane.run_tick(n)
        self.work_ms.append((time.thread_time() - begun) * 1000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--pairs", type=int, default=20, help="how many pairs talk")
    parser.add_argument("--ticks", type=int, default=400, help="ticks of each; the median counts")


def run(options: argparse.Namespace) -> list[Figure]:
    """Each format, both ways."""
    figures: list[Figure] = []
    for coding in FORMATS:
        name = coding.value.lower()
        passed, mixed = asyncio.run(_measure(coding, options.pairs, options.ticks))
        figures += [
            Figure(f"{name}.passed", round(passed, 3), "ms"),
            Figure(f"{name}.mixed", round(mixed, 3), "ms"),
            Figure(f"{name}.faster", round(mixed / passed, 2), "times"),
        ]
    return figures


async def _measure(coding: Coding, pairs: int, ticks: int) -> tuple[float, float]:
    far = coder(coding)
    payloads = [far.encode(frame) for frame in _sound()]
    both = [Pairs(coding, pairs, payloads, mixed=mixed) for mixed in (False, True)]
    for n in range(WARM_TICKS + ticks):
        for each in both:
            each.run_tick(n)
        await asyncio.sleep(0)  # the planes hand over their frames
    if [each.told in payloads for each in both] != [True, False]:
        raise ArithmeticError("what was to go on was encoded, or the other way round")
    passed, mixed = (statistics.median(each.work_ms[WARM_TICKS:]) for each in both)
    return passed, mixed


def _sound() -> Pcm:
    """Two seconds of noise that comes and goes like syllables, in frames."""
    noise = np.convolve(np.random.default_rng(1).standard_normal(32_000), np.ones(12) / 12, "same")
    pcm: Pcm = np.rint(noise * (1 + np.sin(np.arange(32_000) / 600)) * 6_000).astype(np.int16)
    return pcm.reshape(-1, TICK_SAMPLES)

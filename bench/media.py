"""The media plane under load: G.711 calls both ways, a port each, and how punctual and whole their sound is.

The jitter buffer, concealment and voice activity are on, nobody recognises or thinks. The far ends are a process of
their own (`far_ends`), whose time is counted apart. How late a tick is stands beside how late it is without any call:
what the machine itself does to a thread that sleeps.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from random import Random

import numpy as np

from bench.far_ends import HOST, Counts, FarEnds, far_ends
from bench.figures import Figure
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.media.tick import TickStats
from voice.net.rtp_port import RtpPorts
from voice.ports import RATE_HZ, TICK_SAMPLES, Pcm

CALLS = (25, 50, 100, 150, 200, 300)
LATE_MS = 2.0
"""Beyond what the machine does by itself, p99 of a tick may come so much too late."""

AHEAD_MS = 1_000
FIRST_PORT, LAST_PORT = 30_000, 39_998


@dataclass(frozen=True, slots=True)
class Measured:
    """So many calls for `seconds`: how late ticks were, what came, what it cost."""

    calls: int
    seconds: float
    ticks: TickStats
    late_frames: int
    sent: int
    heard: int
    cpu_s: float
    far: Counts

    @property
    def lost(self) -> int:
        """Packets of both directions that did not arrive."""
        return self.far.sent - self.heard + self.sent - sum(self.far.received.values())

    @property
    def cpu_s_per_call_minute(self) -> float:
        return self.cpu_s / self.calls / self.seconds * 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--calls", type=int, nargs="*", default=CALLS, help="how many at once, in turn")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each, and idle")


def run(options: argparse.Namespace) -> list[Figure]:
    """Idle, then each number of calls; the most that were punctual and whole."""
    words = _words()
    idle = asyncio.run(_idle(options.seconds))
    figures = [Figure("idle.late.p99", idle.lateness_p99_ms, "ms")]
    carried = 0
    with far_ends(words) as others:
        for calls in options.calls:
            measured = asyncio.run(_measure(calls, options.seconds, words, others))
            figures += _figures(measured)
            late_ms = measured.ticks.lateness_p99_ms - idle.lateness_p99_ms
            if measured.lost == 0 and measured.late_frames == 0 and late_ms < LATE_MS:
                carried = max(carried, calls)
    return [*figures, Figure("carried", carried, "calls")]


def _figures(it: Measured) -> list[Figure]:
    name = f"calls_{it.calls}"
    return [
        Figure(f"{name}.late.p99", it.ticks.lateness_p99_ms, "ms"),
        Figure(f"{name}.tick.p50", it.ticks.work_p50_ms, "ms"),
        Figure(f"{name}.tick.p99", it.ticks.work_p99_ms, "ms"),
        Figure(f"{name}.late_frames", it.late_frames, "frames"),
        Figure(f"{name}.lost", it.lost, "packets"),
        Figure(f"{name}.cpu", round(it.cpu_s_per_call_minute, 4), "CPU s per call-minute"),
        Figure(f"{name}.far_ends.cpu", round(it.far.cpu_s / it.calls / it.seconds * 60, 4), "CPU s per call-minute"),
        Figure(f"{name}.far_ends.latest", round(it.far.latest_ms, 2), "ms"),
    ]


async def _idle(seconds: float) -> TickStats:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=1)
    plane.start()
    await asyncio.sleep(seconds)
    stats = plane.stats
    await plane.close()
    return stats


async def _measure(calls: int, seconds: float, words: Pcm, others: FarEnds) -> Measured:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=calls)
    ports = RtpPorts(HOST, FIRST_PORT, LAST_PORT, Random())
    plane.start()
    wires = [ports.open(others.address) for _ in range(calls)]
    legs = [plane.add_leg(wire, "PCMU", 0, 101) for wire in wires]
    for leg in legs:
        leg.listen(lambda _frame: None)
    cpu = time.process_time()
    others.talk([wire.port for wire in wires])
    await _speak(legs, words, seconds)
    ticks, spent = plane.stats, time.process_time() - cpu
    for leg in legs:
        leg.set_direction(send=False, receive=True)
    far = await asyncio.to_thread(others.stop)
    told = [leg.stats for leg in legs]
    await plane.close()
    return Measured(
        calls,
        seconds,
        ticks,
        sum(leg.late_frames for leg in told),
        sum(leg.packets_sent for leg in told),
        sum(leg.packets_received for leg in told),
        spent,
        far,
    )


async def _speak(legs: list[MediaLeg], words: Pcm, seconds: float) -> None:
    """Say `words` on every leg, again and again, a second ahead of the wire."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for leg in legs:
            if leg.queued_ms < AHEAD_MS:
                leg.play(0, words, last=False)
        await asyncio.sleep(0.2)


def _words() -> Pcm:
    """Two seconds of noise that comes and goes like syllables: voice activity has something to judge."""
    noise = np.convolve(np.random.default_rng(1).standard_normal(2 * RATE_HZ), np.ones(12) / 12, "same")
    words: Pcm = np.rint(noise * (1 + np.sin(np.arange(2 * RATE_HZ) / 600)) * 6_000).astype(np.int16)
    return words[: words.size // TICK_SAMPLES * TICK_SAMPLES]

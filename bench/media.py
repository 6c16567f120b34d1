"""The media plane under load: G.711 calls both ways, a port each, and how punctual and whole their sound is.

The jitter buffer, concealment and voice activity are on, nobody recognises or thinks. The far ends are a process of
their own (`far_ends`), whose time is counted apart. How late packets leave stands beside how late a thread of this
machine wakes that does nothing else. Processor time is that of the whole process (`cpu`), of
the thread that carries packets and sound (`lines`), and in it of packets alone (`rtp`: received, put in order, sent).
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from bench.far_ends import HOST, Counts, FarEnds, far_ends, words
from bench.figures import Figure
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.media.punctuality import TickStats
from voice.net.rtp_port import RtpPorts
from voice.ports import Pcm

CALLS = (100, 250, 500, 1000)
MUST_CALLS = 1_000
LATE_MS = 2.0
"""Beyond what the machine does by itself, p99 of a packet may leave so much too late."""
JUDGED_MS = 20.0
"""p99 of the time from when a slot is heard until it is judged."""
MUST_CPU_S = 0.060
MUST_RTP_CPU_S = 0.020

AHEAD_MS = 4_000
FIRST_PORT, LAST_PORT = 30_000, 39_998
_NAP_S = 0.002


@dataclass(frozen=True, slots=True)
class Measured:
    """So many calls for `seconds`: how late packets left, what came, what it cost in all and in the line thread."""

    calls: int
    seconds: float
    ticks: TickStats
    late_frames: int
    sent: int
    heard: int
    cpu_s: float
    lines_cpu_s: float
    far: Counts

    @property
    def lost_in(self) -> int:
        """Packets of the far ends that did not arrive."""
        return self.far.sent - self.heard

    @property
    def lost_out(self) -> int:
        """Packets of ours that did not arrive there."""
        return self.sent - self.far.received

    def per_call_minute(self, seconds: float) -> float:
        return round(seconds / self.calls / self.seconds * 60, 4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--calls", type=int, nargs="*", default=CALLS, help="how many at once, in turn")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each, and idle")


def run(options: argparse.Namespace) -> list[Figure]:
    """Idle, then each number of calls; the most that were punctual and whole."""
    said = words()
    idle_ms = _idle_ms(options.seconds)
    figures = [Figure("idle.late.p99", idle_ms, "ms")]
    carried = 0
    with far_ends(said) as others:
        for calls in options.calls:
            measured = asyncio.run(_measure(calls, options.seconds, said, others))
            figures += _figures(measured)
            ticks = measured.ticks
            punctual = ticks.lateness_p99_ms - idle_ms < LATE_MS and ticks.judging_p99_ms < JUDGED_MS
            if measured.lost_in == measured.lost_out == 0 and measured.late_frames == 0 and punctual:
                carried = max(carried, calls)
    return [*figures, Figure("carried", carried, "calls", f">= {MUST_CALLS}")]


def _figures(it: Measured) -> list[Figure]:
    """What few calls cost is mostly what the threads cost that wake for them."""
    name = f"calls_{it.calls}"
    must, must_rtp = (f"<= {MUST_CPU_S}", f"<= {MUST_RTP_CPU_S}") if it.calls >= MUST_CALLS else ("", "")
    return [
        Figure(f"{name}.late.p50", it.ticks.lateness_p50_ms, "ms"),
        Figure(f"{name}.late.p99", it.ticks.lateness_p99_ms, "ms"),
        Figure(f"{name}.slot.p50", it.ticks.work_p50_ms, "ms"),
        Figure(f"{name}.slot.p99", it.ticks.work_p99_ms, "ms"),
        Figure(f"{name}.judged.p99", it.ticks.judging_p99_ms, "ms"),
        Figure(f"{name}.unjudged", it.ticks.unjudged, "ticks"),
        Figure(f"{name}.late_frames", it.late_frames, "frames"),
        Figure(f"{name}.lost_in", it.lost_in, "packets"),
        Figure(f"{name}.lost_out", it.lost_out, "packets"),
        Figure(f"{name}.cpu", it.per_call_minute(it.cpu_s), "CPU s per call-minute", must),
        Figure(f"{name}.lines.cpu", it.per_call_minute(it.lines_cpu_s), "CPU s per call-minute"),
        Figure(f"{name}.rtp.cpu", it.per_call_minute(it.ticks.carrying_s), "CPU s per call-minute", must_rtp),
        Figure(f"{name}.far_ends.cpu", it.per_call_minute(it.far.cpu_s), "CPU s per call-minute"),
        Figure(f"{name}.far_ends.latest", round(it.far.latest_ms, 2), "ms"),
    ]


def _idle_ms(seconds: float) -> float:
    """How late a thread wakes that sleeps until the next 2 ms, p99."""
    late: list[float] = []
    due = time.monotonic()
    until = due + seconds
    while due < until:
        due += _NAP_S
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(time.monotonic() - due)
    return round(float(np.percentile(late, 99)) * 1000, 3)


def _thread_cpu_s(thread: int) -> float:
    """Processor time of a thread of this process, from /proc."""
    fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def _measure(calls: int, seconds: float, said: Pcm, others: FarEnds) -> Measured:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=calls)
    ports = RtpPorts(HOST, FIRST_PORT, LAST_PORT, Random())
    plane.start()
    wires = [ports.open(others.address) for _ in range(calls)]
    legs = [plane.add_leg(wire, Coding.PCMU, 0, 101) for wire in wires]
    others.talk([wire.port for wire in wires])
    await _speak(legs, said, 1.0)
    plane.forget_times()
    cpu, lines = time.process_time(), _thread_cpu_s(plane.line_thread)
    await _speak(legs, said, seconds)
    ticks, spent = plane.stats, time.process_time() - cpu
    lines_spent = _thread_cpu_s(plane.line_thread) - lines
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
        lines_spent,
        far,
    )


async def _speak(legs: list[MediaLeg], said: Pcm, seconds: float) -> None:
    """Say `said` on every leg, again and again, some seconds ahead of the wire."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for leg in legs:
            if leg.queued_ms < AHEAD_MS:
                leg.play(0, said, last=False)
        await asyncio.sleep(0.5)

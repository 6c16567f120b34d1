"""What the node adds to the delay of a call: sockets, threads and clock as they are, and no jitter.

Far ends send G.711 every 20 ms. At first each is alone: `heard` is until its sound is given to its leg's listener as a
frame. Then rooms hold two of them each: `out` is until the same packet has left by the other leg to its far end, both
ways. Two share a slot, which fits the packets of one of them, and those of the other wait for up to half a period: so
calls are spread over the period, and so are the two of a call against each other.
"""

import argparse
import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import numpy as np

from bench.figures import Figure
from dsp.kernel import NARROW_TICK
from voice.media.codecs import Coding
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.ports import TICK_MS, Frame, Room
from voice.wire.rtp import RtpPacket

HOST, FIRST_PORT, LAST_PORT = "127.0.0.1", 28_000, 28_199
CALLS = 10
MUST_MS = "<= 40"
_EVERY = 5  # of so many packets one is loud, the others are silent
_LOUD_DBFS = -40.0
_SETTLED_S = 1.0
"""After which a leg is in the slot that fits it, or its room."""
_QUIET = b"\xff" * NARROW_TICK
_STOP = b"stop"
_HEADER = 12  # octets before the payload

Span = tuple[float, float]
"""When it began and ended, in s."""


@dataclass(slots=True)
class End:
    """A far end, and its leg. When its loud packets went in and were heard, and when those that it was sent came, in s:
    each is known by its octets."""

    socket: socket.socket
    phase: float
    port: int = 0
    sent: dict[bytes, float] = field(default_factory=dict)
    heard: list[float] = field(default_factory=list)
    came: dict[bytes, float] = field(default_factory=dict)

    def hear(self, frame: Frame) -> None:
        if frame.level_dbfs > _LOUD_DBFS:
            self.heard.append(time.monotonic())

    def receive(self) -> None:
        """Until told to stop: a thread's work."""
        while (data := self.socket.recv(2_048)) != _STOP:
            self.came.setdefault(data[_HEADER:], time.monotonic())

    def heard_after_ms(self, span: Span) -> Iterator[float]:
        """For each loud packet whose sound was heard before the next."""
        for at in self.sent.values():
            later = [then for then in self.heard if at < then < at + (_EVERY - 1) * TICK_MS / 1000]
            if later and span[0] < at < span[1]:
                yield (later[0] - at) * 1000

    def out_after_ms(self, other: "End", span: Span) -> Iterator[float]:
        """For each loud packet that came to `other` as it went in here."""
        for payload, at in self.sent.items():
            if payload in other.came and span[0] < at < span[1]:
                yield (other.came[payload] - at) * 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--seconds", type=float, default=20, help="of conversation, half of them alone")


def run(options: argparse.Namespace) -> list[Figure]:
    """Both ways out of a leg."""
    with _calls() as calls:
        alone, together = asyncio.run(_converse(calls, options.seconds))
    pairs = [(one, other) for call in calls for one, other in (call, call[::-1])]
    delays_ms = {
        "heard": [ms for one, _ in pairs for ms in one.heard_after_ms(alone)],
        "out": [ms for one, other in pairs for ms in one.out_after_ms(other, together)],
    }
    figures = []
    for name, found in delays_ms.items():
        figures += [
            Figure(f"{name}.packets", len(found), "packets"),
            Figure(f"{name}.least", round(min(found), 2), "ms"),
            Figure(f"{name}.p50", round(float(np.percentile(found, 50)), 2), "ms", MUST_MS),
            Figure(f"{name}.p99", round(float(np.percentile(found, 99)), 2), "ms", MUST_MS),
        ]
    return figures


@contextmanager
def _calls() -> Iterator[list[tuple[End, End]]]:
    """Each begins as much later than the one before as makes all parts of the period, and so does its second end."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2 * CALLS)]
    for each in sockets:
        each.bind((HOST, 0))
    ends = [End(each, (i // 2 + i % 2 * (i // 2 + 0.5)) / CALLS % 1) for i, each in enumerate(sockets)]
    threads = [threading.Thread(target=end.receive, daemon=True) for end in ends]
    for thread in threads:
        thread.start()
    try:
        yield list(zip(ends[::2], ends[1::2], strict=True))
    finally:
        for end, thread in zip(ends, threads, strict=True):
            end.socket.sendto(_STOP, end.socket.getsockname())
            thread.join()
        for each in sockets:
            each.close()


async def _converse(calls: list[tuple[End, End]], seconds: float) -> tuple[Span, Span]:
    """When each was alone, and when together, once that had settled."""
    plane = MediaPlane(asyncio.get_running_loop(), capacity=2 * CALLS)
    plane.start()
    ports = RtpPorts(HOST, FIRST_PORT, LAST_PORT, Random(1))
    ends, legs = [end for call in calls for end in call], []
    for end in ends:
        wire = ports.open(end.socket.getsockname())
        leg = plane.add_leg(wire, Coding.PCMU, 0, 101)
        wire.control.begin(leg)
        leg.listen(end.hear)
        end.port = wire.port
        legs.append(leg)
    begun = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(_talk, ends, seconds))
        await asyncio.sleep(seconds / 2)
        met = time.monotonic()
        for one, other in zip(legs[::2], legs[1::2], strict=True):
            room = Room()
            one.enter(room)
            other.enter(room)
    await asyncio.sleep(0.2)
    await plane.close()
    return (begun + _SETTLED_S, met - 0.1), (met + _SETTLED_S, np.inf)


def _talk(ends: list[End], seconds: float) -> None:
    """A packet every 20 ms of each."""
    chance, begin = np.random.default_rng(1), time.monotonic()
    order = sorted(enumerate(ends), key=lambda each: each[1].phase)
    for n in range(int(seconds * 1000 / TICK_MS)):
        for i, end in order:
            loud = n % _EVERY == 0
            payload = chance.integers(0, 256, NARROW_TICK, np.uint8).tobytes() if loud else _QUIET
            due = begin + (n + end.phase) * TICK_MS / 1000
            time.sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            end.socket.sendto(bytes(RtpPacket(0, n & 0xFFFF, n * NARROW_TICK, i + 1, payload)), (HOST, end.port))
            if loud:
                end.sent[payload] = at

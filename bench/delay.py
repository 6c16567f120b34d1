"""What the node adds to the delay of a call: sockets, threads and clock as they are, and no jitter.

Far ends send G.711 every 20 ms into one leg of a room; `out` is until the same packet has left by the other leg to its
far end, `heard` until its sound is given to the leg's listener as a frame. How long a packet waits for its leg's turn
is chance, up to 20 ms, and stays as it is for a call whose clock is ours: so the calls are spread over the period, and
low and high percentiles are those of calls that were lucky or were not.
"""

import argparse
import asyncio
import socket
import threading
import time
from collections.abc import Iterable, Iterator
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
_QUIET = b"\xff" * NARROW_TICK
_STOP = b"stop"
_HEADER = 12  # octets before the payload


@dataclass(slots=True)
class Call:
    """When loud packets went in, were heard and came out, in s: each is known by its octets."""

    into: socket.socket
    out: socket.socket
    port: int = 0
    sent: dict[bytes, float] = field(default_factory=dict)
    heard: list[float] = field(default_factory=list)
    came: dict[bytes, float] = field(default_factory=dict)

    def hear(self, frame: Frame) -> None:
        if frame.level_dbfs > _LOUD_DBFS:
            self.heard.append(time.monotonic())

    def receive(self) -> None:
        """Until told to stop: a thread's work."""
        while (data := self.out.recv(2_048)) != _STOP:
            self.came.setdefault(data[_HEADER:], time.monotonic())

    def heard_after_ms(self) -> Iterator[float]:
        """For each loud packet whose sound was heard before the next."""
        for at in _settled(self.sent.values()):
            later = [then for then in self.heard if at < then < at + (_EVERY - 1) * TICK_MS / 1000]
            if later:
                yield (later[0] - at) * 1000

    def out_after_ms(self) -> Iterator[float]:
        """For each loud packet that came out as it went in."""
        settled = set(_settled(self.sent.values()))
        for payload, at in self.sent.items():
            if payload in self.came and at in settled:
                yield (self.came[payload] - at) * 1000


def _settled(times: Iterable[float]) -> list[float]:
    """Those that are not of the call's beginning."""
    known = sorted(times)
    return [at for at in known if at > known[0] + _SETTLED_S]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--seconds", type=float, default=20, help="of conversation")


def run(options: argparse.Namespace) -> list[Figure]:
    """Both ways out of a leg."""
    with _calls() as calls:
        asyncio.run(_converse(calls, options.seconds))
    figures = []
    for name, after in (("out", Call.out_after_ms), ("heard", Call.heard_after_ms)):
        delays_ms = [ms for call in calls for ms in after(call)]
        figures += [
            Figure(f"{name}.packets", len(delays_ms), "packets"),
            Figure(f"{name}.least", round(min(delays_ms), 2), "ms"),
            Figure(f"{name}.p50", round(float(np.percentile(delays_ms, 50)), 2), "ms", MUST_MS),
            Figure(f"{name}.p99", round(float(np.percentile(delays_ms, 99)), 2), "ms"),
        ]
    return figures


@contextmanager
def _calls() -> Iterator[list[Call]]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2 * CALLS)]
    for each in sockets:
        each.bind((HOST, 0))
    calls = [Call(into, out) for into, out in zip(sockets[::2], sockets[1::2], strict=True)]
    threads = [threading.Thread(target=call.receive, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        for call, thread in zip(calls, threads, strict=True):
            call.into.sendto(_STOP, call.out.getsockname())
            thread.join()
        for each in sockets:
            each.close()


async def _converse(calls: list[Call], seconds: float) -> None:
    plane = MediaPlane(asyncio.get_running_loop(), capacity=2 * CALLS)
    plane.start()
    ports = RtpPorts(HOST, FIRST_PORT, LAST_PORT, Random(1))
    for call in calls:
        room = Room()
        for sock in (call.into, call.out):
            wire = ports.open(sock.getsockname())
            leg = plane.add_leg(wire, Coding.PCMU, 0, 101)
            wire.control.begin(leg)
            leg.enter(room)
            if sock is call.into:
                leg.listen(call.hear)
                call.port = wire.port
    await asyncio.to_thread(_talk, calls, seconds)
    await asyncio.sleep(0.2)
    await plane.close()


def _talk(calls: list[Call], seconds: float) -> None:
    """A packet every 20 ms in each call. Each begins as much later after its leg's turn as the one before: turns are a
    part of a period after one another, calls twice that."""
    chance, begin = np.random.default_rng(1), time.monotonic()
    order = sorted((2 * i / len(calls) % 1, i, call) for i, call in enumerate(calls))
    for n in range(int(seconds * 1000 / TICK_MS)):
        for phase, i, call in order:
            payload = chance.integers(0, 256, NARROW_TICK, np.uint8).tobytes() if n % _EVERY == 0 else _QUIET
            due = begin + (n + phase) * TICK_MS / 1000
            time.sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            call.into.sendto(bytes(RtpPacket(0, n & 0xFFFF, n * NARROW_TICK, i + 1, payload)), (HOST, call.port))
            if payload is not _QUIET:
                call.sent[payload] = at

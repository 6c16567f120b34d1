"""Calls from browsers under load: ICE, DTLS, SRTP and Opus both ways; how many a core carries, and how punctually.

The jitter buffer, concealment and voice activity are on, nobody recognises or thinks. All of it has one core. The
browsers are a process of their own (`browsers`), which may use the others, and whose time is counted apart. A packet
is late by what it left after its place in its stream, whose earliest packet is the measure: the tick's lateness, the
way to the event loop, and encryption.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import uvloop

from bench.browsers import Browsers, browsers
from bench.far_ends import HOST, Counts, words
from bench.figures import Figure
from tests.fakes.coders import OpusCoder
from voice.media.leg import MediaLeg
from voice.media.opus import CLOCK_HZ
from voice.media.plane import MediaPlane
from voice.media.wires import RingWire
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer, PeerConnected
from voice.ports import TICK_SAMPLES, Pcm

CALLS = (20, 40, 60, 80)
MUST_CALLS_A_CORE = 60
PUNCTUAL_MS = 10.0
"""A core carries calls whose packets are all sent and heard, and at p99 no later than this: half a tick."""

AHEAD_MS = 1_000
_SETTLE_S = 1.0


@dataclass(slots=True)
class Departures:
    """When the packets of one call left, in s, beside where they stand in their stream."""

    peer: BrowserPeer
    at: list[float] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)

    def send(self, packets: list[bytes]) -> None:
        """`RingWire`'s `on_send`."""
        self.peer.send(packets)
        now = time.monotonic()
        for packet in packets:
            self.at.append(now)
            self.stamps.append(int.from_bytes(packet[4:8], "big"))

    def forget(self) -> None:
        """What left so far does not count."""
        self.at.clear()
        self.stamps.clear()

    def late_ms(self) -> list[float]:
        """How much later than the earliest each left."""
        since = np.array(self.at) - (np.array(self.stamps, np.uint32) - np.uint32(self.stamps[0])) / CLOCK_HZ
        late: list[float] = ((since - since.min()) * 1000).tolist()
        return late


@dataclass(frozen=True, slots=True)
class Measured:
    """So many calls for `seconds`: how late packets left, what came, what it cost."""

    calls: int
    seconds: float
    late_p99_ms: float
    sent: int
    heard: int
    cpu_s: float
    far: Counts

    @property
    def lost(self) -> int:
        """Packets of both directions that did not arrive."""
        return self.far.sent - self.heard + self.sent - self.far.received

    @property
    def calls_a_core(self) -> float:
        return self.calls * self.seconds / self.cpu_s


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--calls", type=int, nargs="*", default=CALLS, help="how many at once, in turn")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each")


def run(options: argparse.Namespace) -> list[Figure]:
    """Each number of calls; what one costs is measured by the most of them, where what calls share weighs least."""
    said = words()
    codec = OpusCoder()
    payloads = [codec.encode(frame) for frame in said.reshape(-1, TICK_SAMPLES)]
    figures = []
    carried, a_core = 0, 0.0
    with browsers(payloads) as others, one_core(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for calls in sorted(options.calls):
            measured = runner.run(_measure(calls, options.seconds, said, others))
            figures += _figures(measured)
            a_core = measured.calls_a_core
            if measured.lost == 0 and measured.late_p99_ms <= PUNCTUAL_MS:
                carried = calls
    return [
        *figures,
        Figure("carried", carried, "calls", f">= {MUST_CALLS_A_CORE}"),
        Figure("calls_a_core", round(a_core, 1), "calls", f">= {MUST_CALLS_A_CORE}"),
    ]


@contextmanager
def one_core() -> Iterator[None]:
    """This thread, and those that it begins, have one core, where the system lets a thread be told (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _figures(it: Measured) -> list[Figure]:
    name = f"calls_{it.calls}"
    call_seconds = it.calls * it.seconds
    return [
        Figure(f"{name}.late.p99", round(it.late_p99_ms, 2), "ms"),
        Figure(f"{name}.lost", it.lost, "packets"),
        Figure(f"{name}.cpu", round(it.cpu_s / call_seconds * 1000, 2), "CPU ms per call-second"),
        Figure(f"{name}.browsers.cpu", round(it.far.cpu_s / call_seconds * 1000, 2), "CPU ms per call-second"),
        Figure(f"{name}.browsers.latest", round(it.far.latest_ms, 2), "ms"),
    ]


async def _measure(calls: int, seconds: float, said: Pcm, others: Browsers) -> Measured:
    guard = IceGuard([IceAddress(HOST)])
    plane = MediaPlane(asyncio.get_running_loop(), capacity=calls)
    plane.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(plane.close)
        offers = await asyncio.to_thread(others.offer, calls)
        peers = [await BrowserPeer.answer(guard, offer) for offer in offers]
        runs = asyncio.gather(*(peer.run() for peer in peers))
        connected = [_connected(peer) for peer in peers]
        await asyncio.to_thread(others.connect, [peer.answer_sdp for peer in peers])
        await asyncio.gather(*connected)
        departures, legs = zip(*(_leg(plane, peer) for peer in peers), strict=True)
        await asyncio.sleep(0.1)  # every leg is in the plane before its first packet comes

        others.talk()
        await _speak(legs, said, _SETTLE_S)
        for departure in departures:
            departure.forget()
        cpu, began = time.process_time(), time.monotonic()
        await _speak(legs, said, seconds)
        spent, lasted = time.process_time() - cpu, time.monotonic() - began

        for leg in legs:
            leg.set_direction(send=False, receive=True)
        far = await asyncio.to_thread(others.stop)
        told = [leg.stats for leg in legs]
        for peer in peers:
            await peer.close()
        await runs
        others.close()
    late = [ms for departure in departures for ms in departure.late_ms()]
    return Measured(
        calls,
        lasted,
        float(np.percentile(late, 99)),
        sum(leg.packets_sent for leg in told),
        sum(leg.packets_received for leg in told),
        spent,
        far,
    )


def _connected(peer: BrowserPeer) -> asyncio.Future[None]:
    """Done when audio can flow."""
    done = asyncio.get_running_loop().create_future()
    peer.listen(lambda event: done.set_result(None) if isinstance(event, PeerConnected) else None)
    return done


def _leg(plane: MediaPlane, peer: BrowserPeer) -> tuple[Departures, MediaLeg]:
    departures = Departures(peer)
    wire = RingWire(departures.send)
    peer.deliver_to(wire.deliver)
    leg = plane.add_leg(wire, peer.coding, peer.payload_type, peer.event_payload_type)
    leg.listen(lambda _frame: None)
    return departures, leg


async def _speak(legs: tuple[MediaLeg, ...], said: Pcm, seconds: float) -> None:
    """Say `said` on every leg, again and again, a second ahead of the wire."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for leg in legs:
            if leg.queued_ms < AHEAD_MS:
                leg.play(0, said, last=False)
        await asyncio.sleep(0.2)

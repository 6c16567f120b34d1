"""A sender and a network in virtual time, for tests of what receives packets."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from voice.wire.jitter import Hole, JitterBuffer
from voice.wire.rtp import RtpPacket

TICK_MS = 20


def stream(
    count: int, *, ptime_ms: int = 20, sequence: int = 0, timestamp: int = 0, ssrc: int = 1
) -> Iterator[tuple[float, RtpPacket]]:
    """`count` G.711 packets and when they leave, in ms. Each octet tells its place: sample number modulo 251."""
    units = ptime_ms * 8
    for index in range(count):
        start = index * units
        payload = bytes((start + i) % 251 for i in range(units))
        stamp = (timestamp + start) & 0xFFFF_FFFF
        yield index * ptime_ms, RtpPacket(0, (sequence + index) & 0xFFFF, stamp, ssrc, payload)


def over(
    packets: Iterable[tuple[float, RtpPacket]],
    *,
    seed: int = 1,
    loss: float = 0.0,
    delay_ms: Callable[[random.Random], float] = lambda _: 0.0,
) -> list[tuple[float, RtpPacket]]:
    """The packets that arrive, and when, by a network that loses and delays them independently."""
    chance = random.Random(seed)
    arrivals = [(sent + delay_ms(chance), packet) for sent, packet in packets if chance.random() >= loss]
    return sorted(arrivals, key=lambda arrival: arrival[0])


@dataclass
class Playout:
    """What a buffer gave for each tick, and the packets that came too late for it."""

    frames: list[bytes | Hole]
    depths_ms: list[int]

    @property
    def audio(self) -> list[bytes]:
        return [frame for frame in self.frames if isinstance(frame, bytes)]

    def count(self, hole: Hole) -> int:
        return sum(frame is hole for frame in self.frames)


def play(
    buffer: JitterBuffer,
    arrivals: Iterable[tuple[float, RtpPacket]],
    ticks: int,
    *,
    quiet: Callable[[int], bool] = lambda _: False,
    tick_ms: float = TICK_MS,
) -> Playout:
    """Run `buffer` for `ticks`; a packet is seen by the first tick at or after its arrival."""
    waiting = list(arrivals)
    result = Playout([], [])
    place = 0
    for tick in range(ticks):
        while place < len(waiting) and waiting[place][0] <= tick * tick_ms:
            buffer.push(waiting[place][1], tick)
            place += 1
        result.frames.append(buffer.pop(tick, quiet=quiet(tick)))
        result.depths_ms.append(buffer.target_ms)
    return result

"""A sender, a network and a listener in virtual time, for tests of the jitter buffer."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dsp import jitter
from dsp.arrivals import TARGET
from dsp.jitter import FRAME, JitterBuffers

TICK_MS = 20
MOVE_MS = 8  # what the listener puts in or takes out at once, as a pitch period is
SHRINK_AT_ONCE_MS = 60


class Packet(NamedTuple):
    """What a buffer takes of an RTP packet."""

    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


Arrival = tuple[float, Packet]
"""When a packet leaves or comes, in ms, and the packet."""


def audio(begin_ms: int, duration_ms: int) -> bytes:
    """Octets at 8 kHz, of which each millisecond tells its number."""
    return np.arange(begin_ms, begin_ms + duration_ms, dtype=np.int64).tobytes()


def numbers(octets: bytes) -> list[int]:
    """Of which milliseconds `octets` consist."""
    told: list[int] = np.frombuffer(octets, np.int64).tolist()
    return told


def stream(count: int, *, ptime_ms: int = 20, sequence: int = 0, timestamp: int = 0, ssrc: int = 1) -> list[Arrival]:
    """`count` packets and when they leave: when their audio is complete, the first of 20 ms at 0."""
    return [
        (
            (index + 1) * ptime_ms - TICK_MS,
            Packet(
                (sequence + index) & 0xFFFF,
                (timestamp + index * ptime_ms * 8) & 0xFFFF_FFFF,
                ssrc,
                audio(index * ptime_ms, ptime_ms),
            ),
        )
        for index in range(count)
    ]


def over(
    packets: Iterable[Arrival],
    *,
    seed: int = 1,
    loss: float = 0.0,
    burst: int = 1,
    delay_ms: Callable[[random.Random], float] = lambda _: 0.0,
) -> list[Arrival]:
    """What arrives, and when, by a network that loses a share `loss` of the packets, in bursts of `burst` on average,
    and delays each by itself."""
    chance = random.Random(seed)
    arrivals, losing = [], False
    for sent, packet in packets:
        if burst == 1:
            losing = chance.random() < loss
        else:  # Gilbert's two states
            losing = chance.random() < (1 - 1 / burst if losing else loss / (1 - loss) / burst)
        if not losing:
            arrivals.append((sent + delay_ms(chance), packet))
    return sorted(arrivals, key=lambda arrival: arrival[0])


@dataclass
class Heard:
    """What a listener heard, tick by tick."""

    popped: list[tuple[int, bytes]] = field(default_factory=list)
    carries_ms: list[float] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    """Of the audio that begins to be played in a tick, since it was sent."""
    targets_ms: list[int] = field(default_factory=list)
    grown: int = 0
    shrunk: int = 0

    @property
    def audio(self) -> list[int]:
        """The milliseconds that were given out, in order."""
        return [number for kind, octets in self.popped if kind == FRAME for number in numbers(octets)]

    @property
    def frames(self) -> list[bytes]:
        return [octets for kind, octets in self.popped if kind == FRAME]

    @property
    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.popped]


def listen(
    buffer: JitterBuffers,
    arrivals: Iterable[Arrival],
    ticks: int,
    *,
    quiet: Callable[[int], bool] = lambda tick: tick % 50 < 15,
    stretch: bool = True,
    row: int = 0,
) -> Heard:
    """Run a row for `ticks`; a packet is seen by the first tick at or after its arrival.

    The listener stretches as an engine would: it holds what it decoded, grows it at once and shrinks it when it is
    quiet (or at once, when it is far too much), a pitch period at a time."""
    waiting = list(arrivals)
    heard, carry, place = Heard(), 0.0, 0
    for tick in range(ticks):
        while place < len(waiting) and waiting[place][0] <= tick * TICK_MS:
            buffer.push(row, *waiting[place][1], tick)
            place += 1
        off = jitter.want(buffer.state, row, tick, carry) if stretch else 0.0
        need = float(TICK_MS)
        if off > 0:
            need -= MOVE_MS
            heard.grown += 1
        elif off < -MOVE_MS and (quiet(tick) or off < -SHRINK_AT_ONCE_MS):
            need += MOVE_MS
            heard.shrunk += 1
        if need != TICK_MS:
            jitter.moved(buffer.state, row, tick, TICK_MS - need)
        while carry < need:
            heard.popped.append(buffer.pop(row, tick))
            if heard.popped[-1][0] == FRAME:
                heard.delays_ms.append(tick * TICK_MS + carry - numbers(heard.popped[-1][1])[0])
            carry += TICK_MS
        carry -= need
        heard.carries_ms.append(carry)
        heard.targets_ms.append(int(buffer.state.arrivals.state[row, TARGET]) * TICK_MS)
    return heard


def frames_of(count: int) -> list[bytes]:
    """The audio of `stream(count)`, cut to frames."""
    return [audio(begin, 20) for begin in range(0, count * 20, 20)]


def counted(buffer: JitterBuffers, column: int, row: int = 0) -> int:
    return int(buffer.state.reception.counts[row, column])

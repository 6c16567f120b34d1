"""Calls in virtual time, part by part of the period. A far end sends numbered packets of plain samples, and which of
them is heard is read off the sound."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.voice.media.ticks import PEER, Bench
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.engine.layout import SLOTS
from voice.media.leg import MediaLeg
from voice.ports import Frame
from voice.wire.rtp import RtpPacket

LENGTH = 100
"""Packets of a call; it is settled after half of them."""
BUFFERED = SLOTS
"""Parts that a packet is in the buffer: 20 ms."""


@dataclass
class Call:
    """A leg and its far end, whose packet `n` comes in part `phase` of the period, and by `jitter` later in turn."""

    bench: Bench
    phase: int
    jitter: tuple[int, ...] = (0,)
    off: Callable[[int], int] = lambda n: 0
    """By how many parts packet `n` comes later, as the far end's clock is not ours."""
    length: int = LENGTH
    wire: FakeWire = field(default_factory=FakeWire)
    heard: list[tuple[int, int]] = field(default_factory=list)
    """Which packet was heard, and in which part."""
    sent: list[tuple[int, RtpPacket]] = field(default_factory=list)
    part: int = 0
    moves: list[int] = field(default_factory=list)
    """Parts in which the leg went to another slot."""
    slot: int = 0

    def __post_init__(self) -> None:
        self.leg: MediaLeg = self.bench.plane.add_leg(self.wire, Coding.L16_16K, 111, 101)
        self.leg.listen(self.hear)

    def hear(self, frame: Frame) -> None:
        number = int(self.leg.row.heard(frame.tick, frame.tick)[160])
        if number:
            self.heard.append((self.part, number - 1))

    def comes_at(self, n: int) -> int:
        return n * SLOTS + self.phase + self.jitter[n % len(self.jitter)] + self.off(n)

    def arrive(self, part: int) -> None:
        """What comes before this part is worked on."""
        self.part = part
        for n in range(max(0, part // SLOTS - 3), min(self.length, part // SLOTS + 4)):
            if self.comes_at(n) == part:
                payload = np.full(320, n + 1, np.int16).tobytes()
                self.wire.inbound.append((bytes(RtpPacket(111, n, n * 320, 1, payload)), PEER))

    def leave(self) -> None:
        self.sent += [(self.part, RtpPacket.parse(data)) for data, _ in self.wire.sent]
        self.wire.sent.clear()
        if self.leg.row["slot"] != self.slot:
            self.slot = self.leg.row["slot"]
            self.moves.append(self.part)

    @property
    def delays(self) -> list[int]:
        """Parts from when a packet came until it was heard, of each that was, once the call was settled."""
        return self.delays_from(LENGTH // 2)

    def delays_from(self, first: int) -> list[int]:
        """Those of packet `first` and what came after it."""
        return [part - self.comes_at(n) for part, n in self.heard if n >= first]

    @property
    def troubles(self) -> list[int]:
        """Packets that did not come in time, were too many or were made up, before the end."""
        arrivals = self.leg.row.arrivals
        return [arrivals.late, arrivals.overflowed, arrivals.concealed]


async def talk(bench: Bench, calls: list[Call], begin: int = 0, end: int = LENGTH * SLOTS) -> None:
    for part in range(begin, end):
        for call in calls:
            call.arrive(part)
        await bench.run_part(part)
        for call in calls:
            call.leave()

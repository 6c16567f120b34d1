"""Calls over bad lines, through the whole media engine in virtual time: what far ends say, and what legs make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dsp.g711 import MU_LAW, encode_block
from dsp.kernel import NARROW_TICK, Pcm
from tests.dsp.network import Arrival, Packet
from tests.voice.media.ticks import PEER, Bench
from tests.voice.media.wires import FakeWire
from voice.media.quality import Arrivals
from voice.ports import TICK_MS, TICK_SAMPLES, Frame
from voice.wire.rtp import RtpPacket

TAIL_TICKS = 25
"""Ticks that a call goes on after all was said."""

Network = Callable[[list[Arrival]], list[Arrival]]
"""What arrives, and when, of packets that leave."""


@dataclass(slots=True, repr=False)
class Carried:
    """A call: `ears` is what its recogniser was given, `left` and `right` the channels of its recording."""

    ears: list[Pcm] = field(default_factory=list)
    lefts: list[Pcm] = field(default_factory=list)
    rights: list[Pcm] = field(default_factory=list)
    skipped: int = 0
    arrivals: Arrivals = field(default_factory=Arrivals)
    delays_ms: list[int] = field(default_factory=list)

    def hear(self, frame: Frame) -> None:
        self.ears.append(frame.pcm)

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """As a recording takes it (voice.media.recorder.Tape)."""
        self.lefts.append(caller)
        self.rights.append(ours)

    def skip(self, ticks: int) -> None:
        """Ticks that were left out."""
        self.skipped += ticks

    @property
    def left(self) -> Pcm:
        return np.concatenate(self.lefts)

    def off_ms(self, ticks: int) -> float:
        """By how much the worse channel is longer or shorter than a call of so many ticks."""
        lengths = [sum(piece.size for piece in side) / TICK_SAMPLES for side in (self.lefts, self.rights)]
        return max(abs(length - ticks) for length in lengths) * TICK_MS


def spoken(pcm: Pcm, every_ms: float = TICK_MS) -> list[Arrival]:
    """Packets of 20 ms of `pcm` at 8 kHz, as PCMU; one leaves every `every_ms`, by the clock here."""
    octets = encode_block(pcm[: pcm.size // NARROW_TICK * NARROW_TICK], MU_LAW).reshape(-1, NARROW_TICK)
    return [
        (n * every_ms, Packet(n & 0xFFFF, n * NARROW_TICK & 0xFFFF_FFFF, 1, payload.tobytes()))
        for n, payload in enumerate(octets)
    ]


async def carry(calls: Sequence[list[Arrival]], ticks: int) -> list[Carried]:
    """Calls side by side, one for each list of what arrives. A packet is seen by the first tick at or after it came."""
    bench = Bench(capacity=len(calls))
    carried = [Carried() for _ in calls]
    wires = [FakeWire() for _ in calls]
    legs = []
    for wire, call in zip(wires, carried, strict=True):
        leg, _ = bench.leg(wire)
        leg.listen(call.hear)
        leg.record(call)
        legs.append(leg)
    places = [0] * len(calls)
    for tick in range(ticks):
        for i, arrivals in enumerate(calls):
            begin = places[i]
            while places[i] < len(arrivals) and arrivals[places[i]][0] <= tick * TICK_MS:
                places[i] += 1
            wires[i].inbound = [(_datagram(packet), PEER) for _, packet in arrivals[begin : places[i]]]
            wires[i].sent.clear()
        await bench.run()
    for leg, call in zip(legs, carried, strict=True):
        leg.close()
        call.arrivals = leg.row.arrivals
    await bench.plane.close()
    return carried


def _datagram(packet: Packet) -> bytes:
    return bytes(RtpPacket(0, packet.sequence, packet.timestamp, packet.ssrc, packet.payload))

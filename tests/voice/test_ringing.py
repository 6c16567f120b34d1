"""What an agent hears while it rings elsewhere, in virtual time: real frames on a real plane."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from dsp.g711 import decode_block
from dsp.kernel import NARROW_HZ
from dsp.parts import Part
from tests.voice.media.test_rooms import strength
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.ports import TICK_MS, Room
from voice.ringing import QUIET_MS, Ringing
from voice.wire.rtp import RtpPacket

OURS, THEIRS, AGENTS = 425.0, 800.0, 1_300.0


@dataclass
class End:
    """A leg and its far end, which says a tone of `hz` while it speaks."""

    bench: Bench
    hz: float
    speaks: bool = True
    wire: FakeWire = field(default_factory=FakeWire)

    def __post_init__(self) -> None:
        self.leg = self.bench.plane.add_leg(self.wire, Coding.PCMU, 0, 101)
        self._payloads = octets(tone(2_000, self.hz))

    def speak(self) -> None:
        n = self.bench.tick
        self.wire.inbound = [(rtp(n, self._payloads[n % 100]), PEER)] if self.speaks else []

    def told(self, ms: int) -> set[float]:
        """Which tones it was told in the last `ms`."""
        packets = [RtpPacket.parse(data) for data, _ in self.wire.sent[-ms // TICK_MS :]]
        pcm = decode_block(np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8), 0)
        return {hz for hz in (OURS, THEIRS, AGENTS) if strength(pcm, hz, NARROW_HZ) > 500}


class Scene:
    """An agent, a network that says something before the answer, and a caller who was taken back meanwhile."""

    def __init__(self) -> None:
        self.bench, self.room = Bench(), Room()
        self.agent, self.there, self.caller = (End(self.bench, hz) for hz in (AGENTS, THEIRS, 0.0))
        self.agent.leg.enter(self.room, Part.COACHED)
        self.ringing = Ringing(self.agent.leg, self.room)
        self.agent.leg.listen(lambda _frame: self.ringing.feed())

    async def run(self, ms: int) -> None:
        for _ in range(ms // TICK_MS):
            for end in (self.agent, self.there, self.caller):
                end.speak()
            await self.bench.run()


async def test_our_tone_until_something_comes_and_again_when_it_stops() -> None:
    it = Scene()
    it.there.speaks = False
    await it.run(800)
    assert it.agent.told(300) == {OURS}
    it.ringing.hear(it.there.leg)
    await it.run(200)
    assert it.agent.told(100) == {OURS}, "that sound may come is no sound"
    it.there.speaks = True
    await it.run(400)
    assert it.agent.told(300) == {THEIRS}
    await it.run(5_000)
    assert it.agent.told(5_000) == {THEIRS}
    it.there.speaks = False
    await it.run(QUIET_MS - 100)
    assert it.agent.told(500) == set(), "a pause"
    await it.run(700)
    assert it.agent.told(300) == {OURS}
    it.there.speaks = True
    await it.run(400)
    assert it.agent.told(300) == {THEIRS}
    await it.bench.plane.close()


async def test_the_agent_is_heard_there_and_the_caller_hears_nothing_of_it() -> None:
    it = Scene()
    it.caller.leg.enter(it.room)
    it.ringing.hear(it.there.leg)
    await it.run(800)
    assert it.there.told(300) == {AGENTS}, "whose packets open the way for theirs"
    assert it.caller.told(300) == {AGENTS}
    await it.bench.plane.close()


@pytest.mark.parametrize("heard", [False, True])
async def test_it_rings_no_more(heard: bool) -> None:
    it = Scene()
    if heard:
        it.ringing.hear(it.there.leg)
    await it.run(600)
    it.agent.leg.listen(lambda _frame: None)
    it.ringing.stop()
    await it.run(600)
    assert it.agent.told(300) == set()
    assert it.there.leg.room is None
    await it.bench.plane.close()


async def test_a_leg_that_is_over_is_nobody_who_speaks() -> None:
    it = Scene()
    it.ringing.hear(it.there.leg)
    await it.run(600)
    it.there.leg.close()
    await it.run(QUIET_MS + 600)
    assert it.agent.told(300) == {OURS}
    it.ringing.stop()
    await it.bench.plane.close()

"""Anything may come at any time, and be asked in any order: each leg has its tick, and no more than its own."""

import asyncio
from itertools import pairwise
from random import Random

import pytest

from dsp.parts import Part
from tests.voice.media.ticks import PEER, Bench, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.ports import Frame, Room
from voice.wire.rtp import RtpPacket, sequence_step

LEGS = 6
STEPS = 400
NUMBERS = {Coding.PCMU: 0, Coding.PCMA: 8, Coding.G722: 9, Coding.OPUS: 111, Coding.L16_8K: 97, Coding.L16_16K: 98}
LAWS = (Coding.PCMU, Coding.PCMA, Coding.G722)
SOURCES = (PEER, ("127.0.0.1", 4002), ("127.0.0.1", 4004), ("::1", 4000))
SIZES = (0, 1, 80, 160, 161, 240, 320, 480, 640, 1_200, 1_280, 1_281, 1_500)


class Party:
    """One leg, and the far end that sends it what comes to mind."""

    def __init__(self, bench: Bench, chance: Random) -> None:
        self._chance = chance
        self.coding = chance.choice(list(Coding))
        self.wire = FakeWire()
        self.events = chance.choice((None, 101))
        self.leg: MediaLeg = bench.plane.add_leg(self.wire, self.coding, NUMBERS[self.coding], self.events)
        self.frames: list[Frame] = []
        self.leg.listen(self.frames.append)
        self.failures: list[Exception] = []
        self.leg.on_failure(self.failures.append)
        self.born = bench.tick
        self.playback = 0
        self._sequence, self._timestamp = chance.getrandbits(16), chance.getrandbits(32)

    def send(self) -> None:
        """A packet of the stream, of any length, at any time, perhaps damaged; or of any other."""
        chance = self._chance
        kind = chance.choice((NUMBERS[self.coding],) * 6 + (101, 13, 0, 8, 72))
        jump = chance.choice((0,) * 20 + (chance.getrandbits(32),))
        self._sequence = (self._sequence + chance.choice((0, 1, 1, 1, 1, 2, -3))) & 0xFFFF
        self._timestamp = (self._timestamp + chance.choice((0, 80, 160, 320, 960)) + jump) & 0xFFFF_FFFF
        ssrc = chance.choice((1, 1, 1, 1, 2, 0xFFFF_FFFF))
        packet = RtpPacket(kind, self._sequence, self._timestamp, ssrc, chance.randbytes(chance.choice(SIZES)))
        data = bytearray(bytes(packet))
        if chance.random() < 0.1:
            data[0] = chance.getrandbits(8)
        if chance.random() < 0.05:
            data = data[: chance.randrange(len(data) + 1)]
        self.wire.inbound.append((bytes(data), chance.choice((PEER,) * 8 + SOURCES)))

    def ask(self, rooms: list[Room]) -> None:
        chance, leg = self._chance, self.leg
        what = chance.randrange(10)
        if what == 0:
            leg.set_direction(send=chance.random() < 0.7, receive=chance.random() < 0.7)
        elif what == 1 and self.coding in LAWS:
            self.coding = chance.choice(LAWS)
            leg.switch(self.coding, NUMBERS[self.coding])
        elif what == 2:
            leg.packetise(chance.choice((10, 20, 30, 40, 60)))
        elif what == 3:
            leg.enter(chance.choice([*rooms, None]), chance.choice(list(Part)))
        elif what == 4:
            self.playback += 1
            leg.play(self.playback, tone(chance.choice((0, 1, 20, 33, 500))), last=chance.random() < 0.5)
        elif what == 5:
            leg.stop()
        elif what == 6:
            leg.send_keys(chance.choice(("", "1", "#5AD")))
        elif what == 7:
            leg.update_remote(*chance.choice(SOURCES[:3]))
        elif what == 8:
            self.wire = FakeWire()
            self.coding = chance.choice(list(Coding))
            leg.move(self.wire, self.coding, NUMBERS[self.coding], self.events)
        elif what == 9 and self.events is not None:
            leg.renumber_keys(101)

    def check(self) -> None:
        assert not self.failures
        packets = [RtpPacket.parse(data) for data, _ in self.wire.sent]
        assert all(len(packet.payload) <= 1_280 for packet in packets)
        assert {sequence_step(one.sequence, next_.sequence) for one, next_ in pairwise(packets)} <= {1}
        assert len({packet.ssrc for packet in packets}) <= 1


@pytest.mark.parametrize("seed", range(8))
async def test_each_leg_has_its_tick_whatever_comes(seed: int) -> None:
    chance = Random(seed)
    bench = Bench(capacity=LEGS)
    rooms = [Room() for _ in range(3)]
    parties: list[Party] = []
    for _ in range(STEPS):
        if len(parties) < LEGS and chance.random() < 0.2:
            parties.append(Party(bench, chance))
        if parties and chance.random() < 0.02:
            gone = parties.pop(chance.randrange(len(parties)))
            gone.leg.close()
            gone.check()
            await bench.run()
        for party in parties:
            for _ in range(chance.choice((0, 1, 1, 1, 2, 5))):
                party.send()
            if chance.random() < 0.2:
                party.ask(rooms)
        await bench.run()
        for party in parties:
            party.check()
            assert [frame.tick for frame in party.frames] == list(range(bench.tick - party.born))
    for party in parties:
        party.leg.close()
    await bench.run()
    await asyncio.sleep(0)
    for _ in range(LEGS):
        bench.leg(FakeWire())

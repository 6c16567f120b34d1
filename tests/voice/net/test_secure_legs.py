"""Encrypted legs on real sockets, ticks and timers in virtual time: what is heard, and what is not even looked at."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from weakref import ref

import numpy as np
import pytest

from tests.fakes.clock import virtual_time
from tests.ports import FIRST, LAST
from tests.voice.media.ticks import Bench, frequency, tone
from voice.media.codecs import Coding
from voice.media.engine.inbound import MAX_PER_TICK
from voice.media.leg import MediaLeg
from voice.net.rtp_port import RtpPorts
from voice.ports import Frame
from voice.wire.negotiation import Negotiated
from voice.wire.rtp import RtpPacket
from voice.wire.sdes import Crypto, Keys, Suite
from voice.wire.sdp import Codec, Direction

HOST = "127.0.0.1"
FORGER = "127.0.0.9"
SHARE = MAX_PER_TICK - 1
"""Forged packets a tick, from each of two sources: what is beyond a tick's share would not be looked at."""


def keys(seed: int, suite: Suite = Suite.GCM_128) -> Keys:
    chance = Random(seed)
    return Keys(*(Crypto(1, suite, chance.randbytes(suite.key_octets)) for _ in range(2)))


def agreed(port: int, secured: Keys | None, *, muxed: bool = True) -> Negotiated:
    """That the far end is at `port`."""
    where = (HOST, port, HOST, port + 1)
    return Negotiated(b"", Codec.PCMU, 0, 101, *where, muxed, Direction.SENDRECV, 20, secured)


class Talk:
    """Two legs of one plane. `frames` are what each heard."""

    def __init__(self, bench: Bench, *, muxed: bool) -> None:
        self.bench = bench
        self._muxed = muxed
        ports = RtpPorts(HOST, FIRST, LAST, Random())
        self.wires = ports.open(None), ports.open(None)
        self.frames: list[list[Frame]] = [[], []]
        self.legs: list[MediaLeg] = []
        for number, frames in enumerate(self.frames):
            wire = self.wires[number]
            wire.remote = (HOST, self.wires[1 - number].port)
            leg = bench.plane.add_leg(wire, Coding.PCMU, 0, 101)
            leg.listen(frames.append)
            wire.control.begin(leg)
            self.legs.append(leg)

    def agree(self, secured: Keys) -> None:
        self.agree_one(0, secured)
        self.agree_one(1, Keys(secured.theirs, secured.ours))

    def agree_one(self, who: int, secured: Keys | None) -> None:
        self.wires[who].agree(agreed(self.wires[1 - who].port, secured, muxed=self._muxed))
        self.legs[who].secure()

    def forged(self, who: int) -> int:
        """Packets that no key opened."""
        return self.legs[who].row["forged"]

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            await self.bench.run()
            await asyncio.sleep(0.02)

    async def say(self) -> None:
        """Each side plays a tone of its own for a second."""
        for leg, hz in zip(self.legs, (440, 880), strict=True):
            leg.play(1, tone(1_000, hz), last=True)
        await self.run(1)

    def heard(self, who: int) -> float:
        """The tone that one heard since the last look, in Hz; 0 for silence."""
        pcm = np.concatenate([frame.pcm for frame in self.frames[who]])
        self.frames[who].clear()
        return round(frequency(pcm), -1) if np.abs(pcm).max() > 1_000 else 0.0


@asynccontextmanager
async def talking(*, muxed: bool = True) -> AsyncIterator[Talk]:
    talk = Talk(Bench(), muxed=muxed)
    try:
        yield talk
    finally:
        for leg in talk.legs:
            leg.close()
        await talk.bench.run()


@pytest.mark.parametrize("muxed", [True, False])
def test_sound_and_reports_go_both_ways(muxed: bool) -> None:
    @virtual_time
    async def test() -> None:
        async with talking(muxed=muxed) as it:
            it.agree(keys(1))
            await it.say()
            assert (it.heard(0), it.heard(1)) == (880, 440)
            await it.run(12)
            for wire in it.wires:
                assert wire.control.told.round_trip_ms is not None
            assert it.bench.plane.refused == {}

    test()


@virtual_time
async def test_who_does_not_have_the_key_hears_and_says_nothing() -> None:
    async with talking() as it:
        it.agree_one(0, keys(1))
        it.agree_one(1, keys(2))
        await it.say()
        await it.run(12)
        assert (it.heard(0), it.heard(1)) == (0, 0)
        for who, wire in enumerate(it.wires):
            assert it.forged(who) > 40
            assert wire.control.refused > 0
            assert wire.control.told.round_trip_ms is None


@virtual_time
async def test_what_comes_in_the_clear_is_not_heard() -> None:
    async with talking(muxed=False) as it:
        it.agree_one(0, keys(1))
        it.agree_one(1, None)
        await it.say()
        await it.run(12)
        assert it.heard(0) == 0
        assert it.wires[0].control.told.round_trip_ms is None
        assert it.forged(0) > 40


@pytest.mark.parametrize("suites", [(Suite.GCM_128, Suite.GCM_128), (Suite.GCM_256, Suite.CM_128_80)])
def test_keys_that_change_in_the_middle_leave_no_gap(suites: tuple[Suite, Suite]) -> None:
    """Each side takes the new keys when it knows them, and what is under way by then is heard."""

    @virtual_time
    async def test() -> None:
        async with talking() as it:
            it.agree(keys(1, suites[0]))
            await it.say()
            it.legs[0].play(1, tone(1_000), last=True)
            await it.run(0.5)
            new = keys(2, suites[1])
            it.agree_one(1, Keys(new.theirs, new.ours))
            await it.run(0.1)
            it.agree_one(0, new)
            await it.run(0.4)
            assert it.heard(1) == 440
            assert it.forged(1) == 0
            assert it.legs[1].stats.packets_lost == 0

    test()


@virtual_time
async def test_a_key_that_is_over_opens_nothing_even_when_the_newer_one_is_agreed_on_again() -> None:
    async with talking() as it:
        it.agree(keys(1))
        await it.say()
        it.agree(keys(2))
        await it.say()
        it.agree(keys(2))
        await it.say()
        assert (it.heard(0), it.heard(1)) == (880, 440)
        it.agree_one(1, Keys(keys(1).theirs, keys(1).ours))
        await it.run(0.5)  # what was heard last rings on
        it.heard(0)
        await it.say()
        assert it.heard(0) == 0
        assert it.forged(0) > 40


@virtual_time
async def test_what_a_key_needs_is_there_until_the_engine_has_the_next() -> None:
    async with talking() as it:
        it.agree(keys(1))
        await it.run(0.02)
        former = ref(it.wires[0].sealing.owner)
        it.agree(keys(2))
        assert former() is not None
        await it.run(0.02)
        assert former() is None


@virtual_time
async def test_100_000_forged_packets_end_no_call_and_are_not_heard() -> None:
    """From the far end's own address, and from elsewhere, while the far end goes on speaking."""
    chance = Random(3)
    async with talking() as it:
        it.agree(keys(1))
        target = (HOST, it.wires[0].port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.bind((FORGER, 0))
            for n in range(100_000 // (SHARE * 2)):
                if n % 40 == 0:
                    it.legs[1].play(n, tone(800, 880), last=True)
                forged = bytes(RtpPacket(0, n & 0xFFFF, n * 160, 1, chance.randbytes(170)))
                for _ in range(SHARE):
                    it.wires[1].socket.sendto(forged, target)
                    elsewhere.sendto(chance.randbytes(n % 200), target)
                await it.bench.run()
        assert it.forged(0) + it.bench.plane.refused["rtcp"] >= 99_000, "some of the rubbish looks like a report"
        assert it.legs[0].remote == (HOST, it.wires[1].port)
        assert it.heard(0) == 880
        stats = it.legs[0].stats
        assert stats.packets_lost == 0 and not it.legs[0].closed
        assert stats.packets_received >= 3_000

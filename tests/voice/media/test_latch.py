"""Whose packets a leg believes."""

from random import Random

import pytest

from tests.voice.media.ticks import Bench, rtp
from tests.voice.media.wires import FakeWire
from voice.media.engine.inbound import PROOF_PACKETS, RELATCH_TICKS
from voice.media.wires import Address

DECLARED = ("10.0.0.1", 4000)
NAT = ("198.51.100.7", 61_000)
FORGER = ("203.0.113.9", 9_999)


def packet(sequence: int, ssrc: int = 1) -> bytes:
    return rtp(sequence, b"\xff" * 160, ssrc=ssrc)


class Line:
    """A leg whose far end was declared, and what comes to it, a packet a tick."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.wire = bench, FakeWire(DECLARED)
        self.leg, _ = bench.leg(self.wire)

    @classmethod
    async def latched(cls, source: Address = DECLARED) -> "Line":
        """Ten packets, numbers 0..9, came from `source` and were taken."""
        line = cls(Bench())
        for n in range(10):
            await line.admits(n, source)
        assert line.leg.remote == source
        return line

    async def admits(self, sequence: int, source: Address, ssrc: int = 1) -> bool:
        """Whether the leg takes a packet that comes in this tick."""
        before = self.leg.stats.packets_received
        self.wire.inbound = [(packet(sequence, ssrc), source)]
        await self.bench.run()
        return self.leg.stats.packets_received > before


async def test_the_declared_address_is_believed_at_once() -> None:
    line = Line(Bench())
    assert await line.admits(0, DECLARED)
    assert line.leg.remote == DECLARED


async def test_another_address_is_believed_after_three_packets_in_a_row() -> None:
    line = Line(Bench())
    assert [await line.admits(n, NAT) for n in range(4)] == [False, False, True, True]
    assert line.leg.remote == NAT
    assert line.leg.refusals.foreign == PROOF_PACKETS - 1
    await line.bench.run()
    assert line.wire.sent[-1][1] == NAT, "what we say goes there too"


async def test_a_leg_without_an_address_sends_once_it_believes_a_source() -> None:
    bench, wire = Bench(), FakeWire(None)
    leg, _ = bench.leg(wire)
    for n in range(PROOF_PACKETS):
        assert leg.remote is None
        assert wire.sent == []
        wire.inbound = [(packet(n), NAT)]
        await bench.run()
    assert leg.remote == NAT
    assert {to for _, to in wire.sent} == {NAT}


async def test_packets_that_are_no_stream_prove_nothing() -> None:
    chance = Random(1)
    line = Line(Bench())
    for n in range(0, 2000, 2):
        line.wire.inbound = [(packet(n), NAT), (packet(n, chance.getrandbits(32)), FORGER)]
        await line.bench.run()
    assert line.leg.stats.packets_received == 0
    assert line.leg.remote == DECLARED
    assert line.leg.refusals.foreign == 2000


async def test_once_latched_only_that_source_counts() -> None:
    line = await Line.latched()
    for n in range(10, 1000):
        line.wire.inbound = [(packet(n), FORGER), (packet(n), DECLARED)]
        await line.bench.run()
    assert line.leg.remote == DECLARED
    assert line.leg.stats.packets_received == 1000
    assert line.leg.refusals.foreign == 990


@pytest.mark.parametrize("host", ["198.51.100.7", "2001:db8::7"])
async def test_after_two_seconds_of_silence_another_port_of_the_host_may_take_over(host: str) -> None:
    line = await Line.latched((host, 61_000))
    rebound = (host, 61_007)
    taken = [await line.admits(n, rebound) for n in range(RELATCH_TICKS + PROOF_PACKETS)]
    assert taken == [False] * (RELATCH_TICKS + PROOF_PACKETS - 2) + [True] * 2
    assert line.leg.remote == rebound


@pytest.mark.parametrize("stranger", ["198.51.100.8", "2001:db8::7"])
async def test_no_other_host_hears_a_call_that_is_silent(stranger: str) -> None:
    line = await Line.latched(NAT)
    assert not any([await line.admits(n, (stranger, NAT[1])) for n in range(3 * RELATCH_TICKS)])
    assert line.leg.remote == NAT


async def test_the_declared_source_may_take_over_from_another_at_any_time() -> None:
    line = await Line.latched(NAT)
    assert [await line.admits(n, DECLARED, ssrc=2) for n in range(3)] == [False, False, True]
    assert line.leg.remote == DECLARED


async def test_a_reinvite_opens_the_latch_only_if_the_address_changed() -> None:
    line = await Line.latched(NAT)
    line.leg.update_remote(*DECLARED)
    await line.bench.run()
    assert line.leg.remote == NAT
    moved = ("10.0.0.2", 4002)
    line.leg.update_remote(*moved)
    await line.bench.run()
    assert line.leg.remote == moved
    assert await line.admits(0, moved, ssrc=5)
    assert not await line.admits(11, NAT)


async def test_a_flood_of_sources_does_not_keep_a_true_one_out() -> None:
    chance = Random(2)
    line = Line(Bench())
    for n in range(PROOF_PACKETS):
        strangers = [(f"203.0.113.{chance.randrange(255)}", chance.randrange(65536)) for _ in range(15)]
        flood = [(packet(chance.getrandbits(16)), stranger) for stranger in strangers]
        line.wire.inbound = [*flood, (packet(n), NAT)]
        await line.bench.run()
    assert line.leg.remote == NAT


async def test_a_flood_at_the_leg_before_does_not_keep_a_true_one_out() -> None:
    bench = Bench(capacity=1)
    former = Line(bench)
    for n in range(31):  # the candidate in the last place is the oldest
        await former.admits(n, ("203.0.113.9", 1 + n))
    former.leg.close()
    await bench.run()
    line = Line(bench)
    for n in range(PROOF_PACKETS):
        line.wire.inbound = [(packet(7 * n), FORGER), (packet(n), NAT)]
        await bench.run()
    assert line.leg.remote == NAT


async def test_another_stream_from_the_right_source_needs_two_packets() -> None:
    line = await Line.latched()
    assert not await line.admits(500, DECLARED, ssrc=2)
    assert await line.admits(501, DECLARED, ssrc=2)
    assert line.leg.refusals.stray == 1


async def test_forged_streams_never_break_into_a_running_one() -> None:
    chance = Random(3)
    line = await Line.latched()
    for n in range(10, 500):
        forged = packet(chance.getrandbits(16), chance.getrandbits(32))
        line.wire.inbound = [(forged, DECLARED), (packet(n), DECLARED)]
        await line.bench.run()
    assert line.leg.stats.packets_received == 500
    assert line.leg.refusals.stray == 490


async def test_the_same_stream_may_count_anew() -> None:
    line = await Line.latched()
    assert not await line.admits(30_000, DECLARED)
    assert await line.admits(30_001, DECLARED)
    assert await line.admits(29_990, DECLARED)  # out of order, not out of the stream

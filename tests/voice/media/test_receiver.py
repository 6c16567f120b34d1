"""A leg's incoming stream: what is taken, what is refused, and how it is counted."""

import asyncio
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.leg import MediaLeg, Refusals
from voice.ports import Frame
from voice.wire.dtmf import KeySender, TelephoneEvent
from voice.wire.rtp import RtpPacket, is_rtcp

FORGER = ("127.0.0.9", 666)
SOUND = octets(tone(2_000))
RTCP = bytes([0x80, 200]) + bytes(26)


def packet(n: int, payload_type: int = 0, payload: bytes | None = None) -> bytes:
    return rtp(n, SOUND[n] if payload is None else payload, payload_type)


async def run(bench: Bench, wire: FakeWire, inbound: dict[int, list[bytes]], ticks: int) -> None:
    """`inbound` by tick."""
    for tick in range(ticks):
        wire.inbound = [(data, PEER) for data in inbound.get(tick, [])]
        await bench.run()


def listening() -> tuple[Bench, FakeWire, MediaLeg, list[Frame]]:
    bench, wire = Bench(), FakeWire()
    return bench, wire, *bench.leg(wire)


def loud(frames: list[Frame]) -> list[bool]:
    """By tick; what rings out of the filter, 3 ms, does not count."""
    return [bool(np.abs(frame.pcm[80:]).max() > 6_000) for frame in frames]


def concealed(leg: MediaLeg) -> int:
    assert leg.quality is not None
    return leg.quality.concealed_frames


async def test_every_packet_is_heard() -> None:
    bench, wire, leg, frames = listening()
    await run(bench, wire, {n: [packet(n)] for n in range(50)}, 50)
    assert loud(frames) == [False] + [True] * 49
    assert "".join(frame.keys for frame in frames) == ""
    assert leg.stats.packets_received == 50
    assert concealed(leg) == 0


async def test_keys_are_heard_once_and_leave_no_loss() -> None:
    bench, wire, leg, frames = listening()
    sender = KeySender(101)
    sender.press("7#")
    inbound = {}
    for n in range(40):
        key = sender.packet(n, n * 160, 1) if n >= 10 and sender.busy else None
        if n < 10 or n >= 26:
            inbound[n] = [packet(n)]
        elif key is not None:
            inbound[n] = [bytes(key)] * 2
    await run(bench, wire, inbound, 40)
    assert "".join(frame.keys for frame in frames) == "7#"
    assert leg.stats.packets_lost == 2  # the two pauses between keys, in which our number n was not sent
    assert loud(frames)[30:] == [True] * 10


async def test_comfort_noise_is_silence_and_no_loss() -> None:
    bench, wire, leg, frames = listening()
    inbound = {n: [packet(n) if n < 20 or n >= 30 else packet(n, 13, b"\x40")] for n in range(50)}
    await run(bench, wire, inbound, 50)
    assert loud(frames)[1:] == [True] * 20 + [False] * 10 + [True] * 19
    assert leg.stats.packets_lost == 0
    assert concealed(leg) == 0
    assert leg.refusals == Refusals()


async def test_each_refusal_is_counted_by_its_reason() -> None:
    bench, wire, leg, _ = listening()
    inbound = {
        0: [packet(0)],
        1: [b"", b"\0" * 40, packet(1)],
        2: [packet(2, 96), RTCP, packet(2)],
        3: [packet(3, 101, b"\1")],
        4: [bytes(RtpPacket(0, 9, 9, 0xBAD, b"")), packet(4)],
    }
    await run(bench, wire, inbound, 5)
    wire.inbound = [(packet(5), FORGER), (RTCP, FORGER)]
    await bench.run()
    assert leg.refusals == Refusals(malformed=3, foreign=1, stray=1, unexpected=1)
    assert [data for data, _ in wire.aside] == [RTCP]
    assert leg.refusals.total == leg.stats.packets_refused == 6
    assert bench.plane.refused["rtcp"] == 1, "it is told from elsewhere how we hear"


async def test_on_hold_packets_are_taken_and_dropped() -> None:
    bench, wire, leg, frames = listening()
    for tick in range(30):
        if tick in (10, 20):
            leg.set_direction(send=True, receive=tick == 20)
        data = packet(tick, 101, bytes(TelephoneEvent(5, False, 10, 160))) if tick == 15 else packet(tick)
        wire.inbound = [(data, PEER)]
        await bench.run()
    assert "".join(frame.keys for frame in frames) == ""
    assert loud(frames)[1:] == [True] * 9 + [False] * 11 + [True] * 9
    assert leg.stats.packets_lost == 0
    assert leg.stats.packets_received == 30


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=40), st.integers(0, 2**32))
def test_any_datagrams_are_taken_or_counted(junk: list[bytes], seed: int) -> None:
    async def hear() -> None:
        bench, wire, leg, frames = listening()
        chance = Random(seed)
        for data in junk:
            wire.inbound = [(data, chance.choice([PEER, FORGER]))]
            await bench.run()
        reports = sum(is_rtcp(data) for data in junk)
        assert leg.stats.packets_received + leg.refusals.total + reports >= len(junk)
        assert len(frames) == len(junk)

    asyncio.run(hear())

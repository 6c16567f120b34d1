"""Outgoing packets: one time line, numbers without a hole, markers where talk begins."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from tests.voice.media.ticks import Bench, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.ports import TICK_SAMPLES
from voice.wire.dtmf import KeyReceiver
from voice.wire.rtp import RtpPacket, timestamp_step


class NearTheEnd(Random):
    """Streams begin so near the end of all counts that they wrap."""

    def getrandbits(self, k: int, /) -> int:
        return (1 << k) - 3


def sent(wire: FakeWire) -> list[RtpPacket]:
    return [RtpPacket.parse(data) for data, _ in wire.sent]


def speaking(bench: Bench, events: int | None = None, codec: str = "PCMU") -> tuple[MediaLeg, FakeWire]:
    wire = FakeWire()
    return bench.leg(wire, codec, events)[0], wire


async def test_numbers_run_on_and_timestamps_follow_the_ticks() -> None:
    bench = Bench()
    _, wire = speaking(bench, codec="PCMA")
    ticks = [0, 1, 2, 10, 11]
    for tick in ticks:
        bench.tick = tick
        await bench.run()
    packets = sent(wire)
    first = packets[0]
    assert [(packet.sequence - first.sequence) & 0xFFFF for packet in packets] == [0, 1, 2, 3, 4]
    assert [timestamp_step(first.timestamp, packet.timestamp) for packet in packets] == [160 * tick for tick in ticks]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(first.ssrc, 8)}


async def test_streams_start_at_random() -> None:
    bench = Bench(capacity=20)
    wires = [speaking(bench)[1] for _ in range(20)]
    await bench.run()
    firsts = [sent(wire)[0] for wire in wires]
    for field in ("ssrc", "sequence", "timestamp"):
        assert len({getattr(packet, field) for packet in firsts}) == 20


async def test_numbers_and_timestamps_wrap() -> None:
    bench = Bench(chance=NearTheEnd())
    leg, wire = speaking(bench)
    await bench.run(10)
    packets = sent(wire)
    assert [packet.sequence for packet in packets] == [0xFFFD, 0xFFFE, 0xFFFF, 0, 1, 2, 3, 4, 5, 6]
    assert packets[0].timestamp == 0xFFFF_FFFD
    assert all(timestamp_step(a.timestamp, b.timestamp) == 160 for a, b in pairwise(packets))
    assert leg.sending.timestamp == packets[-1].timestamp


async def test_the_marker_stands_where_talk_begins() -> None:
    bench = Bench()
    leg, wire = speaking(bench)
    for talk in (False, False, True, True, False, False, True):
        if talk:
            leg.play(1, np.zeros(TICK_SAMPLES, np.int16), last=False)
        await bench.run()
    assert [packet.marker for packet in sent(wire)] == [True, False, True, False, False, False, True]


async def test_keys_take_the_place_of_audio() -> None:
    bench = Bench()
    leg, wire = speaking(bench, events=101)
    leg.play(1, tone(1_000), last=True)
    await bench.run()
    assert leg.send_keys("42")
    await bench.run(16)
    assert {packet.payload_type for packet in sent(wire)[1:]} == {101}
    keys = KeyReceiver()
    assert "".join(keys.receive(packet) for packet in sent(wire)[1:]) == "42"
    await bench.run()
    packets = sent(wire)
    first, after = packets[0], packets[-1]
    assert (after.sequence - first.sequence) & 0xFFFF == len(packets) - 1 == leg.stats.packets_sent - 1
    assert timestamp_step(first.timestamp, after.timestamp) == 17 * 160
    assert (after.payload_type, after.marker) == (0, True)


async def test_keys_are_sent_with_the_number_that_stands_in_the_newest_answer() -> None:
    bench = Bench()
    leg, wire = speaking(bench, events=101)
    leg.send_keys("12")
    await bench.run(8)
    leg.renumber_keys(96)
    await bench.run(8)
    assert {packet.payload_type for packet in sent(wire)[:7]} == {101}
    assert {packet.payload_type for packet in sent(wire)[7:]} == {96}


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
async def test_packets_are_as_long_as_the_far_end_wants_them(ptime_ms: int) -> None:
    bench = Bench()
    whole, cut = speaking(bench), speaking(bench)
    cut[0].packetise(ptime_ms)
    await bench.run(30)
    for leg in (whole[0], cut[0]):
        leg.play(1, tone(600), last=True)
    await bench.run(30)
    read = sent(cut[1])
    assert b"".join(packet.payload for packet in read) == b"".join(packet.payload for packet in sent(whole[1]))
    assert {len(packet.payload) for packet in read} == {ptime_ms * 8}
    assert all(timestamp_step(a.timestamp, b.timestamp) == ptime_ms * 8 for a, b in pairwise(read))
    assert [n for n, packet in enumerate(read) if packet.marker] == [0, 600 // ptime_ms]


@pytest.mark.parametrize("waits", [0, 1, 2])
@pytest.mark.parametrize("ptime_ms", [10, 20])
async def test_what_waits_for_a_long_packet_goes_in_short_ones_when_those_are_asked_for(
    ptime_ms: int, waits: int
) -> None:
    bench = Bench()
    whole, cut = speaking(bench), speaking(bench)
    cut[0].packetise(60)
    for leg in (whole[0], cut[0]):
        leg.play(1, tone(600), last=True)
    await bench.run(6 + waits)
    cut[0].packetise(ptime_ms)
    await bench.run(5)
    read = sent(cut[1])
    assert b"".join(packet.payload for packet in read) == b"".join(packet.payload for packet in sent(whole[1]))
    assert [len(packet.payload) for packet in read] == [480] * 2 + [ptime_ms * 8] * ((5 + waits) * 20 // ptime_ms)
    assert all(timestamp_step(a.timestamp, b.timestamp) == len(a.payload) for a, b in pairwise(read))
    assert cut[0].losses["unsent"] == 0


async def test_a_format_that_cannot_be_cut_stays_at_20_ms() -> None:
    bench = Bench()
    wires = [FakeWire(), FakeWire()]
    for wire, coding in zip(wires, (Coding.OPUS, Coding.L16_16K), strict=True):
        bench.plane.add_leg(wire, coding, 111, None).packetise(40)
    await bench.run(10)
    assert [len(wire.sent) for wire in wires] == [10, 10]


async def test_a_packet_is_of_one_piece_of_time() -> None:
    """Left-out ticks, a hold, keys: what was held for a longer packet by then is void."""
    bench = Bench()
    leg, wire = speaking(bench, events=101)
    leg.packetise(40)
    await bench.run(3)
    assert len(sent(wire)) == 1
    bench.tick = 7
    await bench.run()
    assert len(sent(wire)) == 1
    await bench.run()
    first, after = sent(wire)
    assert (len(after.payload), timestamp_step(first.timestamp, after.timestamp)) == (320, 7 * 160)
    await bench.run()
    leg.set_direction(send=False, receive=True)
    await bench.run()
    leg.set_direction(send=True, receive=True)
    leg.play(1, tone(200), last=True)
    await bench.run()
    assert len(sent(wire)) == 2
    await bench.run()
    resumed = sent(wire)[2]
    assert (timestamp_step(first.timestamp, resumed.timestamp), resumed.marker) == (11 * 160, True)
    await bench.run()
    leg.send_keys("1")
    await bench.run(10)
    packets = sent(wire)
    assert {packet.payload_type for packet in packets[3:-1]} == {101}
    assert timestamp_step(first.timestamp, packets[-1].timestamp) == 22 * 160, "after the key's pause"

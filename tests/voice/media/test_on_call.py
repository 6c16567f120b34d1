"""What goes wrong in operation: strangers, an event loop that stands still, a node that is full for a moment."""

from random import Random

import numpy as np
import pytest

from dialog.errors import Overloaded
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.engine.inbound import MAX_ASIDE
from voice.media.engine.layout import COMMANDS
from voice.net.rtp_port import RtpPorts
from voice.ports import Played
from voice.rtp_line import RtpLine
from voice.wire.negotiation import Negotiated
from voice.wire.rtp import RtpPacket
from voice.wire.sdp import Codec, Direction

STRANGER = ("127.0.0.1", 5_000)
REPORT = bytes.fromhex("80c90001 00000001")  # an empty receiver report (RFC 3550 section 6.4.2)


async def test_reports_of_strangers_take_no_place_of_a_key() -> None:
    bench = Bench()
    wire = FakeWire()
    _, frames = bench.leg(wire)
    flood = [(REPORT, STRANGER)] * (2 * MAX_ASIDE)
    for n in range(10):
        wire.inbound = [*flood, (rtp(n, b"\xff" * 160), PEER), (REPORT, PEER)]
        await bench.run()
    for n in range(10, 16):
        event = bytes((5, 0x80 if n > 12 else 0)) + (160 * min(n - 9, 4)).to_bytes(2, "big")
        wire.inbound = [*flood, (bytes(RtpPacket(101, n, 1_600, 1, event)), PEER)]
        await bench.run()
    assert "".join(frame.keys for frame in frames) == "5"
    assert wire.aside == [(REPORT, PEER)] * 10
    assert bench.plane.refused["rtcp"] == 16 * len(flood)


async def test_what_a_former_wire_lost_is_not_forgotten() -> None:
    class Lossy(FakeWire):
        @property
        def losses(self) -> dict[str, int]:
            return {"rtcp": 3}

    bench = Bench()
    leg, _ = bench.leg(Lossy())
    for _ in range(2):
        await bench.run()
        leg.move(Lossy(), Coding.PCMU, 0, 101)
    await bench.run()
    assert bench.plane.refused == {"rtcp": 9}
    leg.close()
    await bench.run()
    assert bench.plane.refused == {"rtcp": 9}


async def test_reports_beyond_what_a_tick_takes_are_counted() -> None:
    bench = Bench()
    wire = FakeWire()
    bench.leg(wire)
    wire.inbound = [(REPORT, PEER)] * (MAX_ASIDE + 3)
    await bench.run()
    assert len(wire.aside) == MAX_ASIDE
    assert bench.plane.refused == {"aside": 3}


async def test_what_was_played_to_its_end_is_told_though_the_event_loop_stood_still() -> None:
    bench = Bench()
    leg, frames = bench.leg(FakeWire())
    leg.play(1, tone(100), last=True)
    leg.play(2, tone(4_000), last=True)
    await bench.run()
    for _ in range(100):
        bench.plane.run_tick(bench.tick)  # two seconds in which the loop never gets its turn
        bench.tick += 1
    await bench.run(2)
    assert Played(1, 100, True) in [mark for frame in frames for mark in frame.played]
    assert bench.plane.left_out > 0


async def test_a_leg_that_is_closed_lets_go_of_its_echo_canceller() -> None:
    bench, wire = Bench(1, cancels_echo=True), FakeWire()
    leg, _ = bench.leg(wire)
    noise = np.random.default_rng(1).normal(0, 3_000, 16 * 4_000).astype(np.int16)
    assert leg.play(1, noise, last=True)
    silence = octets(np.zeros(320, np.int16))[0]
    for n in range(180):
        back = RtpPacket.parse(wire.sent[n - 3][0]).payload if n >= 3 else silence
        wire.inbound = [(rtp(n, back), PEER)]
        await bench.run()
    taken = bench.plane._engine.hearing.cancelling.taken
    assert taken.any(), "all that is said comes back"
    leg.close()
    await bench.run()
    assert not taken.any()


@pytest.mark.parametrize("room", range(1, 6))
async def test_a_line_that_cannot_begin_leaves_no_leg_at_its_socket(room: int) -> None:
    """So many commands the engine still takes; beginning a line needs more."""
    bench = Bench(capacity=2)
    beside, _ = bench.leg(FakeWire())
    wire = RtpPorts("127.0.0.1", 42_000, 43_000, Random(1)).open(None)
    line = RtpLine(wire, bench.plane)
    line.agreed = Negotiated(b"", Codec.PCMU, 0, 101, *PEER, "127.0.0.1", 4_001, False, Direction.SENDRECV, 20)
    for _ in range(COMMANDS - 3 - room):
        beside.set_direction(send=True, receive=True)
    begun = False
    try:
        line.begin()
        begun = True
    except Overloaded:
        pass
    line.close()
    await bench.run()
    assert wire.socket.fileno() == -1
    assert begun or room < 4
    bench.leg(FakeWire())

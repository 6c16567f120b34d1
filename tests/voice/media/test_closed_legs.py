"""A leg that is closed, whose row is another's by now: nothing that is still asked of it reaches that one."""

from dsp.parts import Part
from tests.voice.media.ticks import Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.ports import Room
from voice.wire.rtp import RtpPacket


async def test_what_is_asked_of_a_closed_leg_does_not_reach_the_next_one_in_its_row() -> None:
    bench = Bench(capacity=1)
    former, _ = bench.leg(FakeWire())
    await bench.run()
    former.close()
    await bench.run()
    wire, another = FakeWire(("127.0.0.1", 4002)), FakeWire()
    leg, frames = bench.leg(wire)
    leg.play(1, tone(200), last=True)
    await bench.run()
    former.set_direction(send=False, receive=False)
    former.switch(Coding.PCMA, 8)
    former.packetise(60)
    former.refuse_tones()
    former.renumber_keys(96)
    former.update_remote("127.0.0.1", 4004)
    former.secure()
    former.enter(Room(), Part.COACH)
    former.enter(None)
    former.move(another, Coding.G722, 9, None)
    assert not former.send_keys("123")
    for _ in range(3):
        assert former.stop() is None
    await bench.run(10)
    packets = [RtpPacket.parse(data) for data, to in wire.sent if to == wire.remote]
    assert [(packet.payload_type, len(packet.payload)) for packet in packets] == [(0, 160)] * 11
    assert len(frames) == 11
    assert [mark.played_ms for frame in frames for mark in frame.played if mark.done] == [200]
    assert another.closed, "it was the plane's to close"


async def test_what_was_counted_of_a_closed_leg_stays() -> None:
    bench = Bench(capacity=1)
    wire = FakeWire()
    former, _ = bench.leg(wire)
    for n, payload in enumerate(octets(tone(400))):
        wire.inbound = [] if n == 9 else [(rtp(n, payload), ("127.0.0.1", 4000)), (b"?", ("127.0.0.1", 4000))]
        await bench.run()
    former.close()
    await bench.run()
    counted = former.stats, former.quality, former.reception, former.sending, former.remote
    assert former.stats.packets_received == 19
    assert former.stats.packets_lost == 1
    bench.leg(FakeWire(("127.0.0.1", 4002)))
    await bench.run(30)
    assert (former.stats, former.quality, former.reception, former.sending, former.remote) == counted
    assert former.queued_ms == 0

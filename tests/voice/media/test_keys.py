"""Keys on a leg, both ways: as telephone-events, as tones, and as neither."""

import numpy as np
import pytest

from dsp.g711 import MU_LAW, decode_block
from dsp.tones import dtmf_tone
from tests.voice.media.ticks import PEER, Bench, frequency, keys_in, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.ports import Played
from voice.wire.dtmf import MAX_KEYS, KeyReceiver, KeySender
from voice.wire.rtp import RtpPacket


async def test_telephone_events_both_ways() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire)
    leg.play(1, tone(200), last=True)
    assert leg.send_keys("09")
    far = KeySender(101)
    far.press("*4")
    for n in range(40):
        packet = far.packet(n, n * 160, 1)
        wire.inbound = [] if packet is None else [(bytes(packet), PEER)]
        await bench.run()
    keys = KeyReceiver()
    packets = [RtpPacket.parse(data) for data, _ in wire.sent]
    assert "".join(keys.receive(packet) for packet in packets if packet.payload_type == 101) == "09"
    assert "".join(frame.keys for frame in frames) == "*4"
    assert [mark for frame in frames for mark in frame.played][-1] == Played(1, 200, True)


async def test_tones_are_keys_only_where_there_are_no_telephone_events() -> None:
    bench = Bench()
    pcm = np.concatenate([dtmf_tone("5", 100, 16_000), np.zeros(1600, np.int16), dtmf_tone("#", 100, 16_000)])
    toned, evented = FakeWire(), FakeWire()
    _, with_tones = bench.leg(toned, events=None)
    _, with_events = bench.leg(evented)
    payloads = octets(pcm) + [b"\xff" * 160] * 10
    for n, payload in enumerate(payloads):
        toned.inbound = evented.inbound = [(rtp(n, payload), PEER)]
        await bench.run()
    assert "".join(frame.keys for frame in with_tones) == "5#"
    assert "".join(frame.keys for frame in with_events) == ""


async def test_keys_are_tones_towards_who_takes_no_telephone_events() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire, events=None)
    leg.play(1, tone(200), last=True)
    await bench.run(3)
    assert leg.send_keys("1599D#")
    assert not leg.send_keys("0" * MAX_KEYS)
    with pytest.raises(ValueError):
        leg.send_keys("E")
    leg.set_direction(send=False, receive=True)
    await bench.run(20)
    leg.set_direction(send=True, receive=True)
    await bench.run(60)
    packets = [RtpPacket.parse(data) for data, _ in wire.sent]
    assert {packet.payload_type for packet in packets} == {0}
    said = decode_block(np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8), MU_LAW)
    assert keys_in(said) == "1599D#"
    assert frequency(said[:480]) / 2 == pytest.approx(440, abs=20)
    assert frequency(said[480 + 6 * 1280 : 480 + 6 * 1280 + 1_120]) / 2 == pytest.approx(440, abs=20), "it waited"
    assert [mark for frame in frames for mark in frame.played][-1] == Played(1, 200, True)


async def test_the_echo_of_our_keys_is_nobodys() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire, events=None)
    leg.send_keys("5")
    own, theirs = dtmf_tone("5", 100, 16_000), dtmf_tone("7", 100, 16_000)
    sound = np.concatenate([np.zeros(3_200, np.int16), own // 4, np.zeros(9_600, np.int16), theirs, own * 0])
    for n, payload in enumerate(octets(sound)):
        wire.inbound = [(rtp(n, payload), PEER)]
        await bench.run()
    await bench.run(5)
    assert "".join(frame.keys for frame in frames) == "7"


async def test_tones_may_be_out_of_the_question() -> None:
    bench = Bench()
    wires = [FakeWire(), FakeWire(), FakeWire()]
    legs = [bench.leg(wires[0], events=None), bench.leg(wires[1]), bench.leg(wires[2], events=None)]
    pressed: list[str] = []

    def press(digits: str) -> bool:
        pressed.append(digits)
        return True

    for leg, _ in legs[:2]:
        leg.refuse_tones()
    legs[2][0].refuse_tones(press)
    await bench.run()
    assert [leg.send_keys("12") for leg, _ in legs] == [False, True, True]
    assert pressed == ["12"]
    for n, payload in enumerate(octets(dtmf_tone("5", 200, 16_000))):
        for wire in wires:
            wire.inbound = [(rtp(n, payload), PEER)]
        await bench.run()
    await bench.run(20)
    assert ["".join(frame.keys for frame in frames) for _, frames in legs] == ["", "", ""]
    kinds = [{RtpPacket.parse(data).payload_type for data, _ in wire.sent} for wire in wires]
    assert kinds == [{0}, {0, 101}, {0}]

"""The plane in virtual time: `run_tick` by hand, wires without sockets."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from dialog.errors import NotReady, Overloaded
from dsp.g711 import A_LAW, MU_LAW, decode_block
from dsp.tones import dtmf_tone
from tests.voice.media.ticks import PEER, Bench, frequency, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.engine.layout import COMMANDS
from voice.media.leg import MAX_BEHIND
from voice.media.plane import MediaPlane
from voice.media.wires import RingWire
from voice.ports import Frame, Played
from voice.wire.rtp import RtpPacket, timestamp_step


async def test_silence_leaves_every_tick_once_there_is_somewhere_to_send() -> None:
    bench = Bench()
    wire = FakeWire(None)
    leg, frames = bench.leg(wire)
    await bench.run(5)
    assert wire.sent == []
    leg.update_remote(*PEER)
    await bench.run(10)
    packets = [RtpPacket.parse(data) for data, to in wire.sent if to == PEER]
    assert [packet.payload for packet in packets] == [b"\xff" * 160] * 10
    assert packets[0].marker
    assert not any(packet.marker for packet in packets[1:])
    assert [timestamp_step(packets[0].timestamp, packet.timestamp) for packet in packets] == list(range(0, 1600, 160))
    assert [frame.tick for frame in frames] == list(range(15))
    assert leg.stats.packets_sent == 10


@pytest.mark.parametrize(("codec", "law", "payload_type"), [("PCMU", MU_LAW, 0), ("PCMA", A_LAW, 8)])
async def test_what_comes_in_is_heard_and_what_is_played_goes_out(codec: str, law: int, payload_type: int) -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire, codec)
    leg.play(1, tone(1000, 600.0), last=True)
    for n, payload in enumerate(octets(tone(1000, 1000.0), law)):
        wire.inbound = [(rtp(n, payload, payload_type), PEER)]
        await bench.run()
    await bench.run(4)
    heard = np.concatenate([frame.pcm for frame in frames[5:45]])
    assert frequency(heard) == pytest.approx(1000, abs=5)
    assert frames[20].level_dbfs == pytest.approx(-11.7, abs=0.5)
    packets = [RtpPacket.parse(data) for data, _ in wire.sent]
    assert {packet.payload_type for packet in packets} == {payload_type}
    said = np.frombuffer(b"".join(packet.payload for packet in packets[5:45]), np.uint8)
    assert frequency(decode_block(said, law)) / 2 == pytest.approx(600, abs=5)
    assert [mark for frame in frames for mark in frame.played][-1] == Played(1, 1000, True)
    assert leg.stats.packets_received == 50


@pytest.mark.parametrize("lag", [0, 4])
async def test_a_leg_goes_on_in_the_other_law(lag: int) -> None:
    """The far end follows `lag` packets later than we; not a frame of the tone is heard in the wrong law."""
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire, "PCMU")
    leg.play(1, tone(1000, 600.0), last=True)
    former = [rtp(n, payload, 0) for n, payload in enumerate(octets(tone(1000, 1000.0), MU_LAW))]
    latter = [rtp(n, payload, 8) for n, payload in enumerate(octets(tone(1000, 1000.0), A_LAW))]
    for n, packet in enumerate(former[: 25 + lag] + latter[25 + lag :]):
        if n == 25:
            leg.switch(Coding.PCMA, 8)
        wire.inbound = [(packet, PEER)]
        await bench.run()
    heard = np.concatenate([frame.pcm for frame in frames[5:50]]).astype(float)
    around = [np.abs(np.fft.rfft(heard[at : at + 320] * np.hanning(320))) for at in range(0, heard.size, 320)]
    assert min(spectrum[20] / spectrum[30:].max() for spectrum in around) > 30, "1 kHz, and nothing above it"
    packets = [RtpPacket.parse(data) for data, _ in wire.sent]
    assert [packet.payload_type for packet in packets] == [0] * 25 + [8] * 25
    said = [decode_block(np.frombuffer(p.payload, np.uint8), A_LAW if p.payload_type else MU_LAW) for p in packets]
    assert frequency(np.concatenate(said[5:45])) / 2 == pytest.approx(600, abs=5)
    assert leg.refusals.total == 0


async def test_lost_audio_is_concealed_and_time_kept() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire)
    for n, payload in enumerate(octets(tone(1000))):
        wire.inbound = [] if n in (20, 21) else [(rtp(n, payload), PEER)]
        await bench.run()
    assert len(frames) == 50
    assert frames[22].level_dbfs > -20
    assert frames[23].level_dbfs > -25
    assert leg.stats.packets_lost == 2


async def test_hold_stops_the_queue_and_silences_the_ear() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire)
    leg.play(1, tone(400), last=True)
    payloads = octets(tone(2000))
    for n in range(60):
        if n == 10:
            leg.set_direction(send=False, receive=False)
        if n == 40:
            leg.set_direction(send=True, receive=True)
        wire.inbound = [(rtp(n, payloads[n]), PEER)]
        await bench.run()
    assert len(wire.sent) == 30
    assert [mark for frame in frames[10:40] for mark in frame.played] == []
    assert max(frame.level_dbfs for frame in frames[13:40]) < -60
    assert frames[50].level_dbfs > -15
    assert [mark for frame in frames for mark in frame.played][-1] == Played(1, 400, True)
    assert leg.stats.packets_lost == 0


async def test_stop_silences_the_next_packet() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, _ = bench.leg(wire)
    leg.play(1, tone(1000), last=True)
    await bench.run(10)
    assert leg.stop() == Played(1, 200, False)
    await bench.run(4)
    tail = [RtpPacket.parse(data).payload for data, _ in wire.sent[11:]]
    assert tail == [b"\xff" * 160] * 3  # one packet later: the filter's last 3 ms rang out


async def test_what_is_heard_can_be_played_back() -> None:
    """The echo number: from a packet in to the same audio out in 40 to 60 ms, of which 20 are the jitter buffer."""
    bench = Bench()
    wire = FakeWire()
    leg, _ = bench.leg(wire)

    def echo(frame: Frame) -> None:
        leg.play(0, frame.pcm, last=False)

    leg.listen(echo)
    burst = octets(np.concatenate([np.zeros(3200, np.int16), tone(100), np.zeros(6400, np.int16)]))
    for n, payload in enumerate(burst):
        wire.inbound = [(rtp(n, payload), PEER)]
        await bench.run()
    loud = [n for n, (data, _) in enumerate(wire.sent) if len(set(RtpPacket.parse(data).payload)) > 40]
    assert 10 + 2 <= loud[0] <= 10 + 3
    assert leg.queued_ms <= 20


async def test_plain_samples_of_streams_go_both_ways() -> None:
    bench = Bench()
    wire = FakeWire()
    leg = bench.plane.add_leg(wire, Coding.L16_16K, 111, None)
    frames: list[Frame] = []
    leg.listen(frames.append)
    _, beside = bench.leg(FakeWire())
    sound = np.concatenate([dtmf_tone("8", 200, 16_000), tone(800)])
    leg.play(1, sound, last=True)
    for n in range(50):
        payload = b"?" if n == 30 else sound[n * 320 : (n + 1) * 320].tobytes()
        if n != 40:
            wire.inbound = [(bytes(RtpPacket(111, n, n * 320, 1, payload)), PEER)]
        await bench.run()
    packets = [RtpPacket.parse(data) for data, _ in wire.sent]
    assert b"".join(packet.payload for packet in packets) == sound.tobytes()
    assert timestamp_step(packets[0].timestamp, packets[1].timestamp) == 320
    assert np.array_equal(np.concatenate([frame.pcm for frame in frames[2:30]]), sound[320 : 29 * 320])
    assert "".join(frame.keys for frame in frames) == "8"
    assert leg.stats.packets_refused == 1
    assert len(beside) == 50


async def test_a_listener_that_fails_takes_no_other_leg_with_it() -> None:
    bench = Bench()
    healthy, frames = bench.leg(FakeWire())
    wire = FakeWire()
    deaf, _ = bench.leg(wire)
    failures: list[Exception] = []
    deaf.on_failure(failures.append)

    def raising(frame: Frame) -> None:
        raise KeyError("listener")

    deaf.listen(raising)
    await bench.run(6)
    assert [type(error) for error in failures] == [KeyError]
    assert len(frames) == 6
    assert not healthy.closed
    assert wire.closed
    for _ in range(3):
        bench.leg(FakeWire())  # its row is free again


async def test_an_engine_that_breaks_fails_all_legs(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("voice.media.engine.period.run_lines", broken)
    plane = MediaPlane(asyncio.get_running_loop(), capacity=2)
    leg = plane.add_leg(FakeWire(), Coding.PCMU, 0, None)
    failures: list[Exception] = []
    leg.on_failure(failures.append)
    plane.run_threads()
    while not failures:
        await asyncio.sleep(0.01)
    assert [type(error) for error in failures] == [ZeroDivisionError]
    with pytest.raises(NotReady):
        plane.add_leg(FakeWire(), Coding.PCMU, 0, None)
    await plane.close()


async def test_without_an_eventfd_a_pipe_wakes_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.eventfd")
    plane = MediaPlane(asyncio.get_running_loop(), capacity=1)
    wire = FakeWire()
    leg = plane.add_leg(wire, Coding.PCMU, 0, None)
    heard = asyncio.Event()
    leg.listen(lambda frame: heard.set())
    plane.run_threads()
    async with asyncio.timeout(10):
        await heard.wait()
    await plane.close()
    assert wire.closed


async def test_rows_are_bounded_and_come_back() -> None:
    bench = Bench(capacity=2)
    wire = FakeWire()
    leg, frames = bench.leg(wire)
    bench.leg(FakeWire())
    with pytest.raises(Overloaded):
        bench.leg(FakeWire())
    await bench.run()
    leg.close()
    leg.close()
    await bench.run()
    assert wire.closed
    assert len(frames) == 1
    assert not leg.play(1, tone(20), last=True)
    bench.leg(FakeWire())


async def test_a_row_forgets_its_last_leg() -> None:
    bench = Bench(capacity=1)
    wire = FakeWire()
    leg, _ = bench.leg(wire)
    leg.play(1, tone(2000), last=True)
    for n, payload in enumerate(octets(tone(300))):
        wire.inbound = [(rtp(n, payload), PEER)]
        await bench.run()
    leg.close()
    await bench.run()
    second = FakeWire()
    _, frames = bench.leg(second)
    await bench.run(10)
    assert not np.concatenate([frame.pcm for frame in frames]).any()
    assert {RtpPacket.parse(data).payload for data, _ in second.sent} == {b"\xff" * 160}


async def test_a_loop_that_lags_loses_the_oldest_frames() -> None:
    bench = Bench()
    _, frames = bench.leg(FakeWire())
    await bench.run()
    for _ in range(MAX_BEHIND + 50):
        bench.plane.run_tick(bench.tick)  # the loop never gets its turn
        bench.tick += 1
    await asyncio.sleep(0)
    assert [frame.tick for frame in frames] == [0, *range(51, MAX_BEHIND + 51)]
    assert bench.plane.left_out == 50


async def test_commands_are_bounded_and_a_leg_can_be_closed_for_all_that() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, _ = bench.leg(wire)
    with pytest.raises(Overloaded, match="commands"):
        for _ in range(COMMANDS + 1):
            leg.set_direction(send=True, receive=True)
    leg.close()
    await bench.run()
    assert wire.closed
    bench.leg(FakeWire())[0].set_direction(send=True, receive=True)


async def test_a_closed_plane_takes_no_leg() -> None:
    bench = Bench()
    await bench.plane.close()
    with pytest.raises(NotReady):
        bench.leg(FakeWire())


async def test_wires_of_the_loop_are_flushed_after_each_tick() -> None:
    bench = Bench()
    wire = FakeWire()
    bench.leg(wire)
    await bench.run(5)
    assert wire.flushed == 5


async def test_ticks_left_out_are_late_frames_and_a_gap_in_time() -> None:
    bench = Bench()
    wire = FakeWire()
    leg, frames = bench.leg(wire)
    await bench.run(5)
    bench.tick += 7
    await bench.run(5)
    packets = [RtpPacket.parse(data) for data, _ in wire.sent]
    assert leg.stats.late_frames == 7
    assert [frame.tick for frame in frames] == [*range(5), *range(12, 17)]
    assert timestamp_step(packets[4].timestamp, packets[5].timestamp) == 8 * 160
    assert packets[5].sequence == (packets[4].sequence + 1) & 0xFFFF


async def test_two_browser_legs_talk_opus_over_rings() -> None:
    bench = Bench()
    wires: list[RingWire] = []

    def to(other: int) -> Callable[[list[bytes]], None]:
        def send(packets: list[bytes]) -> None:
            for packet in packets:
                wires[other].deliver(packet)

        return send

    wires += [RingWire(to(1)), RingWire(to(0))]
    legs = [bench.plane.add_leg(wire, Coding.OPUS, 111, 126) for wire in wires]
    frames: list[Frame] = []
    legs[1].listen(frames.append)
    legs[0].play(1, tone(1000, 700.0), last=True)
    legs[0].send_keys("3")
    await bench.run(60)
    assert "".join(frame.keys for frame in frames) == "3"
    heard = np.concatenate([frame.pcm for frame in frames[20:50]])
    assert frequency(heard) == pytest.approx(700, abs=10)
    assert max(frame.level_dbfs for frame in frames) == pytest.approx(-11.7, abs=1)


async def test_refusals_are_counted_over_all_legs_living_and_gone() -> None:
    bench = Bench()
    wires = [FakeWire(), FakeWire()]
    first, _ = bench.leg(wires[0])
    bench.leg(wires[1])
    for wire in wires:
        wire.inbound = [(b"noise", PEER), (rtp(1, bytes(160)), ("127.0.0.1", 5_000))]
    await bench.run()
    assert bench.plane.refused == {"malformed": 2, "foreign": 2}
    first.close()
    await bench.run()
    assert bench.plane.refused == {"malformed": 2, "foreign": 2}


async def test_a_leg_moves_to_another_wire_in_the_middle_of_a_word() -> None:
    bench = Bench()
    first, second = FakeWire(), FakeWire(("127.0.0.1", 4002))
    leg, frames = bench.leg(first, "PCMU")
    leg.play(1, tone(1000, 600.0), last=True)
    for n, payload in enumerate(octets(tone(1000, 1000.0), A_LAW)):
        if n == 25:
            leg.move(second, Coding.PCMA, 8, None)
        first.inbound = [(b"junk", PEER)]
        second.inbound = [(rtp(n, payload, 8, ssrc=2), ("127.0.0.1", 4002))] if n >= 25 else []
        await bench.run()
    assert first.closed
    assert len(first.sent) == 25
    packets = [RtpPacket.parse(data) for data, _ in second.sent]
    assert [packet.payload_type for packet in packets] == [8] * 25
    assert packets[0].marker
    assert packets[0].ssrc != RtpPacket.parse(first.sent[0][0]).ssrc, "a stream of its own"
    said = decode_block(np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8), A_LAW)
    assert frequency(said) / 2 == pytest.approx(600, abs=5)
    assert frequency(np.concatenate([frame.pcm for frame in frames[30:50]])) == pytest.approx(1000, abs=5)
    assert [mark for frame in frames for mark in frame.played][-1] == Played(1, 1000, True)
    assert leg.refusals.total == 0
    assert bench.plane.refused["malformed"] == 25, "what the former wire refused is not forgotten"
    leg.close()
    await bench.run()
    assert second.closed

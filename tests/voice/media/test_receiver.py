"""A leg's incoming stream: what is taken, what is refused, and how it is counted."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.voice.media.wires import FakeWire
from voice.media.receiver import Refusals, StreamReceiver
from voice.wire.dtmf import KeySender, TelephoneEvent
from voice.wire.jitter import Hole, JitterBuffer
from voice.wire.rtp import RtpPacket, is_rtcp

PEER = ("127.0.0.1", 4000)
FORGER = ("127.0.0.9", 666)


def receiver(event_payload_type: int | None = 101) -> tuple[StreamReceiver, FakeWire]:
    wire = FakeWire(PEER)
    return StreamReceiver(wire, 0, event_payload_type, JitterBuffer()), wire


def packet(n: int, payload_type: int = 0, payload: bytes = b"\x10" * 160) -> bytes:
    return bytes(RtpPacket(payload_type, n & 0xFFFF, n * 160, 1, payload))


def run(
    stream: StreamReceiver, wire: FakeWire, inbound: dict[int, list[bytes]], ticks: int
) -> tuple[list[bytes | Hole], str]:
    """`inbound` by tick; the frames and the keys."""
    frames: list[bytes | Hole] = []
    keys = ""
    for tick in range(ticks):
        wire.inbound = [(data, PEER) for data in inbound.get(tick, [])]
        keys += stream.drain(tick, listening=True)
        frames.append(stream.frame(tick, listening=True, quiet=False))
    return frames, keys


def test_audio_comes_out_in_frames() -> None:
    stream, wire = receiver()
    frames, keys = run(stream, wire, {n: [packet(n)] for n in range(50)}, 50)
    assert frames[2:] == [b"\x10" * 160] * 48
    assert keys == ""
    assert stream.received == 50


def test_keys_are_heard_once_and_leave_no_loss() -> None:
    stream, wire = receiver()
    sender = KeySender(101)
    sender.press("7#")
    inbound = {}
    for n in range(40):
        key = sender.packet(n, n * 160, 1) if n >= 10 and sender.busy else None
        if n < 10 or n >= 26:
            inbound[n] = [packet(n)]
        elif key is not None:
            inbound[n] = [bytes(key)] * 2
    frames, keys = run(stream, wire, inbound, 40)
    assert keys == "7#"
    assert stream.jitter.stats.lost == 2  # the two pauses between keys, in which our number n was not sent
    assert frames[-1] == b"\x10" * 160


def test_comfort_noise_is_silence_and_no_loss() -> None:
    stream, wire = receiver()
    inbound = {n: [packet(n) if n < 20 or n >= 30 else packet(n, 13, b"\x40")] for n in range(50)}
    frames, _ = run(stream, wire, inbound, 50)
    assert frames[22:32] == [Hole.SILENCE] * 10
    assert stream.jitter.stats.lost == 0
    assert stream.refusals == Refusals()


def test_each_refusal_is_counted_by_its_reason() -> None:
    stream, wire = receiver()
    rtcp = bytes([0x80, 200]) + bytes(26)
    inbound = {
        0: [packet(0)],
        1: [b"", b"\0" * 40, packet(1)],
        2: [packet(2, 96), rtcp, packet(2)],
        3: [packet(3, 101, b"\1")],
        4: [bytes(RtpPacket(0, 9, 9, 0xBAD, b"")), packet(4)],
    }
    run(stream, wire, inbound, 5)
    wire.inbound = [(packet(5), FORGER)]
    stream.drain(5, listening=True)
    assert stream.refusals == Refusals(malformed=3, foreign=1, stray=1, unexpected=1)
    assert [data for data, _ in wire.aside] == [rtcp]
    assert stream.refusals.total == 6


def test_on_hold_packets_are_taken_and_dropped() -> None:
    stream, wire = receiver()
    for tick in range(30):
        listening = not 10 <= tick < 20
        data = packet(tick, 101, bytes(TelephoneEvent(5, False, 10, 160))) if tick == 15 else packet(tick)
        wire.inbound = [(data, PEER)]
        keys = stream.drain(tick, listening=listening)
        frame = stream.frame(tick, listening=listening, quiet=False)
        assert keys == ""
        assert listening or frame is Hole.SILENCE
    assert frame == b"\x10" * 160
    assert stream.jitter.stats.lost == 0


def test_the_wire_follows_the_latch() -> None:
    stream, wire = receiver()
    nat = ("127.0.0.2", 5000)
    for tick in range(3):
        wire.inbound = [(packet(tick), nat)]
        stream.drain(tick, listening=True)
    assert wire.remote == nat
    stream.declare(("127.0.0.3", 7000))
    assert wire.remote == ("127.0.0.3", 7000)


@given(st.lists(st.binary(max_size=80), max_size=40), st.integers(0, 2**32))
def test_any_datagrams_are_taken_or_counted(junk: list[bytes], seed: int) -> None:
    stream, wire = receiver()
    chance = Random(seed)
    for tick, data in enumerate(junk):
        wire.inbound = [(data, chance.choice([PEER, FORGER]))]
        stream.drain(tick, listening=True)
        stream.frame(tick, listening=True, quiet=True)
    reports = sum(len(data) >= 12 and is_rtcp(data) for data in junk)
    assert stream.received + stream.refusals.total + reports >= len(junk)

"""Legs that hear each other, in virtual time: who is told what, and when."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsp.g711 import decode_block
from dsp.kernel import NARROW_HZ, WIDE_HZ
from tests.fakes.coders import OpusCoder
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.recording import Recording
from voice.media.wires import Address
from voice.ports import RATE_HZ, Frame, Pcm, Played, Room
from voice.wire.rtp import RtpPacket

LOUD = 12_000  # the amplitude of `tone`
LEFT, RIGHT, THIRD, PLAYED = 500.0, 800.0, 1300.0, 2100.0
SETTLED = slice(20, 60)  # ticks in which all tones stand


def strength(pcm: Pcm, hz: float, rate_hz: int) -> float:
    """The amplitude of `hz` in `pcm`."""
    window = np.hanning(pcm.size)
    turn = np.exp(-2j * np.pi * hz * np.arange(pcm.size) / rate_hz)
    return float(2 * abs(np.sum(pcm * window * turn)) / window.sum())


@dataclass
class Party:
    """A leg and its far end, which says a tone of `hz` all the time, in G.711 or Opus."""

    bench: Bench
    hz: float
    opus: bool = False
    wire: FakeWire = field(default_factory=FakeWire)
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leg: MediaLeg
        if self.opus:
            self.leg = self.bench.plane.add_leg(self.wire, Coding.OPUS, 111, 101)
            far = OpusCoder()
            self._payloads = [far.encode(piece) for piece in tone(2000, self.hz).reshape(-1, 320)]
        else:
            self.leg = self.bench.plane.add_leg(self.wire, Coding.PCMU, 0, 101)
            self._payloads = octets(tone(2000, self.hz)) if self.hz else [b"\xff" * 160] * 100
        self.leg.listen(self.frames.append)

    def speak(self) -> None:
        """Its packet for the next tick."""
        n = self.bench.tick
        stamp = n * (960 if self.opus else 160)
        payload_type = 111 if self.opus else 0
        packet = RtpPacket(payload_type, n & 0xFFFF, stamp, 1, self._payloads[n % 100])
        self.wire.inbound = [(bytes(packet), PEER)]

    @property
    def packets(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for data, _ in self.wire.sent]

    def told(self, part: slice = SETTLED) -> set[float]:
        """Which tones the far end is told in the ticks of `part`, each at its own level."""
        payloads = [packet.payload for packet in self.packets]
        if self.opus:
            near = OpusCoder()
            pcm, rate_hz = np.concatenate([near.decode(payload) for payload in payloads][part]), WIDE_HZ
        else:
            pcm, rate_hz = decode_block(np.frombuffer(b"".join(payloads[part]), np.uint8), 0), NARROW_HZ
        strengths = {hz: strength(pcm, hz, rate_hz) for hz in (LEFT, RIGHT, THIRD, PLAYED)}
        assert all(each < 0.02 * LOUD or 0.8 * LOUD < each < 1.2 * LOUD for each in strengths.values()), strengths
        return {hz for hz, each in strengths.items() if each > 0.5 * LOUD}


async def talk(bench: Bench, parties: list[Party], ticks: int = 60) -> None:
    for _ in range(ticks):
        for party in parties:
            party.speak()
        await bench.run()


@pytest.mark.parametrize("opus", [(False, False), (True, False), (True, True)], ids=["g711", "mixed", "opus"])
async def test_each_hears_the_other_and_not_itself(opus: tuple[bool, bool]) -> None:
    bench = Bench()
    left, right = Party(bench, LEFT, opus[0]), Party(bench, RIGHT, opus[1])
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    await talk(bench, [left, right])
    assert left.told() == {RIGHT}
    assert right.told() == {LEFT}
    for party in (left, right):  # what the house hears is the far end alone
        pcm = np.concatenate([frame.pcm for frame in party.frames[SETTLED]])
        assert strength(pcm, party.hz, RATE_HZ) > 0.9 * LOUD
        assert strength(pcm, LEFT + RIGHT - party.hz, RATE_HZ) < 0.02 * LOUD


async def test_what_is_heard_in_one_tick_is_told_in_the_same() -> None:
    bench = Bench()
    left, right = Party(bench, 0), Party(bench, 0)
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    for n in range(20):
        left.wire.inbound = [(rtp(n, b"\x80" * 160 if n == 10 else b"\xff" * 160), PEER)]
        await bench.run()
    heard = [n for n, frame in enumerate(left.frames) if frame.level_dbfs > -40]
    told = [n for n, packet in enumerate(right.packets) if packet.payload != b"\xff" * 160]
    assert told[0] == heard[0]
    assert heard[0] <= 11  # the jitter buffer's tick and the filter's 3 ms


async def test_what_is_played_to_one_is_told_to_all_and_counted_once() -> None:
    bench = Bench()
    parties = [Party(bench, hz) for hz in (LEFT, RIGHT, THIRD)]
    room = Room()
    for party in parties:
        party.leg.enter(room)
    parties[0].leg.play(7, tone(1200, PLAYED), last=True)
    await talk(bench, parties)
    assert [party.told() for party in parties] == [
        {RIGHT, THIRD, PLAYED},
        {LEFT, THIRD, PLAYED},
        {LEFT, RIGHT, PLAYED},
    ]
    marks = [[mark for frame in party.frames for mark in frame.played] for party in parties]
    assert marks[0][-1] == Played(7, 1200, True)
    assert marks[1:] == [[], []]


async def test_a_stop_in_a_room_is_told_where_it_stood() -> None:
    bench = Bench()
    left, right = Party(bench, LEFT), Party(bench, RIGHT)
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    left.leg.play(1, tone(2000, PLAYED), last=True)
    await talk(bench, [left, right], 30)
    assert left.leg.stop() == Played(1, 600, False)
    await talk(bench, [left, right], 30)
    assert left.told(slice(10, 30)) == {RIGHT, PLAYED}
    assert right.told(slice(32, 60)) == {LEFT}


async def test_alone_or_in_another_room_nobody_is_heard() -> None:
    bench = Bench(capacity=6)
    parties = [Party(bench, hz) for hz in (LEFT, RIGHT, THIRD, 0, LEFT)]
    first, second, third = Room(), Room(), Room()
    for party, room in zip(parties, (first, first, second, third, None), strict=True):
        party.leg.enter(room)
    parties[3].leg.play(1, tone(1200, PLAYED), last=True)
    await talk(bench, parties)
    assert [party.told() for party in parties] == [{RIGHT}, {LEFT}, set(), {PLAYED}, set()]


async def test_whoever_leaves_is_heard_no_more_and_may_enter_elsewhere() -> None:
    bench = Bench()
    parties = [Party(bench, hz) for hz in (LEFT, RIGHT, THIRD)]
    first, second = Room(), Room()
    for party in parties:
        party.leg.enter(first)
    await talk(bench, parties, 30)
    parties[0].leg.enter(None)
    await talk(bench, parties, 30)
    parties[0].leg.enter(second)
    parties[1].leg.enter(second)
    await talk(bench, parties, 30)
    before, apart, after = slice(10, 30), slice(31, 60), slice(61, 90)
    assert [party.told(before) for party in parties] == [{RIGHT, THIRD}, {LEFT, THIRD}, {LEFT, RIGHT}]
    assert [party.told(apart) for party in parties] == [set(), {THIRD}, {RIGHT}]
    assert [party.told(after) for party in parties] == [{RIGHT}, {LEFT}, set()]


async def test_a_leg_that_closes_or_fails_leaves_its_room_and_harms_nobody() -> None:
    class Broken(FakeWire):
        def send(self, packet: bytes, remote: Address) -> None:
            if len(self.sent) == 40:
                raise RuntimeError("broken wire")
            super().send(packet, remote)

    bench = Bench()
    parties = [Party(bench, LEFT), Party(bench, RIGHT), Party(bench, THIRD, wire=Broken())]
    room = Room()
    for party in parties:
        party.leg.enter(room)
    await talk(bench, parties, 42)
    assert parties[2].leg.closed
    await talk(bench, parties[:2], 20)
    assert parties[0].told(slice(10, 40)) == {RIGHT, THIRD}
    assert parties[0].told(slice(42, 62)) == {RIGHT}
    parties[1].leg.close()
    begin = len(parties[0].packets)
    await talk(bench, parties[:1], 20)
    assert {packet.payload for packet in parties[0].packets[begin + 1 :]} == {b"\xff" * 160}


async def test_a_newcomer_says_nothing_of_whoever_had_its_row() -> None:
    bench = Bench(capacity=2)
    silent, loud = Party(bench, 0), Party(bench, LEFT)
    await talk(bench, [silent, loud], 20)
    loud.leg.close()
    await bench.run()
    newcomer = Party(bench, 0)
    room = Room()
    silent.leg.enter(room)
    newcomer.leg.enter(room)
    await talk(bench, [silent, newcomer], 10)
    assert {packet.payload for packet in silent.packets} == {b"\xff" * 160}


async def test_on_hold_nothing_is_sent_and_what_is_said_is_told_or_not_as_agreed() -> None:
    bench = Bench()
    left, right = Party(bench, LEFT), Party(bench, RIGHT)
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    await talk(bench, [left, right], 30)
    right.leg.set_direction(send=False, receive=True)
    await talk(bench, [left, right], 30)
    right.leg.set_direction(send=False, receive=False)
    await talk(bench, [left, right], 30)
    assert len(right.packets) == 30
    assert left.told(slice(35, 60)) == {RIGHT}
    assert left.told(slice(65, 90)) == set()
    right.leg.set_direction(send=True, receive=True)
    await talk(bench, [left, right], 30)
    assert right.told(slice(31, 60)) == {LEFT}
    assert [n for n, packet in enumerate(right.packets) if packet.marker] == [0, 1, 30]  # at first, at talk, after hold


async def test_the_marker_stands_where_talk_begins_and_not_where_a_playback_does() -> None:
    bench = Bench()
    left, right = Party(bench, LEFT), Party(bench, 0)
    await talk(bench, [left, right], 10)
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    await talk(bench, [left, right], 10)
    right.leg.play(1, tone(100, PLAYED), last=True)
    await talk(bench, [left, right], 20)
    assert [n for n, packet in enumerate(right.packets) if packet.marker] == [0, 10]
    assert [n for n, packet in enumerate(left.packets) if packet.marker] == [0, 20]


async def test_keys_go_before_the_room() -> None:
    bench = Bench()
    left, right = Party(bench, LEFT), Party(bench, RIGHT)
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    await talk(bench, [left, right], 30)
    assert left.leg.send_keys("5")
    await talk(bench, [left, right], 30)
    kinds = [packet.payload_type for packet in left.packets]
    first = kinds.index(101)
    assert first == 30
    assert kinds[:first] == [0] * 30
    audio = [n for n, kind in enumerate(kinds) if n > first and kind == 0]
    assert left.packets[audio[0]].marker
    assert right.told() == {LEFT}


async def test_a_recording_holds_what_was_said_and_what_was_told(tmp_path: Path) -> None:
    bench = Bench()
    left, right = Party(bench, LEFT), Party(bench, RIGHT, opus=True)
    room = Room()
    left.leg.enter(room)
    right.leg.enter(room)
    recording = Recording(tmp_path / "call.flac")
    left.leg.record(recording)
    left.leg.play(1, tone(1200, PLAYED), last=True)
    await talk(bench, [left, right])
    left.leg.set_direction(send=False, receive=True)
    await talk(bench, [left, right], 20)
    recording.close()
    await asyncio.to_thread(recording.advance)
    audio, _ = soundfile.read(tmp_path / "call.flac", dtype="int16")
    said, told = audio[20 * 320 : 60 * 320].T
    assert strength(said, LEFT, RATE_HZ) > 0.9 * LOUD
    assert strength(said, RIGHT, RATE_HZ) < 0.02 * LOUD
    assert [strength(told, hz, RATE_HZ) > 0.9 * LOUD for hz in (LEFT, RIGHT, PLAYED)] == [False, True, True]
    assert not audio[60 * 320 :, 1].any()  # on hold nothing is told, and nothing is recorded as told
    assert strength(audio[62 * 320 :, 0], LEFT, RATE_HZ) > 0.9 * LOUD

"""Two who talk in one format are sent each other's packets as they came, and a mix where one is needed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from dsp.g711 import A_LAW, MU_LAW, decode_block
from dsp.parts import Part
from tests.fakes.coders import OpusCoder, coder
from tests.voice.media.test_opus import encoded_elsewhere
from tests.voice.media.ticks import PEER, Bench, octets, tone
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.ports import TICK_SAMPLES, Pcm, Room
from voice.wire.rtp import RtpPacket, timestamp_step

FORMATS = [Coding.PCMU, Coding.PCMA, Coding.G722, Coding.OPUS]
TYPES = {Coding.PCMU: 0, Coding.PCMA: 8, Coding.G722: 9, Coding.OPUS: 111}
LAWS = {Coding.PCMU: MU_LAW, Coding.PCMA: A_LAW}
TICKS = 80
BEGUN = 10  # ticks until jitter buffers are full and the first packets have gone on


def noise(seed: int, ticks: int = TICKS) -> Pcm:
    """No two of its frames are alike."""
    return np.random.default_rng(seed).integers(-6_000, 6_000, ticks * TICK_SAMPLES, np.int16)


def coded(format_: Coding, pcm: Pcm) -> list[bytes]:
    if format_ in LAWS:
        return octets(pcm, LAWS[format_])
    far = coder(format_)
    return [far.encode(piece) for piece in pcm.reshape(-1, TICK_SAMPLES)]


@dataclass
class End:
    """A leg and its far end, which says `said`, a payload a tick."""

    bench: Bench
    format_: Coding
    pcm: Pcm
    said: list[bytes] = field(default_factory=list)
    wire: FakeWire = field(default_factory=FakeWire)

    def __post_init__(self) -> None:
        self.said = self.said or coded(self.format_, self.pcm)
        self.leg = self.bench.plane.add_leg(self.wire, self.format_, TYPES[self.format_], 101)

    def speak(self) -> None:
        n = self.bench.tick
        units = self.format_.clock_hz // 50
        if n < len(self.said) and self.said[n]:
            packet = RtpPacket(TYPES[self.format_], n, n * units, 1, self.said[n])
            self.wire.inbound = [(bytes(packet), PEER)]

    @property
    def packets(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for data, _ in self.wire.sent]

    @property
    def told(self) -> list[bytes]:
        return [packet.payload for packet in self.packets]

    def heard(self) -> npt.NDArray[np.float64]:
        """What the far end hears, at 16 kHz or 8."""
        if self.format_ in LAWS:
            payload = np.frombuffer(b"".join(self.told), np.uint8)
            return decode_block(payload, LAWS[self.format_]).astype(np.float64)
        near = coder(self.format_)
        return np.concatenate([near.decode(payload) for payload in self.told]).astype(np.float64)


def room(*ends: End) -> None:
    place = Room()
    for end in ends:
        end.leg.enter(place)


async def talk(bench: Bench, ends: Sequence[End], ticks: int) -> None:
    for _ in range(ticks):
        for end in ends:
            end.speak()
        await bench.run()


def passed(source: End, to: End) -> list[int]:
    """The ticks in which `to` was sent what `source` said, bit by bit; always as late as at first."""
    own = {payload: n for n, payload in enumerate(source.said)}
    late = {n: n - own[payload] for n, payload in enumerate(to.told) if payload in own}
    assert len(set(late.values())) <= 1, late
    return sorted(late)


def ticks(*spans: tuple[int, int]) -> list[int]:
    return [n for begin, end in spans for n in range(begin, end)]


@pytest.mark.parametrize("format_", FORMATS)
async def test_what_one_says_reaches_the_other_bit_by_bit(format_: Coding) -> None:
    bench = Bench()
    left, right = End(bench, format_, noise(1)), End(bench, format_, noise(2))
    room(left, right)
    await talk(bench, (left, right), TICKS)
    for source, to in ((left, right), (right, left)):
        at = passed(source, to)
        assert at == list(range(at[0], TICKS))
        assert at[0] < BEGUN
        packets = to.packets
        assert {packet.payload_type for packet in packets} == {TYPES[format_]}
        units = format_.clock_hz // 50
        steps = [timestamp_step(a.timestamp, b.timestamp) for a, b in pairwise(packets)]
        assert steps == [units] * (TICKS - 1)
        assert not any(packet.marker for packet in packets[BEGUN:])


async def test_other_formats_are_mixed() -> None:
    bench = Bench(capacity=8)
    pairs = list(pairwise(FORMATS))
    ends = [(End(bench, one, noise(1)), End(bench, other, noise(2))) for one, other in pairs]
    for pair in ends:
        room(*pair)
    await talk(bench, [end for pair in ends for end in pair], 40)
    for left, right in ends:
        assert passed(left, right) == passed(right, left) == []
        assert np.std(right.heard()[-4_000:]) > 1_500


@pytest.mark.parametrize("format_", FORMATS)
async def test_what_is_played_to_one_is_mixed_in_and_then_packets_go_on_again(format_: Coding) -> None:
    bench = Bench()
    left, right = End(bench, format_, noise(1)), End(bench, format_, noise(2))
    room(left, right)
    await talk(bench, (left, right), 30)
    left.leg.play(1, tone(200), last=True)
    await talk(bench, (left, right), 50)
    again = 30 + 10 + (format_ is not Coding.OPUS)  # G.711 and G.722 have a tick that leads from one to the other
    for source, to in ((left, right), (right, left)):
        at = passed(source, to)
        assert at == ticks((at[0], 30), (again, TICKS))


async def test_a_third_party_ends_it_and_a_listener_does_not() -> None:
    bench = Bench()
    left, right, third = (End(bench, Coding.PCMU, noise(seed)) for seed in (1, 2, 3))
    ends = (left, right, third)
    place = Room()
    left.leg.enter(place)
    right.leg.enter(place)
    await talk(bench, ends, 20)
    third.leg.enter(place, Part.LISTENER)
    await talk(bench, ends, 20)
    third.leg.enter(place)
    await talk(bench, ends, 20)
    third.leg.enter(None)
    await talk(bench, ends, 20)
    for source, to in ((left, right), (right, left)):
        at = passed(source, to)
        assert at == ticks((at[0], 40), (61, TICKS))
    assert passed(left, third) == passed(right, third) == []


async def test_a_coach_is_mixed_in_for_the_coached_alone() -> None:
    bench = Bench()
    caller, agent, coach = (End(bench, Coding.PCMU, noise(seed)) for seed in (1, 2, 3))
    place = Room()
    caller.leg.enter(place)
    agent.leg.enter(place, Part.COACHED)
    await talk(bench, (caller, agent, coach), 30)
    coach.leg.enter(place, Part.COACH)
    await talk(bench, (caller, agent, coach), 30)
    at = passed(caller, agent)
    assert at == ticks((at[0], 30))
    assert passed(agent, caller)[-1] == 59


@pytest.mark.parametrize("format_", FORMATS)
async def test_what_is_lost_is_made_up(format_: Coding) -> None:
    bench = Bench()
    left, right = End(bench, format_, noise(1)), End(bench, format_, tone(20 * TICKS) + noise(2) // 20)
    whole = list(right.said)
    right.said[30] = b""
    room(left, right)
    await talk(bench, (left, right), TICKS)
    late = next(n for n, payload in enumerate(left.told) if payload == whole[20]) - 20
    gap = 30 + late
    again = gap + 1 + (format_ is not Coding.OPUS)
    assert left.told[gap - 1] == whole[29]
    assert left.told[again:] == whole[again - late : TICKS - late]
    heard = left.heard().reshape(TICKS, -1)
    assert np.std(heard[gap]) > 0.5 * np.std(heard[gap - 5])


async def test_nothing_goes_on_to_one_on_hold_and_silence_from_one() -> None:
    bench = Bench()
    left, right = End(bench, Coding.G722, noise(1)), End(bench, Coding.G722, noise(2))
    room(left, right)
    await talk(bench, (left, right), 30)
    right.leg.set_direction(send=False, receive=False)
    await talk(bench, (left, right), 20)
    assert len(right.told) == 30
    assert np.abs(left.heard()[-15 * TICK_SAMPLES :]).max() < 20
    right.leg.set_direction(send=True, receive=True)
    await talk(bench, (left, right), 30)
    assert left.told[-20:] == right.said[59:79]
    assert right.told[-20:] == left.said[59:79]


async def test_keys_go_before_what_is_said() -> None:
    bench = Bench()
    left, right = End(bench, Coding.OPUS, noise(1)), End(bench, Coding.OPUS, noise(2))
    room(left, right)
    await talk(bench, (left, right), 30)
    assert left.leg.send_keys("5")
    await talk(bench, (left, right), 40)
    kinds = [packet.payload_type for packet in left.packets]
    first, after = kinds.index(101), len(kinds) - kinds[::-1].index(101)
    assert first == 30
    assert left.packets[after].marker
    assert left.told[after:] == right.said[69 - len(kinds[after:]) : 69]
    assert passed(left, right)[-1] == 69


@pytest.mark.parametrize("format_", [Coding.PCMA, Coding.G722])
async def test_packets_of_other_lengths_are_cut_and_joined(format_: Coding) -> None:
    """One sends 60 ms a packet and wants 40; to the other go 20."""
    bench = Bench()
    left, right = End(bench, format_, noise(1)), End(bench, format_, noise(2))
    stream = b"".join(left.said)
    left.said = [stream[n * 160 :][:480] if n % 3 == 0 else b"" for n in range(TICKS)]
    left.leg.packetise(40)
    room(left, right)
    await talk(bench, (left, right), TICKS)
    assert {len(payload) for payload in left.told} == {320}
    assert {len(payload) for payload in right.told} == {160}
    assert b"".join(left.told[10:]) in b"".join(right.said)
    assert b"".join(right.told[20:]) in stream


@pytest.mark.parametrize("duration_ms", [10, 60])
async def test_opus_packets_that_are_no_tick_are_encoded_anew(duration_ms: int) -> None:
    bench = Bench()
    left, right = End(bench, Coding.OPUS, noise(1)), End(bench, Coding.OPUS, noise(2))
    payloads = encoded_elsewhere(duration_ms, 1, noise(1, TICKS + 3))
    every = max(1, duration_ms // 20)
    left.said = [payloads[n // every] if n % every == 0 else b"" for n in range(TICKS)]
    room(left, right)
    await talk(bench, (left, right), 60)
    assert passed(left, right) == []
    assert passed(right, left)[-1] == 59
    packets = right.packets
    assert [timestamp_step(packets[0].timestamp, packet.timestamp) for packet in packets] == list(
        range(0, 60 * 960, 960)
    )
    assert np.std(right.heard()[-4_000:]) > 1_000


async def test_what_is_no_opus_is_not_handed_on() -> None:
    bench = Bench()
    left, right = End(bench, Coding.OPUS, noise(1)), End(bench, Coding.OPUS, noise(2))
    left.said[30] = b"\xff\xff\xff"
    room(left, right)
    await talk(bench, (left, right), 60)
    assert left.said[30] not in right.told
    assert len(passed(left, right)) > 40


async def test_a_change_of_law_ends_it_and_not_an_octet_is_sent_in_the_wrong_one() -> None:
    bench = Bench()
    left, right = End(bench, Coding.PCMU, tone(2_000)), End(bench, Coding.PCMU, tone(2_000, 1_000.0))
    room(left, right)
    await talk(bench, (left, right), 30)
    left.leg.switch(Coding.PCMA, 8)
    await talk(bench, (left, right), 30)
    right.leg.switch(Coding.PCMA, 8)
    await talk(bench, (left, right), 20)
    left.leg.switch(Coding.PCMU, 0)
    right.leg.switch(Coding.PCMU, 0)
    await talk(bench, (left, right), 20)
    assert [packet.payload_type for packet in left.packets] == [0] * 30 + [8] * 50 + [0] * 20
    heard = [decode_block(np.frombuffer(p.payload, np.uint8), p.payload_type and A_LAW) for p in left.packets]
    assert off_tone_db(np.concatenate(heard[BEGUN:]).astype(np.float64), 1_000.0, 8_000) < -25


def off_tone_db(pcm: npt.NDArray[np.float64], hz: float, rate_hz: int) -> float:
    """The loudest 60 ms of all that is further than 150 Hz from the tone, to the tone."""
    size = rate_hz * 60 // 1000
    away = np.abs(np.fft.rfftfreq(size, 1 / rate_hz) - hz) > 150
    powers = [np.abs(np.fft.rfft(pcm[at : at + size] * np.hanning(size))) ** 2 for at in range(0, pcm.size - size, 40)]
    return max(float(10 * np.log10(power[away].sum() / power.sum())) for power in powers)


@pytest.mark.parametrize(
    ("format_", "off_db", "swell"),
    [(Coding.PCMU, -30, 1.1), (Coding.PCMA, -30, 1.1), (Coding.G722, -22, 1.1), (Coding.OPUS, -20, 1.7)],
)
async def test_no_click_is_heard_where_one_turns_into_the_other(format_: Coding, off_db: float, swell: float) -> None:
    """A cut from one to the other is at -12 dB in G.711, and at -11 in G.722, where 5 dB are the tone's phase; an
    encoder that goes on from where it stood overflows in G.722, and is at -13 in Opus, of which a tone as it is coded
    for 10 % of loss is at -27 by itself. A pure tone swells in Opus wherever the far decoder's past is another's;
    speech does not."""
    bench = Bench()
    left, right = End(bench, format_, tone(2_400)), End(bench, format_, tone(2_400))
    room(left, right)
    for n in range(110):
        if n % 20 == 15:
            left.leg.play(n, np.zeros(6 * TICK_SAMPLES + 7 * n, np.int16), last=True)
        await talk(bench, (left, right), 1)
    assert 30 < len([n for n, payload in enumerate(right.told) if payload in left.said]) < 80
    rate_hz = 8_000 if format_ in LAWS else 16_000
    heard = right.heard()[15 * rate_hz // 50 :]
    assert off_tone_db(heard, 440.0, rate_hz) < off_db
    assert np.abs(heard).max() < swell * 12_000


async def test_a_recording_has_what_was_told_on_its_second_channel() -> None:
    told: list[Pcm] = []

    class Listening:
        def write(self, caller: Pcm, ours: Pcm) -> None:
            told.append(ours)

        def skip(self, ticks: int) -> None:
            raise AssertionError("nothing was left out")

    bench = Bench()
    left, right = End(bench, Coding.OPUS, noise(1)), End(bench, Coding.OPUS, noise(2))
    left.leg.record(Listening())
    room(left, right)
    await talk(bench, (left, right), 40)
    near = OpusCoder()
    decoded = [near.decode(payload) for payload in right.said]
    assert passed(right, left)[-1] == 39
    np.testing.assert_array_equal(np.concatenate(told)[10 * 320 :], np.concatenate(decoded)[9 * 320 : 39 * 320])

"""Keys over RFC 4733: each press once, whatever is lost, repeated or out of order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.dtmf import GAP_TICKS, KEY_TICKS, KEYS, MAX_KEYS, KeyReceiver, KeySender, TelephoneEvent
from voice.wire.rtp import RtpPacket


def sent(digits: str, start: int = 1000) -> list[RtpPacket]:
    """Packets of `digits` as our sender makes them, timestamps from `start`."""
    sender = KeySender(101)
    assert sender.press(digits)
    packets: list[RtpPacket] = []
    timestamp = start
    while sender.busy:
        packet = sender.packet(len(packets), timestamp & 0xFFFF_FFFF, 7)
        if packet is not None:
            packets.append(packet)
        timestamp += 160
    return packets


def heard(packets: list[RtpPacket]) -> str:
    receiver = KeyReceiver()
    return "".join(receiver.receive(packet) for packet in packets)


@given(st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 0xFFFF))
def test_event_round_trip(code: int, end: bool, volume: int, duration: int) -> None:
    event = TelephoneEvent(code, end, volume, duration)
    assert TelephoneEvent.parse(bytes(event)) == event


def test_a_press_on_the_wire() -> None:
    packets = sent("5")
    events = [TelephoneEvent.parse(packet.payload) for packet in packets]
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    assert {packet.timestamp for packet in packets} == {1000}
    assert packets[0].payload == bytes([5, 10, 0, 160])


def test_presses_are_apart_by_key_and_gap() -> None:
    starts = sorted({packet.timestamp for packet in sent("12")})
    assert starts[1] - starts[0] == (KEY_TICKS + GAP_TICKS) * 160


@given(st.text(alphabet=KEYS, min_size=1, max_size=20), st.integers(0, 0xFFFF_FFFF))
def test_what_is_sent_is_heard_once(digits: str, start: int) -> None:
    assert heard(sent(digits, start)) == digits


@pytest.mark.parametrize("seed", range(20))
def test_one_packet_of_each_press_is_enough(seed: int) -> None:
    chance = random.Random(seed)
    by_press: dict[int, list[RtpPacket]] = {}
    for packet in sent("1147#"):
        by_press.setdefault(packet.timestamp, []).append(packet)
    survivors = [chance.choice(press) for press in by_press.values()]
    assert heard(survivors) == "1147#"


def test_lost_start_and_lost_end() -> None:
    packets = sent("90")
    assert heard(packets[3:10]) == "90"


def test_repeats_and_stragglers_give_nothing() -> None:
    packets = sent("12")
    assert heard([*packets[:8], packets[3], *packets[7:], packets[0], packets[-1]]) == "12"


def test_a_clock_set_anew_does_not_deafen() -> None:
    assert heard(sent("1", 3_000_000_000) + sent("2", 1_500_000_000)) == "12"


def test_a_very_long_press_is_one_digit() -> None:
    def packet(timestamp: int, duration: int, end: bool) -> RtpPacket:
        return RtpPacket(101, 0, timestamp, 7, bytes(TelephoneEvent(1, end, 10, duration)))

    press = [packet(0, 0xFFFF, False), packet(0xFFFF, 160, False), packet(0xFFFF, 320, True)]
    assert heard(press) == "1"
    assert heard([packet(0, 0xFFFF, True), packet(0xFFFF, 160, False)]) == "11"


def test_a_new_stream_starts_over() -> None:
    first = RtpPacket(101, 0, 1000, 7, bytes(TelephoneEvent(3, False, 10, 160)))
    second = RtpPacket(101, 0, 1000, 8, bytes(TelephoneEvent(3, False, 10, 160)))
    assert heard([first, second]) == "33"


def test_tones_that_are_no_key_give_nothing() -> None:
    assert heard([RtpPacket(101, 0, 0, 7, bytes(TelephoneEvent(36, False, 10, 160)))]) == ""


@given(st.binary(max_size=8))
def test_any_payload_is_an_event_or_a_protocol_error(payload: bytes) -> None:
    try:
        heard([RtpPacket(101, 0, 0, 7, payload)])
    except ProtocolError:
        assert len(payload) < 4


def test_the_queue_of_keys_is_bounded() -> None:
    sender = KeySender(101)
    assert sender.press("1" * MAX_KEYS)
    assert not sender.press("2")
    with pytest.raises(ValueError):
        KeySender(101).press("x")

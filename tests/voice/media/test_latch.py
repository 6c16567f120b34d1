"""Whose packets a leg believes."""

from random import Random

from voice.media.latch import PROOF_PACKETS, RELATCH_TICKS, Latch
from voice.wire.rtp import RtpPacket

DECLARED = ("10.0.0.1", 4000)
NAT = ("198.51.100.7", 61_000)
FORGER = ("203.0.113.9", 9_999)


def packet(sequence: int, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(0, sequence & 0xFFFF, sequence * 160 & 0xFFFF_FFFF, ssrc, b"\xff" * 160)


def latched(source: tuple[str, int] = DECLARED, at: int = 0) -> Latch:
    """A latch that has taken ten packets, numbers 0..9, from `source`."""
    latch = Latch(DECLARED)
    for n in range(10):
        latch.admit(packet(n), source, at)
    assert latch.remote == source
    return latch


def test_the_declared_address_is_believed_at_once() -> None:
    latch = Latch(DECLARED)
    assert latch.remote == DECLARED
    assert latch.admit(packet(0), DECLARED, 0)
    assert latch.remote == DECLARED


def test_another_address_is_believed_after_three_packets_in_a_row() -> None:
    latch = Latch(DECLARED)
    assert [latch.admit(packet(n), NAT, n) for n in range(4)] == [False, False, True, True]
    assert latch.remote == NAT
    assert latch.foreign == PROOF_PACKETS - 1


def test_packets_that_are_no_stream_prove_nothing() -> None:
    chance = Random(1)
    latch = Latch(DECLARED)
    for n in range(0, 2000, 2):
        assert not latch.admit(packet(n), NAT, n)
        assert not latch.admit(packet(n, ssrc=chance.getrandbits(32)), FORGER, n)
    assert latch.remote == DECLARED
    assert latch.foreign == 2000


def test_once_latched_only_that_source_counts() -> None:
    latch = latched()
    for n in range(10, 1000):
        assert not latch.admit(packet(n), FORGER, n // 50)
        assert latch.admit(packet(n), DECLARED, n // 50)
    assert latch.remote == DECLARED
    assert latch.foreign == 990


def test_after_two_seconds_of_silence_another_may_take_over() -> None:
    latch = latched()
    assert not any(latch.admit(packet(n), NAT, RELATCH_TICKS - 1) for n in range(10))
    assert any(latch.admit(packet(n), NAT, RELATCH_TICKS) for n in range(20, 24))
    assert latch.remote == NAT


def test_the_declared_source_may_take_over_from_another_at_any_time() -> None:
    latch = latched(NAT)
    assert [latch.admit(packet(n, ssrc=2), DECLARED, 1) for n in range(3)] == [False, False, True]
    assert latch.remote == DECLARED


def test_a_reinvite_opens_the_latch_only_if_the_address_changed() -> None:
    latch = latched(NAT)
    latch.declare(DECLARED)
    assert latch.remote == NAT
    moved = ("10.0.0.2", 4002)
    latch.declare(moved)
    assert latch.remote == moved
    assert latch.admit(packet(0, ssrc=5), moved, 1)
    assert not latch.admit(packet(11), NAT, 2)


def test_a_flood_of_sources_does_not_keep_a_true_one_out() -> None:
    chance = Random(2)
    latch = Latch(DECLARED)
    for n in range(3):
        for _ in range(15):
            latch.admit(
                packet(chance.getrandbits(16)), (f"203.0.113.{chance.randrange(255)}", chance.randrange(65536)), n
            )
        admitted = latch.admit(packet(n), NAT, n)
    assert admitted


def test_another_stream_from_the_right_source_needs_two_packets() -> None:
    latch = latched()
    assert not latch.admit(packet(500, ssrc=2), DECLARED, 1)
    assert latch.admit(packet(501, ssrc=2), DECLARED, 1)
    assert latch.stray == 1


def test_forged_streams_never_break_into_a_running_one() -> None:
    chance = Random(3)
    latch = latched()
    for n in range(10, 500):
        assert not latch.admit(packet(chance.getrandbits(16), ssrc=chance.getrandbits(32)), DECLARED, 1)
        assert latch.admit(packet(n), DECLARED, 1)
    assert latch.stray == 490


def test_the_same_stream_may_count_anew() -> None:
    latch = latched()
    assert not latch.admit(packet(30_000), DECLARED, 1)
    assert latch.admit(packet(30_001), DECLARED, 1)
    assert latch.admit(packet(29_990), DECLARED, 1)  # out of order, not out of the stream

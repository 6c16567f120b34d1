"""Whole calls between two endpoints in virtual time: loss, races, cancels, hang-ups."""

import pytest

from tests.fakes.sip_network import HERE, THERE, Network, Packet, lose_first
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteCancelled,
    InviteReceived,
    InviteRefused,
    Ringing,
)

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def dial(network: Network, sdp: bytes = OFFER) -> CallRef:
    """`here` calls `there`."""
    return network.here.invite("sip:200@192.0.2.2", sdp, "sip:100@192.0.2.1", network.now)


def incoming(network: Network) -> InviteReceived:
    """The call as `there` sees it."""
    return next(event for event in network.told[THERE] if isinstance(event, InviteReceived))


def talk(network: Network) -> tuple[CallRef, CallRef]:
    """A call that is answered and acknowledged: its names here and there."""
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    assert network.there.answer(theirs, ANSWER, network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == InviteAnswered(call, ANSWER)
    assert network.told[THERE][-1] == InviteAcknowledged(theirs, None)
    return call, theirs


def idle(network: Network) -> None:
    """Everything is over: nothing is held, nothing is due."""
    network.run(100.0)
    for endpoint in (network.here, network.there):
        assert endpoint.calls == ()
        assert endpoint.deadline() is None
        assert endpoint.unanswered == 0
        assert endpoint.held == 0


def test_a_call_from_invite_to_bye() -> None:
    network = Network()
    call = dial(network)
    network.run(0.1)
    event = incoming(network)
    assert event.dialled == "200"
    assert event.offer == OFFER
    assert str(event.from_uri) == "sip:100@192.0.2.1"
    assert event.source == HERE
    assert dict(event.headers) == {"User-Agent": "Centralino"}
    network.there.ring(event.call, network.now)
    network.run(1.0)
    network.there.answer(event.call, ANSWER, network.now)
    network.run(1.0)
    assert network.here.hangup(call, network.now)
    idle(network)
    assert network.lines(HERE) == ["INVITE", "ACK", "BYE"]
    assert network.lines(THERE) == ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]
    assert network.told[HERE] == [
        Ringing(call, 180, None),
        InviteAnswered(call, ANSWER),
        DialogEnded(call, EndCause.LOCAL),
    ]
    assert network.told[THERE][1:] == [InviteAcknowledged(event.call, None), DialogEnded(event.call, EndCause.REMOTE)]


def test_the_callee_hangs_up() -> None:
    network = Network()
    call, theirs = talk(network)
    assert network.there.hangup(theirs, network.now)
    idle(network)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.REMOTE)
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.LOCAL)


def test_an_offer_in_the_answer_is_answered_in_the_ack() -> None:
    """Delayed offer (RFC 3261 section 13.2.1): the callee offers, the ACK brings the answer."""
    network = Network(lose=lambda packet: packet.line == "ACK")
    dial(network, sdp=b"")
    network.run(0.1)
    event = incoming(network)
    assert event.offer is None
    network.there.answer(event.call, OFFER, network.now)
    network.run(0.1)
    ack = next(packet for packet in network.log if packet.line == "ACK").data
    with_answer = ack.replace(b"Content-Length: 0\r\n\r\n", b"Content-Type: application/sdp\r\n\r\n" + ANSWER)
    network.there.receive(with_answer, HERE, network.now)
    network.run(0.1)
    assert network.told[THERE][-1] == InviteAcknowledged(event.call, ANSWER)


@pytest.mark.parametrize("lost", ["INVITE", "100 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"])
def test_each_message_may_be_lost_three_times(lost: str) -> None:
    network = Network(lose=lose_first(lost, 3))
    call = dial(network)
    network.run(5.0)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.run(8.0)
    assert network.told[HERE][-1] == InviteAnswered(call, ANSWER)
    assert network.told[THERE][-1] == InviteAcknowledged(theirs, None)
    network.here.hangup(call, network.now)
    idle(network)
    assert network.told[THERE][1:] == [InviteAcknowledged(theirs, None), DialogEnded(theirs, EndCause.REMOTE)]
    assert sum(isinstance(event, InviteAnswered) for event in network.told[HERE]) == 1
    assert sum(packet.lost for packet in network.log) == 3


def test_an_answer_is_repeated_from_t1_to_t2_until_it_is_given_up() -> None:
    """RFC 3261 section 13.3.1.4: T1 doubling to T2, 64*T1 in all, then BYE."""
    network = Network(lose=lambda packet: packet.line in ("ACK", "BYE"))
    dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.run(60.0)
    assert network.times(THERE, "200 INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert network.times(THERE, "BYE")[0] == 0
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.NO_ACK)
    bye = next(packet for packet in network.log if packet.line == "BYE")
    answered = next(packet for packet in network.log if packet.line == "200 INVITE")
    assert bye.at - answered.at == pytest.approx(32.0)


def test_an_invite_nobody_answers_fails_after_timer_b() -> None:
    network = Network(lose=lambda packet: True)
    call = dial(network)
    network.run(31.9)
    assert network.told[HERE] == []
    assert network.times(HERE, "INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    idle(network)
    assert network.told[HERE] == [InviteRefused(call, 408, "Request Timeout")]


def test_a_refusal_is_acknowledged_and_told_once() -> None:
    network = Network(lose=lose_first("ACK", 2))
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    assert network.there.reject(theirs, 486, "Busy Here", network.now)
    idle(network)
    assert network.told[HERE] == [InviteRefused(call, 486, "Busy Here")]
    assert network.told[THERE][1:] == [DialogEnded(theirs, EndCause.REJECTED)]
    assert network.times(THERE, "486 INVITE") == [0, 0.5, 1.5]
    assert network.lines(HERE) == ["INVITE", "ACK", "ACK", "ACK"]


def test_a_refusal_may_say_when_to_try_again() -> None:
    network = Network()
    dial(network)
    network.run(0.1)
    network.there.reject(incoming(network).call, 503, "Busy", network.now, retry_after=7)
    network.run(0.1)
    refusal = next(packet for packet in network.log if packet.line == "503 INVITE")
    assert b"\r\nRetry-After: 7\r\n" in refusal.data
    assert refusal.data.startswith(b"SIP/2.0 503 Busy\r\n")


def test_cancel_before_the_answer() -> None:
    network = Network()
    call = dial(network)
    network.run(1.0)
    theirs = incoming(network).call
    assert network.here.hangup(call, network.now)
    idle(network)
    assert network.lines(HERE) == ["INVITE", "CANCEL", "ACK"]
    assert network.lines(THERE) == ["100 INVITE", "200 CANCEL", "487 INVITE"]
    assert network.told[HERE] == [DialogEnded(call, EndCause.LOCAL)]
    assert network.told[THERE][1:] == [InviteCancelled(theirs)]
    assert not network.there.answer(theirs, ANSWER, network.now)


def test_cancel_waits_for_a_provisional_response() -> None:
    """RFC 3261 section 9.1."""
    network = Network(lose=lose_first("100 INVITE", 1))
    call = dial(network)
    network.run(0.1)
    network.here.hangup(call, network.now)
    network.run(0.2)
    assert network.lines(HERE) == ["INVITE"]
    idle(network)
    assert network.lines(HERE) == ["INVITE", "INVITE", "CANCEL", "ACK"]
    assert network.told[HERE] == [DialogEnded(call, EndCause.LOCAL)]


def test_cancel_crossing_the_answer_ends_in_bye() -> None:
    """The CANCEL comes too late (RFC 3261 section 9.2): it is answered, the call acknowledged, then hung up."""
    network = Network()
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.here.hangup(call, network.now)
    network.there.answer(theirs, ANSWER, network.now)
    idle(network)
    assert network.lines(HERE) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert network.lines(THERE) == ["100 INVITE", "200 INVITE", "200 CANCEL", "200 BYE"]
    assert network.told[HERE] == [DialogEnded(call, EndCause.LOCAL)]
    assert network.told[THERE][1:] == [InviteAcknowledged(theirs, None), DialogEnded(theirs, EndCause.REMOTE)]


def test_a_cancel_that_nobody_obeys_is_given_up() -> None:
    """RFC 3261 section 9.1: 64*T1 after the CANCEL the INVITE is forgotten."""
    network = Network(lose=lambda packet: packet.line in ("CANCEL",))
    call = dial(network)
    network.run(0.1)
    network.here.hangup(call, network.now)
    network.run(33.0)
    assert network.here.calls == ()
    assert network.told[HERE] == [DialogEnded(call, EndCause.LOCAL)]
    network.there.hangup(incoming(network).call, network.now)
    idle(network)


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    """RFC 3261 section 15: no BYE on a call whose answer is not acknowledged."""
    network = Network(lose=lose_first("ACK", 1))
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.there.hangup(theirs, network.now)
    network.run(0.3)
    assert "BYE" not in network.lines(THERE)
    idle(network)
    assert network.lines(THERE) == ["100 INVITE", "200 INVITE", "200 INVITE", "BYE"]
    assert network.told[THERE][1:] == [DialogEnded(theirs, EndCause.LOCAL)]
    assert network.told[HERE] == [InviteAnswered(call, ANSWER), DialogEnded(call, EndCause.REMOTE)]


def test_bye_overtaking_the_ack() -> None:
    network = Network(lose=lambda packet: packet.line == "ACK")
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.run(0.1)
    network.here.hangup(call, network.now)
    idle(network)
    assert network.told[THERE][1:] == [DialogEnded(theirs, EndCause.REMOTE)]
    assert network.lines(THERE) == ["100 INVITE", "200 INVITE", "200 BYE"]


def test_byes_that_cross() -> None:
    network = Network()
    call, theirs = talk(network)
    network.here.hangup(call, network.now)
    network.there.hangup(theirs, network.now)
    idle(network)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOCAL)
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.LOCAL)


def test_a_repeated_bye_is_answered_again() -> None:
    network = Network(lose=lose_first("200 BYE", 2))
    call, _ = talk(network)
    network.here.hangup(call, network.now)
    idle(network)
    assert network.lines(HERE).count("BYE") == 3
    assert network.lines(THERE).count("200 BYE") == 3


def test_hanging_up_an_unanswered_call_refuses_it() -> None:
    network = Network()
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.there.hangup(theirs, network.now)
    idle(network)
    assert network.told[HERE] == [InviteRefused(call, 480, "Temporarily Unavailable")]
    assert network.told[THERE][1:] == [DialogEnded(theirs, EndCause.LOCAL)]


def test_commands_out_of_season_do_nothing() -> None:
    network = Network()
    call, theirs = talk(network)
    sent = len(network.log)
    assert not network.there.answer(theirs, ANSWER, network.now)
    assert not network.there.ring(theirs, network.now)
    assert not network.there.reject(theirs, 486, "", network.now)
    assert not network.there.reanswer(theirs, ANSWER, network.now)
    assert not network.here.answer(call, ANSWER, network.now)
    assert not network.here.hangup(CallRef(99), network.now)
    network.run(1.0)
    assert len(network.log) == sent


@pytest.mark.parametrize("seed", range(20))
def test_calls_survive_heavy_loss(seed: int) -> None:
    """30 % of all packets lost: every call is set up and ends once at each end."""
    import random

    chance = random.Random(seed)
    network = Network(lose=lambda packet: chance.random() < 0.3)
    call = dial(network)
    network.run(16.0)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.run(20.0)
    assert InviteAnswered(call, ANSWER) in network.told[HERE]
    assert InviteAcknowledged(theirs, None) in network.told[THERE]
    network.here.hangup(call, network.now)
    idle(network)
    assert [event for event in network.told[HERE] if isinstance(event, DialogEnded)] == [
        DialogEnded(call, EndCause.LOCAL)
    ]
    assert [event for event in network.told[THERE] if isinstance(event, DialogEnded)] == [
        DialogEnded(theirs, EndCause.REMOTE)
    ]


def test_a_callee_that_forks_is_parted_from() -> None:
    """A second 2xx with another tag is acknowledged and hung up (RFC 3261 section 13.2.2.4)."""
    network = Network()
    call, _ = talk(network)
    answered = next(packet for packet in network.log if packet.line == "200 INVITE")
    tag = answered.data.split(b"To: ")[1].split(b"tag=")[1].split(b"\r\n")[0]
    before = network.now
    network.here.receive(answered.data.replace(tag, b"fork"), THERE, network.now)
    network.run(0.005)
    sent = [packet for packet in network.log if packet.source == HERE and packet.at >= before]
    assert [packet.line for packet in sent] == ["ACK", "BYE"]
    assert all(b";tag=fork\r\n" in packet.data for packet in sent)
    assert network.here.calls == (call,)


def test_packet_lines() -> None:
    assert Packet(0.0, b"BYE sip:x SIP/2.0\r\n\r\n", HERE, THERE).line == "BYE"


def test_a_repeated_answer_to_a_cancelled_call_is_still_acknowledged() -> None:
    network = Network(lose=lambda packet: packet.line in ("BYE", "200 CANCEL"))
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.here.hangup(call, network.now)
    network.there.answer(theirs, ANSWER, network.now)
    network.run(0.1)
    assert network.here.calls == ()
    answered = next(packet for packet in network.log if packet.line == "200 INVITE")
    network.here.receive(answered.data, THERE, network.now)
    network.run(0.005)
    assert network.lines(HERE).count("ACK") == 2
    assert network.told[HERE] == [DialogEnded(call, EndCause.LOCAL)]


def test_hanging_up_a_call_that_is_never_acknowledged() -> None:
    network = Network(lose=lambda packet: packet.line == "ACK")
    dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.there.hangup(theirs, network.now)
    network.run(31.0)
    assert "BYE" not in network.lines(THERE)
    idle(network)
    assert "BYE" in network.lines(THERE)
    assert network.told[THERE][1:] == [DialogEnded(theirs, EndCause.LOCAL)]


def test_both_hang_up_before_the_ack() -> None:
    network = Network(lose=lambda packet: packet.line == "ACK")
    call = dial(network)
    network.run(0.1)
    theirs = incoming(network).call
    network.there.answer(theirs, ANSWER, network.now)
    network.there.hangup(theirs, network.now)
    network.run(0.1)
    network.here.hangup(call, network.now)
    idle(network)
    assert "BYE" not in network.lines(THERE)
    assert network.told[THERE][1:] == [DialogEnded(theirs, EndCause.LOCAL)]

"""Changes of media in virtual time: both ways, refused, colliding, lost, cut short (RFC 3261 section 14)."""

from itertools import pairwise

import pytest

from tests.fakes.sip_network import HERE, THERE, Network, lose_first
from tests.voice.wire.sip.test_call import idle, talk
from voice.wire.sip.events import (
    DialogEnded,
    EndCause,
    InviteAnswered,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
)

HOLD, HELD = b"v=0 hold", b"v=0 held"


@pytest.mark.parametrize("by_callee", [False, True])
def test_media_change_in_either_direction(by_callee: bool) -> None:
    network = Network()
    calls = talk(network)
    (mine, my_call), (theirs, their_call) = (
        ((network.there, calls[1]), (network.here, calls[0]))
        if by_callee
        else ((network.here, calls[0]), (network.there, calls[1]))
    )
    me, them = (THERE, HERE) if by_callee else (HERE, THERE)
    assert mine.reoffer(my_call, HOLD, network.now)
    network.run(0.1)
    assert network.told[them][-1] == ReinviteReceived(their_call, HOLD)
    assert theirs.reanswer(their_call, HELD, network.now)
    network.run(0.1)
    assert network.told[me][-1] == ReinviteAnswered(my_call, HELD)
    assert network.told[them][-1] == ReinviteAcknowledged(their_call, None)
    assert theirs.reoffer(their_call, HOLD, network.now)
    network.run(0.1)
    assert mine.reanswer(my_call, HELD, network.now)
    network.run(0.1)
    assert network.told[them][-1] == ReinviteAnswered(their_call, HELD)
    mine.hangup(my_call, network.now)
    idle(network)


@pytest.mark.parametrize("lost", ["INVITE", "200 INVITE", "ACK"])
def test_each_message_of_a_media_change_may_be_lost(lost: str) -> None:
    network = Network()
    call, theirs = talk(network)
    network.lose = lose_first(lost, 3)
    network.here.reoffer(call, HOLD, network.now)
    network.run(5.0)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(8.0)
    assert network.told[HERE][-1] == ReinviteAnswered(call, HELD)
    assert network.told[THERE][-1] == ReinviteAcknowledged(theirs, None)
    assert sum(packet.lost for packet in network.log) == 3
    network.there.hangup(theirs, network.now)
    idle(network)


def test_a_refused_change_leaves_the_call() -> None:
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    assert network.there.reject(theirs, 488, "Not Acceptable Here", network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == ReinviteRefused(call, 488, "Not Acceptable Here")
    assert network.here.reoffer(call, HOLD, network.now)
    assert network.here.calls and network.there.calls


def test_colliding_changes_are_sorted_out_by_the_caller_waiting_longer() -> None:
    """RFC 3261 section 14.1: both get 491; the callee tries again within 2 s, the caller after 2.1 to 4 s."""
    network = Network()
    call, theirs = talk(network)
    start = network.now
    network.here.reoffer(call, HOLD, network.now)
    network.there.reoffer(theirs, HOLD, network.now)
    network.run(2.05)
    assert network.lines(HERE, start)[:3] == ["INVITE", "100 INVITE", "491 INVITE"]
    assert network.told[HERE][-1] == ReinviteReceived(call, HOLD)
    assert network.told[HERE][-2] == ReinviteRefused(call, 491, "Request Pending")
    network.here.reanswer(call, HELD, network.now)
    network.run(5.0)
    assert network.told[THERE][-1] == ReinviteAnswered(theirs, HELD)
    assert network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == ReinviteAnswered(call, HELD)


def test_a_collision_is_retried_until_the_other_gives_up() -> None:
    """The caller's change meets one of the callee's that never arrives, again and again."""
    network = Network()
    call, theirs = talk(network)
    network.lose = lambda packet: packet.source == THERE and packet.line == "INVITE"
    network.there.reoffer(theirs, HOLD, network.now)
    start = network.now
    network.here.reoffer(call, HOLD, network.now)
    network.run(30.0)
    tries = [
        packet.at for packet in network.log if packet.line == "INVITE" and packet.source == HERE and packet.at >= start
    ]
    waits = [later - sooner - 0.02 for sooner, later in pairwise(tries)]
    assert len(waits) >= 6
    assert all(2.1 <= wait <= 4.0 for wait in waits)
    assert len(set(waits)) > 1
    assert isinstance(network.told[HERE][-1], InviteAnswered)


def test_a_second_change_before_the_first_is_answered() -> None:
    """RFC 3261 section 14.2: 500 with a Retry-After of 0 to 10 s."""
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    first = [packet for packet in network.log if packet.line == "INVITE"][-1]
    second = first.data.replace(b"CSeq: 2", b"CSeq: 3").replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
    network.there.receive(second, HERE, network.now)
    network.run(0.1)
    refusal = next(packet for packet in network.log if packet.line == "500 INVITE")
    retry = int(refusal.data.split(b"Retry-After: ")[1].split(b"\r\n")[0])
    assert 0 <= retry <= 10
    assert network.there.reanswer(theirs, HELD, network.now)


def test_a_change_before_the_first_ack_is_refused() -> None:
    network = Network()
    network.lose = lambda packet: packet.line == "ACK"
    network.here.invite("sip:200@192.0.2.2", HOLD, "sip:100@192.0.2.1", network.now)
    network.run(0.1)
    theirs = network.there.calls[0]
    network.there.answer(theirs, HELD, network.now)
    network.run(0.1)
    assert not network.there.reoffer(theirs, HOLD, network.now)
    network.here.reoffer(network.here.calls[0], HOLD, network.now)
    network.run(0.1)
    assert "491 INVITE" in network.lines(THERE)


def test_an_unacknowledged_change_ends_the_call() -> None:
    network = Network()
    call, theirs = talk(network)
    network.lose = lambda packet: packet.line == "ACK"
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(33.0)
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.NO_ACK)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.REMOTE)
    idle(network)


def test_a_change_nobody_answers_ends_the_call() -> None:
    """RFC 3261 section 12.2.1.2: a 408 inside a dialog, here by timer B, means that the peer is gone."""
    network = Network()
    call, _ = talk(network)
    network.lose = lambda packet: True
    network.here.reoffer(call, HOLD, network.now)
    network.run(33.0)
    assert network.told[HERE][-2:] == [
        ReinviteRefused(call, 408, "Request Timeout"),
        DialogEnded(call, EndCause.LOST),
    ]


def test_a_change_to_a_peer_that_forgot_the_call() -> None:
    network = Network()
    call, theirs = talk(network)
    network.lose = lambda packet: packet.line == "BYE"
    network.there.hangup(theirs, network.now)
    network.run(1.0)
    network.here.reoffer(call, HOLD, network.now)
    network.run(1.0)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOST)


def test_hanging_up_during_a_change() -> None:
    """RFC 3261 section 15.1.2: the pending re-INVITE is answered with 487."""
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.here.hangup(call, network.now)
    idle(network)
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.REMOTE)
    assert "487 INVITE" in network.lines(THERE)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOCAL)


def test_a_change_whose_answer_is_lost_does_not_outlive_the_call_for_long() -> None:
    """Once there was a 100, no timer of RFC 3261 ends the transaction of an INVITE."""
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.lose = lambda packet: packet.line == "200 INVITE"
    network.there.reanswer(theirs, HELD, network.now)
    network.there.hangup(theirs, network.now)
    idle(network)


@pytest.mark.parametrize("heard", [True, False])
def test_a_change_that_nobody_decides_about_is_cancelled(heard: bool) -> None:
    """After the time that a proxy grants an INVITE. Who then is silent altogether has gone."""
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(179.0)
    assert isinstance(network.told[HERE][-1], InviteAnswered)
    network.lose = lambda packet: not heard and packet.source == THERE
    network.run(33.5)
    assert "CANCEL" in network.lines(HERE)
    if heard:
        assert network.told[HERE][-1] == ReinviteRefused(call, 487, "Request Terminated")
        assert not network.there.reanswer(theirs, HELD, network.now)
        assert network.here.reoffer(call, HOLD, network.now)
        network.run(0.1)
        network.there.reanswer(theirs, HELD, network.now)
        network.run(200.0)
        assert network.told[HERE][-1] == ReinviteAnswered(call, HELD)
        network.here.hangup(call, network.now)
    else:
        assert network.told[HERE][-2:] == [
            ReinviteRefused(call, 408, "Request Timeout"),
            DialogEnded(call, EndCause.LOST),
        ]
        network.lose = lambda packet: False
    idle(network)


def test_a_cancelled_change_leaves_the_call() -> None:
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    invite = [packet for packet in network.log if packet.line == "INVITE"][-1]
    head = invite.data.partition(b"\r\n\r\n")[0].replace(b"INVITE sip", b"CANCEL sip").replace(b"2 INVITE", b"2 CANCEL")
    cancel = b"\r\n".join(x for x in head.split(b"\r\n") if not x.startswith(b"Content-")) + b"\r\n\r\n"
    network.there.receive(cancel, HERE, network.now)
    network.run(0.1)
    assert network.lines(THERE)[-2:] == ["200 CANCEL", "487 INVITE"]
    assert not network.there.reanswer(theirs, HELD, network.now)
    assert network.there.calls == (theirs,)
    assert network.told[HERE][-1] == ReinviteRefused(call, 487, "Request Terminated")


def test_the_peer_may_move_to_another_contact() -> None:
    """Target refresh (RFC 3261 section 12.2.2): requests follow the Contact of the re-INVITE."""
    network = Network()
    call, theirs = talk(network)
    network.here.reach.port = 5070
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(0.1)
    network.there.hangup(theirs, network.now)
    network.run(0.1)
    bye = next(packet for packet in network.log if packet.line == "BYE")
    assert bye.target == ("192.0.2.1", 5070)
    assert bye.data.startswith(b"BYE sip:192.0.2.1:5070 SIP/2.0\r\n")


def test_a_repeated_answer_is_acknowledged_whatever_happens_meanwhile() -> None:
    """RFC 3261 section 13.2.2.4: the ACK is sent again for every copy of the 2xx, and nothing is told twice."""
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(0.1)
    answered = [packet for packet in network.log if packet.line == "200 INVITE"][-1]

    def acknowledged_again() -> bool:
        network.flush()
        network.now += 0.001
        told, start = len(network.told[HERE]), network.now
        network.here.receive(answered.data, THERE, network.now)
        network.flush()
        return network.lines(HERE, start) == ["ACK"] and len(network.told[HERE]) == told

    assert acknowledged_again()
    network.there.reoffer(theirs, HOLD, network.now)
    network.run(0.1)
    assert acknowledged_again()
    network.lose = lambda packet: packet.line == "ACK"
    network.here.reanswer(call, HELD, network.now)
    assert acknowledged_again()
    network.lose = lambda packet: False
    network.run(2.0)
    network.lose = lambda packet: packet.source == THERE and packet.line == "INVITE"
    network.there.reoffer(theirs, HOLD, network.now)
    network.here.reoffer(call, HOLD, network.now)
    network.run(1.0)
    assert "491 INVITE" in network.lines(THERE, network.now - 1.5)
    assert acknowledged_again()
    network.here.hangup(call, network.now)
    network.run(0.5)
    assert acknowledged_again()
    assert isinstance(network.told[HERE][-1], DialogEnded)


def test_a_second_change_before_the_first_is_acknowledged() -> None:
    network = Network()
    call, theirs = talk(network)
    network.lose = lambda packet: packet.line == "ACK"
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(0.1)
    assert network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    assert network.lines(THERE)[-1] == "491 INVITE"

"""UPDATE in virtual time (RFC 3311): before the answer and after it, refused, colliding, lost, cut short."""

import pytest

from tests.fakes.sip_network import HERE, THERE, Network, lose_first
from tests.voice.wire.sip.test_call import ANSWER, OFFER, idle, talk
from tests.voice.wire.sip.test_endpoint import Peer, header, request
from tests.voice.wire.sip.test_provisional import Callee, early, packet, ringing
from tests.voice.wire.sip.test_renegotiation import HELD, HOLD
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteReceived,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
    Ringing,
)


@pytest.mark.parametrize("by_callee", [False, True])
def test_media_change_before_the_answer_in_either_direction(by_callee: bool) -> None:
    network = Network()
    calls = early(network)
    mine, theirs = (network.there, network.here) if by_callee else (network.here, network.there)
    my_call, their_call = reversed(calls) if by_callee else calls
    me, them = (THERE, HERE) if by_callee else (HERE, THERE)
    assert mine.reoffer(my_call, HOLD, network.now)
    network.run(0.1)
    assert network.told[them][-1] == ReinviteReceived(their_call, HOLD)
    assert theirs.reanswer(their_call, HELD, network.now)
    network.run(0.1)
    assert network.told[me][-1] == ReinviteAnswered(my_call, HELD)
    assert network.lines(me)[-1] == "UPDATE", "there is no ACK"
    network.there.answer(calls[1], ANSWER, network.now)
    network.run(0.1)
    assert mine.reoffer(my_call, HOLD, network.now)
    network.run(0.1)
    assert network.lines(me)[-1] == "INVITE", "after the answer it is a re-INVITE"
    network.here.hangup(calls[0], network.now)
    idle(network)


@pytest.mark.parametrize("lost", ["UPDATE", "200 UPDATE"])
def test_each_message_may_be_lost_three_times(lost: str) -> None:
    network = Network()
    call, theirs = early(network)
    network.lose = lose_first(lost, 3)
    network.here.reoffer(call, HOLD, network.now)
    network.run(5.0)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(20.0)
    assert network.told[HERE][-1] == ReinviteAnswered(call, HELD)
    assert network.told[THERE].count(ReinviteReceived(theirs, HOLD)) == 1
    assert sum(it.lost for it in network.log) == 3


def test_colliding_changes_before_the_answer_are_sorted_out() -> None:
    """RFC 3311 section 5.1: both get 491 and wait as after a collision of re-INVITEs."""
    network = Network()
    call, theirs = early(network)
    start = network.now
    network.here.reoffer(call, HOLD, network.now)
    network.there.reoffer(theirs, HOLD, network.now)
    network.run(2.05)
    assert network.lines(HERE, start) == ["UPDATE", "491 UPDATE"]
    assert network.told[HERE][-2:] == [ReinviteRefused(call, 491, "Request Pending"), ReinviteReceived(call, HOLD)]
    network.here.reanswer(call, HELD, network.now)
    network.run(5.0)
    assert network.told[THERE][-1] == ReinviteAnswered(theirs, HELD)


def test_nothing_is_offered_before_the_first_offer_has_its_answer() -> None:
    network = Network()
    call, theirs = ringing(network)
    network.there.ring(theirs, network.now)
    network.run(0.1)
    assert not network.here.reoffer(call, HOLD, network.now)
    assert not network.there.reoffer(theirs, HOLD, network.now)


def test_a_change_that_waits_does_not_outlive_the_call() -> None:
    network = Network()
    call, theirs = early(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.here.hangup(call, network.now)
    network.run(1.0)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOCAL)
    assert "487 UPDATE" in network.lines(THERE)
    assert not network.there.reanswer(theirs, HELD, network.now)
    idle(network)


def test_a_refused_change_leaves_the_call() -> None:
    network = Network()
    call, theirs = early(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    assert network.there.reject(theirs, 488, "", network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == ReinviteRefused(call, 488, "Not Acceptable Here")
    network.there.answer(theirs, ANSWER, network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == InviteAnswered(call, None)


def test_an_answer_that_comes_twice_answers_no_later_change() -> None:
    network = Network()
    call, theirs = talk(network)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(0.1)
    first = [it for it in network.log if it.line == "200 INVITE"][-1]
    network.here.reoffer(call, OFFER, network.now)
    network.here.receive(first.data, THERE, network.now)
    network.run(0.1)
    assert network.told[HERE].count(ReinviteAnswered(call, HELD)) == 1
    assert network.lines(HERE)[-2:] == ["INVITE", "ACK"]
    network.there.reanswer(theirs, ANSWER, network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == ReinviteAnswered(call, ANSWER)


class Updating(Peer):
    """Calls, and sends UPDATE by hand."""

    def invite(self) -> tuple[CallRef, str]:
        """An INVITE that is ringing; the 180."""
        self.say(request("INVITE", body="v=0"))
        (event,) = self.endpoint.events()
        assert isinstance(event, InviteReceived)
        self.endpoint.ring(event.call, self.now)
        (said,) = self.heard()
        return event.call, said

    def update(self, said: str, cseq: int, body: str = "v=0 new", **headers: str) -> list[str]:
        fields = {
            "To": header(said, "To"),
            "CSeq": f"{cseq} UPDATE",
            "Via": f"SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-u{cseq}",
            **headers,
        }
        return self.say(request("UPDATE", headers=fields, body=body))


def status(answers: list[str]) -> int:
    return int(answers[0].split(" ")[1])


def test_an_offer_before_ours_is_answered_comes_too_early() -> None:
    """RFC 3311 section 5.2: 500 with a Retry-After of 0 to 10 s for whoever has an offer of his to be answered."""
    peer = Updating()
    call, said = peer.invite()
    answers = peer.update(said, 2)
    assert status(answers) == 500
    assert 0 <= int(header(answers[0], "Retry-After")) <= 10
    peer.endpoint.answer(call, ANSWER, peer.now)
    assert peer.endpoint.events() == []


def test_an_offer_before_theirs_is_answered_collides() -> None:
    """RFC 3311 section 5.2: 491 where the offer that waits is ours."""
    peer = Callee()
    call = peer.called()
    peer.respond(180)
    answers = peer.from_callee("UPDATE", 1, body="v=0")
    assert status(answers) == 491
    assert peer.endpoint.events() == [Ringing(call, 180, None)]


def test_a_second_change_before_the_first_is_answered() -> None:
    peer = Updating()
    event, ok = peer.call()
    assert peer.update(ok, 2) == []
    assert peer.endpoint.events() == [ReinviteReceived(event.call, b"v=0 new")]
    answers = peer.update(ok, 3)
    assert status(answers) == 500
    assert "Retry-After" in answers[0]
    assert peer.endpoint.reanswer(event.call, HELD, peer.now)
    (answer,) = peer.heard()
    assert answer.endswith("\r\n\r\nv=0 held")
    assert peer.update(ok, 4) == []


def test_an_update_without_an_offer_is_answered_at_once_and_moves_the_peer() -> None:
    peer = Updating()
    event, ok = peer.call()
    assert status(peer.update(ok, 2, "", Contact="<sip:100@192.0.2.9:5090>")) == 200
    assert peer.endpoint.events() == []
    peer.endpoint.hangup(event.call, peer.now)
    (bye,) = peer.heard()
    assert bye.startswith("BYE sip:100@192.0.2.9:5090 ")


def test_an_update_of_something_else_than_sdp() -> None:
    peer = Updating()
    _, ok = peer.call()
    answers = peer.update(ok, 2, **{"Content-Type": "text/plain"})
    assert status(answers) == 415


def test_an_update_outside_any_dialog() -> None:
    assert status(Peer().say(request("UPDATE"))) == 481


def test_who_does_not_name_update_is_not_sent_one() -> None:
    peer = Callee()
    call = peer.called()
    assert peer.respond(183, Require="100rel", RSeq="1", body="v=0")
    assert not peer.endpoint.reoffer(call, HOLD, peer.now)
    assert peer.respond(183, Require="100rel", RSeq="2", Allow="INVITE, UPDATE")
    assert peer.endpoint.reoffer(call, HOLD, peer.now)


def test_the_fork_that_answers_is_the_one_that_may_change_media() -> None:
    peer = Callee()
    call = peer.called()
    peer.respond(183, "a", Require="100rel", RSeq="1", body="v=0")
    assert peer.from_callee("UPDATE", 1, "a", body="v=0") == []
    assert peer.endpoint.events()[-1] == ReinviteReceived(call, b"v=0")
    peer.respond(200, "b", body="v=0 b")
    assert peer.endpoint.events() == [InviteAnswered(call, b"v=0 b")]
    assert status(peer.from_callee("UPDATE", 2, "a", body="v=0")) == 481
    assert peer.from_callee("UPDATE", 1, "b", body="v=0 c") == []
    assert peer.endpoint.events() == [ReinviteReceived(call, b"v=0 c")]


def test_a_change_of_a_call_that_we_gave_up() -> None:
    peer = Callee()
    call = peer.called()
    peer.respond(183, Require="100rel", RSeq="1", body="v=0")
    peer.endpoint.hangup(call, peer.now)
    peer.endpoint.events()
    peer.heard()
    assert status(peer.from_callee("UPDATE", 1, body="v=0")) == 481
    assert peer.endpoint.events() == []


def test_the_answer_to_a_change_of_a_call_that_we_gave_up_is_no_news() -> None:
    peer = Callee()
    call = peer.called()
    peer.respond(183, Require="100rel", RSeq="1", body="v=0", Allow="UPDATE")
    assert peer.endpoint.reoffer(call, HOLD, peer.now)
    (update,) = peer.heard()
    peer.endpoint.hangup(call, peer.now)
    peer.endpoint.events()
    peer.reply(update, 200, "v=0 a")
    assert peer.endpoint.events() == []


def test_the_callee_hangs_up_during_a_change() -> None:
    network = Network()
    call, theirs = early(network)
    network.there.reoffer(theirs, HOLD, network.now)
    network.run(0.1)
    network.there.hangup(theirs, network.now)
    idle(network)
    assert "487 UPDATE" in network.lines(HERE)
    assert packet(network, "480 INVITE")
    assert call not in network.here.calls

"""Referring in virtual time: taken, refused, told, unheard, lost, cut short (RFC 3515)."""

import pytest

from tests.fakes.sip_network import HERE, THERE, Network, lose_first
from tests.voice.wire.sip.test_call import idle, talk
from tests.voice.wire.sip.test_endpoint import Peer, header, request
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    ReferConcluded,
    ReferProgressed,
    ReferReceived,
)
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.refer import ReferTo
from voice.wire.sip.replaces import Replaces

TARGET = ReferTo(WireURI.parse("sip:300@192.0.2.3"))


def referred(network: Network, target: ReferTo = TARGET) -> tuple[CallRef, CallRef]:
    """A call in which `here` has referred `there`, who has not answered yet."""
    calls = talk(network)
    assert network.here.refer(calls[0], target, network.now)
    network.run(0.1)
    return calls


@pytest.mark.parametrize("by_callee", [False, True])
def test_the_peer_takes_it_and_tells_how_it_goes(by_callee: bool) -> None:
    network = Network()
    call, theirs = talk(network)
    mine, them, told = network.here, network.there, (HERE, THERE)
    if by_callee:
        mine, them, told, call, theirs = them, mine, (THERE, HERE), theirs, call
    replaced = ReferTo(TARGET.uri, Replaces("other@host", "a", "b"))
    assert mine.refer(call, replaced, network.now)
    network.run(0.1)
    by = "sip:200@192.0.2.2" if by_callee else "sip:100@192.0.2.1"
    assert network.told[told[1]][-1] == ReferReceived(theirs, replaced.uri, replaced.replaces, by)
    assert them.accept_refer(theirs, network.now)
    network.run(0.1)
    assert them.tell_refer(theirs, 180, "", network.now)
    network.run(0.1)
    assert them.tell_refer(theirs, 200, "OK", network.now)
    network.run(0.1)
    assert network.told[told[0]][-3:] == [
        ReferProgressed(call, 100, "Trying"),
        ReferProgressed(call, 180, "Ringing"),
        ReferConcluded(call, 200, "OK"),
    ]
    assert not them.tell_refer(theirs, 486, "", network.now), "that was the last word"
    mine.hangup(call, network.now)
    idle(network)
    notes = [packet.data.decode() for packet in network.log if packet.line == "NOTIFY"]
    assert [header(note, "Subscription-State").partition(";")[0] for note in notes] == ["active"] * 2 + ["terminated"]
    assert {header(note, "Event") for note in notes} == {"refer"}


def test_a_second_one_may_follow_and_its_notes_are_told_apart() -> None:
    network = Network()
    call, theirs = referred(network)
    assert not network.here.refer(call, TARGET, network.now), "one at a time"
    for status in (486, 200):
        network.there.accept_refer(theirs, network.now)
        network.there.tell_refer(theirs, status, "", network.now)
        network.run(0.1)
        assert network.told[HERE][-1] == ReferConcluded(call, status, "Busy Here" if status == 486 else "OK")
        network.here.refer(call, TARGET, network.now)
        network.run(0.1)
    numbers = [header(p.data.decode(), "CSeq").split()[0] for p in network.log if p.line == "REFER"]
    events = [header(p.data.decode(), "Event") for p in network.log if p.line == "NOTIFY"]
    assert events == ["refer", "refer", f"refer;id={numbers[1]}", f"refer;id={numbers[1]}"]


def test_a_refusal_is_told_as_what_came_of_it() -> None:
    network = Network()
    call, theirs = referred(network)
    assert network.there.refuse_refer(theirs, 603, "Not Here", network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == ReferConcluded(call, 603, "Not Here")
    assert network.here.calls == (call,), "and the call goes on"
    assert not network.there.accept_refer(theirs, network.now)


def test_who_does_not_decide_declines() -> None:
    network = Network()
    call, _ = referred(network)
    network.run(17.0)
    assert network.told[HERE][-1] == ReferConcluded(call, 603, "Decline")


def test_who_tells_nothing_more_is_not_waited_for_without_end() -> None:
    network = Network()
    call, theirs = referred(network)
    network.there.accept_refer(theirs, network.now)
    network.run(119.0)
    assert network.told[HERE][-1] == ReferProgressed(call, 100, "Trying")
    network.run(2.0)
    assert network.told[HERE][-1] == ReferConcluded(call, 408, "Request Timeout")
    assert network.there.tell_refer(theirs, 200, "", network.now)
    network.run(1.0)
    assert network.lines(HERE)[-1] == "481 NOTIFY", "nobody listens any more"
    assert not network.there.tell_refer(theirs, 200, "", network.now)


def test_our_own_promise_to_tell_runs_out_too() -> None:
    network = Network()
    call, theirs = referred(network)
    network.there.accept_refer(theirs, network.now)
    network.run(181.0)
    last = [packet.data.decode() for packet in network.log if packet.line == "NOTIFY"][-1]
    assert header(last, "Subscription-State") == "terminated;reason=timeout"
    assert not network.there.tell_refer(theirs, 180, "", network.now)
    network.here.hangup(call, network.now)
    idle(network)


def test_who_cannot_be_told_is_told_no_more() -> None:
    network = Network()
    _, theirs = referred(network)
    network.lose = lambda packet: packet.line == "NOTIFY"
    network.there.accept_refer(theirs, network.now)
    network.run(31.0)
    assert network.there.tell_refer(theirs, 180, "", network.now)
    network.run(2.0)
    assert not network.there.tell_refer(theirs, 200, "", network.now)


@pytest.mark.parametrize("lost", ["REFER", "202 REFER", "NOTIFY", "200 NOTIFY"])
def test_each_message_may_be_lost_three_times(lost: str) -> None:
    network = Network()
    call, theirs = talk(network)
    network.lose = lose_first(lost, 3)
    network.here.refer(call, TARGET, network.now)
    network.run(5.0)
    network.there.accept_refer(theirs, network.now)
    network.run(5.0)
    network.there.tell_refer(theirs, 200, "", network.now)
    network.run(5.0)
    assert network.told[HERE][-1] == ReferConcluded(call, 200, "OK")
    assert sum(isinstance(event, ReferReceived) for event in network.told[THERE]) == 1
    assert sum(packet.lost for packet in network.log) == 3


def test_a_peer_that_has_fallen_silent_is_told_as_such() -> None:
    network = Network()
    call, _ = talk(network)
    network.lose = lambda packet: True
    network.here.refer(call, TARGET, network.now)
    network.run(33.0)
    assert network.told[HERE][-1] == ReferConcluded(call, 408, "Request Timeout")


@pytest.mark.parametrize("stage", ["asked", "reporting"])
def test_the_end_of_the_call_ends_it(stage: str) -> None:
    network = Network()
    call, theirs = referred(network)
    if stage == "reporting":
        network.there.accept_refer(theirs, network.now)
        network.run(0.1)
    assert network.here.hangup(call, network.now)
    assert not network.here.refer(call, TARGET, network.now)
    network.run(0.1)
    assert not network.there.tell_refer(theirs, 200, "", network.now)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOCAL)
    idle(network)
    if stage == "asked":
        assert "487 REFER" in network.lines(THERE)


def test_only_who_talks_may_refer() -> None:
    peer = Peer()
    peer.say(request("INVITE", body="v=0"))
    (event,) = peer.endpoint.events()
    assert not peer.endpoint.refer(event.call, TARGET, peer.now)


REFER_TO = "<sip:300@192.0.2.3>"
VIA = "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-2"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Refer-To": "nonsense"}, 400),
        ({"Refer-To": f"{REFER_TO}\r\nRefer-To: {REFER_TO}"}, 400),
        ({"Refer-To": "<http://example.com/>"}, 416),
        ({"Refer-To": REFER_TO, "Referred-By": "<"}, 400),
        ({"Refer-To": REFER_TO, "Replaces": "c;to-tag=a;from-tag=b"}, 400),
        ({"r": REFER_TO, "b": "<sip:x@y>"}, 0),
    ],
)
def test_a_refer_that_is_malformed_is_told_so(headers: dict[str, str], status: int) -> None:
    peer = Peer()
    _, ok = peer.call()
    answers = peer.say(request("REFER", headers={"To": header(ok, "To"), "CSeq": "2 REFER", **headers}))
    assert [int(answer.split()[1]) for answer in answers] == ([status] if status else [])
    assert len(peer.endpoint.events()) == (not status)


def test_a_second_refer_of_the_peer_has_to_wait() -> None:
    peer = Peer()
    _, ok = peer.call()
    ask = {"To": header(ok, "To"), "Refer-To": REFER_TO}
    assert peer.say(request("REFER", headers={**ask, "CSeq": "2 REFER"})) == []
    (answer,) = peer.say(request("REFER", headers={**ask, "CSeq": "3 REFER", "Via": VIA}))
    assert answer.startswith("SIP/2.0 491 ")
    assert len(peer.endpoint.events()) == 1


def test_nobody_but_a_party_of_the_call_may_refer() -> None:
    peer = Peer()
    _, ok = peer.call()
    inside = request("REFER", headers={"To": header(ok, "To"), "CSeq": "2 REFER", "Refer-To": REFER_TO})
    assert peer.say(inside, ("192.0.2.66", 5060))[0].startswith("SIP/2.0 403 ")
    (outside,) = peer.say(request("REFER", headers={"Call-ID": "x", "Refer-To": REFER_TO}))
    assert outside.startswith("SIP/2.0 403 ")
    elsewhere = request("REFER", headers={"To": "<sip:a@b>;tag=x", "Call-ID": "y", "Refer-To": REFER_TO, "Via": VIA})
    (unknown,) = peer.say(elsewhere)
    assert unknown.startswith("SIP/2.0 481 ")
    assert peer.endpoint.events() == []


REPORT = {"Event": "refer", "Subscription-State": "active", "Content-Type": "message/sipfrag;version=2.0"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (REPORT, "SIP/2.0 180 Ringing\r\n", 200),
        ({**REPORT, "Event": "presence"}, "SIP/2.0 180 Ringing\r\n", 489),
        ({**REPORT, "Event": ""}, "SIP/2.0 180 Ringing\r\n", 489),
        ({**REPORT, "Event": "refer;id=77"}, "SIP/2.0 180 Ringing\r\n", 481),
        ({**REPORT, "Content-Type": "text/plain"}, "SIP/2.0 180 Ringing\r\n", 415),
        (REPORT, "Ringing", 400),
    ],
)
def test_what_the_peer_tells_is_looked_at(headers: dict[str, str], body: str, status: int) -> None:
    peer = Peer()
    event, ok = peer.call()
    inside = {"To": header(ok, "To"), "CSeq": "2 NOTIFY"}
    early = {**inside, "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-0"}
    assert peer.say(request("NOTIFY", headers={**REPORT, **early}, body=body))[0].startswith("SIP/2.0 481 ")
    assert peer.endpoint.refer(event.call, TARGET, peer.now)
    peer.heard()
    (answer,) = peer.say(request("NOTIFY", headers={**headers, **inside, "CSeq": "3 NOTIFY"}, body=body))
    assert answer.startswith(f"SIP/2.0 {status} ")
    assert peer.endpoint.events() == ([ReferProgressed(event.call, 180, "Ringing")] if status == 200 else [])

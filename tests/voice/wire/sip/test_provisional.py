"""Early media and reliable provisional responses in virtual time (RFC 3262), between two endpoints and by hand."""

import pytest

from tests.fakes.sip_network import HERE, THERE, Network, Packet, lose_first
from tests.voice.wire.sip.test_call import ANSWER, OFFER, dial, idle, incoming
from tests.voice.wire.sip.test_endpoint import Peer, header, request
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteReceived,
    InviteRefused,
    ProgressAcknowledged,
    Ringing,
)
from voice.wire.sip.provisional import MAX_EARLY, MAX_WAITING

EARLY = b"v=0 early"


def ringing(network: Network) -> tuple[CallRef, CallRef]:
    """A call that is not answered: its names here and there."""
    call = dial(network)
    network.run(0.1)
    return call, incoming(network).call


def early(network: Network) -> tuple[CallRef, CallRef]:
    """A call with early media, said and acknowledged."""
    call, theirs = ringing(network)
    assert network.there.progress(theirs, EARLY, network.now)
    network.run(0.1)
    return call, theirs


def packet(network: Network, line: str) -> Packet:
    return next(it for it in network.log if it.line == line)


def test_early_media_are_said_reliably_and_the_answer_leaves_them_as_they_are() -> None:
    network = Network()
    call, theirs = early(network)
    assert network.told[HERE] == [Ringing(call, 183, EARLY)]
    assert network.told[THERE][1:] == [ProgressAcknowledged(theirs, None)]
    said = packet(network, "183 INVITE").data.decode()
    assert header(said, "Require") == "100rel"
    prack = packet(network, "PRACK").data.decode()
    assert header(prack, "RAck") == f"{header(said, 'RSeq')} 1 INVITE"
    assert header(prack, "To") == header(said, "To")
    assert header(prack, "CSeq") == "2 PRACK"
    network.there.answer(theirs, ANSWER, network.now)
    network.run(0.1)
    assert network.told[HERE][-1] == InviteAnswered(call, None), "RFC 3261 section 13.2.1: the answer came before"
    network.here.hangup(call, network.now)
    idle(network)
    assert network.lines(HERE) == ["INVITE", "PRACK", "ACK", "BYE"]
    assert header(packet(network, "BYE").data.decode(), "CSeq") == "3 BYE"
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.REMOTE)


@pytest.mark.parametrize("lost", ["183 INVITE", "PRACK", "200 PRACK"])
def test_each_message_may_be_lost_three_times(lost: str) -> None:
    network = Network(lose=lose_first(lost, 3))
    call, theirs = early(network)
    network.run(8.0)
    assert network.told[HERE] == [Ringing(call, 183, EARLY)], "a copy is not told"
    assert network.told[THERE][1:] == [ProgressAcknowledged(theirs, None)]
    network.there.answer(theirs, ANSWER, network.now)
    network.run(0.1)
    network.there.hangup(theirs, network.now)
    idle(network)
    assert sum(it.lost for it in network.log) == 3


def test_what_nobody_acknowledges_is_repeated_ever_farther_apart_and_ends_the_call() -> None:
    """RFC 3262 section 3: T1 doubling without a cap, 64*T1 in all, then a 5xx."""
    network = Network(lose=lambda it: it.line == "PRACK")
    call, theirs = early(network)
    network.run(40.0)
    assert network.times(THERE, "183 INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.NO_ACK)
    assert network.told[HERE][-1] == InviteRefused(call, 504, "Server Time-out")
    idle(network)


def test_the_answer_waits_until_what_was_said_before_is_acknowledged() -> None:
    """RFC 3262 section 3: no 2xx while an SDP in a provisional response may not have arrived."""
    network = Network(lose=lose_first("PRACK", 2))
    call, theirs = early(network)
    assert network.there.answer(theirs, ANSWER, network.now)
    assert not network.there.answer(theirs, ANSWER, network.now)
    network.run(0.2)
    assert "200 INVITE" not in network.lines(THERE)
    network.run(4.0)
    assert network.told[HERE][-1] == InviteAnswered(call, None)
    assert network.told[THERE][-1] == InviteAcknowledged(theirs, None)


def test_a_call_cancelled_before_the_acknowledgement() -> None:
    network = Network(lose=lambda it: it.line == "PRACK")
    call, theirs = early(network)
    network.there.answer(theirs, ANSWER, network.now)
    network.here.hangup(call, network.now)
    idle(network)
    assert network.times(THERE, "183 INVITE") == [0]
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOCAL)
    assert "200 INVITE" not in network.lines(THERE)


def test_early_media_that_were_said_reliably_are_not_said_again() -> None:
    network = Network()
    call, theirs = early(network)
    assert network.there.progress(theirs, ANSWER, network.now)
    assert network.there.ring(theirs, network.now)
    network.run(0.1)
    assert network.told[HERE] == [Ringing(call, 183, EARLY), Ringing(call, 183, None), Ringing(call, 180, None)]
    assert network.lines(HERE) == ["INVITE", "PRACK"], "what has no SDP need not be reliable"


class Demanding(Peer):
    """Calls, and takes provisional responses only where they are reliable."""

    def invite(self, body: str = "v=0", extension: str = "Require") -> CallRef:
        self.say(request("INVITE", headers={extension: "100rel"}, body=body))
        (event,) = self.endpoint.events()
        assert isinstance(event, InviteReceived)
        return event.call

    def prack(self, said: str, rack: str = "", *, cseq: int = 2, body: str = "") -> str:
        """PRACK what was `said`; the status line of the answer."""
        headers = {
            "To": header(said, "To"),
            "CSeq": f"{cseq} PRACK",
            "Via": f"SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-p{cseq}",
            "RAck": rack or f"{header(said, 'RSeq')} 1 INVITE",
        }
        answers = self.say(request("PRACK", headers=headers, body=body))
        self.rest = answers[1:]
        return answers[0].split("\r\n")[0]


def test_who_demands_it_gets_every_provisional_response_reliably_and_in_order() -> None:
    peer = Demanding()
    call = peer.invite()
    assert peer.endpoint.ring(call, peer.now)
    (said,) = peer.heard()
    assert said.startswith("SIP/2.0 180 ")
    for _ in range(MAX_WAITING):
        assert peer.endpoint.progress(call, b"", peer.now)
    assert not peer.endpoint.progress(call, b"", peer.now)
    assert not peer.endpoint.ring(call, peer.now)
    assert peer.heard() == []
    assert peer.prack(said) == "SIP/2.0 200 OK"
    assert int(header(peer.rest[0], "RSeq")) == int(header(said, "RSeq")) + 1


@pytest.mark.parametrize(
    ("rack", "status"),
    [("x", 400), ("1 1", 400), ("99999999999 1 INVITE", 400), ("1 1 INVITE", 481), ("{} 2 INVITE", 481)],
)
def test_a_prack_of_something_else(rack: str, status: int) -> None:
    """RFC 3262 section 3: 481 for what does not match."""
    peer = Demanding()
    call = peer.invite()
    peer.endpoint.ring(call, peer.now)
    (said,) = peer.heard()
    assert peer.prack(said, rack.format(header(said, "RSeq"))).startswith(f"SIP/2.0 {status} ")
    assert peer.endpoint.events() == []
    assert peer.prack(said, cseq=3) == "SIP/2.0 200 OK"
    assert peer.prack(said, cseq=4).startswith("SIP/2.0 481 ")
    assert peer.endpoint.events() == [ProgressAcknowledged(call, None)]


def test_a_prack_outside_any_dialog() -> None:
    peer = Peer()
    assert peer.say(request("PRACK", headers={"RAck": "1 1 INVITE"}))[0].startswith("SIP/2.0 481 ")


def test_an_offer_in_a_prack_is_refused_and_the_prack_may_come_without() -> None:
    peer = Demanding()
    call = peer.invite(extension="Supported")
    assert peer.endpoint.progress(call, EARLY, peer.now)
    (said,) = peer.heard()
    assert peer.prack(said, body="v=0").startswith("SIP/2.0 488 ")
    assert peer.prack(said, cseq=3) == "SIP/2.0 200 OK"


def test_an_offer_of_ours_before_the_answer_is_answered_in_the_prack() -> None:
    """RFC 3262 section 5: the INVITE had no offer."""
    peer = Demanding()
    call = peer.invite(body="", extension="Supported")
    assert peer.endpoint.progress(call, OFFER, peer.now)
    (said,) = peer.heard()
    assert peer.prack(said, body="v=0 a") == "SIP/2.0 200 OK"
    assert peer.endpoint.events() == [ProgressAcknowledged(call, b"v=0 a")]


def test_who_does_not_know_it_gets_plain_provisional_responses() -> None:
    """And no offer in one of them: that would have to be reliable (RFC 3261 section 13.2.1)."""
    peer = Peer()
    peer.say(request("INVITE", body="v=0"))
    (event,) = peer.endpoint.events()
    assert peer.endpoint.progress(event.call, EARLY, peer.now)
    (said,) = peer.heard()
    assert "RSeq" not in said
    peer.endpoint.answer(event.call, ANSWER, peer.now)
    (ok,) = peer.heard()
    assert ok.endswith("\r\n\r\nv=0 answer"), "that of a plain response was not binding"
    other = Peer()
    other.say(request("INVITE"))
    (event,) = other.endpoint.events()
    assert not other.endpoint.progress(event.call, OFFER, other.now)
    assert other.endpoint.progress(event.call, b"", other.now)


def test_a_call_without_an_offer_asks_for_no_reliable_responses() -> None:
    network = Network()
    dial(network, sdp=b"")
    network.run(0.1)
    assert b"100rel" not in packet(network, "INVITE").data
    assert not network.there.progress(incoming(network).call, OFFER, network.now)


class Callee(Peer):
    """Is called, and answers by hand."""

    def called(self) -> CallRef:
        call = self.endpoint.invite("sip:200@192.0.2.9:5080", OFFER, "sip:100@192.0.2.1", self.now)
        (self.invite,) = self.heard()
        return call

    def from_callee(self, method: str, cseq: int, tag: str = "a", body: str = "") -> list[str]:
        """What comes of a request in the dialog of that tag."""
        headers = {
            "From": f"{header(self.invite, 'To')};tag={tag}",
            "To": header(self.invite, "From"),
            "Call-ID": header(self.invite, "Call-ID"),
            "CSeq": f"{cseq} {method}",
            "Via": f"SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-{tag}{cseq}",
        }
        return self.say(request(method, headers=headers, body=body))

    def reply(self, sent: str, status: int, body: str = "", **headers: str) -> list[str]:
        """Answer a request that was sent."""
        lines = [it for it in sent.split("\r\n") if it.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return self.say("\r\n".join([f"SIP/2.0 {status} X", *lines, "", body]).encode())

    def respond(self, status: int, tag: str = "a", body: str = "", **headers: str) -> list[str]:
        """What comes of a response with this tag: the first lines."""
        return [message.split("\r\n")[0] for message in self.say_to(status, tag, body, **headers)]

    def say_to(self, status: int, tag: str = "a", body: str = "", **headers: str) -> list[str]:
        """Send a response to the INVITE with this tag; what comes of it."""
        lines = [line for line in self.invite.split("\r\n") if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        headers = {
            "To": f"{header(self.invite, 'To')};tag={tag}",
            "Contact": f"<sip:{tag}@192.0.2.9:5080>",
            **headers,
        }
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return self.say("\r\n".join([f"SIP/2.0 {status} X", *lines, "", body]).encode())


def test_forks_are_acknowledged_each_in_its_own_order() -> None:
    """RFC 3262 section 4: copies and what comes out of order are passed over, for each early dialog alone."""
    peer = Callee()
    call = peer.called()
    assert peer.respond(183, "a", Require="100rel", RSeq="7") == ["PRACK sip:a@192.0.2.9:5080 SIP/2.0"]
    assert peer.respond(183, "b", Require="100rel", RSeq="90") == ["PRACK sip:b@192.0.2.9:5080 SIP/2.0"]
    assert peer.respond(183, "a", Require="100rel", RSeq="7") == []
    assert peer.respond(183, "a", Require="100rel", RSeq="9") == []
    assert peer.respond(183, "a", Require="100rel", RSeq="8") == ["PRACK sip:a@192.0.2.9:5080 SIP/2.0"]
    assert peer.respond(183, "a", Require="100rel", RSeq="x") == []
    assert peer.respond(183, "a", Require="100rel") == []
    assert peer.endpoint.events() == [Ringing(call, 183, None)] * 3
    assert peer.respond(200, "b") == ["ACK sip:b@192.0.2.9:5080 SIP/2.0"]
    assert header(peer.sent[0][0].decode(), "CSeq") == "1 ACK"
    assert peer.respond(200, "a") == [f"{method} sip:a@192.0.2.9:5080 SIP/2.0" for method in ("ACK", "BYE")]
    assert header(peer.sent[1][0].decode(), "CSeq") == "4 BYE", "after the INVITE and two PRACKs of that dialog"
    peer.endpoint.hangup(call, peer.now)
    (bye,) = peer.heard()
    assert header(bye, "CSeq") == "3 BYE"


def test_forks_beyond_the_bound_are_passed_over() -> None:
    peer = Callee()
    peer.called()
    for number in range(MAX_EARLY):
        assert peer.respond(180, f"t{number}", Require="100rel", RSeq="1")
    assert peer.respond(180, "late", Require="100rel", RSeq="1") == []
    assert peer.respond(200, "late") == ["ACK sip:late@192.0.2.9:5080 SIP/2.0"]

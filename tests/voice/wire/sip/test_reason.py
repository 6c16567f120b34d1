"""Reasons, redirections and other headers that say more of a call: RFC 3326, RFC 3261 section 8.1.3.4."""

import pytest

from dialog.errors import ProtocolError
from tests.fakes.sip_network import HERE, THERE, Network, make_endpoint
from tests.voice.wire.sip.test_call import OFFER, dial, idle, incoming, talk
from tests.voice.wire.sip.test_endpoint import Peer, header, request
from tests.voice.wire.sip.test_provisional import Callee
from voice.wire.sip.dialog import MAX_CONTACTS
from voice.wire.sip.events import MAX_PASSED, DialogEnded, EndCause, InviteCancelled, InviteReceived, InviteRefused
from voice.wire.sip.reason import MAX_REASONS, Reason

ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', ELSEWHERE),
        ("Q.850;cause=16", Reason("Q.850", 16)),
        ("preemption", Reason("preemption")),
        (r'SIP;text="a \"b\" \\ ;cause=1;"', Reason("SIP", 0, r'a "b" \ ;cause=1;')),
    ],
)
def test_a_reason_is_written_as_it_is_read(text: str, reason: Reason) -> None:
    assert Reason.parse(text) == reason
    assert str(reason) == text


@pytest.mark.parametrize("text", [' Q.850 ; x=1 ; Cause = 16 ;text="t" ', 'Q.850;text="t";cause=16'])
def test_parameters_come_in_any_order(text: str) -> None:
    assert Reason.parse(text) == Reason("Q.850", 16, "t")


@pytest.mark.parametrize("value", ["", ";cause=1", '"SIP"'])
def test_what_is_no_reason(value: str) -> None:
    with pytest.raises(ProtocolError):
        Reason.parse(value)


@pytest.mark.parametrize(("protocol", "cause", "text"), [("a b", 0, ""), ("SIP", 1000, ""), ("SIP", 0, "a\r\nb")])
def test_what_cannot_be_written_is_no_reason(protocol: str, cause: int, text: str) -> None:
    with pytest.raises(ProtocolError):
        Reason(protocol, cause, text)


def test_whoever_hangs_up_may_say_why() -> None:
    network = Network()
    call, theirs = talk(network)
    network.here.hangup(call, network.now, Reason("Q.850", 16))
    idle(network)
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.REMOTE, (Reason("Q.850", 16),))
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOCAL)


def test_whoever_gives_up_may_say_why_even_if_nothing_has_come_yet() -> None:
    network = Network()
    call = dial(network)
    network.here.hangup(call, network.now, ELSEWHERE)
    assert not network.here.hangup(call, network.now, Reason("SIP", 486))
    idle(network)
    assert network.told[THERE][-1] == InviteCancelled(incoming(network).call, (ELSEWHERE,))


def test_a_reason_is_told_as_far_as_it_can_be_read() -> None:
    peer = Peer()
    _, ok = peer.call()
    reasons = ", ".join(["SIP;cause=486", '"x"', *(f"X{number}" for number in range(9))])
    fields = {"To": header(ok, "To"), "CSeq": "2 BYE", "Reason": reasons}
    peer.say(request("BYE", headers=fields))
    (ended,) = peer.endpoint.events()
    assert isinstance(ended, DialogEnded)
    assert ended.reasons[:2] == (Reason("SIP", 486), Reason("X0"))
    assert len(ended.reasons) == MAX_REASONS - 1


def test_a_session_that_expires_is_ended_for_that_reason() -> None:
    network = Network(here=make_endpoint(HERE, "here", session_s=600))
    talk(network)
    network.lose = lambda it: it.source == HERE
    network.run(600.0)
    bye = next(it for it in network.log if it.line == "BYE" and it.source == THERE)
    assert header(bye.data.decode(), "Reason") == 'SIP;cause=408;text="Session expired"'


def test_a_redirection_is_told_with_its_contacts_best_first() -> None:
    peer = Callee()
    call = peer.called()
    contacts = "<sip:a@a>;q=0.2, <sip:b@b>;q=1.0, <sip:c@c>;q=0.5, <sip:d@d>;q=x"
    (ack,) = peer.say_to(302, Contact=contacts)
    assert ack.startswith("ACK ")
    (refused,) = peer.endpoint.events()
    assert isinstance(refused, InviteRefused)
    assert (refused.call, refused.status) == (call, 302)
    assert [str(uri) for uri in refused.contacts] == ["sip:b@b", "sip:d@d", "sip:c@c", "sip:a@a"]


def test_a_redirection_names_no_more_than_the_bound_and_a_refusal_nothing() -> None:
    peer = Callee()
    peer.called()
    peer.say_to(300, Contact=", ".join(f"<sip:{number}@a>" for number in range(MAX_CONTACTS + 1)))
    (refused,) = peer.endpoint.events()
    assert isinstance(refused, InviteRefused)
    assert len(refused.contacts) == MAX_CONTACTS
    other = Callee()
    other.called()
    other.say_to(486, Contact="<sip:a@a>")
    (refused,) = other.endpoint.events()
    assert isinstance(refused, InviteRefused)
    assert refused.contacts == ()


def test_headers_are_told_that_say_more_of_the_call() -> None:
    peer = Peer()
    peer.endpoint = make_endpoint(HERE, "t", None, ("X-Queue", "X-Long"))
    told = {
        "History-Info": "<sip:1@a>;index=1, <sip:2@a>;index=1.1",
        "User-to-User": "56a390f3d2b7310023a2;encoding=hex",
        "Reason": "SIP;cause=302",
        "x-queue": "7",
        "X-Long": "x" * (MAX_PASSED + 1),
        "X-Other": "8",
    }
    peer.say(request("INVITE", headers=told, body="v=0"))
    (event,) = peer.endpoint.events()
    assert isinstance(event, InviteReceived)
    assert dict(event.headers) == {
        "History-Info": told["History-Info"],
        "User-to-User": told["User-to-User"],
        "Reason": "SIP;cause=302",
        "X-Queue": "7",
    }


def test_a_call_may_be_placed_with_headers() -> None:
    network = Network()
    network.here.invite("sip:2@192.0.2.2", OFFER, "sip:1@192.0.2.1", network.now, headers={"User-to-User": "00;e=hex"})
    network.run(0.1)
    assert dict(incoming(network).headers)["User-to-User"] == "00;e=hex"


@pytest.mark.parametrize("headers", [{"Via": "x"}, {"f": "x"}, {"X": "a\r\nVia: b"}, {"X Y": "z"}, {"X": "y" * 3_000}])
def test_headers_that_a_user_may_not_set(headers: dict[str, str]) -> None:
    network = Network()
    with pytest.raises(ProtocolError):
        network.here.invite("sip:2@192.0.2.2", OFFER, "sip:1@192.0.2.1", network.now, headers=headers)
    assert network.here.calls == ()

"""An INVITE that is to take another call's place: matched, refused, and whose it must be (RFC 3891)."""

from collections.abc import Mapping

import pytest

from tests.voice.wire.sip.test_auth import Door, answer
from tests.voice.wire.sip.test_endpoint import PEER, Peer, header, request
from voice.wire.sip.events import InviteReceived
from voice.wire.sip.message import Address
from voice.wire.sip.stack import MAX_ENDED

ELSEWHERE: Address = ("192.0.2.66", 5060)


def tag_of(message: str) -> str:
    return header(message, "To").partition("tag=")[2]


def replacing(replaces: str, number: int = 2, headers: Mapping[str, str] | None = None) -> bytes:
    """A new call of PEER's that is to take the place of another."""
    own = {"Call-ID": f"call-{number}", "Via": f"SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-new-{number}"}
    return request("INVITE", headers={**own, "Replaces": replaces, **(headers or {})}, body="v=0")


def test_the_call_that_is_meant_is_named() -> None:
    peer = Peer()
    first, ok = peer.call()
    wanted = {"Require": "replaces"}
    (trying,) = peer.say(replacing(f"call-1;to-tag={tag_of(ok)};from-tag=peer", headers=wanted), (PEER[0], 5090))
    assert trying.startswith("SIP/2.0 100 ")
    (event,) = peer.endpoint.events()
    assert isinstance(event, InviteReceived)
    assert event.replaces == first.call
    assert peer.endpoint.calls == (first.call, event.call), "the first goes on until its owner hangs it up"
    assert "replaces" in header(ok, "Supported")


def test_a_call_like_any_other_replaces_none() -> None:
    assert Peer().call()[0].replaces is None


@pytest.mark.parametrize(
    ("replaces", "source", "status"),
    [
        ("call-1;to-tag={tag};from-tag=peer;early-only", PEER, 486),
        ("call-1;to-tag={tag};from-tag=other", PEER, 481),
        ("call-1;to-tag=peer;from-tag={tag}", PEER, 481),
        ("call-7;to-tag={tag};from-tag=peer", PEER, 481),
        ("call-1;to-tag={tag};from-tag=peer", ELSEWHERE, 403),
        ("call-1;to-tag={tag};from-tag=peer;early-only", ELSEWHERE, 403),
        ("call-1;to-tag={tag}", PEER, 400),
        ("call-1;to-tag={tag};from-tag=peer\r\nReplaces: call-1;to-tag={tag};from-tag=peer", PEER, 400),
    ],
)
def test_what_fits_no_call_of_that_party_is_refused(replaces: str, source: Address, status: int) -> None:
    peer = Peer()
    first, ok = peer.call()
    (refusal,) = peer.say(replacing(replaces.format(tag=tag_of(ok))), source)
    assert refusal.startswith(f"SIP/2.0 {status} ")
    assert peer.endpoint.events() == []
    assert peer.endpoint.calls == (first.call,)


def test_a_call_that_is_over_is_declined_as_long_as_it_is_remembered() -> None:
    peer = Peer()
    event, ok = peer.call()
    gone = f"call-1;to-tag={tag_of(ok)};from-tag=peer"
    peer.endpoint.hangup(event.call, peer.now)
    peer.heard()
    assert peer.say(replacing(gone))[0].startswith("SIP/2.0 603 ")
    peer.endpoint.events()
    for number in range(MAX_ENDED):
        own = {"Call-ID": f"later-{number}", "Via": f"SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-later-{number}"}
        peer.say(request("INVITE", headers=own, body="v=0"))
        (later, *_) = peer.endpoint.events()
        peer.endpoint.reject(later.call, 486, "", peer.now)
        peer.endpoint.events()
        peer.heard()
    assert peer.say(replacing(gone, 3))[0].startswith("SIP/2.0 481 ")


def test_a_call_that_rings_here_is_not_to_be_taken_over() -> None:
    peer = Peer()
    peer.say(request("INVITE", body="v=0"))
    (event,) = peer.endpoint.events()
    peer.endpoint.ring(event.call, peer.now)
    (ringing,) = peer.heard()
    (refusal,) = peer.say(replacing(f"call-1;to-tag={tag_of(ringing)};from-tag=peer"))
    assert refusal.startswith("SIP/2.0 481 ")


def test_a_call_that_we_are_leaving_is_over() -> None:
    peer = Peer()
    peer.say(request("INVITE", body="v=0"))
    (event,) = peer.endpoint.events()
    peer.endpoint.answer(event.call, b"v=0", peer.now)
    (ok,) = peer.heard()
    unacknowledged = f"call-1;to-tag={tag_of(ok)};from-tag=peer"
    assert peer.say(replacing(unacknowledged))[0].startswith("SIP/2.0 481 ")
    peer.endpoint.hangup(event.call, peer.now)
    assert peer.say(replacing(unacknowledged, 3))[0].startswith("SIP/2.0 603 ")


@pytest.mark.parametrize(("name", "password", "status"), [("alice", "wonder", 100), ("pbx", "secret", 403)])
def test_the_account_that_made_a_call_may_replace_it_from_anywhere(name: str, password: str, status: int) -> None:
    door = Door()
    signed = answer(door.challenge())
    own = {"Call-ID": "call-1", "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-a"}
    door.say(request("INVITE", headers={**own, "Authorization": signed}, body="v=0"))
    first = door.endpoint.events()[0]
    assert isinstance(first, InviteReceived)
    door.endpoint.answer(first.call, b"v=0", door.now)
    ok = door.endpoint.to_send()[0][0].decode()
    acknowledgement = request("ACK", headers={"Call-ID": "call-1", "To": header(ok, "To")})
    door.say(acknowledgement)
    door.endpoint.events()
    signed = answer(door.challenge(ELSEWHERE), name, password)
    replaces = f"call-1;to-tag={tag_of(ok)};from-tag=peer"
    (said, *_) = door.say(replacing(replaces, headers={"Authorization": signed}), ELSEWHERE)
    assert said.startswith(f"SIP/2.0 {status} ")
    named = [event.replaces for event in door.endpoint.events() if isinstance(event, InviteReceived)]
    assert named == ([first.call] if status == 100 else [])

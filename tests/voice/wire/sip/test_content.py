"""INVITEs that carry more than an offer: recording clients (RFC 7866), and parts that are nobody's (RFC 5621)."""

import pytest

from tests.fakes.sip_network import HERE, make_endpoint
from tests.voice.wire.sip.test_endpoint import PEER, header, request
from voice.wire.sip.endpoint import SipEndpoint
from voice.wire.sip.events import InviteReceived, ReinviteReceived, SipEvent

MIXED = "multipart/mixed;boundary=b"
REQUIRE = {"Require": "siprec", "Content-Type": MIXED}
OFFER = "v=0 offer"
METADATA = "<recording/>"


def mixed(*parts: tuple[str, str]) -> str:
    return "".join(f"--b\r\nContent-Type: {kind}\r\n\r\n{content}\r\n" for kind, content in parts) + "--b--\r\n"


BOTH = mixed(("application/sdp", OFFER), ("application/rs-metadata+xml", METADATA))


def say(endpoint: SipEndpoint, data: bytes) -> list[str]:
    endpoint.receive(data, PEER, 10.0)
    return [sent.decode() for sent, _ in endpoint.to_send()]


def invited(endpoint: SipEndpoint) -> InviteReceived:
    (event,) = endpoint.events()
    assert isinstance(event, InviteReceived)
    return event


def recorder() -> SipEndpoint:
    return make_endpoint(HERE, "t", None, None, (), True)


def test_a_recording_client_brings_an_offer_and_metadata() -> None:
    endpoint = recorder()
    say(endpoint, request("INVITE", headers=REQUIRE, body=BOTH))
    event = invited(endpoint)
    assert (event.offer, event.metadata, event.recording) == (OFFER.encode(), METADATA.encode(), True)


def test_to_a_recording_client_we_are_a_recording_server_and_to_others_not() -> None:
    for headers, body, shown in [(REQUIRE, BOTH, True), ({"Content-Type": MIXED}, BOTH, True), ({}, OFFER, False)]:
        endpoint = recorder()
        say(endpoint, request("INVITE", headers=headers, body=body))
        endpoint.answer(invited(endpoint).call, b"v=0", 10.0)
        (answer,) = (sent.decode() for sent, _ in endpoint.to_send())
        assert header(answer, "Contact").endswith(">;+sip.srs") is shown
        endpoint.on_timer(10.5)  # the ACK is missing: the same answer comes again
        assert [sent.decode() for sent, _ in endpoint.to_send()] == [answer]


def test_what_is_told_anew_comes_with_a_change_of_media() -> None:
    endpoint = recorder()
    say(endpoint, request("INVITE", headers=REQUIRE, body=BOTH))
    endpoint.answer(invited(endpoint).call, b"v=0", 10.0)
    (answer,) = (sent.decode() for sent, _ in endpoint.to_send())
    to = {"To": header(answer, "To")}
    say(endpoint, request("ACK", headers=to))
    told: list[SipEvent] = endpoint.events()
    branch = {"Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-2", "CSeq": "2 INVITE"}
    alone = {"Content-Type": "application/rs-metadata+xml", "Require": "siprec"}
    say(endpoint, request("INVITE", headers={**to, **branch, **alone}, body=METADATA))
    told += endpoint.events()
    assert told[-1] == ReinviteReceived(told[-1].call, None, METADATA.encode())


@pytest.mark.parametrize(
    ("headers", "body", "status", "named"),
    [
        (REQUIRE, BOTH, 420, ("Unsupported", "siprec")),
        ({"Content-Type": MIXED}, BOTH, 415, ("Accept", "application/sdp, multipart/mixed")),
    ],
)
def test_who_takes_no_recordings_says_so(
    headers: dict[str, str], body: str, status: int, named: tuple[str, str]
) -> None:
    (answer,) = say(make_endpoint(HERE, "t"), request("INVITE", headers=headers, body=body))
    assert answer.startswith(f"SIP/2.0 {status} ")
    assert header(answer, named[0]) == named[1]


def test_a_part_that_may_be_passed_over_is() -> None:
    """RFC 5621 section 3.1: what a gateway adds for its like, with `handling=optional`."""
    isup = "application/isup\r\nContent-Disposition: signal;handling=optional"
    endpoint = make_endpoint(HERE, "t")
    say(endpoint, request("INVITE", headers={"Content-Type": MIXED}, body=mixed((isup, "x"), ("application/sdp", "v"))))
    event = invited(endpoint)
    assert (event.offer, event.metadata, event.recording) == (b"v", None, False)


def test_metadata_that_may_be_passed_over_make_no_recording_where_none_are_taken() -> None:
    told = "application/rs-metadata+xml\r\nContent-Disposition: recording-session;handling=optional"
    endpoint = make_endpoint(HERE, "t")
    body = mixed((told, METADATA), ("application/sdp", OFFER))
    say(endpoint, request("INVITE", headers={"Content-Type": MIXED}, body=body))
    event = invited(endpoint)
    assert not event.recording
    endpoint.answer(event.call, b"v=0", 10.0)
    (answer,) = (sent.decode() for sent, _ in endpoint.to_send())
    assert header(answer, "Contact").endswith(">")


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (MIXED, mixed(("application/isup", "x"), ("application/sdp", "v")), 415),
        (MIXED, "no parts", 400),
        ("multipart/mixed", BOTH, 400),
        ("multipart/alternative;boundary=b", BOTH, 415),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(content_type: str, body: str, status: int) -> None:
    (answer,) = say(recorder(), request("INVITE", headers={"Content-Type": content_type}, body=body))
    assert answer.startswith(f"SIP/2.0 {status} ")

"""Messages made from messages."""

import pytest
from sipmessage import Request

from voice.wire.sip.grammar import WireURI, read_via
from voice.wire.sip.message import make_cancel, make_request, make_response, response_address, stamp_via, stateless_tag


def invite(to: str = "<sip:2@b>") -> Request:
    request = make_request(
        "INVITE",
        WireURI.parse("sip:2@b;x=[1]"),
        via="SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKq;rport",
        from_='"A, B" <sip:1@a>;tag=f;note="%41"',
        to=to,
        call_id="c@d",
        cseq=7,
        routes=("<sip:p;lr>",),
    )
    request.headers.setlist("Record-Route", ["<sip:r1;lr>", "<sip:r2;lr>"])
    return request


def test_a_response_copies_what_it_must() -> None:
    """RFC 3261 section 8.2.6.2."""
    response = make_response(invite(), 180, to_tag="t")
    assert response.headers["From"] == '"A, B" <sip:1@a>;tag=f;note="%41"'
    assert response.headers["To"] == "<sip:2@b>;tag=t"
    assert response.headers["CSeq"] == "7 INVITE"
    assert response.headers.getlist("Record-Route") == ["<sip:r1;lr>", "<sip:r2;lr>"]
    assert response.headers["Content-Length"] == "0"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("<sip:2@b>;tag=x", "<sip:2@b>;tag=x"),
        ("<sip:2@b;tag=u>", "<sip:2@b;tag=u>;tag=t"),
        ("sip:2@b ; Tag = x", "sip:2@b ; Tag = x"),
    ],
)
def test_a_tag_is_added_once(to: str, expected: str) -> None:
    assert make_response(invite(to), 486, to_tag="t").headers["To"] == expected


def test_trying_has_no_tag_and_refusals_no_route() -> None:
    assert make_response(invite(), 100, to_tag="t").headers["To"] == "<sip:2@b>"
    assert make_response(invite(), 486, to_tag="t").headers.getlist("Record-Route") == []


def test_a_body_is_sdp() -> None:
    response = make_response(invite(), 200, to_tag="t", body=b"v=0", headers={"Contact": "<sip:me>"})
    assert bytes(response).endswith(b"Content-Length: 3\r\n\r\nv=0")
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["Contact"] == "<sip:me>"


def test_cancel_is_the_invites_twin() -> None:
    """RFC 3261 section 9.1."""
    cancel = make_cancel(invite())
    assert str(cancel.uri) == "sip:2@b;x=[1]"
    for name in ("Via", "From", "To", "Call-ID", "Route"):
        assert cancel.headers.getlist(name) == invite().headers.getlist(name)
    assert cancel.headers["CSeq"] == "7 CANCEL"


def test_the_source_is_noted_on_the_via() -> None:
    request = invite()
    via = read_via(request.headers["Via"])
    stamp_via(request, via, ("192.0.2.5", 4000))
    assert request.headers["Via"] == "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKq;rport=4000;received=192.0.2.5"
    assert response_address(via, ("192.0.2.5", 4000)) == ("192.0.2.5", 4000)


def test_stateless_tags_are_the_same_for_copies_only() -> None:
    first, second, other = invite(), invite(), invite()
    stamp_via(second, read_via(second.headers["Via"]), ("192.0.2.5", 5070))
    other.headers.set("Call-ID", "else")
    assert stateless_tag(first) == stateless_tag(invite())
    assert stateless_tag(first) != stateless_tag(other)

"""Value types by round trip, and what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import WireURI, read_address, read_number, read_sent_by, read_via, split_list


@pytest.mark.parametrize(
    ("text", "scheme", "user", "host", "port"),
    [
        ("sip:200@pbx1", "sip", "200", "pbx1", None),
        ("sip:f00d", "sip", None, "f00d", None),
        ("SIP:Bob@192.0.2.4:5070;transport=UDP;lr", "sip", "Bob", "192.0.2.4", 5070),
        ("sips:a%20b:secret@example.com", "sips", "a b", "example.com", None),
        ("sip:[2001:db8::1]:5060", "sip", None, "[2001:db8::1]", 5060),
        ("sip:*55#@example.com", "sip", "*55#", "example.com", None),
        ("sip:user;par=u%40example.net@example.com", "sip", "user;par=u@example.net", "example.com", None),
        ("tel:+49-30-123;phone-context=example.com", "tel", "+49-30-123", "", None),
        ("isbn:2983792873", "isbn", None, "", None),
        ("soap.beep://192.0.2.103:3002", "soap.beep", None, "", None),
    ],
)
def test_uri_round_trip(text: str, scheme: str, user: str | None, host: str, port: int | None) -> None:
    uri = WireURI.parse(text)
    assert (uri.scheme, uri.user, uri.host, uri.port) == (scheme, user, host, port)
    assert str(uri) == text
    assert WireURI.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@",
        "sip:a@",
        "sip:a@b c",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:%zz@b",
        "sip:a@-b",
        "sip:a@b\n",
        "tel:",
        "tel:x",
        "<sip:a@b>",
        "1sip:a",
        "sip:a@b;" + "x" * 600,
        "sip:a@[1::2",
        'sip:"a"@b',
    ],
)
def test_uris_that_are_none(text: str) -> None:
    with pytest.raises(ProtocolError):
        WireURI.parse(text)


def test_uri_headers_are_seen() -> None:
    assert WireURI.parse("sip:user@example.com?Route=%3Csip:example.com%3E").has_headers
    assert not WireURI.parse("sip:user?q@example.com").has_headers


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("sip:a@b;tag=1", "<sip:a@b>;tag=1"),
        ("caller<sip:a@b>;tag=323", '"caller" <sip:a@b>;tag=323'),
        ('"A \\"B\\", C" <sip:a@b;lr> ; TAG = 5', '"A \\"B\\", C" <sip:a@b;lr>;tag=5'),
        ("J\u00fcrgen M <sip:a@b>", '"J\u00fcrgen M" <sip:a@b>'),
    ],
)
def test_address_round_trip(text: str, printed: str) -> None:
    address = read_address(text)
    assert str(address) == printed
    assert read_address(str(address)) == address


def test_lists_are_split_at_bare_commas() -> None:
    assert split_list(['"a, b" <sip:x@y,z>;q=1 , <sip:c>', "d"]) == ['"a, b" <sip:x@y,z>;q=1', "<sip:c>", "d"]
    assert split_list(['"\\", " <sip:a>', "<sip:b>"]) == ['"\\", " <sip:a>', "<sip:b>"]
    assert split_list([]) == []


def test_via() -> None:
    via = read_via("SIP / 2.0 / udp   h1 : 5070 ; branch = z9hG4bK%41 ;rport")
    assert (via.transport, via.host, via.port) == ("UDP", "h1", 5070)
    assert dict(via.parameters) == {"branch": "z9hG4bK%41", "rport": None}
    assert read_sent_by("SIP/7.0/UDP h;;;").host == "h"
    with pytest.raises(ProtocolError):
        read_via("SIP/2.0/UDP h;;;")


def test_numbers() -> None:
    assert read_number("0068", 255) == 68
    assert read_number("0", 255) == 0
    for text in ("", "256", "-1", "+1", "1e3", "\u0661", "9" * 5000):
        with pytest.raises(ProtocolError):
            read_number(text, 255)


@given(st.text(max_size=300))
def test_nothing_but_protocol_errors(text: str) -> None:
    for read in (WireURI.parse, read_address, read_via, read_sent_by, lambda text: split_list([text])):
        try:
            read(text)
        except ProtocolError:
            continue


@given(st.from_regex(r"\Asips?:[a-z0-9%]{1,8}@[a-z0-9]{1,10}(:5[0-9]{3})?(;[a-z]{1,5}(=[a-z0-9]{1,5})?){0,3}\Z"))
def test_what_is_read_prints_as_it_came(text: str) -> None:
    try:
        uri = WireURI.parse(text)
    except ProtocolError:
        assert "%" in text
        return
    assert str(uri) == text

"""The words of REFER and Replaces, there and back; and what is none."""

import pytest
from sipmessage import Request

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.refer import ReferTo, Report, event_of
from voice.wire.sip.replaces import Replaces


@pytest.mark.parametrize(
    ("value", "replaces"),
    [
        ("c1@host;to-tag=a;from-tag=b", Replaces("c1@host", "a", "b")),
        ("c1@host;from-tag=b;to-tag=a;early-only", Replaces("c1@host", "a", "b", early_only=True)),
        (" c1 ; TO-TAG = a ;from-tag=b;x=y", Replaces("c1", "a", "b")),
    ],
)
def test_replaces(value: str, replaces: Replaces) -> None:
    assert Replaces.parse(value) == replaces
    assert Replaces.parse(str(replaces)) == replaces


def test_headers_that_go_along_stand_in_the_address_as_a_uri_has_them() -> None:
    target = ReferTo(WireURI.parse("sip:a@host"), Replaces("c", "a", "b"), (("User-to-User", "56a3=;encoding=hex"),))
    assert str(target) == "<sip:a@host?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db&User-to-User=56a3%3D%3Bencoding%3Dhex>"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "c1",
        "c1;to-tag=a",
        "c1;to-tag=a;from-tag=",
        ";to-tag=a;from-tag=b",
        "c1;to-tag=a;to-tag=a;from-tag=b",
        "c1;to-tag=a b;from-tag=b",
        "c" * 257 + ";to-tag=a;from-tag=b",
        "c;to-tag=a;from-tag=" + "b" * 2_000,
    ],
)
def test_what_is_no_replaces(value: str) -> None:
    with pytest.raises(ProtocolError):
        Replaces.parse(value)


@pytest.mark.parametrize(
    ("value", "uri", "replaces"),
    [
        ("sip:300@host", "sip:300@host", None),
        ("<sip:300@host:5070;transport=tcp>;x=y", "sip:300@host:5070;transport=tcp", None),
        ('"Ann" <tel:+3225550123>', "tel:+3225550123", None),
        (
            "<sip:a?b@host?Subject=x&replaces=c1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>",
            "sip:a?b@host",
            Replaces("c1@h", "a", "b"),
        ),
    ],
)
def test_refer_to(value: str, uri: str, replaces: Replaces | None) -> None:
    target = ReferTo.parse(value)
    assert (str(target.uri), target.replaces) == (uri, replaces)
    assert ReferTo.parse(str(target)) == target


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nobody",
        "<sip:300@host",
        "<sip:a@h>, <sip:b@h>",
        "<sip:a@h?Replaces=c1>",
        "<sip:a@h?Replaces=c;to-tag=a;from-tag=b&Replaces=c;to-tag=a;from-tag=b>",
        "<sip:" + "a" * 600 + "@h>",
    ],
)
def test_what_is_no_refer_to(value: str) -> None:
    with pytest.raises(ProtocolError):
        ReferTo.parse(value)


def notify(body: bytes, subscription: str = "active;expires=60", event: str = "refer") -> Request:
    request = Request("NOTIFY", WireURI.parse("sip:a@h"), body)
    request.headers.set("Event", event)
    request.headers.set("Subscription-State", subscription)
    return request


@pytest.mark.parametrize(
    ("body", "subscription", "report"),
    [
        (b"SIP/2.0 100 Trying\r\n", "active;expires=60", Report(100, "Trying", last=False)),
        (b"SIP/2.0 180 Ringing", "pending", Report(180, "Ringing", last=False)),
        (b"SIP/2.0 200 OK\r\nTo: <sip:a@h>\r\n", "active", Report(200, "OK", last=True)),
        (b"SIP/2.0 486\r\n", "terminated;reason=noresource", Report(486, "", last=True)),
        (b"SIP/2.0 100 Trying\r\n", "Terminated ;reason=giveup", Report(100, "Trying", last=True)),
        (b"SIP/2.0 200 \xff\n", "active", Report(200, "�", last=True)),
    ],
)
def test_a_report(body: bytes, subscription: str, report: Report) -> None:
    assert Report.read(notify(body, subscription)) == report


@pytest.mark.parametrize(
    ("body", "subscription"),
    [
        (b"", "active"),
        (b"hello", "active"),
        (b"SIP/2.0 99 x", "active"),
        (b"SIP/2.0 200 " + b"x" * 200, "active"),
        (b"SIP/2.0 200 OK\r\n", ""),
        (b"SIP/2.0 200 OK\r\n", ";x"),
    ],
)
def test_what_is_no_report(body: bytes, subscription: str) -> None:
    with pytest.raises(ProtocolError):
        Report.read(notify(body, subscription))


def test_a_report_is_written_as_it_is_read() -> None:
    assert Report.read(notify(Report(603, "Decline", last=True).body)) == Report(603, "Decline", last=True)


@pytest.mark.parametrize(
    ("value", "event"),
    [("refer", ("refer", "")), ("Refer ; id=93809823", ("refer", "93809823")), ("", ("", "")), ("x;id", ("x", ""))],
)
def test_the_event(value: str, event: tuple[str, str]) -> None:
    assert event_of(notify(b"", event=value)) == event

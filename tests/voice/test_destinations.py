"""Where callers may be sent, and where not: denied unless a pattern allows it."""

import pytest

from dialog.errors import PeerForbidden, ProtocolError
from voice.destinations import Destinations


@pytest.mark.parametrize(
    ("pattern", "text", "uri"),
    [
        ("+32*", "+3225550123", "sip:+3225550123@192.0.2.50"),
        ("+32*", "+32 (2) 555-01.23", "sip:+3225550123@192.0.2.50"),
        ("10??", "1003", "sip:1003@192.0.2.50"),
        ("10[0-4]?", "1043", "sip:1043@192.0.2.50"),
        ("sip:*@192.0.2.7", "sip:ann@192.0.2.7", "sip:ann@192.0.2.7"),
        ("sips:*@pbx:*", "sips:ann@pbx:5071", "sips:ann@pbx:5071"),
        ("sip:ann@*", "sip:ann@[2001:db8::1]", "sip:ann@[2001:db8::1]"),
        ("tel:+32*", "tel:+3225550123", "tel:+3225550123"),
    ],
)
def test_what_a_pattern_allows(pattern: str, text: str, uri: str) -> None:
    found = Destinations(["999", pattern]).find(text, "192.0.2.50")
    assert (str(found.uri), found.replaces) == (uri, None)


def test_the_exchange_may_have_an_ipv6_address() -> None:
    assert str(Destinations(["*"]).find("112", "2001:db8::1").uri) == "sip:112@[2001:db8::1]"


@pytest.mark.parametrize(
    ("patterns", "text"),
    [
        ([], "112"),
        (["+32*"], "+44201234567"),
        (["+32*"], "0032255"),
        (["10??"], "10034"),
        (["112"], "sip:112@192.0.2.50"),
        (["sip:*@192.0.2.7"], "sip:ann@192.0.2.77"),
        (["sip:*@PBX"], "sip:ann@pbx"),
    ],
)
def test_what_no_pattern_allows(patterns: list[str], text: str) -> None:
    with pytest.raises(PeerForbidden):
        Destinations(patterns).find(text, "192.0.2.50")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the boss",
        "+",
        "1" * 41,
        "sip:ann@evil;x=@192.0.2.7",
        "sip:ann@evil?x=y@192.0.2.7",
        "sip:ann:secret@192.0.2.7",
        "sip:ann@192.0.2.7;transport=tcp",
        "sip:192.0.2.7",
        "http://192.0.2.7/",
        "sip:ann@192.0.2.7\r\nX: y",
        "112\n",
    ],
)
def test_what_is_neither_a_number_nor_an_address(text: str) -> None:
    with pytest.raises(ProtocolError):
        Destinations(["*"]).find(text, "192.0.2.50")

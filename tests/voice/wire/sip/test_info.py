"""Keys by INFO, as JsSIP and elderly telephones send them."""

import pytest

from tests.voice.wire.sip.test_endpoint import Peer, header, request
from voice.wire.sip.events import KeyReceived
from voice.wire.sip.info import ACCEPTED, MAX_BODY

RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"


def info(peer: Peer, content: str, body: str, *, package: str = "") -> tuple[str, list[str]]:
    """The answer to an INFO inside a call, and the keys it brought."""
    _, ok = peer.call()
    peer.endpoint.events()
    headers = {"To": header(ok, "To"), "CSeq": "2 INFO", "Content-Type": content, "Info-Package": package}
    (answer,) = peer.say(request("INFO", headers=headers, body=body))
    return answer, [event.key for event in peer.endpoint.events() if isinstance(event, KeyReceived)]


@pytest.mark.parametrize(
    ("content", "body", "key"),
    [
        (RELAY, "Signal=5\r\nDuration=160\r\n", "5"),
        (RELAY, "Signal= *\nDuration= 250", "*"),
        (f"{RELAY}; x=y", "signal=a", "A"),
        (PLAIN, "7", "7"),
        (PLAIN, " #\r\n", "#"),
    ],
)
def test_a_key(content: str, body: str, key: str) -> None:
    answer, keys = info(Peer(), content, body)
    assert answer.startswith("SIP/2.0 200 ")
    assert keys == [key]


def test_an_info_without_a_body_asks_whether_we_are_there() -> None:
    answer, keys = info(Peer(), "", "")
    assert answer.startswith("SIP/2.0 200 ")
    assert keys == []


@pytest.mark.parametrize(
    ("content", "body", "package", "status"),
    [
        ("application/xml", "<media_control/>", "", 415),
        (RELAY, "Duration=160", "", 400),
        (RELAY, "Signal=12", "", 400),
        (PLAIN, "55", "", 400),
        (PLAIN, " " * MAX_BODY + "5", "", 400),
        (RELAY, "Signal=5", "dtmf", 469),
    ],
)
def test_what_is_no_key(content: str, body: str, package: str, status: int) -> None:
    answer, keys = info(Peer(), content, body, package=package)
    assert answer.startswith(f"SIP/2.0 {status} ")
    assert keys == []
    if status == 415:
        assert header(answer, "Accept") == ACCEPTED


def test_outside_a_call_there_is_nobody_to_press_keys_for() -> None:
    (answer,) = Peer().say(request("INFO", headers={"Content-Type": PLAIN}, body="5"))
    assert answer.startswith("SIP/2.0 481 ")

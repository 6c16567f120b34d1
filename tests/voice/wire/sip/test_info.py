"""Keys by INFO, as JsSIP and elderly telephones send them, and as we do towards far ends that want them so."""

import pytest

from tests.fakes.sip_network import HERE, THERE, Network, lose_first
from tests.voice.wire.sip.test_call import idle, talk
from tests.voice.wire.sip.test_endpoint import Peer, header, request
from voice.wire.dtmf import MAX_KEYS
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


def keys_told(network: Network) -> str:
    return "".join(event.key for event in network.told[THERE] if isinstance(event, KeyReceived))


def test_the_message_that_we_send() -> None:
    peer = Peer()
    event, ok = peer.call()
    assert peer.endpoint.press(event.call, "d5", peer.now)
    (first,) = peer.heard()
    head, _, body = first.partition("\r\n\r\n")
    assert head.startswith("INFO sip:100@192.0.2.9:5080 SIP/2.0\r\n")
    assert (header(head, "Content-Type"), header(head, "From")) == (RELAY, header(ok, "To"))
    assert body == "Signal=D\r\nDuration=100\r\n"
    assert header(head, "Content-Length") == str(len(body))


def test_keys_keep_their_order_though_messages_are_lost() -> None:
    network = Network(lose=lose_first("INFO", 2))
    call, _ = talk(network)
    assert network.here.press(call, "147*", network.now)
    assert network.here.press(call, "#", network.now)
    network.run(5)
    assert keys_told(network) == "147*#"
    assert not network.here.press(call, "0" * (MAX_KEYS + 2), network.now)
    with pytest.raises(ValueError):
        network.here.press(call, "1E", network.now)
    network.here.hangup(call, network.now)
    idle(network)
    assert not network.here.press(call, "1", network.now)


def test_keys_after_one_that_went_wrong_are_dropped() -> None:
    network = Network(lose=lambda packet: packet.line == "INFO")
    call, _ = talk(network)
    assert network.here.press(call, "12", network.now)
    network.run(40)
    network.lose = lambda packet: False
    assert network.here.press(call, "3", network.now)
    network.run(1)
    assert keys_told(network) == "3"
    peer = Peer()
    event, _ = peer.call()
    peer.endpoint.press(event.call, "12", peer.now)
    (asked,) = peer.heard()
    lines = [line for line in asked.split("\r\n") if line.startswith(("Via", "From", "To", "Call-ID", "CSeq"))]
    peer.say("\r\n".join(["SIP/2.0 415 No", *lines, "Content-Length: 0", "", ""]).encode())
    assert peer.sent == []
    assert peer.endpoint.press(event.call, "7", peer.now)
    (again,) = peer.heard()
    assert "Signal=7" in again


def test_a_call_that_ends_takes_its_keys_along() -> None:
    network = Network()
    call, _ = talk(network)
    assert network.here.press(call, "123456", network.now)
    network.here.hangup(call, network.now)
    idle(network)
    assert (keys_told(network), network.lines(HERE)[-2:]) == ("1", ["INFO", "BYE"])

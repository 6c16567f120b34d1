"""OPTIONS as a ping: what counts as an answer, and when a peer is down."""

import pytest
from sipmessage import Response

from tests.fakes.sip_network import HERE, THERE, counting_tokens, make_endpoint
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.watch import Ping, Standing

TARGET = WireURI.parse("sip:example.net")


def ping(chance: float = 0.5, ours: WireURI | None = None) -> Ping:
    return Ping(TARGET, ours, 30.0, counting_tokens("token"), lambda: chance, 100.0)


def after(*answers: int) -> Standing:
    """How a peer stands after these answers; 0 is none."""
    it = ping()
    for status in answers:
        it.receive(Response(status, "Something") if status else None, 100.0)
    return it.standing(100.0)


@pytest.mark.parametrize(
    ("answers", "standing"),
    [
        ((), Standing.UNKNOWN),
        ((200,), Standing.UP),
        ((404,), Standing.UP),
        ((401,), Standing.UP),
        ((0,), Standing.UNKNOWN),
        ((0, 0), Standing.DOWN),
        ((200, 0), Standing.UP),
        ((200, 0, 503), Standing.DOWN),
        ((408, 408), Standing.DOWN),
        ((200, 0, 200, 0), Standing.UP),
        ((0, 0, 0, 200), Standing.UP),
    ],
)
def test_two_misses_in_a_row_are_down_and_one_answer_is_up(answers: tuple[int, ...], standing: Standing) -> None:
    assert after(*answers) is standing


def test_why_a_peer_is_down_is_said() -> None:
    it = ping()
    it.receive(None, 100.0)
    assert it.reason == "OPTIONS: no answer"
    it.receive(Response(503, "Service Unavailable"), 100.0)
    assert it.reason == "OPTIONS: 503 Service Unavailable"
    it.receive(Response(200, "OK"), 100.0)
    assert it.reason == ""


def test_it_asks_at_once_and_then_about_every_so_often() -> None:
    for chance, wait in ((0.0, 27.0), (0.5, 30.0), (0.999, 33.0)):
        it = ping(chance)
        assert it.deadline() == 100.0
        it.receive(None, 100.0)
        assert it.deadline() - 100.0 == pytest.approx(wait, abs=0.01)


def test_the_questions_are_a_series_and_name_who_asks() -> None:
    core = make_endpoint(HERE, "here").core
    it = ping()
    first, second = (it.request(core, THERE) for _ in range(2))
    assert first.headers["From"].startswith("<sip:192.0.2.1:5060>;tag=")
    assert first.headers["Call-ID"] == second.headers["Call-ID"]
    assert [one.headers["CSeq"] for one in (first, second)] == ["1 OPTIONS", "2 OPTIONS"]
    assert first.headers["Via"] != second.headers["Via"]
    named = ping(ours=WireURI.parse("sip:alice@example.net")).request(core, THERE)
    assert named.headers["From"].startswith("<sip:alice@example.net>;tag=")

"""Who is an agent of ours, and who speaks in which stream."""

import pytest

from tests.fakes.recording_client import ANN, BOB, EVE, Person, metadata
from voice.cast import Cast, cast
from voice.settings.siprec import SiprecSettings
from voice.wire.siprec import Metadata, parse_metadata

BY_NUMBER = SiprecSettings(agents={"2001": "eve", "2002": "bob"})


def told(*people: Person) -> Metadata:
    return parse_metadata(metadata(*people).encode())


@pytest.mark.parametrize(
    ("aor", "name", "agent"),
    [
        ("sip:2001@pbx.example", "", "eve"),
        ("sips:2001@other.example:5061;transport=tls", "", "eve"),
        ("2001@pbx.example", "", "eve"),
        ("tel:2001", "", "eve"),
        ("<sip:2001@pbx.example>", "", "eve"),
        ("sip:bob@PBX.example", "", "bob"),
        ("sip:kim@desk.example", "", "kim"),
        ("sip:kim@Desk.Example:5060", "", "kim"),
        ("sip:4711@pbx.example", "Fay Ray", "fay"),
        ("", "Fay Ray", "fay"),
        ("sip:4711@pbx.example", "Somebody", ""),
        ("sip:desk.example", "", ""),
        ("sip:@desk.example", "", ""),
        ("", "", ""),
    ],
)
def test_an_agent_is_known_by_address_number_name_or_host(aor: str, name: str, agent: str) -> None:
    settings = SiprecSettings(
        agents={"2001": "eve", "bob@pbx.example": "bob", "Fay Ray": "fay"}, agent_hosts=("desk.example",)
    )
    assert settings.agent(aor, name) == agent


def test_the_agents_stream_is_the_agents_in_whatever_order_they_come() -> None:
    assert cast(told(ANN, EVE), ["96", "97"], BY_NUMBER) == Cast(ANN.aor, ("eve",), ("caller", "agent"))
    assert cast(told(EVE, ANN), ["97", "96"], BY_NUMBER) == Cast(ANN.aor, ("eve",), ("agent", "caller"))


def test_where_nobody_is_known_the_first_stream_is_the_callers() -> None:
    assert cast(told(ANN, EVE), ["97", "96"], SiprecSettings()) == Cast(EVE.aor, (), ("caller", "agent"))
    assert cast(Metadata(), ["1", "2", "3"], BY_NUMBER) == Cast("", (), ("caller", "agent", "agent"))
    assert cast(Metadata(), [], BY_NUMBER) == Cast()


def test_an_agent_who_calls_another_is_the_caller() -> None:
    bob = Person("bob", BOB.aor, "Bob", "96")
    assert cast(told(bob, EVE), ["96", "97"], BY_NUMBER) == Cast(BOB.aor, ("eve",), ("caller", "agent"))


def test_two_agents_with_one_caller() -> None:
    bob = Person("bob", BOB.aor, "Bob", "98")
    both = cast(told(ANN, EVE, bob), ["96", "97", "98"], BY_NUMBER)
    assert both == Cast(ANN.aor, ("eve", "bob"), ("caller", "agent", "agent"))


def test_who_has_left_is_in_the_call_no_more() -> None:
    left = Person("eve", EVE.aor, "Eve", "97", gone=True)
    assert cast(told(ANN, left, BOB), ["96", "97"], BY_NUMBER) == Cast(ANN.aor, ("bob",), ("caller", "agent"))

"""`centralino serve`: what it says when it is ready."""

from voice.commands.serve import greeting, parting
from voice.config import Settings

WEB = "http://127.0.0.1:8080/"


def test_the_first_start_says_where_everything_is_and_how_to_sign_in() -> None:
    said = greeting(Settings(), 5060, {"tcp": 5060}, WEB, "abc-def", command=".venv/bin/centralino")
    for line in ("  phone   sip:100@127.0.0.1", f"{WEB}calls", f"{WEB}agent", "`.venv/bin/centralino users add NAME`"):
        assert sum(line in each for each in said) == 1, line
    assert "  also    tcp 5060" in said
    assert any("admin with abc-def" in line for line in said)
    assert said[-1].startswith("  Only this machine can call")


def test_a_house_without_a_desk_names_none() -> None:
    settings = Settings.model_validate({"desk": {"queue": 0}, "sip": {"host": "192.0.2.10"}})
    said = "\n".join(greeting(settings, 5062, {}, WEB, None))
    assert "sip:100@192.0.2.10:5062" in said
    assert "agent" not in said
    assert "also" not in said
    assert "admin" not in said
    assert "Only this machine" not in said


def test_an_ipv6_address_stands_in_brackets() -> None:
    said = greeting(Settings.model_validate({"sip": {"host": "::1"}}), 5062, {}, WEB, None)
    assert any("sip:100@[::1]:5062" in line for line in said)
    assert said[-1].startswith("  Only this machine can call")


def test_who_stops_a_node_is_told_what_it_waits_for() -> None:
    assert parting(0) == "stopping"
    assert parting(1) == "stopping: waiting for 1 call (again to end it)"
    assert parting(7) == "stopping: waiting for 7 calls (again to end them)"

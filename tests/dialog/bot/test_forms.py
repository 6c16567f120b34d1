"""How answers are read and questions worded; and that no text pays or blocks without an explicit yes."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialog.bot.actions import ACTS, perform
from dialog.bot.customers import Customers
from dialog.bot.forms import (
    CONFIRMS,
    FAILURES,
    FORMS,
    NO,
    PARTIAL,
    PROBLEM,
    TOPICS,
    YES,
    Filled,
    Heard,
    ask,
    begin,
    fill,
    said_no,
    said_yes,
)  # fmt: skip
from dialog.bot.remote import HttpCustomers
from dialog.bot.sample import SqliteCustomers
from dialog.numbers import normalise

DOWN = HttpCustomers("http://127.0.0.1:9", 0.2)


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Customers:
    return SqliteCustomers(tmp_path_factory.mktemp("base") / "base.sqlite")


def said(text: str, intent: str = "inform") -> Heard:
    return Heard(text=normalise(text, homophones=True), intent=intent)


def number(customers: Customers, heard: Heard, **slots: str) -> Filled:
    return fill(customers, "balance_form", "account_number", heard, slots)


@pytest.mark.parametrize(
    ("before", "answer", "account", "partial"),
    [
        ("", "one two three four five six seven eight", "12345678", None),
        ("", "it is 1234, 5678", "12345678", None),
        ("", "one two three", None, "123"),
        ("123", "four five", None, "12345"),
        ("12345", "six seven eight", "12345678", None),
        # the whole number again, whatever was heard before
        ("99", "one two three four five six seven eight", "12345678", None),
        # corrections: of the whole, of the tail, across turns and inside one
        ("1234", "no, I meant one two three four five six seven eight", "12345678", None),
        ("1239", "no, four", None, None),
        ("1234567", "eight", "12345678", None),
        ("", "one two three four five six seven nine no eight", "12345678", None),
        ("", "eight seven no sorry one two three four five six seven eight", "12345678", None),
        ("", "one two three four nine nine I mean five six seven eight", None, None),
    ],
)
def test_a_number_is_put_together(
    customers: Customers, before: str, answer: str, account: str | None, partial: str | None
) -> None:
    filled = number(customers, said(answer), **({PARTIAL: before} if before else {}))
    assert not filled.passed
    assert filled.slots.get("account_number") == account
    if partial or account:
        assert filled.slots[PARTIAL] == partial


def test_a_correction_replaces_the_tail_of_what_was_heard(customers: Customers) -> None:
    filled = number(customers, said("no I meant nine nine"), **{PARTIAL: "1234"})
    assert filled.slots == {PARTIAL: "1299", FAILURES: "1", PROBLEM: None}


def test_pieces_that_add_nothing_are_failures(customers: Customers) -> None:
    slots = {PARTIAL: "1234"}
    for count in ("1", "2", "3"):
        filled = number(customers, said("no five"), **slots)
        assert filled.slots[FAILURES] == count
        slots |= {name: value for name, value in filled.slots.items() if value}
    assert ask(customers, "balance_form", "account_number", slots).person


def test_what_was_wrong_is_said(customers: Customers) -> None:
    unknown = number(customers, said("one two three four five six seven nine"))
    assert unknown.slots == {FAILURES: "1", PROBLEM: "unknown 12345679"}
    prompt = ask(customers, "balance_form", "account_number", {FAILURES: "1", PROBLEM: "unknown 12345679"})
    assert prompt.say[0] == "I cannot find 1 2 3 4, 5 6 7 9."
    long = number(customers, said("one two three four five six seven eight nine"))
    assert long.slots == {FAILURES: "1", PROBLEM: "too_long 9"}
    prompt = ask(customers, "balance_form", "account_number", {FAILURES: "1", PROBLEM: "too_long 9"})
    assert prompt.say[0] == "I heard 9 digits. There are eight."


@pytest.mark.parametrize("keys", ["12345678", "12345678#"])
def test_keys_fill_a_number(customers: Customers, keys: str) -> None:
    assert number(customers, Heard(keys=keys, intent="keys")).slots["account_number"] == "12345678"


def test_keys_and_voice_fill_one_number_together(customers: Customers) -> None:
    first = number(customers, Heard(keys="1234", intent="keys"))
    assert first.slots[PARTIAL] == "1234"
    assert number(customers, said("five six seven eight"), **{PARTIAL: "1234"}).slots["account_number"] == "12345678"


@pytest.mark.parametrize("keys", ["**", "1*2", "#", "##"])
def test_other_keys_are_no_number(customers: Customers, keys: str) -> None:
    filled = number(customers, Heard(keys=keys, intent="keys"))
    assert filled.passed or filled.slots[FAILURES] == "1"


def test_asides_and_other_topics_pass_the_form_by(customers: Customers) -> None:
    for intent in ("opening_hours", "person", "repeat", "slower", "help", "goodbye", "report_fault", "pay_bill"):
        assert number(customers, said("whatever", intent)).passed
        confirm = fill(
            customers, "sim_form", "block_confirmed", said("whatever", intent), {"account_number": "12345678"}
        )
        assert confirm.passed
    # a number is an answer, whatever a classifier makes of it
    assert not number(customers, said("12345678", "report_fault")).passed
    assert number(customers, said("no wait what is the state of my order 40712 please", "order_status")).passed


def test_going_back_leads_to_the_question_before_and_then_out(customers: Customers) -> None:
    slots = {"account_number": "12345678"}
    filled = fill(customers, "bill_form", "pay_confirmed", said("go back", "go_back"), slots)
    assert filled.slots["account_number"] is None
    assert filled.slots["pay_confirmed"] is None
    assert fill(customers, "bill_form", "account_number", said("go back", "go_back"), {}).passed
    assert fill(customers, "bill_form", "account_number", Heard(keys="*", intent="go_back"), {}).passed


def test_failures_lead_to_the_keys_and_then_to_a_person(customers: Customers) -> None:
    for form, requested in [
        ("balance_form", "account_number"),
        ("fault_form", "line_number"),
        ("order_form", "order_number"),
    ]:
        asked = [ask(customers, form, requested, {FAILURES: str(count)}) for count in range(4)]
        assert asked[0].say[-1].startswith("What is your")
        assert "one by one" in asked[1].say[-1]
        assert "Please key" in asked[2].say[-1]
        assert asked[3].person
    account = {"account_number": "12345678"}
    for form, requested in [("bill_form", "pay_confirmed"), ("sim_form", "block_confirmed")]:
        asked = [ask(customers, form, requested, {**account, FAILURES: str(count)}) for count in range(4)]
        assert all(prompt.expect == "yes_no" for prompt in asked[:3])
        assert "press 1" in asked[2].say[0]
        assert asked[3].person


def test_silence_is_a_failure_and_ends_in_hanging_up(customers: Customers) -> None:
    filled = number(customers, Heard(silent=True), **{FAILURES: "2"})
    assert filled.slots == {FAILURES: "3", PROBLEM: "silent"}
    assert ask(customers, "balance_form", "account_number", {FAILURES: "3", PROBLEM: "silent"}).hangup


def test_beginning_takes_a_number_along_and_drops_old_confirmations(customers: Customers) -> None:
    filled = begin(customers, "bill_form", said("pay the bill for 12345678", "pay_bill"), {"pay_confirmed": "yes"})
    assert filled.slots["account_number"] == "12345678"
    assert filled.slots["pay_confirmed"] is None
    filled = begin(customers, "bill_form", said("pay my bill"), {"account_number": "87654321"})
    assert filled.slots["pay_confirmed"] == "none"


def test_another_account_at_the_confirmation_asks_anew(customers: Customers) -> None:
    slots = {"account_number": "87654321"}
    filled = fill(customers, "sim_form", "block_confirmed", said("no I meant 12345678"), slots)
    assert filled.slots["account_number"] == "12345678"
    assert filled.slots["block_confirmed"] is None


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("yes", True, False), ("yeah please", True, False), ("yes pay it", True, False), ("no", False, True),
        ("no don't", False, True), ("sure", False, False), ("okay", False, False), ("right", False, False),
        ("yes no", False, False), ("yes wait", False, False), ("yesterday", False, False), ("", False, False),
        ("i did not say yes", False, False), ("never", False, True),
    ],
)  # fmt: skip
def test_explicit_words(text: str, yes: bool, no: bool) -> None:
    assert (said_yes(text), said_no(text)) == (yes, no)


VOCABULARY = [
    "sure", "okay", "right", "pay", "it", "please", "do", "go", "ahead", "one", "two", "1", "fine", "correct",
    "yesterday", "eyes", "card", "my", "the", "no", "not", "yes", "yeah", "wait", "12345678", "block", "sim", "and",
    "balance",
]  # fmt: skip
INTENTS = ["affirm", "deny", "inform", "nlu_fallback", "out_of_scope", "no_match", "thanks", *TOPICS]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(
        st.tuples(
            st.one_of(st.text(max_size=30), st.lists(st.sampled_from(VOCABULARY), max_size=5).map(" ".join)),
            st.sampled_from(INTENTS),
        ),
        max_size=5,
    ),
    form=st.sampled_from(["bill_form", "sim_form"]),
)
def test_no_words_but_an_explicit_yes_confirm(customers: Customers, turns: list[tuple[str, str]], form: str) -> None:
    requested = FORMS[form].slots[1]
    slots = {"account_number": "12345678"}
    for text, intent in turns:
        heard = said(text, intent)
        filled = fill(customers, form, requested, heard, slots)
        words = set(heard.text.split())
        if filled.slots.get(requested) == "yes":
            assert words & YES
            assert not words & NO
        assert set(filled.slots) & CONFIRMS <= {requested}


@pytest.mark.parametrize("confirmed", [{}, {"c": "no"}, {"c": "none"}, {"c": "maybe"}, {"c": "Yes"}])
def test_the_acts_look_at_the_confirmation_again(tmp_path: Path, confirmed: dict[str, str]) -> None:
    customers = SqliteCustomers(tmp_path / "base")
    for act, slot in [("action_settle_bill", "pay_confirmed"), ("action_block_sim", "block_confirmed")]:
        perform(act, customers, {"account_number": "12345678", **({slot: confirmed["c"]} if confirmed else {})})
    account = customers.account("12345678")
    assert account is not None
    assert account.bill is not None
    assert not account.sim_blocked


def test_a_base_that_cannot_be_reached_leads_to_a_person() -> None:
    slots = {"account_number": "12345678", "line_number": "5550142", "order_number": "40712"}
    confirmed = {**slots, "pay_confirmed": "yes", "block_confirmed": "yes"}
    for act in ACTS:
        outcome = perform(act, DOWN, confirmed)
        assert bool(outcome.person) == (act != "action_opening_hours")
    filled = number(DOWN, said("12345678"))
    assert filled.slots == {PROBLEM: "records"}
    assert ask(DOWN, "balance_form", "account_number", {PROBLEM: "records"}).person
    assert ask(DOWN, "bill_form", "pay_confirmed", slots).person
    assert begin(DOWN, "balance_form", said("balance of 12345678"), {}).slots[PROBLEM] == "records"

"""The help desk by keys: the same business as by voice, in process."""

import re
from pathlib import Path

import pytest

from dialog.actions import Action, Collect, Expect, Handoff, Hangup, Reply, Say
from dialog.bot.customers import Customers
from dialog.bot.remote import HttpCustomers
from dialog.bot.sample import SqliteCustomers
from dialog.engines.keypad import MAX_CALLS, KeypadEngine
from dialog.ports import HungUp, Hypothesis, Keys, NoInput, Returned, SessionOpened, UserTurn, Utterance

OPENED = SessionOpened("", "", "sip", recorded=True)
SILENCE = NoInput()


@pytest.fixture
def customers(tmp_path: Path) -> Customers:
    return SqliteCustomers(tmp_path / "base.sqlite")


@pytest.fixture
def engine(customers: Customers) -> KeypadEngine:
    return KeypadEngine(customers)


def words(reply: Reply) -> str:
    return " ".join(action.text for action in reply.actions if isinstance(action, Say))


async def talk(engine: KeypadEngine, *turns: str | UserTurn) -> list[Reply]:
    """Text is said, text with a leading `#` is keyed."""
    replies = [await engine.respond("call", OPENED)]
    for turn in turns:
        if isinstance(turn, str):
            turn = Keys(turn[1:]) if turn.startswith("#") else Utterance((Hypothesis(turn, 0.9),))
        replies.append(await engine.respond("call", turn))
    return replies


BUSINESS = [
    (("#1", "#12345678"), "action_tell_balance", "balance is 23 euros and 40 cents"),
    (("#2", "#12345678", "#2"), "action_settle_bill", "paid nothing"),
    (("#2", "#12345678", "#1"), "action_settle_bill", "paid 42 euros and 40 cents"),
    (("#2", "#87654321"), "action_settle_bill", "no open bill"),
    (("#3", "#5550199"), "action_tell_fault", "cut cable in the harbour"),
    (("#3", "#5550142"), "action_tell_fault", "ticket is 1 0 0 0"),
    (("#4", "#12345678", "#1"), "action_block_sim", "SIM card is blocked"),
    (("#4", "#12345678", "#2"), "action_block_sim", "stays as it is"),
    (("#5", "#40712"), "action_follow_order", "new router.*Thursday"),
    (("#6",), "action_opening_hours", "eight in the morning"),
    # by simple words, where text arrives
    (("what is my balance", "one two three four five six seven eight"), "action_tell_balance", "23 euros"),
    (("I want to pay my bill", "#12345678", "yes please"), "action_settle_bill", "paid 42 euros"),
    (("my phone was stolen", "12345678", "yes"), "action_block_sim", "is blocked"),
    (("my line is dead", "555 0199"), "action_tell_fault", "cut cable"),
    (("where is my order", "40712"), "action_follow_order", "router"),
    (("when are you open",), "action_opening_hours", "Saturday"),
    # pieces, corrections, going back, a number ahead of the wish
    (("#1", "#1234", "#5678"), "action_tell_balance", "23 euros"),
    (("#1", "one two three four five six seven nine", "no I meant 12345678"), "action_tell_balance", "23 euros"),
    (("#4", "#12345678", "#*", "#87654321", "#1"), "action_block_sim", "is blocked"),
    (("#12345678", "#1"), "action_tell_balance", "23 euros"),
    (("#1", "#3", "#*", "#3", "#5550199"), "action_tell_fault", "cut cable"),
]


@pytest.mark.parametrize(("turns", "act", "spoken"), BUSINESS, ids=[" ".join(case[0]) for case in BUSINESS])
async def test_business(engine: KeypadEngine, turns: tuple[str, ...], act: str, spoken: str) -> None:
    reply = (await talk(engine, *turns))[-1]
    assert re.search(spoken, words(reply)), words(reply)
    assert reply.engine == "keypad"
    assert reply.understood is not None
    assert reply.understood.actions[-1] == act
    assert isinstance(reply.actions[-1], Collect)


async def test_the_opening_gives_the_notices_and_the_keys(engine: KeypadEngine) -> None:
    reply = (await talk(engine))[0]
    notices = [action.text for action in reply.actions if isinstance(action, Say) and not action.interruptible]
    assert notices == ["Hello, this is the automatic help desk.", "This call is recorded."]
    assert "Press 1 for your balance" in words(reply)
    assert reply.actions[-1] == Collect(Expect.FREE, 0, 10_000)


@pytest.mark.parametrize(
    ("turns", "end"),
    [
        (("#0",), Handoff("asked for a person")),
        (("#1", "#0"), Handoff("asked for a person")),
        (("a person please",), Handoff("asked for a person")),
        (("goodbye",), Hangup("goodbye")),
        (("#6", "no"), Hangup("goodbye")),
        # never a loop
        (("#7", "#8"), Collect(no_input_ms=10_000)),
        (("#7", "#8", "#7"), Handoff("not understood")),
        (("blah", "blah", "blah"), Handoff("not understood")),
        ((SILENCE, SILENCE, SILENCE), Hangup("no input")),
        (("#1", "#9", "#00000000", "#11111111", "#22222222"), Handoff("no account_number understood")),
        (("#1", SILENCE, SILENCE, SILENCE), Hangup("no input")),
        (("#2", "#12345678", "sure", "okay", "fine"), Handoff("no pay_confirmed understood")),
    ],
)
async def test_ends(engine: KeypadEngine, turns: tuple[str | UserTurn, ...], end: Action) -> None:
    assert (await talk(engine, *turns))[-1].actions[-1] == end


@pytest.mark.parametrize(
    ("turns", "end"),
    [
        (("#7",), Collect(no_input_ms=10_000)),
        (("#7", "#8"), Handoff("not understood")),
        (("blah", SILENCE, "blah"), Handoff("not understood")),
        (("blah", "slower", "blah"), Collect(no_input_ms=10_000)),
        ((SILENCE, SILENCE), Collect(no_input_ms=10_000)),
        ((SILENCE, SILENCE, SILENCE), Hangup("no input")),
        # a number that was heard wrongly twice is best keyed
        (("#1", "#00000000", "#11111111"), Collect(Expect.DIGITS, 8, 10_000)),
        (("#1", "#00000000", "#11111111", "#22222222"), Handoff("no account_number understood")),
    ],
)
async def test_where_there_is_a_desk_two_failures_lead_to_it(
    customers: Customers, turns: tuple[str | UserTurn, ...], end: Action
) -> None:
    assert (await talk(KeypadEngine(customers, people=True), *turns))[-1].actions[-1] == end


async def test_back_from_a_person_the_open_question_is_void(engine: KeypadEngine) -> None:
    back, after = (await talk(engine, "#4", "#12345678", Returned("handed_back"), "#1"))[-2:]
    assert "Press 1 for your balance" in words(back)
    assert "Done" not in words(after)
    assert "balance" in words(after)


async def test_an_aside_leaves_the_form_open(engine: KeypadEngine) -> None:
    replies = await talk(engine, "#1", "when are you open", "#12345678")
    assert "Saturday" in words(replies[-2])
    assert "Please key the eight digits of your account number." in words(replies[-2])
    assert "23 euros" in words(replies[-1])


async def test_repeat_and_slower(engine: KeypadEngine) -> None:
    replies = await talk(engine, "#6", "##", "slower please", "#1")
    assert replies[1].actions == replies[2].actions
    assert words(replies[3]) == words(replies[1])
    for reply in replies[3:]:
        assert {action.pace for action in reply.actions if isinstance(action, Say)} == {0.8}


async def test_an_old_yes_does_not_confirm_anew(engine: KeypadEngine, customers: Customers) -> None:
    replies = await talk(engine, "#4", "#12345678", "#1", "#2")
    assert replies[-1].actions[-1] == Collect(Expect.YES_NO, 0, 10_000)
    account = customers.account("12345678")
    assert account is not None
    assert account.bill is not None


async def test_taking_over_says_so_and_offers_the_keys(engine: KeypadEngine) -> None:
    reply = await engine.take_over("call", NoInput())
    assert words(reply).startswith("I will switch to the keypad. Press 1 for your balance")
    reply = await engine.take_over("other", OPENED)
    assert words(reply).startswith("Hello, this is the automatic help desk. This call is recorded. Press 1")


async def test_a_base_that_cannot_be_reached_leads_to_a_person() -> None:
    replies = await talk(KeypadEngine(HttpCustomers("http://127.0.0.1:9", 0.2)), "#1", "#12345678")
    assert replies[-1].actions[-1] == Handoff("records unavailable")


async def test_calls_are_apart_forgotten_and_bounded(engine: KeypadEngine) -> None:
    await talk(engine, "#1")
    reply = await engine.respond("other", Keys("6"))
    assert "Saturday" in words(reply)
    await engine.respond("call", HungUp())
    assert "call" not in engine._calls
    for number in range(MAX_CALLS + 5):
        await engine.respond(str(number), OPENED)
    assert len(engine._calls) == MAX_CALLS

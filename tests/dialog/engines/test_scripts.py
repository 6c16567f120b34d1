"""The twelve scripted dialogs by text, held with a real Rasa; and what it makes of noise."""

import asyncio
from pathlib import Path

import pytest

from dialog.actions import Collect, Expect, Handoff, Hangup, Reply, Say
from dialog.bot.sample import SqliteCustomers
from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import RasaServer
from dialog.engines.training import PROJECT, Model, rasa_python
from dialog.gates import Gate
from dialog.numbers import normalise
from dialog.ports import HungUp, Hypothesis, Keys, Returned, SessionOpened, Utterance
from tests.e2e.scripts import Script, paraphrases, scripts

pytestmark = pytest.mark.timeout(180)
OPENED = SessionOpened(caller="sip:test@127.0.0.1", dialled="100", transport="sip", recorded=True)


def words(reply: Reply) -> str:
    return " ".join(action.text for action in reply.actions if isinstance(action, Say))


def heard(*texts: str, confidence: float = 0.9) -> Utterance:
    return Utterance(tuple(Hypothesis(text, confidence) for text in texts))


@pytest.fixture
async def engine(rasa: RasaServer, model: Path, fresh_customers: Path):  # type: ignore[no-untyped-def]
    engine = RasaEngine(rasa, Gate(Model(model).words))
    yield engine
    await engine.respond("call", HungUp())
    await engine.close()


def test_there_are_twelve_scripts_and_thirty_paraphrases_none_of_them_trained() -> None:
    assert len(scripts()) == 12
    assert len(paraphrases()) == 30
    examples = {line.strip().removeprefix("- ") for line in (PROJECT / "data" / "nlu.yml").read_text().splitlines()}
    assert not {normalise(paraphrase.text) for paraphrase in paraphrases()} & examples


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.name)
async def test_script(engine: RasaEngine, script: Script) -> None:
    opening = await engine.respond("call", OPENED)
    assert "automatic help desk" in words(opening)
    for turn in script.turns:
        reply = await engine.respond("call", turn.user_turn)
        assert reply.understood is not None
        assert turn.matches(words(reply)), words(reply)
        assert not turn.intent or reply.understood.intent == turn.intent
        assert turn.action in reply.understood.actions
        end = reply.actions[-1]
        assert isinstance(end, {"": Collect, "handoff": Handoff, "hangup": Hangup}[turn.ends])
        assert sum(isinstance(action, Say) for action in reply.actions) <= 4


async def test_two_failures_in_a_row_lead_to_a_person(engine: RasaEngine) -> None:
    await engine.respond("call", OPENED)
    for understood in ("no", "slower please", "thank you"):
        assert "did not get that" in words(await engine.respond("call", heard("banana bread")))
        await engine.respond("call", heard(understood))
    assert "did not get that" in words(await engine.respond("call", heard("banana bread")))
    last = await engine.respond("call", heard("the weather is nice"))
    assert "see if a colleague is free" in words(last)
    assert last.actions[-1] == Handoff("not understood")


async def test_without_a_desk_the_keys_come_before_that(model: Path, tmp_path: Path) -> None:
    server = RasaServer(PROJECT, model, rasa_python(), customers=str(tmp_path / "customers.sqlite"))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.run())
        await server.wait_up()
        engine = RasaEngine(server, Gate(Model(model).words))
        await engine.respond("call", OPENED)
        replies = [await engine.respond("call", heard("banana bread")) for _ in range(3)]
        await engine.close()
        running.cancel()
    assert "Press 1 for your balance" in words(replies[1])
    assert [type(reply.actions[-1]) for reply in replies] == [Collect, Collect, Handoff]


async def test_back_from_a_person_the_open_question_is_void_and_what_is_known_stays(engine: RasaEngine) -> None:
    await engine.respond("call", OPENED)
    await engine.respond("call", heard("please block my sim card"))
    asked = await engine.respond("call", Keys("12345678"))
    assert "Shall I block" in words(asked)
    back = await engine.respond("call", Returned("handed_back"))
    assert "again" in words(back)
    assert isinstance(back.actions[-1], Collect)
    assert "Shall I block" not in words(await engine.respond("call", heard("yes")))
    assert "balance is" in words(await engine.respond("call", heard("tell me my balance")))


async def test_paraphrases_are_understood(engine: RasaEngine) -> None:
    wrong = []
    for number, paraphrase in enumerate(paraphrases()):
        await engine.respond(f"paraphrase {number}", OPENED)
        reply = await engine.respond(f"paraphrase {number}", heard(paraphrase.text))
        assert reply.understood is not None
        if (reply.understood.intent, paraphrase.action in reply.understood.actions) != (paraphrase.intent, True):
            wrong.append((paraphrase.text, reply.understood))
        await engine.respond(f"paraphrase {number}", HungUp())
    assert wrong == []


async def test_the_notices_cannot_be_interrupted_and_name_the_recording_only_when_there_is_one(
    engine: RasaEngine,
) -> None:
    recorded = await engine.respond("call", OPENED)
    notices = [action for action in recorded.actions if isinstance(action, Say) and not action.interruptible]
    assert [notice.text for notice in notices] == ["Hello, this is the automatic help desk.", "This call is recorded."]
    unrecorded = await engine.respond("other", SessionOpened("", "", "browser", recorded=False))
    assert "recorded" not in words(unrecorded)
    await engine.respond("other", HungUp())


async def test_slower_lasts_and_repeats_the_last_reply(engine: RasaEngine) -> None:
    await engine.respond("call", OPENED)
    first = await engine.respond("call", heard("when are you open"))
    slower = await engine.respond("call", heard("slower please"))
    assert words(slower) == words(first)
    assert {action.pace for action in first.actions if isinstance(action, Say)} == {1.0}
    later = await engine.respond("call", heard("what is my balance"))
    for reply in (slower, later):
        assert {action.pace for action in reply.actions if isinstance(action, Say)} == {0.8}


async def test_what_is_expected_is_named(engine: RasaEngine) -> None:
    await engine.respond("call", OPENED)
    reply = await engine.respond("call", heard("pay my bill"))
    assert reply.actions[-1] == Collect(Expect.DIGITS, 8)
    reply = await engine.respond("call", heard("one two three"))
    assert reply.actions[-1] == Collect(Expect.DIGITS, 5)
    reply = await engine.respond("call", Keys("45678"))
    assert reply.actions[-1] == Collect(Expect.YES_NO)


async def test_a_later_reading_with_the_right_number_of_digits_wins(engine: RasaEngine) -> None:
    await engine.respond("call", OPENED)
    await engine.respond("call", heard("what is my balance"))
    reply = await engine.respond(
        "call", heard("one two three for five six seven", "one two three four five six seven eight")
    )
    assert "balance is 23 euros" in words(reply)


async def test_a_later_reading_is_tried_when_the_first_makes_no_sense(engine: RasaEngine) -> None:
    await engine.respond("call", OPENED)
    reply = await engine.respond("call", heard("the at of when so", "what is my balance"))
    assert reply.understood is not None
    assert reply.understood.intent == "check_balance"


NOISE = (
    "...", "", "?!", "/affirm", "/affirm{}", '/keys{"digits": "1"}', "you", "thank you for watching", "the", "uh",
    "um um", "so", "okay", "sure", "right", "fine", "I guess so", "maybe", "whatever", "all right then", "go ahead",
    "do it", "correct", "of course", "mm-hmm",
    "yesterday", "yes no", "no yes", "yes wait", "don't say yes", "eyes", "yet",
    "music", "la la la", "hello", "two", "one", "11", "pay", "pay it", "card", "a", "i",
    "\u00e9\u00e8", "\u4f60\u597d", "x" * 3_000,
)  # fmt: skip


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
async def test_nothing_but_an_explicit_yes_pays(engine: RasaEngine, fresh_customers: Path, noise: str) -> None:
    await engine.respond("call", OPENED)
    await engine.respond("call", heard("pay my bill"))
    question = await engine.respond("call", Keys("12345678"))
    assert question.actions[-1] == Collect(Expect.YES_NO)
    await engine.respond("call", heard(noise))
    account = SqliteCustomers(fresh_customers).account("12345678")
    assert account is not None
    assert account.bill is not None


async def test_a_yes_the_recogniser_doubts_pays_nothing(engine: RasaEngine, fresh_customers: Path) -> None:
    await engine.respond("call", OPENED)
    await engine.respond("call", heard("pay my bill"))
    await engine.respond("call", Keys("12345678"))
    await engine.respond("call", heard("yes", confidence=0.2))
    account = SqliteCustomers(fresh_customers).account("12345678")
    assert account is not None
    assert account.bill is not None


async def test_an_old_yes_does_not_confirm_a_new_payment(engine: RasaEngine, fresh_customers: Path) -> None:
    await engine.respond("call", OPENED)
    await engine.respond("call", heard("block my sim"))
    await engine.respond("call", Keys("12345678"))
    await engine.respond("call", heard("yes"))
    reply = await engine.respond("call", heard("pay my bill"))
    assert reply.actions[-1] == Collect(Expect.YES_NO)
    account = SqliteCustomers(fresh_customers).account("12345678")
    assert account is not None
    assert account.bill is not None
    assert account.sim_blocked

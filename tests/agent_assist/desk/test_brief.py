"""The brief of whole conversations with the help desk's own bot, and of journals that no bot of ours would write."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_assist.desk.brief import WORDS, brief
from dialog.actions import Handoff, Say
from dialog.bot.sample import SqliteCustomers
from dialog.engines.keypad import KeypadEngine
from dialog.events import (
    CallStarted,
    Event,
    FinalHeard,
    KeysPressed,
    Reading,
    ReplyGiven,
    TurnUnderstood,
)
from dialog.people_events import AgentJoined, AgentLeft, NoteWritten
from dialog.ports import Hypothesis, Keys, NoInput, SessionOpened, UserTurn, Utterance
from tests.agent_assist.journals import records, started

DIALOGS = Path(__file__).parents[2] / "e2e" / "dialogs"
PERSON = "A person, please."


class Conversation:
    """A caller and the keypad bot, journalled as a call would."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = [started()]
        self.reason = ""
        self._bot = KeypadEngine(SqliteCustomers(folder / "customers.sqlite"))

    async def open(self) -> None:
        await self._turn(SessionOpened("sip:1@192.0.2.7", "100", "sip", recorded=True))

    async def say(self, text: str) -> None:
        reading = Reading(text=text, confidence=0.9)
        self.events.append(FinalHeard(utterance=0, readings=(reading,), voice_start_ms=0, voice_end_ms=1))
        await self._turn(Utterance((Hypothesis(text, 0.9),)))

    async def key(self, digits: str) -> None:
        self.events.append(KeysPressed(digits=digits))
        await self._turn(Keys(digits))

    async def be_silent(self) -> None:
        await self._turn(NoInput())

    def summary(self) -> str:
        told = records("call-1", *((1_000 * at, event) for at, event in enumerate(self.events)))
        return brief(told, reason=self.reason, skill="", waited_s=4).summary

    async def _turn(self, turn: UserTurn) -> None:
        reply = await self._bot.respond("call-1", turn)
        heard = reply.understood
        assert heard is not None
        self.events += [
            TurnUnderstood(
                engine="keypad", intent=heard.intent, confidence=1, slots=heard.slots, actions=heard.actions
            ),
            ReplyGiven(engine="keypad", text=" ".join(a.text for a in reply.actions if isinstance(a, Say)), took_ms=1),
        ]
        self.reason = next((a.reason for a in reply.actions if isinstance(a, Handoff)), self.reason)


@pytest.fixture
async def conversation(tmp_path: Path) -> Conversation:
    conversation = Conversation(tmp_path)
    await conversation.open()
    return conversation


SUMMARIES = {
    "01_balance": """Asked for a person. Wanted the balance. Account number 1234 5678. The caller's balance is 23 euros
        and 40 cents.""",
    "04_fault_by_keys": """Asked for a person. Wanted a fault seen to, then the opening hours. Line number 555 0199.
        There is a cut cable in the harbour. It will be repaired by six this evening. We are open Monday to Saturday.
        From eight in the morning to eight in the evening.""",
    "06_bill_paid": """Asked for a person. Wanted a bill paid. Account number 1234 5678. The caller's bill is 42 euros
        and 40 cents, due on December 5. The bot has paid 42 euros and 40 cents from the caller's card. There is no open
        bill on this account.""",
    "08_sim_blocked": """Asked for a person. Wanted a SIM card blocked. Account number 1234 5678. The caller's SIM card
        is blocked. A new one will come by post.""",
    "12_never_a_loop": 'No account number understood. Wanted the balance. Last words: "The weather is nice".',
}


@pytest.mark.parametrize("name", sorted(path.stem for path in DIALOGS.glob("*.toml")))
async def test_every_dialog_of_the_help_desk_has_a_brief(name: str, conversation: Conversation) -> None:
    turns = tomllib.loads((DIALOGS / f"{name}.toml").read_text())["turns"]
    if turns[-1]["ends"] == "hangup":
        turns[-1] = {"say": PERSON}
    for turn in turns:
        if "say" in turn:
            await conversation.say(turn["say"])
        elif "keys" in turn:
            await conversation.key(turn["keys"])
        else:
            await conversation.be_silent()
    summary = conversation.summary()
    assert 8 <= len(summary.split()) <= WORDS
    assert summary == " ".join(SUMMARIES.get(name, summary).split())
    # What the bot asks, and how it greets, is no news.
    for noise in ("Anything else", "Please", "automatic help desk", "recorded", "Press"):
        assert noise not in summary


async def test_a_question_the_caller_did_not_answer_stands_open(conversation: Conversation) -> None:
    await conversation.say("Pay my bill.")
    await conversation.key("12345678")
    await conversation.say(PERSON)
    assert conversation.summary().endswith(' Open: "Shall I pay it from your card?"')


async def test_who_asks_for_a_person_at_once_said_nothing_else(conversation: Conversation) -> None:
    await conversation.say(PERSON)
    assert conversation.summary() == "Asked for a person. Nothing else was said yet."


async def test_a_colleague_is_told_who_had_the_call_and_what_they_wrote(conversation: Conversation) -> None:
    await conversation.say("My phone was stolen.")
    await conversation.say(PERSON)
    conversation.events += [AgentJoined(agent="anna"), AgentLeft(agent="anna", why="handed_back")]
    assert conversation.summary().endswith('Was with anna. Open: "Please key the eight digits of your account number".')
    conversation.events.append(NoteWritten(agent="anna", text="Wants the  number kept.\nCall back on Monday."))
    assert 'anna noted: "Wants the number kept. Call back on Monday".' in conversation.summary()


def test_a_bot_of_other_intents_is_told_in_its_own_names() -> None:
    events: list[Event] = [
        started(),
        ReplyGiven(engine="mine", text="Willkommen.", took_ms=1),
        FinalHeard(
            utterance=0,
            readings=(Reading(text="eine Pizza", confidence=0.8),),
            voice_start_ms=0,
            voice_end_ms=1,
        ),
        TurnUnderstood(
            engine="mine",
            intent="order_pizza",
            confidence=1,
            slots=(("pizza_size", "large"), ("topping", ""), ("mobile", "436641234567")),
            actions=("utter_ok",),
        ),
        ReplyGiven(engine="mine", text="Ihre Pizza kommt in 30 Minuten. Noch etwas?", took_ms=1),
    ]
    told = records("call-1", *((0, event) for event in events))
    made = brief(told, reason="kitchen_closed", skill="kitchen", waited_s=7)
    assert made.summary == (
        'Kitchen closed. Wanted "order pizza". Pizza size large; mobile 4366 4123 4567. Ihre Pizza kommt in 30 Minuten.'
        ' Open: "Noch etwas?"'
    )
    assert (made.skill, made.waited_s, made.transport) == ("kitchen", 7, "sip")
    assert made.slots[0] == ("pizza_size", "large")


TEXT = st.text(st.sampled_from('ab I.?!"_\n{…'), max_size=400)
EVENTS = st.one_of(
    st.builds(ReplyGiven, engine=st.just("x"), text=TEXT, took_ms=st.just(1)),
    st.builds(
        TurnUnderstood,
        engine=st.just("x"),
        intent=st.sampled_from(("", "check_balance", "no_match", "keys", "other_thing", "person")),
        confidence=st.just(1.0),
        slots=st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
        actions=st.lists(st.sampled_from(("balance_form", "x")), max_size=2).map(tuple),
    ),
    st.builds(
        FinalHeard,
        utterance=st.just(0),
        readings=st.lists(st.builds(Reading, text=TEXT, confidence=st.just(1.0)), max_size=1).map(tuple),
        voice_start_ms=st.just(0),
        voice_end_ms=st.just(1),
    ),
    st.builds(NoteWritten, agent=TEXT, text=TEXT),
    st.builds(AgentLeft, agent=TEXT, why=st.just("lost")),
    st.builds(KeysPressed, digits=TEXT),
)


@given(st.lists(EVENTS, max_size=30), TEXT)
def test_no_journal_makes_more_than_sixty_words(events: list[Event], reason: str) -> None:
    told = records("call-1", *((0, event) for event in events))
    summary = brief(told, reason=reason, skill="", waited_s=0).summary
    assert len(summary.split()) <= WORDS
    assert brief(told, reason=reason, skill="", waited_s=0).summary == summary


def test_a_journal_that_has_no_start_yet_has_a_brief() -> None:
    made = brief([], reason="asked for a person", skill="", waited_s=0)
    assert (made.caller, made.transport, made.slots) == ("", "", ())
    assert isinstance(started(), CallStarted)

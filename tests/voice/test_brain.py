"""Turns as a caller feels them, in virtual time: a leg that the test ticks, ears and a bot that follow a script."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np
import pytest

from dialog.actions import Collect, Expect, Handoff, Hangup, LastWord, Reply, Say
from dialog.announcements import Announcements
from dialog.errors import EngineUnavailable
from dialog.events import (
    BargedIn,
    EngineFailed,
    KeysPressed,
    PlaybackEnded,
    PlaybackStarted,
    Record,
    SpeechDiscarded,
    TurnTimed,
)
from dialog.journal import Journal
from dialog.ports import Hypothesis, Keys, NoInput, SessionOpened, Utterance
from tests.fakes.bot import FakeBot, ask
from tests.fakes.leg import FakeLeg
from tests.fakes.speech import MS_PER_LETTER, FakeEars, FakeMouth
from voice.brain import CallBrain
from voice.mind import Numbers, Strand
from voice.ports import TICK_MS
from voice.speech.phrases import split_phrases

E = TypeVar("E")
OPENED = SessionOpened(caller="+4930123", dialled="100", transport="sip", recorded=True)
LONG = "This is a rather long sentence about nothing at all."


class Table:
    """A call laid out for a test: tick it, speak into it, read what came of it."""

    def __init__(self, tasks: asyncio.TaskGroup, bot: FakeBot, ears: FakeEars) -> None:
        self.leg = FakeLeg()
        self.mouth = FakeMouth()
        self.bot = bot
        self.records: list[Record] = []
        self.ended: list[LastWord] = []
        journal = Journal("c1", (self.records.append,))
        self.brain = CallBrain(
            self.leg,
            ears,
            self.mouth,
            bot,
            journal,
            Announcements(),
            Numbers(),
            Strand(tasks),
            self.ended.append,
        )
        self.leg.listen(self.brain.on_frame)
        self.brain.open(OPENED)

    async def tick(self, ms: int, voice: float = 0.0, keys: str = "") -> None:
        for index in range(ms // TICK_MS):
            self.leg.tick(voice, keys if index == 0 else "")
            for _ in range(8):
                await asyncio.sleep(0)  # tasks of the call run between ticks, as they do between real ones

    async def speak(self, ms: int = 800) -> None:
        await self.tick(ms, voice=0.95)

    async def until_quiet(self) -> None:
        await self.tick(200)
        while self.leg.queued_ms:
            await self.tick(TICK_MS)
        await self.tick(40)

    def told(self, kind: type[E]) -> list[E]:
        return [record.event for record in self.records if isinstance(record.event, kind)]


class _Over(Exception):
    """The test is done: the group cancels what the call still had under way."""


@asynccontextmanager
async def table(*script: Reply | EngineUnavailable, hears: tuple[str, ...] = ()) -> AsyncIterator[Table]:
    try:
        async with asyncio.TaskGroup() as tasks:
            yield (laid := Table(tasks, FakeBot(*script), FakeEars(*hears)))
            laid.brain.close()
            raise _Over
    except* _Over:
        pass


async def test_the_bot_speaks_first_then_the_caller_then_the_bot() -> None:
    async with table(ask("Hello."), ask("Fine."), hears=("how are you",)) as call:
        await call.until_quiet()
        await call.speak()
        await call.tick(1_500)
        assert [type(turn) for turn in call.bot.turns] == [SessionOpened, Utterance]
        assert call.mouth.spoken == ["Hello.", "Fine."]
        (timed,) = call.told(TurnTimed)
        assert 0 < timed.endpoint_ms <= 700


async def test_voice_over_the_bot_silences_it_and_words_make_the_next_turn() -> None:
    async with table(ask(LONG), ask("Yes."), hears=("stop",)) as call:
        await call.tick(600)
        await call.speak(400)
        assert call.leg.queued_ms == 0, "the bot fell silent while the caller was still speaking"
        await call.tick(1_500)
        (barged,) = call.told(BargedIn)
        played = call.told(PlaybackEnded)[0]
        assert barged.by == "voice"
        assert played.interrupted
        assert call.mouth.spoken == [LONG, "Yes."]


async def test_a_cough_does_not_silence_a_sentence() -> None:
    async with table(ask(LONG)) as call:
        await call.tick(400)
        await call.speak(120)
        await call.until_quiet()
        assert call.told(BargedIn) == []
        assert [event.interrupted for event in call.told(PlaybackEnded)] == [False]


async def test_noise_without_words_resumes_at_the_interrupted_phrase() -> None:
    first, second = "The first sentence of it.", "The second sentence of it."
    async with table(ask(f"{first} {second}"), hears=("",)) as call:
        await call.tick(len(first) * MS_PER_LETTER + 400)
        await call.speak(400)
        await call.tick(1_000)
        await call.until_quiet()
        assert len(call.told(SpeechDiscarded)) == 1
        started = [event.text for event in call.told(PlaybackStarted)]
        assert started == [first, second, second]
        played = sum(event.played_ms for event in call.told(PlaybackEnded))
        sent = int(np.count_nonzero(np.concatenate(call.leg.sent))) / 16
        assert abs(played - sent) <= 60


@pytest.mark.parametrize("left_ms", range(0, 400, TICK_MS))
async def test_a_phrase_whose_last_sample_has_left_is_not_said_again(left_ms: int) -> None:
    first, second = "The first sentence of it.", "The second sentence of it."
    async with table(ask(f"{first} {second}"), hears=("",)) as call:
        call.leg.behind = 1
        await call.tick(len(first) * MS_PER_LETTER - left_ms)
        await call.speak(400)
        await call.tick(1_000)
        await call.until_quiet()
        started = [event.text for event in call.told(PlaybackStarted)]
        cut = call.leg.played[0] < len(first) * MS_PER_LETTER
        assert started.count(first) == 1 + cut
        assert len(call.told(PlaybackEnded)) == len(started)


@pytest.mark.parametrize("left_ms", range(0, 400, TICK_MS))
async def test_noise_over_the_end_of_a_reply_does_not_undo_it(left_ms: int) -> None:
    goodbye = "Thank you and goodbye."
    async with table(Reply("fake", (Say(goodbye), Hangup("done"))), hears=("",)) as call:
        call.leg.behind = 1
        await call.tick(len(goodbye) * MS_PER_LETTER - left_ms)
        await call.speak(400)
        await call.tick(1_000)
        await call.until_quiet()
        assert call.ended == [Hangup("done")]
        assert call.mouth.spoken.count(goodbye) == 1 + (call.leg.played[0] < len(goodbye) * MS_PER_LETTER)


async def test_a_notice_is_said_to_the_end() -> None:
    notice = Reply("fake", (Say("This call is recorded.", interruptible=False), Say(LONG), Collect()))
    async with table(notice, hears=("hello",)) as call:
        await call.tick(100)
        await call.speak(500)
        assert call.told(BargedIn) == []
        assert call.leg.queued_ms > 0


async def test_a_key_stops_the_bot_and_completes_an_entry() -> None:
    async with table(ask(LONG, Collect(Expect.DIGITS, max_digits=2)), ask("Thanks.")) as call:
        await call.tick(600)
        await call.tick(20, keys="4")
        assert call.leg.queued_ms == 0
        await call.tick(200)
        await call.tick(200, keys="2")
        assert call.bot.turns[-1] == Keys("42")
        assert [event.by for event in call.told(BargedIn)] == ["key"]


@pytest.mark.parametrize("spoken_ms", [0, 300, 900])
async def test_a_key_over_the_news_that_a_person_comes_leads_to_the_person_at_once(spoken_ms: int) -> None:
    """Whatever the caller says over it: nothing, or something that lasts, or has just been said."""
    person = Reply("fake", (Say("One moment. I will connect you to a person."), Handoff("asked for a person")))
    async with table(person, hears=("hello",)) as call:
        await call.tick(400)
        await call.tick(min(spoken_ms, 600), voice=0.95)
        await call.tick(max(0, spoken_ms - 600))
        await call.tick(20, keys="0")
        assert call.ended == [Handoff("asked for a person")]
        assert call.told(KeysPressed) == [KeysPressed(digits="0")]
        assert len(call.told(BargedIn)) == 1
        await call.tick(20, keys="0")
        assert [type(turn) for turn in call.bot.turns] == [SessionOpened]


async def test_a_key_over_goodbye_is_a_turn_as_ever() -> None:
    async with table(Reply("fake", (Say(LONG), Hangup("done"))), ask("Yes?")) as call:
        await call.tick(400)
        await call.tick(20, keys="1")
        await call.until_quiet()
        assert call.bot.turns[-1] == Keys("1")
        assert call.ended == []


async def test_silence_is_a_turn_once_the_wait_is_over() -> None:
    async with table(ask("Well?", Collect(no_input_ms=2_000)), ask("Still there?")) as call:
        await call.until_quiet()
        await call.tick(1_500)
        assert len(call.bot.turns) == 1
        await call.tick(700)
        assert call.bot.turns[-1] == NoInput()


async def test_a_caller_who_goes_on_is_not_answered_in_between() -> None:
    async with table(ask("Hello."), ask("First."), ask("Second."), hears=("I want", "my balance")) as call:
        await call.until_quiet()
        call.bot.gate.clear()
        await call.speak()
        await call.tick(700)
        await call.speak(600)
        call.bot.gate.set()
        await call.tick(1_500)
        await call.until_quiet()
        assert "First." not in call.mouth.spoken, "the answer to the first half is void"
        assert call.mouth.spoken[-1] == "Second."


async def test_the_last_word_ends_the_call() -> None:
    async with table(Reply("fake", (Say("Goodbye."), Hangup("done")))) as call:
        await call.until_quiet()
        assert call.ended == [Hangup("done")]


async def test_a_bot_that_fails_ends_in_an_apology_not_in_silence() -> None:
    async with table(EngineUnavailable("gone")) as call:
        await call.until_quiet()
        await call.until_quiet()
        assert call.mouth.spoken[0].startswith("I am sorry")
        assert call.ended == [Hangup("engine")]
        assert [event.code for event in call.told(EngineFailed)] == ["engine.unavailable"]


async def test_a_phrase_waits_for_a_mouth_that_comes_back() -> None:
    async with table(ask("Hello."), hears=()) as call:
        call.mouth.away = 2
        for _ in range(40):
            await asyncio.sleep(0.01)  # the retry pause is the one clock that is not audio time
            await call.tick(20)
        assert call.mouth.spoken == ["Hello."]


async def test_the_expectation_of_the_bot_reaches_the_recogniser() -> None:
    async with table(ask("Yes or no?", Collect(Expect.YES_NO)), hears=("yes",)) as call:
        ears = call.brain._listener._stream._ears  # type: ignore[attr-defined]
        await call.until_quiet()
        await call.speak()
        await call.tick(1_000)
        assert ears.expected == [Expect.YES_NO]


async def test_a_number_with_all_its_digits_needs_no_long_silence() -> None:
    question = ask("Your number?", Collect(Expect.DIGITS, max_digits=4))
    async with table(question, ask("Thanks."), hears=("one two three four",)) as call:
        await call.until_quiet()
        await call.speak()
        await call.tick(300)
        assert call.bot.turns[-1] == Utterance((Hypothesis("one two three four", 0.9),))


async def test_a_number_that_lacks_digits_is_waited_for() -> None:
    question = ask("Your number?", Collect(Expect.DIGITS, max_digits=4))
    async with table(question, ask("Thanks."), hears=("one two",)) as call:
        await call.until_quiet()
        await call.speak()
        await call.tick(600)
        assert len(call.bot.turns) == 1
        await call.tick(400)
        assert len(call.bot.turns) == 2


async def test_who_is_to_have_a_person_gets_one_whatever_is_said_meanwhile() -> None:
    person = Reply("fake", (Say(LONG), Handoff("asked for a person")))
    async with table(ask("Hello."), person, hears=("hello", "are you there")) as call:
        await call.until_quiet()
        await call.speak()
        await call.tick(1_000)
        await call.speak()
        await call.until_quiet()
        assert call.ended == [Handoff("asked for a person")]
        assert call.mouth.spoken == ["Hello.", LONG]
        assert call.told(BargedIn) == []


async def test_the_notices_come_before_whatever_the_caller_does_meanwhile() -> None:
    opening = Reply("fake", (Say("This call is recorded.", interruptible=False), Say("Well?"), Collect()))
    async with table(opening, ask("Fine."), hears=("hello",)) as call:
        call.bot.gate.clear()
        await call.speak(600)
        await call.tick(900, keys="1")
        call.bot.gate.set()
        await call.until_quiet()
        assert call.mouth.spoken == ["This call is recorded.", "Well?"]
        assert [type(turn) for turn in call.bot.turns] == [SessionOpened]


async def test_noise_without_end_does_not_keep_the_bot_silent() -> None:
    async with table(ask("Well?", Collect(no_input_ms=3_000)), ask("Still there?"), hears=("",) * 20) as call:
        await call.until_quiet()
        for _ in range(4):
            await call.speak(300)
            await call.tick(700)
        assert NoInput() in call.bot.turns


async def test_hanging_up_over_the_bot_is_no_barge_in() -> None:
    async with table(ask(LONG)) as call:
        await call.tick(600)
        call.brain.gone()
        assert call.told(BargedIn) == []
        assert call.leg.queued_ms == 0


async def test_a_phrase_that_cannot_be_spoken_is_left_out_and_the_reply_goes_on() -> None:
    async with table(Reply("fake", (Say("Goodbye now."), Say("Unspeakable."), Hangup("done")))) as call:
        call.mouth.unspeakable = "Unspeakable."
        await call.until_quiet()
        assert call.ended == [Hangup("done")]
        assert [event.code for event in call.told(EngineFailed)] == ["engine.timeout"]


def ended_in_so_many_words(call: Table) -> bool:
    return call.mouth.spoken[-2:] == split_phrases(Announcements().longest_call) and call.ended == [
        Hangup("longest_call")
    ]


async def test_a_call_whose_time_is_over_says_so_over_its_own_words() -> None:
    async with table(ask(LONG)) as call:
        await call.tick(600)
        for _ in range(3):
            call.brain.expire()
            await call.tick(20)
        await call.tick(400, voice=0.95)
        await call.tick(20, keys="1")
        await call.until_quiet()
        assert ended_in_so_many_words(call)
        assert call.told(BargedIn) == []


async def test_a_call_whose_time_is_over_says_so_to_a_caller_who_speaks() -> None:
    async with table(ask("Hello."), hears=("and another thing",)) as call:
        await call.until_quiet()
        await call.speak(600)
        call.brain.expire()
        await call.speak(600)
        await call.until_quiet()
        assert ended_in_so_many_words(call)
        assert len(call.bot.turns) == 1


async def test_an_answer_that_comes_when_the_time_is_over_is_void() -> None:
    async with table(ask("Hello."), ask("Late."), hears=("my balance",)) as call:
        await call.until_quiet()
        call.bot.gate.clear()
        await call.speak()
        await call.tick(900)
        call.brain.expire()
        await call.tick(100)
        call.bot.gate.set()
        await call.until_quiet()
        assert ended_in_so_many_words(call)

"""One call from answer to end: what its journal tells, what ends it, and that the end is told once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from dialog.actions import Collect, Expect, Hangup, Reply, Say
from dialog.announcements import Announcements
from dialog.errors import EngineUnavailable
from dialog.events import (
    CallAnswered,
    CallEnded,
    CallQualityMeasured,
    CallStarted,
    EngineRecovered,
    KeysPressed,
    PlaybackStarted,
    Record,
    ReplyGiven,
)
from dialog.ports import HungUp, Keys, SessionOpened, UserTurn
from tests.fakes.bot import FakeBot, RudeBot, ask
from tests.fakes.clock import virtual_time
from tests.fakes.leg import FakeLeg
from tests.fakes.speech import FakeEars, FakeMouth
from voice.call import FAREWELL_S, LAST_WORDS_MS, MEDIA_LIMIT_MS, Call
from voice.line_test import ECHO, ECHO_BEHIND_MS
from voice.ports import TICK_MS
from voice.services import Services
from voice.speech.phrases import split_phrases

E = TypeVar("E")


class Line:
    """A call on a leg that the test ticks."""

    def __init__(self, bot: FakeBot, name: str = "helpdesk", longest_s: int = 3_600) -> None:
        self.leg = FakeLeg()
        self.ears = FakeEars()
        self.records: list[Record] = []
        self.mouth = FakeMouth()
        services = Services(self.ears, self.mouth, {"helpdesk": bot}, [self.records.append], Announcements(), longest_s)
        started = CallStarted(
            transport="sip", caller="sip:a@b", dialled="100", bot=name, started_at="", recording="c1.flac"
        )
        self.call = Call("c1", started, self.leg, "PCMU", services)

    async def tick(self, ms: int, voice: float = 0.0) -> None:
        for _ in range(ms // TICK_MS):
            self.leg.tick(voice)
            for _ in range(4):
                await asyncio.sleep(0)

    def idle(self, ms: int) -> None:
        """Audio time in which no task of the call has anything to do."""
        for _ in range(ms // TICK_MS):
            self.leg.tick()

    def told(self, kind: type[E]) -> list[E]:
        return [record.event for record in self.records if isinstance(record.event, kind)]


@asynccontextmanager
async def answered(line: Line) -> AsyncIterator[asyncio.Task[str]]:
    """The call, running; what is left of it at the end is ended."""
    running = asyncio.create_task(line.call.run())
    await asyncio.sleep(0)
    try:
        yield running
    finally:
        line.call.end("test")
        await asyncio.wait((running,))


async def test_the_account_begins_with_who_called_and_ends_with_the_first_cause() -> None:
    bot = FakeBot(ask("Hello."))
    line = Line(bot)
    async with answered(line) as running:
        await line.tick(400)
        line.call.end("caller")
        line.call.end("shutdown")
        assert await running == "caller"
    events = [record.event for record in line.records]
    assert events[:2] == [line.call.started, CallAnswered(codec="PCMU")]
    assert events[-1] == CallEnded(cause="caller", duration_ms=400)
    assert [record.seq for record in line.records] == list(range(len(events)))
    assert bot.turns[0] == SessionOpened(caller="sip:a@b", dialled="100", transport="sip", recorded=True)


async def test_how_it_sounded_stands_before_the_end() -> None:
    line = Line(FakeBot())
    line.leg.quality = CallQualityMeasured(round_trip_ms=80, concealed_frames=3)
    async with answered(line) as running:
        await line.tick(100)
        line.call.end("caller")
        await running
    assert [record.event for record in line.records][-2:] == [
        line.leg.quality,
        CallEnded(cause="caller", duration_ms=100),
    ]


async def test_nothing_of_an_ended_call_is_held_or_goes_on() -> None:
    bot = FakeBot()
    bot.gate.clear()
    line = Line(bot)
    async with answered(line) as running:
        await line.tick(100)
        line.call.end("caller")
        await running
    assert line.leg.closed
    assert [stream.closed for stream in line.ears.streams] == [True]
    count = len(line.records)
    bot.gate.set()
    line.call.press("5")
    line.call.tell(EngineRecovered(engine="rasa", after_ms=1))
    await line.tick(200)
    assert len(line.records) == count
    assert line.told(ReplyGiven) == [], "the answer that was awaited is void"


async def test_the_bot_that_says_goodbye_ends_the_call_when_it_was_heard() -> None:
    line = Line(FakeBot(Reply("fake", (Say("Goodbye."), Hangup("done")))))
    async with answered(line) as running:
        await line.tick(200)
        assert not running.done()
        await line.tick(400)
        assert await running == "done"


async def test_keys_beside_the_audio_are_the_callers_keys() -> None:
    bot = FakeBot(ask("Your number?", Collect(Expect.DIGITS, max_digits=4)))
    line = Line(bot)
    async with answered(line):
        await line.tick(100)
        line.call.press("4711")
        await line.tick(100)
    assert line.told(KeysPressed) == [KeysPressed(digits="4711")]
    assert bot.turns[-1] == Keys("4711")


async def test_what_others_saw_of_the_call_stands_at_the_calls_own_time() -> None:
    line = Line(FakeBot())
    event = EngineRecovered(engine="rasa", after_ms=7)
    async with answered(line):
        await line.tick(260)
        line.call.tell(event)
    assert [record.at_ms for record in line.records if record.event == event] == [260]


async def ended_ms(line: Line) -> int:
    """Audio time at which a call of ten seconds is over; its cause is as it should be."""
    async with answered(line) as running:
        while not running.done():
            await line.tick(TICK_MS)
        assert await running == "longest_call"
    return line.leg.tick_count * TICK_MS


async def test_the_longest_call_ends_with_a_word() -> None:
    line = Line(FakeBot(ask("Well?")), longest_s=10)
    over_ms = await ended_ms(line) - 10_000
    assert 1_000 < over_ms <= LAST_WORDS_MS
    assert [event.text for event in line.told(PlaybackStarted)][-2:] == split_phrases(Announcements().longest_call)


async def test_the_longest_call_ends_without_speech_too() -> None:
    line = Line(FakeBot(), longest_s=10)
    line.mouth.away = 1_000_000
    assert await ended_ms(line) == 10_000 + LAST_WORDS_MS


async def test_the_echo_has_no_last_words() -> None:
    assert await ended_ms(Line(FakeBot(), ECHO, longest_s=10)) == 10_000


async def test_a_far_end_that_fell_silent_is_dead_and_one_on_hold_is_not() -> None:
    line = Line(FakeBot(), ECHO)
    async with answered(line) as running:
        line.idle(2_000)
        line.leg.dead, line.leg.receiving = True, False
        line.idle(MEDIA_LIMIT_MS + 2_000)
        await line.tick(TICK_MS)
        assert not running.done(), "on hold"
        line.leg.receiving = True
        line.idle(MEDIA_LIMIT_MS - 2_000)
        await line.tick(TICK_MS)
        assert not running.done()
        line.leg.reports += 1
        line.idle(MEDIA_LIMIT_MS - 2_000)
        await line.tick(TICK_MS)
        assert not running.done(), "who is muted may send nothing, and still reports"
        line.idle(3_000)
        assert await running == "no_media"


async def test_a_leg_that_fails_ends_its_call() -> None:
    line = Line(FakeBot())
    async with answered(line) as running:
        line.leg.fail(OSError("no route"))
        assert await running == "error"
    assert [event.cause for event in line.told(CallEnded)] == ["error"]


async def test_a_bot_that_breaks_ends_the_call_and_its_account() -> None:
    line = Line(RudeBot(SessionOpened))
    async with answered(line) as running:
        with pytest.raises(ExceptionGroup):
            await running
    assert [event.cause for event in line.told(CallEnded)] == ["error"]
    assert line.leg.closed
    assert line.ears.streams[0].closed


async def test_the_echo_number_says_what_it_hears_and_asks_no_bot() -> None:
    bot = FakeBot()
    line = Line(bot, ECHO)
    async with answered(line):
        await line.tick(100, voice=0.5)
        line.call.press("1")
        await line.tick(100)
    assert [int(pcm[0]) for pcm in line.leg.sent] == [0, *[500] * 5, *[0] * 4], "one tick later"
    assert bot.turns == []


async def test_what_was_said_on_hold_is_not_echoed_later() -> None:
    line = Line(FakeBot(), ECHO)
    async with answered(line):
        line.leg.sending = False
        await line.tick(2_000, voice=0.5)
        line.leg.sending = True
        await line.tick(200)
    assert line.leg.queued_ms <= ECHO_BEHIND_MS, "an echo that is late stays late"


class SlowBot(FakeBot):
    """Takes a minute to note that the caller is gone."""

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        if isinstance(turn, HungUp):
            await asyncio.sleep(60)
        return await super().respond(call_id, turn)


@virtual_time
async def test_the_bots_farewell_is_bounded_and_its_failure_nobodys_business() -> None:
    loop = asyncio.get_running_loop()
    quick, slow = FakeBot(), SlowBot()
    await Line(quick).call.farewell()
    assert quick.turns == [HungUp()]
    assert loop.time() == 0
    await Line(slow).call.farewell()
    assert loop.time() == FAREWELL_S
    await Line(RudeBot(HungUp, EngineUnavailable("gone"))).call.farewell()

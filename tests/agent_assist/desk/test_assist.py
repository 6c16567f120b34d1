"""What helps an agent: asked after each phrase of the caller, one question at a time, and harmless where it fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from agent_assist.desk import assist
from agent_assist.desk.assist import Assist
from agent_assist.suggester import Article, Situation
from dialog.errors import EngineUnavailable
from dialog.events import (
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    Reading,
    TurnUnderstood,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    HandoffRequested,
    Suggestion,
    SuggestionsShown,
)
from tests.fakes.live_calls import FakeCalls
from tests.fakes.virtual_time import run_virtual


class FakeSuggester:
    """Finds an article named after the phrase; needs `takes_s` for it; fails with `failing`."""

    def __init__(self) -> None:
        self.asked: list[Situation] = []
        self.takes_s = 0.1
        self.failing: Exception | None = None
        self.finding = True

    async def suggest(self, situation: Situation, limit: int = 3) -> Sequence[Suggestion]:
        self.asked.append(situation)
        await asyncio.sleep(self.takes_s)
        if self.failing is not None:
            raise self.failing
        return [Suggestion(article=situation.phrase, title="", reply="")] if self.finding else []

    async def search(self, query: str, limit: int = 10) -> Sequence[Suggestion]:
        raise NotImplementedError

    def article(self, article: str) -> Article | None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Room:
    """A call with an agent, and the suggester beside it."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.calls = FakeCalls()
        self.suggester = FakeSuggester()
        self.calls.listeners.append(Assist(self.suggester, self.calls, tasks))
        self.calls.start("a")
        self._utterance = 0

    def says(self, phrase: str, *, speaker: str = "caller", call_id: str = "a") -> None:
        heard = FinalHeard.model_validate(
            {
                "utterance": self._utterance,
                "readings": (Reading(text=phrase, confidence=0.9), Reading(text="else", confidence=0.1)),
                "voice_start_ms": 0,
                "voice_end_ms": 0,
                "speaker": speaker,
            }
        )
        self._utterance += 1
        self.calls.tell(call_id, heard)

    def joined(self) -> None:
        self.calls.tell("a", HandoffRequested(reason="a bill"))
        self.calls.tell("a", AgentJoined(agent="ann"))

    @property
    def phrases(self) -> list[str]:
        return [situation.phrase for situation in self.suggester.asked]

    @property
    def told(self) -> list[object]:
        kinds = (SuggestionsShown, EngineFailed, EngineRecovered)
        return [record.event for record in self.calls["a"].records if isinstance(record.event, kinds)]

    @property
    def shown(self) -> list[tuple[int, str, int]]:
        return [
            (event.utterance, event.suggestions[0].article, event.took_ms)
            for event in self.told
            if isinstance(event, SuggestionsShown)
        ]


@asynccontextmanager
async def _room() -> AsyncIterator[Room]:
    async with asyncio.TaskGroup() as tasks:
        yield Room(tasks)


def test_each_phrase_of_the_caller_with_all_that_is_known() -> None:
    async def main() -> None:
        async with _room() as room:
            room.says("hello")
            understood = TurnUnderstood(engine="rasa", intent="bill", confidence=0.9, slots=(("account", "40217"),))
            room.calls.tell("a", understood)
            room.joined()
            room.says("how may I help", speaker="agent")
            room.says("my bill is wrong")
            await asyncio.sleep(1)
        assert room.suggester.asked == [
            Situation(phrase="my bill is wrong", before=("hello",), reason="a bill", slots=(("account", "40217"),))
        ]
        assert room.shown == [(2, "my bill is wrong", 100)]

    run_virtual(main())


def test_without_an_agent_nobody_is_asked() -> None:
    async def main() -> None:
        async with _room() as room:
            room.says("hello")
            room.joined()
            room.calls.tell("a", AgentLeft(agent="ann", why="handed_back"))
            room.says("and now")
            await asyncio.sleep(1)
        assert room.suggester.asked == []

    run_virtual(main())


def test_of_phrases_that_come_meanwhile_the_newest_is_asked_and_shown() -> None:
    async def main() -> None:
        async with _room() as room:
            room.joined()
            room.suggester.takes_s = 0.5
            for phrase in ("one", "two", "three"):
                room.says(phrase)
                await asyncio.sleep(0.1)
            await asyncio.sleep(2)
        assert room.phrases == ["one", "three"]
        assert room.shown == [(2, "three", 500)]

    run_virtual(main())


def test_nothing_found_is_nothing_shown() -> None:
    async def main() -> None:
        async with _room() as room:
            room.joined()
            room.suggester.finding = False
            room.says("hm")
            await asyncio.sleep(1)
        assert room.told == []

    run_virtual(main())


def test_an_agent_who_left_meanwhile_is_shown_nothing() -> None:
    async def main() -> None:
        async with _room() as room:
            room.joined()
            room.says("one")
            await asyncio.sleep(0.05)
            room.calls.tell("a", AgentLeft(agent="ann", why="handed_back"))
            await asyncio.sleep(1)
        assert room.told == []

    run_virtual(main())


def test_after_a_transfer_the_next_agent_is_helped() -> None:
    async def main() -> None:
        async with _room() as room:
            room.joined()
            room.calls.tell("a", AgentJoined(agent="bob"))
            room.calls.tell("a", AgentLeft(agent="ann", why="transferred"))
            room.says("one")
            await asyncio.sleep(1)
        assert room.phrases == ["one"]

    run_virtual(main())


def test_a_failure_is_told_once_and_so_is_its_end() -> None:
    async def main() -> None:
        async with _room() as room:
            room.joined()
            room.suggester.failing = EngineUnavailable("no model")
            for phrase in ("one", "two"):
                room.says(phrase)
                await asyncio.sleep(1)
            room.suggester.failing = None
            room.says("three")
            await asyncio.sleep(1)
        assert room.told[:2] == [
            EngineFailed(engine="suggester", code="engine.unavailable"),
            EngineRecovered(engine="suggester", after_ms=2_000),
        ]
        assert room.shown == [(2, "three", 100)]

    run_virtual(main())


def test_a_suggester_that_takes_too_long_or_breaks_is_harmless() -> None:
    async def main() -> None:
        for takes_s, failing, code in ((60.0, None, "engine.timeout"), (0.1, ZeroDivisionError(), "engine")):
            async with _room() as room:
                room.joined()
                room.suggester.takes_s, room.suggester.failing = takes_s, failing
                room.says("one")
                await asyncio.sleep(3)
            assert room.told == [EngineFailed(engine="suggester", code=code)]

    run_virtual(main())


def test_a_call_that_is_over_is_forgotten_and_its_answer_shown_nowhere() -> None:
    async def main() -> None:
        async with _room() as room:
            room.joined()
            room.says("one")
            await asyncio.sleep(0.05)
            room.calls.end("a")
            await asyncio.sleep(1)
            for number in range(assist.CALLS):
                room.calls.start(f"call-{number}")
            room.calls.start("late")
            room.calls.tell("late", AgentJoined(agent="ann"))
            room.says("two", call_id="late")
            await asyncio.sleep(1)
        assert room.told == []
        assert room.phrases == ["one"]

    run_virtual(main())

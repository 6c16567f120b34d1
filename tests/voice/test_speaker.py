"""A reply phrase by phrase: heard in order, cut and resumed, bounded ahead, never stuck where there is no sound."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeVar

import numpy as np
import pytest

from dialog.errors import EngineTimeout, EngineUnavailable
from dialog.events import (
    EngineFailed,
    Event,
    PlaybackEnded,
    PlaybackStarted,
)
from tests.fakes.clock import virtual_time
from tests.fakes.leg import FakeLeg
from tests.fakes.speech import MS_PER_LETTER, FakeMouth
from voice.mind import Strand
from voice.ports import TICK_MS, Pcm
from voice.speaker import AHEAD_MS, PATIENCE_MS, Phrase, Speaker

E = TypeVar("E")
ONE, TWO, THREE = (Phrase(text) for text in ("Number one.", "Number two.", "Number three."))
ONE_MS = len(ONE.text) * MS_PER_LETTER


class Stage:
    """A speaker on a leg that the test ticks. `silences` counts the replies that were heard to their end."""

    def __init__(self, tasks: asyncio.TaskGroup, mouth: FakeMouth) -> None:
        self.leg = FakeLeg()
        self.mouth = mouth
        self.events: list[Event] = []
        self.silences = 0
        self.speaker = Speaker(self.leg, mouth, Strand(tasks), self.events.append, self._done, count())
        self.leg.listen(self.speaker.on_frame)

    def _done(self) -> None:
        self.silences += 1

    async def tick(self, ms: int) -> None:
        for _ in range(ms // TICK_MS):
            self.leg.tick()
            for _ in range(4):
                await asyncio.sleep(0)

    async def until_silent(self) -> None:
        before = self.silences
        while self.silences == before:
            assert self.leg.tick_count * TICK_MS < 120_000, "the reply is never over"
            await self.tick(TICK_MS)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def heard(self) -> list[str]:
        """The phrases that began to be heard."""
        return [event.text for event in self.told(PlaybackStarted)]


class _Over(Exception):
    """The test is done."""


@asynccontextmanager
async def stage(mouth: FakeMouth | None = None) -> AsyncIterator[Stage]:
    try:
        async with asyncio.TaskGroup() as tasks:
            yield (laid := Stage(tasks, mouth or FakeMouth()))
            laid.speaker.drop()
            raise _Over
    except* _Over:
        pass


async def test_phrases_are_heard_in_order_and_the_end_is_told_once() -> None:
    async with stage() as it:
        it.speaker.say([ONE, TWO])
        assert it.speaker.pending
        await it.until_silent()
        await it.tick(200)
        assert it.heard == [ONE.text, TWO.text]
        assert [(event.interrupted, event.played_ms) for event in it.told(PlaybackEnded)] == [(False, ONE_MS)] * 2
        assert it.silences == 1
        assert not it.speaker.pending


async def test_what_was_cut_is_said_again_from_its_beginning_and_what_was_heard_is_not() -> None:
    async with stage() as it:
        it.speaker.say([ONE, TWO, THREE])
        await it.tick(ONE_MS + 200)
        played = it.speaker.halt()
        assert played is not None and 100 <= played.played_ms <= 200
        assert it.leg.queued_ms == 0
        await it.tick(500)
        assert it.speaker.pending
        it.speaker.resume()
        await it.until_silent()
        assert it.heard == [ONE.text, TWO.text, TWO.text, THREE.text]
        assert [event.interrupted for event in it.told(PlaybackEnded)] == [False, True, False, False]
        assert len({event.playback for event in it.told(PlaybackStarted)}) == 4, "playbacks are never numbered twice"


async def test_to_fall_silent_in_silence_is_nothing() -> None:
    async with stage() as it:
        assert it.speaker.halt() is None
        assert it.speaker.interruptible
        assert it.events == []


async def test_what_is_dropped_is_never_said() -> None:
    async with stage() as it:
        it.speaker.say([ONE, TWO])
        await it.tick(100)
        it.speaker.drop()
        assert not it.speaker.pending
        await it.tick(1_000)
        assert it.heard == [ONE.text]
        assert it.silences == 0


async def test_another_reply_takes_the_place_of_the_one_being_said() -> None:
    async with stage() as it:
        it.speaker.say([ONE, TWO])
        await it.tick(100)
        it.speaker.say([THREE])
        await it.until_silent()
        assert it.heard == [ONE.text, THREE.text]


async def test_a_held_reply_waits_to_be_asked_for() -> None:
    async with stage() as it:
        it.speaker.hold([ONE])
        await it.tick(500)
        assert it.heard == []
        assert it.speaker.pending
        it.speaker.resume()
        await it.until_silent()
        assert it.heard == [ONE.text]


async def test_whether_it_may_be_cut_is_the_phrases_own() -> None:
    async with stage() as it:
        it.speaker.say([Phrase("A notice.", interruptible=False), ONE])
        await it.tick(100)
        assert not it.speaker.interruptible
        await it.tick(len("A notice.") * MS_PER_LETTER)
        assert it.speaker.interruptible


async def test_the_pace_of_a_phrase_reaches_the_voice() -> None:
    async with stage() as it:
        it.speaker.say([Phrase("4711", pace=0.5)])
        await it.until_silent()
        assert it.told(PlaybackEnded)[0].played_ms == 2 * 4 * MS_PER_LETTER


async def test_a_long_reply_is_not_rendered_far_ahead() -> None:
    async with stage() as it:
        it.speaker.say([Phrase("A sentence of a second.")] * 30)
        queued = []
        for _ in range(500):
            await it.tick(TICK_MS)
            queued.append(it.leg.queued_ms)
        assert max(queued) < AHEAD_MS + 1_000, "one block more than the bound at most"
        assert min(queued[10:]) > 0, "and nobody waits for the next phrase"


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_phrase_that_cannot_be_said_is_left_out_wherever_it_stands(place: int) -> None:
    mouth = FakeMouth()
    mouth.unspeakable = "???"
    phrases = [ONE, TWO]
    phrases.insert(place, Phrase("???"))
    async with stage(mouth) as it:
        it.speaker.say(phrases)
        await it.until_silent()
        assert it.heard == [ONE.text, TWO.text]
        assert it.told(EngineFailed) == [EngineFailed(engine="mouth", code=EngineTimeout.code)]
        assert it.silences == 1


async def test_a_reply_of_which_nothing_can_be_said_is_over_at_once() -> None:
    async with stage() as it:
        it.speaker.say([Phrase("")])  # no letter, no audio
        await it.tick(TICK_MS)
        assert it.silences == 1
        assert not it.speaker.pending


@virtual_time
async def test_a_lost_voice_is_waited_for_and_then_the_phrase_is_left_out() -> None:
    mouth = FakeMouth()
    mouth.away = 10_000
    loop = asyncio.get_running_loop()
    async with stage(mouth) as it:
        it.speaker.say([ONE, TWO])
        await asyncio.sleep(PATIENCE_MS / 1000 - 0.5)
        assert it.told(EngineFailed) == []
        await asyncio.sleep(1)
        assert it.told(EngineFailed) == [EngineFailed(engine="mouth", code=EngineUnavailable.code)]
        mouth.away = 0
        await asyncio.sleep(0.2)
        await it.until_silent()
        assert it.heard == [TWO.text]
        assert loop.time() < 2 * PATIENCE_MS / 1000


class DyingMouth(FakeMouth):
    """Lost in the middle of the first phrase."""

    async def speak(self, text: str, *, pace: float = 1.0) -> AsyncGenerator[Pcm, None]:
        if not self.spoken:
            self.spoken.append(text)
            yield np.full(3_200, 500, np.int16)
            raise EngineUnavailable("the mouth is gone")
        async for block in super().speak(text, pace=pace):
            yield block


async def test_half_a_phrase_is_not_said_again() -> None:
    async with stage(DyingMouth()) as it:
        it.speaker.say([ONE, TWO])
        await it.until_silent()
        assert it.heard == [ONE.text, TWO.text]
        assert [event.played_ms for event in it.told(PlaybackEnded)] == [200, ONE_MS]

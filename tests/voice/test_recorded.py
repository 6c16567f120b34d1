"""A call of others, as its streams are heard in virtual time: who said what, who is in it, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np
import pytest

from agent_assist.desk.ports import LeaveWhy
from dialog.announcements import Announcements
from dialog.commands import End, HandBack, Hold, Join
from dialog.events import (
    CallEnded,
    CallQualityMeasured,
    CallStarted,
    FinalHeard,
    Record,
    RecordingPaused,
    SpeechDiscarded,
    SpeechStarted,
)
from dialog.people_events import AgentJoined, AgentLeft
from tests.fakes.desk_calls import FakeCallDesk
from tests.fakes.leg import FakeLeg
from tests.fakes.speech import FakeEars, FakeMouth
from voice.call import MEDIA_LIMIT_MS, Call
from voice.cast import Cast
from voice.ports import TICK_MS
from voice.recorded_streams import RecordedStreams
from voice.services import People, Services

E = TypeVar("E")
TWO = Cast("sip:ann@host", ("eve",), ("caller", "agent"))
STARTED = CallStarted(transport="siprec", caller="sip:ann@host", dialled="srs", bot="", started_at="")


class Scene:
    """A recording session of two streams; `caller` and `agent` are their legs."""

    def __init__(self, cast: Cast, longest_call_s: int, *texts: str) -> None:
        self.caller, self.agent = FakeLeg(), FakeLeg()
        self.ears, self.desk = FakeEars(*texts), FakeCallDesk()
        self.records: list[Record] = []
        self.streams = RecordedStreams()
        self.streams.add(0, self.caller)
        self.streams.add(1, self.agent)
        self.streams.settle(cast, paused=False)
        services = Services(self.ears, FakeMouth(), {}, [self.records.append], Announcements(), longest_call_s)
        people = People(self.desk, lambda _agent: None, np.zeros(0, np.int16))
        self.call = Call("c1", STARTED, self.streams, "PCMU", services, people)

    async def tick(self, ms: int, *, caller: float = 0.0, agent: float = 0.0) -> None:
        for _ in range(ms // TICK_MS):
            self.caller.tick(caller)
            self.agent.tick(agent)
            await asyncio.sleep(0)

    def told(self, kind: type[E]) -> list[E]:
        return [record.event for record in self.records if isinstance(record.event, kind)]

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(heard.speaker, heard.readings[0].text) for heard in self.told(FinalHeard)]


@asynccontextmanager
async def scene(*texts: str, cast: Cast = TWO, longest_call_s: int = 3_600) -> AsyncIterator[Scene]:
    played = Scene(cast, longest_call_s, *texts)
    running = asyncio.create_task(played.call.run())
    await asyncio.sleep(0)
    try:
        yield played
    finally:
        played.call.end("recording_over")
        await running
        assert len(played.told(CallEnded)) == 1
        assert played.caller.closed and played.agent.closed
        assert all(stream.closed for stream in played.ears.streams)
        assert not any(pcm.any() for leg in (played.caller, played.agent) for pcm in leg.sent), "something was said"


async def test_each_is_heard_and_written_down_under_who_speaks() -> None:
    async with scene("Hello.", "And then?") as call:
        await call.tick(1_000, caller=0.9)
        await call.tick(2_000)
        await call.tick(1_000, agent=0.9)
        await call.tick(2_000)
        await call.tick(1_000, caller=0.9, agent=0.9)
        await call.tick(2_000)
        assert call.said[:2] == [("caller", "Hello."), ("agent", "Hello.")]
        assert sorted(call.said[2:]) == [("agent", "And then?"), ("caller", "And then?")]
        first, second = call.told(FinalHeard)[:2]
        assert second.voice_start_ms - first.voice_start_ms == 3_000, "one clock for both"


async def test_the_agent_is_in_the_call_from_its_beginning_to_its_end() -> None:
    async with scene() as call:
        await call.tick(100)
        assert call.told(AgentJoined) == [AgentJoined(agent="eve")]
        assert call.told(AgentLeft) == []
    assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="ended")]
    assert call.desk.left == [LeaveWhy.HUNG_UP]


async def test_another_agent_takes_over_and_is_heard_as_the_agent() -> None:
    async with scene("One.", "Two.") as call:
        await call.tick(1_000, agent=0.9)
        await call.tick(2_000)
        call.streams.settle(Cast("sip:ann@host", ("bob",), ("caller", "agent")), paused=False)
        await call.tick(1_000, agent=0.9)
        await call.tick(2_000)
        assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="transferred")]
        assert call.told(AgentJoined) == [AgentJoined(agent="eve"), AgentJoined(agent="bob")]
        assert call.said == [("agent", "One."), ("agent", "Two.")]
        assert len(call.ears.streams) == 2, "nothing was opened anew"


async def test_who_turns_out_to_be_the_agent_is_heard_as_the_agent_from_then_on() -> None:
    async with scene("One.", cast=Cast("", (), ("caller", "agent"))) as call:
        await call.tick(500, caller=0.9)
        assert call.told(SpeechStarted) == [SpeechStarted(utterance=0, speaker="caller")]
        call.streams.settle(Cast("", ("eve",), ("agent", "caller")), paused=False)
        assert call.told(SpeechDiscarded) == [SpeechDiscarded(utterance=0, speaker="caller")]
        await call.tick(1_000, caller=0.9)
        await call.tick(2_000)
        assert call.said == [("agent", "One.")]


async def test_a_pause_is_told_once_and_its_end() -> None:
    async with scene() as call:
        call.streams.settle(TWO, paused=True)
        call.streams.settle(TWO, paused=True)
        call.streams.settle(TWO, paused=False)
        assert call.told(RecordingPaused) == [RecordingPaused(on=True), RecordingPaused(on=False)]


async def test_a_stream_that_ends_leaves_the_other_and_the_clock_runs_on() -> None:
    async with scene("One.", "Two.") as call:
        await call.tick(1_000, agent=0.9)
        await call.tick(2_000)
        before = call.caller.received
        call.streams.remove(0)
        call.streams.settle(Cast("sip:ann@host", ("eve",), ("caller", "agent")), paused=False)
        assert call.caller.closed
        await call.tick(1_000, agent=0.9)
        await call.tick(2_000)
        first, second = call.told(FinalHeard)
        assert second.voice_start_ms - first.voice_start_ms == 3_000
        assert call.streams.numbers == (1,)
        assert call.streams.stats.packets_received == before + call.agent.received


async def test_a_stream_that_comes_later_is_heard_in_the_time_of_the_others() -> None:
    async with scene("One.") as call:
        await call.tick(1_000)
        third = FakeLeg()
        call.streams.add(2, third)
        call.streams.settle(Cast("sip:ann@host", ("eve",), ("caller", "agent", "caller")), paused=False)
        for voice in (0.9,) * 50 + (0.0,) * 100:
            call.caller.tick()
            call.agent.tick()
            third.tick(voice)
        assert [(heard.speaker, heard.voice_start_ms) for heard in call.told(FinalHeard)] == [("caller", 1_000)]
        call.call.end("recording_over")
        await asyncio.sleep(0.01)
        assert third.closed


async def test_what_the_desk_may_ask_of_other_calls_is_refused() -> None:
    async with scene() as call:
        await call.tick(100)
        assert [call.call.command(each) for each in (Join("eve"), Hold(on=True), HandBack(), End())] == [False] * 4
        call.call.press("1")
        await call.tick(100)


async def test_a_call_that_is_too_long_is_over_without_a_word() -> None:
    async with scene(longest_call_s=10) as call:
        await call.tick(10_100)
        await asyncio.sleep(0.01)
        assert [ended.cause for ended in call.told(CallEnded)] == ["longest_call"]


@pytest.mark.parametrize("paused", [False, True])
async def test_streams_that_fall_silent_end_the_call_unless_they_are_paused(paused: bool) -> None:
    async with scene() as call:
        for leg in (call.caller, call.agent):
            leg.dead, leg.receiving = True, not paused
        await call.tick(MEDIA_LIMIT_MS + 2_000)
        await asyncio.sleep(0.01)
        assert [ended.cause for ended in call.told(CallEnded)] == ([] if paused else ["no_media"])


async def test_a_leg_that_fails_ends_the_call() -> None:
    async with scene() as call:
        call.agent.fail(RuntimeError("codec"))
        await asyncio.sleep(0.01)
        assert [ended.cause for ended in call.told(CallEnded)] == ["error"]


async def test_how_it_sounded_is_told_of_the_caller() -> None:
    async with scene(cast=Cast("", ("eve",), ("agent", "caller"))) as call:
        call.caller.quality = CallQualityMeasured(late_packets=1)
        call.agent.quality = CallQualityMeasured(late_packets=2)
    assert [measured.late_packets for measured in call.told(CallQualityMeasured)] == [2]

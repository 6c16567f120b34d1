"""Agent, caller and somebody outside: who hears whom, what is written down, and who is left; in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from dialog.actions import Reply
from dialog.commands import Consult, DropThird, End, HandBack, Hold, Join, PutThrough, Requeue, Supervise
from dialog.errors import CentralinoError, Overloaded, PeerError, PeerForbidden, PeerTimeout
from dialog.events import CallEnded, FinalHeard
from dialog.people_events import (
    AgentLeft,
    CallerPutThrough,
    HoldChanged,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
)
from dsp.parts import Part
from tests.fakes.bot import ask
from tests.fakes.leg import FakeLeg
from tests.fakes.outside import FakeOutside, FakeOutsideCall
from tests.voice.scenes import PERSON, STARTED, Scene, scene
from voice.dialling import CallRefused
from voice.ports import TICK_MS

RECORDED = STARTED.model_copy(update={"recording": "c1.flac"})


@asynccontextmanager
async def talking(
    *script: Reply, hears: tuple[str, ...] = (), recorded: bool = False, longest_call_s: int = 3_600
) -> AsyncIterator[tuple[Scene, FakeOutside]]:
    """A caller with eve, and people outside."""
    outside = FakeOutside()
    started = RECORDED if recorded else STARTED
    async with scene(
        PERSON, *script, hears=hears, outside=outside, started=started, longest_call_s=longest_call_s
    ) as call:
        await call.queued()
        call.call.command(Join("eve"))
        yield call, outside


async def consult(call: Scene, outside: FakeOutside) -> FakeOutsideCall:
    """Eve calls 112 in, who answers."""
    assert call.call.command(Consult("112", "eve"))
    await call.tick(100)
    return await outside.answer("112")


async def tick(call: Scene, third: FakeLeg, ms: int, *, voice: float = 0.0, caller: float = 0.0) -> None:
    """Time passes; the third speaks, or the caller."""
    for _ in range(ms // TICK_MS):
        third.tick(voice)
        await call.tick(TICK_MS, caller=caller)


async def test_agent_and_third_speak_alone_and_then_all_three_do() -> None:
    async with talking() as (call, outside):
        call.call.command(Consult("112", "eve"))
        await call.tick(400)
        assert call.told(ThirdCalled) == [ThirdCalled(target="112", agent="eve")]
        assert call.told(HoldChanged) == [HoldChanged(on=True, agent="eve")]
        assert call.caller.room is None
        assert call.hears_music
        rings = np.concatenate(call.agent.sent[-10:])
        assert np.abs(rings).max() > 2_000, "the agent hears that it rings"
        third = await outside.answer("112")
        assert call.told(ThirdJoined) == [ThirdJoined(target="112")]
        assert third.leg.room is call.agent.room is not None
        await call.tick(200)
        assert not np.concatenate(call.agent.sent[-5:]).any(), "it rings no more"
        call.call.command(Hold(False, "eve"))
        assert call.caller.room is call.agent.room is third.leg.room
        assert (call.caller.part, third.leg.part, call.agent.part) == (Part.PARTY, Part.PARTY, Part.COACHED)


async def test_what_the_network_says_before_the_answer_is_told_the_agent_alone_in_place_of_our_tone() -> None:
    async with talking() as (call, outside):
        call.call.command(Consult("112", "eve"))
        await call.tick(400)
        there = FakeLeg()
        outside.early["112"](there)
        assert call.agent.room is not None
        assert (there.room, there.part) == (call.agent.room, Part.COACH), (
            "the caller, taken back meanwhile, is not told"
        )
        await tick(call, there, 200)
        assert not np.concatenate(call.agent.sent[-5:]).any(), "our tone is over"
        there.dead = True
        await tick(call, there, 2_000)
        assert np.concatenate(call.agent.sent[-50:]).any(), "nothing comes from there any more: our tone again"
        there.dead = False
        await tick(call, there, 200)
        await outside.answer("112", there)
        assert (there.room, there.part) == (call.agent.room, Part.PARTY)
        await tick(call, there, 6_000)
        assert not np.concatenate(call.agent.sent[-250:]).any()


async def test_what_the_network_says_goes_on_when_the_agents_audio_is_another() -> None:
    async with talking() as (call, outside):
        call.call.command(Consult("112", "eve"))
        await call.tick(400)
        there, again = FakeLeg(), FakeLeg()
        outside.early["112"](there)
        former = call.agent
        call.legs["eve"] = again
        assert call.call.command(Join("eve"))
        assert former.room is None
        assert again.room is there.room is not None
        there.dead = True
        await tick(call, there, 1_200)
        again.tick()
        assert again.sent[-1].any(), "our tone, by the other leg"


async def test_sound_of_whoever_did_not_answer_is_let_go() -> None:
    async with talking() as (call, outside):
        call.call.command(Consult("112", "eve"))
        await call.tick(400)
        there, next_one = FakeLeg(), FakeLeg()
        outside.early["112"](there)
        outside.early["112"](next_one)
        assert (there.room, next_one.room) == (None, call.agent.room)
        await outside.refuse("112", CallRefused(404, "Not Found"))
        assert next_one.room is None
        await call.tick(2_000)
        assert not np.concatenate(call.agent.sent[-50:]).any()


async def test_what_is_said_while_the_caller_is_on_hold_is_nobodys_business_and_then_it_is_written_down() -> None:
    async with talking(hears=("a secret", "it is done")) as (call, outside):
        third = await consult(call, outside)
        await tick(call, third.leg, 800, voice=0.9)
        await tick(call, third.leg, 1_500)
        assert call.told(FinalHeard) == []
        call.call.command(Hold(False, "eve"))
        await tick(call, third.leg, 800, voice=0.9)
        await tick(call, third.leg, 1_500)
        (final,) = call.told(FinalHeard)
        assert final.speaker == "third"
        began = next(record.at_ms for record in call.records if record.event == final)
        assert abs(began - final.voice_end_ms) < 2_000, "by the caller's clock"


async def test_what_the_callers_side_told_goes_along() -> None:
    outside = FakeOutside()
    told = (("User-to-User", "56a3"),)
    async with scene(PERSON, outside=outside, started=STARTED.model_copy(update={"headers": told})) as call:
        await call.queued()
        call.call.command(Join("eve"))
        await consult(call, outside)
        assert outside.told == [told]


async def test_keys_go_to_whom_the_agent_speaks_with() -> None:
    async with talking() as (call, outside):
        third = await consult(call, outside)
        call.agent.tick(keys="1")
        call.call.command(Hold(False, "eve"))
        call.agent.tick(keys="2")
        call.call.command(DropThird())
        call.agent.tick(keys="3")
        assert (third.leg.keyed, call.caller.keyed) == ("12", "23")


async def test_the_caller_is_left_with_them_and_the_call_ends_when_they_hang_up() -> None:
    async with talking(hears=("thank you", "goodbye")) as (call, outside):
        third = await consult(call, outside)
        assert call.call.command(PutThrough())
        assert call.told(CallerPutThrough) == [CallerPutThrough(target="112", agent="eve")]
        assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="transferred")]
        assert call.agent.room is None
        assert call.caller.room is third.leg.room is not None
        assert not third.ended.done()
        await tick(call, third.leg, 400)
        assert not call.hears_music
        await tick(call, third.leg, 800, caller=0.9)
        await tick(call, third.leg, 1_500)
        await tick(call, third.leg, 800, voice=0.9)
        await tick(call, third.leg, 1_500)
        assert [final.speaker for final in call.told(FinalHeard)] == ["caller", "third"]
        call.caller.tick(keys="5")
        call.call.press("6")
        third.leg.tick(keys="7")
        assert (third.leg.keyed, call.caller.keyed) == ("56", "7"), "either may be a machine"
        third.end()
        await call.tick(40)
        assert call.told(CallEnded)[0].cause == "third"
        assert call.told(ThirdLeft) == [ThirdLeft(target="112", why="hung_up")]


async def test_a_machine_that_answers_is_somebody_who_was_not_reached() -> None:
    async with talking() as (call, outside):
        third = await consult(call, outside)
        third.end("busy")
        await call.tick(100)
        assert call.told(ThirdLeft) == [ThirdLeft(target="112", why="failed", status=486)]


async def test_put_through_the_caller_hangs_up_and_they_are_hung_up_on() -> None:
    async with talking() as (call, outside):
        third = await consult(call, outside)
        call.call.command(PutThrough())
        call.call.end("caller")
        await asyncio.sleep(0.01)
        assert third.ended.result() == "us"
        assert call.told(ThirdLeft) == [ThirdLeft(target="112", why="ended")]


async def test_put_through_the_longest_time_is_told_to_both() -> None:
    async with talking(longest_call_s=10) as (call, outside):
        third = await consult(call, outside)
        call.call.command(PutThrough())
        await tick(call, third.leg, 12_000)
        assert "Goodbye." in call.mouth.spoken
        await tick(call, third.leg, 6_000)
        assert call.told(CallEnded)[0].cause == "longest_call"


async def test_nobody_is_put_through_before_there_is_an_answer() -> None:
    async with talking() as (call, outside):
        assert not call.call.command(PutThrough())
        call.call.command(Consult("112", "eve"))
        await call.tick(100)
        assert not call.call.command(PutThrough())
        assert outside.given_up == []


async def test_a_number_that_may_not_be_called_does_not_even_put_the_caller_on_hold() -> None:
    async with talking() as (call, _):
        call.call.command(Consult("911", "eve"))
        assert call.told(ThirdLeft) == [ThirdLeft(target="911", why="not_allowed")]
        assert call.told(HoldChanged) == []
    async with scene(PERSON) as alone:
        await alone.queued()
        alone.call.command(Join("eve"))
        alone.call.command(Consult("112", "eve"))
        assert alone.told(ThirdLeft) == [ThirdLeft(target="112", why="not_allowed")]


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (CallRefused(486, "Busy Here"), ThirdLeft(target="112", why="failed", status=486)),
        (PeerTimeout("no answer"), ThirdLeft(target="112", why="no_answer")),
        (Overloaded("trunk_calls"), ThirdLeft(target="112", why="busy")),
        (PeerForbidden("not that one"), ThirdLeft(target="112", why="not_allowed")),
        (PeerError("down"), ThirdLeft(target="112", why="failed")),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_who_does_not_answer_leaves_agent_and_caller_as_they_are(error: CentralinoError, left: ThirdLeft) -> None:
    async with talking() as (call, outside):
        call.call.command(Consult("112", "eve"))
        await call.tick(100)
        await outside.refuse("112", error)
        assert call.told(ThirdLeft) == [left]
        assert call.caller.room is None, "the agent takes the caller back"
        call.call.command(Hold(False, "eve"))
        assert call.caller.room is call.agent.room is not None
        assert not call.call.command(DropThird())


async def test_one_who_rings_is_dropped() -> None:
    async with talking() as (call, outside):
        call.call.command(Consult("112", "eve"))
        await call.tick(100)
        assert call.call.command(DropThird())
        await call.tick(40)
        assert outside.given_up == ["112"]
        assert call.told(ThirdLeft) == [ThirdLeft(target="112", why="dropped")]


@pytest.mark.parametrize("command", [HandBack(), Requeue(), End(), Join("bob")], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("answered", [True, False])
async def test_they_go_with_the_agent(command: HandBack | Requeue | End | Join, answered: bool) -> None:
    async with talking(ask("What else?")) as (call, outside):
        call.legs["bob"] = FakeLeg()
        call.call.command(Consult("112", "eve"))
        await call.tick(100)
        third = await outside.answer("112") if answered else None
        assert call.call.command(command)
        await call.tick(40)
        assert call.told(ThirdLeft) == [ThirdLeft(target="112", why="ended")]
        if third is not None:
            assert third.ended.result() == "us"
            assert third.leg.room is None
        else:
            assert outside.given_up == ["112"]


async def test_they_stay_while_the_agents_audio_is_away() -> None:
    async with talking() as (call, outside):
        third = await consult(call, outside)
        former, again = call.agent, FakeLeg()
        call.call.command(Hold(True))
        call.legs["eve"] = again
        assert call.call.command(Join("eve"))
        assert former.room is None
        assert again.room is third.leg.room is call.caller.room is not None
        assert call.told(ThirdLeft) == []


async def test_who_is_heard_on_the_recording_is_told_so_once() -> None:
    async with talking(recorded=True) as (call, outside):
        await consult(call, outside)
        await call.tick(2_000)
        assert "This call is recorded." not in call.mouth.spoken, "alone with the agent they are not"
        for on in (False, True, False):
            call.call.command(Hold(on, "eve"))
            await call.tick(2_000)
        assert call.mouth.spoken.count("This call is recorded.") == 1
        call.call.command(PutThrough())
        await call.tick(2_000)
        assert call.mouth.spoken.count("This call is recorded.") == 1
    async with talking(recorded=True) as (call, outside):
        await consult(call, outside)
        call.call.command(PutThrough())
        await call.tick(2_000)
        assert call.mouth.spoken.count("This call is recorded.") == 1


@pytest.mark.parametrize(("how", "part"), [("listen", Part.LISTENER), ("whisper", Part.COACH), ("join", Part.PARTY)])
async def test_a_supervisor_is_in_the_room_as_asked(how: str, part: Part) -> None:
    async with talking(hears=("well done",)) as (call, _):
        sue = call.legs["sue"] = FakeLeg()
        assert call.call.command(Supervise("sue", how))  # type: ignore[arg-type]  # each of them is a How
        assert (sue.room, sue.part) == (call.agent.room, part)
        await tick(call, sue, 800, voice=0.9)
        await tick(call, sue, 1_500)
        heard = [final.speaker for final in call.told(FinalHeard)]
        assert heard == (["third"] if how == "join" else []), "what is whispered is nobody else's business"
        assert call.call.command(Supervise("sue", "none"))
        assert sue.room is None
        assert [each.how for each in call.told(SupervisionChanged)] == [how, "none"]
        assert not call.call.command(Supervise("sue", "none"))


async def test_a_supervisor_without_audio_is_refused_and_one_who_is_there_leaves_with_the_agent() -> None:
    async with talking() as (call, _):
        assert not call.call.command(Supervise("sue", "listen"))
        sue = call.legs["sue"] = FakeLeg()
        call.call.command(Supervise("sue", "listen"))
        call.call.command(Supervise("sue", "whisper"))
        assert sue.part is Part.COACH
        call.call.command(HandBack())
        assert sue.room is None
        assert not call.call.command(Supervise("sue", "listen")), "the bot is supervised by nobody"

"""Calls that the node places for agents: connected with the agent at once, told where they come to nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import numpy as np
import pytest

from dialog.errors import PeerForbidden, PeerTimeout
from dialog.events import CallEnded, CallStarted, MachineHeard
from dialog.people_events import AgentJoined, AgentLeft
from dsp.parts import Part
from tests.fakes.desk_calls import FakeCallDesk
from tests.fakes.house import House, house
from tests.fakes.leg import FakeLeg
from tests.fakes.telephone import HOST
from tests.ports import FIRST, LAST
from voice.dialling import PlacedCall
from voice.net.rtp_port import RtpPorts
from voice.placing import Placing
from voice.ports import TICK_MS
from voice.services import People
from voice.sip_audio import SipAudio
from voice.third import Early
from voice.wire.negotiation import make_offer
from voice.wire.sdes import Srtp
from voice.wire.sdp import Codec


class Outside:
    """People outside: each call waits for `answer`. `early` is who is told of sound before it."""

    early: Early

    def __init__(self, home: House) -> None:
        self.dialled: list[str] = []
        self.given_up = 0
        self._home = home
        self._answer: asyncio.Future[PlacedCall]

    async def dial(self, number: str, *, early: Early) -> PlacedCall:
        self.dialled.append(number)
        self.early = early
        self._answer = asyncio.get_running_loop().create_future()
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.given_up += 1
            raise

    def answer(self) -> PlacedCall:
        """They pick up."""
        ports = RtpPorts(HOST, FIRST, LAST, Random())
        placed = PlacedCall(SipAudio(HOST, (Codec.PCMA,), Srtp.OFF, self._home.plane, ports))
        placed.audio.offer()
        placed.audio.agree(make_offer(HOST, 40_000, 1, 1, codecs=(Codec.PCMA,)))
        placed.audio.begin()
        placed.trunk = "carrier"
        placed.hang_up = lambda: placed.over("us")
        self._answer.set_result(placed)
        return placed

    def refuse(self, error: Exception) -> None:
        """They do not."""
        self._answer.set_exception(error)


class Told:
    """Whom the desk was told not to have been reached."""

    def __init__(self) -> None:
        self.not_reached_: list[tuple[str, str]] = []

    def not_reached(self, agent: str, why: str) -> None:
        self.not_reached_.append((agent, why))


class Scene:
    """Eve, whose audio stands unless she is `gone`, and a number that she has called."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.outside, self.desk, self.eve = Outside(home), Told(), FakeLeg()
        self.legs = {"eve": self.eve}
        home.calls.serve(People(FakeCallDesk(), self.legs.get, np.full(32_000, 77, np.int16)))
        self.placing = Placing(home.calls, self.outside, self.legs.get, home.tasks)
        self.placing.work_for(self.desk)


def tick(leg: FakeLeg, ms: int, there: FakeLeg | None = None) -> None:
    """Time passes for the agent, and for whom is called."""
    for _ in range(ms // TICK_MS):
        if there is not None:
            there.tick()
        leg.tick()


@asynccontextmanager
async def calling() -> AsyncIterator[Scene]:
    async with house() as home:
        scene = Scene(home)
        scene.placing.call_out("eve", "112")
        await home.tick(20)
        assert scene.outside.dialled == ["112"]
        yield scene


async def test_whoever_answers_is_with_the_agent() -> None:
    async with calling() as it:
        placed = it.outside.answer()
        await it.home.tick(60)
        (started,) = it.home.told(CallStarted)
        assert (started.placed_by, started.caller, started.trunk) == ("eve", "tel:112", "carrier")
        assert it.home.told(AgentJoined) == [AgentJoined(agent="eve")]
        assert it.eve.room is not None
        placed.over("far end")
        await it.home.tick(60)
        (ended,) = it.home.told(CallEnded)
        assert ended.cause == "caller"
        assert it.home.told(AgentLeft) == [AgentLeft(agent="eve", why="caller")]


async def test_the_agent_hears_that_it_rings_and_what_is_said_there_before_the_answer() -> None:
    async with calling() as it:
        tick(it.eve, 400)
        assert np.concatenate(it.eve.sent[-10:]).any(), "our tone"
        there = FakeLeg()
        it.outside.early(there)
        assert there.room is it.eve.room is not None
        assert (there.part, it.eve.part) == (Part.COACH, Part.COACHED)
        tick(it.eve, 200, there)
        assert not np.concatenate(it.eve.sent[-5:]).any(), "theirs"
        it.outside.answer()
        await it.home.tick(60)
        assert there.room is None
        assert it.eve.room is not None, "the call's"
        tick(it.eve, 2_000)
        assert not np.concatenate(it.eve.sent[-90:]).any(), "it rings no more"


@pytest.mark.parametrize("given_up", [False, True])
async def test_the_agents_audio_is_free_at_once_when_it_rings_no_more(given_up: bool) -> None:
    async with calling() as it:
        tick(it.eve, 200)
        if given_up:
            it.placing.give_up("eve")
        else:
            it.outside.refuse(PeerTimeout("no answer"))
            await it.home.tick(60)
        assert it.eve.room is None
        assert it.eve.queued_ms == 0
        tick(it.eve, 200)
        assert it.eve.queued_ms == 0


async def test_a_call_of_before_that_ends_does_not_end_the_one_that_is_placed_now() -> None:
    async with calling() as it:
        first = it.outside.answer()
        await it.home.tick(60)
        it.placing.call_out("eve", "113")
        await it.home.tick(20)
        first.over("far end")
        await it.home.tick(60)
        it.outside.answer()
        await it.home.tick(60)
        assert [started.dialled for started in it.home.told(CallStarted)] == ["112", "113"]


async def test_the_call_ends_and_they_are_hung_up_on() -> None:
    async with calling() as it:
        placed = it.outside.answer()
        await it.home.tick(60)
        it.home.calls.end_all()
        await it.home.tick(60)
        assert placed.ended.result() == "us"


async def test_a_machine_that_answers_is_told_and_whoever_is_no_answering_machine_is_hung_up_on() -> None:
    async with calling() as it:
        placed = it.outside.answer()
        await it.home.tick(60)
        placed.on_machine("answering_machine")
        await it.home.tick(60)
        assert it.home.told(MachineHeard) == [MachineHeard(what="answering_machine")]
        assert it.home.told(CallEnded) == [], "the agent may speak to it"
        placed.on_machine("congestion")
        await it.home.tick(60)
        (ended,) = it.home.told(CallEnded)
        assert ended.cause == "congestion"
        assert placed.ended.result() == "us"


@pytest.mark.parametrize(
    ("error", "why"),
    [(PeerForbidden("no"), "not_allowed"), (PeerTimeout("no answer"), "no_answer"), (ValueError("ours"), "failed")],
)
async def test_who_is_not_reached_is_told(error: Exception, why: str) -> None:
    async with calling() as it:
        it.outside.refuse(error)
        await it.home.tick(60)
        assert it.desk.not_reached_ == [("eve", why)]
        assert it.home.told(CallStarted) == []


async def test_a_call_is_given_up() -> None:
    async with calling() as it:
        it.placing.give_up("eve")
        it.placing.give_up("eve")
        await it.home.tick(60)
        assert it.outside.given_up == 1
        assert it.desk.not_reached_ == []


async def test_an_agent_who_is_gone_by_then_has_no_call_and_they_are_hung_up_on() -> None:
    async with calling() as it:
        it.legs.clear()
        placed = it.outside.answer()
        await it.home.tick(60)
        (ended,) = it.home.told(CallEnded)
        assert ended.cause == "agent_gone"
        assert placed.ended.result() == "us"
        assert it.desk.not_reached_ == [("eve", "ended")]

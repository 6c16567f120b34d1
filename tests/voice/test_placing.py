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
from tests.fakes.desk_calls import FakeCallDesk
from tests.fakes.house import House, house
from tests.fakes.leg import FakeLeg
from tests.fakes.telephone import HOST
from voice.dialling import PlacedCall
from voice.net.rtp_port import RtpPorts
from voice.placing import Placing
from voice.services import People
from voice.sip_audio import SipAudio
from voice.wire.negotiation import make_offer
from voice.wire.sdes import Srtp
from voice.wire.sdp import Codec


class Outside:
    """People outside: each call waits for `answer`."""

    def __init__(self, home: House) -> None:
        self.dialled: list[str] = []
        self.given_up = 0
        self._home = home
        self._answer: asyncio.Future[PlacedCall] = asyncio.get_running_loop().create_future()

    async def dial(self, number: str) -> PlacedCall:
        self.dialled.append(number)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.given_up += 1
            raise

    def answer(self) -> PlacedCall:
        """They pick up."""
        ports = RtpPorts(HOST, 25_000, 25_998, Random())
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
        self.placing = Placing(home.calls, self.outside, home.tasks)
        self.placing.work_for(self.desk)


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

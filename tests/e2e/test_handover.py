"""Real callers by SIP handed to real agents by WebRTC: who hears whom, how fast, and everything that can go wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import numpy as np
import pytest

from agent_assist.desk.messages import CallChanged, CallJoined, CallLeft, Offered, WrapUpDue
from agent_assist.desk.ports import Presence
from dialog.events import CallEnded, TurnUnderstood
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    HandoffRequested,
    HoldChanged,
    NoteWritten,
)
from tests.e2e.node import Node, serving
from tests.fakes.agent import ProgramAgent, program_agents
from voice.caller import Caller, OutgoingLine, open_caller
from voice.ports import RATE_HZ, Pcm

SETTINGS = """
[dialog]
engine = "keypad"
[record]
audio = false
[limits]
calls_per_minute = 600
[desk]
ring_s = 3
suggest = false
"""
BRIDGE_MS = 300
CALLER_HZ, AGENT_HZ = 400, 1_000
"""Multiples of 25 Hz: in windows of 40 ms neither shows in the other."""
SETTLE_MS = 400


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serving(tmp_path_factory.mktemp("desk"), SETTINGS) as node:
        yield node
        assert node.bad_lines() == [], node.log[-4_000:]


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_caller() as telephone:
        yield telephone


@pytest.fixture(scope="module")
def passwords(node: Node) -> dict[str, str]:
    return node.add_users(eve="agent", bob="agent")


def tone(frequency_hz: int, seconds: float) -> Pcm:
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (6_000 * np.sin(2 * np.pi * frequency_hz * at)).astype(np.int16)


def level_at(pcm: Pcm, frequency_hz: int, rate_hz: int) -> float:
    """How much of `frequency_hz` there is, as an amplitude: the middle one of windows of 40 ms, so that a packet that
    comes late elsewhere does not count."""
    size = rate_hz // 25
    windows = pcm[: pcm.size // size * size].reshape(-1, size).astype(np.float64)
    if not windows.size:
        return 0.0
    turns = np.exp(-2j * np.pi * frequency_hz * np.arange(size) / rate_hz)
    return float(np.median(2 * np.abs(windows @ turns) / size))


async def heard_after_ms(since_s: float, hear: Callable[[], Pcm], frequency_hz: int, rate_hz: int) -> float:
    """How long after `since_s` somebody first hears the other; `hear` gives the latest 40 ms."""
    while level_at(hear(), frequency_hz, rate_hz) < 1_000:
        assert time.monotonic() - since_s < 2.0, f"{frequency_hz} Hz was not heard"
        await asyncio.sleep(0.005)
    return (time.monotonic() - since_s) * 1000


async def ask_for_a_person(caller: Caller, node: Node, key: str = "0") -> tuple[OutgoingLine, str]:
    """Call the bot and press 0, once a second, as one does who is impatient; the line and the call's id. Another `key`
    leads to a person too, if it means nothing."""
    before = set(node.calls())
    line = await caller.dial(f"sip:100@127.0.0.1:{node.sip_port}")
    await line.wait(2_000)
    while True:
        await line.press(key)
        for _ in range(5):
            await line.wait(200)
            assert not line.ended.done(), "the call ended before anybody was asked for"
            for call_id in set(node.calls()) - before:
                if told(node, HandoffRequested, call_id):
                    return line, call_id


E = TypeVar("E")


def told(node: Node, kind: type[E], call_id: str) -> list[E]:
    return [record.event for record in node.journal(call_id) if isinstance(record.event, kind)]


async def until(node: Node, kind: type[E], call_id: str, count: int = 1) -> list[E]:
    async with asyncio.timeout(30):
        while len(found := told(node, kind, call_id)) < count:
            await asyncio.sleep(0.05)
    return found


async def ring(agent: ProgramAgent, since: int = 0) -> str:
    """Wait until a call rings; its id. What is known stands on the screen before anybody answers."""
    offered = await agent.expect(Offered, since=since)
    assert offered.offer.brief.summary
    assert offered.offer.brief.reason
    return offered.offer.call_id


async def write_down(agent: ProgramAgent) -> None:
    """Write down how the call ended, as soon as that is due; the agent is ready again."""
    wrap_up = (await agent.expect(WrapUpDue)).wrap_up
    await agent.becomes(Presence.WRAPPING)
    body = {"call_id": wrap_up.call_id, "disposition": wrap_up.dispositions[0], "note": "router"}
    assert await agent.post("wrapup", body) == 204
    await agent.becomes(Presence.READY)


async def test_both_hear_each_other_and_not_themselves_and_the_bridge_stands_at_once(
    node: Node, caller: Caller, passwords: dict[str, str]
) -> None:
    async with program_agents(node.web_url, "eve") as (eve,):
        await eve.start(passwords["eve"])
        line, call_id = await ask_for_a_person(caller, node)
        assert await ring(eve) == call_id
        speaking = asyncio.create_task(line.say(tone(CALLER_HZ, 4.0)))
        eve.speak(tone(AGENT_HZ, 4.0))
        heard_before = len(eve.heard)
        await line.wait(200)  # both speak already
        pressed_s = time.monotonic()
        status, *gaps_ms = await asyncio.gather(
            eve.post("answer", {"call_id": call_id}),
            heard_after_ms(pressed_s, lambda: eve.audio()[-320:], CALLER_HZ, 8_000),
            heard_after_ms(pressed_s, lambda: line.heard_between(line.now_ms - 40), AGENT_HZ, RATE_HZ),
        )
        assert status == 204
        print("from the answer to the other's voice, at agent and caller:", *map(round, gaps_ms), "ms")
        assert max(gaps_ms) <= BRIDGE_MS
        await eve.expect(CallJoined)
        await line.wait(1_500)
        at_caller, at_agent = line.heard_between(line.now_ms - 1_000), eve.audio()[-8_000:]
        assert level_at(at_caller, AGENT_HZ, RATE_HZ) > 3_000
        assert level_at(at_caller, CALLER_HZ, RATE_HZ) < 100
        assert level_at(at_agent, CALLER_HZ, 8_000) > 3_000
        assert level_at(at_agent, AGENT_HZ, 8_000) < 100
        assert len(eve.heard) > heard_before

        assert await eve.post("hold", {"on": True}) == 204
        await until(node, HoldChanged, call_id)
        await line.wait(1_000)
        on_hold = line.heard_between(line.now_ms - 500)
        assert level_at(on_hold, AGENT_HZ, RATE_HZ) < 300
        assert np.sqrt(np.mean(on_hold.astype(np.float64) ** 2)) > 100, "there is no music"
        assert level_at(eve.audio()[-4_000:], CALLER_HZ, 8_000) < 100
        assert await eve.post("hold", {"on": False}) == 204
        speaking.cancel()

        assert await eve.post("note", {"text": "Has a yellow router."}) == 204
        assert (await until(node, NoteWritten, call_id))[0].text == "Has a yellow router."
        assert await eve.post("hangup") == 204
        await asyncio.wait_for(line.ended, 20)
        ended = (await until(node, CallEnded, call_id))[0]
        assert ended.cause == "agent"
        await write_down(eve)


async def test_whoever_is_not_understood_twice_is_led_to_a_person(node: Node, caller: Caller) -> None:
    line, call_id = await ask_for_a_person(caller, node, key="7")
    assert [event.reason for event in told(node, HandoffRequested, call_id)] == ["not understood"]
    acts = [act for event in told(node, TurnUnderstood, call_id) for act in event.actions]
    assert acts == ["action_not_understood", "action_not_understood"]
    line.hang_up()
    await until(node, CallEnded, call_id)


async def test_from_one_agent_to_the_next_and_back_to_the_bot(
    node: Node, caller: Caller, passwords: dict[str, str]
) -> None:
    async with program_agents(node.web_url, "eve", "bob") as (eve, bob):
        await eve.start(passwords["eve"])
        line, call_id = await ask_for_a_person(caller, node)
        await ring(eve)
        await eve.post("answer", {"call_id": call_id})
        await eve.expect(CallJoined)
        await bob.start(passwords["bob"])

        # declined: nothing has happened to the caller
        assert await eve.post("transfer", {"to": "bob"}) == 204
        await ring(bob)
        assert await bob.post("decline", {"call_id": call_id}) == 204
        assert (await eve.expect(CallChanged, lambda changed: bool(changed.trouble))).trouble == "declined"
        assert len(told(node, AgentJoined, call_id)) == 1

        at = len(bob.messages)
        assert await eve.post("transfer", {"to": "bob"}) == 204
        assert await ring(bob, since=at) == call_id
        assert await bob.post("answer", {"call_id": call_id}) == 204
        await bob.expect(CallJoined)
        assert (await eve.expect(CallLeft)).why == "transferred"
        await write_down(eve)
        assert [event.agent for event in await until(node, AgentJoined, call_id, 2)] == ["eve", "bob"]

        assert await bob.post("handback") == 204
        assert (await until(node, BotReturned, call_id))[0].why == "handed_back"
        assert [event.why for event in await until(node, AgentLeft, call_id, 2)] == ["transferred", "handed_back"]
        await write_down(bob)
        line.hang_up()
        assert (await until(node, CallEnded, call_id))[0].cause == "caller"


async def test_an_agent_whose_page_is_loaded_again_finds_the_caller_on_hold_and_everything_on_the_screen(
    node: Node, caller: Caller, passwords: dict[str, str]
) -> None:
    async with program_agents(node.web_url, "eve") as (eve,):
        await eve.start(passwords["eve"])
        line, call_id = await ask_for_a_person(caller, node)
        await ring(eve)
        await eve.post("answer", {"call_id": call_id})
        await eve.expect(CallJoined)
        await eve.close_audio()
        await eve.close_feed()
        assert [hold.on for hold in await until(node, HoldChanged, call_id)] == [True]
        at = len(eve.messages)
        await eve.read_feed()
        snapshot = eve.messages[at][1].message
        assert snapshot.type == "snapshot"
        assert snapshot.call is not None
        assert snapshot.call.call_id == call_id
        assert [record.seq for record in snapshot.call.records] == list(range(len(snapshot.call.records)))
        await eve.open_audio()
        assert len(await until(node, AgentJoined, call_id, 2)) == 2
        line.hang_up()
        await eve.expect(CallLeft, since=at)
        await write_down(eve)
        assert not told(node, AgentLeft, call_id) or told(node, AgentLeft, call_id)[0].why == "caller"

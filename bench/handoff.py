"""Calls that people have, 1, 4 and 8 at once: what they cost, both sides written down, and how late screens are.

A node in its own process; callers by SIP and agents by WebRTC (G.711) in this one, on the same machine. Caller and
agent speak in turns, synthetic speech without a pause. Mouth to ear is taken at the sockets: from the departure of a
packet of the caller to its arrival at the agent, with the jitter buffer on the way. The feed's lag is that of a note:
from the agent's request to its record on the agent's own feed.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import SystemRandom

from agent_assist.desk.messages import Recorded
from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from bench.figures import Figure
from bench.served import ServedNode, served_node
from bench.timed_wire import TimedWire, cut, voiced
from dialog.events import CallEnded, FinalHeard
from dialog.people_events import NoteWritten
from tests.fakes.agent import ProgramAgent, program_agents
from voice.caller import FIRST_PORT, LAST_PORT, Caller, OutgoingLine, open_caller
from voice.commands.call import render
from voice.net.rtp_port import RtpPorts
from voice.ports import RATE_HZ, TICK_MS, Pcm
from voice.speech.host import SpeechHost
from voice.speech.settings import EngineSettings

CALLS = (1, 4, 8)
TURNS = 3
NOTES = 40
CALLER_SAYS = "I have moved to another street last week and since then my internet does not work any more."
AGENT_SAYS = "I see, let me look at your line. Can you tell me which lights are on at the front of your router?"
HAND_OVER_S = 30.0
SETTLE_S = 1.5
"""Between the turns: a phrase has to be over to be written down."""


class TimedPackets(list[bytes]):
    """Packets that came, and when the last one with sound did (s, of the day)."""

    def __init__(self) -> None:
        super().__init__()
        self.voiced_came_s = 0.0

    def append(self, packet: bytes) -> None:
        super().append(packet)
        if voiced(packet):
            self.voiced_came_s = time.time()


@dataclass(slots=True)
class Load:
    """What was measured with `calls` at once."""

    calls: int
    mouth_to_ear_ms: list[float] = field(default_factory=list)
    text_ms: list[float] = field(default_factory=list)
    notes_ms: list[float] = field(default_factory=list)
    phrases: int = 0
    talk_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A caller with an agent."""

    line: OutgoingLine
    wire: TimedWire
    agent: ProgramAgent
    heard: TimedPackets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this bench."""
    parser.add_argument("--calls", type=int, nargs="*", default=CALLS, help="how many at once, one load each")


def run(options: argparse.Namespace) -> list[Figure]:
    """All loads, on one node, lightest first."""
    return asyncio.run(_run(options.calls))


async def _run(loads: Sequence[int]) -> list[Figure]:
    speech = SpeechHost(EngineSettings())
    await speech.start()
    try:
        said = cut(await render(speech.mouth, CALLER_SAYS)), cut(await render(speech.mouth, AGENT_SAYS))
    finally:
        await speech.close()
    figures: list[Figure] = []
    ports = RtpPorts("127.0.0.1", FIRST_PORT, LAST_PORT, SystemRandom(), TimedWire)
    settings = ('dialog.engine="keypad"', "limits.calls_per_minute=600", f"desk.agents={sum(loads)}")
    async with served_node(*settings) as node, open_caller(ports=ports) as caller:
        for calls in loads:
            load = Load(calls)
            before = await _ends(node)
            names = [f"agent{number}of{calls}" for number in range(calls)]  # who was in a call has it to write up still
            passwords = {name: node.command("users", "add", name) for name in names}
            async with program_agents(node.web_url, *names) as agents:
                for agent in agents:
                    agent.heard = TimedPackets()
                    await agent.start(passwords[agent.name])
                pairs = [await hand_over(node, caller, agents) for _ in range(calls)]
                await _measure(node, pairs, said, load)
                for pair in pairs:
                    pair.line.hang_up()
                    await pair.line.ended
            ends = await _ends(node)
            figures += _figures(load, [ends[call_id] for call_id in ends.keys() - before.keys()])
    return figures


async def hand_over(node: ServedNode, caller: Caller, agents: Sequence[ProgramAgent]) -> Pair:
    """One more call, from the keypad bot to whichever agent it rings."""
    line = await caller.dial(f"sip:100@127.0.0.1:{node.sip_port}")
    try:
        async with asyncio.timeout(HAND_OVER_S):
            agent = await _answered(line, agents)
    except TimeoutError as error:
        presences = ", ".join(f"{agent.name} {agent.presence}" for agent in agents)
        raise TimeoutError(f"no agent was rung within {HAND_OVER_S:.0f} s; they are: {presences}") from error
    assert isinstance(line.wire, TimedWire)
    assert isinstance(agent.heard, TimedPackets)
    return Pair(line, line.wire, agent, agent.heard)


async def _answered(line: OutgoingLine, agents: Sequence[ProgramAgent]) -> ProgramAgent:
    while True:
        await line.wait(2_500)
        await line.press("0")  # again, where that was during a notice
        for _ in range(20):
            await line.wait(200)
            if line.ended.done():
                raise RuntimeError(f"a caller was hung up on before an agent was rung, by: {line.ended.result()}")
            for agent in agents:
                if agent.ringing and await agent.post("answer", {"call_id": agent.ringing}) == 204:
                    return agent


async def _measure(node: ServedNode, pairs: Sequence[Pair], said: tuple[Pcm, Pcm], load: Load) -> None:
    cpu_s, began_s = node.cpu_s(), time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, pair in enumerate(pairs):
            tasks.create_task(_talk(pair, said, number * 0.37, load))
            tasks.create_task(_notes(pair.agent, load))
    load.talk_s = (time.monotonic() - began_s) * len(pairs)
    load.cpu_s = node.cpu_s() - cpu_s
    load.memory_mb = node.memory_mb()


async def _talk(pair: Pair, said: tuple[Pcm, Pcm], pause_s: float, load: Load) -> None:
    await asyncio.sleep(pause_s)  # people do not speak in step
    begin = len(pair.agent.messages)
    for _ in range(TURNS):
        pair.wire.watch()
        at = len(pair.agent.messages)
        await pair.line.say(said[0])
        left_s = pair.wire.voiced_left_s
        await asyncio.sleep(SETTLE_S)
        load.mouth_to_ear_ms.append((pair.heard.voiced_came_s - left_s) * 1000)
        monotonic_s = left_s - (time.time() - time.monotonic())
        load.text_ms += [(came_s - monotonic_s) * 1000 for came_s, _ in _finals(pair.agent, at)]
        pair.agent.speak(said[1])
        await asyncio.sleep(said[1].size / RATE_HZ + SETTLE_S)
    load.phrases += len({(final.speaker, final.voice_start_ms) for _, final in _finals(pair.agent, begin)})


def _finals(agent: ProgramAgent, since: int) -> list[tuple[float, FinalHeard]]:
    """What was written down since then, and when it came (s, monotonic)."""
    return [
        (came_s, envelope.message.record.event)
        for came_s, envelope in agent.messages[since:]
        if isinstance(envelope.message, Recorded) and isinstance(envelope.message.record.event, FinalHeard)
    ]


async def _notes(agent: ProgramAgent, load: Load) -> None:
    for number in range(NOTES):
        text, at = f"note {number}", len(agent.messages)

        def is_it(told: Recorded, text: str = text) -> bool:
            return isinstance(told.record.event, NoteWritten) and told.record.event.text == text

        asked_s = time.monotonic()
        await agent.post("note", {"text": text})
        await agent.expect(Recorded, is_it, since=at)
        came_s = next(came for came, e in agent.messages[at:] if isinstance(e.message, Recorded) and is_it(e.message))
        load.notes_ms.append((came_s - asked_s) * 1000)
        await asyncio.sleep(0.5)


async def _ends(node: ServedNode) -> dict[str, CallEnded]:
    """How the calls so far ended, by their ids."""
    await asyncio.sleep(1.0)  # the writer of the node is a batch behind
    database = await Database.open(node.folder / "calls.sqlite")
    store = SqlCallStore(database, node.folder)
    try:
        journals = {head.call_id: await store.journal(head.call_id) for head in await store.calls(limit=200)}
    finally:
        await database.close()
    return {
        call_id: journal[-1].event for call_id, journal in journals.items() if isinstance(journal[-1].event, CallEnded)
    }


def _figures(load: Load, ends: Sequence[CallEnded]) -> list[Figure]:
    name = f"calls_{load.calls}"
    frames = sum(end.duration_ms for end in ends) / TICK_MS
    notes = sorted(load.notes_ms)
    return [
        Figure(f"{name}.mouth_to_ear.p50", statistics.median(load.mouth_to_ear_ms), "ms"),
        Figure(f"{name}.mouth_to_ear.max", max(load.mouth_to_ear_ms), "ms"),
        Figure(f"{name}.last_voice_to_text_on_screen.p50", statistics.median(load.text_ms), "ms"),
        Figure(f"{name}.last_voice_to_text_on_screen.max", max(load.text_ms), "ms"),
        Figure(f"{name}.phrases_written_down", load.phrases, "phrases", f">= {2 * TURNS * load.calls}"),
        Figure(f"{name}.feed_lag.p50", statistics.median(notes), "ms"),
        Figure(f"{name}.feed_lag.p99", notes[int(len(notes) * 0.99)], "ms"),
        Figure(f"{name}.late_frames", 100 * sum(end.late_frames for end in ends) / max(frames, 1), "%", "< 1"),
        Figure(f"{name}.cpu", load.cpu_s / (load.talk_s / 60), "CPU s per call-minute"),
        Figure(f"{name}.memory", load.memory_mb, "MB"),
    ]

"""From the caller's last voiced sample to the first voiced packet of the answer, at 1, 4 and 8 calls.

A node in its own process is called by real SIP callers in this one; both share the machine. The time is taken at the
caller's socket: from the departure of the packet with the last voiced sample of a question to the kernel's time stamp
of the first packet of the answer that holds sound. Answers are spoken as they come (none is a cached prompt) and
nothing fills the wait. The parts come from the node's own ledger.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from bench.figures import Figure
from bench.served import ServedNode, served_node
from bench.timed_wire import TimedWire, cut
from dialog.bot.phrases import fixed
from dialog.events import CallEnded, PlaybackStarted, TurnTimed
from voice.caller import FIRST_PORT, LAST_PORT, Caller, OutgoingLine, open_caller
from voice.commands.call import render
from voice.net.rtp_port import RtpPorts
from voice.ports import TICK_MS, Pcm
from voice.speech.host import SpeechHost
from voice.speech.phrases import split_phrases
from voice.speech.settings import EngineSettings

CALLS = (1, 4, 8)
ROUNDS = {1: 4, 4: 3, 8: 2}
QUESTIONS = (
    "I would like to know my balance.",
    "One two three four five six seven eight.",
    "What are your opening hours?",
    "There is a fault on my line.",
    "Five five five zero one four two.",
)


@dataclass(slots=True)
class Load:
    """What was measured with `calls` at once."""

    calls: int
    answers_ms: list[float] = field(default_factory=list)
    unanswered: int = 0
    call_ms: int = 0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this bench."""
    parser.add_argument("--calls", type=int, nargs="*", default=CALLS, help="how many at once, one load each")
    parser.add_argument("--rounds", type=int, default=0, help="conversations one after another in each load")


def run(options: argparse.Namespace) -> list[Figure]:
    """All loads, on one node, lightest first."""
    return asyncio.run(_run(options.calls, options.rounds))


async def _run(calls: Sequence[int], rounds: int) -> list[Figure]:
    questions = await _render()
    figures: list[Figure] = []
    ports = RtpPorts("127.0.0.1", FIRST_PORT, LAST_PORT, SystemRandom(), TimedWire)
    async with served_node("limits.calls_per_minute=1000") as node, open_caller(ports=ports) as caller:
        for number in calls:
            before = await _journals(node, set())
            load = await _measure(node, caller, number, rounds or ROUNDS.get(number, 2), questions)
            figures += _figures(load, await _journals(node, set(before)))
    return figures


async def _render() -> list[Pcm]:
    """The questions, spoken, each cut at its last voiced tick so that the end is known to the packet."""
    speech = SpeechHost(EngineSettings())
    await speech.start()
    try:
        return [cut(await render(speech.mouth, text)) for text in QUESTIONS]
    finally:
        await speech.close()


async def _measure(node: ServedNode, caller: Caller, calls: int, rounds: int, questions: list[Pcm]) -> Load:
    load = Load(calls)
    cpu_s = node.cpu_s()
    for turn in range(rounds):
        chance = Random(turn)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(calls):
                tasks.create_task(_converse(node, caller, questions, chance.uniform(0, 4), load))
    load.cpu_s = node.cpu_s() - cpu_s
    load.memory_mb = node.memory_mb()
    return load


async def _converse(node: ServedNode, caller: Caller, questions: list[Pcm], pause_s: float, load: Load) -> None:
    await asyncio.sleep(pause_s)  # callers do not speak in step
    line = await caller.dial(f"sip:100@127.0.0.1:{node.sip_port}")
    wire = line.wire
    assert isinstance(wire, TimedWire)
    await line.until_quiet()
    for question in questions:
        wire.watch()
        await line.say(question)
        await _answered(line, wire)
        if wire.answer_came_s:
            load.answers_ms.append((wire.answer_came_s - wire.voiced_left_s) * 1000)
        else:
            load.unanswered += 1
        await line.until_quiet(limit_ms=10_000)
    load.call_ms += line.now_ms
    line.hang_up()
    await line.ended


async def _answered(line: OutgoingLine, wire: TimedWire, limit_ms: int = 10_000) -> None:
    until_ms = line.now_ms + limit_ms
    while not wire.answer_came_s and line.now_ms < until_ms and not line.ended.done():
        await line.wait(TICK_MS)


async def _journals(node: ServedNode, known: set[str]) -> dict[str, list[object]]:
    """Events of the calls that are not `known`, by call id."""
    database = await Database.open(Path(node.folder) / "calls.sqlite")
    store = SqlCallStore(database, Path(node.folder))
    try:
        await asyncio.sleep(1.0)  # the writer of the node is a batch behind
        heads = [head for head in await store.calls(limit=1000) if head.call_id not in known]
        return {head.call_id: [record.event for record in await store.journal(head.call_id)] for head in heads}
    finally:
        await database.close()


def _figures(load: Load, journals: dict[str, list[object]]) -> list[Figure]:
    events = [event for journal in journals.values() for event in journal]
    timed = [event for event in events if isinstance(event, TurnTimed)]
    ended = [event for event in events if isinstance(event, CallEnded)]
    prompts = {phrase for text in fixed() for phrase in split_phrases(text)}
    cached = {event.text for event in events if isinstance(event, PlaybackStarted)} & prompts
    frames = sum(event.duration_ms for event in ended) / TICK_MS
    late = 100 * sum(event.late_frames for event in ended) / max(frames, 1)
    target = load.calls == 4
    name = f"calls_{load.calls}"
    quantiles = statistics.quantiles(load.answers_ms, n=20)
    return [
        Figure(f"{name}.voice_to_voice.p50", statistics.median(load.answers_ms), "ms", "<= 900" if target else ""),
        Figure(f"{name}.voice_to_voice.p95", quantiles[-1], "ms", "<= 1500" if target else ""),
        Figure(f"{name}.answers", len(load.answers_ms), "turns"),
        Figure(f"{name}.unanswered", load.unanswered, "turns", "<= 0"),
        *(
            Figure(f"{name}.ledger.{part}.p50", statistics.median(getattr(turn, f"{part}_ms") for turn in timed), "ms")
            for part in ("endpoint", "final", "reply", "first_audio")
        ),
        Figure(f"{name}.late_frames", late, "%", "< 1" if target else ""),
        Figure(f"{name}.cpu", load.cpu_s / (load.call_ms / 60_000), "CPU s per call-minute"),
        Figure(f"{name}.memory", load.memory_mb, "MB"),
        Figure(f"{name}.fixed_prompts_heard", len(cached), "texts"),
    ]

"""From a caller's last word to the suggestion on the agent's screen, with four calls at once that people have.

One agent is Chromium with the panel, listening; the others are programs who speak in turn with their callers, so that
both sides of all calls are written down meanwhile. The time begins when the packet with the last voiced sample of a
phrase leaves the caller's socket, and ends when the page has painted the cards: the task after the frame that shows
them. Callers, agents, browser and node share the machine. The parts come from the call's journal.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import SystemRandom

import numpy as np
import soundfile

from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from bench.figures import Figure
from bench.handoff import AGENT_SAYS, CALLER_SAYS, SETTLE_S, Pair, TimedPackets, hand_over
from bench.served import ServedNode, served_node
from bench.timed_wire import TimedWire, cut
from dialog.events import FinalHeard, Record
from dialog.people_events import SuggestionsShown
from tests.e2e.agent_page import AgentPage, agent_page
from tests.fakes.agent import program_agents
from voice.caller import FIRST_PORT, LAST_PORT, Caller, OutgoingLine, open_caller
from voice.commands.call import render
from voice.net.rtp_port import RtpPorts
from voice.ports import RATE_HZ, Pcm
from voice.speech.host import SpeechHost
from voice.speech.models import cache_dir
from voice.speech.settings import EngineSettings

CALLS = 4
PHRASES = (
    "There is a red lamp on the box.",
    "I got a letter from a collection agency.",
    "My mobile has no network.",
    "I would like to keep my number when I change to you.",
    "How much does a call from New York cost?",
    "Somebody has stolen my phone.",
    "The voice mail does not take messages any more.",
    "I have forgotten my wifi password.",
    "We are moving to another house next month.",
    "My internet is so slow in the evening.",
    "I want to cancel my contract.",
    "How can I pay my bill in instalments?",
    "I need a second card for my tablet.",
    "An engineer should have been here this morning.",
    "Somebody calls me every night and says nothing.",
    "I have used up all my data.",
    "My phone asks for a PUK code.",
    "The router that you sent me is broken.",
    "What are your opening hours on Saturday?",
    "I do not want a paper bill any more.",
)
CARD_S = 5.0
VECTORS_S = 600.0


@dataclass(slots=True)
class Measured:
    """Milliseconds for each phrase that led to cards, and how many did not."""

    cards_ms: list[float] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this bench."""
    parser.add_argument("--calls", type=int, default=CALLS, help="how many at once")


def run(options: argparse.Namespace) -> list[Figure]:
    """All phrases in one call, beside `calls - 1` others."""
    return asyncio.run(_run(options.calls))


async def _run(calls: int) -> list[Figure]:
    caller_says, agent_says, *phrases = await _rendered(CALLER_SAYS, AGENT_SAYS, *PHRASES)
    others = [f"agent{number}" for number in range(1, calls)]
    ports = RtpPorts("127.0.0.1", FIRST_PORT, LAST_PORT, SystemRandom(), TimedWire)
    settings = ('dialog.engine="keypad"', "limits.calls_per_minute=600")
    async with served_node(*settings) as node, open_caller(ports=ports) as caller:
        await _vectors_made()
        passwords = {name: node.command("users", "add", name) for name in ("eve", *others)}
        silence = node.folder / "silence.wav"
        soundfile.write(silence, np.zeros(48_000, np.int16), 48_000, subtype="PCM_16")
        async with (
            agent_page(node.web_url, "eve", passwords["eve"], silence) as eve,
            program_agents(node.web_url, *others) as agents,
        ):
            await eve.ready()
            line = await _called(node, caller, eve)
            for agent in agents:
                agent.heard = TimedPackets()
                await agent.start(passwords[agent.name])
            pairs = [await hand_over(node, caller, agents) for _ in agents]
            measured = Measured()
            async with asyncio.TaskGroup() as tasks:
                talks = [tasks.create_task(_talk(pair, caller_says, agent_says, n)) for n, pair in enumerate(pairs)]
                await _ask(line, eve, phrases, measured)
                for talk in talks:
                    talk.cancel()
            for each in (line, *(pair.line for pair in pairs)):
                each.hang_up()
                await each.ended
            await eve.write_down("Solved", "")
        journal = await _journal(node)
    return _figures(measured, journal)


async def _rendered(*texts: str) -> list[Pcm]:
    """Each cut at its last voiced tick, so that its end is known to the packet."""
    speech = SpeechHost(EngineSettings())
    await speech.start()
    try:
        return [cut(await render(speech.mouth, text)) for text in texts]
    finally:
        await speech.close()


async def _vectors_made() -> None:
    """Wait: before, articles are found by their words alone, and the child that makes vectors takes a core."""
    made = cache_dir() / "articles" / "article-vectors.npz"
    async with asyncio.timeout(VECTORS_S):
        while not made.exists():  # noqa: ASYNC110 - another process makes it, once for this user
            await asyncio.sleep(0.5)


async def _called(node: ServedNode, caller: Caller, eve: AgentPage) -> OutgoingLine:
    """The call that is watched: from the keypad bot to the page."""
    line = await caller.dial(f"sip:100@127.0.0.1:{node.sip_port}")
    while not await eve.is_rung():
        await line.press("0")  # not heard before the notice is over
        await line.wait(1_000)
    await eve.press("Alt+a")
    await eve.talking()
    return line


async def _talk(pair: Pair, caller_says: Pcm, agent_says: Pcm, number: int) -> None:
    """Caller and agent in turn, until there is nothing more to measure."""
    await asyncio.sleep(number * 0.37)  # people do not speak in step
    while True:
        await pair.line.say(caller_says)
        await asyncio.sleep(SETTLE_S)
        pair.agent.speak(agent_says)
        await asyncio.sleep(agent_says.size / RATE_HZ + SETTLE_S)


async def _ask(line: OutgoingLine, eve: AgentPage, phrases: Sequence[Pcm], measured: Measured) -> None:
    wire = line.wire
    assert isinstance(wire, TimedWire)
    for text, phrase in zip(PHRASES, phrases, strict=True):
        before = len(await eve.painted_s())
        wire.watch()
        await line.say(phrase)
        try:
            async with asyncio.timeout(CARD_S):
                while len(painted_s := await eve.painted_s()) == before:  # noqa: ASYNC110 - the page's own list
                    await asyncio.sleep(0.1)
            measured.cards_ms.append((painted_s[before] - wire.voiced_left_s) * 1000)
        except TimeoutError:
            measured.without.append(text)
        await asyncio.sleep(SETTLE_S)


async def _journal(node: ServedNode) -> list[Record]:
    """Of the call that is watched: the first one."""
    await asyncio.sleep(1.0)  # the writer of the node is a batch behind
    database = await Database.open(node.folder / "calls.sqlite")
    store = SqlCallStore(database, node.folder)
    try:
        return await store.journal((await store.calls(limit=100))[-1].call_id)
    finally:
        await database.close()


def _figures(measured: Measured, journal: Sequence[Record]) -> list[Figure]:
    cards_ms = measured.cards_ms
    said = {r.event.utterance: (r.at_ms, r.event) for r in journal if isinstance(r.event, FinalHeard)}
    shown = [(r.at_ms, r.event) for r in journal if isinstance(r.event, SuggestionsShown)]
    words_ms = [said[event.utterance][0] - said[event.utterance][1].voice_end_ms for _, event in shown]
    found_ms = [at_ms - said[event.utterance][1].voice_end_ms for at_ms, event in shown]
    return [
        Figure("last_voice_to_card.p50", statistics.median(cards_ms), "ms"),
        Figure("last_voice_to_card.p95", float(np.percentile(cards_ms, 95)), "ms", "<= 1000"),
        Figure("last_voice_to_card.max", max(cards_ms), "ms"),
        Figure("journal.last_voice_to_words.p50", statistics.median(words_ms), "ms"),
        Figure("journal.last_voice_to_words.p95", float(np.percentile(words_ms, 95)), "ms"),
        Figure("journal.last_voice_to_suggestion.p50", statistics.median(found_ms), "ms"),
        Figure("journal.last_voice_to_suggestion.p95", float(np.percentile(found_ms, 95)), "ms"),
        Figure("suggester.p95", float(np.percentile([event.took_ms for _, event in shown], 95)), "ms"),
        Figure("phrases", len(cards_ms), "phrases"),
        Figure("phrases_without_a_card", len(measured.without), "phrases"),
    ]

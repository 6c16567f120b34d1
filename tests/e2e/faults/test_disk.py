"""A disk that takes nothing and a store that is locked: calls go on, and the account of them is made up for."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest
import soundfile

from dialog.events import CallEnded, FinalHeard, RecordingGapped
from tests.e2e.faults.conversation import HOURS, Conversation, dial, until
from tests.e2e.node import Node
from voice.caller import VOICED, Caller, OutgoingLine
from voice.ports import RATE_HZ, TICK_MS

pytestmark = pytest.mark.timeout(120)

FULL_BYTES = 4_096


@contextmanager
def full_disk(node: Node) -> Iterator[None]:
    """No file of the node, its log included, grows past `FULL_BYTES`: what a full disk is to a writer."""
    process = psutil.Process(node.process.pid)
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(node: Node) -> Iterator[None]:
    """Somebody else holds the store's write lock."""
    with closing(sqlite3.connect(node.data / "calls.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def speech(line: OutgoingLine) -> None:
    """Wait until a second of speech was heard from now on."""
    start = line.now_ms // TICK_MS

    def heard() -> bool:
        return sum(voice >= VOICED for voice in line.voice[start:]) * TICK_MS >= 1_000

    await until("a second of speech", heard)
    assert not line.ended.done()


async def answered_aloud(conversation: Conversation) -> None:
    """Ask, and hear an answer: what a caller knows, with no journal to look at."""
    await conversation.say(HOURS)
    await speech(conversation.line)


async def test_calls_go_on_and_are_recorded_again_afterwards(node: Node, caller: Caller) -> None:
    retries = node.figures()["centralino_journal_records_total"]["retries"]
    conversation = await dial(node, caller)
    await conversation.greeted()
    with locked(node):
        await answered_aloud(conversation)
    await conversation.journal.awaits("what waited for the lock", lambda: bool(conversation.journal.events(FinalHeard)))
    with full_disk(node):
        await answered_aloud(conversation)
        blind = await caller.dial(f"sip:100@127.0.0.1:{node.sip_port}")
        await speech(blind)
        blind.hang_up()
        await blind.ended
    # what waited is written as soon as the store takes it
    await conversation.journal.awaits(
        "both turns in the journal", lambda: len(conversation.journal.events(FinalHeard)) == 2, 25
    )
    assert node.figures()["centralino_journal_records_total"]["retries"] > retries
    await conversation.hang_up()
    following = await dial(node, caller)
    await following.greeted()
    await following.hang_up()
    assert following.journal.events(CallEnded)[0].cause == "caller"
    recording = node.recording(following.journal.call_id)
    await following.journal.awaits("the next call's recording", recording.exists)
    sound = soundfile.info(recording)
    assert (sound.samplerate, sound.channels) == (RATE_HZ, 2)
    assert sound.duration > 4
    assert not any(recording.name in line for line in node.log.splitlines() if "recording partial" in line)
    (ended,) = conversation.journal.events(CallEnded)
    (gapped,) = conversation.journal.events(RecordingGapped)
    assert gapped.reason == "File too large"
    whole = soundfile.info(node.recording(conversation.journal.call_id)).duration
    assert abs(whole - ended.duration_ms / 1000) < 0.5, "the full disk cost the first call's recording no time"
    assert node.figures()["centralino_recordings_total"]["partial"] == 2
    assert node.figures()["centralino_recorder"]["amiss"] == 0

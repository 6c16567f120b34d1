"""A caller who goes on talking whatever happens to the node, and what the node made of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import soxr
from hibari import Hibari

from dialog.events import (
    CallEnded,
    FinalHeard,
    PlaybackStarted,
    ReplyGiven,
    TurnUnderstood,
)
from tests.e2e.node import Node
from voice.caller import Caller, OutgoingLine
from voice.dialling import CallRefused
from voice.ports import RATE_HZ, Pcm

HOURS = "What are your opening hours?"
TURN_S = 20.0
"""From the caller's last word to the answer's first packet, with a child coming back meanwhile."""

BUSY_S = 8.0

E = TypeVar("E")


@lru_cache
def spoken(text: str) -> Pcm:
    """`text` in a synthetic voice."""
    blocks = [np.asarray(block, np.float32) for block in Hibari(threads=1).stream(text)]
    sound = soxr.resample(np.concatenate(blocks), 24_000, RATE_HZ)
    pcm: Pcm = (sound / np.max(np.abs(sound)) * 12_000).astype(np.int16)
    return pcm


async def until(what: str, holds: Callable[[], bool], limit_s: float = TURN_S) -> None:
    """Real processes: there is nothing to wait on but time."""
    try:
        async with asyncio.timeout(limit_s):
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {limit_s:g} s") from None


@dataclass(slots=True)
class Journal:
    """The stored account of one call."""

    node: Node
    call_id: str

    def events(self, kind: type[E]) -> list[E]:
        return [record.event for record in self.node.journal(self.call_id) if isinstance(record.event, kind)]

    def __str__(self) -> str:
        return "\n".join(f"{r.at_ms:>7} {r.event!r}" for r in self.node.journal(self.call_id))

    async def awaits(self, what: str, holds: Callable[[], bool], limit_s: float = TURN_S) -> None:
        try:
            await until(what, holds, limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self}\n{self.node.log[-3000:]}") from None

    async def answered(self, finals: int, limit_s: float = TURN_S) -> FinalHeard:
        """Wait until utterance number `finals` (from 1) was understood and its answer has begun to be said."""
        await self.awaits("an utterance understood", lambda: len(self.events(FinalHeard)) >= finals, limit_s)
        await self.awaits("its answer", lambda: self._begun(finals), limit_s)
        return self.events(FinalHeard)[finals - 1]

    def _begun(self, finals: int) -> bool:
        events = [record.event for record in self.node.journal(self.call_id)]
        at = [index for index, event in enumerate(events) if isinstance(event, FinalHeard)][finals - 1]
        kinds = [type(event) for event in events[at:]]
        return ReplyGiven in kinds and PlaybackStarted in kinds[kinds.index(ReplyGiven) :]


class Conversation:
    """One call of a telephone."""

    def __init__(self, node: Node, line: OutgoingLine, call_id: str) -> None:
        self.node = node
        self.line = line
        self.journal = Journal(node, call_id)
        self._asked = 0

    async def greeted(self) -> None:
        """Wait for the end of the greeting."""
        ends = "How can I help you?", "for opening hours.", "for a person."
        await self.journal.awaits(
            "the greeting",
            lambda: any(e.text.endswith(ends) for e in self.journal.events(PlaybackStarted)),
        )
        await self.line.until_quiet(quiet_ms=300, limit_ms=6_000)

    async def say(self, text: str) -> None:
        """Speak, to the last sample."""
        await self.line.say(await asyncio.to_thread(spoken, text))

    async def ask(self, text: str = HOURS, intent: str = "opening_hours", engine: str = "rasa") -> FinalHeard:
        """Speak, and wait until it was understood as `intent` and the answer begins."""
        await self.say(text)
        return await self.answered(intent, engine)

    async def answered(self, intent: str = "opening_hours", engine: str = "rasa") -> FinalHeard:
        """Wait for the answer to what was said; it goes on when this returns, and may be talked into."""
        assert not self.line.ended.done(), f"the call is over\n{self.journal}\n{self.node.log[-3000:]}"
        self._asked += 1
        heard = await self.journal.answered(self._asked)
        understood = self.journal.events(TurnUnderstood)[-1]
        assert (understood.intent, understood.engine) == (intent, engine), f"{heard}\n{self.journal}"
        assert not self.line.ended.done()
        return heard

    async def hang_up(self) -> None:
        self.line.hang_up()
        await asyncio.wait_for(self.line.ended, 20)
        await self.journal.awaits("the end in the journal", lambda: bool(self.journal.events(CallEnded)))


async def dial(node: Node, caller: Caller, number: str = "100") -> Conversation:
    """A call that was answered and stands in the store."""
    address = f":{caller.agent.port}"
    before = set(node.calls(address))
    line = await _line(caller, f"sip:{number}@127.0.0.1:{node.sip_port}")
    await until("the call in the store", lambda: bool(set(node.calls(address)) - before), 10)
    (call_id,) = set(node.calls(address)) - before
    return Conversation(node, line, call_id)


async def _line(caller: Caller, uri: str) -> OutgoingLine:
    """Call, and call again while the node says that it is busy: it does when this machine holds it up for long."""
    give_up = asyncio.get_running_loop().time() + BUSY_S
    while True:
        try:
            return await caller.dial(uri)
        except CallRefused as error:
            if error.status != 503 or asyncio.get_running_loop().time() > give_up:
                raise
        await asyncio.sleep(0.5)


@asynccontextmanager
async def unharmed(node: Node, caller: Caller) -> AsyncIterator[Conversation]:
    """A call in mid conversation, to which the block does something; it must live, and the next must be answered."""
    conversation = await dial(node, caller)
    await conversation.greeted()
    yield conversation
    await conversation.ask()
    await conversation.hang_up()
    await answers(node, caller)


async def answers(node: Node, caller: Caller, engine: str = "rasa") -> None:
    """The next call is answered, by `engine`."""
    following = await dial(node, caller)
    await following.journal.awaits("the next call's greeting", lambda: bool(following.journal.events(PlaybackStarted)))
    assert following.journal.events(ReplyGiven)[0].engine == engine
    await following.hang_up()

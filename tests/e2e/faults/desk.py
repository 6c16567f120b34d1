"""A caller and an agent who go on talking whatever happens to the node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent_assist.desk.messages import CallJoined
from tests.e2e.faults.conversation import Journal
from tests.e2e.node import Node
from tests.e2e.test_handover import AGENT_HZ, CALLER_HZ, ask_for_a_person, level_at, ring, tone
from tests.fakes.agent import ProgramAgent
from voice.caller import Caller, OutgoingLine
from voice.ports import RATE_HZ

NARROW_HZ = 8_000
LISTENED_MS = 600
LOUD, FAINT = 3_000, 150
LONGEST_S = 60.0


@dataclass(slots=True)
class Bridged:
    """A call that is with an agent; each of the two says a tone of their own, without end, until `hush`."""

    agent: ProgramAgent
    line: OutgoingLine
    journal: Journal
    saying: asyncio.Task[None]

    @property
    def call_id(self) -> str:
        return self.journal.call_id

    async def unharmed(self) -> None:
        """From now on, for more than half a second: each hears the other, and not itself."""
        await self.line.wait(LISTENED_MS)
        assert not self.line.ended.done(), f"the call is over\n{self.journal}"
        at_caller = self.line.heard_between(self.line.now_ms - LISTENED_MS)
        at_agent = self.agent.audio()[-LISTENED_MS * NARROW_HZ // 1000 :]
        levels = {
            "the agent at the caller": level_at(at_caller, AGENT_HZ, RATE_HZ),
            "the caller at the agent": level_at(at_agent, CALLER_HZ, NARROW_HZ),
        }
        echoes = {
            "the caller at the caller": level_at(at_caller, CALLER_HZ, RATE_HZ),
            "the agent at the agent": level_at(at_agent, AGENT_HZ, NARROW_HZ),
        }
        assert min(levels.values()) > LOUD, (levels, str(self.journal))
        assert max(echoes.values()) < FAINT, echoes

    async def hush(self) -> None:
        """Both fall silent."""
        self.saying.cancel()
        await asyncio.gather(self.saying, return_exceptions=True)
        assert self.line.leg is not None
        self.line.leg.stop()
        self.agent.hush()
        await self.line.wait(LISTENED_MS)


@asynccontextmanager
async def bridged(node: Node, caller: Caller, agent: ProgramAgent) -> AsyncIterator[Bridged]:
    """Bring a caller to `agent`, who is ready; each hears the other when the block begins, and still when it ends."""
    at = len(agent.messages)
    line, call_id = await ask_for_a_person(caller, node)
    assert await ring(agent, since=at) == call_id
    assert await agent.post("answer", {"call_id": call_id}) == 204
    await agent.expect(CallJoined, since=at)
    agent.speak(tone(AGENT_HZ, LONGEST_S))
    saying = asyncio.create_task(line.say(tone(CALLER_HZ, LONGEST_S)))
    call = Bridged(agent, line, Journal(node, call_id), saying)
    await line.wait(LISTENED_MS)
    await call.unharmed()
    try:
        yield call
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)

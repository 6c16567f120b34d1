"""The caller's side of the line, when the other side does not play along."""

import asyncio

import pytest

from tests.fakes.sip_uas import HOST, SilentCallee
from voice.caller import open_caller
from voice.net.sip_agent import SipAgent

PATIENCE_S = 0.1
"""Less than a BYE that nobody answers is waited for."""


async def test_whoever_loses_patience_with_what_closes_is_told_so_and_the_ports_are_free() -> None:
    deaf = False
    callee = SilentCallee()
    callee.agent = SipAgent(callee, allow=lambda host: not deaf)
    async with asyncio.TaskGroup() as tasks:
        await callee.agent.start(HOST, 0, tasks)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5) as patience, open_caller() as caller:
                await caller.dial(f"sip:1@{HOST}:{callee.agent.port}")
                deaf = True
                patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await callee.agent.close()

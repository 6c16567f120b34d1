"""A node that is full, or stopping, refuses in good order, and nobody who is in hears of it."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import numpy as np
import pytest

from dialog.events import CallEnded
from tests.e2e.faults.conversation import dial, until
from tests.e2e.faults.mutation import real_messages
from tests.e2e.node import Node, serving
from tests.fakes.sip_network import HERE
from voice.caller import Caller, OutgoingLine, open_caller
from voice.dialling import CallRefused
from voice.ports import RATE_HZ

pytestmark = pytest.mark.timeout(90)

LONGEST_S = 12

SMALL = f"""
[bots]
echo = "echo"
"*" = "helpdesk"
[limits]
calls = 2
calls_per_minute = 10
longest_call_s = {LONGEST_S}
[sip]
peers = ["127.0.0.1", "127.0.0.7"]
[dialog]
engine = "keypad"
[log]
pii = true
json_lines = true
"""


@pytest.fixture
def small_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Two calls at once, ten a minute, none longer than twelve seconds; logs with personal data."""
    with serving(tmp_path_factory.mktemp("small"), SMALL) as node:
        yield node


async def invited(node: Node, source: str, wait_s: float = 2.0) -> str:
    """The first final response to an INVITE sent by hand; "" for silence."""
    loop = asyncio.get_running_loop()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.setblocking(False)
        sock.bind((source, 0))
        here = f"{source}:{sock.getsockname()[1]}".encode()
        invite = re.sub(rb"(Via: SIP/2.0/UDP )[^;]+", rb"\g<1>" + here, real_messages()[0])
        await loop.sock_sendto(sock, invite.replace(HERE[0].encode(), source.encode()), ("127.0.0.1", node.sip_port))
        try:
            async with asyncio.timeout(wait_s):
                while (answer := (await loop.sock_recv(sock, 65_536)).decode()).startswith("SIP/2.0 1"):
                    pass
        except TimeoutError:
            return ""
        return answer


async def echoes(line: OutgoingLine) -> bool:
    """Whether a tone comes back."""
    tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ // 4) / RATE_HZ)).astype(np.int16)
    start = line.now_ms
    await line.say(tone)
    await line.wait(300)
    return bool(np.abs(line.heard_between(start)).max(initial=0) > 2_000)


async def test_a_full_node_refuses_and_a_stopping_one_waits(small_node: Node, caller: Caller) -> None:
    node = small_node
    await full(node, caller)
    await too_often(node, caller)
    async with open_caller("127.0.0.7") as other:
        await stopping(node, other)
    assert node.bad_lines() == []
    lines = [json.loads(line) for line in node.log.splitlines() if line.startswith("{")]
    starts = [line for line in lines if line["event"] == "call started"]
    assert starts[0]["pii"]["caller"].startswith("sip:centralino@127.0.0.1")
    assert not any("sip:centralino@" in json.dumps({k: v for k, v in line.items() if k != "pii"}) for line in lines)


async def full(node: Node, caller: Caller) -> None:
    """One call too many, a stranger, and a call that lasts too long."""
    first, second = await dial(node, caller, "echo"), await dial(node, caller, "echo")
    began = time.monotonic()
    with pytest.raises(CallRefused, match="503"):
        await caller.dial(f"sip:echo@127.0.0.1:{node.sip_port}")
    refusal = await invited(node, "127.0.0.7")
    assert refusal.startswith("SIP/2.0 503 ")
    assert "\r\nRetry-After: " in refusal
    assert await invited(node, "127.0.0.8", wait_s=0.5) == "", "an address that is not listed is not answered"
    assert await echoes(first.line)
    assert await echoes(second.line)
    figures = node.figures()
    assert figures["centralino_calls_refused_total"] == {"full": 2}
    assert figures["centralino_sip_dropped_total"]["unlisted"] == 1
    await second.hang_up()
    third = await dial(node, caller, "echo")
    await third.hang_up()
    cause = await asyncio.wait_for(first.line.ended, LONGEST_S + 3)
    assert cause == "far end"
    assert LONGEST_S - 2 < time.monotonic() - began < LONGEST_S + 2
    await first.journal.awaits("the end", lambda: bool(first.journal.events(CallEnded)))
    assert first.journal.events(CallEnded)[0].cause == "longest_call"


async def too_often(node: Node, caller: Caller) -> None:
    """More calls from one address than it may make in a minute."""
    refused = 0
    for _ in range(16):
        try:
            line = await caller.dial(f"sip:echo@127.0.0.1:{node.sip_port}")
            line.hang_up()
            await line.ended
        except CallRefused as error:
            assert error.status == 503
            refused += 1
    assert refused > 0, "one address may make ten calls a minute"
    assert node.figures()["centralino_calls_refused_total"]["rate"] == refused


async def stopped(node: Node, limit_s: float) -> int:
    return await asyncio.to_thread(node.process.wait, limit_s)


async def stopping(node: Node, caller: Caller) -> None:
    """SIGTERM: a live call is waited for, a new one is refused."""
    live = await dial(node, caller, "echo")
    os.kill(node.process.pid, signal.SIGTERM)
    await until("draining", lambda: httpx.get(f"{node.web_url}/readyz").status_code == 503, 5)
    with pytest.raises(CallRefused, match="503"):
        await caller.dial(f"sip:echo@127.0.0.1:{node.sip_port}")
    assert await echoes(live.line)
    live.line.hang_up()
    await live.line.ended
    assert await stopped(node, 10) == 0
    assert live.journal.events(CallEnded)[0].cause == "caller"


async def test_a_second_sigterm_ends_live_calls(small_node: Node, caller: Caller) -> None:
    node = small_node
    live = await dial(node, caller, "echo")
    os.kill(node.process.pid, signal.SIGTERM)
    await until("draining", lambda: httpx.get(f"{node.web_url}/readyz").status_code == 503, 5)
    os.kill(node.process.pid, signal.SIGTERM)
    assert await asyncio.wait_for(live.line.ended, 3) == "far end"
    assert await stopped(node, 10) == 0
    assert live.journal.events(CallEnded)[0].cause == "shutdown"
    assert node.bad_lines() == []

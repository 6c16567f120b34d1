"""The SIP side: each flow with a peer, set-up times at 50 calls a second, and how quickly messages are read.

The flows are those of `tests/e2e/flows`, against a node of their own. Then callers of ours, in this process, call the
number `echo` of a second node by UDP: set-up is from the departure of the INVITE to the arrival of the 200. Each call
lasts a second; its caller sends no sound, the node does. `docs/conformance.md` says what the rows mean.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure
from bench.served import ServedNode, served_node
from tests.e2e.flows.flow import prove
from tests.e2e.flows.script import sdp
from tests.e2e.flows.tables import FLOWS
from voice.net.sip_agent import SipAgent
from voice.wire.negotiation import make_offer
from voice.wire.sip.events import CallRef, InviteAnswered, InviteRefused, SipEvent
from voice.wire.sip.guard import Received, examine

HOST = "127.0.0.1"
CALLS_PER_S = 50
LASTS_S = 1.0
PARTS = ("flows", "load", "parse")
LIMITS = ("limits.calls=400", "limits.calls_per_minute=100000", "bots.echo=echo", 'dialog.engine="keypad"')
NO_PORT = 9
"""Where callers would hear the node: nobody is there (RFC 863's port)."""
END_S = 40.0
"""How long the last call may take to fail: longer than an INVITE is repeated."""

ROUNDS, TURNS = 5, 2_000
MESSAGES = (
    ("INVITE sip:echo@192.0.2.10 SIP/2.0", "1 INVITE", sdp(host="192.0.2.7", port="30000")),
    ("SIP/2.0 200 OK", "1 INVITE", sdp(host="192.0.2.10", port="20000")),
    ("ACK sip:192.0.2.10:5060 SIP/2.0", "1 ACK", ""),
    ("BYE sip:192.0.2.10:5060 SIP/2.0", "2 BYE", ""),
    ("SIP/2.0 200 OK", "2 BYE", ""),
)
"""The messages of a call: start line, CSeq, body."""


class Callers:
    """Places calls, hangs each up after `LASTS_S`, and keeps how long each took to be answered."""

    def __init__(self, node: ServedNode) -> None:
        self.agent = SipAgent(self, allow=lambda host: host == HOST)
        self.set_up_ms: list[float] = []
        self.failed = 0
        self._node = node
        self._started_s: dict[CallRef, float] = {}

    async def on_event(self, event: SipEvent) -> None:
        """One event of the agent."""
        match event:
            case InviteAnswered():
                self.set_up_ms.append((time.perf_counter() - self._started_s.pop(event.call)) * 1000)
                asyncio.get_running_loop().call_later(LASTS_S, self.agent.hangup, event.call)
            case InviteRefused():
                self.failed += 1
                del self._started_s[event.call]
            case _:
                pass

    async def place(self, calls: int, rate: int) -> None:
        """Place `calls`, `rate` a second, by the clock and not by how the node keeps up, and see them end."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for number in range(calls):
            await asyncio.sleep(began_s + number / rate - loop.time())
            offer = make_offer(HOST, NO_PORT, number, 1)
            started_s = time.perf_counter()
            ref = await self.agent.invite(f"sip:echo@{HOST}:{self._node.sip_port}", offer, f"sip:bench@{HOST}")
            self._started_s[ref] = started_s
        await self.agent.close(grace_s=END_S)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this bench."""
    parser.add_argument("--seconds", type=int, default=60, help="how long calls are placed")
    parser.add_argument("--rate", type=int, default=CALLS_PER_S, help="calls a second")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="which of it; default: all")


def run(options: argparse.Namespace) -> list[Figure]:
    """The parts, one after another."""
    figures: list[Figure] = []
    if "flows" in options.parts:
        figures += _conformance()
    if "load" in options.parts:
        figures += asyncio.run(_load(options.rate, options.seconds))
    if "parse" in options.parts:
        figures.append(Figure("parsed", _parsed_per_s(), "messages a second"))
    return figures


def _conformance() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        proof = prove(FLOWS, Path(folder))
    for flow, fault in proof.faults.items():
        if fault is not None:
            print(f"{flow}: {fault}", file=sys.stderr)
    kept = sum(fault is None for fault in proof.faults.values())
    return [
        *(
            Figure(f"{flow} ({flow.source})", 1 if fault is None else 0, "kept", ">= 1")
            for flow, fault in proof.faults.items()
        ),
        Figure("flows", len(proof.faults), "flows", ">= 60"),
        Figure("flows.kept", kept, "flows", f">= {len(proof.faults)}"),
        Figure("flows.bad_lines", len(proof.bad_lines), "log lines", "<= 0"),
    ]


async def _load(rate: int, seconds: int) -> list[Figure]:
    async with served_node(*LIMITS) as node, asyncio.TaskGroup() as tasks:
        warm, callers = Callers(node), Callers(node)
        for caller, calls in ((warm, rate), (callers, rate * seconds)):  # what is done once is done by then
            await caller.agent.start(HOST, 0, tasks)
            before_s = node.cpu_s()
            await caller.place(calls, rate)
            cpu_s = node.cpu_s() - before_s
    answered = len(callers.set_up_ms)
    return [
        Figure("load.calls", answered, "calls", f">= {rate * seconds}"),
        Figure("load.failed", callers.failed, "calls", "<= 0"),
        Figure("load.set_up.p50", statistics.median(callers.set_up_ms), "ms"),
        Figure("load.set_up.p99", statistics.quantiles(callers.set_up_ms, n=100)[-1], "ms"),
        Figure("load.cpu", cpu_s * 1000 / answered, "CPU ms per call"),
    ]


def _parsed_per_s() -> float:
    """Messages of a call read and checked in a second of this thread's time; the best round counts."""
    messages = [_message(*message) for message in MESSAGES]
    assert all(isinstance(examine(message), Received) for message in messages)
    best_s = float("inf")
    for _ in range(ROUNDS):
        before_s = time.thread_time()
        for _ in range(TURNS):
            for message in messages:
                examine(message)
        best_s = min(best_s, time.thread_time() - before_s)
    return TURNS * len(messages) / best_s


def _message(start: str, sequence: str, body: str) -> bytes:
    content = body.replace("IP[media_ip_type] [media_ip]", "IP4 192.0.2.7").replace("\n", "\r\n")
    lines = (
        start,
        "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK7f3c2a;rport",
        "Max-Forwards: 70",
        'From: "Ann Example" <sip:ann@192.0.2.7>;tag=8a1f',
        "To: <sip:echo@192.0.2.10>;tag=77be",
        "Call-ID: 3848276298220188511@192.0.2.7",
        f"CSeq: {sequence}",
        "Contact: <sip:ann@192.0.2.7:5060>",
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS",
        "User-Agent: bench",
        *(("Content-Type: application/sdp",) if body else ()),
        f"Content-Length: {len(content)}",
        "",
        content,
    )
    return "\r\n".join(lines).encode()

"""One flow, the place where it is proved, and the proof of many of them on one node."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.node import free_port, serving
from tests.fakes.sip_uas import SilentCallee
from voice.caller import Caller, open_caller
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings

HOST = "127.0.0.1"
AT_ONCE = 6
"""Flows under way together: each has addresses of its own, and most of them wait most of the time."""

LISTED, STRANGERS = "127.1", "127.2"
"""Networks of peers whose address is listed, and of those who must sign in."""

NAME, PASSWORD = "alice", "wonder"

SETTINGS = f"""
[bots]
echo = "echo"
milliwatt = "milliwatt"
ring = "ring"
busy = "busy"
"+15550142" = "echo"
[dialog]
engine = "keypad"
[limits]
calls = 200
loop_lag_ms = 10000
[sip]
tls_port = {{tls_port}}
peers = ["{LISTED}.0.0/16"]
digests = ["MD5"]
[sip.accounts.{NAME}]
password_file = "{{password}}"
calls = 50
calls_per_minute = 1000
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one flow is proved: a folder of its own, addresses nobody else uses, the node, and those who call for us.

    `caller` places calls of ours; `leaver` is the address of a callee who hangs up as soon as it is acknowledged.
    """

    folder: Path
    number: int
    node: str
    tls: str
    certificate: Path
    caller: Caller
    leaver: str

    def host(self, which: int = 1) -> str:
        """One of the addresses of this place, which are listed as peers."""
        return f"{LISTED}.{self.number}.{which}"

    @property
    def stranger(self) -> str:
        """An address of this place that is not listed."""
        return f"{STRANGERS}.{self.number}.1"

    def file(self, name: str, text: str) -> str:
        """Write a file of this place; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True, slots=True)
class Flow:
    """What happens between a peer and us, named so that it reads as a sentence, and where it is written that it must.

    `run` raises when it goes otherwise.
    """

    peer: str
    name: str
    source: str
    run: Callable[[Place], Awaitable[None]]

    def __str__(self) -> str:
        return f"{self.peer}: {self.name}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of each flow, None where it went as it must; and what the node said that it should not have."""

    faults: dict[Flow, BaseException | None]
    bad_lines: list[str]


def prove(flows: Sequence[Flow], folder: Path) -> Proof:
    """Run `flows` against one node that serves from `folder`."""
    password = folder / "password"
    password.write_text(PASSWORD)
    tls_port = free_port()
    with serving(folder, SETTINGS.format(tls_port=tls_port, password=password)) as node:
        tls, certificate = f"{HOST}:{tls_port}", node.data / "sip.crt"
        faults = asyncio.run(_prove(flows, folder, f"{HOST}:{node.sip_port}", tls, certificate))
        return Proof(dict(zip(flows, faults, strict=True)), node.bad_lines())


async def _prove(
    flows: Sequence[Flow], folder: Path, node: str, tls: str, certificate: Path
) -> list[BaseException | None]:
    gate = asyncio.Semaphore(AT_ONCE)
    leaver = SilentCallee(parting=True)
    leaver.agent = SipAgent(leaver, allow=lambda _host: True, streams=StreamSettings(tcp_port=0))

    async def run(flow: Flow, place: Place) -> None:
        place.folder.mkdir()
        async with gate:
            await flow.run(place)

    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(open_caller(HOST))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        await leaver.agent.start(HOST, 0, tasks)
        places = [
            Place(folder / f"{number}", number, node, tls, certificate, caller, f"{HOST}:{leaver.agent.port}")
            for number in range(1, len(flows) + 1)
        ]
        runs = [run(flow, place) for flow, place in zip(flows, places, strict=True)]
        faults = await asyncio.gather(*runs, return_exceptions=True)
        await leaver.agent.close()
    return faults

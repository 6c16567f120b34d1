"""One flow, the place where it is proved, and the proof of many of them on one node."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.e2e.node import free_port, serving
from tests.fakes.sip_uas import SilentCallee
from voice.caller import Caller, open_caller
from voice.net.certificate import server_tls
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings

HOST, HOST_SIX = "127.0.0.1", "::1"
FIRST_PORT, PORTS = 18_000, 8
"""The ports that places have, each so many: below those that the system and the node give away."""
AT_ONCE = 8
"""Flows under way together: each has addresses of its own, and most of them wait most of the time."""

LISTED, STRANGERS = "127.1", "127.2"
"""Networks of peers whose address is listed, and of those who must sign in."""

NAME, PASSWORD = "alice", "wonder"

NUMBERS = """
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
[sip]
"""
SETTINGS = f"""{NUMBERS}
tls_port = {{TLS}}
ws_port = {{WS}}
wss_port = {{WSS}}
origins = ["*"]
peers = ["{LISTED}.0.0/16"]
digests = ["MD5"]
[sip.accounts.{NAME}]
password_file = "{{password}}"
calls = 50
calls_per_minute = 1000
"""
SETTINGS_SIX = f"""{NUMBERS}
host = "{HOST_SIX}"
peers = ["{HOST_SIX}"]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one flow is proved: a folder of its own, addresses nobody else uses, the node, and those who call for us.

    `node` and `leaver` are addresses by transport: of the node, and of a callee who hangs up as soon as it is
    acknowledged. By TLS both show `certificate`. `six` is another node, by IPv6. `caller` places calls of ours.
    """

    folder: Path
    number: int
    node: Mapping[str, str]
    six: str
    certificate: Path
    caller: Caller
    leaver: Mapping[str, str]

    def host(self, which: int = 1) -> str:
        """One of the addresses of this place, which are listed as peers."""
        return f"{LISTED}.{self.number}.{which}"

    @property
    def stranger(self) -> str:
        """An address of this place that is not listed."""
        return f"{STRANGERS}.{self.number}.1"

    @property
    def port(self) -> int:
        """The first port of this place, for peers that share an address."""
        return FIRST_PORT + PORTS * self.number

    def file(self, name: str, text: str) -> str:
        """Write a file of this place; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True, slots=True)
class Flow:
    """What happens between a peer and us, named so that it reads as a sentence, and where it is written that it must.

    `run` raises when it goes otherwise. A `patient` one waits for half a minute, until a transaction times out.
    """

    peer: str
    name: str
    source: str
    run: Callable[[Place], Awaitable[None]]
    patient: bool = False

    def __str__(self) -> str:
        return f"{self.peer}: {self.name}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of each flow, None where it went as it must; and what the node said that it should not have."""

    faults: dict[Flow, BaseException | None]
    bad_lines: list[str]


def prove(flows: Sequence[Flow], folder: Path) -> Proof:
    """Run `flows` against one node that serves from `folder`, and another for those by IPv6."""
    password = folder / "password"
    password.write_text(PASSWORD)
    ports = {transport: free_port() for transport in ("TLS", "WS", "WSS")}
    settings = SETTINGS.format(password=password, **ports)
    (folder / "six").mkdir()
    with serving(folder, settings) as node, serving(folder / "six", SETTINGS_SIX) as six:
        ports |= dict.fromkeys(("UDP", "TCP"), node.sip_port)
        place = partial(
            Place,
            node={transport: f"{HOST}:{port}" for transport, port in ports.items()},
            six=f"[{HOST_SIX}]:{six.sip_port}",
            certificate=node.data / "sip.crt",
        )
        faults = asyncio.run(_prove(flows, folder, place, server_tls(node.data / "sip.crt", node.data / "sip.key")))
        return Proof(faults, node.bad_lines() + six.bad_lines())


async def _prove(
    flows: Sequence[Flow], folder: Path, place: Callable[..., Place], tls: ssl.SSLContext
) -> dict[Flow, BaseException | None]:
    gate = asyncio.Semaphore(AT_ONCE)
    leaver = SilentCallee(parting=True)
    streams = StreamSettings(tcp_port=0, tls_port=0, tls=tls)
    leaver.agent = SipAgent(leaver, allow=lambda _host: True, streams=streams)

    async def run(flow: Flow, place: Place) -> None:
        place.folder.mkdir()
        async with gate:
            await flow.run(place)

    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(open_caller(HOST))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        await leaver.agent.start(HOST, 0, tasks)
        ports = {"UDP": leaver.agent.port, **leaver.agent.stream_ports}
        leaves = {transport: f"{HOST}:{port}" for transport, port in ports.items()}
        ordered = sorted(flows, key=lambda flow: not flow.patient)  # who waits longest begins first
        runs = [
            run(flow, place(folder=folder / f"{number}", number=number, caller=caller, leaver=leaves))
            for number, flow in enumerate(ordered, 1)
        ]
        faults = await asyncio.gather(*runs, return_exceptions=True)
        await leaver.agent.close()
    return dict(zip(ordered, faults, strict=True))

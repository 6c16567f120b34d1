"""REGISTERs by the thousand while somebody talks and a phone registers.

Five seconds of 2,000 a second; `FLOOD_S=60 .venv/bin/python -m pytest -s tests/e2e/faults/test_flood.py` is the whole
minute, and prints what it cost.
"""

import asyncio
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import psutil
import pytest

from dialog.events import CallEnded
from tests.e2e.faults.conversation import dial, until
from tests.e2e.faults.storm import lost_in_kernel
from tests.e2e.node import Node, serving
from voice.caller import Caller
from voice.wire.sip.digest import Challenge, Credentials

FLOOD_S = float(os.environ.get("FLOOD_S", "5"))
PER_S = 2_000
BURST = 20
GROWTH_BYTES = 50 * 2**20

pytestmark = pytest.mark.timeout(60 + 10 * FLOOD_S)

SETTINGS = """
[sip]
peers = ["127.0.0.1"]
digests = ["MD5"]
[sip.accounts.desk]
password_file = "{password}"
[dialog]
engine = "keypad"
[bots]
"*" = "milliwatt"
"""

STRANGERS = [f"127.0.{number}.9" for number in range(1, 65)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("flood")
    (folder / "password").write_text("moon")
    with serving(folder, SETTINGS.format(password=folder / "password")) as node:
        yield node
        assert node.bad_lines() == [], node.log[-4_000:]


def register(number: int, host: str, authorization: str = "") -> bytes:
    """A REGISTER from `host`, unlike any other."""
    credentials = f"Authorization: {authorization}\r\n" if authorization else ""
    return (
        f"REGISTER sip:node SIP/2.0\r\nVia: SIP/2.0/UDP {host};rport;branch=z9hG4bK-{host}-{number}\r\n"
        f"From: <sip:desk@node>;tag={number}\r\nTo: <sip:desk@node>\r\nCall-ID: {number}@{host}\r\n"
        f"CSeq: {number} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:desk@{host}>\r\n{credentials}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


async def flood(hosts: list[str], port: int) -> int:
    """Send at the rate, each host in its turn, every tenth with a password that is wrong; how many."""
    loop, total = asyncio.get_running_loop(), int(PER_S * FLOOD_S)
    wrong = Credentials("desk", "centralino", "0.t.0", "sip:node", "0" * 32, qop="auth", count=1, cnonce="c")
    with ExitStack() as stack:
        senders = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in hosts]
        for sender, host in zip(senders, hosts, strict=True):
            sender.bind((host, 0))
        due = loop.time()
        for number in range(total):
            which = number % len(hosts)
            data = register(number, hosts[which], str(wrong) if number % 10 == 0 else "")
            senders[which].sendto(data, ("127.0.0.1", port))
            if number % BURST == 0:
                due += BURST / PER_S
                await asyncio.sleep(max(0.0, due - loop.time()))
    return total


async def registers(host: str, port: int) -> None:
    """A phone at `host` signs in meanwhile, as phones do: what gets no answer is sent again."""
    loop = asyncio.get_running_loop()
    authorization = ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.setblocking(False)
        phone.bind((host, 0))
        async with asyncio.timeout(30):
            for number in range(1, 1_000):
                await loop.sock_sendto(phone, register(number, host, authorization), ("127.0.0.1", port))
                try:
                    answer = (await asyncio.wait_for(loop.sock_recv(phone, 4_096), 1)).decode()
                except TimeoutError:
                    continue
                if answer.startswith("SIP/2.0 200 "):
                    return
                asked = re.search(r"WWW-Authenticate: (.*)\r\n", answer)
                assert asked is not None, answer
                nonce = Challenge.parse(asked[1]).nonce
                unsigned = Credentials("desk", "centralino", nonce, "sip:node", "", qop="auth", count=1, cnonce="c")
                right = unsigned.answer("REGISTER", "moon")
                authorization = str(unsigned).replace('response=""', f'response="{right}"')


@pytest.mark.parametrize("hosts", [STRANGERS[:1], STRANGERS], ids=["from one address", "from many"])
async def test_a_flood_of_registers_harms_no_call_and_costs_no_memory(
    node: Node, caller: Caller, hosts: list[str]
) -> None:
    process = psutil.Process(node.process.pid)
    conversation = await dial(node, caller)
    line = conversation.line
    await line.wait(1_000)
    before, spent = process.memory_info().rss, sum(process.cpu_times()[:2])
    lost, counted = lost_in_kernel(node.sip_port), reckoned(node)
    flooding = asyncio.create_task(flood(hosts, node.sip_port))
    await registers(f"127.0.{100 + len(hosts)}.9", node.sip_port)
    sent = await flooding
    await until(
        "every REGISTER counted",
        lambda: reckoned(node) - counted + lost_in_kernel(node.sip_port) - lost >= sent,
    )
    grown, spent = process.memory_info().rss - before, sum(process.cpu_times()[:2]) - spent
    assert grown < GROWTH_BYTES
    assert line.leg is not None
    assert not line.ended.done()
    assert line.leg.stats.packets_lost < 50
    assert np.abs(line.heard_between(line.now_ms - 200)).max() > 1_000, "the tone is not heard any more"
    await conversation.hang_up()
    (ended,) = conversation.journal.events(CallEnded)
    print(f"\n{sent} REGISTERs: {grown / 2**20:.1f} MB more, {spent:.1f} s CPU, {ended}")


def reckoned(node: Node) -> int:
    """REGISTERs of which the node has said what became of them."""
    return node.total("centralino_sip_strangers") + node.total("centralino_sip_dropped")

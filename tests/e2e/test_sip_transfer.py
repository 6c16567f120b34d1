"""Transfers with real peers: baresip is referred to another baresip, also by an agent of a real node, and sipp takes a
caller's place."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent_assist.desk.messages import CallChanged, CallJoined, CallLeft
from dialog.events import CallEnded, CallerReplaced
from dialog.people_events import HandoffRequested, TransferRequested
from tests.e2e.node import Node, free_port, serving
from tests.e2e.phones import Baresip
from tests.e2e.test_handover import SETTINGS, ring, told, until, write_down
from tests.e2e.test_sip_peers import SCENARIOS, answering, listening, sipp
from tests.fakes.agent import program_agents
from tests.fakes.exchange import exchange
from tests.fakes.sip_uas import HOST, SilentCallee
from tests.peers import peer
from voice.wire.sip.events import (
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    ReferConcluded,
    ReferProgressed,
    SipEvent,
)
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.refer import ReferTo

LIMIT_S = 20.0


class Transferrer(SilentCallee):
    """Sends each caller to `target` as soon as the call stands, and hangs up on whoever has arrived there."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = ReferTo(WireURI.parse(target))

    async def on_event(self, event: SipEvent) -> None:
        await super().on_event(event)
        if isinstance(event, InviteAcknowledged):
            self.agent.refer(event.call, self._target)
        elif isinstance(event, ReferConcluded) and event.status == 200:
            self.agent.hangup(event.call)


@asynccontextmanager
async def baresip(folder: Path, port: int, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """A baresip at `port` that takes every call; yields what it prints."""
    folder.mkdir()
    first = 45_000 + port % 4_000
    (folder / "config").write_text(
        f"sip_listen {HOST}:{port}\nnet_interface {HOST}\nrtp_ports {first}-{first + 20}\naudio_source aubridge,a\n"
        f"audio_player aubridge,a\naudio_alert aubridge,b\nmodule_path /usr/lib/baresip/modules\n"
        "module g711.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app menu.so\n"
    )
    (folder / "accounts").write_text(f"<sip:phone@{HOST}:{port}>;regint=0;answermode=auto\n")
    (folder / "contacts").write_text("")
    process = await asyncio.create_subprocess_exec(
        peer("baresip", "baresip-core"),
        "-f",
        str(folder),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        await listening(port)
        yield process.stdout
    finally:
        process.kill()
        await process.communicate()


async def printed(output: asyncio.StreamReader, words: str) -> None:
    """Wait until baresip says so."""
    said = b""
    try:
        async with asyncio.timeout(LIMIT_S):
            while words.encode() not in said:
                piece = await output.read(4_096)
                assert piece, said.decode(errors="replace")[-2_000:]
                said += piece
    except TimeoutError:
        raise AssertionError(said.decode(errors="replace")[-2_000:]) from None


async def test_baresip_is_sent_to_another_baresip_which_answers(tmp_path: Path) -> None:
    port, second = free_port(), free_port()
    callee = Transferrer(f"sip:phone@{HOST}:{second}")
    async with (
        answering(callee) as address,
        baresip(tmp_path / "target", second) as target,
        baresip(tmp_path / "caller", port, "-e", f"/dial sip:200@{address}"),
    ):
        await printed(target, "Call established")
        async with asyncio.timeout(LIMIT_S):
            while callee.agent.calls or not callee.count(ReferConcluded):
                await asyncio.sleep(0.02)
    assert callee.count(ReferProgressed) >= 1
    assert [event.status for event in callee.events if isinstance(event, ReferConcluded)] == [200]
    assert [event.cause for event in callee.events if isinstance(event, DialogEnded)] == [EndCause.LOCAL]


async def test_sipp_takes_the_place_of_a_caller(tmp_path: Path) -> None:
    async with exchange() as it:
        await it.talking()
        arguments = ("-sf", str(SCENARIOS / "replacing.xml"), "-m", "1", "-key", "replaces", it.phone.replaces.strip())
        other = asyncio.create_task(sipp(tmp_path, *arguments, f"{HOST}:{it.agent.port}"))
        await it.phone.hung_up_on()
        await it.house.tick(100)
        assert it.house.calls.live == 1
        (replaced,) = it.house.told(CallerReplaced)
        assert (replaced.caller.partition("@")[0], replaced.codec) == ("sip:sipp", "PCMA")
        it.house.calls.end_all()
        await other
        assert await it.over() == "shutdown"


async def ask_for_a_person(phone: Baresip, node: Node) -> str:
    """Call the bot and press 0 until that is understood; the call's id."""
    await asyncio.to_thread(phone.dial)
    for _ in phone.moves:
        await asyncio.to_thread(phone.move)
        for _ in range(10):
            await asyncio.sleep(0.2)
            call_id = node.call_id(phone.caller)
            if call_id is not None and told(node, HandoffRequested, call_id):
                return call_id
    raise AssertionError("the bot has asked for nobody")


@pytest.fixture
def target() -> str:
    """Where a telephone will answer."""
    return f"sip:phone@{HOST}:{free_port()}"


@pytest.fixture
def node(tmp_path: Path, target: str) -> Iterator[Node]:
    """A node that lets callers be sent there, and nowhere else."""
    (folder := tmp_path / "node").mkdir()
    with serving(folder, f"{SETTINGS}[sip]\ntransfer_to = [{target!r}]\n") as node:
        yield node
        assert node.bad_lines() == [], node.log[-4_000:]


@pytest.fixture
def password(node: Node) -> str:
    return node.add_users(eve="agent")["eve"]


@pytest.fixture
def caller(tmp_path: Path, node: Node) -> Iterator[Baresip]:
    (folder := tmp_path / "caller").mkdir()
    phone = Baresip(folder, "ann", f"sip:100@{HOST}:{node.sip_port}", "PCMU", ("0",) * 10)
    yield phone
    phone.close()


async def test_an_agent_sends_a_caller_to_a_number_outside(
    tmp_path: Path, node: Node, password: str, caller: Baresip, target: str
) -> None:
    port = int(target.rpartition(":")[2])
    async with baresip(tmp_path / "target", port) as second, program_agents(node.web_url, "eve") as (eve,):
        await eve.start(password)
        call_id = await ask_for_a_person(caller, node)
        assert await ring(eve) == call_id
        await eve.post("answer", {"call_id": call_id})
        await eve.expect(CallJoined)
        assert await eve.post("transfer/outside", {"to": "112"}) == 204
        assert (await eve.expect(CallChanged, lambda changed: bool(changed.trouble))).trouble == "not_allowed"
        assert await eve.post("transfer/outside", {"to": target}) == 204
        await printed(second, "Call established")
        assert (await eve.expect(CallLeft)).why == "transferred"
        assert (await until(node, CallEnded, call_id))[0].cause == "transferred"
        assert [asked.target for asked in told(node, TransferRequested, call_id)] == ["112", target]
        await write_down(eve)

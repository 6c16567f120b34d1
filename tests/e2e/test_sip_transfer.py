"""Transfers with real peers on loopback: baresip is referred to another baresip, sipp takes a caller's place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dialog.events import CallerReplaced
from tests.e2e.node import free_port
from tests.e2e.test_sip_peers import SCENARIOS, answering, listening, sipp
from tests.fakes.sip_uas import HOST, SilentCallee
from tests.peers import peer
from tests.voice.test_trunk import exchange
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

"""Signalling with real peers on loopback: sipp calls us and is called, sipsak pings, baresip phones in. No audio."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.fakes.lossy_relay import LossyRelay
from tests.fakes.sip_uas import HOST, RTP_PORT, SilentCallee
from tests.peers import peer
from voice.net.sip_agent import SipAgent
from voice.wire.negotiation import make_offer, read_answer
from voice.wire.sdp import Codec, Direction, parse_sdp
from voice.wire.sip.events import (
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteCancelled,
    InviteReceived,
    InviteRefused,
    ProgressAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    SipEvent,
)

SCENARIOS = Path(__file__).parent / "sipp"
SIPP_PORT, SIPP_MEDIA_PORT = 21_061, 21_200


@asynccontextmanager
async def answering(callee: SilentCallee) -> AsyncIterator[str]:
    """The callee on a free port; yields its address."""
    async with asyncio.TaskGroup() as tasks:
        await callee.agent.start(HOST, 0, tasks)
        yield f"{HOST}:{callee.agent.port}"
        await callee.agent.close()


async def run(program: str, *arguments: str, cwd: Path | None = None, limit_s: float = 50.0) -> str:
    """Run a peer to its end and return what it printed; fails when the peer does."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, "TERM": "dumb"},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), limit_s)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text[-3000:]
    return text


async def sipp(
    cwd: Path, *arguments: str, host: str = HOST, port: int = SIPP_PORT, media: int = SIPP_MEDIA_PORT
) -> str:
    """Run sipp on `port` of `host`, and from `media` on; it exits 0 only if every call went as its scenario says."""
    common = (
        "-i",
        host,
        "-p",
        str(port),
        "-mp",
        str(media),
        "-nostdin",
        "-timeout",
        "40s",
        "-timeout_error",
    )
    return await run(peer("sipp", "sip-tester"), *common, *arguments, cwd=cwd)


def counts(callee: SilentCallee) -> Counter[str]:
    return Counter(type(event).__name__ for event in callee.events)


async def test_100_calls(tmp_path: Path) -> None:
    callee = SilentCallee()
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "caller.xml"), "-m", "100", "-r", "25", address)
    assert counts(callee) == {"InviteReceived": 100, "InviteAcknowledged": 100, "DialogEnded": 100}
    assert callee.codecs == [Codec.PCMA] * 100
    assert not callee.agent.dropped


async def test_100_calls_with_a_tenth_of_the_packets_lost(tmp_path: Path) -> None:
    """Retransmission both ways, by the clocks of both ends."""
    callee = SilentCallee()
    async with answering(callee):
        relay = LossyRelay((HOST, callee.agent.port), loss=0.1)
        host, port = await relay.start(HOST)
        await sipp(tmp_path, "-sf", str(SCENARIOS / "caller.xml"), "-m", "100", "-r", "25", f"{host}:{port}")
        await relay.close()
    ended = [event for event in callee.events if isinstance(event, DialogEnded)]
    assert callee.count(InviteReceived) == len(ended) == len({event.call for event in ended}) == 100
    assert {event.cause for event in ended} == {EndCause.REMOTE}
    assert relay.lost > 50


async def test_calls_given_up_while_ringing(tmp_path: Path) -> None:
    callee = SilentCallee(ring_only=True)
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "cancel.xml"), "-m", "20", "-r", "20", address)
    assert counts(callee) == {"InviteReceived": 20, "InviteCancelled": 20}
    assert callee.count(InviteCancelled) == 20


async def test_calls_put_on_hold(tmp_path: Path) -> None:
    callee = SilentCallee()
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "hold.xml"), "-m", "20", "-r", "20", address)
    assert callee.count(ReinviteReceived) == 40
    assert callee.count(DialogEnded) == 20


async def test_calls_with_early_media_and_session_timers(tmp_path: Path) -> None:
    """RFC 3262, RFC 4028 and RFC 3311, as the scenario reads them."""
    callee = SilentCallee(early=True)
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "early.xml"), "-m", "20", "-r", "20", address)
    assert callee.count(ProgressAcknowledged) == 20
    assert callee.count(ReinviteReceived) == 20
    assert callee.count(DialogEnded) == 20


async def test_calls_without_an_offer(tmp_path: Path) -> None:
    callee = SilentCallee()
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "delayed.xml"), "-m", "20", "-r", "20", address)
    acknowledged = [event for event in callee.events if isinstance(event, InviteAcknowledged)]
    assert len(acknowledged) == 20
    assert all(event.answer for event in acknowledged)
    assert callee.codecs == [Codec.PCMA] * 20


class Dialler:
    """Places calls, changes the media of each once if asked to, and hangs up."""

    def __init__(self, *, hold: bool) -> None:
        self.agent = SipAgent(self, allow=lambda host: host == HOST)
        self.events: list[SipEvent] = []
        self.directions: list[Direction] = []
        self._hold = hold

    async def on_event(self, event: SipEvent) -> None:
        self.events.append(event)
        if isinstance(event, InviteAnswered) and self._hold:
            self.agent.reoffer(event.call, make_offer(HOST, RTP_PORT, 1, 2, direction=Direction.SENDONLY))
        elif isinstance(event, InviteAnswered | ReinviteAnswered):
            if isinstance(event, ReinviteAnswered):
                self.directions.append(read_answer(parse_sdp(event.answer or b"")).direction)
            self.agent.hangup(event.call)


async def dial(dialler: Dialler, cwd: Path, calls: int, *scenario: str, transport: str = "udp") -> None:
    """Call sipp `calls` times, as it plays the callee of `scenario`."""
    uri = f"{HOST}:{SIPP_PORT};transport={transport}"
    async with asyncio.TaskGroup() as tasks:
        await dialler.agent.start(HOST, 0, tasks)
        callee = tasks.create_task(sipp(cwd, *scenario, "-m", str(calls)))
        await listening(SIPP_PORT, transport)
        for number in range(calls):
            offer = make_offer(HOST, RTP_PORT, 1, 1)
            await dialler.agent.invite(f"sip:{number}@{uri}", offer, f"sip:test@{HOST}", "Test")
            await asyncio.sleep(0.02)
        await callee
        await dialler.agent.close(grace_s=2.0)


async def listening(port: int, transport: str = "udp", host: str = HOST) -> None:
    """Wait until somebody has bound the port."""
    octets, table = ip_address(host).packed, f"{transport}6" if ":" in host else transport
    words = [octets[at : at + 4][::-1].hex().upper() for at in range(0, len(octets), 4)]
    wanted = f" {''.join(words)}:{port:04X} {'0' * 2 * len(octets)}:0000 " + ("0A" if transport == "tcp" else "")
    async with asyncio.timeout(40):
        while wanted not in Path(f"/proc/net/{table}").read_text():
            await asyncio.sleep(0.02)


async def test_calling_sipp(tmp_path: Path) -> None:
    dialler = Dialler(hold=False)
    await dial(dialler, tmp_path, 50, "-sn", "uas")
    assert sum(isinstance(event, InviteAnswered) for event in dialler.events) == 50
    assert sum(event.cause is EndCause.LOCAL for event in dialler.events if isinstance(event, DialogEnded)) == 50
    assert not any(isinstance(event, InviteRefused) for event in dialler.events)


async def test_putting_sipp_on_hold(tmp_path: Path) -> None:
    dialler = Dialler(hold=True)
    await dial(dialler, tmp_path, 20, "-sf", str(SCENARIOS / "callee.xml"))
    assert dialler.directions == [Direction.SENDONLY] * 20
    assert sum(isinstance(event, DialogEnded) for event in dialler.events) == 20


async def test_sipsak_pings() -> None:
    callee = SilentCallee()
    async with answering(callee) as address:
        output = await run(peer("sipsak", "sipsak"), "-v", "-s", f"sip:ping@{address}")
    assert "200 OK" in output
    assert "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, " in output
    assert callee.events == []


@pytest.mark.parametrize(("codec", "module"), [("PCMU", "g711"), ("PCMA", "g711"), ("G722", "g722"), ("opus", "opus")])
async def test_baresip_phones_in(tmp_path: Path, codec: str, module: str) -> None:
    modules = ["account", module, "aubridge", "menu"]
    (tmp_path / "config").write_text(
        f"sip_listen {HOST}:21062\nnet_interface {HOST}\nrtp_ports 21400-21500\naudio_source aubridge,a\n"
        f"audio_player aubridge,a\naudio_alert aubridge,b\nmodule_path /usr/lib/baresip/modules\n"
        + "".join(f"module {name}.so\n" for name in modules[1:3])
        + f"module_app {modules[0]}.so\nmodule_app {modules[3]}.so\n"
    )
    (tmp_path / "accounts").write_text(f"<sip:phone@{HOST}>;regint=0;audio_codecs={codec}\n")
    (tmp_path / "contacts").write_text("")
    callee = SilentCallee()
    async with answering(callee) as address:
        arguments = ("-f", str(tmp_path), "-t", "3", "-e", f"/dial sip:200@{address}")
        output = await run(peer("baresip", "baresip-core"), *arguments)
        assert "Call established" in output, output
        async with asyncio.timeout(20):
            while callee.agent.calls:
                await asyncio.sleep(0.02)
    assert counts(callee) == {"InviteReceived": 1, "InviteAcknowledged": 1, "DialogEnded": 1}
    assert callee.codecs == [Codec(codec)]

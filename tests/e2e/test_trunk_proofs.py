"""A trunk proved by real peers: sipp and baresip sign in with a password, and call the test numbers."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest

from dialog.announcements import Announcements
from tests.e2e.phones import Baresip
from tests.e2e.test_sip_peers import SCENARIOS, SIPP_PORT, answering, counts, listening, run, sipp
from tests.fakes.sip_uas import HOST, SilentCallee
from tests.fakes.speech import FakeEars, FakeMouth
from tests.peers import peer
from tests.ports import FIRST, LAST
from voice.caller import open_caller
from voice.calls import Calls
from voice.config import Settings
from voice.dialling import CallRefused
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.ports import Pcm
from voice.services import Services
from voice.settings.sections import LimitSettings
from voice.trunk import Trunk
from voice.wire.sip.auth import Authenticator, Login
from voice.wire.sip.dialog import bracketed
from voice.wire.sip.digest import Algorithm

BOTS = {"1004": "milliwatt", "17": "busy", "6": "ring"}
SINE_DBM0 = {"PCMU": 3.17 - 20 * np.log10(8_159 * 4), "PCMA": 3.14 - 20 * np.log10(4_096 * 8)}
"""Level of a sine whose peak is 1, by the law it came in (ITU-T G.711 section 4)."""


class _Over(Exception):
    """The test is done."""


@asynccontextmanager
async def serving(host: str = HOST) -> AsyncIterator[str]:
    """The test numbers, with a media plane that runs by the clock; yields the address."""
    settings = Settings.model_validate({"bots": BOTS, "sip": {"host": host, "peers": [host]}})
    plane = MediaPlane(asyncio.get_running_loop(), capacity=8)
    plane.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            services = Services(FakeEars(), FakeMouth(), {}, [], Announcements(), 60)
            calls = Calls(LimitSettings(), services, None, tasks, lambda: 0.0)
            trunk = Trunk(settings, calls, plane, RtpPorts(host, FIRST, LAST, Random()))
            agent = SipAgent(trunk, settings.sip.allows)
            trunk.serve(agent)
            await agent.start(host, 0, tasks)
            yield f"{bracketed(host)}:{agent.port}"
            calls.end_all()
            await calls.drain(5)
            await agent.close()
            raise _Over
    except* _Over:
        pass
    finally:
        await plane.close()


def level_dbm0(sound: Pcm, law: str) -> float:
    """Of a sine, from the middle second of what was heard."""
    middle = sound[sound.size // 2 - 8_000 : sound.size // 2 + 8_000].astype(np.float64)
    return float(20 * np.log10(np.sqrt(2 * np.mean(middle**2))) + SINE_DBM0[law])


@pytest.mark.parametrize("host", [HOST, "::1"])
async def test_the_milliwatt_as_our_caller_hears_it(host: str) -> None:
    async with serving(host) as address, open_caller(host) as caller:
        line = await caller.dial(f"sip:1004@{address}")
        await line.wait(2_000)
        line.hang_up()
        assert abs(level_dbm0(line.heard_between(400), "PCMU")) < 0.1
        with pytest.raises(CallRefused, match="486"):
            await caller.dial(f"sip:17@{address}")


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
async def test_the_milliwatt_as_baresip_records_it(tmp_path: Path, law: str) -> None:
    async with serving() as address:
        phone = Baresip(tmp_path, "phone", f"sip:1004@{address}", law, ())
        try:
            await asyncio.to_thread(phone.dial)
            await asyncio.sleep(3)
            await asyncio.to_thread(phone.hang_up)
        finally:
            await asyncio.to_thread(phone.close)
        sound = phone.heard()
    assert sound is not None
    assert abs(level_dbm0(sound, law)) < 0.1


async def test_sipp_by_ipv6(tmp_path: Path) -> None:
    async with serving("::1") as address:
        media = ("-mi", "::1", "-mp", "21200")
        arguments = ("-sn", "uac", "-s", "1004", "-d", "300", "-i", "::1", "-p", str(SIPP_PORT), *media, "-m", "5")
        await run(peer("sipp", "sip-tester"), *arguments, "-nostdin", "-timeout", "40s", address, cwd=tmp_path)


async def test_busy_and_ringing_as_sipp_sees_them(tmp_path: Path) -> None:
    async with serving() as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "busy.xml"), "-m", "10", "-r", "10", "-s", "17", address)
        await sipp(tmp_path, "-sf", str(SCENARIOS / "ring.xml"), "-m", "2", "-r", "2", "-s", "6", address)


def knowing(*algorithms: Algorithm) -> tuple[SilentCallee, Authenticator]:
    """A callee that lists nobody, and knows alice. Neither peer takes more than one challenge, nor any but MD5."""
    callee = SilentCallee()
    authenticator = Authenticator("house", {"alice": "wonder"}, secrets.token_bytes(32), algorithms)
    callee.agent = SipAgent(callee, allow=lambda host: False, authenticator=authenticator)
    return callee, authenticator


async def test_sipp_signs_in(tmp_path: Path) -> None:
    callee, authenticator = knowing(Algorithm.MD5)
    signed = ("-au", "alice", "-ap", "wonder", "-m", "50", "-r", "25")
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "account.xml"), *signed, address)
    assert counts(callee) == {"InviteReceived": 50, "InviteAcknowledged": 50, "DialogEnded": 50}
    assert authenticator.counts == {"asked": 50, "right": 50}


async def test_sipp_guesses_a_password(tmp_path: Path) -> None:
    callee, authenticator = knowing(Algorithm.MD5)
    signed = ("-au", "alice", "-ap", "guess", "-m", "3", "-r", "3")
    async with answering(callee) as address:
        await sipp(tmp_path, "-sf", str(SCENARIOS / "stranger.xml"), *signed, address)
    assert callee.events == []
    assert authenticator.counts == {"asked": 3, "wrong": 3}


@pytest.mark.parametrize(("password", "established"), [("wonder", True), ("guess", False)])
async def test_baresip_signs_in(tmp_path: Path, password: str, established: bool) -> None:
    (tmp_path / "config").write_text(
        f"sip_listen {HOST}:0\nnet_interface {HOST}\nrtp_ports 21400-21500\naudio_source aubridge,a\n"
        "audio_player aubridge,a\naudio_alert aubridge,b\nmodule_path /usr/lib/baresip/modules\n"
        "module g711.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app menu.so\n"
    )
    account = f"<sip:alice@{HOST}>;regint=0;audio_codecs=PCMU;auth_user=alice;auth_pass={password}\n"
    (tmp_path / "accounts").write_text(account)
    (tmp_path / "contacts").write_text("")
    callee, authenticator = knowing(Algorithm.MD5)
    async with answering(callee) as address:
        arguments = ("-f", str(tmp_path), "-t", "3", "-e", f"/dial sip:200@{address}")
        output = await run(peer("baresip", "baresip-core"), *arguments)
        assert ("Call established" in output) is established, output
    assert authenticator.counts == {"asked": 1, "right" if established else "wrong": 1}


@pytest.mark.parametrize(("password", "status"), [("wonder", 200), ("guess", 403)])
async def test_our_caller_signs_in_at_sipp(tmp_path: Path, password: str, status: int) -> None:
    """It verifies the INVITE and the BYE by its own arithmetic."""
    async with asyncio.TaskGroup() as tasks, open_caller() as caller:
        callee = tasks.create_task(sipp(tmp_path, "-sf", str(SCENARIOS / "asking.xml"), "-m", "1"))
        await listening(SIPP_PORT)
        try:
            line = await caller.dial(f"sip:200@{HOST}:{SIPP_PORT}", login=Login("alice", password))
        except CallRefused as refused:
            assert refused.status == status
        else:
            assert status == 200
            line.hang_up()
            assert await line.ended == "us"
        await callee

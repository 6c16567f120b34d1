"""RTCP with a telephone that is not ours: what baresip made of our reports, and we of its own."""

import asyncio
import re
from pathlib import Path
from random import Random

import pytest

from dialog.actions import Reply, Say
from dialog.events import CallEnded, CallQualityMeasured
from tests.fakes.bot import FakeBot
from tests.fakes.browser_call import until
from tests.fakes.house import house
from tests.peers import peer
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.trunk import Trunk

HOST = "127.0.0.1"
TALK_S = 13
"""baresip reports every 5 s; the second of its reports knows one of ours."""

_CONFIG = f"""\
sip_listen {HOST}:0
net_interface {HOST}
rtp_ports 21600-21700
rtcp_mux {{muxed}}
audio_source aubridge,a
audio_player aubridge,a
audio_alert aubridge,b
module_path {{modules}}
module g711.so
module aubridge.so
module rtcpsummary.so
module_app account.so
module_app menu.so
"""


async def phone_in(folder: Path, uri: str, *, muxed: bool) -> str:
    """Call `uri` with baresip; what it printed by its end."""
    program = peer("baresip", "baresip-core")
    modules = next(Path(program).resolve().parent.parent.glob("lib/**/baresip/modules"))
    (folder / "config").write_text(_CONFIG.format(modules=modules, muxed="yes" if muxed else "no"))
    (folder / "accounts").write_text(f"<sip:phone@{HOST}>;regint=0;audio_codecs=PCMU\n")
    (folder / "contacts").write_text("")
    phone = await asyncio.create_subprocess_exec(
        program,
        *("-f", str(folder), "-t", str(TALK_S + 3), "-e", f"/dial {uri}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(phone.communicate(), TALK_S + 20)
    finally:
        if phone.returncode is None:
            phone.kill()
            await phone.wait()
    return output.decode(errors="replace")


@pytest.mark.parametrize("muxed", [False, True])
async def test_baresip_and_we_tell_each_other_how_it_sounds(tmp_path: Path, muxed: bool) -> None:
    settings = Settings.model_validate({"bots": {"*": "helpdesk"}})
    async with house(FakeBot(Reply("fake", (Say("A rather long sentence. " * 40),)))) as home:
        home.plane.start()
        trunk = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, FIRST, LAST, Random()))
        agent = SipAgent(trunk, lambda host: True)
        trunk.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        phone = home.tasks.create_task(phone_in(tmp_path, f"sip:100@{HOST}:{agent.port}", muxed=muxed))
        await until(lambda: home.calls.live > 0)
        await asyncio.sleep(TALK_S)
        home.calls.end_all()  # it prints its summary when it is hung up on
        printed = await phone
        assert len(home.told(CallEnded)) == 1
        await agent.close()
        await home.plane.close()
    (quality,) = home.told(CallQualityMeasured)
    assert quality.round_trip_ms is not None
    assert quality.inbound is not None
    assert quality.outbound is not None
    assert 0 <= quality.round_trip_ms < 100
    assert (quality.inbound.lost, quality.outbound.lost) == (0, 0)
    assert min(quality.inbound.mos, quality.outbound.mos) > 4.2
    summary = re.search(r"EX=BareSip;.*PR=(\d+);PS=(\d+);PL=(-?\d+),(-?\d+);.*DL=([\d.]+);", printed)
    assert summary is not None, printed[-3_000:]
    received, _, lost_there, lost_here = map(int, summary.groups()[:4])
    assert (lost_there, lost_here) == (0, 0)
    assert 100 < received < 50 * (TALK_S + 1), "packets that we said we had sent by our last report"
    assert 0 < float(summary[5]) < 100, "it has a round trip by our reports"

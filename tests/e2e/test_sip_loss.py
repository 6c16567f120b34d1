"""A fifth of all datagrams lost, both ways: every call is set up and torn down, and none twice. Needs root."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.flows.script import Script, sdp
from tests.e2e.test_sip_peers import SCENARIOS, Dialler, run
from tests.e2e.tun_link import HERE, THERE, TunLink, tun_link
from tests.fakes.sip_uas import RTP_PORT, SilentCallee
from tests.peers import peer
from voice.net.sip_agent import SipAgent
from voice.wire.negotiation import make_offer
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteReceived,
    InviteRefused,
    SipEvent,
)

LOSS = 0.2
CALLS = 200
PORT = 5_060

CALLEE = Script().called().reply(200, "OK", sdp()).overhear("ACK").hear("BYE").reply(200, "OK").pause(9_000)
"""A BYE may come before a lost ACK, and again after it was answered."""

TALK_S = 3.0
"""Long enough that most of what is said twice at the beginning has been said: sipp does not tell it from the end."""

pytestmark = pytest.mark.timeout(150)


class Talker(Dialler):
    """Places calls, and hangs up after a while."""

    async def on_event(self, event: SipEvent) -> None:
        self.events.append(event)
        if isinstance(event, InviteAnswered):
            asyncio.get_running_loop().call_later(TALK_S, self.agent.hangup, event.call)


async def sipp(link: TunLink, cwd: Path, *arguments: str) -> None:
    """sipp at the far end. It says all as often as RFC 3261 has it: eleven times in 32 s, an INVITE seven times."""
    patience = ("-max_retrans", "11", "-max_invite_retrans", "11", "-max_non_invite_retrans", "11", "-timeout", "100s")
    common = ("-i", THERE, "-p", str(PORT), "-m", str(CALLS), "-nostdin", "-timeout_error", *patience)
    ip, *inside = link.inside
    await run(peer(ip, "iproute2"), *inside, peer("sipp", "sip-tester"), *common, *arguments, cwd=cwd, limit_s=110)


async def test_200_calls_to_us(tmp_path: Path) -> None:
    callee = SilentCallee()
    callee.agent = SipAgent(callee, allow=lambda host: host == THERE)
    with tun_link(LOSS) as link:
        async with asyncio.TaskGroup() as tasks:
            await callee.agent.start(HERE, 0, tasks)
            address = f"{HERE}:{callee.agent.port}"
            await sipp(link, tmp_path, "-sf", str(SCENARIOS / "caller.xml"), "-r", "20", address)
            await callee.agent.close()
    assert callee.count(InviteReceived) == CALLS
    assert len({event.sip_call_id for event in callee.events if isinstance(event, InviteReceived)}) == CALLS
    ended = [event for event in callee.events if isinstance(event, DialogEnded)]
    assert len(ended) == len({event.call for event in ended}) == CALLS
    assert {event.cause for event in ended} == {EndCause.REMOTE}
    assert_lossy(link)


async def test_200_calls_of_ours(tmp_path: Path) -> None:
    dialler = Talker(hold=False)
    dialler.agent = SipAgent(dialler, allow=lambda host: host == THERE)
    calls: set[CallRef] = set()
    with tun_link(LOSS) as link:
        async with asyncio.TaskGroup() as tasks:
            await dialler.agent.start(HERE, 0, tasks)
            (tmp_path / "callee.xml").write_text(str(CALLEE))
            callee = tasks.create_task(sipp(link, tmp_path, "-sf", "callee.xml"))
            for number in range(CALLS):
                offer = make_offer(HERE, RTP_PORT, 1, 1)
                calls.add(await dialler.agent.invite(f"sip:{number}@{THERE}:{PORT}", offer, f"sip:test@{HERE}"))
                await asyncio.sleep(0.05)
            await callee  # it has said farewell to each
            await dialler.agent.close(grace_s=2.0)
    assert not any(isinstance(event, InviteRefused) for event in dialler.events)
    for kind in (InviteAnswered, DialogEnded):
        told = [event.call for event in dialler.events if isinstance(event, kind)]
        assert len(told) == CALLS and set(told) == calls
    assert_lossy(link)


def assert_lossy(link: TunLink) -> None:
    """The link did what it is for: about a fifth was lost, each way."""
    for way in ("in", "out"):
        assert link.lost[way] > CALLS / 4
        assert LOSS / 2 < link.lost[way] / (link.lost[way] + link.passed[way]) < LOSS * 1.5

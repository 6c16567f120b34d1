"""Calls that come down the connection by which we registered (RFC 5626), to a node that nobody could connect to."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from aioice import stun

from tests.fakes.browser_call import until
from tests.fakes.clock import virtual_time
from tests.fakes.house import House, house
from tests.fakes.registrar import PASSWORD, Registrar
from tests.fakes.telephone import HOST
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.net.sip_probe import FlowProbe
from voice.trunk import Trunk
from voice.trunks import Trunks

SDP = f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


@asynccontextmanager
async def behind_nat(registrar: Registrar, transport: str = "tcp") -> AsyncIterator[tuple[House, Trunks]]:
    """A node that takes no connections, and is known by an address that leads nowhere."""
    given = {
        "proxy": HOST,
        "port": registrar.port,
        "transport": transport,
        "user": "alice",
        "password": PASSWORD,
        "register_s": 3_600,
        "advertised": "192.0.2.99",
    }
    settings = Settings.model_validate({"bots": {"*": "echo"}, "sip": {"peers": [], "trunks": {"carrier": given}}})
    trunks = Trunks(settings)
    async with house() as home:
        calls = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, FIRST, LAST, Random()), trunks)
        agent = SipAgent(calls, trunks.allows, told=trunks.signalling_host, flows=trunks.by_flow)
        calls.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        trunks.reach(agent, lambda: 0.5)
        trunks.start(home.tasks)
        try:
            await until(lambda: trunks.up == {"carrier": 1})
            yield home, trunks
        finally:
            await trunks.close()
            await agent.close()


def request(registrar: Registrar, method: str, to: str, body: str = "") -> str:
    """What the carrier says in its call to alice."""
    (contact,) = registrar.bound
    here = f"{HOST}:{registrar.port}"
    return (
        f"{method} {contact} SIP/2.0\r\nVia: SIP/2.0/TCP {here};branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:carol@{HOST}>;tag=carol\r\nTo: {to}\r\nCall-ID: call-1\r\nCSeq: 1 {method}\r\n"
        f"Contact: <sip:carol@{here};transport=tcp>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


async def test_a_call_comes_down_the_flow_and_so_does_all_that_belongs_to_it() -> None:
    async with Registrar(flows=True).by_tcp() as registrar, behind_nat(registrar) as (home, trunks):
        assert trunks.by_flow(HOST)
        assert list(registrar.bound) == [f"sip:alice@192.0.2.99:{re.findall('[0-9]+', str(list(registrar.bound)))[-1]}"]
        registrar.say(request(registrar, "INVITE", f"<sip:alice@{HOST}>", SDP))
        await until(lambda: any(it.startswith("SIP/2.0 200") for it in registrar.heard))
        answer = registrar.heard[-1]
        assert re.search(r"\r\nContact: <sip:192\.0\.2\.99:[0-9]+;ob>\r\n", answer), answer
        registrar.say(request(registrar, "ACK", re.findall("\r\nTo: (.*)\r\n", answer)[0]))
        await until(lambda: home.calls.live == 1)
        assert trunks.load == {"carrier": 1}
        home.calls.end_all()
        await until(lambda: "BYE" in registrar.methods())


async def test_a_carrier_that_binds_us_to_no_flow_is_not_asked_to_keep_to_one() -> None:
    async with Registrar().by_tcp() as registrar, behind_nat(registrar) as (_, trunks):
        assert not trunks.by_flow(HOST)
        registrar.say(request(registrar, "OPTIONS", f"<sip:alice@{HOST}>"))
        await until(lambda: bool(registrar.heard))
        assert ";ob" not in registrar.heard[-1]


@virtual_time
async def test_the_flow_is_kept_open_as_the_registrar_wants_it() -> None:
    registrar = Registrar(flows=True)
    registrar.flow_timer_s = 30
    async with registrar.by_tcp(), behind_nat(registrar):
        before = registrar.pings
        await asyncio.sleep(270)
        assert registrar.pings - before == 10, "every 27 s"


@virtual_time
async def test_by_udp_it_is_kept_open_by_stun_and_over_when_the_address_changes_or_nobody_answers() -> None:
    registrar = Registrar(flows=True)
    async with registrar.by_udp(), behind_nat(registrar, "udp"):

        async def asked(during_s: float) -> int:
            before = registrar.methods().count("REGISTER")
            await asyncio.sleep(during_s)
            return registrar.methods().count("REGISTER") - before

        assert (await asked(270), registrar.pings) == (0, 10), "every 26 s"
        registrar.seen = ("192.0.2.7", 1_025)
        assert await asked(60) == 2, "once, and once more who we are"
        assert await asked(120) == 0
        registrar.seen = None
        assert await asked(120) == 2
        assert await asked(600) == 0, "it is not known whether anybody there knows STUN"


@virtual_time
async def test_who_binds_us_to_no_flow_is_not_asked_by_stun() -> None:
    registrar = Registrar()
    async with registrar.by_udp(), behind_nat(registrar, "udp"):
        await asyncio.sleep(270)
        assert registrar.pings == 0


async def test_an_answer_to_nothing_we_asked_is_dropped() -> None:
    sent: list[bytes] = []
    probe = FlowProbe(lambda data, addr: sent.append(data))
    asking = asyncio.create_task(probe.ask((HOST, 5_060)))
    await asyncio.sleep(0)
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, sent[0][8:])
    message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.7", 9)
    assert not probe.receive(bytes(message), (HOST, 5_061)), "from elsewhere"
    assert not probe.receive(bytes(message)[:-1], (HOST, 5_060))
    assert probe.receive(bytes(message), (HOST, 5_060))
    assert not probe.receive(bytes(message), (HOST, 5_060)), "once more"
    assert await asking == ("192.0.2.7", 9)

"""Trunks: whose a call is, what answers it, how much each may carry, and what it is told of us."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest

from dialog.errors import Overloaded
from dialog.events import CallStarted
from tests.fakes.browser_call import until
from tests.fakes.clock import virtual_time
from tests.fakes.house import House, house
from tests.fakes.telephone import HOST, telephone
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.settings.sections import LimitSettings
from voice.trunk import Trunk
from voice.trunks import Trunks


def trunks(**sections: Mapping[str, object]) -> Trunks:
    """The trunks of these sections, and no other peer."""
    bots = {"100": "echo", "*": "helpdesk"}
    return Trunks(Settings.model_validate({"bots": bots, "sip": {"peers": [], "trunks": sections}}))


def test_a_trunk_is_known_by_its_longest_prefix_and_its_proxy_by_where_it_was_found() -> None:
    it = trunks(wide={"peers": ["192.0.2.0/24", "2001:db8::/32"]}, narrow={"peers": ["192.0.2.7"]})
    assert [it.at(f"192.0.2.{n}") for n in (6, 7, 8)] == ["wide", "narrow", "wide"]
    assert it.at("2001:db8::1") == "wide"
    assert it.at("198.51.100.1") == ""
    assert (it.allows("192.0.2.1"), it.allows("198.51.100.1")) == (True, False)
    it.found("narrow", ["192.0.2.9", "198.51.100.1"])
    assert (it.at("192.0.2.9"), it.at("198.51.100.1")) == ("narrow", "narrow")
    assert it.allows("198.51.100.1")
    it.found("wide", ["198.51.100.1"])
    assert it.at("198.51.100.1") == "narrow", "which was there first"
    it.found("wide", [])
    it.found("narrow", ["192.0.2.9"])
    assert it.at("198.51.100.1") == "", "it has moved"


def test_a_trunk_has_numbers_of_its_own_before_those_of_the_node() -> None:
    plan = {"200": "echo", "39*": "keypad", "3902*": "milliwatt", "39021": "busy"}
    it = trunks(carrier={"peers": ["192.0.2.1"], "bots": plan})
    numbers = ("200", "39", "3906", "39022", "39021", "390211", "100", "7")
    found = [it.bot_for("carrier", number) for number in numbers]
    assert found == ["echo", "keypad", "keypad", "milliwatt", "busy", "milliwatt", "echo", "helpdesk"]
    assert [it.bot_for("", number) for number in ("200", "100")] == ["helpdesk", "echo"]


@virtual_time
async def test_a_trunk_carries_so_many_calls_at_once_and_a_second() -> None:
    it = trunks(
        small={"peers": ["192.0.2.1"], "calls": 2},
        slow={"peers": ["192.0.2.2"], "calls_per_second": 0.5},
        other={"peers": ["192.0.2.3"], "calls": 2},
    )
    inbound, outbound = ["", "small", "other"], ["small"]
    it.carries(lambda: inbound)
    it.carries(lambda: outbound)
    it.admit("other")
    with pytest.raises(Overloaded, match="trunk_calls"):
        it.admit("small")
    outbound.clear()
    it.admit("small")
    it.admit("slow")
    with pytest.raises(Overloaded, match="trunk_rate"):
        it.admit("slow")


@asynccontextmanager
async def node(
    trunk: Mapping[str, object], host: str = HOST, **others: Mapping[str, object]
) -> AsyncIterator[tuple[House, int]]:
    """A node on `host` with a trunk called `carrier`, and `others`, and no other peer; its SIP port."""
    trunks = {"carrier": trunk} | others
    settings = Settings.model_validate({"sip": {"peers": [], "trunks": trunks}})
    table = Trunks(settings)
    async with house(limits=LimitSettings(calls=4, calls_per_minute=1)) as home:
        calls = Trunk(settings, home.calls, home.plane, RtpPorts(host, FIRST, LAST, Random()), table)
        agent = SipAgent(calls, table.allows, told=table.signalling_host, advertised=HOST)
        calls.serve(agent)
        await agent.start(host, 0, home.tasks)
        try:
            yield home, agent.port
        finally:
            await agent.close()


async def test_a_call_is_its_trunks_and_hears_the_address_that_trunk_is_told() -> None:
    trunk = {"peers": ["127.0.0.2"], "bots": {"2*": "helpdesk"}, "advertised": "192.0.2.99"}
    async with node(trunk) as (home, port), telephone(port, "200", "127.0.0.2") as phone:
        phone.invite(phone.sdp())
        answer = await phone.answer()
        assert answer.status == 200
        assert "sip:192.0.2.99:" in answer.headers["contact"]
        assert "c=IN IP4 192.0.2.99" in answer.body
        phone.ack()
        await until(lambda: home.calls.live > 0)
        (started,) = home.told(CallStarted)
        assert (started.trunk, started.bot) == ("carrier", "helpdesk")


async def test_a_trunk_may_be_told_one_address_for_signalling_and_another_for_sound() -> None:
    trunk = {"peers": ["127.0.0.2"], "bots": {"*": "helpdesk"}, "media_advertised": "192.0.2.98"}
    for signalling in ("192.0.2.99", HOST):  # the trunk's, and the node's
        own = {"advertised": signalling} if signalling != HOST else {}
        async with node({**trunk, **own}) as (_, port), telephone(port, "200", "127.0.0.2") as phone:
            phone.invite(phone.sdp())
            answer = await phone.answer()
            assert f"sip:{signalling}:" in answer.headers["contact"]
            assert "c=IN IP4 192.0.2.98" in answer.body
            assert signalling not in answer.body
            phone.ack()


async def test_a_node_with_several_addresses_tells_each_trunk_the_one_that_it_sees() -> None:
    inside = {"peers": ["127.0.0.2"], "bots": {"*": "helpdesk"}, "advertised": "127.0.0.12"}
    outside = {"peers": ["127.0.0.3"], "bots": {"*": "helpdesk"}, "advertised": "127.0.0.13"}
    async with node(inside, "0.0.0.0", outside=outside) as (home, port):
        for peer, ours in (("127.0.0.2", "127.0.0.12"), ("127.0.0.3", "127.0.0.13")):
            async with telephone(port, "200", peer) as phone:
                phone.invite(phone.sdp())
                answer = await phone.answer()
                assert f"sip:{ours}:" in answer.headers["contact"]
                assert f"c=IN IP4 {ours}" in answer.body
                phone.ack()
                await until(lambda: home.calls.live > 0)
                await home.tick(200)
                assert phone.heard()
                phone.bye()
                await until(lambda: home.calls.live == 0)


async def test_a_trunk_has_formats_of_its_own_and_says_whether_it_is_encrypted() -> None:
    trunk = {"peers": ["127.0.0.2"], "codecs": ["PCMA"], "srtp": "off"}
    async with node(trunk) as (_, port), telephone(port, "200", "127.0.0.2") as phone:
        phone.invite(phone.sdp(formats="9 0 8 101"))
        assert (await phone.answer()).media()[1] == ["8", "101"]
        phone.ack()
    async with node(trunk) as (_, port), telephone(port, "200", "127.0.0.2") as phone:
        phone.invite(phone.sdp().replace("RTP/AVP", "RTP/SAVP"))
        assert (await phone.answer()).status == 488
        phone.ack(refused=True)


async def test_a_trunk_may_demand_what_the_node_allows() -> None:
    async with (
        node({"peers": ["127.0.0.2"], "srtp": "demanded"}) as (_, port),
        telephone(port, "1", "127.0.0.2") as phone,
    ):
        phone.invite(phone.sdp())
        assert (await phone.answer()).status == 488
        phone.ack(refused=True)


async def test_one_call_too_many_of_a_trunk_is_refused_for_now() -> None:
    async with (
        node({"peers": ["127.0.0.2"], "calls": 1}) as (_, port),
        telephone(port, "200", "127.0.0.2") as first,
        telephone(port, "200", "127.0.0.2") as second,
    ):
        first.invite(first.sdp())
        assert (await first.answer()).status == 200
        second.invite(second.sdp())
        refusal = await second.answer()
        assert (refusal.status, refusal.headers["retry-after"]) == (503, "5")
        second.ack(refused=True)
        first.ack()


async def test_what_one_caller_must_not_do_a_trunk_may() -> None:
    """Three calls in a minute that nobody has acknowledged: to one address two would be granted, and one a minute."""
    async with node({"peers": ["127.0.0.2"]}) as (_, port), AsyncExitStack() as stack:
        for _ in range(3):
            phone = await stack.enter_async_context(telephone(port, "200", "127.0.0.2"))
            phone.invite(phone.sdp())
            assert (await phone.answer()).status == 200
            stack.callback(phone.ack)

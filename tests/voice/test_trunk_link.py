"""The link to one trunk, with a registrar on loopback: bound, watched, lost, found again, and left."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from dialog.errors import ConfigurationError
from tests.fakes.clock import virtual_time
from tests.fakes.registrar import PASSWORD, Registrar
from tests.fakes.telephone import HOST
from voice.config import Settings
from voice.net.sip_agent import SipAgent
from voice.trunk_link import TrunkLink
from voice.trunks import Trunks
from voice.wire.sip.digest import Challenge
from voice.wire.sip.events import SipEvent
from voice.wire.sip.flow import Flow
from voice.wire.sip.message import make_response
from voice.wire.sip.watch import Standing


class Nobody:
    """Takes no calls: there are none."""

    def __init__(self) -> None:
        self.events: list[SipEvent] = []

    async def on_event(self, event: SipEvent) -> None:
        self.events.append(event)


@asynccontextmanager
async def linked(registrar: Registrar, **trunk: object) -> AsyncIterator[tuple[Trunks, TrunkLink]]:
    """The trunk `carrier`, whose proxy is the registrar; its calls and ours are only for those on the list."""
    given = {"proxy": HOST, "port": registrar.port, "user": "alice", "password": PASSWORD} | trunk
    trunks = Trunks(Settings.model_validate({"sip": {"peers": [], "trunks": {"carrier": given}}}))
    nobody = Nobody()
    agent = SipAgent(nobody, trunks.allows, told=trunks.signalling_host)
    async with asyncio.TaskGroup() as tasks:
        await agent.start(HOST, 0, tasks)
        try:
            trunks.reach(agent, lambda: 0.5)
            trunks.start(tasks)
            link = trunks.link("carrier")
            assert link is not None
            yield trunks, link
        finally:
            await trunks.close()
            await agent.close()
    assert nobody.events == []


async def until(holds: Callable[[], bool]) -> None:
    """Let the clock run, an hour at most, until something holds."""
    async with asyncio.timeout(3_600):
        while not holds():
            await asyncio.sleep(0.05)


@virtual_time
async def test_it_is_bound_renewed_and_let_go() -> None:
    async with Registrar(most_s=100).by_udp() as registrar:
        async with linked(registrar, register_s=300) as (trunks, link):
            assert (trunks.up, link.standing) == ({"carrier": 0}, Standing.UNKNOWN)
            await until(lambda: trunks.up == {"carrier": 1})
            assert link.standing is Standing.UP
            ((contact, granted),) = registrar.bound.items()
            assert contact.startswith(f"sip:alice@{HOST}:")
            assert granted == 100
            asked = len(registrar.came)
            await asyncio.sleep(900)
            assert len(registrar.came) - asked == 2 * 11, "every 80 s, and each time who we are"
        assert registrar.bound == {}


@virtual_time
async def test_what_it_is_told_of_us_is_the_address_for_it() -> None:
    async with (
        Registrar().by_udp() as registrar,
        linked(registrar, register_s=300, advertised="192.0.2.99", domain="example.net") as (trunks, _),
    ):
        await until(lambda: trunks.up == {"carrier": 1})
        (contact,) = registrar.bound
        assert contact.startswith("sip:alice@192.0.2.99:")
        assert str(registrar.came[0].uri) == "sip:example.net"
        assert registrar.came[0].headers["Via"].startswith("SIP/2.0/UDP 192.0.2.99:")


@virtual_time
async def test_a_wrong_password_is_told_and_tried_again_less_and_less_often() -> None:
    async with (
        Registrar().by_udp() as registrar,
        linked(registrar, register_s=300, password="guess") as (_, link),
    ):
        await until(lambda: link.standing is Standing.DOWN)
        assert link.reason == "REGISTER: 403 Forbidden"
        await asyncio.sleep(1_500)
        assert len(registrar.came) < 2 * 8


@virtual_time
async def test_the_password_is_for_the_realms_of_the_trunk_and_for_no_other() -> None:
    async with Registrar().by_udp() as registrar:
        async with linked(registrar, register_s=300, realms=["elsewhere"]) as (_, link):
            await until(lambda: link.standing is Standing.DOWN)
            assert link.reason.startswith("REGISTER: asked for realm 'carrier', our password is for 'elsewhere'")
            assert all(request.headers.get("Authorization") is None for request in registrar.came)
        async with linked(registrar, register_s=300, realms=["elsewhere", "carrier"]) as (trunks, _):
            await until(lambda: trunks.up == {"carrier": 1})


@virtual_time
async def test_where_we_registered_decides_whom_calls_answer() -> None:
    async with Registrar().by_udp() as registrar, linked(registrar, register_s=300) as (trunks, link):
        await until(lambda: trunks.up == {"carrier": 1})
        login = link.login()
        assert login is not None
        challenge = {"WWW-Authenticate": str(Challenge("elsewhere", "n"))}
        asked = make_response(registrar.came[0], 401, headers=challenge)
        assert login.take(asked, "c").startswith("asked for realm 'elsewhere', our password is for 'carrier'")


@virtual_time
async def test_a_ping_sees_it_go_and_come_back() -> None:
    async with Registrar(asks=False).by_udp() as registrar, linked(registrar, ping_s=30) as (trunks, link):
        await until(lambda: link.standing is Standing.UP)
        registrar.mute = True
        await until(lambda: link.standing is Standing.DOWN)
        assert (trunks.up, trunks.down) == ({"carrier": 0}, ["trunk carrier is down: OPTIONS: no answer"])
        registrar.mute = False
        await until(lambda: link.standing is Standing.UP)
        assert (trunks.up, trunks.down) == ({"carrier": 1}, [])


async def test_it_is_up_where_both_the_ping_and_the_registrar_say_so() -> None:
    async with Registrar().by_udp() as registrar:
        async with linked(registrar, ping_s=30, register_s=300, password="guess") as (_, link):
            await until(lambda: link.standing is Standing.DOWN)
            assert "OPTIONS" in registrar.methods()
        async with linked(registrar, ping_s=30, register_s=300) as (_, link):
            await until(lambda: link.standing is Standing.UP)


async def test_calls_are_taken_from_where_its_name_leads() -> None:
    async with Registrar().by_udp() as registrar, linked(registrar, proxy="localhost") as (trunks, link):
        await until(lambda: trunks.at(HOST) == "carrier")
        assert (link.watched, trunks.up, link.standing) == (False, {}, Standing.UNKNOWN)


async def test_a_name_that_leads_nowhere_is_the_reason() -> None:
    async with (
        Registrar().by_udp() as registrar,
        linked(registrar, proxy="nowhere.invalid", register_s=60) as (_, link),
    ):
        await until(lambda: link.standing is Standing.DOWN)
        assert link.reason.startswith("nowhere.invalid: ")


@virtual_time
async def test_of_several_addresses_the_next_is_tried_when_one_is_silent() -> None:
    async def found(host: str, port: None, **kinds: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 0)) for address in ("127.0.0.5", HOST)]

    async with Registrar().by_udp() as registrar:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "getaddrinfo", found, raising=False)
            async with linked(registrar, proxy="sip.example.net", ping_s=30) as (trunks, link):
                await asyncio.sleep(60)
                assert link.standing is Standing.UP
                assert [trunks.at(address) for address in ("127.0.0.5", HOST)] == ["carrier"] * 2


@virtual_time
async def test_over_a_connection_it_comes_back_when_that_is_cut() -> None:
    async with Registrar().by_tcp() as registrar, linked(registrar, register_s=3_600, transport="tcp") as (_, link):
        await until(lambda: link.standing is Standing.UP)
        asked = len(registrar.came)
        link.lost(Flow("192.0.2.200", registrar.port))
        await asyncio.sleep(10)
        assert len(registrar.came) == asked, "it was another's"
        registrar.hang_up()
        await asyncio.sleep(10)
        assert len(registrar.came) > asked


@virtual_time
async def test_a_connection_is_kept_alive_and_one_that_is_silent_is_replaced() -> None:
    async with Registrar().by_tcp() as registrar, linked(registrar, register_s=3_600, transport="tcp") as (_, link):
        await until(lambda: link.standing is Standing.UP)
        await until(lambda: registrar.pings == 3)
        asked = len(registrar.came)
        registrar.mute = True
        await asyncio.sleep(200)
        registrar.mute = False
        await asyncio.sleep(200)
        assert len(registrar.came) > asked, "long before it was to be renewed"


async def test_a_user_without_a_password_does_not_start() -> None:
    registrar = Registrar()
    registrar.port = 5_060
    with pytest.raises(ExceptionGroup) as caught:
        async with linked(registrar, register_s=60, password=""):
            raise AssertionError("it started")
    assert caught.group_contains(ConfigurationError, match=r"sip\.trunks\.carrier: no password")

"""Calls through a trunk: whom it may dial, how often, what it is told, and how a call comes to nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from structlog.testing import capture_logs

from dialog.errors import CentralinoError, NoCommonCodec, NotFound, Overloaded, PeerError, PeerForbidden, PeerTimeout
from tests.fakes.browser_call import until
from tests.fakes.carrier import GOOD, Carrier, node
from tests.fakes.clock import virtual_time
from tests.fakes.house import house
from tests.fakes.registrar import PASSWORD, Registrar
from tests.fakes.telephone import HOST
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.dialling import CallRefused, Dialling, PlacedCall
from voice.media.leg import MediaLeg
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.outbound import Outbound
from voice.sip_audio import Audios
from voice.spending import DAY_S
from voice.trunks import Trunks
from voice.wire.negotiation import read_answer
from voice.wire.sdp import Codec, Direction, parse_sdp
from voice.wire.sip.events import (
    DialogEnded,
    InviteAcknowledged,
    InviteCancelled,
    InviteReceived,
    ReinviteRefused,
)
from voice.wire.sip.watch import Standing


async def test_a_number_that_is_allowed_is_called_with_our_name_and_password() -> None:
    async with node(domain="example.net", caller_id="+39021") as it:
        call = await it.call()
        assert it.trunks.load == {"carrier": 1}
        await until(lambda: it.carrier.has(InviteAcknowledged))
        invite = it.carrier.invite
        assert (invite.dialled, invite.account) == ("0039021234", "alice")
        assert (invite.from_uri.user, invite.from_uri.host, invite.to_uri.host) == (
            "+39021",
            "example.net",
            "example.net",
        )
        call.hang_up()
        assert await call.ended == "us"
        await until(lambda: it.carrier.has(DialogEnded))
        await until(lambda: it.trunks.load == {"carrier": 0})
        assert it.outbound.refused == {}


async def test_sound_before_the_answer_is_told_once_and_is_that_of_the_call() -> None:
    def progress(agent: SipAgent, invite: InviteReceived) -> None:
        agent.progress(invite.call, GOOD)
        agent.progress(invite.call, GOOD)

    async with node(progress, codecs=["PCMU", "PCMA"]) as it:
        early: list[MediaLeg] = []
        calling = asyncio.create_task(it.outbound.dial("0039 021234", early=early.append))
        await until(lambda: len(early) == 1)
        it.carrier.agent.answer(it.carrier.invite.call, GOOD)
        call = await calling
        assert early == [call.leg]
        call.hang_up()
    async with node() as it:
        call = await it.outbound.dial("0039021234", early=early.append)
        assert len(early) == 1, "there was none"
        call.hang_up()


async def test_a_password_is_not_told_where_another_realm_asks_and_a_line_of_the_log_says_so() -> None:
    async with node(realms=["elsewhere"]) as it:
        with capture_logs() as lines, pytest.raises(CallRefused, match="realm 'carrier'"):
            await it.call()
        assert not it.carrier.came
        (line,) = [line for line in lines if line["log_level"] == "warning"]
        assert (line["event"], line["trunk"]) == ("trunk does not let us in", "carrier")
        assert "add it to `realms`" in line["reason"]
        assert it.nothing_is_held()


async def test_the_trunk_hears_the_address_that_it_is_told() -> None:
    for media in (None, "192.0.2.98"):
        async with node(advertised="192.0.2.99", media_advertised=media) as it:
            call = await it.call()
            assert f"c=IN IP4 {media or '192.0.2.99'}\r\n".encode() in (it.carrier.invite.offer or b"")
            call.hang_up()


@pytest.mark.parametrize(("dtmf", "offered"), [("auto", True), ("events", True), ("tones", False)])
async def test_a_trunk_that_wants_keys_in_the_sound_is_offered_no_events(dtmf: str, offered: bool) -> None:
    async with node(dtmf=dtmf) as it:
        call = await it.call()
        assert (b"telephone-event" in (it.carrier.invite.offer or b"")) == offered
        assert call.leg is not None
        assert call.leg.send_keys("1")
        call.hang_up()


async def test_a_trunk_that_wants_keys_by_info_gets_them_so() -> None:
    async with node(dtmf="info") as it:
        call = await it.call()
        await until(lambda: it.carrier.has(InviteAcknowledged))
        assert b"telephone-event" not in (it.carrier.invite.offer or b"")
        assert call.leg is not None
        assert call.leg.send_keys("0*")
        await until(lambda: it.carrier.keys == "0*")
        call.hang_up()


async def test_the_far_end_hangs_up() -> None:
    async with node() as it:
        call = await it.call()
        await until(lambda: it.carrier.has(InviteAcknowledged))
        it.carrier.agent.hangup(it.carrier.invite.call)
        assert await call.ended == "far end"
        await until(lambda: it.trunks.load == {"carrier": 0})


async def test_the_far_end_moves_the_sound_and_holds_it_and_goes_on() -> None:
    async with node() as it:
        call = await it.call()
        await until(lambda: it.carrier.has(InviteAcknowledged))
        for number, (offer, direction) in enumerate(
            (
                (GOOD, Direction.SENDRECV),
                (GOOD.replace(b"40000", b"40002").replace(b"sendrecv", b"sendonly"), Direction.SENDONLY),
                (GOOD.replace(b"RTP/AVP 0 8", b"RTP/AVP 8"), Direction.SENDRECV),
            ),
            start=1,
        ):
            it.carrier.agent.reoffer(it.carrier.invite.call, offer)
            await until(lambda: len(it.carrier.answers) == number)  # noqa: B023 (it is awaited at once)
            agreed = read_answer(parse_sdp(it.carrier.answers[-1]))
            assert agreed.direction is direction
        assert call.audio.codec == Codec.PCMA
        assert not call.ended.done()
        call.hang_up()


async def test_media_that_we_do_not_have_are_refused_and_the_call_goes_on() -> None:
    async with node() as it:
        call = await it.call()
        await until(lambda: it.carrier.has(InviteAcknowledged))
        it.carrier.agent.reoffer(it.carrier.invite.call, GOOD.replace(b"RTP/AVP 0 8", b"RTP/AVP 18"))
        await until(lambda: it.carrier.has(ReinviteRefused))
        assert not call.ended.done()
        call.hang_up()


@pytest.mark.parametrize(
    "number", ["0049301234", "", "alice", "0039@example.org", "0039;x=y", "0039 02", "00391" + "0" * 30]
)
async def test_whatever_is_not_allowed_is_not_dialled(number: str) -> None:
    async with node() as it:
        with pytest.raises(PeerForbidden):
            await it.call(number)
        assert (it.carrier.came, it.wires, it.outbound.refused) == ([], [], {"peer.forbidden": 1})


async def test_nothing_is_allowed_until_a_setting_says_so() -> None:
    async with node(dial=[]) as it:
        with pytest.raises(PeerForbidden, match=r"sip\.trunks\.carrier\.dial"):
            await it.call()
        with pytest.raises(NotFound):
            await it.outbound.call("0039", PlacedCall, trunk="other")


async def test_a_full_node_or_trunk_places_none() -> None:
    async with node(calls=1) as it:
        it.obstacle = "full"
        with pytest.raises(Overloaded, match="full"):
            await it.call()
        it.obstacle = ""
        call = await it.call()
        with pytest.raises(Overloaded, match="trunk_calls"):
            await it.call()
        call.hang_up()
        await until(lambda: it.trunks.load == {"carrier": 0})
        (await it.call()).hang_up()


@virtual_time
async def test_so_many_a_day() -> None:
    async with node(lambda agent, invite: agent.reject(invite.call, 486), calls_a_day=2) as it:

        async def outcome() -> type[CentralinoError]:
            with pytest.raises(CentralinoError) as caught:
                await it.call()
            return caught.type

        assert [await outcome() for _ in range(3)] == [CallRefused, CallRefused, Overloaded]
        await asyncio.sleep(DAY_S)
        assert await outcome() is CallRefused


@virtual_time
async def test_so_much_a_day() -> None:
    async with node(rates={"*": 0.5}, spend_a_day=1.5) as it:
        first, second = await it.call(), await it.call()
        assert it.outbound.spent == {"carrier": 1.0}
        await asyncio.sleep(61)
        assert it.outbound.spent == {"carrier": 2.0}
        with pytest.raises(Overloaded, match="trunk_spend_a_day"):
            await it.call()
        for call in (first, second):
            assert not call.ended.done()
            call.hang_up()
        await until(lambda: it.trunks.load == {"carrier": 0})
        await asyncio.sleep(3_600)
        assert it.outbound.spent == {"carrier": 2.0}
        with pytest.raises(Overloaded, match="trunk_spend_a_day"):
            await it.call()
        await asyncio.sleep(DAY_S)
        (await it.call()).hang_up()


async def test_a_call_that_is_not_answered_costs_nothing_and_one_whose_answer_is_of_no_use_a_minute() -> None:
    async with node(lambda agent, invite: agent.reject(invite.call, 486), rates={"*": 0.5}) as it:
        with pytest.raises(CallRefused):
            await it.call()
        assert it.outbound.spent == {"carrier": 0.0}
        it.carrier.do = lambda agent, invite: agent.answer(invite.call, GOOD.replace(b"RTP/AVP 0 8", b"RTP/AVP 18"))
        with pytest.raises(NoCommonCodec):
            await it.call()
        assert it.outbound.spent == {"carrier": 0.5}
        assert it.nothing_is_held()


@virtual_time
async def test_a_trunk_that_is_down_is_not_waited_for() -> None:
    async with Registrar().by_udp() as registrar, node(port=registrar.port, ping_s=30) as it:
        registrar.mute = True
        async with asyncio.TaskGroup() as tasks:
            it.trunks.start(tasks)
            await asyncio.sleep(120)
            with pytest.raises(PeerError, match="carrier is down: OPTIONS: no answer"):
                await it.call()
            await it.trunks.close()
        assert it.wires == []


@asynccontextmanager
async def carriers(**dial: list[str]) -> AsyncIterator[tuple[Trunks, Outbound]]:
    """Trunks that may dial so, in that order; each has a name that leads nowhere, which tells which one was taken."""
    async with house() as home:
        trunk = {"user": "alice", "password": PASSWORD, "ping_s": 30}
        named = {name: trunk | {"proxy": f"{name}.invalid", "dial": dial[name]} for name in dial}
        settings = Settings.model_validate({"sip": {"peers": [], "trunks": named}})
        trunks = Trunks(settings)
        agent = SipAgent(Carrier(lambda agent, invite: None), trunks.allows)
        await agent.start(HOST, 0, home.tasks)
        trunks.reach(agent, lambda: 0.5)
        audios = Audios(home.plane, RtpPorts(HOST, FIRST, LAST, Random()))
        try:
            yield trunks, Outbound(trunks, Dialling(agent), audios)
        finally:
            await agent.close()


async def taken(outbound: Outbound, number: str, trunk: str = "") -> str:
    """The trunk that a call to `number` took, as it cannot be reached."""
    with pytest.raises(PeerError, match=r"trunk \w+ (cannot be reached|is down)") as caught:
        await outbound.call(number, PlacedCall, trunk=trunk)
    return str(caught.value).split()[1]


async def test_a_number_takes_the_trunk_that_is_there_for_it() -> None:
    async with carriers(any=["*"], italy=["0039*"], second=["0039*", "0039021234*"], one=["0039029999"]) as (_, it):
        assert await taken(it, "0049301234") == "any"
        assert await taken(it, "0039061111") == "italy"
        assert await taken(it, "00390212345") == "second"
        assert await taken(it, "0039029999") == "one"
        assert await taken(it, "0039029999", "any") == "any"
    async with carriers(italy=["0039*"], spain=["0034*"]) as (_, it):
        with pytest.raises(PeerForbidden, match=r"sip\.trunks\.NAME\.dial"):
            await it.call("0049301234", PlacedCall)
        assert it.refused == {"peer.forbidden": 1}


@virtual_time
async def test_of_trunks_that_are_alike_one_that_is_down_comes_last() -> None:
    async with carriers(first=["0039*"], second=["0039*"], other=["*"]) as (trunks, it):
        first, second, _ = trunks.links
        assert await taken(it, "0039061111") == "first"
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(first.run())
            await asyncio.sleep(120)
            assert (first.standing, second.standing) == (Standing.DOWN, Standing.UNKNOWN)
            assert await taken(it, "0039061111") == "second"
            running.cancel()


async def test_a_name_that_leads_nowhere_costs_nothing() -> None:
    async with node(proxy="nowhere.invalid") as it:
        with pytest.raises(PeerError, match="cannot be reached"):
            await it.call()
        assert it.nothing_is_held()


@pytest.mark.parametrize("status", [302, 404, 486, 503])
async def test_a_refusal_is_told_and_nobody_else_is_called(status: int) -> None:
    async with node(lambda agent, invite: agent.reject(invite.call, status)) as it:
        with pytest.raises(CallRefused) as caught:
            await it.call()
        assert caught.value.status == status
        assert it.nothing_is_held()
        assert it.outbound.refused == {"peer.refused": 1}


async def test_who_does_not_answer_in_time_is_not_called_any_longer() -> None:
    async with node(lambda agent, invite: agent.ring(invite.call)) as it:
        with pytest.raises(PeerTimeout):
            await it.call(limit_s=0.2)
        await until(lambda: it.carrier.has(InviteCancelled))
        assert it.nothing_is_held()


async def test_who_gives_up_hangs_up() -> None:
    async with node(lambda agent, invite: agent.ring(invite.call)) as it:
        calling = asyncio.create_task(it.call())
        await until(lambda: it.carrier.has(InviteReceived))
        calling.cancel()
        await asyncio.wait((calling,))
        await until(lambda: it.carrier.has(InviteCancelled))
        assert it.nothing_is_held()

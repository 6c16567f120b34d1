"""Agents' telephones between a desk and a switch, in virtual time: what rings, who has the caller, and what ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from agent_assist.desk.host import DeskHost
from agent_assist.desk.messages import Message
from agent_assist.desk.ports import LeaveWhy, Presence
from agent_assist.desk.router import LongestIdle
from agent_assist.desk.rules import Rules
from dialog.commands import Command, Hold
from dialog.people_events import AgentMissed
from tests.agent_assist.desk.house import FakeStore
from tests.fakes.clock import virtual_time
from tests.fakes.handsets import HOST, Switch
from tests.fakes.house import House, house
from tests.fakes.live_calls import FakeCalls, Place
from tests.fakes.telephone import free
from tests.ports import FIRST, LAST
from tests.voice.wire.sip.test_endpoint import PEER
from tests.voice.wire.sip.test_registrar import House as Registry
from voice.call import MEDIA_LIMIT_MS
from voice.config import Settings
from voice.net.rtp_port import RtpPorts
from voice.phones import Phones
from voice.ports import TICK_MS
from voice.wire.sdp import Direction, parse_sdp
from voice.wire.sip.flow import TLS, Flow
from voice.wire.sip.message import Address

USERS = {"eve": "eve", "bob": "eve"}
"""Two accounts, one agent: a telephone on the desk, and one in the pocket."""


class Office:
    """A desk, eve, and her telephones. `browser` has her when her page has audio."""

    def __init__(self, home: House, srtp: str) -> None:
        self.house = home
        self.registry = Registry()
        self.switch = Switch()
        self.browser: set[str] = set()
        self.calls = FakeCalls()
        ports = RtpPorts(HOST, FIRST, LAST, Random())
        settings = Settings.model_validate({"sip": {"srtp": srtp}})
        self.phones = Phones(settings, USERS, self.registry.registrar, home.plane, ports)
        self.desk = DeskHost(Rules(ring_s=20), self.calls, self.calls, self, FakeStore(), LongestIdle())
        self.phones.work_for(self.desk, lambda agent: agent in self.browser)
        self.phones.serve(self.switch)
        self.calls.listeners.append(self.desk)
        self.calls.during = self._during

    def tell(self, agent: str, message: Message) -> None:
        """`Feeds`."""
        self.phones.tell(agent, message)

    def _during(self, call_id: str, command: Command) -> None:
        heard = self.browser | {agent for agent in USERS if self.phones.leg(agent) is not None}
        self.calls.audio = heard

    def register(self, account: str = "eve", contact: str = "<sip:desk@10.0.0.5>", source: Address = PEER) -> None:
        """One of her telephones comes up, or goes with `*`."""
        headers = {"Expires": "0"} if contact == "*" else {}
        self.registry.register(contact, account=account, headers=headers, source=source)
        for changed in self.registry.registrar.changes():
            self.phones.registered(changed)

    def ready(self) -> None:
        """Her telephone is registered, and she is ready."""
        self.register()
        self.desk.arrive("eve", ())
        self.desk.set_presence("eve", "ready")

    def caller(self, call_id: str = "c1", number: str = "sip:+4420@host") -> None:
        """Somebody wants a person."""
        self.calls.start(call_id, number)
        self.calls.ask(call_id, "a bill", "")
        self.desk.enqueue(call_id, "a bill", "")

    async def talking(self) -> None:
        """She is ready, somebody calls, she picks up."""
        self.ready()
        self.caller()
        await self.switch.pick_up(0)
        await self.house.tick(TICK_MS)

    def place(self) -> Place:
        return self.calls["c1"].place

    def presence(self) -> Presence:
        return self.desk.snapshot("eve").me.presence


@asynccontextmanager
async def office(srtp: str = "allowed") -> AsyncIterator[Office]:
    async with house() as home:
        laid = Office(home, srtp)
        yield laid
        laid.desk.leave("c1", LeaveWhy.HUNG_UP)
        await laid.switch.settle()
        await home.tick(2 * TICK_MS)
        await laid.desk.close()
        assert not set(laid.switch.states()) & {"ringing", "talking"}
        for handset in laid.switch.handsets:
            assert free(parse_sdp(handset.offer).media[0].port), "a port is not given back"


@virtual_time
async def test_an_offer_rings_the_phone_where_it_registered_and_shows_the_caller() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        (handset,) = it.switch.handsets
        (binding,) = it.registry.registrar.bindings("eve")
        assert (handset.addr, handset.uri) == (binding.addr, "sip:desk@10.0.0.5")
        assert handset.shows == f"sip:+4420@{HOST}:5060"
        assert it.place() is Place.WAITING


@virtual_time
async def test_picking_up_connects_and_hanging_up_ends_the_call_with_a_wrap_up_due() -> None:
    async with office() as it:
        await it.talking()
        assert (it.place(), it.presence()) == (Place.TALKING, Presence.TALKING)
        leg = it.phones.leg("eve")
        assert leg is not None
        await it.switch.hang_up(0)
        assert (it.place(), it.presence()) == (Place.OVER, Presence.WRAPPING)
        assert leg.closed
        assert it.phones.leg("eve") is None
        assert Hold(on=True) not in it.calls["c1"].commands


@virtual_time
async def test_the_panel_ends_a_call_of_the_phone() -> None:
    async with office() as it:
        await it.talking()
        it.desk.hang_up("eve")
        assert it.switch.states() == ["hung up by the node"]
        assert it.presence() is Presence.WRAPPING
        await it.switch.settle()
        assert not it.desk.snapshot("eve").me.audio


@virtual_time
async def test_the_phone_is_hung_up_with_the_caller_and_when_the_bot_has_the_caller_again() -> None:
    async with office() as it:
        await it.talking()
        it.desk.hand_back("eve")
        assert it.place() is Place.BOT
        await it.desk.wrap_up("eve", "c1", "solved", "")
        it.caller()
        await it.switch.pick_up(1)
        it.desk.leave("c1", LeaveWhy.HUNG_UP)
        assert it.switch.states() == ["hung up by the node", "hung up by the node"]


@pytest.mark.parametrize("status", [480, 486, 600, 603])
def test_a_phone_that_declines_leaves_its_owner_ready(status: int) -> None:
    @virtual_time
    async def test() -> None:
        async with office() as it:
            it.ready()
            it.caller()
            await it.switch.refuse(0, status)
            assert [event.why for event in journal(it)] == ["declined"]
            assert it.presence() is Presence.READY

    test()


def journal(it: Office) -> list[AgentMissed]:
    return [record.event for record in it.calls["c1"].records if isinstance(record.event, AgentMissed)]


@virtual_time
async def test_a_phone_that_cannot_be_called_is_no_answer() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        await it.switch.refuse(0, 404)
        assert it.presence() is Presence.RINGING, "the panel still shows the call"
        await asyncio.sleep(21)
        assert [event.why for event in journal(it)] == ["no_answer"]
        assert it.presence() is Presence.AWAY


@virtual_time
async def test_a_phone_that_nobody_picks_up_is_cancelled() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        await asyncio.sleep(21)
        assert it.switch.states() == ["cancelled"]
        assert it.presence() is Presence.AWAY


@virtual_time
async def test_the_panel_declines_and_the_phone_is_cancelled() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        it.desk.decline("eve", "c1")
        assert it.switch.states() == ["cancelled"]


@virtual_time
async def test_a_caller_who_is_gone_as_the_phone_is_picked_up() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        it.switch.lift(0)
        it.desk.leave("c1", LeaveWhy.HUNG_UP)
        await it.switch.settle()
        assert it.switch.states() == ["hung up by the node"]
        assert it.phones.leg("eve") is None
        assert it.presence() is Presence.READY


@virtual_time
async def test_a_call_that_cannot_be_connected_hangs_the_phone_up() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        it.calls.refusing = True
        await it.switch.pick_up(0)
        assert it.switch.states() == ["hung up by the node"]
        assert it.phones.leg("eve") is None
        it.calls.refusing = False


@virtual_time
async def test_all_phones_ring_and_the_first_that_is_picked_up_has_the_call() -> None:
    async with office() as it:
        it.ready()
        it.register("bob", "<sip:pocket@10.0.0.7>")
        it.caller()
        assert [handset.uri for handset in it.switch.handsets] == ["sip:desk@10.0.0.5", "sip:pocket@10.0.0.7"]
        it.switch.lift(1)
        it.switch.lift(0)
        await it.switch.settle()
        assert it.switch.states() == ["hung up by the node", "talking"], "picked up a moment too late"
        assert it.place() is Place.TALKING
        await it.switch.hang_up(1)
        assert it.place() is Place.OVER


@pytest.mark.parametrize(("status", "rings_on"), [(486, True), (603, False)])
def test_one_of_several_phones_is_busy_or_refuses_for_all(status: int, rings_on: bool) -> None:
    @virtual_time
    async def test() -> None:
        async with office() as it:
            it.ready()
            it.register("bob", "<sip:pocket@10.0.0.7>")
            it.caller()
            await it.switch.refuse(0, status)
            assert (it.presence() is Presence.RINGING) is rings_on
            assert it.switch.states() == ["refused", "ringing" if rings_on else "cancelled"]

    test()


@virtual_time
async def test_audio_of_the_page_wins() -> None:
    async with office() as it:
        it.ready()
        it.browser.add("eve")
        it.desk.audio("eve", connected=True)
        it.caller()
        assert it.switch.handsets == []
        it.desk.answer("eve", "c1")
        assert it.place() is Place.TALKING


@virtual_time
async def test_audio_that_comes_while_the_phone_rings_may_answer_in_its_place() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        it.browser.add("eve")
        it.desk.audio("eve", connected=True)
        it.desk.answer("eve", "c1")
        assert it.switch.states() == ["cancelled"]
        assert it.place() is Place.TALKING


@virtual_time
async def test_hold_on_the_phone_is_hold_at_the_desk() -> None:
    async with office() as it:
        await it.talking()
        await it.switch.change(0, Direction.SENDONLY)
        assert it.calls["c1"].music
        (held,) = it.switch.handsets[0].answers
        assert isinstance(held, bytes)
        assert parse_sdp(held).media[0].direction() is Direction.RECVONLY
        await it.switch.change(0, Direction.SENDRECV)
        assert not it.calls["c1"].music


@virtual_time
async def test_a_reinvite_that_changes_nothing_leaves_the_hold_of_the_panel_alone() -> None:
    async with office() as it:
        await it.talking()
        it.desk.hold("eve", on=True)
        await it.switch.change(0, Direction.SENDRECV)
        assert it.calls["c1"].music
        await it.switch.change(0, Direction.SENDRECV, audio=False)
        assert it.switch.handsets[0].answers[-1] == 400
        assert it.place() is Place.TALKING, "the sound stays as it was"


@virtual_time
async def test_the_phone_transfers_nobody() -> None:
    async with office() as it:
        await it.talking()
        await it.switch.refer(0, "sip:900@elsewhere")
        assert it.switch.handsets[0].answers == [603]
        assert it.place() is Place.TALKING


@virtual_time
async def test_a_phone_that_answers_with_nothing_we_can_hear_is_hung_up() -> None:
    async with office() as it:
        it.ready()
        it.caller()
        await it.switch.pick_up(0, b"")
        assert it.switch.states() == ["hung up by the node"]
        assert it.place() is Place.WAITING


@virtual_time
async def test_a_phone_that_goes_without_a_word_leaves_the_caller_to_the_queue() -> None:
    async with office() as it:
        await it.talking()
        await asyncio.sleep(MEDIA_LIMIT_MS / 1000 + 1)
        assert it.switch.states() == ["hung up by the node"]
        assert it.calls["c1"].music
        await asyncio.sleep(16)
        assert it.place() is not Place.TALKING


@virtual_time
async def test_a_phone_that_the_sip_agent_gives_up_leaves_the_caller_to_the_queue() -> None:
    async with office() as it:
        await it.talking()
        it.switch.hangup(it.switch.handsets[0].ref)
        await it.switch.settle()
        assert it.calls["c1"].music
        await asyncio.sleep(16)
        assert it.place() is not Place.TALKING


@virtual_time
async def test_a_phone_on_hold_may_be_silent() -> None:
    async with office() as it:
        await it.talking()
        await it.switch.change(0, Direction.SENDONLY)
        await asyncio.sleep(3 * MEDIA_LIMIT_MS / 1000)
        assert it.switch.states() == ["talking"]


@virtual_time
async def test_the_desk_hears_of_an_agents_first_phone_and_of_the_last_that_goes() -> None:
    async with office() as it:
        it.ready()
        it.register("bob", "<sip:pocket@10.0.0.7>")
        it.register(contact="*")
        assert it.desk.snapshot("eve").me.phone
        it.register("bob", "*")
        assert not it.desk.snapshot("eve").me.phone


@virtual_time
async def test_where_encryption_is_demanded_only_phones_ring_whose_keys_nobody_reads() -> None:
    async with office("demanded") as it:
        it.ready()
        it.register("bob", "<sip:pocket@10.0.0.7;transport=tls>", Flow("198.51.100.7", 40_001, TLS))
        it.caller()
        (handset,) = it.switch.handsets
        assert handset.uri == "sip:pocket@10.0.0.7;transport=tls"
        assert parse_sdp(handset.offer).media[0].protocol == "RTP/SAVP"
        await it.switch.pick_up(0)
        assert it.switch.states() == ["hung up by the node"], "it answered without keys"

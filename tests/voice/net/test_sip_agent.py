"""The asyncio shell: sockets, the allow list, counters, overflow, and closing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from dialog.errors import ConfigurationError, NotReady, ProtocolError
from tests.fakes.sip_uas import HOST, SilentCallee
from tests.voice.wire.sip.test_endpoint import request
from voice.net import sip_agent, sip_door, udp
from voice.net.sip_agent import SipAgent
from voice.net.udp import Address, UdpSocket
from voice.wire.sip.auth import Authenticator
from voice.wire.sip.events import (
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteCancelled,
    InviteReceived,
    InviteRefused,
    Ringing,
    SipEvent,
)
from voice.wire.sip.registrar import Registrar


class Caller:
    """A handler that lets tests wait for events."""

    def __init__(self) -> None:
        self.agent = SipAgent(self, allow=lambda host: True)
        self.events: asyncio.Queue[SipEvent] = asyncio.Queue()

    async def on_event(self, event: SipEvent) -> None:
        await self.events.put(event)

    async def next(self, *kinds: type[SipEvent]) -> SipEvent:
        """The next event that is of one of these kinds."""
        async with asyncio.timeout(5):
            while True:
                event = await self.events.get()
                if isinstance(event, kinds):
                    return event


@asynccontextmanager
async def running(*agents: SipAgent) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        for agent in agents:
            await agent.start(HOST, 0, tasks)
        yield
        for agent in reversed(agents):
            await agent.close()


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


async def test_a_call_over_real_sockets() -> None:
    callee, caller = SilentCallee(), Caller()
    async with running(callee.agent, caller.agent):
        call = await caller.agent.invite(f"sip:200@localhost:{callee.agent.port}", b"", "sip:1@127.0.0.1")
        assert await caller.events.get() == Ringing(call, 180, None)
        answered = await caller.events.get()
        assert isinstance(answered, InviteAnswered)
        assert answered.sdp is not None and answered.sdp.startswith(b"v=0")
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        assert (callee.agent.calls, caller.agent.calls) == (1, 1)
        assert caller.agent.hangup(call)
        assert await caller.events.get() == DialogEnded(call, EndCause.LOCAL)
        await until(lambda: callee.count(DialogEnded) == 1)
        assert not caller.agent.hangup(call)
        assert (callee.agent.calls, caller.agent.calls) == (0, 0)
        assert not callee.agent.dropped


async def test_timers_run() -> None:
    """Nobody listens: the INVITE is repeated by the loop's own clock."""
    caller = Caller()
    seen: list[bytes] = []
    deaf = await UdpSocket.open(HOST, 0, lambda data, addr: seen.append(data))
    async with running(caller.agent):
        await caller.agent.invite(f"sip:200@{HOST}:{deaf.address[1]}", b"", "sip:1@127.0.0.1")
        await until(lambda: len(seen) == 2)
    assert seen[0] == seen[1]
    await deaf.close()


async def test_strangers_hear_nothing() -> None:
    callee = SilentCallee()
    callee.agent = SipAgent(callee, allow=lambda host: False)
    heard: list[bytes] = []
    stranger = await UdpSocket.open(HOST, 0, lambda data, addr: heard.append(data))
    async with running(callee.agent):
        for _ in range(3):
            stranger.send(b"OPTIONS sip:x SIP/2.0\r\n\r\n", (HOST, callee.agent.port))
        await until(lambda: callee.agent.dropped["unlisted"] == 3)
    assert heard == []
    await stranger.close()


async def test_noise_is_counted() -> None:
    callee = SilentCallee()
    async with running(callee.agent):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:  # asyncio sends no empty datagrams
            noise.sendto(b"", (HOST, callee.agent.port))
            noise.sendto(b"rubbish\r\n\r\n", (HOST, callee.agent.port))
        await until(lambda: callee.agent.dropped == {"keep-alive": 1, "not SIP": 1})


async def test_closing_hangs_up_and_refuses_the_unanswered() -> None:
    callee, ringing, caller = SilentCallee(), SilentCallee(ring_only=True), Caller()
    async with running(callee.agent, ringing.agent, caller.agent):
        first = await caller.agent.invite(f"sip:1@{HOST}:{callee.agent.port}", b"", "sip:1@127.0.0.1")
        second = await caller.agent.invite(f"sip:1@{HOST}:{ringing.agent.port}", b"", "sip:1@127.0.0.1")
        await until(lambda: callee.count(InviteAcknowledged) == 1 and ringing.count(InviteReceived) == 1)
        await caller.agent.close()
        assert callee.count(DialogEnded) == 1
        assert ringing.count(InviteCancelled) == 1
        events = [caller.events.get_nowait() for _ in range(caller.events.qsize())]
        assert {event for event in events if isinstance(event, DialogEnded)} == {
            DialogEnded(first, EndCause.LOCAL),
            DialogEnded(second, EndCause.LOCAL),
        }
        with pytest.raises(OSError, match="closed"):
            _ = caller.agent.port


async def test_draining_refuses_new_calls_and_waits_for_old_ones() -> None:
    callee, caller = SilentCallee(), Caller()
    async with running(callee.agent, caller.agent):
        uri = f"sip:1@{HOST}:{callee.agent.port}"
        old = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
        await until(lambda: callee.count(InviteAcknowledged) == 1)
        closing = asyncio.create_task(callee.agent.close(grace_s=5.0))
        await asyncio.sleep(0)
        new = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
        failed = None
        while not isinstance(failed, InviteRefused):
            failed = await caller.events.get()
        assert failed == InviteRefused(new, 503, "Service Unavailable")
        assert not closing.done()
        caller.agent.hangup(old)
        await asyncio.wait_for(closing, 2.0)


async def test_a_slow_handler_costs_new_calls_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_agent, "MAX_UNHANDLED", 4)
    gate = asyncio.Event()

    class Slow(SilentCallee):
        async def on_event(self, event: SipEvent) -> None:
            await gate.wait()
            await super().on_event(event)

    callee, caller = Slow(ring_only=True), Caller()
    async with running(callee.agent, caller.agent):
        for _ in range(8):
            await caller.agent.invite(f"sip:1@{HOST}:{callee.agent.port}", b"", "sip:1@127.0.0.1")
        failed = [await asyncio.wait_for(caller.events.get(), 5) for _ in range(3)]
        assert all(isinstance(event, InviteRefused) and event.status == 503 for event in failed)
        gate.set()
        await until(lambda: callee.count(InviteReceived) == 5)
        assert callee.count(DialogEnded) == 0  # who was never announced needs no farewell


class Faulty(SilentCallee):
    """Fails over the first event of one kind, without having done anything about it."""

    def __init__(self, kind: type[SipEvent]) -> None:
        super().__init__()
        self._kind: type[SipEvent] | None = kind

    async def on_event(self, event: SipEvent) -> None:
        if self._kind is not None and isinstance(event, self._kind):
            self._kind = None
            self.events.append(event)
            raise RuntimeError("a fault of ours")
        await super().on_event(event)


@pytest.mark.parametrize("kind", [InviteReceived, InviteAcknowledged, DialogEnded])
async def test_a_handler_that_fails_ends_its_call_and_no_other(kind: type[SipEvent]) -> None:
    callee, caller = Faulty(kind), Caller()
    with capture_logs() as lines:
        async with running(callee.agent, caller.agent):
            uri = f"sip:1@{HOST}:{callee.agent.port}"
            failed = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
            if kind is DialogEnded:
                await until(lambda: callee.count(InviteAcknowledged) == 1)
                caller.agent.hangup(failed)
            end = await caller.next(InviteRefused, DialogEnded)
            assert end.call == failed
            assert isinstance(end, InviteRefused) is (kind is InviteReceived)
            await until(lambda: callee.count(DialogEnded) == 1)
            other = await caller.agent.invite(uri, b"", "sip:1@127.0.0.1")
            await caller.next(InviteAnswered)
            assert caller.agent.hangup(other)
            await until(lambda: callee.count(DialogEnded) == 2)
    received = next(event for event in callee.events if isinstance(event, InviteReceived))
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("sip call failed", "error")
    assert line["sip_call_id"] == ("" if kind is DialogEnded else received.sip_call_id)


async def test_a_taken_port_is_an_error() -> None:
    first, second = SilentCallee(), SilentCallee()
    async with running(first.agent), asyncio.TaskGroup() as tasks:
        with pytest.raises(OSError, match="in use"):
            await second.agent.start(HOST, first.agent.port, tasks)


async def test_every_address_needs_one_to_advertise() -> None:
    agent = SilentCallee().agent
    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(ConfigurationError, match="advertised"):
            await agent.start("0.0.0.0", 0, tasks)
    with pytest.raises(NotReady):
        _ = agent.port


async def test_a_wrong_uri_is_a_protocol_error() -> None:
    caller = Caller()
    async with running(caller.agent):
        with pytest.raises(ProtocolError):
            await caller.agent.invite("sip:@", b"", "sip:1@127.0.0.1")


async def test_what_cannot_be_sent_is_counted() -> None:
    sender = await UdpSocket.open(HOST, 0, lambda data, addr: None)
    sender.send(b"x", ("2001:db8::1", 5060))
    sender.send(b"x" * 70_000, (HOST, 9))
    await until(lambda: sum(sender.dropped.values()) == 2)
    await sender.close()
    sender.send(b"x", (HOST, 9))
    assert sender.dropped["closed"] == 1


async def test_a_kernel_that_does_not_keep_up_costs_datagrams_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MAX_UNSENT", -1)
    sender = await UdpSocket.open(HOST, 0, lambda data, addr: None)
    sender.send(b"x", (HOST, 9))
    assert sender.dropped == {"send overflow": 1}
    await sender.close()


async def test_datagrams_arrive_with_their_source() -> None:
    seen: list[tuple[bytes, Address]] = []
    one = await UdpSocket.open(HOST, 0, lambda data, addr: None)
    two = await UdpSocket.open(HOST, 0, lambda data, addr: seen.append((data, addr)))
    one.send(b"hello", two.address)
    await until(lambda: bool(seen))
    assert seen == [(b"hello", one.address)]
    await one.close()
    await two.close()


async def test_a_call_at_an_address_is_told_to_whoever_placed_it() -> None:
    callee, caller, phones = SilentCallee(), Caller(), Caller()
    async with running(callee.agent, caller.agent):
        address = (HOST, callee.agent.port)
        call = caller.agent.invite_at(address, "sip:eve@192.0.2.7:5070", b"", "sip:1@127.0.0.1", phones)
        assert await phones.events.get() == Ringing(call, 180, None)
        assert isinstance(await phones.events.get(), InviteAnswered)
        caller.agent.hangup(call)
        assert await phones.events.get() == DialogEnded(call, EndCause.LOCAL)
        await until(lambda: callee.count(DialogEnded) == 1)
        assert caller.events.empty()


@pytest.mark.parametrize(
    ("listed", "method", "answered"), [(False, "OPTIONS", 5), (True, "REGISTER", 5), (True, "OPTIONS", 9)]
)
@pytest.mark.parametrize("bound", ["STRANGER", "STRANGERS"])
async def test_one_address_and_all_of_them_are_listened_to_so_often_unless_it_is_a_peer_that_calls(
    monkeypatch: pytest.MonkeyPatch, bound: str, listed: bool, method: str, answered: int
) -> None:
    monkeypatch.setattr(sip_door, f"{bound}_PER_S", 0)
    monkeypatch.setattr(sip_door, f"{bound}_BURST", 5)
    authenticator = Authenticator("house", {"eve": "moon"}, bytes(32))
    agent = SipAgent(Caller(), lambda host: listed, authenticator=authenticator, registrar=Registrar())
    heard: list[bytes] = []
    sender = await UdpSocket.open(HOST, 0, lambda data, addr: heard.append(data))
    async with running(agent):
        for number in range(9):
            via = {"Via": f"SIP/2.0/UDP {HOST};rport;branch=z9hG4bK-{number}"}
            sender.send(request(method, headers=via), (HOST, agent.port))
        await until(lambda: len(heard) + agent.dropped["too often"] == 9)
        assert len(heard) == answered
    await sender.close()

"""What strangers send to a media socket in a live call and before it: the call goes on, each drop has its reason."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvloop
from aioice import stun

from dialog.errors import ConfigurationError
from tests.fakes.browser import FakeBrowser, rtp
from tests.fakes.browser_call import BrowserCall, browser_call, until
from tests.fakes.strangers import (
    OFF_PATH,
    client_hello,
    empty,
    fire,
    forged_rtp,
    garbage,
    hellos,
    plain_alerts,
    short,
    stranger,
    stun_junk,
    ten_thousand,
)
from voice.net.ice_guard import Drop, IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer, PeerConnected, PeerState

Datagrams = Iterator[bytes]


@pytest.fixture
async def call() -> AsyncIterator[BrowserCall]:
    async with browser_call() as connected:
        yield connected


def media_port(call: BrowserCall) -> int:
    return call.peer._connection.local_candidates[0].port


@contextlib.asynccontextmanager
async def talking(call: BrowserCall) -> AsyncIterator[None]:
    """Both ends send 50 packets a second meanwhile; afterwards every one of them has arrived, in order."""
    stop = asyncio.Event()
    sent: list[bytes] = []

    async def talk() -> None:
        while not stop.is_set():
            packet = rtp(len(sent))
            sent.append(packet)
            await call.browser.send(packet)
            call.peer.send([packet])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.02)

    talker = asyncio.create_task(talk())
    yield
    await asyncio.sleep(0.3)
    stop.set()
    await talker
    await until(lambda: len(call.received) >= len(sent) and len(call.browser.heard) >= len(sent))
    assert call.received == sent
    assert call.browser.heard == sent
    assert len(sent) > 10
    assert call.peer.state is PeerState.CONNECTED
    assert call.browser.state == "connected"


@pytest.mark.parametrize(
    ("attack", "reasons"),
    [
        (empty, {Drop.EMPTY}),
        (short, {Drop.MALFORMED_STUN, Drop.UNCHECKED_SOURCE}),
        (garbage, {Drop.MALFORMED_STUN, Drop.UNCHECKED_SOURCE}),
        (stun_junk, {Drop.MALFORMED_STUN, Drop.STRANGE_STUN}),
        (forged_rtp, {Drop.UNCHECKED_SOURCE}),
        (plain_alerts, {Drop.UNCHECKED_SOURCE}),
        (hellos, {Drop.UNCHECKED_SOURCE}),
        (ten_thousand, {Drop.EMPTY, Drop.MALFORMED_STUN, Drop.UNCHECKED_SOURCE}),
    ],
)
async def test_a_live_call_survives(call: BrowserCall, attack: Callable[[], Datagrams], reasons: set[Drop]) -> None:
    async with talking(call):
        sent = await fire(attack(), media_port(call))
    assert set(call.guard.dropped) == reasons
    assert call.guard.dropped.total() == sent


async def test_without_the_guard_one_empty_datagram_ends_a_call(call: BrowserCall) -> None:
    """Why all this is needed; the fake browser is plain aiortc. When this fails, the library has mended its ways."""
    messages: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: messages.append(context["message"]))
    await fire(iter([b""]), call.browser.port)
    await until(lambda: call.browser.state == "closed")


async def test_a_call_is_set_up_through_a_flood_of_hellos_and_garbage() -> None:
    browser = FakeBrowser()
    guard = IceGuard([IceAddress("127.0.0.1")])
    peer = await BrowserPeer.answer(guard, await browser.offer())
    port = peer._connection.local_candidates[0].port
    stop = asyncio.Event()

    async def flood() -> None:
        hello = client_hello()
        with stranger() as raw:
            while not stop.is_set():
                for datagram in (hello, b"", rtp(1), next(garbage()), next(plain_alerts())):
                    raw.sendto(datagram, ("127.0.0.1", port))
                await asyncio.sleep(0.001)

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.05)
    events: list[object] = []
    peer.listen(events.append)
    running = asyncio.create_task(peer.run())
    await browser.connect(peer.answer_sdp)
    await until(lambda: len(events) > 0)
    stop.set()
    await flooding
    (connected,) = events
    assert isinstance(connected, PeerConnected)
    assert connected.after_ms < 2_000
    assert guard.dropped[Drop.UNCHECKED_SOURCE] > 50
    await peer.close()
    await running
    await browser.close()


async def spoof(call: BrowserCall, datagrams: list[bytes]) -> None:
    """As if from the browser's own address: off-path attackers can forge that where networks let them."""
    protocol = call.peer._connection.sockets[0]
    for datagram in datagrams:
        protocol.datagram_received(datagram, ("127.0.0.1", call.browser.port))
    await asyncio.sleep(0.05)


async def test_forgeries_from_the_browsers_own_address(call: BrowserCall) -> None:
    async with talking(call):
        await spoof(call, [b"", client_hello(), *plain_alerts(), b"\x80", bytes([64]) * 20, *list(forged_rtp())[:50]])
        await spoof(call, [b"\x17\xfe\xfd\0\x01" + bytes(60)] * 20)
    dropped = call.guard.dropped
    assert dropped[Drop.EMPTY] == 1
    assert dropped[Drop.FORGED_DTLS] == 51
    assert dropped[Drop.UNKNOWN_KIND] == 1
    assert dropped[Drop.BAD_SRTP] == 51


async def test_handshake_records_have_a_budget(call: BrowserCall) -> None:
    server_hello = b"\x16\xfe\xfd\0\0" + bytes(8) + b"\x02" + bytes(40)
    async with talking(call):
        for _ in range(10):
            await spoof(call, [server_hello] * 100)
    assert 700 < call.guard.dropped[Drop.DTLS_FLOOD] < 1_000


def signed_check(call: BrowserCall, *, priority: bool = True, user: str = "", password: str = "") -> bytes:
    """A connectivity check as only one who knows the answer can make it."""
    connection = call.peer._connection
    check = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    remote = connection.remote_username
    check.attributes["USERNAME"] = user or f"{connection.local_username}:{remote}"
    if priority:
        check.attributes["PRIORITY"] = 1
    check.attributes["ICE-CONTROLLING"] = 1 << 63
    check.add_message_integrity((password or connection.local_password).encode())
    return bytes(check)


async def test_checks_that_are_not_quite_right(call: BrowserCall) -> None:
    async with talking(call):
        checks = [
            signed_check(call, user="somebody:else"),
            signed_check(call, password="x" * 22),
            signed_check(call, priority=False),
        ]
        with stranger() as raw:
            for check in checks:
                raw.sendto(check, ("127.0.0.1", media_port(call)))
            await asyncio.sleep(0.1)
            with pytest.raises(BlockingIOError):
                raw.recv(2000)  # silence: nothing is reflected
    assert call.guard.dropped == {Drop.STRANGE_STUN: 2, Drop.MALFORMED_STUN: 1}


async def test_a_caller_cannot_open_pairs_without_end(call: BrowserCall) -> None:
    async with talking(call):
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                raw = stack.enter_context(stranger())
                raw.sendto(signed_check(call), ("127.0.0.1", media_port(call)))
                await asyncio.sleep(0.001)
    assert len(call.peer._connection.pairs) <= 64
    assert call.guard.dropped[Drop.TOO_MANY_PAIRS] >= 36


async def test_media_before_the_keys_is_dropped() -> None:
    async with browser_call(connect=False) as call:
        await fire(iter([rtp(1)]), media_port(call))
        await until(lambda: call.guard.dropped == {Drop.UNCHECKED_SOURCE: 1})


async def test_no_datagram_goes_where_an_offer_points() -> None:
    with stranger() as victim:
        browser = FakeBrowser()
        offer = await browser.offer()
        aimed = f"a=candidate:2 1 udp 2113937151 {OFF_PATH} {victim.getsockname()[1]} typ host\r\na=mid:0"
        peer = await BrowserPeer.answer(IceGuard([IceAddress("127.0.0.1")]), offer.replace("a=mid:0", aimed))
        running = asyncio.create_task(peer.run())
        await browser.connect(peer.answer_sdp)
        await asyncio.sleep(0.1)
        with pytest.raises(BlockingIOError):
            victim.recv(2000)
        await peer.close()
        await running
        await browser.close()


async def gathered(guard: IceGuard) -> list[tuple[str, int]]:
    connection = guard.connection()
    await connection.gather_candidates()
    found = [(c.host, c.port) for c in connection.local_candidates]
    bound = [p.transport.get_extra_info("sockname")[0] for p in connection.sockets]
    await connection.close()
    assert len(bound) == len(found)
    return found


async def test_exactly_the_configured_addresses_are_offered() -> None:
    assert [host for host, _ in await gathered(IceGuard([IceAddress("127.0.0.1")]))] == ["127.0.0.1"]
    both = IceGuard([IceAddress("127.0.0.1"), IceAddress("127.0.0.2")])
    assert [host for host, _ in await gathered(both)] == ["127.0.0.1", "127.0.0.2"]
    behind_nat = IceGuard([IceAddress("127.0.0.1", advertised="198.51.100.7")])
    assert [host for host, _ in await gathered(behind_nat)] == ["198.51.100.7"]
    everywhere = await gathered(IceGuard([IceAddress("0.0.0.0", advertised="198.51.100.7")]))
    assert [host for host, _ in everywhere] == ["198.51.100.7"]
    partly = IceGuard([IceAddress("203.0.113.7"), IceAddress("127.0.0.1")])
    assert [host for host, _ in await gathered(partly)] == ["127.0.0.1"]


async def test_ports_stay_in_their_range_and_a_taken_one_is_passed_over() -> None:
    ports = range(31_200, 31_203)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first, stranger("127.0.0.1") as _:
        first.bind(("127.0.0.1", 31_200))
        for _ in range(5):
            ((_, port),) = await gathered(IceGuard([IceAddress("127.0.0.1")], ports))
            assert port in (31_201, 31_202)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
            second.bind(("127.0.0.1", 31_201))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third:
                third.bind(("127.0.0.1", 31_202))
                with pytest.raises(OSError, match="in use"):
                    await gathered(IceGuard([IceAddress("127.0.0.1")], ports))


def test_a_host_name_is_no_address() -> None:
    with pytest.raises(ConfigurationError, match=r"phone\.example"):
        IceAddress("phone.example")


def test_the_same_on_the_loop_that_serves() -> None:
    """uvloop has datagram transports of its own."""

    async def whole() -> None:
        async with browser_call() as call:
            async with talking(call):
                await fire(empty(), media_port(call))
                await fire(stun_junk(), media_port(call))
                await fire(hellos(), media_port(call))
            assert call.guard.dropped.total() == 2_250
            await call.browser.open_channel()
            await call.browser.vanish()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())

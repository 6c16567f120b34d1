"""The calls that we place: how they come to nothing, and what is said and heard in one, in audio time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random

import numpy as np
import pytest

from dialog.errors import NoCommonCodec, NotEncrypted, Overloaded, PeerTimeout, ProtocolError
from tests.fakes.browser_call import until
from tests.fakes.far_end import HOST, far_end
from tests.fakes.sip_uas import SilentCallee
from tests.fakes.telephone import free
from tests.ports import FIRST, LAST
from voice.caller import CODECS, LONGEST_MS, Caller, OutgoingLine, facing, open_caller
from voice.dialling import CallRefused
from voice.media.plane import MediaPlane
from voice.media.wires import Address
from voice.net.rtcp_port import RtcpPort
from voice.net.rtp_port import RtpPorts, UdpWire
from voice.net.sip_agent import SipAgent
from voice.net.udp import UdpSocket
from voice.ports import QUEUE_MS, RATE_HZ, TICK_MS, TICK_SAMPLES, Frame, Pcm
from voice.sip_audio import SipAudio
from voice.wire.negotiation import answer, make_offer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import parse_sdp
from voice.wire.sip.events import DialogEnded, EndCause, InviteAcknowledged, InviteCancelled, InviteReceived, SipEvent

PATIENCE_S = 0.1
"""Less than a BYE that nobody answers is waited for."""

GOOD = make_offer(HOST, 40_000, 1, 1)


class Callee:
    """Does with a call what `do` says, and remembers what came."""

    def __init__(self, do: Callable[[SipAgent, InviteReceived], object]) -> None:
        self.agent = SipAgent(self, lambda host: True)
        self.came: list[SipEvent] = []
        self._do = do

    async def on_event(self, event: SipEvent) -> None:
        self.came.append(event)
        if isinstance(event, InviteReceived):
            self._do(self.agent, event)

    def has(self, kind: type[SipEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.came)

    def hang_up(self) -> None:
        self.agent.hangup(self.came[0].call)


class Pair:
    """A caller and a callee on loopback; `wires` are all that the caller opened."""

    def __init__(self, caller: Caller, callee: Callee, wires: list[UdpWire]) -> None:
        self.caller = caller
        self.callee = callee
        self._wires = wires

    async def dial(self, limit_s: float = 5.0, *, srtp: bool = False) -> OutgoingLine:
        return await self.caller.dial(f"sip:100@{HOST}:{self.callee.agent.port}", limit_s, srtp=srtp)

    def nothing_is_held(self) -> bool:
        return all(wire.socket.fileno() == -1 and free(wire.port + 1) for wire in self._wires)


@asynccontextmanager
async def pair(do: Callable[[SipAgent, InviteReceived], object]) -> AsyncIterator[Pair]:
    wires: list[UdpWire] = []

    def keep(sock: socket.socket, remote: Address | None, control: RtcpPort) -> UdpWire:
        wires.append(UdpWire(sock, remote, control))
        return wires[-1]

    callee = Callee(do)
    async with asyncio.TaskGroup() as tasks:
        await callee.agent.start(HOST, 0, tasks)
        async with open_caller(ports=RtpPorts(HOST, FIRST, LAST, Random(), keep)) as caller:
            yield Pair(caller, callee, wires)
        await callee.agent.close()


async def test_we_hang_up() -> None:
    async with pair(lambda agent, invite: agent.answer(invite.call, GOOD)) as it:
        line = await it.dial()
        line.hang_up()
        line.hang_up()
        assert await line.ended == "us"
        await until(lambda: it.callee.has(DialogEnded) and it.nothing_is_held())


async def test_the_far_end_hangs_up() -> None:
    async with pair(lambda agent, invite: agent.answer(invite.call, GOOD)) as it:
        line = await it.dial()
        await until(lambda: it.callee.has(InviteAcknowledged))
        it.callee.hang_up()
        assert await line.ended == "far end"
        await until(it.nothing_is_held)


async def test_a_refusal_is_told_with_its_status_and_the_next_call_is_another() -> None:
    async with pair(lambda agent, invite: agent.reject(invite.call, 486)) as it:
        for _ in range(2):
            with pytest.raises(CallRefused, match="486") as refused:
                await it.dial()
            assert refused.value.status == 486
        assert it.nothing_is_held()


async def test_an_encrypted_call_is_so_or_is_none() -> None:
    def encrypted(agent: SipAgent, invite: InviteReceived) -> None:
        sdes = Sdes(Srtp.ALLOWED, bytes(SECRET_OCTETS))
        agent.answer(invite.call, answer(parse_sdp(invite.offer or b""), HOST, 40_000, 1, 1, sdes).answer_bytes)

    async with pair(encrypted) as it:
        line = await it.dial(srtp=True)
        line.hang_up()
    async with pair(lambda agent, invite: agent.answer(invite.call, GOOD)) as it:
        with pytest.raises(NotEncrypted):
            await it.dial(srtp=True)
        await until(lambda: it.callee.has(DialogEnded) and it.nothing_is_held())


async def test_a_caller_calls_from_where_the_far_end_is_reached() -> None:
    assert await facing("sip:100@127.0.0.1:5070;transport=tcp") == "127.0.0.1"
    assert await facing("sip:100@[::1]") == "::1"
    assert await facing("sip:100@localhost") == "127.0.0.1"
    with pytest.raises(ProtocolError):
        await facing("no uri")


async def test_who_does_not_answer_in_time_is_not_called_any_longer() -> None:
    async with pair(lambda agent, invite: agent.ring(invite.call)) as it:
        with pytest.raises(PeerTimeout):
            await it.dial(limit_s=0.05)
        await until(lambda: it.callee.has(InviteCancelled))
        assert it.nothing_is_held()


async def test_a_caller_who_gives_up_hangs_up() -> None:
    async with pair(lambda agent, invite: agent.ring(invite.call)) as it:
        dialling = asyncio.create_task(it.dial())
        await until(lambda: it.callee.has(InviteReceived))
        dialling.cancel()
        await asyncio.wait((dialling,))
        await until(lambda: it.callee.has(InviteCancelled))
        assert it.nothing_is_held()


@pytest.mark.parametrize(
    ("sdp", "error"),
    [
        (b"", ProtocolError),
        (GOOD.replace(b"RTP/AVP 0 8", b"RTP/AVP 18 9"), NoCommonCodec),
        (GOOD.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 example.org"), ProtocolError),
    ],
    ids=["none", "another codec", "a name"],
)
async def test_an_answer_that_is_of_no_use_is_hung_up(sdp: bytes, error: type[Exception]) -> None:
    async with pair(lambda agent, invite: agent.answer(invite.call, sdp)) as it:
        with pytest.raises(error):
            await it.dial()
        await until(lambda: it.callee.has(DialogEnded))
        (ended,) = [event for event in it.callee.came if isinstance(event, DialogEnded)]
        assert ended.cause is EndCause.REMOTE
        assert it.nothing_is_held()


class Muddler:
    """A callee, message by message: asks for an offer once the call stands, and answers it with what is no SDP."""

    def __init__(self) -> None:
        self.hung_up_on = False
        self._socket: UdpSocket | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        self._socket = await UdpSocket.open(HOST, 0, self._receive)
        yield self._socket.address[1]
        await self._socket.close()

    def _receive(self, data: bytes, addr: Address) -> None:
        line, _, rest = data.decode().partition("\r\n")
        came = dict(each.split(": ", 1) for each in rest.partition("\r\n\r\n")[0].split("\r\n"))
        if line.startswith("INVITE"):
            came["To"] += ";tag=muddler"
            self._contact = came["Contact"].strip("<>")
            self._say(addr, "SIP/2.0 200 OK", came, GOOD.decode())
        elif line.startswith("BYE"):
            self.hung_up_on = True
            self._say(addr, "SIP/2.0 200 OK", came)
        elif line.startswith("ACK"):
            turned = came | {"From": came["To"], "To": came["From"], "CSeq": "1 INVITE"}
            self._say(addr, f"INVITE {self._contact} SIP/2.0", turned | {"Via": self._via("1")})
        elif line == "SIP/2.0 200 OK":
            ours = came | {"CSeq": "1 ACK", "Via": self._via("2")}
            self._say(addr, f"ACK {self._contact} SIP/2.0", ours, "no SDP at all")

    def _via(self, branch: str) -> str:
        assert self._socket is not None
        return f"SIP/2.0/UDP {HOST}:{self._socket.address[1]};branch=z9hG4bK{branch}"

    def _say(self, addr: Address, line: str, headers: dict[str, str], body: str = "") -> None:
        assert self._socket is not None
        host, port = self._socket.address
        same = "".join(f"{name}: {headers[name]}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
        own = f"Max-Forwards: 70\r\nContact: <sip:100@{host}:{port}>\r\n"
        kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.send(f"{line}\r\n{same}{own}{kind}{body}".encode(), addr)


async def test_an_answer_of_no_use_in_the_middle_ends_that_call_and_no_other() -> None:
    muddler = Muddler()
    async with pair(lambda agent, invite: agent.answer(invite.call, GOOD)) as it, muddler.open() as port:
        line = await it.caller.dial(f"sip:100@{HOST}:{port}", 5.0)
        assert await line.ended == "us"
        await until(lambda: muddler.hung_up_on)
        other = await it.dial()  # events are handed out as before
        other.hang_up()
        assert await other.ended == "us"


async def test_whoever_loses_patience_with_what_closes_is_told_so_and_the_ports_are_free() -> None:
    deaf = False
    callee = SilentCallee()
    callee.agent = SipAgent(callee, allow=lambda host: not deaf)
    async with asyncio.TaskGroup() as tasks:
        await callee.agent.start(HOST, 0, tasks)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5) as patience, open_caller() as caller:
                await caller.dial(f"sip:1@{HOST}:{callee.agent.port}")
                deaf = True
                patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await callee.agent.close()


async def test_a_call_more_than_there_are_media_rows_is_hung_up() -> None:
    async with pair(lambda agent, invite: agent.answer(invite.call, GOOD)) as it:
        for _ in range(64):
            await it.dial()
        with pytest.raises(Overloaded):
            await it.dial()
        await until(lambda: it.callee.has(DialogEnded))


def voice(ms: int) -> Pcm:
    return np.full(ms * RATE_HZ // 1000, 1_000, np.int16)


async def test_to_have_said_something_is_when_its_last_sample_has_left() -> None:
    async with far_end() as it:
        saying = asyncio.create_task(it.line.say(voice(1_000)))
        await it.house.tick(980)
        assert not saying.done()
        await it.house.tick(60)
        assert saying.done()
        assert len(it.came()) == 52


async def test_what_is_longer_than_the_queue_is_said_to_the_end() -> None:
    async with far_end() as it:
        saying = asyncio.create_task(it.line.say(voice(QUEUE_MS + 2_500)))
        await it.house.tick(QUEUE_MS + 2_400, turns=2)
        assert not saying.done()
        await it.house.tick(200)
        assert saying.done()


async def test_keys_are_pressed_one_after_another() -> None:
    async with far_end() as it:
        pressing = asyncio.create_task(it.line.press("47"))
        await it.house.tick(300)
        assert not pressing.done()
        await it.house.tick(40)
        assert pressing.done()
        keys = [packet.payload[0] for packet in it.came() if packet.payload_type == 101]
        assert list(dict.fromkeys(keys)) == [4, 7]


@pytest.mark.parametrize("what", ["say", "press", "wait", "until_quiet"])
async def test_whoever_waits_goes_on_when_the_call_is_over(what: str) -> None:
    async with far_end() as it:
        line = it.line
        waits: dict[str, Callable[[], Coroutine[None, None, None]]] = {
            "say": lambda: line.say(voice(70_000)),
            "press": lambda: line.press("1234567890"),
            "wait": lambda: line.wait(10_000),
            "until_quiet": line.until_quiet,
        }
        waiting = asyncio.create_task(waits[what]())
        await it.house.tick(100)
        assert not waiting.done()
        line.over("far end")
        async with asyncio.timeout(5):
            await waiting
        assert await line.ended == "far end"


class Heard:
    """A line whose far end the test lets speak."""

    def __init__(self) -> None:
        plane = MediaPlane(asyncio.get_running_loop(), capacity=1)
        self.line = OutgoingLine(SipAudio(HOST, CODECS, Srtp.OFF, plane, RtpPorts(HOST, FIRST, LAST, Random())))
        self._tick = 0

    async def frames(self, ms: int, voice: float = 0.0, level: int = 0) -> None:
        await asyncio.sleep(0)  # whoever was to wait does so now
        pcm: Pcm = np.full(TICK_SAMPLES, level, np.int16)
        for _ in range(ms // TICK_MS):
            self.line.on_frame(Frame(self._tick, pcm, voice, -20.0))
            self._tick += 1
        for _ in range(4):
            await asyncio.sleep(0)


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    line = Heard()
    yield line
    line.line.audio.close()


async def test_quiet_is_a_silence_after_speech(heard: Heard) -> None:
    waiting = asyncio.create_task(heard.line.until_quiet(quiet_ms=900))
    await heard.frames(2_000)
    assert not waiting.done(), "nobody has spoken yet"
    await heard.frames(1_000, 0.9)
    await heard.frames(500)
    await heard.frames(200, 0.9)
    await heard.frames(880)
    assert not waiting.done()
    await heard.frames(20)
    assert waiting.done()


async def test_quiet_is_not_waited_for_without_end(heard: Heard) -> None:
    waiting = asyncio.create_task(heard.line.until_quiet(limit_ms=5_000))
    await heard.frames(4_980, 0.9)
    assert not waiting.done()
    await heard.frames(20, 0.9)
    assert waiting.done()


async def test_what_was_heard_is_found_by_its_time(heard: Heard) -> None:
    await heard.frames(1_000, level=1)
    await heard.frames(1_000, level=2)
    piece = heard.line.heard_between(980, 1_020)
    assert (piece.size, int(piece[0]), int(piece[-1])) == (2 * TICK_SAMPLES, 1, 2)
    assert heard.line.heard_between(1_000).size == RATE_HZ
    assert heard.line.heard_between(5_000).size == 0


async def test_what_is_heard_is_kept_up_to_a_bound_and_the_clock_goes_on(heard: Heard) -> None:
    await heard.frames(LONGEST_MS)
    waiting = asyncio.create_task(heard.line.wait(1_000))
    quiet = asyncio.create_task(heard.line.until_quiet(limit_ms=1_000))
    await heard.frames(1_000)
    assert waiting.done()
    assert quiet.done()
    assert heard.line.now_ms == LONGEST_MS + 1_000
    assert heard.line.heard_between(0).size == LONGEST_MS // TICK_MS * TICK_SAMPLES

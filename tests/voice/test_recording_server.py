"""Recording sessions as a session border controller sees them: real messages by TCP, and sound that the test ticks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from dialog.errors import PeerForbidden
from dialog.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    RecordingPaused,
)
from dialog.people_events import AgentJoined, AgentLeft
from dsp.g711 import MU_LAW, encode_block
from tests.fakes.browser_call import until
from tests.fakes.house import House, house
from tests.fakes.recording_client import ANN, BOB, EVE, Person, RecordingClient, metadata, recording_client
from tests.fakes.telephone import HOST, free, telephone
from tests.ports import FIRST, LAST
from voice.config import Settings
from voice.media.recorder import Recorder
from voice.net.certificate import ensure_certificate, server_tls, trusted
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings
from voice.ports import TICK_MS
from voice.recording_server import RecordingServer
from voice.settings.sections import LimitSettings
from voice.trunk import Trunk
from voice.trunks import Trunks
from voice.wire.sip.events import CallRef, InviteReceived
from voice.wire.sip.grammar import WireURI


@dataclass
class Exchange:
    """A trunk that takes recordings, and a client of two streams that has not called yet."""

    house: House
    trunk: Trunk
    agent: SipAgent
    client: RecordingClient

    async def recording(self, *people: Person) -> list[int]:
        """A session that has begun; the ports at which its streams are heard."""
        lines = await self.client.start(*people)
        await until(lambda: self.house.calls.live > 0)
        await self.tick(100)
        return [int(line.split()[1]) for line in lines]

    async def tick(self, ms: int) -> None:
        """Let audio time run, with a packet of each stream in every tick."""
        for _ in range(ms // TICK_MS):
            self.client.send()
            await self.house.tick(TICK_MS)

    async def over(self) -> str:
        """Nothing is held any more; the cause."""
        await until(lambda: self.house.calls.live + self.agent.calls == 0)
        await self.house.tick(TICK_MS)
        (ended,) = self.house.told(CallEnded)
        return ended.cause


@asynccontextmanager
async def exchange(
    *,
    labels: tuple[str, ...] = ("96", "97"),
    recorder: Recorder | None = None,
    rows: int = 8,
    calls: int = 32,
    ports: tuple[int, int] = (FIRST, LAST),
    allowed: bool = True,
    srtp: str = "allowed",
    secure: Path | None = None,
    trunk_of: Mapping[str, object] | None = None,
) -> AsyncIterator[Exchange]:
    """The client calls by TCP, or by TLS and with keys for its streams where there is a folder for a certificate; it is
    a trunk's where that has settings."""
    siprec = {"enabled": True, "agents": {"2001": "eve", "2002": "bob"}}
    trunks = {} if trunk_of is None else {"sbc": {"peers": [HOST], **trunk_of}}
    sip = {"siprec": siprec, "srtp": srtp, "trunks": trunks}
    settings = Settings.model_validate({"sip": sip, "bots": {"*": "helpdesk"}})
    limits = LimitSettings(calls=calls)
    async with house(recorder=recorder, rows=rows, limits=limits) as home, AsyncExitStack() as stack:
        trunk = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, *ports, Random()))
        streams, trusting = StreamSettings(tcp_port=0), None
        if secure is not None:
            certificate, key = ensure_certificate(secure, HOST)
            streams, trusting = StreamSettings(tls_port=0, tls=server_tls(certificate, key)), trusted(certificate)
        agent = SipAgent(trunk, lambda _host: True, streams=streams, records=allowed)
        trunk.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        stack.push_async_callback(agent.close)
        port = agent.port if secure is None else agent.stream_ports["TLS"]
        client = await stack.enter_async_context(recording_client(port, *labels, tls=trusting))
        yield Exchange(home, trunk, agent, client)


async def test_a_session_is_answered_and_heard_and_nothing_is_said() -> None:
    async with exchange() as it:
        it.client.invite(it.client.sdp(), metadata(ANN, EVE))
        answer = await it.client.answer()
        assert answer.status == 200
        assert answer.headers["contact"].endswith(";+sip.srs")
        assert answer.body.count("a=recvonly") == 2
        assert [line for line in answer.body.split("\r\n") if line.startswith("a=label")] == [
            "a=label:96",
            "a=label:97",
        ]
        it.client.ack()
        it.client.read(answer)
        await until(lambda: it.house.calls.live == 1)
        await it.tick(500)
        (started,) = it.house.told(CallStarted)
        assert (started.transport, started.caller, started.bot) == ("siprec", ANN.aor, "")
        assert it.house.told(CallAnswered) == [CallAnswered(codec="PCMU")]
        assert it.house.told(AgentJoined) == [AgentJoined(agent="eve")]
        assert it.house.plane.refused == {}
        assert [source.heard for source in it.client.sources] == [0, 0]
        assert it.house.bot.turns == []
        ports = [source.target for source in it.client.sources]
        it.client.bye()
        assert (await it.client.answer("BYE")).status == 200
        assert await it.over() == "recording_over"
        assert it.house.told(AgentLeft) == [AgentLeft(agent="eve", why="ended")]
        assert all(free(port) and free(port + 1) for port in ports)


@pytest.mark.parametrize("srtp", ["allowed", "demanded"])
async def test_who_calls_is_on_the_left_of_the_recording_and_the_agent_on_the_right(tmp_path: Path, srtp: str) -> None:
    """By TLS, each stream with a key of its own, where that is demanded."""
    recorder = Recorder(tmp_path)
    secure = tmp_path if srtp == "demanded" else None
    try:
        async with exchange(recorder=recorder, srtp=srtp, secure=secure) as it:
            await it.recording(EVE, ANN)  # the agent's stream is the second one: its label says so
            for source, level in zip(it.client.sources, (2_000, 8_000), strict=True):
                loud = encode_block(np.full(160, level, np.int16), MU_LAW).tobytes()
                source.speech.extend([loud] * 50)
            await it.tick(1_000)
            assert it.house.plane.refused == {}
            it.client.bye()
            await it.over()
            (started,) = it.house.told(CallStarted)
    finally:
        recorder.close()
    sound, _ = soundfile.read(tmp_path / started.recording, dtype="int16")
    left, right = (int(np.percentile(sound[:, channel], 80)) for channel in (0, 1))
    assert left == pytest.approx(2_000, rel=0.1)
    assert right == pytest.approx(8_000, rel=0.1)


async def test_another_agent_takes_over_by_a_change_that_tells_only_that() -> None:
    async with exchange() as it:
        await it.recording(ANN, EVE)
        await it.client.change(metadata(Person("eve", EVE.aor, "Eve", "97", gone=True), BOB, mode="partial"))
        await it.tick(100)
        assert it.house.told(AgentLeft) == [AgentLeft(agent="eve", why="transferred")]
        assert [joined.agent for joined in it.house.told(AgentJoined)] == ["eve", "bob"]


async def test_metadata_alone_is_answered_by_an_offer_of_what_stands() -> None:
    async with exchange() as it:
        ports = await it.recording(ANN, EVE)
        it.client.invite(told=metadata(ANN, BOB))
        offer = await it.client.answer()
        assert [int(line.split()[1]) for line in offer.body.split("\r\n") if line.startswith("m=")] == ports
        it.client.ack(it.client.sdp())
        await until(lambda: len(it.house.told(AgentJoined)) == 2)
        await it.tick(100)
        assert it.house.calls.live == 1


async def test_metadata_by_update_are_taken_and_those_that_cannot_be_read_are_passed_over() -> None:
    async with exchange() as it:
        await it.recording(ANN, EVE)
        for told in (metadata(ANN, BOB), "no metadata"):
            it.client.invite(told=told, method="UPDATE")
            answer = await it.client.answer("UPDATE")
            assert (answer.status, answer.body) == (200, "")
        await until(lambda: len(it.house.told(AgentJoined)) == 2)
        await it.tick(100)
        assert it.house.told(AgentLeft) == [AgentLeft(agent="eve", why="transferred")]
        assert it.house.calls.live == 1


async def test_the_same_offer_once_more_has_the_same_answer() -> None:
    async with exchange() as it:
        await it.recording(ANN, EVE)
        offer, bodies = it.client.sdp(), []
        for _ in range(2):
            it.client.invite(offer)
            bodies.append((await it.client.answer()).body)
            it.client.ack()
        assert bodies[0] == bodies[1]


async def test_a_pause_and_its_end() -> None:
    async with exchange() as it:
        await it.recording(ANN, EVE)
        for source in it.client.sources:
            source.direction = "inactive"
        await it.client.change()
        assert (await it.client.answer()).body.count("a=inactive") == 2
        await it.tick(100)
        assert it.house.told(RecordingPaused) == [RecordingPaused(on=True)]
        for source in it.client.sources:
            source.direction = "sendonly"
        await it.client.change()
        await it.tick(100)
        assert it.house.told(RecordingPaused) == [RecordingPaused(on=True), RecordingPaused(on=False)]
        assert it.house.calls.live == 1


async def test_streams_come_and_go() -> None:
    async with exchange() as it:
        first, second = await it.recording(ANN, EVE)
        it.client.add("98")
        lines = await it.client.change(metadata(ANN, EVE, Person("bob", BOB.aor, "Bob", "98")))
        third = int(lines[2].split()[1])
        await it.tick(100)
        assert [joined.agent for joined in it.house.told(AgentJoined)] == ["eve", "bob"]
        assert it.house.plane.refused == {}
        it.client.sources[0].given_up = True
        lines = await it.client.change()
        assert [int(line.split()[1]) for line in lines] == [0, second, third]
        await it.tick(100)
        assert free(first) and not free(second)
        it.client.sources[0].given_up = False
        lines = await it.client.change()
        assert int(lines[0].split()[1]) != 0
        await it.tick(100)
        it.client.bye()
        assert await it.over() == "recording_over"


async def test_a_change_that_cannot_be_is_refused_and_the_session_goes_on() -> None:
    async with exchange(ports=(FIRST, FIRST + 3)) as it:
        await it.recording(ANN, EVE)
        for sdp, told, status in [
            ("", "<recording/>", 400),
            ("v=0", "", 400),
            (it.client.sdp() + "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n", metadata(ANN, BOB), 503),  # no port is left
        ]:
            it.client.invite(sdp, told)
            assert (await it.client.answer()).status == status
            it.client.ack()
        await it.tick(200)
        assert it.house.told(AgentLeft) == []
        assert it.house.calls.live == 1
        assert it.trunk.refused == {"peer.protocol": 2, "ours.overloaded": 1}


async def test_streams_for_which_too_few_media_rows_are_left_are_refused_together() -> None:
    async with exchange(rows=3) as it:
        ports = await it.recording(ANN, EVE)
        it.client.add("98")
        it.client.add("99")
        it.client.invite(it.client.sdp())
        assert (await it.client.answer()).status == 503
        it.client.ack()
        it.client.sources.pop().socket.close()
        await it.tick(100)
        assert it.house.calls.live == 1
        lines = await it.client.change()  # the one row is free again
        assert [int(line.split()[1]) for line in lines[:2]] == ports
        await it.tick(100)
        assert it.house.plane.refused == {}


@pytest.mark.parametrize(
    ("sdp", "told", "status"),
    [
        ("", metadata(ANN, EVE), 400),
        ("v=0", metadata(ANN, EVE), 400),
        ("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 9 RTP/AVP 18\r\n", "", 488),
        ("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n", "", 488),
        ("v=0", "no metadata", 400),
    ],
)
async def test_a_session_that_cannot_be_is_refused_and_holds_nothing(sdp: str, told: str, status: int) -> None:
    async with exchange(calls=1) as it:
        it.client.invite(sdp, told)
        assert (await it.client.answer()).status == status
        assert it.house.told(CallStarted) == []
        it.house.calls.admit(HOST)


async def test_who_signs_in_by_an_account_may_call_but_not_let_us_hear_others() -> None:
    async with exchange() as it:
        settings, ports = Settings(), RtpPorts(HOST, FIRST, LAST, Random())
        server = RecordingServer(settings, it.house.calls, it.house.plane, ports, Trunks(settings))
        uri = WireURI.parse("sip:sbc@192.0.2.9")
        invite = InviteReceived(
            CallRef(1), "c", uri, "", uri, "srs", b"", ("192.0.2.9", 5060), (), account="branch", recording=True
        )
        with pytest.raises(PeerForbidden):
            server.on_event(invite, it.agent)


async def test_a_session_in_the_clear_is_refused_where_encryption_is_demanded() -> None:
    async with exchange(srtp="demanded") as it:
        it.client.invite(it.client.sdp(), metadata(ANN, EVE))
        assert (await it.client.answer()).status == 488
        assert it.house.told(CallStarted) == []


async def test_what_a_trunk_demands_holds_for_its_recordings(tmp_path: Path) -> None:
    async with exchange(trunk_of={"srtp": "demanded"}) as it:
        it.client.invite(it.client.sdp(), metadata(ANN, EVE))
        assert (await it.client.answer()).status == 488
        assert it.house.told(CallStarted) == []
    async with exchange(trunk_of={"srtp": "demanded"}, secure=tmp_path) as it:
        await it.recording(ANN, EVE)
    async with exchange(srtp="demanded", trunk_of={"srtp": "off"}) as it:
        await it.recording(ANN, EVE)


async def test_a_trunk_has_formats_of_its_own_for_recordings() -> None:
    async with exchange(trunk_of={"codecs": ["PCMA"]}) as it:
        for source in it.client.sources:
            source.formats = "9 0 8"
        it.client.invite(it.client.sdp(), metadata(ANN, EVE))
        answer = await it.client.answer()
        assert [line.split()[3:] for line in answer.body.split("\r\n") if line.startswith("m=")] == [["8"], ["8"]]


async def test_encrypted_streams_pause_come_and_go(tmp_path: Path) -> None:
    async with exchange(srtp="demanded", secure=tmp_path) as it:
        await it.recording(ANN, EVE)
        for direction in ("inactive", "sendonly"):
            for source in it.client.sources:
                source.direction = direction
            await it.client.change()
            await it.tick(100)
        it.client.add("98")
        await it.client.change(metadata(ANN, EVE, Person("bob", BOB.aor, "Bob", "98")))
        await it.tick(100)
        it.client.sources[0].given_up = True
        await it.client.change()
        await it.tick(100)
        assert it.house.told(RecordingPaused) == [RecordingPaused(on=True), RecordingPaused(on=False)]
        assert it.house.plane.refused == {}
        it.client.bye()
        assert await it.over() == "recording_over"


async def test_without_metadata_the_first_stream_is_the_callers() -> None:
    async with exchange() as it:
        await it.recording()
        (started,) = it.house.told(CallStarted)
        assert started.caller == f"sip:sbc@{HOST}"
        assert it.house.told(AgentJoined) == []


async def test_a_full_house_refuses_and_sessions_count_as_calls() -> None:
    async with exchange(calls=1) as it:
        await it.recording(ANN, EVE)
        async with recording_client(it.agent.port, "1") as second:
            second.invite(second.sdp(), metadata(ANN))
            refusal = await second.answer()
            assert refusal.status == 503
            assert "retry-after" in refusal.headers


async def test_the_house_ends_a_session_by_itself() -> None:
    async with exchange() as it:
        ports = await it.recording(ANN, EVE)
        it.house.calls.end_all()
        await it.client.hung_up_on()
        assert await it.over() == "shutdown"
        assert all(free(port) for port in ports)


async def test_who_hangs_up_before_the_acknowledgement_leaves_nothing_behind() -> None:
    async with exchange(calls=1) as it:
        it.client.invite(it.client.sdp(), metadata(ANN, EVE))
        it.client.read(await it.client.answer())
        it.client.bye()
        assert (await it.client.answer("BYE")).status == 200
        it.client.ack()
        await until(lambda: all(free(source.target) for source in it.client.sources))
        it.house.calls.admit(HOST)


async def test_where_no_recordings_are_taken_they_are_refused() -> None:
    async with exchange(allowed=False) as it:
        it.client.invite(it.client.sdp(), metadata(ANN, EVE))
        assert (await it.client.answer()).status == 420


async def test_other_calls_go_on_as_ever() -> None:
    async with exchange() as it, telephone(it.agent.port) as phone:
        await it.recording(ANN, EVE)
        phone.invite(phone.sdp())
        assert (await phone.answer()).status == 200
        phone.ack()
        await until(lambda: it.house.calls.live == 2)
        await it.tick(200)
        assert phone.heard()
        await asyncio.sleep(0)
        assert [started.transport for started in it.house.told(CallStarted)] == ["siprec", "sip"]

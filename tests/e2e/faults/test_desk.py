"""Whatever strangers, colleagues, children and the disk do: a caller who is with an agent stays so, unharmed."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import httpx
import numpy as np
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from agent_assist.desk.messages import Recorded, WrapUpDue
from agent_assist.desk.ports import Presence
from agent_assist.web.problems import Problem
from dialog.events import (
    CallEnded,
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    ReplyGiven,
)
from dialog.people_events import (
    AgentLeft,
    BotReturned,
    CallQueued,
    SuggestionsShown,
)
from tests.e2e import test_handover
from tests.e2e.faults.conversation import Journal, spoken, until
from tests.e2e.faults.desk import Bridged, bridged
from tests.e2e.faults.storm import lost_in_kernel, send, ten_thousand
from tests.e2e.faults.test_children import back, hurt
from tests.e2e.faults.test_disk import full_disk
from tests.e2e.node import Node, serving
from tests.e2e.test_handover import ask_for_a_person
from tests.fakes import strangers
from tests.fakes.agent import ProgramAgent, program_agents
from voice.caller import Caller
from voice.ports import RATE_HZ, Pcm

pytestmark = pytest.mark.timeout(120)

FEED = "/api/agent/feed"
GUESSES = 40
NOTES = 150
"""Of four thousand characters: more than the sockets between the node and a page hold."""

FLOOD = 90
"""Sockets from one address: more than it may have open."""


@pytest.fixture(scope="module")
def passwords(shared_node: Node) -> dict[str, str]:
    return shared_node.add_users(eve="agent", bob="agent")


@asynccontextmanager
async def with_eve(node: Node, caller: Caller, passwords: dict[str, str]) -> AsyncIterator[Bridged]:
    """A caller who is with eve."""
    async with program_agents(node.web_url, "eve") as (eve,):
        await eve.start(passwords["eve"])
        async with bridged(node, caller, eve) as call:
            yield call


# -- at the ports -------------------------------------------------------------------------------------------------


async def test_strangers_and_colleagues_at_the_ports(node: Node, caller: Caller, passwords: dict[str, str]) -> None:
    refused = node.figures().get("centralino_web_refused_total", {})
    async with program_agents(node.web_url, "eve", "bob") as (eve, bob):
        await eve.start(passwords["eve"])
        await bob.sign_in(passwords["bob"])
        async with page_that_reads_nothing(node, eve) as deaf, bridged(node, caller, eve) as call:
            await write_much(call)
            await guess(node, "bob")
            await call.unharmed()
            await meddle(call, bob)
            await call.unharmed()
            await ten_megabytes(node, bob)
            await call.unharmed()
            await forge(node, eve, bob)
            await flood(node)
            await noise(node, call)
            await until("the page that reads nothing is cut off", lambda: not held(node, deaf), 25)
            await call.unharmed()
            assert await eve.post("hangup") == 204
            await write_down(call)
    counted = node.figures()["centralino_web_refused_total"]
    grown = {status for status, count in counted.items() if count > refused.get(status, 0)}
    assert {"401", "403", "404", "409", "429"} <= grown


def dropped(node: Node, reason: str) -> int:
    return int(node.figures().get("centralino_web_dropped_total", {}).get(reason, 0))


@asynccontextmanager
async def page_that_reads_nothing(node: Node, agent: ProgramAgent) -> AsyncIterator[int]:
    """A second page of `agent`, which shook hands and reads no more; its port."""
    with closing(socket.socket()) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", node.web_port))
        head = (
            f"GET {FEED} HTTP/1.1\r\nHost: 127.0.0.1:{node.web_port}\r\nOrigin: {node.web_url}\r\n"
            f"Cookie: {agent.cookie}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await loop.sock_sendall(raw, head.encode())
        assert (await loop.sock_recv(raw, 12)) == b"HTTP/1.1 101"
        yield int(raw.getsockname()[1])


def held(node: Node, port: int) -> bool:
    """Whether the node keeps a connection from `port` open."""
    connections = psutil.Process(node.process.pid).net_connections("tcp")
    return any(each.raddr and each.raddr.port == port for each in connections)


async def write_much(call: Bridged) -> None:
    """Notes without end, each of which is told to every page of the agent; the one that reads gets them all."""
    at = len(call.agent.messages)
    assert {await call.agent.post("note", {"text": f"{number} " + "x" * 3_990}) for number in range(NOTES)} == {204}
    told = [e.message.record.seq for _, e in call.agent.messages[at:] if isinstance(e.message, Recorded)]
    assert len(told) >= NOTES - 1
    assert told == sorted(set(told))


async def guess(node: Node, name: str) -> None:
    """A storm of wrong passwords from several addresses: each of them has its share, and so has the name."""
    statuses: Counter[int] = Counter()
    for source in ("127.0.6.1", "127.0.6.2", "127.0.6.3"):
        transport = httpx.AsyncHTTPTransport(local_address=source)
        async with httpx.AsyncClient(transport=transport, base_url=node.web_url, timeout=20) as client:
            forms = [{"name": name, "password": f"guess {number}"} for number in range(GUESSES)]
            answers = await asyncio.gather(*(client.post("/signin", data=form) for form in forms))
            here = Counter(answer.status_code for answer in answers)
            assert here[403] <= 10, "an address has ten guesses"
            statuses += here
    assert statuses == {403: 20, 429: 3 * GUESSES - 20}, "and a name has twenty"


@contextlib.contextmanager
def opening(node: Node, cookie: str, origin: str, source: str = "127.0.0.1") -> Iterator[connect]:
    """A feed that ought to be refused, from an address."""
    yield connect(
        node.web_url.replace("http", "ws", 1) + FEED,
        additional_headers={"Cookie": cookie} if cookie else {},
        origin=origin,  # type: ignore[arg-type]  # websockets has a type of its own for it
        local_addr=(source, 0),
        proxy=None,
        max_size=None,
    )


async def refusal(node: Node, cookie: str, origin: str, source: str = "127.0.0.1") -> int:
    """The status that answers an attempt at the feed."""
    with opening(node, cookie, origin, source) as attempt, pytest.raises(InvalidStatus) as raised:
        await attempt
    response = raised.value.response
    assert Problem.model_validate_json(bytes(response.body or b"")).status == response.status_code
    return response.status_code


async def forge(node: Node, eve: ProgramAgent, bob: ProgramAgent) -> None:
    """Sessions that are none, among them bob's, whose time is up; and one from another site's page: at the feed, the
    API, the pages and the audio."""
    name, _, value = eve.cookie.partition("=")
    secret, _, signature = value.partition(".")
    wrong = [f"{name}={secret}.{'0' * len(signature)}", f"{name}=x.{signature}", f"{name}={'.' * 500}", f"{name}="]
    for cookie in (*wrong, expired(node, bob), ""):
        assert await refusal(node, cookie, node.web_url) == 401
        async with httpx.AsyncClient(base_url=node.web_url, headers={"cookie": cookie}) as client:
            assert (await client.get("/api/calls")).status_code == 401
            assert (await client.post("/api/agent/hangup")).status_code == 401
            assert (await client.post("/api/agent/audio", content="v=0")).status_code == 401
            assert (await client.get("/agent")).status_code == 303, "to the sign-in"
    for origin in ("null", "https://evil.example", node.web_url + "0", node.web_url.replace("127.0.0.1", "localhost")):
        assert await refusal(node, eve.cookie, origin) == 403
        foreign = {"cookie": eve.cookie, "origin": origin}
        async with httpx.AsyncClient(base_url=node.web_url, headers=foreign) as client:
            assert (await client.post("/api/agent/hangup")).status_code == 403
    async with httpx.AsyncClient(base_url=node.web_url, headers={"cookie": eve.cookie}) as client:
        assert (await client.post("/api/agent/hangup")).status_code == 403, "a session alone is no wish"


def expired(node: Node, agent: ProgramAgent) -> str:
    """The session of `agent`, whose time is up now."""
    with closing(sqlite3.connect(node.data / "calls.sqlite", timeout=10)) as store, store:
        store.execute("UPDATE sessions SET opened_s = opened_s - 50000 WHERE user = ?", (agent.name,))
    return agent.cookie


async def meddle(call: Bridged, bob: ProgramAgent) -> None:
    """A colleague asks for the call by its id, in every way there is: to read it, to hear it, to have it."""
    eve, call_id = call.agent, call.call_id
    for path in (f"/api/calls/{call_id}", f"/calls/{call_id}", f"/api/calls/{call_id}/audio"):
        assert (await bob.request("GET", path)).status_code == 404
        assert (await bob.request("DELETE", path)).status_code in (403, 404, 405)
    assert (await eve.request("GET", f"/api/calls/{call_id}")).status_code == 200
    assert call_id not in (await bob.request("GET", "/api/calls")).text
    for command in ("answer", "decline", "pick"):
        assert await bob.post(command, {"call_id": call_id}) == 409
    ended = {"call_id": call_id, "disposition": "solved", "note": "not mine"}
    assert await bob.post("wrapup", ended) == 409
    for command, wish in (("hold", {"on": True}), ("note", {"text": "x"}), ("speak", {"text": "x"})):
        assert await bob.post(command, wish) == 409
    for command in ("hangup", "handback"):
        assert await bob.post(command) == 409
    assert (await bob.request("PATCH", eve.audio_at)).status_code == 404
    assert (await bob.request("DELETE", eve.audio_at)).status_code == 404


async def ten_megabytes(node: Node, agent: ProgramAgent) -> None:
    """A frame that no page sends, in text and in bytes."""
    for frame in ("x" * 10_000_000, bytes(10_000_000)):
        with opening(node, agent.cookie, node.web_url) as attempt:
            async with attempt as feed:
                with contextlib.suppress(ConnectionClosed):
                    await feed.send(frame)
                assert await closed(feed) == 1009


async def closed(feed: ClientConnection) -> int:
    """The code with which the node ends an open feed."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await feed.recv()
    return feed.close_code or 0


async def flood(node: Node) -> None:
    """Sockets of nobody in particular, three addresses full of them; what is one too many is cut without a word."""
    before = dropped(node, "too_many")
    for source in ("127.0.7.1", "127.0.7.2", "127.0.7.3"):
        here = (source, 0)
        held = [await asyncio.open_connection("127.0.0.1", node.web_port, local_addr=here) for _ in range(FLOOD)]
        cut = pytest.raises((InvalidHandshake, ConnectionError, EOFError))
        with opening(node, "", node.web_url, source) as attempt, cut:
            await attempt
        for _, writer in held:
            writer.close()
    assert dropped(node, "too_many") - before >= 3 * (FLOOD - 64)


async def noise(node: Node, call: Bridged) -> None:
    """Datagrams that mean harm, at the port where the node hears the agent; each is counted."""
    port = call.agent.audio_port
    before = node.total("centralino_ice_dropped") + lost_in_kernel(port)
    sent = 0
    for storm in (strangers.hellos(), strangers.empty(), strangers.forged_rtp(), ten_thousand(12)):
        sent += await send(storm, port)
    await call.unharmed()
    await until(
        "every datagram counted",
        lambda: node.total("centralino_ice_dropped") + lost_in_kernel(port) - before >= sent,
    )


# -- children and disk --------------------------------------------------------------------------------------------


async def test_children_are_killed_and_the_disk_is_full_and_the_caller_is_with_the_bot_again(
    node: Node, caller: Caller, passwords: dict[str, str]
) -> None:
    async with with_eve(node, caller, passwords) as call:
        await speech_is_killed(node, call)
        await vectors_are_killed(node, call)
        await rasa_is_killed(node, call)
        await wrap_up_on_a_full_disk(node, call)


async def speech_is_killed(node: Node, call: Bridged) -> None:
    """Both go on hearing each other; what is said once it is back is written down."""
    former = hurt(node, "speech", signal.SIGKILL)
    await call.unharmed()
    await back(node, "speech", former)
    await call.hush()
    at = len(call.journal.events(FinalHeard))
    await call.line.say(await asyncio.to_thread(spoken, "My bill is wrong."))
    await said(call, at, "caller", "bill")
    call.agent.speak(await asyncio.to_thread(spoken, "Let me look at your bill."))
    await said(call, at, "agent", "look")
    assert len(call.journal.events(EngineFailed)) == len(call.journal.events(EngineRecovered))


async def said(call: Bridged, at: int, speaker: str, word: str) -> None:
    def heard() -> bool:
        finals = call.journal.events(FinalHeard)[at:]
        return any(final.speaker == speaker and word in final.readings[0].text.lower() for final in finals)

    await call.journal.awaits(f"what the {speaker} says", heard)


async def vectors_are_killed(node: Node, call: Bridged) -> None:
    """Suggestions still come, by their words alone."""
    hurt(node, "vectors", signal.SIGKILL)
    shown = len(call.journal.events(SuggestionsShown))
    await call.line.say(await asyncio.to_thread(spoken, "I want to pay my bill by direct debit."))
    await call.journal.awaits("suggestions", lambda: len(call.journal.events(SuggestionsShown)) > shown)


async def rasa_is_killed(node: Node, call: Bridged) -> None:
    """Handed back, the caller is with the keypad bot, at once."""
    former = hurt(node, "rasa", signal.SIGKILL)
    assert await call.agent.post("handback") == 204
    await call.journal.awaits("the bot", lambda: bool(call.journal.events(BotReturned)))
    await call.journal.awaits("its words", lambda: call.journal.events(ReplyGiven)[-1].engine == "keypad")
    assert [left.why for left in call.journal.events(AgentLeft)] == ["handed_back"]
    call.line.hang_up()
    await call.journal.awaits("the end", lambda: bool(call.journal.events(CallEnded)))
    await back(node, "rasa", former, 30)


async def wrap_up_on_a_full_disk(node: Node, call: Bridged) -> None:
    """It is told, and the agent writes it down again when there is room."""
    body = await wrap_up(call)
    with full_disk(node):
        assert await call.agent.post("wrapup", body) == 503
        assert call.agent.presence is Presence.WRAPPING
    async with asyncio.timeout(20):
        while (status := await call.agent.post("wrapup", body)) == 503:
            await asyncio.sleep(0.2)
    assert status == 204
    await call.agent.becomes(Presence.READY)
    assert node.query("SELECT note FROM wrap_ups JOIN calls ON calls.number = call WHERE call_id = ?", (call.call_id,))


async def wrap_up(call: Bridged) -> dict[str, str]:
    """What the agent is to write down of this call."""
    due = await call.agent.expect(WrapUpDue, lambda due: due.wrap_up.call_id == call.call_id)
    return {"call_id": call.call_id, "disposition": due.wrap_up.dispositions[0], "note": "by post"}


async def write_down(call: Bridged) -> None:
    """Write down how the call ended."""
    assert await call.agent.post("wrapup", await wrap_up(call)) == 204


# -- the end ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, dict[str, str]]]:
    """A node that waits for live calls for three seconds, and eve's password; the test may stop it."""
    settings = test_handover.SETTINGS.replace("[limits]", "[limits]\ndrain_s = 3")
    with serving(tmp_path_factory.mktemp("stopping"), settings) as node:
        yield node, node.add_users(eve="agent")


async def test_a_node_that_stops_waits_for_callers_and_agents_and_ends_in_order(
    stopping: tuple[Node, dict[str, str]], caller: Caller
) -> None:
    """One caller is with the agent, another waits; both are waited for, and then the time is over."""
    node, passwords = stopping
    async with with_eve(node, caller, passwords) as call:
        waiting, waiting_id = await ask_for_a_person(caller, node)
        second = Journal(node, waiting_id)
        await second.awaits("a place", lambda: bool(second.events(CallQueued)))
        os.kill(node.process.pid, signal.SIGTERM)
        await until("draining", lambda: httpx.get(f"{node.web_url}/readyz").status_code == 503, 3)
        await call.unharmed()
        assert level(waiting.heard_between(waiting.now_ms - 500)) > 100, "there is no music"
        assert await call.agent.post("hold", {"on": True}) == 204, "the agent works on"
        assert await call.agent.post("hold", {"on": False}) == 204
        await asyncio.wait_for(asyncio.gather(call.line.ended, waiting.ended), 10)
        assert await asyncio.to_thread(node.process.wait, 15) == 0
        await call.agent.close_audio(vanish=True)
    assert call.agent.feed_ended == 1012, "come back"
    for journal in (call.journal, second):
        assert [ended.cause for ended in journal.events(CallEnded)] == ["shutdown"]
    assert len(call.journal.events(AgentLeft)) == 1
    assert "Traceback" not in node.log
    assert node.bad_lines() == []


def level(pcm: Pcm) -> float:
    assert pcm.size > RATE_HZ // 4
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))

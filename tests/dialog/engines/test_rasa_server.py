"""Rasa's process killed, hung, refused and replaced; and what a caller hears meanwhile."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from dialog.actions import Reply, Say
from dialog.bot.sample import SqliteCustomers
from dialog.engines.keypad import KeypadEngine
from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import RasaServer
from dialog.engines.training import PROJECT, rasa_python
from dialog.errors import EngineError, EngineTimeout, EngineUnavailable, ModelMissing, NotReady
from dialog.ports import HungUp, Hypothesis, Keys, SessionOpened, Utterance
from dialog.session import FallbackEngine

pytestmark = pytest.mark.timeout(180)
OPENED = SessionOpened(caller="", dialled="", transport="sip", recorded=False)
BALANCE = Utterance((Hypothesis("what is my balance", 0.9),))


@asynccontextmanager
async def running(server: RasaServer) -> AsyncIterator[RasaServer]:
    task = asyncio.ensure_future(server.run())
    try:
        up = asyncio.ensure_future(server.wait_up())
        await asyncio.wait([task, up], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            up.cancel()
            task.result()
        await up
        yield server
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def bot(model: Path, tmp_path: Path) -> AsyncIterator[tuple[FallbackEngine, RasaServer, list[str]]]:
    base = tmp_path / "customers.sqlite"
    failures: list[str] = []

    def failed(call_id: str, engine: str, error: EngineError) -> None:
        failures.append(f"{call_id} {engine} {error.code}")

    changes: list[bool] = []
    made = RasaServer(PROJECT, model, rasa_python(), customers=str(base), on_change=changes.append)
    async with running(made) as server:
        engine = FallbackEngine(RasaEngine(server), KeypadEngine(SqliteCustomers(base)), failed)
        yield engine, server, failures
        await engine.close()
    assert changes == [True, *[False, True] * made.restarts], "each loss is followed by a gain, and a stop is no loss"


async def timed(reply: Awaitable[Reply]) -> tuple[Reply, str, float]:
    began = time.monotonic()
    answer = await reply
    spoken = " ".join(action.text for action in answer.actions if isinstance(action, Say))
    return answer, spoken, time.monotonic() - began


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text()


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_call_outlives_rasa(bot: tuple[FallbackEngine, RasaServer, list[str]], fault: signal.Signals) -> None:
    engine, server, failures = bot
    await engine.respond("call", OPENED)
    reply = await engine.respond("call", BALANCE)
    assert reply.engine == "rasa"
    first = server.pid
    assert first is not None
    os.kill(first, fault)
    reply, spoken, took_s = await timed(engine.respond("call", Keys("12345678")))
    assert took_s < 3.5
    assert reply.engine == "keypad"
    assert spoken.startswith("I will switch to the keypad.")
    assert failures == [f"call rasa {'engine.timeout' if fault == signal.SIGSTOP else 'engine.unavailable'}"]
    # the business is done by keys, at once and without a further failure
    await engine.respond("call", Keys("1"))
    reply, spoken, took_s = await timed(engine.respond("call", Keys("12345678")))
    assert "balance is 23 euros and 40 cents" in spoken
    assert took_s < 0.5
    # the next call has Rasa again, once the hung child was replaced
    async with asyncio.timeout(40):
        while server.pid in (None, first):
            await asyncio.sleep(0.1)
    await server.wait_up()
    reply = await engine.respond("next", OPENED)
    assert reply.engine == "rasa"
    assert len(failures) == 1
    assert _gone(first)
    await engine.respond("call", HungUp())


async def test_a_call_that_begins_while_rasa_is_down_gets_its_notices(tmp_path: Path, model: Path) -> None:
    down = RasaServer(PROJECT, model, rasa_python(), customers=str(tmp_path / "base"))
    engine = FallbackEngine(RasaEngine(down), KeypadEngine(SqliteCustomers(tmp_path / "base")))
    reply, spoken, _ = await timed(engine.respond("call", SessionOpened("", "", "sip", recorded=True)))
    assert reply.engine == "keypad"
    assert "automatic help desk. This call is recorded. Press 1" in spoken
    await engine.close()


async def test_ctrl_c_at_the_nodes_terminal_does_not_reach_rasa(rasa: RasaServer) -> None:
    assert rasa.pid is not None
    assert os.getpgid(rasa.pid) != os.getpgid(0)


async def test_a_stopped_server_leaves_no_process(model: Path, tmp_path: Path) -> None:
    async with running(RasaServer(PROJECT, model, rasa_python(), customers=str(tmp_path / "base"))) as server:
        pid = server.pid
        assert pid is not None
    assert _gone(pid)
    with pytest.raises(EngineUnavailable):
        server.address()


async def test_a_killed_parent_leaves_no_orphan_even_when_the_child_hangs(model: Path, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("orphan_maker.py")), str(model), str(tmp_path),
        stdout=asyncio.subprocess.PIPE, cwd=Path.cwd(), env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    os.kill(pid, signal.SIGSTOP)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(5):
        while not _gone(pid):
            await asyncio.sleep(0.05)


async def test_without_the_token_nothing_answers(rasa: RasaServer) -> None:
    at = rasa.address()
    assert at.url.startswith("http://127.0.0.1:")
    event = {"call": "c", "type": "no_input"}
    async with httpx.AsyncClient() as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {at.token} "[:-5]}):
            assert (await client.post(f"{at.url}/event", json=event, headers=headers)).status_code == 401
            assert (await client.get(f"{at.url}/health", headers=headers)).status_code == 401
        root = at.url.removesuffix("/webhooks/voice")
        for path in ("/webhooks/rest/webhook", "/model/parse", "/conversations/c/tracker", "/domain"):
            assert (await client.get(root + path)).status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"call": "c", "type": "affirm"}', b'{"call": "c", "type": "utterance"}',
             b'{"call": "c", "type": "utterance", "hypotheses": [{"text": 3}]}',
             b'{"call": "c", "type": "utterance", "hypotheses": [{"text": 3, "confidence": 1}]}']
)  # fmt: skip
async def test_malformed_events_are_refused(rasa: RasaServer, body: bytes) -> None:
    at = rasa.address()
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{at.url}/event", content=body, headers={"Authorization": f"Bearer {at.token}"})
    assert answer.status_code == 400


async def test_trackers_are_forgotten_at_hang_up(rasa: RasaServer) -> None:
    at = rasa.address()
    engine = RasaEngine(rasa)

    async def kept() -> int:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{at.url}/health", headers={"Authorization": f"Bearer {at.token}"})
        return int(answer.json()["calls"])

    before = await kept()
    await engine.respond("a", OPENED)
    await engine.respond("b", OPENED)
    assert await kept() == before + 2
    await engine.respond("a", HungUp())
    await engine.respond("b", HungUp())
    assert await kept() == before
    await engine.close()


async def test_turns_of_one_call_wait_for_each_other_and_calls_do_not_mix(rasa: RasaServer) -> None:
    engine = RasaEngine(rasa)
    await asyncio.gather(*(engine.respond(call, OPENED) for call in "abc"))
    replies = await asyncio.gather(*(engine.respond(call, turn) for call in "abc" for turn in (BALANCE, Keys("1234"))))
    for reply in replies[1::2]:
        assert isinstance(reply.actions[0], Say)
        assert reply.actions[0].text == "1 2 3 4."
    await asyncio.gather(*(engine.respond(call, HungUp()) for call in "abc"))
    await engine.close()


async def test_a_rasa_that_is_too_slow_is_a_timeout(rasa: RasaServer) -> None:
    engine = RasaEngine(rasa, limit_s=0.001)
    with pytest.raises(EngineTimeout):
        await engine.respond("call", OPENED)
    await engine.close()


async def test_only_a_model_we_trained_is_loaded(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / model.name
    shutil.copy(model, copy)
    with pytest.raises(ModelMissing):
        await RasaServer(PROJECT, copy, rasa_python(), customers=str(tmp_path / "base")).run()
    shutil.copy(f"{model}.sha256", f"{copy}.sha256")
    copy.write_bytes(copy.read_bytes() + b"\0")
    with pytest.raises(ModelMissing, match="not the file that was trained"):
        await RasaServer(PROJECT, copy, rasa_python(), customers=str(tmp_path / "base")).run()


async def test_a_missing_environment_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="make setup"):
        await RasaServer(PROJECT, model, tmp_path / "none", customers=str(tmp_path / "base")).run()


async def test_a_child_that_cannot_start_is_reported_with_its_last_words(model: Path, tmp_path: Path) -> None:
    server = RasaServer(tmp_path, model, Path(sys.executable), customers=str(tmp_path / "base"))
    task = asyncio.ensure_future(server.run())
    try:
        with pytest.raises(EngineUnavailable, match="No module named"):
            await server.wait_up(2.0)
        with pytest.raises(EngineUnavailable, match="No module named"):
            server.address()
    finally:
        task.cancel()
        await asyncio.wait([task])

"""Three in a call: an agent calls in a telephone by a trunk, a supervisor whispers; and a caller is called back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from agent_assist.desk.messages import CallChanged, CallJoined, CallLeft, MeChanged, Supervisor
from agent_assist.desk.ports import Presence
from dialog.commands import How
from dialog.events import CallEnded, CallStarted
from dialog.people_events import (
    AgentJoined,
    CallbackRequested,
    CallerPutThrough,
    HoldChanged,
    SupervisionChanged,
    ThirdJoined,
    ThirdLeft,
)
from tests.e2e.agent_page import AgentPage, agent_page
from tests.e2e.callers import LINE_HZ, Sound
from tests.e2e.node import Node, free_port, serving
from tests.e2e.phones import Baresip
from tests.e2e.test_handover import (
    AGENT_HZ,
    CALLER_HZ,
    SETTINGS,
    ask_for_a_person,
    level_at,
    ring,
    told,
    tone,
    until,
    write_down,
)
from tests.fakes.agent import ProgramAgent, program_agents
from voice.caller import Caller, OutgoingLine, open_caller
from voice.ports import RATE_HZ, Pcm

THIRD_HZ, BOSS_HZ = 700, 1_500  # on the same grid as the other two
LOUD, SILENT = 2_000, 150
NUMBER = "4420112"
TRUNK = """
[sip.trunks.carrier]
proxy = "127.0.0.1"
port = PORT
caller_id = "100"
dial = ["4420*"]
"""
LISTEN_MS = 1_000
WAYS: tuple[tuple[How, bool, bool], ...] = (("listen", False, False), ("whisper", True, False), ("join", True, True))
"""How a supervisor is in a call; whether the agent hears it, and whether all do."""


@pytest.fixture(scope="module")
def phone_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, phone_port: int) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("control")
    with serving(folder, SETTINGS + TRUNK.replace("PORT", str(phone_port))) as node:
        yield node
        assert node.bad_lines() == [], node.log[-4_000:]


@pytest.fixture(scope="module")
def passwords(node: Node) -> dict[str, str]:
    return node.add_users(eve="agent", sue="supervisor")


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_caller() as telephone:
        yield telephone


@pytest.fixture
def phone(tmp_path: Path, phone_port: int, node: Node) -> Iterator[Baresip]:
    """A telephone behind the trunk, which takes every call; its one move is a long tone."""
    sound = Sound(tone(THIRD_HZ, 60.0)[:: RATE_HZ // LINE_HZ], 60_000, "tone")
    target = f"sip:100@127.0.0.1:{node.sip_port}"
    telephone = Baresip(tmp_path, NUMBER, target, "PCMU", (sound,), account=";answermode=auto", port=phone_port)
    telephone.start()
    try:
        yield telephone
    finally:
        telephone.close()


async def talking(caller: Caller, node: Node, eve: ProgramAgent, password: str) -> tuple[OutgoingLine, str]:
    """A caller with eve; both speak, each at a pitch of their own, for a minute."""
    await eve.start(password)
    line, call_id = await ask_for_a_person(caller, node)
    await ring(eve)
    assert await eve.post("answer", {"call_id": call_id}) == 204
    await eve.expect(CallJoined)
    eve.speak(tone(AGENT_HZ, 60.0))
    return line, call_id


async def hears(line: OutgoingLine, what: Callable[[], Pcm], rate_hz: int, expected: dict[int, bool]) -> None:
    """Within a few seconds `what` is heard to hold, for a second, those pitches and not the others."""
    levels: dict[int, float] = {}
    for _ in range(10):
        await line.wait(LISTEN_MS)
        sound = what()[-rate_hz * LISTEN_MS // 1000 * 3 // 4 :]
        levels = {pitch: level_at(sound, pitch, rate_hz) for pitch in expected}
        if all(levels[pitch] > LOUD if heard else levels[pitch] < SILENT for pitch, heard in expected.items()):
            return
    raise AssertionError(f"wanted {expected}, heard {levels}")


async def test_alone_with_a_third_then_all_three_then_without_the_agent(
    node: Node, caller: Caller, passwords: dict[str, str], phone: Baresip
) -> None:
    async with program_agents(node.web_url, "eve") as (eve,):
        line, call_id = await talking(caller, node, eve, passwords["eve"])
        speaking = asyncio.create_task(line.say(tone(CALLER_HZ, 60.0)))

        def at_caller() -> Pcm:
            return line.heard_between(line.now_ms - LISTEN_MS)

        assert await eve.post("consult", {"to": "442-0 112"}) == 204, "as people write it"
        await until(node, ThirdJoined, call_id)
        await asyncio.to_thread(phone.move)
        await hears(line, phone.heard, RATE_HZ, {AGENT_HZ: True, CALLER_HZ: False})
        await hears(line, eve.audio, 8_000, {THIRD_HZ: True, CALLER_HZ: False})
        await hears(line, at_caller, RATE_HZ, {AGENT_HZ: False, THIRD_HZ: False})
        assert np.abs(at_caller()).max() > 100, "there is no music"

        assert await eve.post("hold", {"on": False}) == 204
        await hears(line, phone.heard, RATE_HZ, {AGENT_HZ: True, CALLER_HZ: True, THIRD_HZ: False})
        await hears(line, eve.audio, 8_000, {THIRD_HZ: True, CALLER_HZ: True, AGENT_HZ: False})
        await hears(line, at_caller, RATE_HZ, {AGENT_HZ: True, THIRD_HZ: True, CALLER_HZ: False})

        assert await eve.post("third/putthrough") == 204
        assert (await eve.expect(CallLeft)).why == "transferred"
        await write_down(eve)
        await hears(line, phone.heard, RATE_HZ, {AGENT_HZ: False, CALLER_HZ: True})
        await hears(line, at_caller, RATE_HZ, {AGENT_HZ: False, THIRD_HZ: True})
        assert told(node, CallerPutThrough, call_id) == [CallerPutThrough(target="442-0 112", agent="eve")]
        assert node.figures()["centralino_trunk_calls"]["carrier"] == 2, "the caller came from there as well"
        await asyncio.to_thread(phone.hang_up)
        await asyncio.wait_for(line.ended, 20)
        speaking.cancel()
        assert (await until(node, CallEnded, call_id))[0].cause == "third"


async def test_an_agent_does_it_all_by_the_panel(
    node: Node, caller: Caller, passwords: dict[str, str], phone: Baresip, tmp_path: Path
) -> None:
    microphone = tmp_path / "microphone.wav"
    soundfile.write(microphone, tone(AGENT_HZ, 4.0), RATE_HZ, subtype="PCM_16")
    async with agent_page(node.web_url, "eve", passwords["eve"], microphone) as eve:
        await eve.ready()
        line, call_id = await ask_for_a_person(caller, node)
        await eve.rings()
        await eve.press("Alt+a")
        await eve.talking()

        await call_first(eve, "0190 666")
        await eve.shows("may not be called")
        assert told(node, HoldChanged, call_id) == []
        await call_first(eve, "442 0112")
        await eve.shows("You speak with 442 0112 alone; the caller hears music.")
        await hears(line, phone.heard, RATE_HZ, {AGENT_HZ: True})
        await eve.press("Alt+d")
        await asyncio.to_thread(phone.wait_over)
        assert [left.why for left in await until(node, ThirdLeft, call_id, 2)] == ["not_allowed", "dropped"]

        phone.start_over()
        await call_first(eve, "442 0112")
        await eve.shows("You speak with 442 0112 alone; the caller hears music.")
        await eve.press("Alt+h")
        await eve.shows("All three hear each other: you, the caller and 442 0112.")
        await hears(line, lambda: line.heard_between(line.now_ms - LISTEN_MS), RATE_HZ, {AGENT_HZ: True})
        await eve.press("Alt+p")
        await eve.write_down("solved", "with the engineer")
        await hears(line, lambda: line.heard_between(line.now_ms - LISTEN_MS), RATE_HZ, {AGENT_HZ: False})
        line.hang_up()
        await asyncio.to_thread(phone.wait_over)


async def call_first(eve: AgentPage, number: str) -> None:
    """Open the transfer drawer, and call somebody in."""
    await eve.press("Alt+t")
    await eve.page.get_by_label("To a number outside").fill(number)
    await eve.page.get_by_role("button", name="Call first").click()


async def test_a_supervisor_hears_both_whispers_to_one_and_joins(
    node: Node, caller: Caller, passwords: dict[str, str]
) -> None:
    async with program_agents(node.web_url, "eve", "sue") as (eve, sue):
        line, call_id = await talking(caller, node, eve, passwords["eve"])
        speaking = asyncio.create_task(line.say(tone(CALLER_HZ, 60.0)))
        await sue.start(passwords["sue"])
        sue.speak(tone(BOSS_HZ, 60.0))
        assert await eve.post("supervise", {"agent": "eve", "how": "listen"}) == 403

        def at_caller() -> Pcm:
            return line.heard_between(line.now_ms - LISTEN_MS)

        for how, at_agent, at_all in WAYS:
            assert await sue.post("supervise", {"agent": "eve", "how": how}) == 204
            await hears(line, sue.audio, 8_000, {AGENT_HZ: True, CALLER_HZ: True, BOSS_HZ: False})
            await hears(line, eve.audio, 8_000, {CALLER_HZ: True, BOSS_HZ: at_agent})
            await hears(line, at_caller, RATE_HZ, {AGENT_HZ: True, BOSS_HZ: at_all})
            state = (Supervisor(agent="sue", how=how),)
            await eve.expect(CallChanged, partial(_supervised_by, state))
        speaking.cancel()
        assert await eve.post("hangup") == 204
        assert (await sue.expect(CallLeft)).why == "over"
        hows = [each.how for each in told(node, SupervisionChanged, call_id)]
        assert hows == ["listen", "whisper", "join"]
        await write_down(eve)


async def test_a_caller_asks_to_be_called_back_and_is(node: Node, passwords: dict[str, str], phone: Baresip) -> None:
    async with program_agents(node.web_url, "eve") as (eve,):
        await eve.sign_in(passwords["eve"])
        phone.call()
        await asyncio.to_thread(phone.until, "CALL_ESTABLISHED", 10)
        call_id = await first_call(node, NUMBER)
        async with asyncio.timeout(30):
            for key in "0000":  # nobody is there: key 2 asks to be called back
                phone.tell("sndcode", key)
                await asyncio.sleep(2)
            while not told(node, CallbackRequested, call_id):
                phone.tell("sndcode", "2")
                await asyncio.sleep(2)
        await asyncio.to_thread(phone.wait_over)
        phone.start_over()
        await eve.start(passwords["eve"])
        (task,) = (await eve.request("GET", "/api/agent/callbacks")).json()
        assert (task["call_id"], NUMBER in task["caller"]) == (call_id, True)
        assert await eve.post(f"callbacks/{task['id']}/call") == 204
        await eve.expect(MeChanged, lambda told: told.me.calling == NUMBER)
        joined = (await eve.expect(CallJoined)).call
        assert joined.brief.caller == f"tel:{NUMBER}"
        await asyncio.to_thread(phone.until, "CALL_ESTABLISHED", 10)
        (started,) = await until(node, CallStarted, joined.call_id)
        assert (started.placed_by, started.trunk) == ("eve", "carrier")
        assert await until(node, AgentJoined, joined.call_id) == [AgentJoined(agent="eve")]
        eve.speak(tone(AGENT_HZ, 5.0))
        async with asyncio.timeout(10):
            while level_at(phone.heard()[-RATE_HZ // 2 :], AGENT_HZ, RATE_HZ) < LOUD:
                await asyncio.sleep(0.2)
        await asyncio.to_thread(phone.hang_up)
        assert (await until(node, CallEnded, joined.call_id))[0].cause == "caller"
        await write_down(eve)
        assert await eve.post(f"callbacks/{task['id']}/done") == 204
        await eve.becomes(Presence.READY)


def _supervised_by(supervisors: tuple[Supervisor, ...], changed: CallChanged) -> bool:
    return changed.supervisors == supervisors


async def first_call(node: Node, caller: str) -> str:
    """The id of that caller's call, once there is one."""
    async with asyncio.timeout(10):
        while (found := node.call_id(caller)) is None:
            await asyncio.sleep(0.1)
    return found

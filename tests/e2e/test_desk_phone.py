"""An agent with a desk phone: baresip registers by digest, a handoff rings it, and both hear each other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent_assist.desk.messages import CallJoined, OfferWithdrawn
from dialog.events import CallEnded
from dialog.people_events import AgentJoined
from dsp.resample import resample
from tests.e2e.callers import LINE_HZ, Sound
from tests.e2e.desk_phone import DeskPhone
from tests.e2e.node import Node, serving
from tests.e2e.test_handover import AGENT_HZ, CALLER_HZ, ask_for_a_person, level_at, ring, tone, until, write_down
from tests.fakes.agent import program_agents
from voice.caller import Caller, open_caller
from voice.ports import RATE_HZ, Pcm

SETTINGS = """
[sip]
digests = ["MD5"]
[sip.accounts.desk]
agent = "eve"
password_file = "{password}"
[dialog]
engine = "keypad"
[record]
audio = false
[desk]
ring_s = 15
suggest = false
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("phones")
    (folder / "password").write_text("moon")
    with serving(folder, SETTINGS.format(password=folder / "password")) as node:
        yield node
        assert node.bad_lines() == [], node.log[-4_000:]


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_caller() as telephone:
        yield telephone


@pytest.fixture(scope="module")
def password(node: Node) -> str:
    return node.command("users", "add", "eve", "--role", "agent")


async def hears(audio: Callable[[], Pcm], wanted_hz: int, own_hz: int) -> None:
    """Wait until the last half second has the one tone, and nothing of one's own."""
    async with asyncio.timeout(15):
        while level_at(pcm := audio()[-RATE_HZ // 2 :], wanted_hz, RATE_HZ) < 3_000:
            await asyncio.sleep(0.1)
    assert level_at(pcm, own_hz, RATE_HZ) < 200


async def phones(node: Node, registered: dict[str, float]) -> None:
    """Wait until so many are registered."""
    async with asyncio.timeout(15):
        while node.figures().get("centralino_sip_phones", {}) != registered:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_handoff_rings_the_phone_and_both_hear_each_other(
    node: Node, password: str, caller: Caller, tmp_path: Path, transport: str
) -> None:
    speech = Sound(resample(tone(AGENT_HZ, 8.0), RATE_HZ, LINE_HZ), 8_000, "tone")
    target = f"127.0.0.1:{node.sip_port}"
    phone = DeskPhone(tmp_path, "desk", target, "PCMU", (speech,), password="moon", transport=transport)
    async with program_agents(node.web_url, "eve") as (eve,):
        with closing(phone):
            await asyncio.to_thread(phone.register)
            await phones(node, {"desk": 1})
            await eve.sign_in(password)
            await eve.read_feed()
            await eve.ready()

            line, call_id = await ask_for_a_person(caller, node)
            assert await ring(eve) == call_id
            await asyncio.to_thread(phone.rings)
            assert await eve.post("answer", {"call_id": call_id}) == 409, "there is a phone to be picked up"
            await asyncio.to_thread(phone.decline)
            assert (await eve.expect(OfferWithdrawn)).why == "declined"
            line.hang_up()
            await until(node, CallEnded, call_id)

            for event in ("CALL_INCOMING", "CALL_ESTABLISHED", "CALL_CLOSED"):
                phone.forget(event)
            at = len(eve.messages)
            line, call_id = await ask_for_a_person(caller, node)
            assert await ring(eve, since=at) == call_id
            await asyncio.to_thread(phone.rings)
            await asyncio.to_thread(phone.pick_up)
            await eve.expect(CallJoined)
            await until(node, AgentJoined, call_id)
            phone.move()
            speaking = asyncio.create_task(line.say(tone(CALLER_HZ, 20.0)))
            await hears(lambda: line.heard_between(line.now_ms - 1_000), AGENT_HZ, CALLER_HZ)
            await hears(phone.heard, CALLER_HZ, AGENT_HZ)
            speaking.cancel()

            await asyncio.to_thread(phone.hang_up)
            await asyncio.wait_for(line.ended, 20)
            assert (await until(node, CallEnded, call_id))[0].cause == "agent"
            await write_down(eve)
        await phones(node, {})

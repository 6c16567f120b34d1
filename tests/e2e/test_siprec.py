"""A PBX lets a real node hear one of its calls: two voices on two streams, two agents, a pause, and an end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest
import soundfile

from agent_assist.desk.messages import CallJoined, CallLeft, Recorded
from dialog.events import (
    CallEnded,
    CallStarted,
    FinalHeard,
    RecordingPaused,
)
from dialog.people_events import SuggestionsShown
from dsp.g711 import MU_LAW, encode_block
from dsp.resample import resample
from tests.e2e.callers import LINE_HZ, say
from tests.e2e.conversation import check_transcript, read_back, word_overlap
from tests.e2e.node import Node, free_port, serving, wait_for
from tests.e2e.test_handover import told, until
from tests.fakes.agent import program_agents
from tests.fakes.recording_client import ANN, BOB, EVE, Person, RecordingClient, metadata, recording_client
from tests.voice.speech.human import prompt
from voice.net.certificate import trusted
from voice.ports import RATE_HZ, Pcm

pytestmark = pytest.mark.timeout(300)

SETTINGS = """
[dialog]
engine = "keypad"
[sip]
tls_port = {tls_port}
[sip.siprec]
enabled = true
agents = {{ "2001" = "eve", "2002" = "bob" }}
"""
CALLER_SAYS = "My phone was stolen and I want to block my SIM card."
EVE_SAYS = "Please hold while we try to connect you."
BOB_SAYS = "Thank you for your patience."
LEAST_OVERLAP, MOST_OF_THE_OTHER = 0.7, 0.4


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, tls_port: int) -> Iterator[Node]:
    with serving(tmp_path_factory.mktemp("siprec"), SETTINGS.format(tls_port=tls_port)) as node:
        yield node
        assert node.bad_lines() == [], node.log[-4_000:]


@pytest.fixture(scope="module")
def passwords(node: Node) -> dict[str, str]:
    return node.add_users(eve="agent", bob="agent")


@pytest.fixture(scope="module")
def voices() -> dict[str, Pcm]:
    """What each says, as 8 kHz sound; made before anybody is to be heard, since that takes a while."""
    caller = say(CALLER_SAYS, "hibari")
    return {
        "caller": caller.pcm[: (caller.words_ms + 500) * LINE_HZ // 1000],
        "eve": resample(prompt("pls-hold-while-try"), RATE_HZ, LINE_HZ),
        "bob": resample(prompt("queue-thankyou"), RATE_HZ, LINE_HZ),
    }


def speak(client: RecordingClient, label: str, pcm: Pcm) -> None:
    """Say 8 kHz sound on the stream with that label."""
    padded = np.pad(pcm, (0, -pcm.size % 160))
    octets = encode_block(padded, MU_LAW).tobytes()
    source = next(source for source in client.sources if source.label == label)
    source.speech.extend(octets[at : at + 160] for at in range(0, len(octets), 160))


async def said(node: Node, call_id: str, count: int) -> list[tuple[str, str]]:
    """Who said what, once so many utterances were understood."""
    heard = await until(node, FinalHeard, call_id, count)
    return [(each.speaker, each.readings[0].text) for each in heard]


@asynccontextmanager
async def streaming(node: Node, tls_port: int = 0) -> AsyncIterator[RecordingClient]:
    """A recording client of two streams, which send for as long as the block lasts; by TLS they are encrypted."""
    trusting = trusted(node.data / "sip.crt") if tls_port else None
    async with recording_client(tls_port or node.sip_port, "96", "97", tls=trusting) as client:
        sending = asyncio.create_task(client.stream())
        try:
            yield client
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def test_a_call_of_a_pbx_is_heard_and_helped_with(
    node: Node, passwords: dict[str, str], voices: dict[str, Pcm]
) -> None:
    async with program_agents(node.web_url, "eve", "bob") as (eve, bob), streaming(node) as client:
        for agent in (eve, bob):
            await agent.sign_in(passwords[agent.name])
            await agent.read_feed()
        await client.start(ANN, EVE)
        call = (await eve.expect(CallJoined)).call
        assert call.observed
        assert call.brief.caller == ANN.aor

        speak(client, "97", voices["eve"])
        await said(node, call.call_id, 1)
        speak(client, "96", voices["caller"])
        (first, second, *_) = await said(node, call.call_id, 2)
        assert (first[0], second[0]) == ("agent", "caller")
        check_transcript(EVE_SAYS, first[1])
        await until(node, SuggestionsShown, call.call_id)
        shown = await eve.expect(Recorded, lambda told: isinstance(told.record.event, SuggestionsShown))
        assert isinstance(shown.record.event, SuggestionsShown)
        assert shown.record.event.suggestions[0].article.endswith("block-sim")
        assert not any(isinstance(envelope.message, CallJoined) for _, envelope in bob.messages)
        assert (await eve.request("GET", f"/api/calls/{call.call_id}")).status_code == 200
        assert (await bob.request("GET", f"/api/calls/{call.call_id}")).status_code == 404

        for source in client.sources:
            source.direction = "inactive"
        await client.change()
        assert await until(node, RecordingPaused, call.call_id) == [RecordingPaused(on=True)]
        for source in client.sources:
            source.direction = "sendonly"
        await client.change()
        await until(node, RecordingPaused, call.call_id, 2)

        before = len(told(node, FinalHeard, call.call_id))
        await client.change(metadata(Person("eve", EVE.aor, "Eve", "97", gone=True), BOB, mode="partial"))
        assert (await eve.expect(CallLeft)).why == "transferred"
        assert (await bob.expect(CallJoined)).call.call_id == call.call_id
        speak(client, "97", voices["bob"])
        *_, last = await said(node, call.call_id, before + 1)
        assert last[0] == "agent"
        check_transcript(BOB_SAYS, last[1])

        client.bye()
        assert (await client.answer("BYE")).status == 200
        assert (await bob.expect(CallLeft)).why == "ended"
        assert (await until(node, CallEnded, call.call_id))[0].cause == "recording_over"
        assert [source.heard for source in client.sources] == [0, 0], "something was said to the recording client"
    (started,) = told(node, CallStarted, call.call_id)
    assert (started.transport, started.bot) == ("siprec", "")
    await asyncio.to_thread(check_recording, node, call.call_id)


async def test_a_call_of_a_pbx_that_nobody_can_read_on_the_way(
    node: Node, passwords: dict[str, str], voices: dict[str, Pcm], tls_port: int
) -> None:
    """By TLS and SRTP: what both say is understood all the same."""
    async with program_agents(node.web_url, "eve") as (eve,), streaming(node, tls_port) as client:
        await eve.sign_in(passwords["eve"])
        await eve.read_feed()
        assert await client.start(ANN, EVE)
        call_id = (await eve.expect(CallJoined)).call.call_id
        speak(client, "97", voices["eve"])
        speak(client, "96", voices["caller"])
        heard = dict(await said(node, call_id, 2))
        check_transcript(EVE_SAYS, heard["agent"])
        assert word_overlap(CALLER_SAYS, heard["caller"]) >= LEAST_OVERLAP, heard
        client.bye()
        assert (await until(node, CallEnded, call_id))[0].cause == "recording_over"
    assert node.total("centralino_rtp_refused") == 0


def check_recording(node: Node, call_id: str) -> None:
    """Who calls is on the left and the agents are on the right, and neither is heard on the other side."""
    path = node.recording(call_id)
    wait_for("the recording", lambda: path.exists() or None, 10.0)
    both, _ = soundfile.read(path, dtype="int16")
    left, right = (read_back(np.ascontiguousarray(both[:, channel])) for channel in (0, 1))
    agents = f"{EVE_SAYS} {BOB_SAYS}"
    assert word_overlap(CALLER_SAYS, left) >= LEAST_OVERLAP, left
    assert word_overlap(agents, right) >= LEAST_OVERLAP, right
    assert word_overlap(agents, left) <= MOST_OF_THE_OTHER, left
    assert word_overlap(CALLER_SAYS, right) <= MOST_OF_THE_OTHER, right

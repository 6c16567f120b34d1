"""Keys of ours by a trunk, each way it may want them, as its telephone gets them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from dialog.actions import Handoff, Reply, Say
from dialog.commands import Join
from dsp.g711 import MU_LAW, decode_block
from tests.fakes.bot import FakeBot
from tests.fakes.browser_call import until
from tests.fakes.desk_calls import FakeCallDesk
from tests.fakes.exchange import Exchange, exchange
from tests.fakes.leg import FakeLeg
from tests.voice.media.ticks import keys_in
from voice.services import People
from voice.wire.dtmf import KeyReceiver

PERSON = Reply("fake", (Say("One moment."), Handoff("asked for a person", "billing")))


@asynccontextmanager
async def with_a_person(dtmf: str, formats: str) -> AsyncIterator[tuple[Exchange, FakeLeg]]:
    """A caller by a trunk that wants keys so, and the agent who has the call."""
    desk, agent = FakeCallDesk(Join("eve")), FakeLeg()
    async with exchange(bot=FakeBot(PERSON), trunk={"dtmf": dtmf, "codecs": ["PCMU"]}) as it:
        it.house.calls.serve(People(desk, {"eve": agent}.get, np.zeros(32_000, np.int16)))
        desk.command = it.house.calls.command
        await it.talking(it.phone.sdp(formats=formats))
        for _ in range(400):
            await it.house.tick(20)
            if agent.room is not None:
                break
        it.phone.heard()
        yield it, agent


async def pressed(it: Exchange, agent: FakeLeg, keys: str) -> dict[str, str]:
    """What the telephone gets when the agent presses `keys`, by the way it came."""
    agent.tick(keys=keys)
    await it.house.tick(200 * len(keys))
    await until(lambda: not it.agent.dropped)
    packets = it.phone.heard()
    events = KeyReceiver()
    sound = b"".join(packet.payload for packet in packets if packet.payload_type == 0)
    await it.phone.settled()
    info = [message.body for message in it.phone.came if message.line.startswith("INFO")]
    got = {
        "events": "".join(events.receive(packet) for packet in packets if packet.payload_type == 101),
        "tones": keys_in(decode_block(np.frombuffer(sound, np.uint8), MU_LAW)),
        "info": "".join(body.partition("Signal=")[2][:1] for body in info),
    }
    return {way: heard for way, heard in got.items() if heard}


@pytest.mark.parametrize(
    ("dtmf", "formats", "way"),
    [
        ("auto", "0 101", "events"),
        ("auto", "0", "tones"),
        ("events", "0 101", "events"),
        ("events", "0", ""),
        ("tones", "0 101", "tones"),
        ("info", "0 101", "info"),
        ("info", "0", "info"),
    ],
)
async def test_what_an_agent_presses(dtmf: str, formats: str, way: str) -> None:
    async with with_a_person(dtmf, formats) as (it, agent):
        assert await pressed(it, agent, "15#") == ({way: "15#"} if way else {})
        answer = await it.phone.answer()
        assert ("101" in answer.media()[1]) == (way == "events")

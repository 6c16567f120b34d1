"""The verdict on Rasa: whether a turn was answered, and if not, why."""

from collections.abc import AsyncIterator

import pytest

from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import ExternalRasa, RasaAddress
from dialog.errors import EngineUnavailable, NotReady
from tests.fakes.rasa_channel import FakeChannel
from voice.commands.check import ask_rasa
from voice.config import DialogSettings


@pytest.fixture
async def channel() -> AsyncIterator[FakeChannel]:
    async with FakeChannel().serving() as channel:
        yield channel


async def test_a_rasa_that_answers_is_timed_and_its_call_ended(channel: FakeChannel) -> None:
    rasa = RasaEngine(channel)
    channel.will_say({"say": "Hello."})
    assert (await ask_rasa(DialogSettings(), rasa)).startswith("answered a turn in ")
    assert [body["type"] for _, body in channel.events] == ["call_opened", "hung_up"]
    external = DialogSettings(rasa_url="http://192.0.2.1:5005")
    assert (await ask_rasa(external, rasa)).startswith("external, at http://192.0.2.1:5005: answered a turn in ")
    await rasa.close()


async def test_a_rasa_that_refuses_or_is_not_there_is_told(channel: FakeChannel) -> None:
    channel.answers.append((401, b""))
    for rasa, why in (
        (RasaEngine(channel), "Rasa answered 401"),
        (RasaEngine(ExternalRasa(RasaAddress("http://127.0.0.1:9", ""))), "Rasa does not answer"),
    ):
        with pytest.raises(EngineUnavailable, match=why):
            await ask_rasa(DialogSettings(), rasa)
        await rasa.close()


async def test_a_rasa_that_is_not_installed_or_not_wanted_is_told() -> None:
    with pytest.raises(NotReady, match="make setup"):
        await ask_rasa(DialogSettings(), None)
    assert await ask_rasa(DialogSettings(engine="keypad"), None) == "not wanted (dialog.engine is keypad)"

"""Which bot answers, and what is said when it is not the one that was wanted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dialog.actions import Handoff, Say
from dialog.bot.phrases import fixed
from dialog.errors import ConfigurationError, EngineError, EngineUnavailable, NotReady
from dialog.ports import HungUp, Keys, SessionOpened
from tests.fakes.rasa_channel import FakeChannel
from voice.bots import Bots, check_engine, open_bots
from voice.settings.sections import DialogSettings

OPENED = SessionOpened(caller="a", dialled="100", transport="sip", recorded=True)

PARROT = """
from dialog.actions import Collect, Reply, Say
from dialog.errors import EngineUnavailable
from dialog.ports import Keys

class Parrot:
    name = "parrot"
    open = True

    async def respond(self, call_id, turn):
        if isinstance(turn, Keys):
            raise EngineUnavailable("a parrot reads no keys")
        return Reply(self.name, (Say("Hello, hello."), Collect()))

    async def close(self):
        Parrot.open = False
"""


class Opened:
    """Open bots, and what was told while they opened and answered."""

    def __init__(self, bots: Bots, said: list[str], failed: list[tuple[str, str]]) -> None:
        self.bots = bots
        self.said = said
        self.failed = failed

    async def answers(self, bot: str = "helpdesk", call_id: str = "c1") -> str:
        """Who answers a new call."""
        return (await self.bots.engines[bot].respond(call_id, OPENED)).engine


@asynccontextmanager
async def bots(folder: Path, settings: DialogSettings, *, people: bool = False) -> AsyncIterator[Opened]:
    said: list[str] = []
    failed: list[tuple[str, str]] = []

    def fail(call_id: str, engine: str, error: EngineError) -> None:
        failed.append((call_id, engine))

    async with asyncio.TaskGroup() as tasks:
        opened = await open_bots(settings, folder, tasks, fail, said.append, people=people)
        yield Opened(opened, said, failed)
        await opened.close()


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution with a bot in it."""
    (tmp_path / "parrot_bot.py").write_text(PARROT)
    about = tmp_path / "parrot-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[centralino.dialogs]\nparrot = parrot_bot:Parrot\n")
    monkeypatch.syspath_prepend(tmp_path)


async def test_the_keypad_bot_answers_every_number_when_it_is_the_one_wanted(tmp_path: Path) -> None:
    async with bots(tmp_path, DialogSettings(engine="keypad")) as it:
        assert await it.answers("helpdesk") == "keypad"
        assert await it.answers("keypad", "c2") == "keypad"
        assert it.bots.server is None
        reply = await it.bots.engines["helpdesk"].respond("c1", Keys("6"))
        assert any("eight in the evening" in action.text for action in reply.actions if isinstance(action, Say))


@pytest.mark.parametrize("people", [False, True])
async def test_the_bot_knows_whether_there_is_a_desk(tmp_path: Path, *, people: bool) -> None:
    async with bots(tmp_path, DialogSettings(engine="keypad"), people=people) as it:
        bot = it.bots.engines["helpdesk"]
        replies = [await bot.respond("c1", Keys("7")) for _ in range(2)]
        assert isinstance(replies[-1].actions[-1], Handoff) == people


@pytest.mark.usefixtures("parrot")
async def test_a_plug_in_answers_and_what_it_fails_the_keypad_bot_takes(tmp_path: Path) -> None:
    check_engine("parrot")
    async with bots(tmp_path, DialogSettings(engine="parrot")) as it:
        assert await it.answers() == "parrot"
        engine = it.bots.engines["helpdesk"]
        assert (await engine.respond("c1", Keys("5"))).engine == "keypad"
        assert it.failed == [("c1", "parrot")]
        assert await it.answers(call_id="c2") == "parrot", "the next call begins with the bot that was wanted"
        await engine.respond("c1", HungUp())
    from parrot_bot import Parrot  # type: ignore[import-not-found]  # made by the fixture

    assert not Parrot.open


async def test_a_bot_that_nobody_knows_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"dialog\.engine: no bot is called 'eliza'"):
        check_engine("eliza")
    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(ConfigurationError, match="eliza"):
            await open_bots(DialogSettings(engine="eliza"), tmp_path, tasks, lambda *failure: None, print, people=False)


async def test_without_rasas_environment_the_keypad_bot_answers_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CENTRALINO_RASA_PYTHON", str(tmp_path / "nowhere" / "python"))
    async with bots(tmp_path, DialogSettings()) as it:
        assert await it.answers() == "keypad"
        (line,) = it.said
        assert str(tmp_path / "nowhere") in line
        assert "make setup" in line
        assert "keypad bot answers" in line
        assert it.bots.prompts == fixed()
    with pytest.raises(ExceptionGroup) as raised:
        async with bots(tmp_path, DialogSettings(project=tmp_path)):
            pass
    assert raised.group_contains(NotReady, match="make setup")  # of another's calls the keypad bot knows nothing


@pytest.mark.parametrize("own", [{"project": "/a/project"}, {"stand_in": "none"}])
async def test_nobody_goes_on_with_the_calls_of_another_bot(tmp_path: Path, own: dict[str, str]) -> None:
    async with FakeChannel().serving() as channel:
        channel.answers[:] = [(500, b"")]
        settings = DialogSettings.model_validate({"rasa_url": channel.address().url, **own})
        async with bots(tmp_path, settings) as it:
            with pytest.raises(EngineUnavailable):
                await it.answers()
            assert it.bots.prompts == ()


async def test_a_project_that_is_none_is_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setenv("CENTRALINO_RASA_PYTHON", str(python))
    settings = DialogSettings(project=tmp_path / "empty")
    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(ConfigurationError, match=r"empty is no Rasa project"):
            await open_bots(settings, tmp_path, tasks, lambda *failure: None, print, people=False)


async def test_an_external_rasa_answers_and_none_is_started(tmp_path: Path) -> None:
    async with FakeChannel().serving() as channel:
        channel.will_say({"say": "Hello."})
        settings = DialogSettings(rasa_url=channel.address().url)
        async with bots(tmp_path, settings) as it:
            assert await it.answers() == "rasa"
            assert it.bots.server is None
            channel.answers[:] = [(500, b"")]
            assert await it.answers(call_id="c2") == "keypad"
            assert it.failed == [("c2", "rasa")]

"""Who answers, and who goes on when a bot cannot: the keypad bot for the packaged help desk, nobody for another's."""

import asyncio
from pathlib import Path

import pytest

from dialog.bot.phrases import fixed
from dialog.errors import EngineError, EngineUnavailable, NotReady
from dialog.ports import SessionOpened
from voice.bots import Bots, open_bots
from voice.config import DialogSettings

NOWHERE = "http://127.0.0.1:9"
OPENED = SessionOpened(caller="+4930123", dialled="100", transport="sip", recorded=True)


class Told:
    """What the node was told while its bots were opened and used."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.lines: list[str] = []

    async def open(self, settings: DialogSettings, data: Path) -> Bots:
        async with asyncio.TaskGroup() as tasks:
            return await open_bots(settings, data, tasks, self._fail, self.lines.append)

    def _fail(self, call_id: str, engine: str, error: EngineError) -> None:
        self.failed.append(engine)


async def test_the_keypad_bot_goes_on_with_the_help_desks_calls(tmp_path: Path) -> None:
    told = Told()
    bots = await told.open(DialogSettings(rasa_url=NOWHERE), tmp_path)
    assert (await bots.engines["helpdesk"].respond("c1", OPENED)).engine == "keypad"
    assert told.failed == ["rasa"]
    assert bots.prompts == fixed()
    await bots.close()


@pytest.mark.parametrize("own", [{"project": "/a/project"}, {"stand_in": "none"}])
async def test_nobody_goes_on_with_the_calls_of_another_bot(tmp_path: Path, own: dict[str, str]) -> None:
    told = Told()
    bots = await told.open(DialogSettings.model_validate({"rasa_url": NOWHERE, **own}), tmp_path)
    with pytest.raises(EngineUnavailable):
        await bots.engines["helpdesk"].respond("c1", OPENED)
    assert bots.prompts == ()
    await bots.close()


async def test_without_rasa_the_help_desk_is_served_by_keys_and_another_bot_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CENTRALINO_RASA_PYTHON", "/nowhere/python")
    told = Told()
    bots = await told.open(DialogSettings(), tmp_path)
    assert (await bots.engines["helpdesk"].respond("c1", OPENED)).engine == "keypad"
    assert told.lines[0].endswith("Until then the keypad bot answers.")
    with pytest.raises(ExceptionGroup) as raised:
        await told.open(DialogSettings(project=tmp_path), tmp_path)
    assert raised.group_contains(NotReady, match="make setup")

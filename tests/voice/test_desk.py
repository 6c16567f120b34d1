"""The desk put together from its settings, and what is wrong with them in one line."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent_assist.store.database import Database
from dialog.errors import ConfigurationError
from tests.fakes.house import house
from voice.config import Settings
from voice.desk import OpenDesk, open_desk
from voice.exchange import Exchange
from voice.settings.sections import DeskSettings


async def opened(folder: Path, settings: DeskSettings, suggester: str = "") -> OpenDesk:
    """A desk, opened and closed again; `suggester` is installed under the name of lost."""
    if suggester:
        about = folder / "lost-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lost\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[centralino.suggesters]\nlost = {suggester}\n")
    database = await Database.open(folder / "calls.sqlite")
    async with house() as home, AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        exchange = Exchange(Settings(), home.plane)
        return await open_desk(settings, folder, database, home.calls, home.plane, exchange, home.tasks, stack, print)


async def test_a_desk_without_suggestions_has_no_articles(tmp_path: Path) -> None:
    desk = await opened(tmp_path, DeskSettings(suggest=False))
    assert desk.parts.suggester is None
    assert desk.host.figures["waiting"] == 0


async def test_a_suggester_that_nobody_knows_or_that_cannot_be_imported_is_a_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExceptionGroup) as unknown:
        await opened(tmp_path, DeskSettings(suggester="sage"))
    assert unknown.group_contains(ConfigurationError, match=r"desk\.suggester: nothing is called 'sage'")
    with pytest.raises(ExceptionGroup) as lost:
        await opened(tmp_path, DeskSettings(suggester="lost"), suggester="no_such_module:Sage.open")
    assert lost.group_contains(ConfigurationError, match=r"desk\.suggester: the plug-in 'lost' .* cannot be loaded")

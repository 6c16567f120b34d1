"""The suggester by its name in the settings: the entry point, none, and one that nobody knows."""

import asyncio
from pathlib import Path

import pytest

from agent_assist.suggest.article_suggester import ArticleSuggester
from dialog.errors import ConfigurationError
from tests.agent_assist.suggest.folder import fill
from voice.config import DeskSettings
from voice.suggesters import check_suggester, open_suggester


async def test_the_built_in_comes_through_its_entry_point(tmp_path: Path) -> None:
    settings = DeskSettings(articles=fill(tmp_path / "articles"))
    check_suggester(settings)
    async with asyncio.TaskGroup() as tasks:
        suggester = await open_suggester(settings, tmp_path, tasks)
        assert isinstance(suggester, ArticleSuggester)
        assert (await suggester.search("stolen"))[0].article == "block-sim"
        await suggester.close()


async def test_none_is_opened_where_none_is_wanted(tmp_path: Path) -> None:
    settings = DeskSettings(suggest=False, suggester="nobody")
    check_suggester(settings)
    async with asyncio.TaskGroup() as tasks:
        assert await open_suggester(settings, tmp_path, tasks) is None


def test_an_unknown_name_is_an_error_of_one_line() -> None:
    with pytest.raises(
        ConfigurationError, match=r"desk\.suggester: no suggester is called 'nobody'; known are articles"
    ):
        check_suggester(DeskSettings(suggester="nobody"))


async def test_a_folder_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(ConfigurationError, match=r"desk\.articles: .*nowhere"):
            await open_suggester(DeskSettings(articles=tmp_path / "nowhere"), tmp_path, tasks)

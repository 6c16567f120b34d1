"""The suggester that the settings name: built-ins and plug-ins by the same door."""

import asyncio
from importlib.metadata import entry_points
from pathlib import Path

from agent_assist.suggest.articles import SAMPLE
from agent_assist.suggester import OpenSuggester, Suggester, SuggesterOptions
from dialog.errors import ConfigurationError
from voice.bots import Say
from voice.config import DeskSettings

GROUP = "centralino.suggesters"


def check_suggester(settings: DeskSettings) -> None:
    """Raise ConfigurationError for a suggester that nobody knows; before anything heavy is loaded."""
    if settings.suggest and not entry_points(group=GROUP, name=settings.suggester):
        known = ", ".join(sorted(point.name for point in entry_points(group=GROUP)))
        raise ConfigurationError(f"desk.suggester: no suggester is called {settings.suggester!r}; known are {known}")


async def open_suggester(
    settings: DeskSettings, data: Path, tasks: asyncio.TaskGroup, say: Say = lambda line: None
) -> Suggester | None:
    """The suggester, ready to be asked; None where the settings want none. Raises ConfigurationError."""
    if not settings.suggest:
        return None
    check_suggester(settings)
    open_one: OpenSuggester = next(iter(entry_points(group=GROUP, name=settings.suggester))).load()
    return await open_one(SuggesterOptions(settings.articles or SAMPLE, data / "suggest", say), tasks)

"""People at the node: the desk, its agents' audio, and what helps them, put together from the settings."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import cast

from agent_assist.desk.assist import Assist
from agent_assist.desk.feed import AgentFeeds
from agent_assist.desk.host import DeskHost, Feeds
from agent_assist.desk.hours import Hours
from agent_assist.desk.messages import Message
from agent_assist.desk.router import LongestIdle
from agent_assist.desk.rules import Rules
from agent_assist.store.database import Database
from agent_assist.store.desk_records import DeskRecords
from agent_assist.suggester import OpenSuggester, Suggester, SuggesterOptions
from agent_assist.web.agent_api import DeskParts
from dialog.errors import ConfigurationError
from dialog.journal import Listener
from voice.agents import AgentLines
from voice.calls import Calls
from voice.exchange import Exchange
from voice.media.leg import MediaLeg
from voice.media.music import hold_music, load_music
from voice.media.plane import MediaPlane
from voice.placing import Placing
from voice.plug_ins import find_plug_in, load_plug_in
from voice.services import People
from voice.settings.sections import DeskSettings
from voice.speech.models import cache_dir

GROUP = "centralino.suggesters"

Say = Callable[[str], None]


class _Both:
    """An agent's screen and telephones are told the same."""

    def __init__(self, screens: Feeds, phones: Feeds) -> None:
        self._screens = screens
        self._phones = phones

    def tell(self, agent: str, message: Message) -> None:
        self._screens.tell(agent, message)
        self._phones.tell(agent, message)


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """A desk that takes callers. `parts` is for the web; `listeners` are told every journal."""

    host: DeskHost
    lines: AgentLines
    parts: DeskParts
    listeners: tuple[Listener, ...]


async def open_desk(
    settings: DeskSettings,
    folder: Path,
    database: Database,
    calls: Calls,
    plane: MediaPlane,
    exchange: Exchange,
    tasks: asyncio.TaskGroup,
    stack: AsyncExitStack,
    say: Say,
) -> OpenDesk:
    """Open the desk; `stack` closes it. From now on a call that the bot hands over waits for a person.

    Raises ConfigurationError for hours, music, articles or a suggester that cannot be used.
    """
    rules = Rules(
        hours=Hours.parse(settings.hours),
        queue=settings.queue,
        longest_wait_s=settings.longest_wait_s,
        ring_s=settings.ring_s,
        dispositions=settings.dispositions,
    )
    music = await asyncio.to_thread(load_music, settings.music) if settings.music else hold_music()
    feeds, records = AgentFeeds(), DeskRecords(database)
    phones = exchange.phones

    def audio(agent: str) -> MediaLeg | None:
        return phones.leg(agent) or lines.leg(agent)

    placing = Placing(calls, exchange, audio, tasks)
    host = DeskHost(rules, calls, placing, _Both(feeds, phones), records, LongestIdle())
    placing.work_for(host)
    feeds.serve(host)
    tasks.create_task(host.run(), name="desk")
    stack.push_async_callback(host.close)

    def changed(agent: str, connected: bool) -> None:
        host.audio(agent, connected=connected or phones.leg(agent) is not None)

    lines = AgentLines(plane, tasks, settings.agents, changed)
    phones.work_for(host, lambda agent: lines.leg(agent) is not None)
    calls.serve(People(host, audio, music, exchange))
    suggester = await _open_suggester(settings, folder, tasks, say) if settings.suggest else None
    listeners: tuple[Listener, ...] = (host,)
    if suggester is not None:
        stack.push_async_callback(suggester.close)
        listeners = (host, Assist(suggester, calls, tasks))
    return OpenDesk(host, lines, DeskParts(host, feeds, records, suggester), listeners)


async def _open_suggester(settings: DeskSettings, folder: Path, tasks: asyncio.TaskGroup, say: Say) -> Suggester:
    found = find_plug_in(GROUP, settings.suggester)
    if found is None:
        raise ConfigurationError(
            f"desk.suggester: nothing is called {settings.suggester!r}; known is articles, and plug-ins of {GROUP}"
        )
    opener = cast(OpenSuggester, load_plug_in(found, "desk.suggester"))
    if settings.articles is not None:
        return await opener(SuggesterOptions(settings.articles, folder, say), tasks)
    # what is derived from the sample base is the same for every node of this user
    sample = Path(str(files("agent_assist") / "suggest" / "articles"))
    return await opener(SuggesterOptions(sample, cache_dir() / "articles", say), tasks)

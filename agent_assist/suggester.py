"""The suggester seam: articles that may help with what a caller just said. Built-ins and plug-ins use the same door
(entry points `centralino.suggesters`)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dialog.people_events import Suggestion


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the call: the caller's last phrase, those before it (newest last), and the bot's state."""

    phrase: str
    before: tuple[str, ...] = ()
    reason: str = ""
    slots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Article:
    """One article of the knowledge base. `reply` is the sentence to say; `body` is Markdown."""

    article: str
    title: str
    reply: str
    body: str


class Suggester(Protocol):
    """Deterministic and offline; ready for many calls at once."""

    async def suggest(self, situation: Situation, limit: int = 3) -> Sequence[Suggestion]:
        """Best first; nothing under the threshold. Raises EngineError where it cannot."""
        ...

    async def search(self, query: str, limit: int = 10) -> Sequence[Suggestion]:
        """What an agent looks for by hand: no threshold."""
        ...

    def article(self, article: str) -> Article | None:
        """One article, by its name."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SuggesterOptions:
    """What a suggester is opened with: the folder of articles, a folder in which it may keep what it derived, and where
    to tell one line to whoever starts the node."""

    articles: Path
    cache: Path
    say: Callable[[str], None] = lambda line: None


class OpenSuggester(Protocol):
    """What an entry point names. Tasks that last as long as the suggester go into `tasks`; `close` ends them."""

    async def __call__(self, options: SuggesterOptions, tasks: asyncio.TaskGroup) -> Suggester:
        """Ready to be asked, within seconds. Raises ConfigurationError."""
        ...

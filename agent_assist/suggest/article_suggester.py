"""The built-in suggester: articles of a folder, on the event loop's side.

What takes time (files, indexes, vectors) is done by one thread of its own, in the order it was asked for; the loop only
waits. The base in use is replaced as a whole: a request sees the old one or the new one.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import structlog

from agent_assist.suggest.articles import Reading, read, stamps
from agent_assist.suggest.meaning import Meaning, Vector
from agent_assist.suggest.ranking import Embed, Ranking
from agent_assist.suggest.vectors import SentenceVectors, VectorFile, Vectors
from agent_assist.suggester import Article, Situation, SuggesterOptions
from dialog.errors import ConfigurationError, EngineError, EngineUnavailable
from dialog.people_events import Suggestion

log = structlog.get_logger("articles")

LOOK_S = 3.0
"""How often the folder is looked at."""
MAX_WAITING = 64
"""Requests at once: one more is refused."""
SMALL_TALK = tuple(Path(__file__).with_name("small_talk.txt").read_text(encoding="utf-8").splitlines())
"""What callers say that is no wish: nearer to these than to any article is not worth a suggestion."""

_ALONE = "Articles are found by their words alone, not by meaning"

T = TypeVar("T")


class ArticleSuggester:
    """`start`, then `run` in a task of its own, then `close`; `open` does the first two."""

    def __init__(self, options: SuggesterOptions, vectors: Vectors | None = None) -> None:
        self._folder = options.articles
        self._say = options.say
        self._file = VectorFile(options.cache / "article-vectors.npz")
        self._vectors = vectors or SentenceVectors()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="articles")
        self._watch: asyncio.Task[None] | None = None
        self._asked = 0
        self._reading = Reading((), (), ())
        self._known: dict[str, Vector] = {}
        self._ranking = Ranking((), (), None)
        self._trouble = ""
        self._closed = False

    @classmethod
    async def open(cls, options: SuggesterOptions, tasks: asyncio.TaskGroup) -> Self:
        """The entry point `articles`."""
        suggester = cls(options)
        try:
            await suggester.start()
        except ConfigurationError:
            await suggester.close()
            raise
        suggester._watch = tasks.create_task(suggester.run(), name="articles")
        return suggester

    async def start(self) -> None:
        """Read the articles, and see whether there are vectors; without them words alone must do, and a line says so.

        Raises ConfigurationError where the folder cannot be read.
        """
        await self._work(self._load)
        try:
            await self._work(self._vectors.vector, SMALL_TALK[0])
        except EngineError as error:
            self._trouble = f"{_ALONE}: {error}"
            self._say(f"{self._trouble}.")

    async def run(self) -> None:
        """Keep up with the folder."""
        while True:
            await self.refresh()
            await asyncio.sleep(LOOK_S)

    async def refresh(self) -> None:
        """Look once: read the folder when something changed there, and make the vectors that are missing."""
        try:
            if await self._work(stamps, self._folder) != self._reading.stamps:
                await self._work(self._load)
        except ConfigurationError as error:
            # moved away for a moment, or for good: the articles read before stand
            self._note(str(error))
            return
        missing = [text for text in self._sentences() if text not in self._known]
        try:
            for text in missing:
                self._known[text] = await self._work(self._vectors.vector, text)
        except EngineError as error:
            self._note(f"{_ALONE}: {error}")
            return
        self._note("")
        if missing:
            await self._work(self._rank)
            await self._work(self._keep)

    async def suggest(self, situation: Situation, limit: int = 3) -> Sequence[Suggestion]:
        return await self._ask(lambda embed: self._ranking.suggest(situation, embed, limit))

    async def search(self, query: str, limit: int = 10) -> Sequence[Suggestion]:
        return await self._ask(lambda embed: self._ranking.search(query, embed, limit))

    def article(self, article: str) -> Article | None:
        return self._ranking.article(article)

    async def close(self) -> None:
        """End the watch, the child and the thread. Idempotent."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        if not self._closed:
            self._closed = True
            await self._work(self._shut)
            self._worker.shutdown(wait=False)

    async def _ask(self, answer: Callable[[Embed | None], list[Suggestion]]) -> list[Suggestion]:
        if self._closed or self._asked >= MAX_WAITING:
            raise EngineUnavailable(
                "the suggester is closed" if self._closed else "too many suggestions are waited for"
            )
        self._asked += 1
        try:
            return await self._work(self._answer, answer)
        finally:
            self._asked -= 1

    async def _work(self, job: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, job, *arguments)

    def _note(self, trouble: str) -> None:
        """Log a trouble once, and once that it is over."""
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                log.warning("articles in trouble", reason=trouble)
            else:
                log.info("articles are found by words and meaning again")

    def _sentences(self) -> Iterator[str]:
        yield from SMALL_TALK
        for entry in self._reading.entries:
            yield from entry.sentences

    # what follows runs in the worker's thread

    def _answer(self, answer: Callable[[Embed | None], list[Suggestion]]) -> list[Suggestion]:
        try:
            return answer(self._vectors.vector)
        except EngineError:
            return answer(None)  # the watch notes it

    def _load(self) -> None:
        reading = read(self._folder)
        for complaint in reading.complaints:
            log.warning("article left out", reason=complaint)
        self._reading = reading
        wanted = set(self._sentences())
        kept = {} if wanted <= self._known.keys() else self._file.load(wanted)
        self._known = kept | {text: vector for text, vector in self._known.items() if text in wanted}
        self._rank()

    def _rank(self) -> None:
        """Put a ranking of what is known now in the place of the one in use."""
        entries = self._reading.entries
        meaning = Meaning.of([entry.sentences for entry in entries], SMALL_TALK, self._known)
        former, self._ranking = self._ranking, Ranking(entries, SMALL_TALK, meaning)
        former.close()

    def _keep(self) -> None:
        try:
            self._file.save(self._known)
        except OSError as error:
            log.warning("vectors not kept, the next start makes them again", reason=error.strerror)

    def _shut(self) -> None:
        self._vectors.close()
        self._ranking.close()

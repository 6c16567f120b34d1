"""What an agent looks things up in: articles, and the callers to be called back, in memory."""

from collections.abc import Sequence

from agent_assist.store.desk_records import Callback
from agent_assist.suggester import Article, Situation
from dialog.people_events import Suggestion


class FakeCallbacks:
    """Callers to be called back, in memory."""

    def __init__(self, *callbacks: Callback) -> None:
        self.open = {callback.id: callback for callback in callbacks}

    async def open_callbacks(self) -> list[Callback]:
        return list(self.open.values())

    async def open_callback(self, callback: int) -> Callback | None:
        return self.open.get(callback)

    async def finish_callback(self, callback: int, agent: str) -> bool:
        return self.open.pop(callback, None) is not None


class FakeSuggester:
    """Articles found by a word of their title."""

    def __init__(self, *articles: Article) -> None:
        self.articles = {article.article: article for article in articles}

    async def suggest(self, situation: Situation, limit: int = 3) -> Sequence[Suggestion]:
        return await self.search(situation.phrase, limit)

    async def search(self, query: str, limit: int = 10) -> Sequence[Suggestion]:
        found = []
        for article in self.articles.values():
            words = tuple(word for word in query.lower().split() if word in article.title.lower().split())
            if words:
                found.append(
                    Suggestion(
                        article=article.article,
                        title=article.title,
                        reply=article.reply,
                        words=words,
                        score=min(1.0, len(words) / 2),
                    )
                )
        return found[:limit]

    def article(self, article: str) -> Article | None:
        return self.articles.get(article)

    async def close(self) -> None:
        pass


ARTICLES = (
    Article("bills/due", "When a bill is due", "Your bill is due on the fifth of the month.", "# When a bill is due\n"),
    Article("sim/lost", "A lost SIM card", "I can block the card at once.", "# A lost SIM card\n\nBlock it *first*.\n"),
)
CALLBACKS = (
    Callback(1, "call-7", "sip:+3225550177@192.0.2.7", "asked for a person", "2026-11-02T09:12:00+00:00"),
    Callback(2, "call-8", "browser", "the bill", "2026-11-02T09:14:00+00:00"),
)

"""Which articles help: full text and meaning fused, small talk taken off, what was said before with less weight.

    for a text   meaning + TEXT x text - TALK x nearness to small talk
    score        that for the phrase, and half of that for the phrase with what stands before it
    shown        scores over the threshold, unless the phrase alone is nearer to small talk than to any article

All of it was measured on `bench/suggest_tuning.tsv`. Reciprocal ranks in place of the sum lost 8 points of hit@3: they
forget by how much the first is better than the second, and nothing can be held against a threshold. What stands before
doubles the follow-up questions ("and what does it cost?") that find their article, and costs a change of topic 1 point.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from agent_assist.suggest.articles import Entry
from agent_assist.suggest.full_text import FullText
from agent_assist.suggest.meaning import Meaning, Vector
from agent_assist.suggest.words import clean, content, every
from agent_assist.suggester import Article, Situation
from dialog.people_events import Suggestion

Embed = Callable[[str], Vector]

THRESHOLD = 0.12
"""The highest that loses no hit of the tuning set, to two places."""
TEXT = 0.2
TALK = 0.7
TEXT_ONLY_THRESHOLD = 0.48
"""Without vectors the bent BM25 alone is held against this."""
BEFORE = 0.5
"""Weight of the phrase read together with the bot's state and the last `PHRASES` phrases before it."""
PHRASES = 2
MAX_MATCHED = 8


class Ranking:
    """One base, ready to be asked, by one thread at a time. `meaning` is None without vectors."""

    def __init__(self, entries: Sequence[Entry], talk: Sequence[str], meaning: Meaning | None) -> None:
        self._entries = entries
        self._text = FullText(entries, talk)
        self._meaning = meaning
        self._by_name = {entry.article.article: entry.article for entry in entries}

    def article(self, name: str) -> Article | None:
        """One article, by its name; from any thread."""
        return self._by_name.get(name)

    def suggest(self, situation: Situation, embed: Embed | None, limit: int) -> list[Suggestion]:
        """Best first, none under the threshold. `embed` is None while there are no vectors; its errors pass."""
        phrase = clean(situation.phrase)
        words = content(phrase)
        if not words or not self._entries:
            return []
        score = self._for(phrase, embed)
        if score.max() <= 0.0:
            return []
        earlier = [clean(text) for text in situation.before[-PHRASES:]]
        behind = " ".join((*_state(situation), *earlier))
        meant = embed is not None and self._meaning is not None
        if behind and meant:
            score = score + BEFORE * np.maximum(self._for(clean(f"{behind} {phrase}"), embed), 0.0)
        threshold = THRESHOLD if meant else TEXT_ONLY_THRESHOLD
        shown = [number for number in _best(score) if score[number] >= threshold]
        said = tuple(dict.fromkeys((*words, *content(" ".join(earlier)))))
        return self._told(shown[:limit], score, said)

    def search(self, query: str, embed: Embed | None, limit: int) -> list[Suggestion]:
        """Best first, without a threshold; all by name for an empty query."""
        query = clean(query)
        words = every(query)
        if not words:
            return self._told(range(min(limit, len(self._entries))), np.zeros(len(self._entries)), ())
        score = self._text.scores(words, prefix=True)
        if embed is not None and self._meaning is not None:
            score = TEXT * score + self._meaning.nearness(embed(query))[0]
        return self._told([n for n in _best(score) if score[n] > 0.0][:limit], score, words)

    def close(self) -> None:
        self._text.close()

    def _for(self, text: str, embed: Embed | None) -> NDArray[np.float64]:
        """What speaks for each article when this is said."""
        scores = self._text.scores(content(text))
        if embed is None or self._meaning is None:
            return scores
        near, talk = self._meaning.nearness(embed(text))
        return near + TEXT * scores - TALK * max(talk, 0.0)

    def _told(self, numbers: Iterable[int], score: NDArray[np.float64], words: Sequence[str]) -> list[Suggestion]:
        holding = [(word, self._text.holding(word)) for word in words]
        return [
            Suggestion(
                article=article.article,
                title=article.title,
                reply=article.reply,
                words=tuple(word for word, holders in holding if number in holders)[:MAX_MATCHED],
                score=round(float(np.clip(score[number], 0.0, 1.0)), 4),
            )
            for number in numbers
            for article in (self._entries[number].article,)
        ]


def _state(situation: Situation) -> tuple[str, ...]:
    """What the bot knew, in words: the reason of the handover, and what the slots it filled are called."""
    return content(" ".join((situation.reason, *(name for name, _ in situation.slots))).replace("_", " "))


def _best(score: NDArray[np.float64]) -> list[int]:
    """Numbers of the entries, best first; equals in the order of their names."""
    return [int(number) for number in np.argsort(-score, kind="stable")]

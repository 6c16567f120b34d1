"""Suggestions for agents: whether the right article is among those shown, how soon, and how often small talk shows one.

`--queries` is a file of lines QUERY<tab>ARTICLE (a head line `query<tab>article` may stand). A hit is an article that
would be on the agent's screen: one under the threshold is none. `hit_at_3` of full text alone and of vectors alone are
for comparison.

The house's own set, `suggest_queries.tsv`, holds paraphrases that share no content word with the title of the article
they ask for. It and `suggest_small_talk.txt` were written before there was a suggester, and nothing was tuned on them:
weights, threshold and the product's own examples of small talk come from `suggest_tuning.tsv`. A first run gave 86.8 %
hit@3 and 6.9 % false alarms; after it the threshold was raised to the highest that loses no hit of the tuning set, and
every article, whatever its figures, got three more phrases of callers.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent_assist.suggest.article_suggester import ArticleSuggester
from agent_assist.suggest.articles import SAMPLE
from agent_assist.suggest.meaning import Vector
from agent_assist.suggest.vectors import SentenceVectors, Vectors
from agent_assist.suggester import Situation, SuggesterOptions
from bench.figures import Figure
from dialog.errors import EngineUnavailable

_FOLDER = Path(__file__).parent
QUERIES = _FOLDER / "suggest_queries.tsv"
SMALL_TALK = _FOLDER / "suggest_small_talk.txt"
_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queries", type=Path, default=QUERIES, help="QUERY<tab>ARTICLE, one a line")
    parser.add_argument("--small-talk", type=Path, default=SMALL_TALK, help="what must show nothing, one a line")
    parser.add_argument("--articles", type=Path, default=SAMPLE, help="the folder of articles")
    parser.add_argument("--misses", action="store_true", help="print what went wrong to standard error")


def run(options: argparse.Namespace) -> list[Figure]:
    """Start cold, start warm, ask everything, and ask it again without vectors."""
    queries = list(pairs(options.queries))
    talk = [line for line in options.small_talk.read_text(encoding="utf-8").splitlines() if line.strip()]
    return asyncio.run(_measure(options.articles, queries, talk, options.misses))


def pairs(file: Path) -> Iterator[tuple[str, str]]:
    """Queries with the article each asks for; "" where nothing should be shown. Raises SystemExit, one line."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        query, tab, article = line.rpartition("\t")
        if not line.strip() or (number == 1 and (query, article) == ("query", "article")):
            continue
        if not tab or not query.strip():
            raise SystemExit(f"{file}:{number}: write a query, a tab, and the article's name")
        yield query.strip(), article.strip().removesuffix(".md")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was shown for one query, best first, and how long it took."""

    query: str
    wanted: str
    shown: tuple[str, ...]
    took_ms: float


async def _measure(folder: Path, queries: list[tuple[str, str]], talk: list[str], misses: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as cache:
        options = SuggesterOptions(folder, Path(cache), lambda line: print(line, file=sys.stderr))
        cold_s = await _started(ArticleSuggester(options))
        vectors = SentenceVectors()
        suggester = ArticleSuggester(options, vectors)
        warm_s = await _started(suggester, close=False)
        for _, article in queries:
            if article and suggester.article(article) is None:
                raise SystemExit(f"no article is called {article!r} in {folder}")
        asked = await _ask(suggester, [*queries, *((line, "") for line in talk)])
        memory_mb = _resident_mb(vectors.pid)
        await suggester.close()
        alone = ArticleSuggester(SuggesterOptions(folder, Path(cache)), _NoVectors())
        await alone.start()
        by_words = await _ask(alone, [*queries, *((line, "") for line in talk)])
        await alone.close()
    if misses:
        _print_misses(asked)
    took_ms = [one.took_ms for one in asked]
    return [
        Figure("hit_at_1", _hits(asked, 1), "%"),
        Figure("hit_at_3", _hits(asked, 3), "%", ">= 80"),
        Figure("false_alarms", _false_alarms(asked), "%", "<= 5"),
        Figure("p50", float(np.percentile(took_ms, 50)), "ms"),
        Figure("p95", float(np.percentile(took_ms, 95)), "ms", "<= 200"),
        Figure("words_alone.hit_at_3", _hits(by_words, 3), "%"),
        Figure("words_alone.false_alarms", _false_alarms(by_words), "%"),
        Figure("queries", len(queries), ""),
        Figure("start_cold", cold_s, "s"),
        Figure("start_warm", warm_s, "s", "<= 10"),
        Figure("child_memory", memory_mb, "MB"),
    ]


class _NoVectors(Vectors):
    def vector(self, text: str) -> Vector:
        raise EngineUnavailable("left out")

    def close(self) -> None:
        pass


async def _started(suggester: ArticleSuggester, *, close: bool = True) -> float:
    """Seconds until articles are found by meaning too."""
    began = time.perf_counter()
    await suggester.start()
    await suggester.refresh()
    took_s = time.perf_counter() - began
    if close:
        await suggester.close()
    return took_s


async def _ask(suggester: ArticleSuggester, queries: Sequence[tuple[str, str]]) -> list[_Asked]:
    asked = []
    for query, wanted in queries:
        began = time.perf_counter()
        shown = await suggester.suggest(Situation(query), _SHOWN)
        took_ms = (time.perf_counter() - began) * 1000
        asked.append(_Asked(query, wanted, tuple(one.article for one in shown), took_ms))
    return asked


def _hits(asked: Sequence[_Asked], places: int) -> float:
    wishes = [one for one in asked if one.wanted]
    return 100 * sum(one.wanted in one.shown[:places] for one in wishes) / max(1, len(wishes))


def _false_alarms(asked: Sequence[_Asked]) -> float:
    talk = [one for one in asked if not one.wanted]
    return 100 * sum(bool(one.shown) for one in talk) / max(1, len(talk))


def _print_misses(asked: Sequence[_Asked]) -> None:
    for one in asked:
        if (one.wanted and one.wanted not in one.shown) or (not one.wanted and one.shown):
            print(f"{one.query!r}: wanted {one.wanted or 'nothing'}, shown {', '.join(one.shown)}", file=sys.stderr)


def _resident_mb(pid: int | None) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)

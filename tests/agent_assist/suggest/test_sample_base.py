"""A handful of the sample's articles with the real vectors: paraphrases lead to the right one, small talk to none.

The whole base is measured by `python -m bench suggest`.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_assist.suggest.article_suggester import ArticleSuggester
from agent_assist.suggest.articles import SAMPLE
from agent_assist.suggester import Situation, SuggesterOptions

HANDFUL = ("roaming", "roaming-prices", "block-sim", "puk", "moving-house", "router-lights", "refund", "opening-hours")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Articles, and a cache that the first test fills for the others."""
    articles = tmp_path_factory.mktemp("articles")
    for name in HANDFUL:
        shutil.copy(SAMPLE / f"{name}.md", articles)
    return articles, tmp_path_factory.mktemp("cache")


@pytest.fixture
async def suggester(folders: tuple[Path, Path]) -> AsyncIterator[ArticleSuggester]:
    suggester = ArticleSuggester(SuggesterOptions(*folders))
    await suggester.start()
    await suggester.refresh()
    yield suggester
    await suggester.close()


@pytest.mark.parametrize(
    ("phrase", "article"),
    [
        ("Somebody pulled my mobile out of my bag.", "block-sim"),
        ("We are off to Portugal on Saturday, must I switch anything on?", "roaming"),
        ("What do ten minutes cost me when I ring from Japan?", "roaming-prices"),
        ("My little boy typed the code wrongly three times.", "puk"),
        ("From May on we live in another town.", "moving-house"),
        ("Something on the box in the hall is blinking.", "router-lights"),
        ("You took the same amount from my bank twice.", "refund"),
    ],
)
async def test_a_paraphrase_finds_its_article(suggester: ArticleSuggester, phrase: str, article: str) -> None:
    found = await suggester.suggest(Situation(phrase))
    assert article in [one.article for one in found]
    assert await suggester.suggest(Situation(phrase)) == found


@pytest.mark.parametrize("phrase", ["hello", "yes please", "one two three four", "um okay", "My name is Rossi."])
async def test_small_talk_shows_nothing(suggester: ArticleSuggester, phrase: str) -> None:
    assert await suggester.suggest(Situation(phrase, ("Good morning.",))) == []


async def test_a_follow_up_is_read_with_what_was_said_before(suggester: ArticleSuggester) -> None:
    found = await suggester.suggest(Situation("And what does it cost?", ("I am flying to New York next week.",)))
    assert found[0].article == "roaming-prices"

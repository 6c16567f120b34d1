"""The sets that suggestions are measured by: honest, and readable."""

from pathlib import Path

import pytest

from agent_assist.suggest.article_suggester import SMALL_TALK as EXAMPLES
from agent_assist.suggest.articles import SAMPLE, Entry, read
from agent_assist.suggest.full_text import FullText
from agent_assist.suggest.words import content
from agent_assist.suggester import Article
from bench.suggest import QUERIES, SMALL_TALK, pairs

TUNING = QUERIES.with_name("suggest_tuning.tsv")


def test_the_held_out_paraphrases_share_no_content_word_with_the_title() -> None:
    entries = read(SAMPLE).entries
    titles = [Entry(Article(e.article.article, e.article.title, "", ""), (), ()) for e in entries]
    names = [entry.article.article for entry in entries]
    text = FullText(titles, ())
    held_out = list(pairs(QUERIES))
    assert len(held_out) >= 50
    assert {article for _, article in held_out} == set(names), "every article is asked for"
    for query, article in held_out:
        shared = [word for word in content(query) if names.index(article) in text.holding(word)]
        assert shared == [], f"{query} ({article})"
    text.close()


def test_what_is_measured_by_is_neither_tuned_on_nor_in_the_product() -> None:
    def flat(text: str) -> str:
        return " ".join(text.lower().replace(",", "").rstrip(".?!").split())

    held_out = {flat(query) for query, _ in pairs(QUERIES)}
    talk = {flat(line) for line in SMALL_TALK.read_text().splitlines()}
    assert len(talk) >= 50
    tuned = {flat(query) for query, article in pairs(TUNING) if article}
    phrases = {flat(phrase) for entry in read(SAMPLE).entries for phrase in entry.phrases}
    assert not held_out & (tuned | phrases)
    assert not talk & {flat(example) for example in EXAMPLES}


def test_queries_are_read_with_and_without_a_head_line(tmp_path: Path) -> None:
    file = tmp_path / "queries.tsv"
    file.write_text("query\tarticle\nMy phone is gone\tblock-sim\n\nhello\t\n")
    assert list(pairs(file)) == [("My phone is gone", "block-sim"), ("hello", "")]
    file.write_text("My phone is gone\tblock-sim.md\n")
    assert list(pairs(file)) == [("My phone is gone", "block-sim")]


def test_a_line_that_is_no_query_is_named(tmp_path: Path) -> None:
    file = tmp_path / "queries.tsv"
    file.write_text("My phone is gone\tblock-sim\nno tab here\n")
    with pytest.raises(SystemExit, match=r"queries\.tsv:2: write a query, a tab"):
        list(pairs(file))

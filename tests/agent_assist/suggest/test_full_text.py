"""Full text: stems, weights, and queries that mean nothing to FTS5."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_assist.suggest.articles import read
from agent_assist.suggest.full_text import FullText
from agent_assist.suggest.words import every
from tests.agent_assist.suggest.folder import fill

BILL, BLOCK_SIM, ROAMING = range(3)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullText]:
    folder: Path = tmp_path_factory.mktemp("articles")
    text = FullText(read(fill(folder)).entries, ["good morning to you", "the weather is nice"])
    yield text
    text.close()


def test_a_word_finds_the_article_that_holds_its_stem(text: FullText) -> None:
    assert text.holding("blocked") == {BLOCK_SIM}
    assert text.holding("bills") == {BILL}
    assert text.holding("phones") == {BLOCK_SIM, ROAMING}
    assert text.holding("submarine") == frozenset()


def test_scores_are_in_bounds_and_rise_with_every_word_that_matches(text: FullText) -> None:
    one, two = text.scores(["phone"]), text.scores(["phone", "stolen"])
    assert ((one >= 0) & (one < 1)).all()
    assert one[BILL] == two[BILL] == 0.0
    assert two[BLOCK_SIM] > one[BLOCK_SIM] > 0.0
    assert two.argmax() == BLOCK_SIM


def test_the_last_word_may_go_on(text: FullText) -> None:
    assert text.scores(["stol"]).max() == 0.0
    assert text.scores(["stol"], prefix=True).argmax() == BLOCK_SIM


def test_the_background_is_never_found(text: FullText) -> None:
    assert text.holding("weather") == frozenset()
    assert len(text.scores(["weather", "morning"])) == 3
    assert text.scores(["weather", "morning"]).max() == 0.0


@pytest.mark.parametrize(
    "word", ['"', '""', "NEAR", "AND", "OR", "NOT", "phone*", "title:", "(", "^x", "a-b", "'", "\0"]
)
def test_operators_are_words(text: FullText, word: str) -> None:
    assert np.isfinite(text.scores([word])).all()
    assert np.isfinite(text.scores(["phone", word], prefix=True)).all()
    text.holding(word)


@given(st.text(max_size=200))
def test_no_text_breaks_a_query(text: FullText, odd: str) -> None:
    for words in (every(odd), (odd,)):
        scores = text.scores(words, prefix=True)
        assert ((scores >= 0) & (scores < 1)).all()

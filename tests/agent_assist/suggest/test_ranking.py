"""Ranking with vectors without a model: threshold, small talk, what was said before, matched words, odd queries."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_assist.suggest.article_suggester import SMALL_TALK
from agent_assist.suggest.articles import read
from agent_assist.suggest.meaning import Meaning
from agent_assist.suggest.ranking import Ranking
from agent_assist.suggest.words import MAX_CHARACTERS
from agent_assist.suggester import Situation
from dialog.errors import EngineUnavailable
from tests.agent_assist.suggest.folder import fill
from tests.fakes.vectors import WordVectors

VECTORS = WordVectors()


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranking]:
    folder: Path = tmp_path_factory.mktemp("articles")
    entries = read(fill(folder)).entries
    sentences = [entry.sentences for entry in entries]
    known = {text: VECTORS.vector(text) for texts in (*sentences, SMALL_TALK) for text in texts}
    ranking = Ranking(entries, SMALL_TALK, Meaning.of(sentences, SMALL_TALK, known))
    yield ranking
    ranking.close()


def names(ranking: Ranking, situation: Situation, limit: int = 3) -> list[str]:
    return [one.article for one in ranking.suggest(situation, VECTORS.vector, limit)]


def test_the_best_comes_first_with_reply_words_and_score(ranking: Ranking) -> None:
    (first, *_) = ranking.suggest(Situation("Somebody has stolen my phone!"), VECTORS.vector, 3)
    assert (first.article, first.title) == ("block-sim", "Blocking a SIM card")
    assert first.reply == "I will block the card now."
    assert first.words == ("stolen", "phone")
    assert 0.0 < first.score <= 1.0


def test_meaning_finds_what_shares_no_word_and_says_so(ranking: Ranking) -> None:
    (first, *_) = ranking.suggest(Situation("robbed"), VECTORS.vector, 3)
    assert first.article == "block-sim"
    assert first.words == ()


@pytest.mark.parametrize("phrase", ["", "hello", "yes please", "one two three four", "um okay", *SMALL_TALK])
def test_small_talk_shows_nothing_even_after_a_wish(ranking: Ranking, phrase: str) -> None:
    assert names(ranking, Situation(phrase)) == []
    assert names(ranking, Situation(phrase, ("My phone was stolen",))) == []


def test_what_is_in_no_article_shows_nothing(ranking: Ranking) -> None:
    assert names(ranking, Situation("The submarine surfaced quietly")) == []


def test_what_was_said_before_decides_between_equals(ranking: Ranking) -> None:
    phone = "What about my phone?"
    assert names(ranking, Situation(phone, ("I am in Greece for a holiday",)), 1) == ["roaming"]
    assert names(ranking, Situation(phone, ("It is lost or stolen",)), 1) == ["block-sim"]


def test_what_was_said_before_counts_less_than_the_phrase(ranking: Ranking) -> None:
    assert names(ranking, Situation("Why is my bill so high?", ("My phone was stolen",)), 1) == ["bill"]


def test_the_bots_state_counts(ranking: Ranking) -> None:
    phone = Situation("What about my phone?", reason="no travel understood", slots=(("roaming_country", "Greece"),))
    assert names(ranking, phone, 1) == ["roaming"]


def test_the_same_question_gets_the_same_answer(ranking: Ranking) -> None:
    situation = Situation("My phone was stolen on holiday", ("Hello", "What is this on my bill?"))
    first = ranking.suggest(situation, VECTORS.vector, 3)
    assert all(ranking.suggest(situation, VECTORS.vector, 3) == first for _ in range(3))


def test_there_are_never_more_than_asked_for(ranking: Ranking) -> None:
    phrase = Situation("My phone was stolen on holiday and the bill is high")
    assert len(names(ranking, phrase, 3)) == 3
    assert len(names(ranking, phrase, 1)) == 1


def test_without_vectors_words_alone_must_do(ranking: Ranking) -> None:
    wish = Situation("Which charges and which amount on my bill, why so high?")
    assert [one.article for one in ranking.suggest(wish, None, 3)] == ["bill"]
    assert ranking.suggest(Situation("What about my phone?"), None, 3) == []


def test_a_search_has_no_threshold_and_finds_beginnings(ranking: Ranking) -> None:
    assert ranking.search("stol", None, 10)[0].article == "block-sim"
    assert ranking.search("phone", VECTORS.vector, 10)[0].score < 1.0
    assert {one.article for one in ranking.search("phone", VECTORS.vector, 10)} >= {"block-sim", "roaming"}


def test_an_empty_search_lists_the_articles_by_name(ranking: Ranking) -> None:
    assert [one.article for one in ranking.search(" ?", VECTORS.vector, 2)] == ["bill", "block-sim"]


def test_an_article_is_had_by_its_name(ranking: Ranking) -> None:
    article = ranking.article("bill")
    assert article is not None
    assert article.body.startswith("What to do.")
    assert ranking.article("nothing") is None


def test_errors_of_the_vectors_pass(ranking: Ranking) -> None:
    lost = WordVectors()
    lost.error = EngineUnavailable("gone")
    with pytest.raises(EngineUnavailable):
        ranking.suggest(Situation("My phone was stolen"), lost.vector, 3)


def test_no_articles_no_suggestions() -> None:
    empty = Ranking((), (), None)
    assert empty.suggest(Situation("My phone was stolen"), None, 3) == []
    assert empty.search("phone", None, 3) == []
    empty.close()


@given(
    st.one_of(
        st.text(max_size=300),
        st.text("\"*()^:+-{}[]<>\\'", max_size=40),
        st.lists(st.sampled_from(["phone", "stolen", "AND", "OR", "NOT", "NEAR(", '"', "😀", "title:"])).map(" ".join),
    )
)
def test_odd_queries_are_answered(ranking: Ranking, odd: str) -> None:
    situation = Situation(odd, (odd,), odd, ((odd, odd),))
    for found in (ranking.suggest(situation, VECTORS.vector, 3), ranking.search(odd, VECTORS.vector, 10)):
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)


@pytest.mark.parametrize("sign", ["a", "stolen ", '"', "😀", "a\0b "])
def test_ten_thousand_characters_are_answered(ranking: Ranking, sign: str) -> None:
    long = sign * (10_000 // len(sign))
    ranking.suggest(Situation(long, (long, long)), VECTORS.vector, 3)
    ranking.search(long, VECTORS.vector, 10)
    assert max(map(len, VECTORS.asked)) <= MAX_CHARACTERS

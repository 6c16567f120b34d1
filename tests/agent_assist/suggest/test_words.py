"""What counts of a phrase, whatever is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_assist.suggest.words import MAX_CHARACTERS, MAX_WORDS, clean, content, every


@pytest.mark.parametrize(
    "phrase", ["hello", "yes please", "um okay", "one two three four", "5550142", "4 oh 7", "", "?!", "😀", "it's me"]
)
def test_small_talk_and_numbers_hold_no_content(phrase: str) -> None:
    assert content(clean(phrase)) == ()


def test_content_words_stand_once_in_their_order_without_case_and_possessive() -> None:
    assert content("My mother's SIM is blocked, the SIM of my MOTHER") == ("mother", "sim", "blocked")


def test_accents_and_curly_apostrophes_survive() -> None:
    assert every(clean("Café l’eau")) == ("café", "l'eau")


def test_of_a_long_phrase_the_end_counts() -> None:
    phrase = clean("refund " * 5_000 + "roaming")
    assert len(phrase) <= MAX_CHARACTERS
    assert content(phrase) == ("refund", "roaming")
    many = " ".join(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(80))
    assert content(many) == tuple(many.split()[-MAX_WORDS:])


@given(st.text(max_size=10_000))
def test_any_text_is_bounded_and_clean_once_cleaned(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= MAX_CHARACTERS
    assert clean(cleaned) == cleaned
    assert set(content(cleaned)) <= set(every(cleaned))

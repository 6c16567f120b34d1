"""Spoken numbers in all the ways that callers say and recognisers write them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.numbers import amount, digit_runs, normalise, spell

CASES = [
    # digit by digit, zero in its many names, repetition
    ("four oh oh one two three four five", "40012345"),
    ("my account number is double five five one two three four oh", "my account number is 55512340"),
    ("triple seven four five one two", "7774512"),
    ("treble nought one", "0001"),
    ("double oh seven", "007"),
    ("double 4 2", "442"),
    ("it is five five um five one", "it is 5551"),
    ("Five, five, five, oh, one, four, two.", "5550142"),
    # pairs, teens, years
    ("forty eight twenty one", "4821"),
    ("forty-eight", "48"),
    ("twenty twenty six", "2026"),
    ("nineteen eighty four", "1984"),
    ("twelve thirty four fifty six seventy eight", "12345678"),
    ("twenty 5", "25"),
    # scales and "and"
    ("one hundred and twenty pounds", "120 pounds"),
    ("a hundred and five", "105"),
    ("one hundred one", "101"),
    ("five hundred fifty-five", "555"),
    ("four thousand five hundred", "4500"),
    ("twenty three thousand four hundred and twelve", "23412"),
    ("two million and six", "2000006"),
    ("2 hundred", "200"),
    ("hundred", "hundred"),
    ("salt and pepper", "salt and pepper"),
    # as recognisers write them
    ("4 5 6", "456"),
    ("1234-5678", "12345678"),
    ("12 34 56 78", "12345678"),
    ("1, 2, 3, 4", "1234"),
    ("1.2.3.4", "1234"),
    ("12,345", "12345"),
    ("1,234 5,678", "12345678"),
    ("one two 3 4", "1234"),
    # money
    ("€12.50", "12 euros 50"),
    ("12.50 euros", "12 euros 50"),
    ("$20", "20 dollars"),
    ("£1,200.00", "1200 pounds"),
    ("sixty pounds", "60 pounds"),
    # words that only look like numbers
    ("oh i lost my card", "oh i lost my card"),
    ("oh one moment", "oh 1 moment"),
    ("five five oh sorry", "55 oh sorry"),
    ("five five five oh please", "5550 please"),
    ("that one please", "that one please"),
    ("no one", "no one"),
    ("i want it to be for you", "i want it to be for you"),
    ("one two three for five", "123 for 5"),
    ("I'm 4th", "i'm 4th"),
    ("double trouble", "double trouble"),
    # no words at all
    ("...", ""),
    ("um, uh", ""),
    ("/affirm{}", "affirm"),
    ("no, I meant 1 2 3", "no i meant 123"),
    ("Don’t", "don't"),
    # other languages pass as they are
    ("토요일 영업 시간은, 언제예요?", "토요일 영업 시간은 언제예요"),
    ("Grüße aus Gdańsk!", "grüße aus gdańsk"),
    ("नमस्ते, मेरा नंबर 1 2 3", "नमस्ते मेरा नंबर 123"),
]


@pytest.mark.parametrize(("said", "expected"), CASES, ids=[case[0] for case in CASES])
def test_normalise(said: str, expected: str) -> None:
    assert normalise(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("one two three for five", "12345"),
        ("1 2 to 4", "1224"),
        ("won two", "won 2"),
        ("seven ate nine", "789"),
        ("it is for you", "it is for you"),
        ("five for the road", "5 for the road"),
    ],
)
def test_homophones_between_digits_where_digits_are_expected(said: str, expected: str) -> None:
    assert normalise(said, homophones=True) == expected


@given(st.text(max_size=60))
def test_only_words_and_digits_are_left_and_a_second_time_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert all(c in "' " or unicodedata.category(c)[0] in "LMN" for c in once)
    assert normalise(once) == once


@given(st.from_regex(r"[0-9]{1,12}", fullmatch=True))
def test_digits_said_one_by_one_come_back(digits: str) -> None:
    names = "zero one two three four five six seven eight nine".split()
    assert normalise(" ".join(names[int(digit)] for digit in digits)) == digits
    assert normalise(spell(digits)) == digits


def test_digit_runs() -> None:
    assert digit_runs(normalise("account one two three four, line 5 5 5")) == ["1234", "555"]
    assert digit_runs("no digits here") == []


@pytest.mark.parametrize(
    ("digits", "spoken"),
    [("12345678", "1 2 3 4, 5 6 7 8"), ("5550142", "5 5 5, 0 1 4, 2"), ("40712", "4 0 7, 1 2"), ("7", "7"), ("", "")],
)
def test_spell(digits: str, spoken: str) -> None:
    assert spell(digits) == spoken


@pytest.mark.parametrize(
    ("cents", "spoken"),
    [(1250, "12 euros and 50 cents"), (100, "1 euro"), (201, "2 euros and 1 cent"), (5, "5 cents"), (0, "0 euros")],
)
def test_amount(cents: int, spoken: str) -> None:
    assert amount(cents) == spoken

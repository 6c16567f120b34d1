"""Patterns of numbers: the one that says most counts."""

import pytest

from voice.settings.numbers import best_match, look_up


@pytest.mark.parametrize(
    ("number", "pattern"),
    [("0039", "0039*"), ("00390", "0039*"), ("003902", "003902"), ("0039021", "0039*"), ("7", "*"), ("", "*")],
)
def test_a_number_beats_a_beginning_and_a_longer_one_a_shorter(number: str, pattern: str) -> None:
    assert best_match(("*", "003902", "0039*"), number) == pattern


def test_without_a_star_other_numbers_are_nobodys() -> None:
    assert look_up({"100": 1, "2*": 2}, "200") == 2
    assert look_up({"100": 1, "2*": 2}, "1001") is None

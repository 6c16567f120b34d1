"""Answers that are whole before the silence says so."""

import pytest

from dialog.actions import Collect, Expect
from dialog.expectation import is_whole

EIGHT = Collect(Expect.DIGITS, max_digits=8)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("One, two, three, four, five, six, seven, eight.", True),
        ("It is 1234 5678.", True),
        ("One two three four", False),
        ("one two three four five six seven eight nine", False),
        ("", False),
    ],
)
def test_a_number_is_whole_with_all_its_digits(text: str, whole: bool) -> None:
    assert is_whole(EIGHT, text) is whole


def test_only_a_number_of_known_length_can_be_whole() -> None:
    assert not is_whole(Collect(), "one two three four five six seven eight")
    assert not is_whole(Collect(Expect.DIGITS), "one")
    assert not is_whole(Collect(Expect.YES_NO), "yes")

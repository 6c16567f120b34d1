"""Key entry in audio time."""

import pytest

from dialog.actions import Collect
from dialog.keys import GAP_MS, KeyEntry


def entry(max_digits: int) -> KeyEntry:
    keys = KeyEntry()
    keys.expect(Collect(max_digits=max_digits))
    return keys


def test_one_key_is_a_whole_answer_when_no_length_is_asked() -> None:
    assert entry(0).press("1", 0) == "1"
    assert entry(0).press("#", 0) == "#"


def test_the_last_digit_completes_the_entry() -> None:
    keys = entry(4)
    assert [keys.press(d, 0) for d in "1234"] == ["", "", "", "1234"]
    assert keys.press("5", 0) == ""


def test_the_pound_key_completes_a_short_entry_and_is_not_part_of_it() -> None:
    keys = entry(8)
    assert [keys.press(d, 0) for d in "12#"] == ["", "", "12"]
    assert keys.press("#", 0) == "", "there is nothing to complete"


@pytest.mark.parametrize(("pause_ms", "digits"), [(GAP_MS - 20, ""), (GAP_MS, "12")])
def test_a_pause_completes_what_was_keyed(pause_ms: int, digits: str) -> None:
    keys = entry(8)
    keys.press("1", 100)
    keys.press("2", 500)
    assert keys.expired(500 + pause_ms) == digits


def test_a_new_question_voids_the_old_entry() -> None:
    keys = entry(4)
    keys.press("1", 0)
    keys.expect(Collect(max_digits=2))
    assert [keys.press(d, 0) for d in "78"] == ["", "78"]

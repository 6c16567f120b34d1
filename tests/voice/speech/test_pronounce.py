"""What is said digit by digit, and what is not."""

import pytest

from voice.speech.pronounce import spoken_form


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Your account is 40071234.", "Your account is four zero zero seven, one two three four."),
        ("account number 4711", "account number four seven one one"),
        ("It ends in 042.", "It ends in zero four two."),
        ("Press 12 now", "Press one two now"),
        ("Call +49 30 1234567 today", "Call plus four nine, three zero, one two three four, five six seven today"),
        ("Dial 555-1234.", "Dial five five five, one two three four."),
        ("order AB-12345", "order A B one two, three four five"),
        ("The number is 123456", "The number is one two three, four five six"),
        ("line 0301234567", "line zero three zero one, two three four five, six seven"),
    ],
)
def test_what_names_something_is_spelled(text: str, said: str) -> None:
    assert spoken_form(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "Your balance is €12.50.",
        "You owe $1,250.75 since 2024.",
        "It costs 12500 euros.",
        "We are open from 9:30 to 17:00, 10-12 on Sunday.",
        "On 2024-03-05 we had 20 30 minute calls.",
        "Press 1 for sales.",
        "A 4G phone with 128 GB, 50% off, 20km away.",
        "Chapter 12 of 340 pages.",
        "",
    ],
)
def test_what_counts_something_is_left_to_the_voice(text: str) -> None:
    assert spoken_form(text) == text

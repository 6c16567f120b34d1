"""Where text may be cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.speech.phrases import LONG_CHARS, split_phrases


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Hello. What can I do for you?", ["Hello.", "What can I do for you?"]),
        ("Your balance is €12.50. Anything else?", ["Your balance is €12.50.", "Anything else?"]),
        ("It costs 1,250.75 euros. Really!", ["It costs 1,250.75 euros.", "Really!"]),
        ("Mr. Smith and Dr. Jones called. We answered.", ["Mr. Smith and Dr. Jones called.", "We answered."]),
        ("We open at 9.30 a.m. We close at 5 p.m.", ["We open at 9.30 a.m.", "We close at 5 p.m."]),
        ("We open at 9 a.m. on Monday.", ["We open at 9 a.m. on Monday."]),
        ("J. K. Rowling called.", ["J. K. Rowling called."]),
        ("Bring two, e.g. your card. Thanks.", ["Bring two, e.g. your card.", "Thanks."]),
        ("It is No. 5. No. We are closed.", ["It is No. 5.", "No.", "We are closed."]),
        ("See www.example.com. Goodbye.", ["See www.example.com.", "Goodbye."]),
        ('He said "Yes." Then he left.', ['He said "Yes."', "Then he left."]),
        ("Wait... what? Oh!", ["Wait... what?", "Oh!"]),
        ("One\n\ntwo.\tThree.", ["One two.", "Three."]),
        ("no full stop", ["no full stop"]),
        ("감사합니다. 네.", ["감사합니다.", "네."]),
        ("  ", []),
    ],
)
def test_sentences_are_cut_and_numbers_are_not(text: str, phrases: list[str]) -> None:
    assert split_phrases(text) == phrases


def test_a_long_sentence_is_cut_at_clauses() -> None:
    text = (
        "If the router still shows a red light after that, please switch it off at the wall socket, wait for thirty "
        "seconds, switch it on again, and call us once more when the light has not turned green after five minutes."
    )
    phrases = split_phrases(text)
    assert len(phrases) == 2
    assert all(len(phrase) <= LONG_CHARS for phrase in phrases)
    assert phrases[0].endswith(",")


def test_a_long_sentence_without_clauses_is_left_whole() -> None:
    text = "word " * 50 + "end."
    assert split_phrases(text) == [text]


@given(st.text(alphabet=st.sampled_from("ab. ,!?;0:1-M\n\"'…漢"), max_size=400))
def test_nothing_is_lost_or_added(text: str) -> None:
    phrases = split_phrases(text)
    assert " ".join(phrases) == " ".join(text.split())
    assert all(phrase and phrase == phrase.strip() for phrase in phrases)

"""What reaches a classifier and what does not."""

from dialog.actions import Collect, Expect
from dialog.gates import Gate
from dialog.ports import Hypothesis, Utterance

WORDS = frozenset({"yes", "my", "balance"})
FREE = Collect()


def utterance(*readings: tuple[str, float]) -> Utterance:
    return Utterance(tuple(Hypothesis(text, confidence) for text, confidence in readings))


def texts(gate: Gate, said: Utterance, collect: Collect = FREE) -> list[str]:
    return [reading.text for reading in gate.read(said, collect)]


def test_readings_are_normalised_and_keep_their_order_and_confidence() -> None:
    passed = Gate(WORDS).read(utterance(("My balance, please!", 0.9), ("my ballons", 0.8)), FREE)
    assert passed == (Hypothesis("my balance please", 0.9), Hypothesis("my ballons", 0.8))


def test_empty_unknown_and_doubted_readings_do_not_pass() -> None:
    for text, confidence in [("...", 0.9), ("", 0.9), ("um uh", 0.9), ("flurb gnarp", 0.9), ("yes", 0.34)]:
        assert texts(Gate(WORDS), utterance((text, confidence))) == []


def test_digits_are_known_words() -> None:
    assert texts(Gate(WORDS), utterance(("four five", 0.9))) == ["45"]


def test_words_of_any_script_are_known() -> None:
    gate = Gate(frozenset({"영업", "시간"}))
    assert texts(gate, utterance(("영업 시간은?", 0.9), ("날씨가 좋습니다", 0.9))) == ["영업 시간은"]


def test_without_a_word_list_every_word_is_known() -> None:
    assert texts(Gate(), utterance(("flurb", 0.9), ("?", 0.9))) == ["flurb"]


def test_equal_readings_count_once() -> None:
    assert texts(Gate(WORDS), utterance(("Yes.", 0.9), ("yes", 0.5))) == ["yes"]


def test_where_digits_are_expected_the_reading_that_can_be_the_number_goes_first() -> None:
    said = utterance(("one two three", 0.9), ("one two three for", 0.8), ("one two three four five", 0.7))
    assert texts(Gate(), said, Collect(Expect.DIGITS, 5)) == ["12345", "123", "123 for"]


def test_a_slash_cannot_name_an_intent() -> None:
    assert texts(Gate(), utterance(('/affirm{"a": 1}', 0.9))) == ["affirm a 1"]

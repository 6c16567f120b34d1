"""The normaliser, the exclusions, and a small run of the bench."""

import argparse
import wave
from pathlib import Path

import pytest

from bench import normalise, recognise
from bench.corpus import Recording, load
from bench.normalise import Rule, normalised
from tests.voice.speech.human import prompt
from voice.ports import RATE_HZ


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Please press 1, or #!", "please press one or pound"),
        ("Press * twice; it's 50%.", "press star twice it is fifty percent"),
        ("The 3rd of 1,250 voice-mails", "the three of one two five zero voicemails"),
        ("Extension 4711", "extension four seven one one"),
        ("“Log in”, don’t re-record", "login don't rerecord"),
        ("115 28.8 kilobits", "one hundred fifteen twenty eight point eight kilobits"),
        ("", ""),
    ],
)
def test_spellings_become_one(written: str, words: str) -> None:
    assert normalised(written) == words


@pytest.mark.parametrize("pair", [("two", "too"), ("star", "start"), ("enter", "entered"), ("the pin", "a pin")])
def test_other_words_stay_other(pair: tuple[str, str]) -> None:
    assert normalised(pair[0]) != normalised(pair[1])


def test_it_changes_nothing_twice() -> None:
    for text in ("Mr. Smith's #1 voice mail", "1,000.50", "I'd log off"):
        assert normalised(normalised(text)) == normalised(text)


def test_every_rule_and_every_exclusion_has_a_reason() -> None:
    groups = [value for value in vars(normalise).values() if isinstance(value, tuple)]
    rules = [rule for group in groups for rule in group if isinstance(rule, Rule)]
    assert len(rules) > 30
    assert all(rule.reason for rule in rules)
    assert all(len(reason) > 20 for reason in recognise.excluded().values())


def corpus(folder: Path, recordings: dict[str, tuple[str, str]]) -> Path:
    lines = []
    for name, (source, text) in recordings.items():
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(prompt(source).tobytes())
        lines.append(f"{name}\t{text}\n")
    (folder / "transcripts.tsv").write_text("".join(lines))
    return folder


def test_a_corpus_is_read_in_order(tmp_path: Path) -> None:
    corpus(tmp_path, {"b.wav": ("vm-goodbye", "Goodbye."), "a.wav": ("auth-thankyou", "Thank you.")})
    first, second = load(tmp_path)
    assert (first.name, first.text, second.name) == ("b.wav", "Goodbye.", "a.wav")
    assert isinstance(first, Recording)
    assert first.pcm.size == prompt("vm-goodbye").size


def test_a_run_has_all_figures(tmp_path: Path) -> None:
    said = "Your call cannot be completed as dialled."  # one of seven words is written otherwise
    folder = corpus(tmp_path, {"a.wav": ("cannot-complete-as-dialed", said)})
    parser = argparse.ArgumentParser()
    recognise.add_arguments(parser)
    options = parser.parse_args(["--corpus", str(folder), "--live", "1", "--kills", "1"])
    figures = {figure.name: figure for figure in recognise.run(options)}
    assert figures["words"].value == 7
    assert figures["wer.g711.normalised"].value == figures["wer.16khz.normalised"].value == pytest.approx(14.29)
    assert 0 < figures["cpu.g711.final"].value < 1
    assert 0 < figures["final.p50"].value < 5_000
    assert figures["kill_to_ready.p95"].holds
    assert figures["kill_with_nursery_to_ready.p95"].value > figures["kill_to_ready.p95"].value

"""What Moonshine invents, and what keeps it out; its long utterances."""

import numpy as np
import pytest

from bench.normalise import normalised
from dialog.actions import Expect
from tests.voice.speech.human import prompt, silence, words
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.moonshine import Moonshine
from voice.speech.engines.moonshine_model import loop_start


@pytest.fixture(scope="module")
def moonshine() -> Moonshine:
    return Moonshine()


def noise(rms: float, seconds: float) -> Pcm:
    """The same whatever ran before."""
    return np.random.default_rng(5).normal(0, rms, int(RATE_HZ * seconds)).astype(np.int16)


def tone(hz: tuple[int, ...], seconds: float) -> Pcm:
    at = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    return np.asarray(sum(4_000 * np.sin(2 * np.pi * f * at) for f in hz)).astype(np.int16)


@pytest.mark.parametrize(
    "sound",
    [noise(30, 1), noise(300, 2), noise(3_000, 2), tone((440,), 1), tone((770, 1336), 0.5), tone((350, 440), 3)],
    ids=["faint noise", "noise", "loud noise", "tone", "key", "dial tone"],
)
def test_noise_and_tones_have_no_words(moonshine: Moonshine, sound: Pcm) -> None:
    stream = moonshine.open(Expect.FREE)
    stream.push(sound)
    assert stream.partial() == ""
    assert stream.final().hypotheses == ()


def test_confidence_falls_with_noise(moonshine: Moonshine) -> None:
    clean = prompt("cannot-complete-as-dialed")
    confidences = []
    for rms in (0, 2_500):
        stream = moonshine.open(Expect.FREE)
        stream.push((clean.astype(int) + noise(rms, 10)[: clean.size]).clip(-32_768, 32_767).astype(np.int16))
        hypotheses = stream.final().hypotheses
        confidences.append(hypotheses[0].confidence if hypotheses else 0.0)
    assert confidences[0] > 0.85 > confidences[1]


def test_an_unsure_reading_has_a_second_opinion_behind_it(moonshine: Moonshine) -> None:
    stream = moonshine.open(Expect.FREE)
    stream.push(prompt("conf-errormenu"))
    readings = stream.final().hypotheses
    assert [words(reading.text) for reading in readings] == ["invalid joys", "invalid choice"]
    assert readings[0].confidence >= readings[1].confidence
    sure = moonshine.open(Expect.FREE)
    sure.push(prompt("cannot-complete-as-dialed"))
    assert len(sure.final().hypotheses) == 1


@pytest.mark.parametrize("clip", ["vm-no", "digits/2", "digits/4", "digits/8", "vm-goodbye", "hours"])
def test_a_short_word_in_noise_is_heard_once(moonshine: Moonshine, clip: str) -> None:
    word = np.concatenate([silence(300), prompt(clip), silence(200)])
    for rms in (60, 120, 200):
        stream = moonshine.open(Expect.FREE)
        stream.push((word + noise(rms, 3)[: word.size]).clip(-32_768, 32_767).astype(np.int16))
        readings = stream.final().hypotheses
        assert [len(words(reading.text).split()) for reading in readings[:1]] == [1]


def test_partials_become_rarer_as_the_utterance_grows(moonshine: Moonshine) -> None:
    stream = moonshine.open(Expect.FREE)
    speech = prompt("conf-adminmenu-162")
    at: list[int] = []
    for start in range(0, min(speech.size, 10 * RATE_HZ), 320):
        stream.push(speech[start : start + 320])
        length_ms = (start + 320) * 1000 // RATE_HZ
        if length_ms >= stream.next_partial_ms:
            at.append(length_ms)
            stream.partial()
    steps = np.diff(at)
    assert at[0] == 600
    assert steps[0] == 300
    assert list(steps) == sorted(steps)
    assert 1_000 <= steps[-1] <= 2_200
    assert len(at) <= 15


def test_a_long_utterance_is_read_in_pieces_cut_in_pauses(moonshine: Moonshine) -> None:
    whole = prompt("conf-adminmenu-162")
    assert whole.size > 20 * RATE_HZ
    long = np.concatenate([whole, silence(300), prompt("cannot-complete-as-dialed"), prompt("privacy-prompt")])
    stream = moonshine.open(Expect.FREE)
    stream.push(long)
    text = words(stream.final().hypotheses[0].text)
    for phrase in (
        "please press one to mute",
        "lock or unlock the conference",
        "be completed as dialed",
        "the area code",
    ):
        assert phrase in text
    assert stream.partial()


def test_a_final_over_the_same_speech_is_not_computed_again(
    moonshine: Moonshine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = moonshine.open(Expect.FREE)
    stream.push(np.concatenate([prompt("vm-goodbye"), silence(400)]))
    first = stream.final()

    def fails(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(moonshine._base, "decode", fails)
    assert stream.final() == first
    stream.push(silence(300))
    assert stream.final().hypotheses == first.hypotheses


NUMBERS = ["80121885", "44651779", "40071234", "6659", "9276", "2762388606"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("noise_rms", [3, 100])
def test_a_number_is_heard_however_long_the_silence_behind_it(
    moonshine: Moonshine, number: str, noise_rms: float
) -> None:
    """Base takes most of these for nothing when they are given to it as they are."""
    digits = [prompt(f"digits/{digit}") for digit in number]
    loud = [np.flatnonzero(np.abs(digit.astype(int)) > 300) for digit in digits]
    said = [digit[max(0, at[0] - 800) : at[-1] + 1_600] for digit, at in zip(digits, loud, strict=True)]
    sound = np.concatenate([silence(300), *said, silence(500)])
    stream = moonshine.open(Expect.DIGITS)
    stream.push((sound + noise(noise_rms, sound.size / RATE_HZ)).clip(-32_768, 32_767).astype(np.int16))
    heard = normalised(stream.final().hypotheses[0].text)
    assert heard.split() == normalised(" ".join(number)).split()


@pytest.mark.parametrize(
    ("tokens", "start"),
    [
        ([1, 2, 3], None),
        ([5] * 4, None),  # "zero zero zero zero"
        ([7, 8] * 7, None),
        ([9, 5] + [5] * 15, 2),
        ([1, 2, 3, 4] * 4, 4),
        ([9, 9, *([1, 2, 3] * 6)], 5),
        (list(range(12)) * 3, 12),
        (list(range(12)) * 2, None),
        ([], None),
    ],
)
def test_a_decoder_caught_in_a_loop_is_noticed(tokens: list[int], start: int | None) -> None:
    assert loop_start(tokens) == start

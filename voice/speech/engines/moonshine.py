"""Moonshine as a recogniser: Base reads finals, Tiny reads partials.

Neither model streams: a partial decodes the utterance again from its start, so the pause between two partials grows
with the utterance, which keeps their cost at a tenth of a core for each talking caller.
"""

import re

import numpy as np

from dialog.actions import Expect
from dialog.ports import Hypothesis
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import MAX_UTTERANCE_MS, Capabilities, Reading
from voice.speech.engines.moonshine_model import HASTY_LOOPED_TOKENS, NOTHING, Decoded, MoonshineModel
from voice.speech.engines.silence import quietest, spoken_span
from voice.speech.models import moonshine_base, moonshine_tiny

FIRST_PARTIAL_MS = 600
"""Pre-roll included; on less Tiny invents words."""
PARTIAL_STEP_MS = 300
PARTIAL_GROWTH = 5
"""The next partial comes after a fifth of the utterance, at least after `PARTIAL_STEP_MS`."""
LEAST_PARTIAL_PROBABILITY = 0.5
SHORT_TOKENS = 4
LEAST_SHORT_PROBABILITY = 0.7
"""Tiny's inventions on noise and tones ("You", "Thank you.") have up to 4 tokens and 0.27 to 0.67; spoken single words
have 0.71 to 0.93. Base, which reads the finals, stays silent."""
LEAST_FINAL_PROBABILITY = 0.35
UNSURE_PROBABILITY = 0.85
"""Below this Base is asked for a second opinion, which is Tiny's: of 295 recordings of one to three words through G.711
Base has 217 right, one of the two 228."""
LEAST_PIECE = 2 * RATE_HZ
"""Base is given no less, the rest is silence. On a short word in noise it stutters else: "no. no.", "help help help".
Of 54 short sentences in noise at 20 dB it had 39 right as they were, 49 lengthened; of 40 human clips 22 and 28."""
MAX_PIECE = 20 * RATE_HZ
"""Attention costs the square of the length, and accuracy falls with it: longer utterances are decoded in pieces."""


class Moonshine:
    """The two sizes, shared by all streams."""

    def __init__(self) -> None:
        self._base = MoonshineModel(moonshine_base())
        self._tiny = MoonshineModel(moonshine_tiny())

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("moonshine", "base-en int8, partials tiny-en", "en", n_best=2, grammar=False)

    def open(self, expect: Expect) -> "MoonshineStream":
        """A new utterance. The model takes no hint: `expect` only shapes the end of turn."""
        return MoonshineStream(self._base, self._tiny)

    def warm(self) -> None:
        """Page the weights in: the first run is several times slower than the next."""
        noise = np.random.default_rng(1).normal(0, 1000, RATE_HZ).astype(np.int16)
        self._base.decode(noise)
        self._tiny.decode(noise)


class MoonshineStream:
    """One utterance, kept as audio and decoded when asked."""

    def __init__(self, base: MoonshineModel, tiny: MoonshineModel) -> None:
        self._base = base
        self._tiny = tiny
        self._audio = np.zeros(MAX_UTTERANCE_MS * RATE_HZ // 1000, np.int16)
        self._count = 0
        self._cuts = [0]
        self._finals: dict[tuple[int, int], Decoded] = {}
        self._partials: dict[int, str] = {}
        self._seconds: dict[int, Decoded] = {}
        self._next_partial_ms = FIRST_PARTIAL_MS
        self._interrupted = False

    @property
    def backlog_ms(self) -> int:
        return 0

    @property
    def next_partial_ms(self) -> int:
        return self._next_partial_ms

    def push(self, pcm: Pcm) -> None:
        taken = min(pcm.size, self._audio.size - self._count)
        self._audio[self._count : self._count + taken] = pcm[:taken]
        self._count += taken  # last: a decode on another thread sees only what is written

    def partial(self) -> str:
        count = self._count
        self._cut(count)
        start = self._cuts[-1]
        audio = self._spoken(start, count)
        if audio.size:
            decoded = self._tiny.decode(audio, lambda: self._interrupted, HASTY_LOOPED_TOKENS)
            if decoded is not None and _credible(decoded):
                self._partials[start] = decoded.text
        length_ms = count * 1000 // RATE_HZ
        self._next_partial_ms = length_ms + max(PARTIAL_STEP_MS, length_ms // PARTIAL_GROWTH)
        self._interrupted = False
        return " ".join(text for _, text in sorted(self._partials.items()) if text)

    def final(self) -> Reading:
        count = self._count
        self._cut(count)
        ends = [*self._cuts[1:], count]
        pieces = [self._piece(start, end) for start, end in zip(self._cuts, ends, strict=True)]
        spoken = [piece for piece in pieces if piece.text]
        hypotheses: tuple[Hypothesis, ...] = ()
        if spoken:
            tokens = sum(piece.tokens for piece in spoken)
            confidence = sum(piece.probability * piece.tokens for piece in spoken) / tokens
            hypotheses = (Hypothesis(" ".join(piece.text for piece in spoken), confidence),)
        if len(pieces) == 1:
            hypotheses += self._second_opinion(count, hypotheses)
        return Reading(count * 1000 // RATE_HZ, hypotheses)

    def interrupt(self) -> None:
        self._interrupted = True

    def close(self) -> None:
        self._interrupted = True

    def _spoken(self, start: int, end: int) -> Pcm:
        """The speech between two samples, without the silence around it."""
        first, last = spoken_span(self._audio[start:end])
        return self._audio[start + first : start + last]

    def _piece(self, start: int, end: int) -> Decoded:
        """Each piece is decoded once, however often a final is asked for and however long the silence behind it."""
        audio = self._spoken(start, end)
        key = (start, audio.size)
        if key not in self._finals:
            decoded = (self._base.decode(_lengthened(audio)) if audio.size else None) or NOTHING
            self._finals[key] = NOTHING if decoded.probability < LEAST_FINAL_PROBABILITY else decoded
        return self._finals[key]

    def _second_opinion(self, count: int, first: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
        """Tiny's reading where Base is unsure of its own and Tiny's is another; never before Base's."""
        if not first or first[0].confidence >= UNSURE_PROBABILITY:
            return ()
        audio = self._spoken(0, count)
        if audio.size not in self._seconds:
            self._seconds[audio.size] = self._tiny.decode(audio) or NOTHING
        second = self._seconds[audio.size]
        if not _credible(second) or _words(second.text) in ([], _words(first[0].text)):
            return ()
        return (Hypothesis(second.text, min(second.probability, first[0].confidence)),)

    def _cut(self, count: int) -> None:
        """Cut what is longer than a piece in a pause of its second half."""
        while count - self._cuts[-1] > MAX_PIECE:
            middle = self._cuts[-1] + MAX_PIECE // 2
            self._cuts.append(middle + quietest(self._audio[middle : self._cuts[-1] + MAX_PIECE]))


def _credible(partial: Decoded) -> bool:
    """Whether Tiny's words were probably spoken."""
    least = LEAST_SHORT_PROBABILITY if partial.tokens <= SHORT_TOKENS else LEAST_PARTIAL_PROBABILITY
    return not partial.looped and partial.probability >= least


def _lengthened(audio: Pcm) -> Pcm:
    return np.concatenate([audio, np.zeros(max(0, LEAST_PIECE - audio.size), np.int16)])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())

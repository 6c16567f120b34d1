"""Vosk (Kaldi) as a recogniser: any model of its makers, by path or name.

It decodes as the audio comes, which may take longer than the audio lasts, so `push` only queues and the work is done
in `partial` and `final`. Making a recogniser costs 60 ms, so free ones are kept; one with a grammar is not reusable.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import vosk

from dialog.actions import Expect
from dialog.errors import ConfigurationError, ModelMissing
from dialog.ports import Hypothesis
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import MAX_UTTERANCE_MS, Capabilities, Reading
from voice.speech.models import vosk_model

POOLED = 8
STEP_SAMPLES = RATE_HZ // 5
PARTIAL_STEP_MS = 300
PAD = np.zeros(RATE_HZ * 3 // 10, np.int16)
"""A model decides on a word some frames after it: a final without silence behind it loses the last one."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """One result of the recogniser: readings best first."""

    hypotheses: tuple[Hypothesis, ...]


class Vosk:
    """One model; `grammars` names the phrases that an expectation allows, for models that can be so restricted."""

    def __init__(
        self, name_or_path: str, n_best: int = 1, grammars: dict[Expect, tuple[str, ...]] | None = None
    ) -> None:
        folder = vosk_model(name_or_path)
        vosk.SetLogLevel(-1)
        try:
            self._model = vosk.Model(str(folder))
        except Exception as error:  # a boundary: the binding raises nothing narrower
            raise ModelMissing(f"vosk cannot open the model in {folder}: {error}") from error
        self._folder = folder.name
        self._n_best = n_best
        self._grammars = grammars or {}
        self._check_grammars()
        # what stands for all other words; not every model has it
        self._other = ["[unk]"] if self._model.vosk_model_find_word("[unk]") >= 0 else []
        self._free: list[vosk.KaldiRecognizer] = []
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        language = next((part for part in self._folder.split("-") if len(part) == 2 and part.isalpha()), "")
        return Capabilities("vosk", self._folder, language, self._n_best, grammar=bool(self._grammars))

    def open(self, expect: Expect) -> "VoskStream":
        phrases = self._grammars.get(expect)
        if phrases is not None:
            return VoskStream(self, self._made(json.dumps([*phrases, *self._other], ensure_ascii=False)), pooled=False)
        with self._lock:
            recogniser = self._free.pop() if self._free else None
        return VoskStream(self, recogniser or self._made(None), pooled=True)

    def warm(self) -> None:
        stream = self.open(Expect.FREE)
        stream.push(np.random.default_rng(1).normal(0, 300, RATE_HZ).astype(np.int16))
        stream.final()
        stream.close()

    def _check_grammars(self) -> None:
        """Raise ConfigurationError for what Vosk itself would pass over in silence: the caller would not be heard."""
        for expect, phrases in self._grammars.items():
            for word in " ".join(phrases).split():
                if self._model.vosk_model_find_word(word) < 0:
                    raise ConfigurationError(f"speech.grammars.{expect}: {self._folder} knows no word {word!r}")

    def _made(self, grammar: str | None) -> "vosk.KaldiRecognizer":
        arguments = [self._model, RATE_HZ] if grammar is None else [self._model, RATE_HZ, grammar]
        recogniser = vosk.KaldiRecognizer(*arguments)
        recogniser.SetWords(True)
        # with alternatives Vosk gives no word confidences, so one reading is asked for as one
        recogniser.SetMaxAlternatives(self._n_best if self._n_best > 1 else 0)
        return recogniser

    def give_back(self, recogniser: "vosk.KaldiRecognizer") -> None:
        """Keep a recogniser for the next utterance.

        `FinalResult`, not `Reset`: only a finished recogniser forgets how the last speaker sounded.
        """
        recogniser.FinalResult()
        with self._lock:
            if len(self._free) < POOLED:
                self._free.append(recogniser)


class VoskStream:
    """One utterance: results so far, and audio not yet decoded."""

    def __init__(self, owner: Vosk, recogniser: "vosk.KaldiRecognizer", *, pooled: bool) -> None:
        self._owner = owner
        self._recogniser: vosk.KaldiRecognizer | None = recogniser
        self._pooled = pooled
        self._queued: list[Pcm] = []
        self._lock = threading.Lock()
        self._pushed = 0
        self._decoded = 0
        self._finished_at = 0
        self._segments: list[_Segment] = []
        self._text = ""
        self._next_partial_ms = PARTIAL_STEP_MS
        self._interrupted = False

    @property
    def backlog_ms(self) -> int:
        return (self._pushed - self._decoded) * 1000 // RATE_HZ

    @property
    def next_partial_ms(self) -> int:
        return self._next_partial_ms

    def push(self, pcm: Pcm) -> None:
        taken = pcm[: max(0, MAX_UTTERANCE_MS * RATE_HZ // 1000 - self._pushed)].copy()
        with self._lock:
            self._queued.append(taken)
            self._pushed += taken.size

    def partial(self) -> str:
        if self._decode(give_up=True) and self._recogniser is not None and self._decoded > self._finished_at:
            now = json.loads(self._recogniser.PartialResult())["partial"]
            self._text = " ".join([*self._words(), *([now] if now else [])])
        self._next_partial_ms = self._decoded * 1000 // RATE_HZ + PARTIAL_STEP_MS
        self._interrupted = False
        return self._text

    def final(self) -> Reading:
        self._decode(give_up=False)
        if self._recogniser is not None and self._decoded > self._finished_at:
            # finishing a result does not end the utterance: what comes after it is a further segment
            if self._recogniser.AcceptWaveform(PAD.tobytes()):
                self._keep(self._recogniser.Result())
            self._keep(self._recogniser.FinalResult())
            self._finished_at = self._decoded
            self._text = " ".join(self._words())
        return Reading(self._decoded * 1000 // RATE_HZ, _joined(self._segments))

    def interrupt(self) -> None:
        self._interrupted = True

    def close(self) -> None:
        self._interrupted = True
        recogniser, self._recogniser = self._recogniser, None
        if recogniser is not None and self._pooled:
            self._owner.give_back(recogniser)

    def _words(self) -> list[str]:
        return [segment.hypotheses[0].text for segment in self._segments]

    def _decode(self, *, give_up: bool) -> bool:
        """Decode what is queued, in steps that an interruption can fall between; False when one did."""
        with self._lock:
            queued, self._queued = self._queued, []
        audio = np.concatenate([*queued, np.zeros(0, np.int16)])
        for at in range(0, audio.size, STEP_SAMPLES):
            if (give_up and self._interrupted) or self._recogniser is None:
                with self._lock:
                    self._queued.insert(0, audio[at:])
                return False
            step = audio[at : at + STEP_SAMPLES]
            if self._recogniser.AcceptWaveform(step.tobytes()):
                self._keep(self._recogniser.Result())
            self._decoded += step.size
        return True

    def _keep(self, result: str) -> None:
        hypotheses = readings(result)
        if hypotheses:
            self._segments.append(_Segment(hypotheses))


def readings(result: str) -> tuple[Hypothesis, ...]:
    """A result of Vosk's as hypotheses.

    One reading: its confidence is the mean of its words'. Several: Vosk gives log-likelihoods of the whole readings
    and no word confidences; their soft maximum is the share each has of what was considered.
    """
    fields = json.loads(result)
    if "alternatives" not in fields:
        words = fields.get("result", [])
        return (Hypothesis(fields["text"], sum(w["conf"] for w in words) / len(words)),) if words else ()
    alternatives = [(a["text"].strip(), float(a["confidence"])) for a in fields["alternatives"] if a["text"].strip()]
    if not alternatives:
        return ()
    scores = np.array([score for _, score in alternatives])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    best = sorted(zip((text for text, _ in alternatives), shares, strict=True), key=lambda pair: -pair[1])
    return tuple(Hypothesis(text, float(share)) for text, share in best)


def _joined(segments: Sequence[_Segment]) -> tuple[Hypothesis, ...]:
    """The utterance's readings: alternatives of the last segment behind the best of those before it."""
    if not segments:
        return ()
    before = [segment.hypotheses[0] for segment in segments[:-1]]
    joined = []
    for last in segments[-1].hypotheses:
        parts = [*before, last]
        words = sum(len(part.text.split()) for part in parts)
        confidence = sum(part.confidence * len(part.text.split()) for part in parts) / words
        joined.append(Hypothesis(" ".join(part.text for part in parts), confidence))
    return tuple(joined)

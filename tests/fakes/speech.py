"""Ears that hear what the test wrote down, and a mouth whose audio is as long as its text."""

from collections.abc import AsyncGenerator

import numpy as np

from dialog.actions import Expect
from dialog.errors import EngineTimeout, EngineUnavailable
from dialog.ports import Hypothesis
from voice.ports import TICK_MS, EarsEvent, EarsSink, FinalText, PartialText, Pcm

MS_PER_LETTER = 40


class FakeEarsStream:
    """Reads the n-th utterance as the n-th text of the script; "" is an utterance without words."""

    def __init__(self, ears: "FakeEars", sink: EarsSink) -> None:
        self._ears = ears
        self._sink: EarsSink | None = sink
        self._utterance: int | None = None
        self._pushed_ms = 0
        self.closed = False

    def begin(self, utterance: int, expect: Expect) -> None:
        self._utterance = utterance
        self._pushed_ms = 0
        self._ears.expected.append(expect)

    def push(self, pcm: Pcm) -> None:
        self._pushed_ms += TICK_MS

    def final(self) -> None:
        if self._utterance is None or self._ears.deaf:
            return
        text = self._ears.script[self._utterance] if self._utterance < len(self._ears.script) else ""
        self.tell(PartialText(self._utterance, text))
        hypotheses = (Hypothesis(text, 0.9),) if text else ()
        final = FinalText(self._utterance, self._pushed_ms, hypotheses)
        self._ears.finals.append(final)
        self.tell(final)

    def end(self) -> None:
        self._utterance = None

    def tell(self, event: EarsEvent) -> None:
        if self._sink is not None:
            self._sink(event)

    def close(self) -> None:
        self.closed = True
        self._sink = None


class FakeEars:
    """`deaf` ears never answer."""

    def __init__(self, *script: str) -> None:
        self.script = script
        self.deaf = False
        self.expected: list[Expect] = []
        self.streams: list[FakeEarsStream] = []
        self.finals: list[FinalText] = []

    def open(self, sink: EarsSink) -> FakeEarsStream:
        stream = FakeEarsStream(self, sink)
        self.streams.append(stream)
        return stream

    def say(self, event: EarsEvent) -> None:
        """Tell every stream something of the test's own."""
        for stream in self.streams:
            stream.tell(event)


class FakeMouth:
    """40 ms of audio a letter, in blocks of 200 ms; `away` as often as it is told; cannot say what is `unspeakable`."""

    def __init__(self) -> None:
        self.away = 0
        self.unspeakable = ""
        self.spoken: list[str] = []

    async def speak(self, text: str, *, pace: float = 1.0) -> AsyncGenerator[Pcm, None]:
        if self.away:
            self.away -= 1
            raise EngineUnavailable("the mouth is away")
        if text == self.unspeakable:
            raise EngineTimeout("no speech came")
        self.spoken.append(text)
        left = int(len(text) * MS_PER_LETTER / pace) * 16
        while left > 0:
            yield np.full(min(left, 3_200), 500, np.int16)
            left -= 3_200

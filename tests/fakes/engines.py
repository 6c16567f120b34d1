"""A recogniser and a voice for the scheduler: they say how much they heard, and wait where a test tells them to."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from dialog.actions import Expect
from dialog.errors import EngineError
from dialog.ports import Hypothesis
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import Capabilities, Reading


@dataclass
class Gate:
    """Work that stops at a gate says so with `reached`, and goes on once `opened` is set."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def passing(self) -> None:
        self.reached.set()
        assert self.opened.wait(5), "a gate stayed closed"


@dataclass
class FakeRecogniser:
    """Every tenth of a second is a word."""

    partial_gate: Gate | None = None
    final_gate: Gate | None = None
    owed: bool = False
    opened: list["FakeStream"] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("fake", "none", "en", 1, grammar=False)

    def open(self, expect: Expect) -> "FakeStream":
        stream = FakeStream(self, expect)
        self.opened.append(stream)
        return stream

    def warm(self) -> None:
        return


class FakeStream:
    def __init__(self, owner: FakeRecogniser, expect: Expect) -> None:
        self.owner = owner
        self.expect = expect
        self.heard = 0
        self.decoded = 0
        self.interrupted = False
        self.closed = 0
        self.at_once = 0

    @property
    def backlog_ms(self) -> int:
        return (self.heard - self.decoded) * 1000 // RATE_HZ if self.owner.owed else 0

    @property
    def next_partial_ms(self) -> int:
        return self.decoded * 1000 // RATE_HZ + 300

    def push(self, pcm: Pcm) -> None:
        self.heard += pcm.size

    def partial(self) -> str:
        self._enter("partial")
        if self.owner.partial_gate is not None:
            self.owner.partial_gate.passing()
        self.decoded = self.heard
        self.at_once -= 1
        return self._words()

    def final(self) -> Reading:
        self._enter("final")
        if self.owner.final_gate is not None:
            self.owner.final_gate.passing()
        self.decoded = self.heard
        self.at_once -= 1
        return Reading(self.heard * 1000 // RATE_HZ, (Hypothesis(self._words(), 0.9),))

    def interrupt(self) -> None:
        self.interrupted = True

    def close(self) -> None:
        self.closed += 1

    def _words(self) -> str:
        return " ".join(["word"] * (self.decoded * 10 // RATE_HZ))

    def _enter(self, what: str) -> None:
        self.at_once += 1
        assert self.at_once == 1, "two threads in one stream"
        assert not self.closed, "a closed stream was used"
        self.owner.order.append(what)


@dataclass
class FakeVoice:
    """A tenth of a second a word, one block a word; the word "unspeakable" cannot be said."""

    order: list[str]
    gate: Gate | None = None

    def stream(self, text: str, pace: float) -> Iterator[Pcm]:
        for word in text.split():
            if word == "unspeakable":
                raise EngineError("no such word")
            if self.gate is not None:
                self.gate.passing()
            self.order.append(word)
            yield np.full(int(RATE_HZ / 10 / pace), 100, np.int16)

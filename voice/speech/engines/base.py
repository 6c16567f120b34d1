"""What a recogniser and a voice must offer inside the speech child. Everything here is synchronous.

The child's scheduler calls `partial`, `final` and `close` of one stream from one thread at a time; `push`,
`interrupt` and the properties may be used from any thread at any time, and return at once.

An engine is loaded and warmed in one process and used in its forks: it may hold no thread, socket or lock between
the two (onnxruntime: one thread a session, which then makes none).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dialog.actions import Expect
from dialog.ports import Hypothesis
from voice.ports import Pcm

MAX_UTTERANCE_MS = 30_000
"""Longest utterance that is kept and decoded; what goes beyond is not heard."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a recogniser makes of the first `audio_ms` of an utterance; best hypothesis first, none for no words."""

    audio_ms: int
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, told in the child's `Ready`."""

    engine: str
    model: str
    language: str
    n_best: int
    grammar: bool


class RecogniserStream(Protocol):
    """One utterance."""

    @property
    def backlog_ms(self) -> int:
        """Audio pushed whose decoding is still owed; 0 for an engine that decodes only when it is asked."""
        ...

    @property
    def next_partial_ms(self) -> int:
        """Length of the utterance from which another partial is worth its cost."""
        ...

    def push(self, pcm: Pcm) -> None:
        """Keep audio; what exceeds `MAX_UTTERANCE_MS` is dropped."""
        ...

    def partial(self) -> str:
        """The words so far. May be expensive; `interrupt` makes it give up and return what it had."""
        ...

    def final(self) -> Reading:
        """The best reading of what was pushed so far. May be asked again, with or without more audio."""
        ...

    def interrupt(self) -> None:
        """A `partial` under way on another thread gives up soon: a final is wanted."""
        ...

    def close(self) -> None:
        """Free the stream; idempotent."""
        ...


class Recogniser(Protocol):
    """A loaded model, shared by all streams."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, expect: Expect) -> RecogniserStream: ...

    def warm(self) -> None:
        """Decode once, so that the first caller does not pay for lazy set-up."""
        ...


class Voice(Protocol):
    """A loaded synthesiser; `stream` may run on several threads."""

    def stream(self, text: str, pace: float) -> Iterator[Pcm]:
        """Audio of `text`, a block as soon as it is there; `pace` below 1.0 is slower.

        Raises EngineError where the text cannot be spoken; text without anything to say yields nothing.
        """
        ...

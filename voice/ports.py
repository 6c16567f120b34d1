"""Seams that the voice tier owns: media, ears, mouth.

Inside the house audio is 16 kHz mono int16 in ticks of 20 ms, whatever the wire carries. The media engine owns the
wires and the clock; the event loop sees one `Frame` a leg and tick, and enqueues what is to be played.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dialog.actions import Expect
from dialog.events import CallQualityMeasured
from dialog.ports import Hypothesis
from dsp.parts import Part

RATE_HZ = 16_000
TICK_MS = 20
TICK_SAMPLES = RATE_HZ * TICK_MS // 1000

Pcm = npt.NDArray[np.int16]
"""16 kHz mono, any length."""


@dataclass(frozen=True, slots=True)
class Played:
    """How much of a playback the far end has heard; `done` with its last sample."""

    playback: int
    played_ms: int
    done: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What one leg heard and said in one tick.

    `tick` counts from the leg's start: the leg's audio clock. `pcm` is the caller (320 samples; concealed where
    packets are missing, as loud as ears want it). `voice` is the probability of speech (0..1; 0 where the gate found
    none). `keys` are the DTMF digits that began in this tick. `played` tells of playbacks that moved in this tick.
    """

    tick: int
    pcm: Pcm
    voice: float
    level_dbfs: float
    keys: str = ""
    played: tuple[Played, ...] = ()


@dataclass(frozen=True, slots=True)
class LegStats:
    """Totals of a leg so far; `receiving` is off while the far end is on hold.

    A late frame left more than 20 ms after its deadline, or never. Refused packets were no RTP, of another source or
    stream, or of a payload type not agreed on. Who is muted may send no sound and still report (RTCP).
    """

    packets_received: int = 0
    packets_lost: int = 0
    packets_sent: int = 0
    late_frames: int = 0
    receiving: bool = True
    packets_refused: int = 0
    reports_received: int = 0

    @property
    def life(self) -> int:
        """Grows for as long as the far end is there."""
        return self.packets_received + self.reports_received


FrameSink = Callable[[Frame], None]
"""Called on the event loop, once a tick, in order; must return at once."""


class Room:
    """Where legs hear each other; see `Leg.enter`. Just a place: nothing is held for it, nothing has to be closed."""


class Leg(Protocol):
    """One party's audio. All methods are called on the event loop and return at once."""

    @property
    def stats(self) -> LegStats: ...

    @property
    def quality(self) -> CallQualityMeasured | None:
        """How it sounded so far; None when nothing was heard or said."""
        ...

    @property
    def queued_ms(self) -> int:
        """Audio enqueued and not yet sent; the bound is `QUEUE_MS`, past which `play` refuses."""
        ...

    def listen(self, sink: FrameSink) -> None:
        """Frames go to `sink` from the next tick on."""
        ...

    def on_failure(self, sink: Callable[[Exception], None]) -> None:
        """Tell `sink`, once, when the leg cannot go on: its codec, its wire or its frame sink failed."""
        ...

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        """Enqueue audio of `playback`; False (nothing taken) when the queue is full. `last` closes the playback."""
        ...

    def stop(self) -> Played | None:
        """Drop what is queued, at the next tick at the latest; where the running playback stood.

        A frame of a tick that ran before may still come, and tell that a playback was done."""
        ...

    def send_keys(self, digits: str) -> bool:
        """Press keys towards the far end; False when it takes none."""
        ...

    def keep_echo(self) -> None:
        """Take nothing for an echo of what was played: what comes is played back on purpose."""
        ...

    def enter(self, room: Room | None, part: Part = Part.PARTY) -> None:
        """Be in `room`, and in no other, from the next tick on; None: alone again.

        In a room each leg hears what the others say, as their `part` is, in the same tick, and all that is played to
        any of them. It goes on giving frames of its own far end only. Raises Overloaded when too many commands wait.
        """
        ...

    def close(self) -> None:
        """Free the leg, which leaves its room. Idempotent."""
        ...


QUEUE_MS = 60_000


@dataclass(frozen=True, slots=True)
class PartialText:
    """What the recogniser makes of the utterance so far."""

    utterance: int
    text: str


@dataclass(frozen=True, slots=True)
class FinalText:
    """A reading of the first `audio_ms` of the utterance; empty `hypotheses` mean: no words.

    `redecoded`: decoded anew from kept audio after the child was lost.
    """

    utterance: int
    audio_ms: int
    hypotheses: tuple[Hypothesis, ...]
    redecoded: bool = False


@dataclass(frozen=True, slots=True)
class EarsLost:
    """The speech child went away; it is being restarted and the utterance will be decoded again."""

    code: str


@dataclass(frozen=True, slots=True)
class EarsBack:
    """The speech child is back after `after_ms`."""

    after_ms: int


@dataclass(frozen=True, slots=True)
class EarsGapped:
    """`gap_ms` of audio were dropped: the child could not keep up."""

    gap_ms: int


EarsEvent = PartialText | FinalText | EarsLost | EarsBack | EarsGapped
EarsSink = Callable[[EarsEvent], None]
"""Called on the event loop; must return at once."""


class EarsStream(Protocol):
    """One leg's recogniser. Utterances are cut by the caller of this seam (VAD runs with the media)."""

    def begin(self, utterance: int, expect: Expect) -> None:
        """A new utterance; a running one is forgotten."""
        ...

    def push(self, pcm: Pcm) -> None:
        """Audio of the running utterance; never blocks (past 1 s of backlog it is dropped and told)."""
        ...

    def final(self) -> None:
        """Ask for a final reading of what was pushed so far. The utterance goes on: the caller may speak again,
        more may be pushed and `final` asked again, so an answer may be computed while the silence still runs."""
        ...

    def end(self) -> None:
        """Forget the running utterance: no more events for it."""
        ...

    def close(self) -> None: ...


class Ears(Protocol):
    """Recognition for the whole node."""

    def open(self, sink: EarsSink) -> EarsStream: ...


class Mouth(Protocol):
    """Speech synthesis for the whole node."""

    def speak(self, text: str, *, pace: float = 1.0) -> AsyncGenerator[Pcm, None]:
        """Blocks of one sentence's audio, the first as soon as there is one. Closing the iterator cancels.

        Raises EngineUnavailable when the child is away and the text is not among the cached prompts.
        """
        ...

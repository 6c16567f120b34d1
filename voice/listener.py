"""Listening on one leg: voice activity cuts utterances, the recogniser reads them, and one account comes out.

The final reading is asked for as soon as the caller pauses and is used if the pause lasts: the answer is computed
while the silence still runs. Voice over the bot has to last `CLAIM_MS` before it takes the floor, so a cough does
not silence a sentence; the recogniser gets it from its beginning all the same.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dialog.actions import Collect
from dialog.event import Speaker
from dialog.events import (
    AudioGapped,
    EngineFailed,
    EngineRecovered,
    Event,
    FinalHeard,
    PartialHeard,
    Reading,
    SpeechDiscarded,
    SpeechStarted,
)
from dialog.expectation import is_whole
from dialog.ports import Hypothesis
from voice.ports import (
    TICK_MS,
    Ears,
    EarsBack,
    EarsEvent,
    EarsGapped,
    EarsLost,
    FinalText,
    Frame,
    PartialText,
    Pcm,
)
from voice.speech.endpoint import ONSET_VOICE, Endpointer, Paused, Resumed, VoiceEnded, VoiceStarted

PREROLL_MS = 300
"""Audio from before the voice was detected that belongs to it: soft first consonants."""

CLAIM_MS = 200
"""Voice over the bot that is meant: shorter is a cough or a click."""

FINAL_LIMIT_MS = 8_000
"""The wait for a final reading; a lost child is back, and has decoded again, well before."""


@dataclass(frozen=True, slots=True)
class VoiceCame:
    """The caller speaks. `resumed`: the utterance that seemed over goes on."""

    utterance: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class TurnOver:
    """The caller has been silent long enough."""

    utterance: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """The utterance and its words, best reading first; none when there were none. Times are the leg's audio time."""

    utterance: int
    hypotheses: tuple[Hypothesis, ...]
    voice_start_ms: int
    voice_end_ms: int
    turn_over_ms: int
    final_ms: int
    redecoded: bool


Heard = VoiceCame | TurnOver | Spoken


class Listener:
    """Feeds a recogniser's stream with the utterances of `speaker`, and tells the journal of them.

    `numbers` numbers the speaker's utterances within the call.
    """

    def __init__(self, ears: Ears, speaker: Speaker, numbers: Iterator[int], tell: Callable[[Event], None]) -> None:
        self._stream = ears.open(self._on_ears)
        self._speaker = speaker
        self._tell = tell
        self._endpointer = Endpointer()
        self._collect = Collect()
        self._before: deque[Pcm] = deque(maxlen=PREROLL_MS // TICK_MS)
        self._now_ms = 0
        self._numbers = numbers
        self._utterance = 0
        self.running: int | None = None
        self._claimed = False
        self._voice = False
        self._voice_start_ms = 0
        self._voice_end_ms = 0
        self._over_ms: int | None = None
        self._pushed_ms = 0
        self._asked_ms: int | None = None
        self._final: FinalText | None = None
        self._final_ms = 0

    @property
    def hears(self) -> bool:
        """The caller is speaking, or has just spoken."""
        return self.running is not None

    def expect(self, collect: Collect) -> None:
        """What the bot waits for: how long a silence ends the turn follows from it."""
        self._endpointer.expect(collect.expect)
        self._collect = collect

    def on_frame(self, frame: Frame, *, yielding: bool, floor_is_free: bool) -> list[Heard]:
        """One tick. `floor_is_free`: the bot is not speaking; `yielding`: it may be interrupted."""
        self._now_ms = (frame.tick + 1) * TICK_MS
        self._before.append(frame.pcm)
        if self.running is not None:
            self._push(frame.pcm)
        heard: list[Heard] = []
        ended = False
        for event in self._endpointer.frame(self._now_ms, frame.voice, frame.level_dbfs):
            match event:
                case VoiceStarted():
                    self._start(event.at_ms, heard)
                case Paused():
                    self._voice_end_ms = event.last_voiced_ms
                    self._ask()
                case Resumed():
                    self._final = self._asked_ms = None
                case VoiceEnded():
                    ended = True
                    self._voice_end_ms = event.last_voiced_ms
        meant = frame.voice >= ONSET_VOICE and self._now_ms - self._voice_start_ms >= CLAIM_MS
        if self._unclaimed and (floor_is_free or (yielding and meant)):
            self._claimed = True
            self._tell(SpeechStarted(utterance=self._utterance, speaker=self._speaker))
            heard.append(VoiceCame(self._utterance, resumed=False))
        if not ended and self._is_whole:
            self._endpointer.finish()
            ended = True
        if ended:
            self._finish(heard)
        if self._over_ms is not None and (spoken := self._read()) is not None:
            self._note(spoken)
            heard.append(spoken)
            self._leave_off()
        return heard

    def forget(self) -> None:
        """The running utterance is void: what was told of its beginning is told to have come to nothing."""
        if self.running is not None and self._claimed:
            self._tell(SpeechDiscarded(utterance=self.running, speaker=self._speaker))
        self._leave_off()

    def _leave_off(self) -> None:
        if self.running is not None:
            self._stream.end()
        self.running = None
        self._over_ms = self._final = self._asked_ms = None

    def close(self) -> None:
        """Free the recogniser's stream. Idempotent."""
        self._stream.close()

    def _on_ears(self, event: EarsEvent) -> None:
        match event:
            case PartialText():
                if event.text and self.running == event.utterance:
                    self._tell(PartialHeard(utterance=event.utterance, text=event.text, speaker=self._speaker))
            case FinalText():
                # it counts if it covers all that was said
                if event.utterance == self.running and self._asked_ms is not None and event.audio_ms >= self._asked_ms:
                    self._final = event
                    self._final_ms = self._now_ms
            case EarsLost():
                self._tell(EngineFailed(engine="ears", code=event.code))
            case EarsBack():
                self._tell(EngineRecovered(engine="ears", after_ms=event.after_ms))
            case EarsGapped():
                self._tell(AudioGapped(gap_ms=event.gap_ms))

    @property
    def _unclaimed(self) -> bool:
        return self.running is not None and self._voice and not self._claimed

    @property
    def _is_whole(self) -> bool:
        """The caller has paused, and the reading of what was said so far needs nothing more."""
        reading = self._final.hypotheses[:1] if self._final is not None and self._over_ms is None else ()
        return self._claimed and any(is_whole(self._collect, hypothesis.text) for hypothesis in reading)

    def _start(self, at_ms: int, heard: list[Heard]) -> None:
        self._voice = True
        if self.running is not None:
            self._over_ms = self._final = self._asked_ms = None
            heard.append(VoiceCame(self._utterance, resumed=True))
            return
        self.running = self._utterance = next(self._numbers)
        self._claimed = False
        self._voice_start_ms = at_ms
        self._pushed_ms = 0
        self._stream.begin(self.running, self._collect.expect)
        for pcm in self._before:
            self._push(pcm)

    def _push(self, pcm: Pcm) -> None:
        self._stream.push(pcm)
        self._pushed_ms += TICK_MS

    def _ask(self) -> None:
        if self.running is not None:
            self._final = None
            self._asked_ms = self._pushed_ms
            self._stream.final()

    def _finish(self, heard: list[Heard]) -> None:
        self._voice = False
        if self.running is None:
            return
        if not self._claimed:
            self._leave_off()  # over before it was long enough to mean anything, or said over a notice
            return
        self._over_ms = self._now_ms
        if self._asked_ms is None:
            self._ask()  # no pause came before the end: the utterance was cut at its longest
        heard.append(TurnOver(self._utterance))

    def _note(self, spoken: Spoken) -> None:
        if not spoken.hypotheses:
            self._tell(SpeechDiscarded(utterance=spoken.utterance, speaker=self._speaker))
            return
        self._tell(
            FinalHeard(
                utterance=spoken.utterance,
                readings=tuple(Reading(text=h.text, confidence=round(h.confidence, 3)) for h in spoken.hypotheses),
                voice_start_ms=spoken.voice_start_ms,
                voice_end_ms=spoken.voice_end_ms,
                redecoded=spoken.redecoded,
                speaker=self._speaker,
            )
        )

    def _read(self) -> Spoken | None:
        over_ms = self._over_ms if self._over_ms is not None else self._now_ms
        if self._final is None and self._now_ms - over_ms < FINAL_LIMIT_MS:
            return None
        final = self._final or FinalText(self._utterance, 0, ())
        return Spoken(
            utterance=self._utterance,
            hypotheses=final.hypotheses,
            voice_start_ms=self._voice_start_ms,
            voice_end_ms=self._voice_end_ms,
            turn_over_ms=over_ms,
            final_ms=max(self._final_ms, over_ms) if self._final is None else self._final_ms,
            redecoded=final.redecoded,
        )

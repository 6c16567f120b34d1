"""Where an utterance begins, pauses and ends: voice probabilities of 20 ms frames in, events in audio time out.

    SILENT --onset--> SPEAKING --pause--> PAUSED --end of silence--> SILENT
                          ^------onset------'
    SPEAKING or PAUSED --longest utterance--> SILENT

Sans-I/O. Times are those the frames are given with: the leg's audio time.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from dialog.actions import Expect
from voice.ports import TICK_MS

ONSET_VOICE = 0.5
"""A frame with this probability may begin speech: Silero's own threshold."""
GOING_ON_VOICE = 0.35
"""A frame with this probability continues it: soft endings stay below the onset."""
ONSET_FRAMES = 4
ONSET_WINDOW = 5
"""Speech begins with 4 voiced frames among 5, after 80 to 100 ms: clicks are shorter, the shortest word is not."""
RESUME_FRAMES = 3
"""In a pause less is asked: a short word ("two") after a gap must not be cut off."""
PAUSE_MS = 200
"""A final reading is asked for after this much silence. Stop consonants are silent for up to 150 ms."""
SPEECH_RANGE_DB = 25.0
"""Frames this much below the loudest of the last second are the VAD's tail, not speech: it decays over 50 ms."""
NOISE_MARGIN_DB = 5.0
"""Nor are those that are hardly louder than the line was before the speech: in noise the tail lasts 100 ms."""
LEAST_RANGE_DB = 10.0
"""However loud the noise, what is this near to the loudest is speech if the VAD says so."""
LOUDEST_DECAY_DB = 0.4
"""How much the loudest level is forgotten a frame."""
NOISE_SHARE = 0.05
"""Weight of one frame in the noise level, a mean of 0.4 s of silence."""
SILENT_VOICE = 0.1
MAX_VOICE_MS = 20_000
"""Longest utterance: with its silences it stays inside the 30 s that are kept and decoded."""

END_SILENCE_MS: dict[Expect, int] = {
    # inside a sentence nine of ten pauses are shorter; every 100 ms more is waited through at every turn
    Expect.FREE: 500,
    # one word: what follows a short silence is a second thought, and the turn can be taken back
    Expect.YES_NO: 350,
    # digits are read off a paper in groups
    Expect.DIGITS: 800,
}


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Speech was found that began at `at_ms`. What was heard up to 300 ms before it belongs to it."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    """A silence that may be the end; noticed at `at_ms`, the last voiced sample was before `last_voiced_ms`."""

    at_ms: int
    last_voiced_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """It was not the end: speech went on at `at_ms`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """The utterance is over, its last voiced sample before `last_voiced_ms`."""

    last_voiced_ms: int


EndpointEvent = VoiceStarted | Paused | Resumed | VoiceEnded


_SILENCE_DB = -100.0


class _State(Enum):
    SILENT = auto()
    SPEAKING = auto()
    PAUSED = auto()


class Endpointer:
    """One leg's. Feed every frame, in order; `expect` may change between any two."""

    def __init__(self) -> None:
        self._state = _State.SILENT
        self._end_silence_ms = END_SILENCE_MS[Expect.FREE]
        self._now_ms = 0
        self._recent: deque[bool] = deque(maxlen=ONSET_WINDOW)
        self._started_ms = 0
        self._voiced_ms = 0
        self._loudest_db = _SILENCE_DB
        self._noise_db = _SILENCE_DB

    def expect(self, expect: Expect) -> None:
        """What the bot waits for decides how long a silence is an end."""
        self._end_silence_ms = END_SILENCE_MS[expect]

    def finish(self) -> None:
        """The utterance is over for reasons of its content: what comes next is a new one."""
        self._end()

    def frame(self, at_ms: int, voice: float, level_dbfs: float) -> list[EndpointEvent]:
        """One frame that ends at `at_ms`: probability of speech and level. At most two events."""
        self._now_ms = at_ms
        self._recent.append(voice >= ONSET_VOICE)
        self._follow_levels(voice, level_dbfs)
        match self._state:
            case _State.SILENT:
                return self._silent()
            case _State.SPEAKING:
                return self._speaking(voice, level_dbfs)
            case _State.PAUSED:
                return self._paused()

    def _follow_levels(self, voice: float, level_dbfs: float) -> None:
        self._loudest_db -= LOUDEST_DECAY_DB
        if voice >= ONSET_VOICE:
            self._loudest_db = max(self._loudest_db, level_dbfs)
        elif voice < SILENT_VOICE:
            self._noise_db += NOISE_SHARE * (max(level_dbfs, _SILENCE_DB) - self._noise_db)

    @property
    def _least_speech_db(self) -> float:
        above_noise = min(self._noise_db + NOISE_MARGIN_DB, self._loudest_db - LEAST_RANGE_DB)
        return max(self._loudest_db - SPEECH_RANGE_DB, above_noise)

    def _silent(self) -> list[EndpointEvent]:
        if not self._recent[-1] or sum(self._recent) < ONSET_FRAMES:
            return []
        # the window may have begun with a silent frame
        first = list(self._recent).index(True)
        self._started_ms = self._now_ms - (len(self._recent) - first) * TICK_MS
        self._voiced_ms = self._now_ms
        self._state = _State.SPEAKING
        return [VoiceStarted(self._started_ms)]

    def _speaking(self, voice: float, level_dbfs: float) -> list[EndpointEvent]:
        if voice >= GOING_ON_VOICE and level_dbfs >= self._least_speech_db:
            self._voiced_ms = self._now_ms
        if self._too_long:
            return [self._end()]
        if self._now_ms - self._voiced_ms < PAUSE_MS:
            return []
        self._state = _State.PAUSED
        return [Paused(self._now_ms, self._voiced_ms)]

    def _paused(self) -> list[EndpointEvent]:
        if len(self._recent) >= RESUME_FRAMES and all(list(self._recent)[-RESUME_FRAMES:]):
            self._state = _State.SPEAKING
            self._voiced_ms = self._now_ms
            return [Resumed(self._now_ms - RESUME_FRAMES * TICK_MS)]
        # a word that is just beginning is waited for
        if self._too_long or (self._now_ms - self._voiced_ms >= self._end_silence_ms and not self._recent[-1]):
            return [self._end()]
        return []

    @property
    def _too_long(self) -> bool:
        return self._now_ms - self._started_ms >= MAX_VOICE_MS

    def _end(self) -> VoiceEnded:
        self._state = _State.SILENT
        self._recent.clear()
        return VoiceEnded(self._voiced_ms)

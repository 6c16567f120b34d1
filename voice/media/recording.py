"""One call's recording: the caller on the left, we on the right, every tick in its place.

A call never waits for the disk and never dies of it. What the writer cannot take in time, what the media plane left
out, and what comes while the disk refuses is silence as long as it was, and is counted: the recording is partial, and
what comes later is where it belongs.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from voice.media.audio_file import CHANNELS, AudioFile, Format
from voice.ports import TICK_MS, TICK_SAMPLES, Pcm

MAX_TICKS = 500
"""Ticks that may wait for the disk: 10 s a recording. Past it a tick becomes silence, and is counted."""

PART = ".part"
"""Ends the name of a file that is being written."""

Pause = Literal["silence", "skip"]
"""What becomes of the time while a recording is paused: it is silent, or it is not in the recording."""

LATE = "late"
"""The trouble of a recording for which the disk, or the machine, was too slow."""


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """A recording is complete and stands at `path`; it has `duration_ms`, of which `gap_ms` are silence that was not.

    `failure` is empty, or what the disk said when the end of it could not be written.
    """

    path: Path
    duration_ms: int
    gap_ms: int
    failure: str = ""

    @property
    def partial(self) -> bool:
        """Something of the call is missing."""
        return bool(self.gap_ms or self.failure)


EndSink = Callable[[RecordingEnded], None]
"""Called once, in the writer's thread; must return at once."""


class Recording:
    """`write` and `skip` belong to one thread, `advance` to the writer's, the rest to any."""

    def __init__(
        self, path: Path, ended: EndSink | None = None, format: Format = "flac", pausing: Pause = "silence"
    ) -> None:
        self.path = path
        self.pausing = pausing
        """What a pause is like where nobody says otherwise."""
        self.refusal = ""
        """What the disk says for as long as it takes nothing."""
        self._ended = ended
        self._format = format
        self._pause: Pause | None = None
        self._closing = False
        # of the thread that writes
        self._queue: deque[tuple[int, tuple[Pcm, Pcm] | None]] = deque()  # ticks, and what was heard and said in them
        self._taken = 0
        self._silent = 0  # ticks that follow what is in the queue
        self._missed = 0
        # of the writer's thread
        self._file: AudioFile | None = None
        self._done = 0
        self._owed = 0  # ticks of silence to be written before anything else
        self._lost = 0
        self._written = 0
        self._kept = 0
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why something is missing, so far: what the disk said first, or `LATE`; empty where nothing is."""
        return self._trouble or (LATE if self._missed else "")

    @property
    def gap_ms(self) -> int:
        """How much is missing, so far."""
        return (self._missed + self._lost) * TICK_MS

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """Both directions of n ticks, i16[n * 320] each, which must not change afterwards. Never waits."""
        ticks = caller.size // TICK_SAMPLES
        if self._pause is not None or self._closing:
            self._pass(ticks)
        elif self._taken - self._done + ticks > MAX_TICKS:
            self.skip(ticks)
        else:
            if self._silent:
                self._queue.append((self._silent, None))
                self._silent = 0
            self._taken += ticks
            self._queue.append((ticks, (caller, ours)))

    def skip(self, ticks: int) -> None:
        """`ticks` that were left out: silence, and counted as missing where they would have been recorded."""
        if self._pause is None and not self._closing:
            self._missed += ticks
        self._pass(ticks)

    def _pass(self, ticks: int) -> None:
        """`ticks` go by in silence, or not at all."""
        if self._pause == "skip" or self._closing:
            return
        self._silent += ticks
        if not self._queue:
            self._queue.append((self._silent, None))
            self._silent = 0

    def pause(self, how: Pause | None = None) -> None:
        """Record nothing of what follows, until `resume`; of two pauses the one that is asked for last counts."""
        self._pause = how or self.pausing

    def resume(self) -> None:
        """Record again. Idempotent."""
        self._pause = None

    def close(self) -> None:
        """Nothing more is taken; the file gets its name once what waits is written. Idempotent."""
        self._closing = True

    # -- the writer's thread ------------------------------------------------------------------------------------

    def advance(self) -> bool:
        """Write what waits; True once the recording has ended."""
        closing = self._closing  # read first: what was taken before it is then in the queue
        taken = [self._queue.popleft() for _ in range(len(self._queue))]
        if closing:
            taken.append((self._silent, None))
        file = self._file = self._file or AudioFile(self._part, self._format)
        self._flush(file)
        audio: list[tuple[Pcm, Pcm]] = []
        for ticks, sound in taken:
            if sound is None:
                self._owed += ticks
                continue
            self._done += ticks
            if self._owed and not self.refusal:
                self._encode(file, audio)
                audio = []
                self._catch_up(file)
            if self.refusal:
                self._owed += ticks
                self._lost += ticks
            else:
                audio.append(sound)
        self._encode(file, audio)
        self._catch_up(file)
        self._flush(file)
        if closing:
            self._end(file)
        return closing

    @property
    def _part(self) -> Path:
        return self.path.with_name(self.path.name + PART)

    def _encode(self, file: AudioFile, audio: list[tuple[Pcm, Pcm]]) -> None:
        if audio:
            sides = [np.concatenate(side) for side in zip(*audio, strict=True)]
            file.write(np.column_stack(sides))
            self._written += len(sides[0]) // TICK_SAMPLES

    def _catch_up(self, file: AudioFile) -> None:
        """Write the silence that is owed, piece by piece, as far as the disk takes it."""
        while self._owed and not self.refusal:
            ticks = min(self._owed, MAX_TICKS)
            file.write(np.zeros((ticks * TICK_SAMPLES, CHANNELS), np.int16))
            self._owed -= ticks
            self._written += ticks
            self._flush(file)

    def _flush(self, file: AudioFile) -> None:
        try:
            file.flush()
        except OSError as error:
            self.refusal = error.strerror or type(error).__name__
            self._trouble = self._trouble or self.refusal
        else:
            self.refusal = ""
            self._kept = self._written

    def _end(self, file: AudioFile) -> None:
        """The file is whole where the disk takes the rest of it now; else it ends where it was last whole."""
        if not self.refusal:
            file.finish()
            self._flush(file)
        failure = self.refusal
        try:
            file.close()
            self._part.replace(self.path)
        except OSError as error:  # the store will look for it by its name
            failure = failure or str(error)
        if self._ended is not None:
            self._ended(RecordingEnded(self.path, self._kept * TICK_MS, self.gap_ms, failure))

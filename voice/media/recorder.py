"""Call recordings: the caller on the left, we on the right, 16 kHz FLAC, written by one thread for the node.

A call never waits for the disk and never dies of it: what the writer cannot take is replaced by silence and counted,
and a disk that is full ends the recording, not the call.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from voice.ports import RATE_HZ, TICK_MS, TICK_SAMPLES, Pcm

MAX_TICKS = 500
"""Ticks that may wait for the disk: 10 s a recording. Past it a tick becomes silence, and is counted."""
WRITE_S = 0.2
"""How often the disk is written to."""

_PART = ".part"
_TOTAL_OFFSET = 21  # of the FLAC file: the octet whose low half begins the 36-bit count of samples (RFC 9639 8.2)
_BLOCK = 4096  # samples in a FLAC frame; whole ones are on the disk, the last one may not be
_DISK_ERRORS = (soundfile.SoundFileError, AssertionError, OSError)  # soundfile asserts that all was written


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """A recording is complete and stands at `path`. `failure` is empty, or what the disk said when it stopped early.

    `gap_ms` of it are silence for want of time.
    """

    path: Path
    duration_ms: int
    gap_ms: int
    failure: str = ""


EndSink = Callable[[RecordingEnded], None]
"""Called once, in the writer's thread; must return at once."""


class Tape(Protocol):
    """What a leg writes to."""

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """One tick of both directions, i16[320] each, which must not change afterwards. Tick thread."""
        ...


class Recording:
    """One call's file. `write` belongs to one thread, `close` to any."""

    def __init__(self, path: Path, ended: EndSink | None = None) -> None:
        self.path = path
        self._ended = ended
        self._queue: deque[tuple[int, Pcm, Pcm]] = deque()
        self._missed = 0
        self._closing = False
        self._file: soundfile.SoundFile | None = None
        self._ticks = 0
        self._gap_ticks = 0

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """One tick of both directions, i16[320] each, which must not change afterwards."""
        if self._closing:
            return
        if len(self._queue) >= MAX_TICKS:
            self._missed += 1
            return
        self._queue.append((self._missed, caller, ours))
        self._missed = 0

    def close(self) -> None:
        """Nothing more is taken; the file gets its name once what waits is written. Idempotent."""
        self._closing = True

    def advance(self) -> bool:
        """Write what waits; True once the recording has ended. Writer's thread."""
        closing = self._closing  # read first: what was taken before it is then in the queue
        try:
            if self._file is None:
                self._file = soundfile.SoundFile(self._part, "w", RATE_HZ, 2, "PCM_16", format="FLAC")
            self._append(self._file)
            if not closing:
                return False
            self._file.close()
        except _DISK_ERRORS as error:
            self._end(str(error) or type(error).__name__)
            return True
        self._end("")
        return True

    @property
    def _part(self) -> Path:
        return self.path.with_name(self.path.name + _PART)

    def _append(self, file: soundfile.SoundFile) -> None:
        taken = [self._queue.popleft() for _ in range(len(self._queue))]
        if not taken:
            return
        ticks = len(taken) + sum(missed for missed, _, _ in taken)
        audio = np.zeros((ticks, TICK_SAMPLES, 2), np.int16)
        at = 0
        for missed, caller, ours in taken:
            at += missed
            audio[at, :, 0] = caller
            audio[at, :, 1] = ours
            at += 1
        file.write(audio.reshape(-1, 2))
        self._ticks += ticks
        self._gap_ticks += ticks - len(taken)
        self._note_length()

    def _note_length(self) -> None:
        """Write the length so far into the header, so that a recording of a killed process can be played."""
        whole = max(0, self._ticks * TICK_SAMPLES // _BLOCK - 1) * _BLOCK
        with self._part.open("r+b") as file:
            file.seek(_TOTAL_OFFSET)
            first = file.read(1)
            if not first:
                return  # the disk has not even taken the header
            high = first[0] & 0xF0
            file.seek(_TOTAL_OFFSET)
            file.write((high << 32 | whole).to_bytes(5, "big"))

    def _end(self, failure: str) -> None:
        self._closing = True
        self._queue.clear()
        if self._file is not None:
            with suppress(*_DISK_ERRORS):
                self._file.close()
        try:
            self._part.replace(self.path)
        except OSError as error:  # the store will look for it by its name
            failure = failure or str(error)
        if self._ended is not None:
            self._ended(RecordingEnded(self.path, self._ticks * TICK_MS, self._gap_ticks * TICK_MS, failure))


class Recorder:
    """The node's recordings in `folder`, and the thread that writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob("*" + _PART):  # of a process that was killed
            part.replace(part.with_suffix(""))
        self._opened: deque[Recording] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def open(self, name: str, ended: EndSink | None = None) -> Recording:
        """Begin the file `name` (ending in .flac). A disk that refuses is told to `ended`, not raised.

        ValueError for a name with a path.
        """
        if Path(name).name != name:
            raise ValueError(f"recording name {name!r}")
        recording = Recording(self._folder / name, ended)
        self._opened.append(recording)
        return recording

    def close(self) -> None:
        """Close every recording and wait until all is on the disk."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        running: list[Recording] = []
        while True:
            stopping = self._stopping.wait(WRITE_S)
            while self._opened:
                running.append(self._opened.popleft())
            if stopping:
                for recording in running:
                    recording.close()
            running = [recording for recording in running if not recording.advance()]
            if stopping and not self._opened:
                return

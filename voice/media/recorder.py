"""The node's recordings, and the one thread that writes them: 16 kHz, the caller on the left, we on the right."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import structlog

from voice.media.audio_file import Format
from voice.media.recording import LATE, PART, EndSink, Pause, Recording, RecordingEnded
from voice.ports import Pcm

WRITE_S = 0.4
"""How often the disk is written to. With the frame or page that is not full yet, a killed process loses less than a
second of a recording."""
STUCK_S = 2.0
"""Where writing takes longer than this, the keeper is told."""
CLOSE_S = 10.0
"""How long the end of the node waits for the disk."""

log = structlog.get_logger("recorder")


class Tape(Protocol):
    """What a leg writes to, in one thread. Nothing here waits."""

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """Both directions of n ticks, i16[n * 320] each, which must not change afterwards."""
        ...

    def skip(self, ticks: int) -> None:
        """`ticks` that were left out: they are silent, and counted."""
        ...


class Recorder:
    """The node's recordings in `folder`, and the thread that writes them."""

    def __init__(
        self,
        folder: Path,
        format: Format = "flac",
        pausing: Pause = "silence",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._pausing = pausing
        self._clock = clock
        self._format = format
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob("*" + PART):  # of a process that was killed
            part.replace(part.with_suffix(""))
        self.ended: Counter[str] = Counter()
        """Recordings that are over, `whole` and `partial`."""
        self._refusal = ""
        self._passing_since: float | None = None
        self._opened: deque[Recording] = deque()
        self._running: list[Recording] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def open(self, name: str, ended: EndSink | None = None) -> Recording:
        """Begin the file `name`, to which the format's suffix is added. A disk that refuses raises nothing here.

        ValueError for a name with a path.
        """
        if Path(name).name != name:
            raise ValueError(f"recording name {name!r}")
        path = self._folder / f"{name}.{self._format}"
        recording = Recording(path, self._counted(ended), self._format, self._pausing)
        self._opened.append(recording)
        return recording

    @property
    def running(self) -> int:
        """Recordings under way, those that are only to be written to their end among them."""
        return len(self._running) + len(self._opened)

    def figures(self) -> dict[str, int]:
        """For the keeper: how many are `running`, and what is `amiss`, 0 or 1."""
        return {"running": self.running, "amiss": len(list(self.amiss()))}

    @property
    def passing(self) -> bool:
        """The disk is being written to."""
        return self._passing_since is not None

    def amiss(self) -> Iterator[str]:
        """What is wrong with the disk now, a line each. After a refusal that is until it is known to take something."""
        since = self._passing_since
        stuck_s = 0.0 if since is None else self._clock() - since
        if stuck_s > STUCK_S:
            yield f"recordings: the disk has taken nothing for {stuck_s:.0f} s"
        elif self._refusal:
            yield f"recordings: {self._refusal}"

    def close(self) -> None:
        """Close every recording and wait, for at most `CLOSE_S`, until all is on the disk or refused by it."""
        self._stopping.set()
        self._thread.join(CLOSE_S)

    def _counted(self, ended: EndSink | None) -> EndSink:
        def count(end: RecordingEnded) -> None:
            self.ended["partial" if end.partial else "whole"] += 1
            if end.partial:
                log.warning("recording partial", recording=end.path.name, gap_ms=end.gap_ms, failure=end.failure)
            if ended is not None:
                ended(end)

        return count

    def _run(self) -> None:
        while True:
            stopping = self._stopping.wait(WRITE_S)
            while self._opened:
                self._running.append(self._opened.popleft())
            if stopping:
                for recording in self._running:
                    recording.close()
            if self._running:
                self._pass()
            if stopping and not self._opened:
                return

    def _pass(self) -> None:
        """Give the disk what waits, of all recordings."""
        began = self._passing_since = self._clock()
        passed = self._running
        self._running = [recording for recording in passed if not recording.advance()]
        self._passing_since = None
        took_s = self._clock() - began
        refusal = next((recording.refusal for recording in passed if recording.refusal), "")
        refusal = refusal or (LATE if took_s > STUCK_S else "")
        if refusal and not self._refusal:
            log.error("recordings not written", reason=refusal, took_s=round(took_s, 1))
        elif self._refusal and not refusal:
            log.warning("recordings written again")
        self._refusal = refusal

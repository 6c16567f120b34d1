"""Legs of which none hears the others, in one recording: each is a track of the left channel or of the right."""

import numpy as np

from voice.media.recorder import Tape
from voice.ports import TICK_SAMPLES, Pcm

LEFT, RIGHT = 0, 1
_MOST_AHEAD = 50
"""Ticks that one track may be ahead of another: what is older is written without the other."""


class Tracks:
    """Adds up what its tracks heard in the same ticks, and writes it once those are over: when a track comes again.

    A track that is new, or was away, has just heard the newest ticks there are. What is written belongs to the thread
    that writes; tracks are made, and change sides, on the event loop.
    """

    def __init__(self, recording: Tape) -> None:
        self._recording = recording
        self._sums = np.zeros((2, 0), np.int32)  # of the ticks from `_start` on
        self._start = 0
        self._came: set[Track] = set()
        self._heard = False

    def add(self, track: "Track", ticks: int, said: Pcm | None) -> None:
        """What a track heard in its next `ticks`, i16[ticks * 320]; None where they were left out."""
        if track in self._came:
            self._write()
        end = self._start + self._sums.shape[1] // TICK_SAMPLES
        if track.at < self._start:
            track.at = max(self._start, end - ticks)
        at = (track.at - self._start) * TICK_SAMPLES
        missing = at + ticks * TICK_SAMPLES - self._sums.shape[1]
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, missing)))
        if said is not None:
            self._sums[track.side, at : at + said.size] += said
            self._heard = True
        track.at += ticks
        self._came.add(track)

    def _write(self) -> None:
        """The ticks that all who came have heard."""
        newest = self._start + self._sums.shape[1] // TICK_SAMPLES
        over = max(min(track.at for track in self._came), newest - _MOST_AHEAD)
        ticks = over - self._start
        if ticks and self._heard:
            left, right = np.clip(self._sums[:, : ticks * TICK_SAMPLES], -32_768, 32_767).astype(np.int16)
            self._recording.write(left, right)
        elif ticks:
            self._recording.skip(ticks)
        self._sums = self._sums[:, ticks * TICK_SAMPLES :]
        self._start = over
        self._came.clear()
        self._heard = False


class Track:
    """One leg's way into the recording (voice.media.recorder.Tape): only what it hears."""

    def __init__(self, tracks: Tracks, side: int) -> None:
        self.side = side
        self.at = -1
        """The tick that it hears next; before those that are to be written where it is new."""
        self._tracks = tracks

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """`ours` is silence, since nothing is said to a recording client."""
        self._tracks.add(self, caller.size // TICK_SAMPLES, caller)

    def skip(self, ticks: int) -> None:
        """Left out; where that is so of all tracks, the recording is told."""
        self._tracks.add(self, ticks, None)

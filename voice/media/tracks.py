"""Legs of which none hears the others, in one recording: each is a track of the left channel or of the right."""

import numpy as np

from voice.media.recorder import Tape
from voice.ports import TICK_SAMPLES, Pcm

LEFT, RIGHT = 0, 1


class Tracks:
    """Adds up what its tracks heard in a tick, and writes it once the tick is over: when one of them comes again.

    What is written belongs to the tick thread; tracks are made, and change sides, on the event loop.
    """

    def __init__(self, recording: Tape) -> None:
        self._recording = recording
        self._sums = np.zeros((2, TICK_SAMPLES), np.int32)
        self._came: set[Track] = set()

    def add(self, track: "Track", said: Pcm) -> None:
        """One tick of a track. Tick thread."""
        if track in self._came:
            left, right = np.clip(self._sums, -32_768, 32_767).astype(np.int16)
            self._recording.write(left, right)
            self._sums[:] = 0
            self._came.clear()
        self._came.add(track)
        self._sums[track.side] += said


class Track:
    """One leg's way into the recording (voice.media.recorder.Tape): only what it hears."""

    def __init__(self, tracks: Tracks, side: int) -> None:
        self.side = side
        self._tracks = tracks

    def write(self, caller: Pcm, ours: Pcm) -> None:
        """One tick: `ours` is silence, since nothing is said to a recording client."""
        self._tracks.add(self, caller)

"""What a leg is going to say: a queue the event loop fills and the tick thread drains, without a lock.

Each counter has one writer, so neither thread ever waits for the other. `stop` raises the generation; the tick drops
whatever carries an older one.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from voice.ports import QUEUE_MS, RATE_HZ, TICK_SAMPLES, Pcm, Played

SAMPLES_PER_MS = RATE_HZ // 1000
MAX_CHUNKS = 4096
"""Pieces that may wait, however short: a minute in ticks of 20 ms, and some."""
ALLOWANCE_MS = 40
"""Audio that has left and not been heard yet: a usual far jitter buffer."""


class _Chunk(NamedTuple):
    generation: int
    playback: int
    pcm: Pcm
    last: bool


class _Standing(NamedTuple):
    generation: int
    playback: int
    sent_samples: int


class Playout:
    """One leg's queue. `allowance_ms` is taken off what has left to tell what has been heard."""

    def __init__(self, allowance_ms: int = ALLOWANCE_MS) -> None:
        self._allowance_ms = allowance_ms
        self._chunks: deque[_Chunk] = deque()
        # written by the event loop
        self._generation = 0
        self._enqueued = 0  # samples ever enqueued
        self._flushed = 0  # `_enqueued` at the last stop
        # written by the tick
        self._offset = 0  # samples of the first chunk that have left
        self._consumed = 0  # samples ever sent or dropped
        self._standing: _Standing | None = None

    @property
    def queued_ms(self) -> int:
        """Audio that waits. Event loop."""
        return (self._enqueued - max(self._consumed, self._flushed)) // SAMPLES_PER_MS

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        """Enqueue; False, and nothing taken, when the queue is full. Event loop. `pcm` is not copied."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"audio must be an int16 vector, got {pcm.dtype} {pcm.shape}")
        if len(self._chunks) >= MAX_CHUNKS or self.queued_ms + pcm.size // SAMPLES_PER_MS > QUEUE_MS:
            return False
        self._enqueued += pcm.size
        self._chunks.append(_Chunk(self._generation, playback, pcm, last))
        return True

    def stop(self) -> Played | None:
        """Drop what waits; where the running playback stood, None when there was none. Event loop.

        `done` when nothing of it waited but its end.
        """
        generation, standing = self._generation, self._standing
        head = self._head()
        self._generation += 1
        self._flushed = self._enqueued
        if standing is not None and standing.generation == generation:
            if head is not None and head.playback == standing.playback and head.last and not head.pcm.size:
                return Played(standing.playback, standing.sent_samples // SAMPLES_PER_MS, True)
            return self._heard(standing)
        if head is not None and head.generation == generation:
            return Played(head.playback, 0, False)
        return None

    def _head(self) -> _Chunk | None:
        try:
            return self._chunks[0]
        except IndexError:
            return None

    def take(self, out: Pcm) -> tuple[Played, ...] | None:
        """Fill one tick `out` i16[320]; what moved, None when there was nothing to say. Tick thread."""
        generation = self._generation
        standing = self._standing
        if standing is not None and standing.generation != generation:
            standing = None
        moved: list[Played] = []
        filled = 0
        spoke = False
        while self._chunks and (filled < TICK_SAMPLES or self._chunks[0].pcm.size == 0):
            chunk = self._chunks[0]
            if chunk.generation > generation:  # stopped and played anew since this tick began
                break
            if chunk.generation < generation:
                self._consumed += chunk.pcm.size - self._offset
                self._offset = 0
                self._chunks.popleft()
                continue
            if standing is None or standing.playback != chunk.playback:
                standing = _Standing(generation, chunk.playback, 0)
            count = min(TICK_SAMPLES - filled, chunk.pcm.size - self._offset)
            out[filled : filled + count] = chunk.pcm[self._offset : self._offset + count]
            filled += count
            spoke = True
            standing = standing._replace(sent_samples=standing.sent_samples + count)
            self._offset += count
            self._consumed += count
            if self._offset == chunk.pcm.size:
                self._offset = 0
                self._chunks.popleft()
                if chunk.last:
                    moved.append(Played(chunk.playback, standing.sent_samples // SAMPLES_PER_MS, True))
                    standing = None
        out[filled:] = 0
        self._standing = standing
        if not spoke:
            return None
        if standing is not None:
            moved.append(self._heard(standing))
        return tuple(moved)

    def _heard(self, standing: _Standing) -> Played:
        sent_ms = standing.sent_samples // SAMPLES_PER_MS
        return Played(standing.playback, max(0, sent_ms - self._allowance_ms), False)

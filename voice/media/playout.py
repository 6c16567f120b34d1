"""What a leg is going to say, as the event loop sees it: a queue that it fills and the tick drains
(`engine.playing`), without a lock."""

from collections import deque

import numpy as np

from voice.media.engine.external import observe, publish
from voice.media.engine.layout import MAX_CHUNKS, Standing
from voice.media.engine.line import Speaking
from voice.ports import QUEUE_MS, RATE_HZ, Pcm, Played

SAMPLES_PER_MS = RATE_HZ // 1000
ALLOWANCE_MS = 40
"""Audio that has left and not been heard yet: a usual far jitter buffer."""

_VERSION, _GENERATION, _PLAYBACK, _SAMPLES = map(int, Standing)
_TRIES = 1_000


class Playout:
    """The queue of one row. `allowance_ms` is taken off what has left to tell what has been heard."""

    def __init__(self, it: Speaking, row: int, allowance_ms: int = ALLOWANCE_MS) -> None:
        """The row is free: nothing of its former leg is left."""
        self._it = it
        self._row = row
        self._allowance_ms = allowance_ms
        self._generation = int(it.generation[row]) + 1
        self._head = int(it.chunks_head[row])
        self._enqueued = self._flushed = int(it.consumed[row])
        self._kept: deque[Pcm] = deque()  # audio of chunks that the tick has not passed yet
        self._passed = self._head
        publish(it.generation, row, self._generation)

    @property
    def queued_ms(self) -> int:
        """Audio that waits."""
        consumed = observe(self._it.consumed, self._row)
        return (self._enqueued - max(consumed, self._flushed)) // SAMPLES_PER_MS

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        """Enqueue; False, and nothing taken, when the queue is full. `pcm` is not copied, and must not change."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"audio must be an int16 vector, got {pcm.dtype} {pcm.shape}")
        self._forget_passed()
        if len(self._kept) >= MAX_CHUNKS or self.queued_ms + pcm.size // SAMPLES_PER_MS > QUEUE_MS:
            return False
        pcm = np.ascontiguousarray(pcm)
        chunk = self._it.chunks[self._row, self._head % MAX_CHUNKS]
        chunk["address"], chunk["samples"] = pcm.ctypes.data, pcm.size
        chunk["playback"], chunk["last"], chunk["generation"] = playback, last, self._generation
        self._kept.append(pcm)
        self._enqueued += pcm.size
        self._head += 1
        publish(self._it.chunks_head, self._row, self._head)
        return True

    def stop(self) -> Played | None:
        """Drop what waits; where the running playback stood, None when there was none.

        `done` when nothing of it waited but its end.
        """
        generation, playback, samples = self._standing()
        runs = generation == self._generation
        self._forget_passed()
        head = self._it.chunks[self._row, self._passed % MAX_CHUNKS].copy() if self._kept else None
        if head is not None and head["generation"] != self._generation:
            head = None
        self.close()
        if runs:
            ends = head is not None and head["playback"] == playback and head["last"] and not head["samples"]
            return self.heard(playback, samples, done=bool(ends))
        return None if head is None else Played(int(head["playback"]), 0, False)

    def heard(self, playback: int, samples: int, *, done: bool) -> Played:
        """What the far end has heard when so many samples have left."""
        sent_ms = samples // SAMPLES_PER_MS
        return Played(playback, sent_ms if done else max(0, sent_ms - self._allowance_ms), done)

    def close(self) -> None:
        """Drop what waits. What is kept is freed once the tick has let go of the row."""
        self._generation += 1
        self._flushed = self._enqueued
        publish(self._it.generation, self._row, self._generation)

    def release(self) -> None:
        """The tick has let go of the row: free what is kept."""
        publish(self._it.chunks_tail, self._row, self._head)
        publish(self._it.consumed, self._row, self._enqueued)
        self._kept.clear()

    def _forget_passed(self) -> None:
        passed = observe(self._it.chunks_tail, self._row)
        while self._passed < passed:
            self._kept.popleft()
            self._passed += 1

    def _standing(self) -> tuple[int, int, int]:
        """Generation, playback and samples of what runs; the tick may be writing them."""
        standing = self._it.standing[self._row]
        for _ in range(_TRIES):
            version = observe(standing, _VERSION)
            found = observe(standing, _GENERATION), observe(standing, _PLAYBACK), observe(standing, _SAMPLES)
            if version % 2 == 0 and observe(standing, _VERSION) == version:
                return found
        return found  # the thread that writes stands still: what was read last is what there is

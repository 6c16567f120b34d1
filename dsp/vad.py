"""Voice activity: the probability that a person is speaking, by the Silero network at its native 8 kHz.

A tick brings 160 samples and a step takes 256, so a row takes a step in five ticks of eight, and rows need not be in
phase. The rows that are ready go through the network together (`dsp.silero`).

A row whose gate is closed (`dsp.gate`) takes no step: its probability is 0. Its samples are kept all the same, so the
step after the gate has opened sees up to 36 ms from before. What the network remembers fades meanwhile, slowly:
as it was left it hears a word 20 to 50 ms sooner than after a silence that it sat through, and later if it begins anew.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp import silero
from dsp.kernel import NARROW_TICK, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, i32, kernel, record
from dsp.silero import CHUNK, CONTEXT, INPUT, LAYERS, NETWORK, STATE, TILE, Layers, Network

FADING = 0.995
"""What is left of the network's memory after a step that was not taken: half after 4.4 s."""

_MIRRORED = INPUT - CONTEXT - CHUNK


class Listening(NamedTuple):
    """A row's past, and what all rows share."""

    filled: Rows  # new samples that wait in `pending`
    pending: Floats  # [C, CONTEXT + CHUNK]: those before the next step, and the new ones
    hidden: Floats  # [C, STATE]
    cell: Floats  # [C, STATE]
    ready: Rows  # [TILE]: rows that take a step
    x: Floats  # [TILE, INPUT]: their samples
    network: Network
    layers: Layers


_rows, _vector, _matrix = types.int32[::1], types.float32[::1], types.float32[:, ::1]
LISTENING = record([_rows, _matrix, _matrix, _matrix, _rows, _matrix, NETWORK, LAYERS], Listening)


def listening(capacity: int) -> Listening:
    """For `capacity` legs that begin."""
    return Listening(
        filled=np.zeros(capacity, np.int32),
        pending=np.zeros((capacity, CONTEXT + CHUNK), np.float32),
        hidden=np.zeros((capacity, STATE), np.float32),
        cell=np.zeros((capacity, STATE), np.float32),
        ready=np.zeros(TILE, np.int32),
        x=np.zeros((TILE, INPUT), np.float32),
        network=silero.network(),
        layers=silero.layers(),
    )


@kernel("boolean(i2[::1], i4[::1], f4[::1], f4[::1])")
def _take(tick: Pcm, filled: Rows, pending: Floats, x: Floats) -> bool:
    """Append a tick to `pending`, of which `filled` [1] is counted. If a chunk is complete it is in `x`, mirrored at
    its end; what is left begins the next."""
    at = filled[0]
    taken = min(tick.size, CHUNK - at)
    for i in range(taken):
        pending[CONTEXT + at + i] = f32(tick[i]) * f32(1 / 32768)
    filled[0] = at + taken
    if at + taken < CHUNK:
        return False
    for i in range(CONTEXT + CHUNK):
        x[i] = pending[i]
    for i in range(_MIRRORED):
        x[CONTEXT + CHUNK + i] = pending[CONTEXT + CHUNK - 2 - i]
    for i in range(CONTEXT):
        pending[i] = pending[CHUNK + i]
    left = tick.size - taken
    for i in range(left):
        pending[CONTEXT + i] = f32(tick[taken + i]) * f32(1 / 32768)
    filled[0] = left
    return True


@kernel(types.void(_rows, types.int16[:, ::1], types.uint8[::1], _vector, LISTENING))
def listen(rows: Rows, pcm: Pcm, awake: Bytes, probability: Floats, it: Listening) -> None:
    """One tick of `pcm` [C, 160]: where a row's chunk completes, its `probability` [C], 0 unless it is `awake`.

    A row whose chunk is not complete keeps what stands in `probability`, its latest.
    """
    count = 0
    for row in rows:
        if not _take(pcm[row], it.filled[row : row + 1], it.pending[row], it.x[count]):
            continue
        if awake[row]:
            it.ready[count] = row
            count += 1
        else:
            probability[row] = f32(0)
            for i in range(STATE):
                it.hidden[row, i] *= f32(FADING)
                it.cell[row, i] *= f32(FADING)
        if count == TILE:
            silero.step(it.ready, it.x, it.hidden, it.cell, probability, it.network, it.layers)
            count = 0
    silero.step(it.ready[:count], it.x, it.hidden, it.cell, probability, it.network, it.layers)


@kernel(types.void(LISTENING, types.int64))
def forget(it: Listening, row: int) -> None:
    """Another call begins in `row`."""
    it.filled[row] = i32(0)
    it.pending[row] = f32(0)
    it.hidden[row] = f32(0)
    it.cell[row] = f32(0)


class SileroVad:
    """Speech probability of `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._listening = listening(capacity)
        self._all_awake = np.ones(capacity, np.uint8)

    def process(self, rows: Rows, pcm8k: Pcm, probability: Floats, awake: Bytes | None = None) -> None:
        """Take one tick of `pcm8k` i16[C, 160]; where a row's step completes, write `probability` f32[C] 0..1.

        A row that is 0 in `awake` u8[C] takes no step: its probability is 0. A row whose step is not complete keeps
        what stands in `probability`, its latest.
        """
        awake = self._all_awake if awake is None else awake
        check_rows(rows, self._capacity)
        check_shape("pcm8k", pcm8k, (self._capacity, NARROW_TICK))
        check_shape("probability", probability, (self._capacity,))
        check_shape("awake", awake, (self._capacity,))
        listen(rows, pcm8k, awake, probability, self._listening)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._listening, row)

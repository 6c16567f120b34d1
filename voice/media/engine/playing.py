"""What a leg is told by the house in a tick: keys first, then what is queued to be played.

The event loop fills the queue and the tick drains it, without a lock: each counter has one writer. A stop raises the
generation, and the tick drops whatever carries an older one.
"""

from numba import types

from dsp.kernel import WIDE_TICK, Pcm, Rows, kernel
from voice.media.engine.copying import copy_samples, silence
from voice.media.engine.external import load_acquire, sample_at, store_release
from voice.media.engine.layout import LEGS, MAX_CHUNKS, MAX_KEYS, PLAYED, Records, Standing
from voice.media.engine.line import SPEAKING, Speaking
from voice.wire.dtmf import GAP_TICKS, KEY_TICKS

ECHO_TICKS = 25
"""A line gives back some of what is sent, half a second later at most: tones until then are not the far end's keys."""

_VERSION, _GENERATION, _PLAYBACK, _SAMPLES = map(int, Standing)


@kernel(types.boolean(LEGS, types.int64, SPEAKING))
def step_key(legs: Records, row: int, it: Speaking) -> bool:
    """Go on with the key that is pressed, or begin the next that waits: `key`, and in `key_tick` which tick of press
    and pause this is, from 1; False when there is none."""
    leg = legs[row]
    if leg.key_tick == KEY_TICKS + GAP_TICKS:
        leg.key_tick = 0
    if leg.key_tick == 0:
        tail = it.keys_tail[row]
        if tail == load_acquire(it.keys_head, row):
            return False
        leg.key = it.keys[row, tail % MAX_KEYS]
        store_release(it.keys_tail, row, tail + 1)
    leg.key_tick += 1
    return True


@kernel(types.boolean(LEGS, types.int64, SPEAKING))
def _keys_wait(legs: Records, row: int, it: Speaking) -> bool:
    pressed = 0 < legs[row].key_tick < KEY_TICKS + GAP_TICKS
    return bool(pressed or it.keys_tail[row] != load_acquire(it.keys_head, row))


@kernel(types.void(types.int64, SPEAKING, types.int64, types.int64, types.int64, types.int64))
def _mark(row: int, it: Speaking, tick: int, playback: int, samples: int, done: int) -> None:
    head = it.played_head[row]
    mark = it.played[row, head % PLAYED]
    mark.tick, mark.playback, mark.samples, mark.done = tick, playback, samples, done
    store_release(it.played_head, row, head + 1)


@kernel(types.boolean(LEGS, types.int64, SPEAKING, types.int64, types.int16[::1]))
def _play(legs: Records, row: int, it: Speaking, tick: int, out: Pcm) -> bool:
    """Fill `out` i16[320] from the queue; False when there was nothing to say."""
    leg, standing = legs[row], it.standing[row]
    generation = load_acquire(it.generation, row)
    head, tail = load_acquire(it.chunks_head, row), it.chunks_tail[row]
    playback, samples = standing[_PLAYBACK], standing[_SAMPLES]
    runs = standing[_GENERATION] == generation
    consumed, filled, spoke = it.consumed[row], 0, False
    while tail < head:
        chunk = it.chunks[row, tail % MAX_CHUNKS]
        if chunk.generation > generation:  # stopped and played anew since this tick began
            break
        if chunk.generation < generation:
            consumed += chunk.samples - leg.chunk_offset
            leg.chunk_offset = 0
            tail += 1
            continue
        if filled == WIDE_TICK and chunk.samples > 0:
            break
        if not runs or playback != chunk.playback:
            runs, playback, samples = True, chunk.playback, 0
        count = min(WIDE_TICK - filled, chunk.samples - leg.chunk_offset)
        for i in range(count):
            out[filled + i] = sample_at(chunk.address, leg.chunk_offset + i)
        filled += count
        spoke = True
        samples += count
        consumed += count
        leg.chunk_offset += count
        if leg.chunk_offset == chunk.samples:
            leg.chunk_offset = 0
            tail += 1
            if chunk.last:
                _mark(row, it, tick, playback, samples, 1)
                runs = False
    if spoke and runs:
        _mark(row, it, tick, playback, samples, 0)
    version = standing[_VERSION]
    store_release(standing, _VERSION, version + 1)
    store_release(standing, _GENERATION, generation if runs else -1)
    store_release(standing, _PLAYBACK, playback)
    store_release(standing, _SAMPLES, samples)
    store_release(standing, _VERSION, version + 2)
    store_release(it.consumed, row, consumed)
    store_release(it.chunks_tail, row, tail)
    silence(out, filled)
    return spoke


@kernel(types.void(types.int32[::1], types.int64, LEGS, SPEAKING))
def play(rows: Rows, tick: int, legs: Records, it: Speaking) -> None:
    """Fill the rows of `told` with what is played in this tick: silence on hold, while keys are sent, or towards
    nowhere; a room is silent to the leg then, too. Keys that are tones are all that is heard."""
    for row in rows:
        leg, out = legs[row], it.told[row]
        leg.audible = leg.sends and leg.reachable
        by_event = leg.event_type >= 0
        leg.keying = leg.toning = 0
        if by_event:
            leg.keying = _keys_wait(legs, row, it)
        elif leg.audible and leg.tones_allowed and step_key(legs, row, it):
            leg.toning = 1
            leg.echo_until = tick + ECHO_TICKS
        leg.playing = leg.toning
        deaf = not leg.audible or leg.keying or leg.toning
        it.deaf[row] = deaf
        it.parts[row] = leg.part
        if leg.toning and leg.key_tick <= KEY_TICKS:
            copy_samples(it.tones[leg.key, leg.key_tick - 1], out)
        elif not deaf and _play(legs, row, it, tick - leg.start, out):
            leg.playing = 1
        else:
            silence(out, 0)

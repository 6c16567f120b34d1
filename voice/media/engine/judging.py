"""The judging thread's work: what is heard, level, voice, keys and call progress. It never holds up a packet."""

from numba import types

from dsp import gain, gate, progress, tones, vad
from dsp.kernel import f32, kernel
from dsp.levels import measure_rows
from voice.media.engine.external import load_acquire, store_release
from voice.media.engine.layout import EPOCH, HEARD_TICKS, Counter
from voice.media.engine.shared import HEARD, JUDGEMENT, SHARED, Heard, Judgement, Shared

_UNJUDGED = int(Counter.UNJUDGED)
_TICK_S = f32(0.02)


@kernel(types.boolean(types.int64, HEARD, JUDGEMENT, SHARED))
def judge(slot: int, heard: Heard, it: Judgement, shared: Shared) -> bool:
    """Judge a slot's latest tick, if it is not judged yet; whether it was. A tick that another followed meanwhile is
    left out, and counted if there was anything in it: what it held is gone."""
    tick = load_acquire(shared.heard_slots, slot)
    before = shared.judged_slots[slot]
    if tick == before:
        return False
    turn = tick & 1
    if tick > before + 1 and before >= 0 and heard.counts[1 - turn, slot]:
        shared.counters[_UNJUDGED] += tick - before - 1
    rows = heard.rows[turn, slot, : heard.counts[turn, slot]]
    if rows.size == 0:
        store_release(shared.judged_slots, slot, tick)
        return True
    toned = heard.toned_rows[turn, slot, : heard.toned_counts[turn, slot]]
    followed = heard.followed_rows[turn, slot, : heard.followed_counts[turn, slot]]
    narrow = heard.narrow[turn]
    for row in rows:
        if it.epochs[row] != heard.epochs[turn, row]:
            it.epochs[row] = heard.epochs[turn, row]
            heard.voice[row] = 0
            for place in range(HEARD_TICKS):
                it.stamps[row, place] = -1
            vad.forget(it.listening, row)
            gate.forget(it.gating, row)
            gain.forget(heard.aiming, row)
            tones.forget(it.detecting, row)
            progress.forget(it.following, row)
        it.digit[row] = it.step[row] = 0
    measure_rows(rows, narrow, it.level, it.peak)
    gate.gate(rows, it.level, heard.voice, it.awake, it.gating)
    for row in rows:
        if heard.ours[turn, row]:
            it.awake[row] = 0
    vad.listen(rows, narrow, it.awake, heard.voice, it.listening)
    gain.aim(rows, it.level, heard.voice, _TICK_S, heard.aiming)
    tones.detect(toned, narrow, it.digit, it.detecting)
    progress.follow(followed, narrow, it.step, it.following)
    for row in rows:
        number = heard.numbers[turn, row]
        place = number % HEARD_TICKS
        it.stamps[row, place] = number
        it.levels[row, place] = it.level[row]
        it.voices[row, place] = heard.voice[row]
        it.digits[row, place] = 0 if heard.echoes[turn, row] else it.digit[row]
        it.steps[row, place] = it.step[row]
        store_release(it.judged, row, it.epochs[row] * EPOCH + number)
    store_release(shared.judged_slots, slot, tick)
    return True

"""The 20 ms of the line thread and of the judging thread, slot by slot, until they are told to stop.

A period has `SLOTS` parts. The packets of a slot are made in the part before and leave at its beginning: so a frame
leaves on the beat, however long its slot's work takes. Both threads sleep through slots that nobody is in, a period at
most: what the event loop asks for waits no longer.
"""

import numpy as np
from numba import types

from dsp.kernel import kernel
from voice.media.engine.external import load_acquire, nanosleep, store_release, write
from voice.media.engine.hearing import hear
from voice.media.engine.inbound import receive
from voice.media.engine.judging import judge
from voice.media.engine.layout import LATENESS, SEEKERS, SLOTS, STREAMS, Counter, Counters, Records
from voice.media.engine.line import HEARING, INBOUND, SPEAKING, Hearing, Inbound, Speaking
from voice.media.engine.obeying import obey
from voice.media.engine.outbound import hand_over, now_ns, send
from voice.media.engine.phase import seek
from voice.media.engine.playing import play
from voice.media.engine.shared import HEARD, JUDGEMENT, SHARED, Heard, Judgement, Shared
from voice.media.engine.speaking import speak

PERIOD_NS = 20_000_000
SLOT_NS = PERIOD_NS // SLOTS
BURST_TICKS = 5
"""Ticks made up for at once after a standstill; those before are left out. More would only flood the far buffer."""

_STOP, _TICK, _SKIPPED = int(Counter.STOP), int(Counter.TICK), int(Counter.SKIPPED)
_WORKED, _JUDGED, _OBEYED = int(Counter.WORKED), int(Counter.JUDGED), int(Counter.COMMANDS_TAIL)
_CARRIED = int(Counter.CARRIED_NS)


_LINES = (INBOUND, HEARING, SPEAKING, HEARD, SHARED, STREAMS)


@kernel(types.void(types.int64[::1], types.int64))
def _sleep(time: Counters, duration_ns: int) -> None:
    time[0], time[1] = duration_ns // 1_000_000_000, duration_ns % 1_000_000_000
    nanosleep(time.ctypes.data, 0)


@kernel(types.int64(types.int64, types.int64, HEARD, SHARED))
def _pass(part: int, most: int, heard: Heard, shared: Shared) -> int:
    """Go past the slots from `part` on that nobody is in, `most` of them: in their ticks there is nothing. How many
    they are. While a phase is looked for it is one: packets are waited for in every part."""
    for place in range(SEEKERS):
        if shared.seeking[place] >= 0:
            most = 1
    for passed in range(most):
        slot, tick = (part + passed) % SLOTS, (part + passed) // SLOTS
        if shared.slot_counts[slot]:
            return passed
        heard.counts[tick & 1, slot] = 0
        store_release(shared.heard_slots, slot, tick)
    return int(most)


@kernel(types.int64(types.int64, types.int64[::1], INBOUND, HEARING, SPEAKING, HEARD, SHARED))
def _work(
    part: int,
    time: Counters,
    inbound: Inbound,
    hearing: Hearing,
    speaking: Speaking,
    heard: Heard,
    shared: Shared,
) -> int:
    """A tick of the legs of a part, up to the packets that it is to send; when all that came was received, in
    nanoseconds."""
    slot, tick = part % SLOTS, part // SLOTS
    rows = shared.slot_rows[slot, : shared.slot_counts[slot]]
    receive(rows, tick, inbound, shared)
    received_ns = now_ns(time)
    hear(slot, tick, speaking.narrow, speaking.told, inbound, hearing, heard, shared)
    play(rows, tick, inbound.legs, speaking)
    speak(slot, tick, inbound.legs, hearing, speaking, shared)
    hand_over(rows, inbound, speaking)
    store_release(shared.heard_slots, slot, tick)
    return received_ns


@kernel(types.void(types.int64, types.int64, types.int64, types.int64[::1], *_LINES))
def run_lines(
    start_ns: int,
    first: int,
    parts: int,
    time: Counters,
    inbound: Inbound,
    hearing: Hearing,
    speaking: Speaking,
    heard: Heard,
    shared: Shared,
    staged: Records,
) -> None:
    """The line thread: from part `first` on, which is due at `start_ns`, until the event loop says stop. A `start_ns`
    of 0 is virtual time: so many `parts`, at once; what comes for a whole tick has no phase to be looked for."""
    counters = shared.counters
    part = first  # the slot whose packets are made next, counted on over ticks
    last = first + parts if start_ns == 0 else -1
    phases = start_ns != 0 or parts < SLOTS
    most = SLOTS if start_ns else 1
    due_ns = begun_ns = start_ns
    while load_acquire(counters, _STOP) == 0:
        slot = part % SLOTS
        obey(inbound, hearing, speaking, shared, staged)
        if phases:
            seek(part, inbound, shared)
        passed, carried_ns = _pass(part, most, heard, shared), 0
        if not passed:
            carried_ns = _work(part, time, inbound, hearing, speaking, heard, shared) - begun_ns
            passed = 1
        part += passed
        due_ns += (passed - 1) * SLOT_NS
        store_release(counters, _TICK, (part - 1) // SLOTS)
        if start_ns:
            now = now_ns(time)
            worked = counters[_WORKED]
            for n in range(passed):
                shared.work_ns[(worked + n) % LATENESS] = now - begun_ns
            store_release(counters, _WORKED, worked + passed)
            if due_ns > now:
                _sleep(time, due_ns - now)
            begun_ns = now_ns(time)
        rows = shared.slot_rows[slot, : shared.slot_counts[slot]]
        send(rows, due_ns, time, inbound, speaking, shared)
        begun_ns, sent_ns = now_ns(time), begun_ns
        store_release(counters, _CARRIED, counters[_CARRIED] + carried_ns + begun_ns - sent_ns)
        if start_ns == 0:
            if part == last:
                return
            continue
        behind = (begun_ns - due_ns) // PERIOD_NS
        if behind >= BURST_TICKS:
            skip = behind - (BURST_TICKS - 1)
            counters[_SKIPPED] += skip
            part += skip * SLOTS
            due_ns += skip * PERIOD_NS
        due_ns += SLOT_NS
    obey(inbound, hearing, speaking, shared, staged)


@kernel(types.int64(types.int64, SHARED))
def _until_next(part: int, shared: Shared) -> int:
    """Parts from `part` to the next whose slot somebody is in; a period where nobody is. One while the line thread is
    late: what it brings is not left for a period."""
    for slot in range(SLOTS):
        if load_acquire(shared.slot_counts, slot) and shared.judged_slots[slot] < (part - slot) // SLOTS:
            return 1
    for parts in range(1, SLOTS):
        if load_acquire(shared.slot_counts, (part + parts) % SLOTS):
            return parts
    return SLOTS


@kernel(types.void(types.int64, types.int64, types.int64[::1], HEARD, JUDGEMENT, SHARED))
def run_judging(start_ns: int, event_fd: int, time: Counters, heard: Heard, it: Judgement, shared: Shared) -> None:
    """The judging thread: looks at each slot when it is due to be heard, and wakes the event loop for what it judged
    and for commands that were obeyed. A `start_ns` of 0 is virtual time: what was heard, at once."""
    counters = shared.counters
    part, due_ns, told = 0, start_ns, 0
    while load_acquire(counters, _STOP) == 0:
        judged = 0
        for slot in range(SLOTS):
            early = start_ns and load_acquire(shared.heard_slots, slot) > (part - slot) // SLOTS
            if not early and judge(slot, heard, it, shared):
                judged += heard.counts[shared.judged_slots[slot] & 1, slot]
        if start_ns == 0:
            return
        obeyed = load_acquire(counters, _OBEYED)
        if judged or obeyed != told:
            told = obeyed
            count = counters[_JUDGED]
            shared.judged_ns[count % LATENESS] = now_ns(time) - due_ns
            store_release(counters, _JUDGED, count + 1)
            time[0] = 1
            write(np.int32(event_fd), time.ctypes.data, 8)
        parts = _until_next(part, shared)
        wait_ns = due_ns + parts * SLOT_NS - now_ns(time)
        if wait_ns > 0:
            _sleep(time, wait_ns)
        elif wait_ns < -PERIOD_NS:
            parts -= wait_ns // SLOT_NS
        part += parts
        due_ns += parts * SLOT_NS

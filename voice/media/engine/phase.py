"""The slot that fits a leg: the one that is worked on soon after its packets come.

A leg begins in the slot with the fewest, and there a packet waits for its turn for up to a period. So for a while it is
read in every slot, which tells when in the period its packets come. Then it goes to the slot after the latest of them,
if they keep to a part of the period. Two clocks are never the same, so later it is looked at again, and follows where
its packets have gone, but never by a period or more in all: recordings keep our time. In a room it stays where the
others are.
"""

from numba import types

from dsp.kernel import kernel
from voice.media.engine.inbound import receive_row
from voice.media.engine.layout import LEGS, SEEKERS, SLOTS, Records
from voice.media.engine.line import INBOUND, Inbound
from voice.media.engine.obeying import change_slot, displacement
from voice.media.engine.plan import arrange
from voice.media.engine.shared import SHARED, Shared

PACKETS = 10
"""After so many in a row that keep to their part it is known when they come."""
MAX_TICKS = 50
"""And after so long it is not: 1 s."""
SPREAD = 3
"""Parts of a period between the earliest and the latest of them, at most. With more jitter it is better that packets
come well before the leg's turn than that some miss it."""
WAITS = (1, 3)
"""Parts between the latest packet and its turn: the first is for jitter, more if the slot is full."""
SPARE = 8
"""A slot is full with a quarter more than the mean of legs, and so many."""

RESTS = 50
"""Then a leg is left alone for so many times as long as it was looked at: 10 s or so, 50 s where no phase was found."""

_SOUGHT, _FOUND = 1, 2  # `seeking`; 0: not yet


@kernel(types.void(types.int64, LEGS, SHARED))
def _begin(slot: int, legs: Records, shared: Shared) -> None:
    """Take legs of `slot` that a stream has reached, as far as there are places."""
    for i in range(shared.slot_counts[slot]):
        row = shared.slot_rows[slot, i]
        leg = legs[row]
        number = shared.heard_slots[slot] - leg.start
        rests = leg.seeking == _SOUGHT or number < leg.rests_until
        if rests or not leg.latched or leg.room > 0:
            continue
        for place in range(SEEKERS):
            if shared.seeking[place] < 0:
                shared.seeking[place] = row
                leg.seeking, leg.seeking_since, leg.phases = _SOUGHT, number, 0
                break


@kernel(types.void(types.int64, LEGS, SHARED))
def _move(row: int, legs: Records, shared: Shared) -> None:
    """A packet has just come, and the next tick takes it in, in the old slot or the new: so none is lost, and in the
    buffer it is as long as before. Who has been moved, or could have been, stays as long as the slot fits."""
    leg = legs[row]
    waits = (leg.slot - leg.phase - leg.latest) % SLOTS
    if leg.rests_until and WAITS[0] <= waits <= WAITS[1]:
        return
    legs_in_all = 0
    for slot in range(SLOTS):
        legs_in_all += shared.slot_counts[slot]
    for wait in range(WAITS[0], WAITS[1] + 1):
        slot = (leg.phase + leg.latest + wait) % SLOTS
        if slot == leg.slot or abs(displacement(row, slot, legs, shared)) >= SLOTS:
            return
        if (shared.slot_counts[slot] - SPARE) * SLOTS * 4 < legs_in_all * 5:
            change_slot(row, slot, legs, shared)
            arrange(slot, legs, shared)
            return


@kernel(types.void(types.int64, types.int64, LEGS))
def _rest(row: int, number: int, legs: Records) -> None:
    """The search is over with tick `number` of the leg."""
    leg = legs[row]
    leg.seeking, leg.rests_until = _FOUND, number + RESTS * (number - leg.seeking_since)


@kernel(types.boolean(types.int64, types.int64, INBOUND, SHARED))
def _goes_on(row: int, part: int, it: Inbound, shared: Shared) -> bool:
    """Read what has come by `part`; whether more has to come."""
    leg = it.legs[row]
    tick = shared.heard_slots[leg.slot] + 1
    if leg.seeking != _SOUGHT:  # another stream begins, or another leg
        return False
    number = tick - leg.start
    if leg.room > 0 or number - leg.seeking_since > MAX_TICKS:
        _rest(row, number, it.legs)
        return False
    before = leg.received
    receive_row(row, tick, it, shared)
    if leg.received == before:
        return True
    if leg.phases == 0:
        leg.phase = part % SLOTS
        leg.earliest = leg.latest = 0
    off = (part - leg.phase + SLOTS // 2) % SLOTS - SLOTS // 2
    leg.earliest, leg.latest = min(leg.earliest, off), max(leg.latest, off)
    leg.phases += 1
    if leg.latest - leg.earliest > SPREAD:  # jitter, or this thread was late: the next begins anew
        leg.phases = 0
    if leg.phases < PACKETS:
        return True
    _move(row, it.legs, shared)
    _rest(row, number, it.legs)
    return False


@kernel(types.void(types.int64, INBOUND, SHARED))
def seek(part: int, it: Inbound, shared: Shared) -> None:
    """Before the work of a part: what has come for those who are looked at. Whoever is to be is from the next part on,
    when all that waits now was read."""
    for place in range(SEEKERS):
        row = shared.seeking[place]
        if row >= 0 and not _goes_on(row, part, it, shared):
            shared.seeking[place] = -1
    _begin(part % SLOTS, it.legs, shared)

"""Who is worked on together: the legs of a slot by what is to be done with them, and its rooms."""

from numba import types

from dsp.kernel import Rows, kernel
from dsp.parts import Part
from voice.media.engine.layout import LEGS, Format, Records
from voice.media.engine.shared import SHARED, Shared

_COACHED, _COACH, _PARTY = int(Part.COACHED), int(Part.COACH), int(Part.PARTY)
_L16_8K = int(Format.L16_8K)


@kernel("boolean(i8, i8)")
def hears(part: int, other: int) -> bool:
    """`Part.hears`: whether what `other` says is told to a member that is `part`."""
    return other <= _COACHED or (other == _COACH and part != _PARTY)


@kernel(types.void(LEGS, types.int32[::1]))
def _connect(legs: Records, room: Rows) -> None:
    """Give each member of a room its company, those that it hears, and its passage, or none: the one that it hears, if
    both speak one format."""
    for row in room:
        leg = legs[row]
        heard, source = 0, -1
        for other in room:
            if other != row and hears(leg.part, legs[other].part):
                heard += 1
                source = other
        leg.company = heard
        leg.passage = source if heard == 1 and legs[source].format == leg.format else -1


@kernel(types.void(types.int64, LEGS, SHARED))
def arrange(slot: int, legs: Records, shared: Shared) -> None:
    """Draw up a slot's plan anew: legs came, went, or are not what they were."""
    rows = shared.slot_rows[slot, : shared.slot_counts[slot]]
    narrow = wide = tones = followed = echoes = wide_echoes = members = rooms = 0
    for row in rows:
        leg = legs[row]
        leg.passage, leg.company = -1, 0
        if leg.format <= _L16_8K:
            shared.narrow_rows[slot, narrow] = row
            narrow += 1
            if leg.cancels:
                shared.echo_rows[slot, echoes] = row
                echoes += 1
        else:
            shared.wide_rows[slot, wide] = row
            wide += 1
            if leg.cancels:
                shared.wide_echo_rows[slot, wide_echoes] = row
                wide_echoes += 1
        if leg.event_type < 0 and leg.tones_allowed:
            shared.tone_rows[slot, tones] = row
            tones += 1
        if leg.follows:
            shared.follow_rows[slot, followed] = row
            followed += 1
    for row in rows:
        room = legs[row].room
        if room <= 0:
            continue
        first = True
        for i in range(members):
            first &= legs[shared.member_rows[slot, i]].room != room
        if not first:
            continue
        begun = members
        for other in rows:
            if legs[other].room == room:
                shared.member_rows[slot, members] = other
                members += 1
        shared.room_sizes[slot, rooms] = members - begun
        rooms += 1
        _connect(legs, shared.member_rows[slot, begun:members])
    shared.narrow_counts[slot], shared.wide_counts[slot], shared.tone_counts[slot] = narrow, wide, tones
    shared.follow_counts[slot], shared.echo_counts[slot], shared.wide_echo_counts[slot] = followed, echoes, wide_echoes
    shared.member_counts[slot], shared.room_counts[slot] = members, rooms

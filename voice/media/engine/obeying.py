"""What the event loop asked for, done between two ticks of whoever it concerns."""

from numba import types

from dsp import echo, g722, limiter, noise, plc, polyphase, stretch
from dsp.jitter import clear_row, open_row, shift
from dsp.kernel import i32, kernel
from voice.media.engine.copying import copy, silence
from voice.media.engine.external import load_acquire, opus_encoder_ctl, store_release
from voice.media.engine.layout import (
    ADDRESS,
    CANDIDATES,
    COMMANDS,
    LEGS,
    SLOTS,
    STREAMS,
    Command,
    Counter,
    Counters,
    Format,
    Records,
)
from voice.media.engine.line import HEARING, INBOUND, SPEAKING, Hearing, Inbound, Speaking
from voice.media.engine.plan import arrange
from voice.media.engine.shared import SHARED, Shared
from voice.media.opus import SET_PACKET_LOSS

_OPEN, _CLOSE, _MOVE, _DIRECT, _DECLARE = (
    int(Command.OPEN),
    int(Command.CLOSE),
    int(Command.MOVE),
    int(Command.DIRECT),
    int(Command.DECLARE),
)
_ENTER, _SWITCH, _PACKETISE, _RENUMBER, _REFUSE_TONES, _SECURE, _FOLLOW, _EXPECT_LOSS, _ALLOW_PAUSES, _KEEP_ECHO = (
    int(Command.ENTER),
    int(Command.SWITCH),
    int(Command.PACKETISE),
    int(Command.RENUMBER),
    int(Command.REFUSE_TONES),
    int(Command.SECURE),
    int(Command.FOLLOW),
    int(Command.EXPECT_LOSS),
    int(Command.ALLOW_PAUSES),
    int(Command.KEEP_ECHO),
)
_HEAD, _TAIL, _MOVED = int(Counter.COMMANDS_HEAD), int(Counter.COMMANDS_TAIL), int(Counter.MOVED)
_PCMA = int(Format.PCMA)


@kernel(types.void(types.int64, HEARING, SPEAKING))
def _forget_sound(row: int, hearing: Hearing, speaking: Speaking) -> None:
    """Streams begin in `row`, or are over."""
    plc.forget(hearing.concealing, row)
    plc.forget(hearing.concealing_wide, row)
    stretch.forget(hearing.stretching, row)
    stretch.forget(hearing.stretching_wide, row)
    polyphase.forget(hearing.widening, row)
    polyphase.forget(hearing.narrowing, row)
    polyphase.forget(speaking.narrowing, row)
    echo.forget_cancelling(hearing.cancelling, row)
    echo.forget_cancelling(hearing.cancelling_wide, row)
    limiter.forget(hearing.limiting, row)
    g722.forget(hearing.g722, row)
    g722.forget(speaking.g722, row)
    silence(hearing.narrow[row], 0)
    silence(hearing.wide[row], 0)


@kernel(types.void(types.int64, INBOUND, STREAMS))
def _settle(row: int, it: Inbound, staged: Records) -> None:
    """Begin the streams that stand in `staged`."""
    leg, stream = it.legs[row], staged[row]
    leg.fd, leg.format = stream.fd, stream.format
    leg.units, leg.divisible = stream.units, stream.divisible
    leg.payload_type, leg.event_type = stream.payload_type, stream.event_type
    leg.former_type = leg.former_format = leg.noise_type = -1
    leg.packet_octets = leg.held = leg.held_since = 0
    leg.reachable = leg.declared = stream.reachable
    leg.latched = leg.resync_length = leg.seeking = leg.rests_until = 0
    for i in range(ADDRESS):
        it.remote[row, i] = it.declared[row, i] = stream.remote[i]
    for i in range(CANDIDATES):
        it.candidates[row, i].used = 0
    leg.out_ssrc, leg.out_sequence, leg.out_start = stream.out_ssrc, stream.out_sequence, stream.out_start
    leg.received = leg.sent = leg.sent_octets = leg.talking = leg.out_count = leg.silent_ticks = 0
    leg.marked = 1
    leg.seal, leg.open, leg.open_former, leg.sources = stream.seal, stream.open, stream.open_former, 0
    leg.decoder, leg.encoder = stream.decoder, stream.encoder
    leg.backlog = leg.following = leg.payload_size = leg.exact = 0
    leg.passed_from = -1
    open_row(it.buffers, row, leg.units, leg.divisible == 1)
    noise.forget(it.noising, row)


@kernel(types.void(types.int64, types.int64, INBOUND, SHARED))
def _open(row: int, slot: int, it: Inbound, shared: Shared) -> None:
    leg = it.legs[row]
    tick = shared.heard_slots[slot]
    leg.slot, leg.start, leg.last_tick = slot, tick + 1, tick
    leg.epoch += 1
    leg.sends = leg.receives = leg.tones_allowed = 1
    leg.follows = 0
    leg.room = leg.part = leg.late_frames = leg.key_tick = leg.echo_until = leg.chunk_offset = leg.playing = 0
    leg.displaced = leg.malformed = leg.foreign = leg.stray = leg.unexpected = 0
    leg.excess = leg.forged = leg.strange = leg.dropped_out = leg.unsent = 0
    leg.admitted_at = tick
    shared.slot_rows[slot, shared.slot_counts[slot]] = row
    shared.slot_counts[slot] += 1


@kernel(types.void(types.int64, LEGS, SHARED))
def _leave_slot(row: int, legs: Records, shared: Shared) -> None:
    leg = legs[row]
    count = shared.slot_counts[leg.slot]
    for i in range(count):
        if shared.slot_rows[leg.slot, i] == row:
            for k in range(i, count - 1):
                shared.slot_rows[leg.slot, k] = shared.slot_rows[leg.slot, k + 1]
            shared.slot_counts[leg.slot] = count - 1
            return


@kernel(types.boolean(types.int64, INBOUND, types.int64[::1]))
def _switch(row: int, it: Inbound, words: Counters) -> bool:
    """The leg speaks another format of the same clock. What is under way in the other law of G.711 is still heard as it
    was; of any other former format nothing is. Whether sound begins anew."""
    leg, format_, payload_type = it.legs[row], words[0], words[1]
    anew = bool(format_ != leg.format)
    leg.former_type = -1
    if format_ <= _PCMA and leg.format <= _PCMA:
        if payload_type != leg.payload_type:
            leg.former_type, leg.former_format = leg.payload_type, leg.format
        anew = False
    elif anew:
        clear_row(it.buffers, row, leg.units, leg.divisible == 1)
        leg.passed_from = -1
    leg.format, leg.payload_type, leg.decoder, leg.encoder = format_, payload_type, words[2], words[3]
    leg.held = leg.following = leg.exact = leg.backlog = 0
    return anew


@kernel(types.void(types.int64, INBOUND, types.int64[::1]))
def _declare(row: int, inbound: Inbound, words: Counters) -> None:
    """A new offer or answer names an address: one that changed opens the latch, the same one leaves it as it is."""
    leg, declared, remote = inbound.legs[row], inbound.declared[row], inbound.remote[row]
    same = leg.declared == 1
    for i in range(ADDRESS):
        octet = (words[i // 8] >> (8 * (i % 8))) & 0xFF
        same &= declared[i] == octet
        declared[i] = octet
    if same:
        return
    leg.declared = leg.reachable = 1
    leg.latched = 0
    copy(declared, remote, ADDRESS)
    for i in range(CANDIDATES):
        inbound.candidates[row, i].used = 0


@kernel(types.int64(types.int64, types.int64, LEGS, SHARED))
def displacement(row: int, slot: int, legs: Records, shared: Shared) -> int:
    """Parts of a period by which a leg's ticks would be later than where it was opened, went it to `slot` now."""
    leg = legs[row]
    ahead = shared.heard_slots[slot] - shared.heard_slots[leg.slot]
    return int(leg.displaced + ahead * SLOTS + slot - leg.slot)


@kernel(types.void(types.int64, types.int64, LEGS, SHARED))
def change_slot(row: int, slot: int, legs: Records, shared: Shared) -> None:
    """Whatever was worked on last, the leg's next tick is the one that follows in its own count. The new slot's plan is
    to be drawn up."""
    leg = legs[row]
    leg.displaced = displacement(row, slot, legs, shared)
    _leave_slot(row, legs, shared)
    arrange(leg.slot, legs, shared)
    ahead = shared.heard_slots[slot] - shared.heard_slots[leg.slot]
    leg.start += ahead
    leg.last_tick += ahead
    leg.admitted_at += ahead
    leg.echo_until += ahead
    leg.slot = slot
    shared.slot_rows[slot, shared.slot_counts[slot]] = row
    shared.slot_counts[slot] += 1
    store_release(shared.counters, _MOVED, shared.counters[_MOVED] + 1)


@kernel(types.boolean(types.int64[::1], INBOUND, SHARED, STREAMS))
def _do(command: Counters, it: Inbound, shared: Shared, staged: Records) -> bool:
    """Carry out a command; whether the leg's sound begins anew, or ends."""
    what, row, words = command[0], command[1], command[2:]
    leg, anew = it.legs[row], False
    if what == _OPEN:
        _open(row, words[0], it, shared)
        leg.cancels = words[1]
        _settle(row, it, staged)
        anew = True
    elif what == _CLOSE:
        _leave_slot(row, it.legs, shared)
        leg.out_count = leg.room = leg.seeking = 0
        anew = True  # whoever waits for what it held, as a canceller, does not wait for the row's next leg
    elif what == _MOVE:
        _settle(row, it, staged)
        anew = True
    elif what == _DIRECT:
        leg.sends, leg.receives = words[0], words[1]
    elif what == _DECLARE:
        _declare(row, it, words)
    elif what == _ENTER:
        leg.room, leg.part = words[0], words[1]
        if leg.room > 0 and words[2] != leg.slot:
            change_slot(row, words[2], it.legs, shared)
            shift(it.buffers, row)
    elif what == _SWITCH:
        anew = _switch(row, it, words)
    elif what == _PACKETISE:
        leg.packet_octets = words[0]
    elif what == _RENUMBER:
        leg.event_type = words[0]
    elif what == _REFUSE_TONES:
        leg.tones_allowed = 0
    elif what == _SECURE:
        if leg.open != words[1]:  # else the former key may be forgotten already
            leg.sources, leg.open_former = 0, words[2]
        leg.seal, leg.open = words[0], words[1]
    elif what == _FOLLOW:
        leg.follows = words[0]
    elif what == _EXPECT_LOSS:
        if leg.encoder:
            opus_encoder_ctl(leg.encoder, i32(SET_PACKET_LOSS), i32(words[0]))
    elif what == _ALLOW_PAUSES:
        leg.noise_type, leg.silent_ticks = words[0], 0
    elif what == _KEEP_ECHO:
        leg.cancels = 0
    arrange(leg.slot, it.legs, shared)
    return anew


@kernel(types.void(INBOUND, HEARING, SPEAKING, SHARED, STREAMS))
def obey(inbound: Inbound, hearing: Hearing, speaking: Speaking, shared: Shared, staged: Records) -> None:
    """Do what waits."""
    counters = shared.counters
    head, tail = load_acquire(counters, _HEAD), counters[_TAIL]
    while tail < head:
        command = shared.commands[tail % COMMANDS]
        row = command[1]
        if _do(command, inbound, shared, staged):
            _forget_sound(row, hearing, speaking)
        speaking.law[row] = min(inbound.legs[row].format, _PCMA)
        tail += 1
        store_release(counters, _TAIL, tail)

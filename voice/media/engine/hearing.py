"""From the jitter buffer to 16 kHz sound: for each leg one tick a tick, whatever came.

A tick takes one frame out of the buffer; none or two where the delay is being changed, and the stretcher joins them.
"""

import numpy as np
from numba import types

from dsp import echo, g711, g722, noise, stretch
from dsp.cells import LENGTH, SECOND, TAG
from dsp.jitter import CELL, FRAME, LOST, SILENCE, cover, moved, peek_next, pop, want
from dsp.kernel import NARROW_TICK, WIDE_TICK, Bytes, Pcm, Rows, f32, i16, i32, kernel
from dsp.limiter import limit
from dsp.plc import conceal
from dsp.polyphase import convert
from voice.media.engine.copying import copy, copy_samples, silence
from voice.media.engine.external import opus_decode
from voice.media.engine.layout import HEARD_TICKS, Format
from voice.media.engine.line import HEARING, INBOUND, Hearing, Inbound
from voice.media.engine.shared import HEARD, SHARED, Heard, Shared

QUIET = 0.3
"""Probability of voice under which nobody speaks, so that a change of delay goes unheard."""

_PCMA, _L16_8K, _G722, _OPUS = int(Format.PCMA), int(Format.L16_8K), int(Format.G722), int(Format.OPUS)
_LONGEST_OPUS = 1_920  # 120 ms (RFC 6716 section 2.1.4)
_TICK_MS = 20.0


@kernel(types.int64(INBOUND, types.int64, types.int64, HEARING))
def _fetch(inbound: Inbound, row: int, tick: int, it: Hearing) -> int:
    """The frame at the buffer's cursor, into `payload`; what kind it is. On hold it is silence, whatever came."""
    leg, buffers = inbound.legs[row], inbound.buffers
    kind = pop(buffers, row, tick - leg.start)
    if not leg.receives:
        return SILENCE
    if kind == FRAME:
        frame = buffers.frame[row]
        size = frame[LENGTH]
        copy(buffers.cells.octets[row, frame[CELL]], it.payload[row], size)
        leg.payload_size = size
    return int(kind)


@kernel("void(u1[::1], i2[::1])")
def _from_linear(octets: Bytes, out: Pcm) -> None:
    """Little-endian samples."""
    for i in range(out.size):
        out[i] = i16(np.uint16(octets[2 * i]) | (np.uint16(octets[2 * i + 1]) << np.uint16(8)))


@kernel(types.boolean(INBOUND, types.int64, types.int64, HEARING))
def _open_narrow(inbound: Inbound, row: int, tick: int, it: Hearing) -> bool:
    """One frame at 8 kHz; what is lost is marked, and made up with the others. Whether the far end pauses and has said
    how that sounds (RFC 3389)."""
    leg, out = inbound.legs[row], it.narrow[row]
    kind = _fetch(inbound, row, tick, it)
    it.lost[row] = kind == LOST
    if kind != FRAME:
        silence(out, 0)
    elif leg.format == _L16_8K:
        _from_linear(it.payload[row], out)
    else:
        tag = inbound.buffers.frame[row, TAG]
        g711.decode_into(it.payload[row, :NARROW_TICK], tag, out)
        leg.exact = tag == leg.format
    return bool(kind == SILENCE and leg.receives and inbound.noising.told_dbfs[row] <= 0)


@kernel(types.int64(types.int64, types.uint8[::1], types.int64, types.int16[::1], types.int64, types.int64))
def _run_opus(decoder: int, payload: Bytes, size: int, out: Pcm, most: int, fec: int) -> int:
    address = payload.ctypes.data if size else 0
    return int(opus_decode(decoder, address, i32(size), out.ctypes.data, i32(most), i32(fec)))


@kernel(types.int64(INBOUND, types.int64, types.int64, HEARING))
def _decode_opus(inbound: Inbound, row: int, held: int, it: Hearing) -> int:
    """Decode the frame that was fetched, one packet or two, behind the `held` samples of the backlog; how many it
    holds then."""
    leg, backlog, size = inbound.legs[row], it.backlog[row], inbound.legs[row].payload_size
    second = inbound.buffers.cells.marks[row, inbound.buffers.frame[row, CELL], SECOND]
    leg.exact = held == 0 and second == 0
    begin = 0
    for end in (second if second else size, size):
        if begin < end:
            most = min(_LONGEST_OPUS, backlog.size - held)
            got = _run_opus(leg.decoder, it.payload[row, begin:], end - begin, backlog[held:], most, 0)
            if got < 0:
                leg.malformed += 1
            leg.exact &= got == WIDE_TICK
            held += max(got, 0)
            begin = end
    return int(held)


@kernel(types.void(INBOUND, types.int64, types.int64, HEARING))
def _open_opus(inbound: Inbound, row: int, tick: int, it: Hearing) -> None:
    """Packets of any duration: what a long one holds beyond this tick is kept for the next ones, which are then no
    loss. A hole is libopus's to fill, from the packet after it where that carries the frame again (in-band FEC)."""
    leg, out, backlog = inbound.legs[row], it.wide[row], it.backlog[row]
    held = leg.backlog
    kind = FRAME
    if held < WIDE_TICK:
        kind = _fetch(inbound, row, tick, it)
    if held < WIDE_TICK and kind == FRAME:
        held = _decode_opus(inbound, row, held, it)
        if held >= 2 * WIDE_TICK:  # the packets that follow lie behind all of it
            cover(inbound.buffers, row, held // WIDE_TICK - 1)
    if held < WIDE_TICK:
        got = -1
        following = peek_next(inbound.buffers, row) if kind == LOST else -1
        if following >= 0 and held == 0:
            cells = inbound.buffers.cells
            mark = cells.marks[row, following]
            size = mark[SECOND] if mark[SECOND] else mark[LENGTH]
            got = _run_opus(leg.decoder, cells.octets[row, following], size, backlog, WIDE_TICK, 1)
        if got != WIDE_TICK:
            got = _run_opus(leg.decoder, it.payload[row], 0, backlog[held:], WIDE_TICK - held, 0)
        held += max(got, 0)
    for i in range(held, WIDE_TICK):
        backlog[i] = i16(0)
    held = max(held, WIDE_TICK)
    if leg.receives:
        copy_samples(backlog, out)
    else:
        silence(out, 0)
    for i in range(held - WIDE_TICK):
        backlog[i] = backlog[WIDE_TICK + i]
    leg.backlog = held - WIDE_TICK


@kernel(types.void(INBOUND, types.int64, types.int64, HEARING))
def _open_wide(inbound: Inbound, row: int, tick: int, it: Hearing) -> None:
    """One frame at 16 kHz, of G.722 or plain samples."""
    leg, out = inbound.legs[row], it.wide[row]
    kind = _fetch(inbound, row, tick, it)
    it.lost[row] = kind == LOST
    if kind != FRAME:
        silence(out, 0)
        return
    leg.exact = 1
    if leg.format == _G722:
        copy(it.payload[row], it.octets[row], NARROW_TICK)
        it.one[0] = row
        g722.decode(it.one, it.octets, it.wide, it.g722)
    else:
        _from_linear(it.payload[row], out)


@kernel(types.int64(types.int32[::1], types.int64, INBOUND, HEARING, stretch.STRETCHING))
def _plan(rows: Rows, tick: int, inbound: Inbound, it: Hearing, line: stretch.Stretching) -> int:
    """How many frames each row takes in this tick; the most that any does."""
    most = 0
    samples = line.line.shape[1] // 4
    for row in rows:
        leg = inbound.legs[row]
        leg.exact = 0
        held_ms = f32(line.held[row] * _TICK_MS / samples + leg.backlog // 16)
        take = min(stretch.needed(line, row, want(inbound.buffers, row, tick - leg.start, held_ms)), 2)
        it.take[row] = take
        it.whole[row] = take == 1 and line.held[row] == 0
        most = max(most, take)
    return most


@kernel(types.void(types.int32[::1], types.int64, INBOUND, HEARING, stretch.STRETCHING))
def _settle(rows: Rows, tick: int, inbound: Inbound, it: Hearing, line: stretch.Stretching) -> None:
    """A payload may go on in place of a tick that is its sound and nothing else."""
    samples = line.line.shape[1] // 4
    for row in rows:
        leg = inbound.legs[row]
        if not it.whole[row] or line.moved[row] != 0 or line.held[row] != 0:
            leg.exact = 0
        if line.moved[row] != 0:
            moved(inbound.buffers, row, tick - leg.start, f32(line.moved[row] * _TICK_MS / samples))


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.int16[:, ::1], INBOUND, echo.CANCELLING))
def _cancel(rows: Rows, said: Pcm, heard: Pcm, inbound: Inbound, line: echo.Cancelling) -> None:
    """What comes back of what was `said` is taken out of `heard`; payloads, which hold it, do not go on as they are."""
    echo.cancel(rows, said, heard, line)
    for row in rows:
        if line.slot[row] >= 0:
            inbound.legs[row].exact = 0


@kernel(types.void(types.int32[::1], types.int32[::1], types.int64, types.int16[:, ::1], INBOUND, HEARING))
def _hear_narrow(rows: Rows, echoing: Rows, tick: int, said: Pcm, inbound: Inbound, it: Hearing) -> None:
    """`said` i16[C, 160] is what each leg was told in the tick before, of which `echoing` may give some back."""
    for turn in range(_plan(rows, tick, inbound, it, it.stretching)):
        taking = noised = 0
        for row in rows:
            if it.take[row] > turn:
                if _open_narrow(inbound, row, tick, it):
                    it.noised[noised] = row
                    noised += 1
                it.taking[taking] = row
                taking += 1
        noise.generate(it.noised[:noised], it.narrow, False, inbound.noising)
        conceal(it.taking[:taking], it.narrow, it.lost, it.concealing)
        stretch.feed(it.taking[:taking], it.narrow, it.stretching)
    stretch.stretch(rows, it.quiet, it.narrow, it.stretching)
    _settle(rows, tick, inbound, it, it.stretching)
    _cancel(echoing, said, it.narrow, inbound, it.cancelling)
    convert(rows, it.narrow, it.wide, it.widening)


@kernel(types.void(types.int32[::1], types.int32[::1], types.int64, types.int16[:, ::1], INBOUND, HEARING))
def _hear_wide(rows: Rows, echoing: Rows, tick: int, said: Pcm, inbound: Inbound, it: Hearing) -> None:
    """The same of legs at 16 kHz; `said` i16[C, 320]."""
    for turn in range(_plan(rows, tick, inbound, it, it.stretching_wide)):
        taking = concealed = 0
        for row in rows:
            if it.take[row] <= turn:
                continue
            it.taking[taking] = row
            taking += 1
            if inbound.legs[row].format == _OPUS:
                _open_opus(inbound, row, tick, it)
            else:
                _open_wide(inbound, row, tick, it)
                it.concealed[concealed] = row
                concealed += 1
        conceal(it.concealed[:concealed], it.wide, it.lost, it.concealing_wide)
        stretch.feed(it.taking[:taking], it.wide, it.stretching_wide)
    stretch.stretch(rows, it.quiet, it.wide, it.stretching_wide)
    _settle(rows, tick, inbound, it, it.stretching_wide)
    _cancel(echoing, said, it.wide, inbound, it.cancelling_wide)
    convert(rows, it.wide, it.narrow, it.narrowing)


_SAID = types.int16[:, ::1]


@kernel(types.void(types.int64, types.int64, _SAID, _SAID, INBOUND, HEARING, HEARD, SHARED))
def hear(
    slot: int, tick: int, said: Pcm, said_wide: Pcm, inbound: Inbound, it: Hearing, heard: Heard, shared: Shared
) -> None:
    """One tick of a slot's legs, into `wide` and, where it stands for a while, into `heard`; what there is to be judged
    goes to the judging thread. `said` i16[C, 160] and `said_wide` i16[C, 320]: what the legs were told in the tick
    before, each at its own rate."""
    rows = shared.slot_rows[slot, : shared.slot_counts[slot]]
    narrow = shared.narrow_rows[slot, : shared.narrow_counts[slot]]
    wide = shared.wide_rows[slot, : shared.wide_counts[slot]]
    for row in rows:
        it.quiet[row] = heard.voice[row] < QUIET
    if narrow.size:
        echoing = shared.echo_rows[slot, : shared.echo_counts[slot]]
        _hear_narrow(narrow, echoing, tick, said, inbound, it)
    if wide.size:
        echoing = shared.wide_echo_rows[slot, : shared.wide_echo_counts[slot]]
        _hear_wide(wide, echoing, tick, said_wide, inbound, it)
    for row in rows:
        copy_samples(it.wide[row], it.levelled[row])
    limit(rows, it.levelled, heard.aiming.gain_db, it.limiting)
    turn = tick & 1
    toned = shared.tone_rows[slot, : shared.tone_counts[slot]]
    followed = shared.follow_rows[slot, : shared.follow_counts[slot]]
    for i in range(rows.size):
        row = rows[i]
        leg = inbound.legs[row]
        number = tick - leg.start
        copy_samples(it.wide[row], it.heard[row, number % HEARD_TICKS])
        copy_samples(it.levelled[row], it.for_ears[row, number % HEARD_TICKS])
        copy_samples(it.narrow[row], heard.narrow[turn, row])
        heard.rows[turn, slot, i] = row
        heard.numbers[turn, row] = number
        heard.epochs[turn, row] = leg.epoch
        heard.echoes[turn, row] = tick <= leg.echo_until
        heard.ours[turn, row] = it.cancelling.ours[row] | it.cancelling_wide.ours[row]
    heard.counts[turn, slot] = rows.size
    for i in range(toned.size):
        heard.toned_rows[turn, slot, i] = toned[i]
    heard.toned_counts[turn, slot] = toned.size
    for i in range(followed.size):
        heard.followed_rows[turn, slot, i] = followed[i]
    heard.followed_counts[turn, slot] = followed.size

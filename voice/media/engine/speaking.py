"""From the mix to packets: frames are encoded, or another's passed on as they came, and cut to the length agreed on.

Timestamps follow the ticks, sent or not; sequence numbers the packets (RFC 3550 section 5.1, RFC 3551 section 4.1).
"""

import numpy as np
from numba import types

from dsp import g711, g722, noise
from dsp.kernel import NARROW_TICK, WIDE_TICK, Bytes, Pcm, Rows, f32, i16, i32, kernel
from dsp.mix import mix
from dsp.polyphase import convert
from voice.media.engine.copying import copy, copy_samples
from voice.media.engine.external import opus_encode, srtp_protect
from voice.media.engine.layout import HEADER, HEARD_TICKS, LEGS, MAX_OUT, Format, Records
from voice.media.engine.line import HEARING, SPEAKING, Hearing, Speaking
from voice.media.engine.playing import step_key
from voice.media.engine.shared import SHARED, Shared
from voice.wire.dtmf import KEY_TICKS

_PCMA, _G722, _OPUS, _L16_8K = int(Format.PCMA), int(Format.G722), int(Format.OPUS), int(Format.L16_8K)
_END_REPEATS = 3  # RFC 4733 section 2.5.1.4
_VOLUME = 10  # -10 dBm0
_LARGEST_OPUS = 1_200
_UNSENT_OPUS = 2  # octets: a frame of no more is none, in a pause (RFC 7587 section 3.1.3)
_PAUSE_AFTER, _PAUSE_RENEWED = 10, 20  # ticks: what Opus does, too
_NOISE_LEVEL = round(-noise.SOFTEST_GUESS_DBFS)
_AHEAD = g722.Encoder.DELAY_SAMPLES


@kernel("void(u1[::1], i8, i8, i8)")
def _write(packet: Bytes, at: int, octets: int, value: int) -> None:
    for i in range(octets):
        packet[at + i] = (value >> (8 * (octets - 1 - i))) & 0xFF


@kernel(types.void(LEGS, types.int64, SPEAKING, types.int64, types.int64, types.boolean, types.uint8[::1], types.int64))
def _emit(
    legs: Records, row: int, it: Speaking, kind: int, stamp: int, marker: bool, payload: Bytes, size: int
) -> None:
    """Put a packet down to be sent, sealed where keys are agreed on."""
    leg = legs[row]
    if leg.out_count == MAX_OUT:
        leg.unsent += 1
        return
    packet = it.out[row, leg.out_count]
    packet[0] = 0x80
    packet[1] = (np.int64(marker) << 7) | kind
    _write(packet, 2, 2, leg.out_sequence)
    _write(packet, 4, 4, stamp)
    _write(packet, 8, 4, leg.out_ssrc)
    copy(payload, packet[HEADER:], size)
    leg.out_sequence = (leg.out_sequence + 1) & 0xFFFF
    leg.sent += 1
    leg.sent_octets += size
    length = it.length
    length[0] = HEADER + size
    if leg.seal and srtp_protect(leg.seal, packet.ctypes.data, length.ctypes.data) != 0:
        leg.unsent += 1
        return
    it.out_sizes[row, leg.out_count] = length[0]
    leg.out_count += 1


@kernel(types.int64(LEGS, types.int64, types.int64))
def _stamp(legs: Records, row: int, tick: int) -> int:
    leg = legs[row]
    return int((leg.out_start + (tick - leg.start) * leg.units) & 0xFFFFFFFF)


@kernel(types.void(LEGS, types.int64, SPEAKING, types.int64, types.boolean, types.uint8[::1], types.int64))
def _packetise(legs: Records, row: int, it: Speaking, tick: int, talking: bool, payload: Bytes, size: int) -> None:
    """The packets that the frame of `tick` completes; the marker stands where talk begins."""
    leg, stamp = legs[row], _stamp(legs, row, tick)
    if leg.held and (stamp - leg.held_since) & 0xFFFFFFFF != leg.held:  # ticks were left out
        leg.held = 0
    if leg.held == 0:
        leg.held_since = stamp
    if talking and not leg.talking:
        leg.marked = 1
    leg.talking = talking
    if leg.held == 0 and leg.packet_octets in (0, size):
        _emit(legs, row, it, leg.payload_type, stamp, leg.marked == 1, payload, size)
        leg.marked = 0
        return
    held = it.held[row]
    copy(payload, held[leg.held :], size)
    leg.held += size
    want = leg.packet_octets if leg.packet_octets else leg.held
    while leg.held >= want > 0:
        _emit(legs, row, it, leg.payload_type, leg.held_since, leg.marked == 1, held, want)
        leg.marked = 0
        left = leg.held - want
        for i in range(left):
            held[i] = held[want + i]
        leg.held = left
        leg.held_since = (leg.held_since + want) & 0xFFFFFFFF


@kernel(types.void(LEGS, types.int64, SPEAKING, types.int64))
def _key_packet(legs: Records, row: int, it: Speaking, tick: int) -> None:
    """The telephone-event of this tick (RFC 4733), none in the pause after a key."""
    leg, stamp = legs[row], _stamp(legs, row, tick)
    leg.talking = leg.held = leg.silent_ticks = 0
    if not step_key(legs, row, it):
        return
    if leg.key_tick == 1:
        leg.key_stamp = stamp
    if leg.key_tick >= KEY_TICKS + _END_REPEATS:
        return
    event = it.event
    event[0] = leg.key
    event[1] = (0x80 if leg.key_tick >= KEY_TICKS else 0) | _VOLUME
    _write(event, 2, 2, min(leg.key_tick, KEY_TICKS) * leg.units)
    _emit(legs, row, it, leg.event_type, leg.key_stamp, leg.key_tick == 1, event, 4)


@kernel(types.boolean(LEGS, types.int64, types.boolean))
def _pauses(legs: Records, row: int, talking: bool) -> bool:
    """Whether so long nobody has said anything to a leg that packets may stop; a packet that was begun is filled
    first. Whoever is with others hears them, silent or not."""
    leg = legs[row]
    if talking or leg.company:
        leg.silent_ticks = 0
    elif leg.silent_ticks < _PAUSE_AFTER or leg.held == 0:
        leg.silent_ticks += 1
    return bool(leg.silent_ticks > _PAUSE_AFTER)


@kernel(types.void(LEGS, types.int64, SPEAKING, types.int64))
def _noise_packet(legs: Records, row: int, it: Speaking, tick: int) -> None:
    """In a pause: comfort noise in place of packets, at once and then now and then (RFC 3389 section 4). Silence is
    always the same, so its level never changes: it is told again because a packet may be lost, and because NATs and
    far ends forget who is silent. What comes after a pause has the marker (RFC 3551 section 4.1)."""
    leg = legs[row]
    leg.talking, leg.marked = 0, 1
    if (leg.silent_ticks - _PAUSE_AFTER - 1) % _PAUSE_RENEWED == 0:
        it.event[0] = _NOISE_LEVEL
        _emit(legs, row, it, leg.noise_type, _stamp(legs, row, tick), False, it.event, 1)


@kernel(types.int64(LEGS, types.int64, types.int32[::1], types.int32[::1], HEARING))
def _passed(legs: Records, row: int, rows: Rows, sizes: Rows, hearing: Hearing) -> int:
    """The row whose payload of this tick goes on to `row` as it came; -1: the mix is to be encoded. Whatever is played
    in the room, all in it hear."""
    source = legs[row].passage
    if source < 0 or not legs[source].exact:
        return -1
    begin = 0
    for size in sizes:
        room = rows[begin : begin + size]
        begin += size
        here = playing = False
        for member in room:
            here |= member == row
            playing |= legs[member].playing == 1
        if here:
            return -1 if playing else int(source)
    return -1


@kernel(types.void(LEGS, types.int64, types.int64, SPEAKING, HEARING, types.uint8[::1]))
def _g711_frame(legs: Records, row: int, source: int, it: Speaking, hearing: Hearing, out: Bytes) -> None:
    """The mix is 6 ms later than what is passed on, by the two filters on its way: a frame in which one fades into the
    other leads between them, a step would click."""
    leg = legs[row]
    former = leg.passed_from
    leg.passed_from = source
    if source >= 0 and former >= 0:
        copy(hearing.payload[source], out, NARROW_TICK)
        return
    if source < 0 and former < 0:
        copy(it.octets[row], out, NARROW_TICK)
        return
    passed = hearing.narrow[max(source, former)]
    for i in range(NARROW_TICK):
        to_mix = f32(i) / f32(NARROW_TICK)
        weight = to_mix if source < 0 else f32(1) - to_mix
        it.faded[i] = i16(i32(np.rint(f32(it.narrow[row, i]) * weight + f32(passed[i]) * (f32(1) - weight))))
    g711.encode_into(it.faded[:NARROW_TICK], int(it.law[row]), out[:NARROW_TICK])


@kernel(types.void(g722.CODING, types.int64, g722.CODING))
def _copy_coder(it: g722.Coding, row: int, into: g722.Coding) -> None:
    for band in range(2):
        for i in range(it.bands.shape[2]):
            into.bands[0, band, i] = it.bands[row, band, i]
        for i in range(it.pasts.shape[2]):
            into.pasts[0, band, i] = it.pasts[row, band, i]


@kernel(types.void(LEGS, types.int64, types.int64, SPEAKING, HEARING, types.uint8[::1]))
def _g722_frame(legs: Records, row: int, source: int, it: Speaking, hearing: Hearing, out: Bytes) -> None:
    """Encoder and decoder keep one state, and where they do not, the step width is heard as a burst: so this end takes
    its state from what is passed on. That is ahead of the mix by the mirror filters: there is a slip each way."""
    leg, said, told = legs[row], it.told16, it.told[row]
    one = it.one
    one[0] = 0
    coder = g722.Coding(it.g722.bands[row : row + 1], it.g722.pasts[row : row + 1], it.g722.halves)
    count = WIDE_TICK - _AHEAD
    if source >= 0:
        if leg.following:
            copy(hearing.payload[source], out, NARROW_TICK)
        else:
            for i in range(count):
                ahead = f32(i) / f32(count)
                mixed = f32(told[i]) * (f32(1) - ahead) + f32(told[i + _AHEAD]) * ahead
                said[0, i] = i16(i32(np.rint(mixed)))
            copy_samples(told[count:], said[0, count:])
            _copy_coder(it.g722, row, it.turning)
            g722.encode(one, said, it.octets16, it.turning)
            copy(hearing.payload[source], out, NARROW_TICK)
            copy(it.octets16[0], out, count // 2)
        copy(out, it.octets16[0], NARROW_TICK)
        g722.follow(one, it.octets16, coder)
        leg.following = 1
        return
    copy_samples(told, said[0])
    if leg.following:
        leg.following = 0
        g722.fill(coder, 0, told[:_AHEAD])
        for i in range(count):
            behind = f32(i) / f32(count)
            mixed = f32(told[i + _AHEAD]) * (f32(1) - behind) + f32(told[i]) * behind
            said[0, i] = i16(i32(np.rint(mixed)))
    g722.encode(one, said, it.octets16, coder)
    copy(it.octets16[0], out, NARROW_TICK)


@kernel(types.int64(LEGS, types.int64, types.int64, SPEAKING, HEARING, types.uint8[::1]))
def _opus_frame(legs: Records, row: int, source: int, it: Speaking, hearing: Hearing, out: Bytes) -> int:
    """An encoder that goes on from older sound clicks; one that is first given the frame before joins as well as one
    that was given them all, and so costs nothing meanwhile."""
    leg, told = legs[row], it.told[row]
    if source >= 0:
        size = legs[source].payload_size
        copy(hearing.payload[source], out, size)
        copy_samples(told, it.before[row])
        leg.following = 1
        return int(size)
    if leg.following:
        leg.following = 0
        opus_encode(leg.encoder, it.before[row].ctypes.data, i32(WIDE_TICK), out.ctypes.data, i32(_LARGEST_OPUS))
    return int(opus_encode(leg.encoder, told.ctypes.data, i32(WIDE_TICK), out.ctypes.data, i32(_LARGEST_OPUS)))


@kernel(types.int64(LEGS, types.int64, SPEAKING, types.uint8[::1]))
def _linear_frame(legs: Records, row: int, it: Speaking, out: Bytes) -> int:
    """Little-endian samples, as streams bring them."""
    narrow = legs[row].format == _L16_8K
    count = NARROW_TICK if narrow else WIDE_TICK
    for i in range(count):
        sample = np.int64(it.narrow[row, i] if narrow else it.told[row, i])
        out[2 * i], out[2 * i + 1] = sample & 0xFF, (sample >> 8) & 0xFF
    return 2 * count


@kernel(types.boolean(types.int16[::1]))
def _sounds(pcm: Pcm) -> bool:
    for sample in pcm:  # noqa: SIM110 - a generator would not compile
        if sample != 0:
            return True
    return False


@kernel(types.void(types.int64, types.int64, LEGS, HEARING, SPEAKING, SHARED))
def speak(slot: int, tick: int, legs: Records, hearing: Hearing, it: Speaking, shared: Shared) -> None:
    """Mix the rooms of a slot and make the packets of its legs; `told` holds what is played to each."""
    rows = shared.slot_rows[slot, : shared.slot_counts[slot]]
    members = shared.member_rows[slot, : shared.member_counts[slot]]
    sizes = shared.room_sizes[slot, : shared.room_counts[slot]]
    if members.size:
        mix(members, sizes, it.parts, it.deaf, hearing.wide, it.told, it.mixing)
    narrow_rows = shared.narrow_rows[slot, : shared.narrow_counts[slot]]
    convert(narrow_rows, it.told, it.narrow, it.narrowing)
    g711.encode_rows(narrow_rows, it.narrow, it.law, it.octets)
    payload = it.payload
    for row in rows:
        leg, told = legs[row], it.told[row]
        copy_samples(told, it.said[row, (tick - leg.start) % HEARD_TICKS])
        missed = tick - leg.last_tick - 1
        leg.last_tick = tick
        leg.out_count = 0
        if not leg.audible:
            leg.talking = leg.held = leg.silent_ticks = 0
            leg.passed_from = -1
            continue
        talking = leg.playing == 1 or _sounds(told)
        if leg.keying:
            leg.passed_from = -1
            _key_packet(legs, row, it, tick)
        elif leg.noise_type >= 0 and _pauses(legs, row, talking):
            _noise_packet(legs, row, it, tick)
        else:
            source = _passed(legs, row, members, sizes, hearing)
            size = NARROW_TICK
            if leg.format <= _PCMA:
                _g711_frame(legs, row, source, it, hearing, payload)
            elif leg.format == _G722:
                _g722_frame(legs, row, source, it, hearing, payload)
            elif leg.format == _OPUS:
                size = _opus_frame(legs, row, source, it, hearing, payload)
            elif source >= 0 and leg.format != _L16_8K:
                size = 2 * WIDE_TICK
                copy(hearing.payload[source], payload, size)
            else:
                size = _linear_frame(legs, row, it, payload)
            if leg.format == _OPUS and size <= _UNSENT_OPUS:
                leg.marked = 1
            else:
                _packetise(legs, row, it, tick, talking, payload, size)
        if leg.out_count:
            leg.late_frames += missed

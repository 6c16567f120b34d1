"""From the network into the jitter buffer: whose packets a leg believes, and where each goes.

SDP names an address, but a caller behind NAT sends from another. So a leg latches on to the source that really sends,
and only after its packets have proved to be one stream: whoever merely hits the port with single datagrams gets neither
in nor a copy of what we say (the "RTP bleed" of careless latching).
"""

import numpy as np
from numba import types

from dsp import noise
from dsp.jitter import pause, push, skip
from dsp.kernel import NARROW_TICK, WIDE_TICK, Bytes, Rows, kernel
from voice.media.engine.copying import copy
from voice.media.engine.external import (
    DONT_WAIT,
    load_acquire,
    recvfrom,
    recvmmsg,
    srtp_unprotect,
    store_release,
)
from voice.media.engine.layout import (
    ADDRESS,
    ASIDE,
    CANDIDATES,
    FAMILY_AT,
    FRAME_OCTETS,
    HEADER,
    INET6,
    PACKET,
    RING_PACKETS,
    SOURCES,
    Counter,
    Format,
)
from voice.media.engine.line import INBOUND, Inbound
from voice.media.engine.shared import SHARED, Shared

PROOF_PACKETS = 3
"""Consecutive packets of one stream from one source before it is believed."""
RELATCH_TICKS = 100
"""Silence after which another source may take over: 2 s."""
MAX_PER_TICK = 16
"""Packets taken in one tick from the far end (a burst of 320 ms), and as many from anyone else.

What is beyond is read, dropped and counted: a flood from elsewhere does not push the far end's packets out.
"""
MAX_DRAINED = 512
"""Packets read off a socket in one tick at most; the kernel drops the rest itself."""
MAX_ASIDE = 8
"""Packets of a leg that go to the event loop in one tick: keys and reports, of which there is one at a time."""
COMFORT_NOISE = 13
"""Static payload type of RFC 3389: the far end is silent on purpose."""

_RESYNC_PACKETS = 2  # of another stream, or of another count, from the right source (RFC 3550 A.1)
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100

_ASIDE_HEAD, _ASIDE_TAIL, _ASIDE_LOST = int(Counter.ASIDE_HEAD), int(Counter.ASIDE_TAIL), int(Counter.ASIDE_LOST)
_L16_8K, _L16_16K = int(Format.L16_8K), int(Format.L16_16K)


@kernel("boolean(u1[::1], u1[::1], i8, i8)")
def _same_octets(one: Bytes, other: Bytes, start: int, end: int) -> bool:
    alike = True
    for i in range(start, end):
        alike = alike and one[i] == other[i]
    return alike


@kernel("boolean(u1[::1], u1[::1])")
def same_host(one: Bytes, other: Bytes) -> bool:
    """Of family and host; an IPv6 address's flow label and scope do not count."""
    if not _same_octets(one, other, 0, 2):
        return False
    if one[FAMILY_AT] == INET6:
        return _same_octets(one, other, 8, 24)
    return _same_octets(one, other, 4, 8)


@kernel("boolean(u1[::1], u1[::1])")
def same_address(one: Bytes, other: Bytes) -> bool:
    """The same host, and the same port."""
    return same_host(one, other) and _same_octets(one, other, 2, 4)


@kernel("i8(u1[::1])")
def address_size(address: Bytes) -> int:
    """Of its socket address structure."""
    return 28 if address[FAMILY_AT] == INET6 else 16


@kernel("i8(i8, i8)")
def sequence_step(before: int, after: int) -> int:
    """How far `after` lies ahead of `before` (16 bits, wrapping): -32768..32767."""
    return ((after - before + 0x8000) & 0xFFFF) - 0x8000


@kernel(types.void(INBOUND, types.int64, types.int64, types.int64))
def _begin_stream(it: Inbound, row: int, ssrc: int, sequence: int) -> None:
    leg = it.legs[row]
    leg.ssrc, leg.sequence, leg.resync_length = ssrc, sequence, 0


@kernel(types.boolean(INBOUND, types.int64, types.int64, types.int64))
def _continues(it: Inbound, row: int, ssrc: int, sequence: int) -> bool:
    leg = it.legs[row]
    if ssrc == leg.ssrc:
        step = sequence_step(leg.sequence, sequence)
        if -_MAX_MISORDER <= step <= _MAX_DROPOUT:
            if step > 0:
                leg.sequence = sequence
            leg.resync_length = 0
            return True
    follows = ssrc == leg.resync_ssrc and sequence_step(leg.resync_sequence, sequence) == 1
    leg.resync_length = leg.resync_length + 1 if follows and leg.resync_length > 0 else 1
    leg.resync_ssrc, leg.resync_sequence = ssrc, sequence
    if leg.resync_length < _RESYNC_PACKETS:
        return False
    _begin_stream(it, row, ssrc, sequence)
    return True


@kernel(types.int64(INBOUND, types.int64, types.uint8[::1], types.int64, types.int64, types.int64))
def _run_length(it: Inbound, row: int, source: Bytes, ssrc: int, sequence: int, heard: int) -> int:
    """How many packets of one stream this one is of, from `source`, in a row. `heard` numbers the packets that came."""
    candidates = it.candidates[row]
    found = oldest = 0
    known = False
    for i in range(CANDIDATES):
        if candidates[i].used and same_address(it.candidate_addresses[row, i], source):
            found, known = i, True
        freer = candidates[oldest].used - candidates[i].used
        if freer > 0 or (freer == 0 and candidates[i].at < candidates[oldest].at):
            oldest = i
    if not known:
        found = oldest
        candidates[found].used = 1
        candidates[found].length = 0
        copy(source, it.candidate_addresses[row, found], ADDRESS)
    candidate = candidates[found]
    candidate.at = heard
    follows = ssrc == candidate.ssrc and sequence_step(candidate.sequence, sequence) == 1
    candidate.length = candidate.length + 1 if follows else 1
    candidate.ssrc, candidate.sequence = ssrc, sequence
    return int(candidate.length)


@kernel(types.boolean(INBOUND, types.int64, types.uint8[::1], types.int64, types.int64, types.int64))
def _takes_over(it: Inbound, row: int, source: Bytes, ssrc: int, sequence: int, tick: int) -> bool:
    leg = it.legs[row]
    expected = leg.declared == 1 and same_address(it.declared[row], source)
    rebound = tick - leg.admitted_at >= RELATCH_TICKS and same_host(it.remote[row], source)  # by its NAT
    if leg.latched == 1 and not expected and not rebound:
        return False
    if leg.latched == 1 or not expected:
        heard = leg.received + leg.foreign + leg.stray
        if _run_length(it, row, source, ssrc, sequence, heard) < PROOF_PACKETS:
            return False
    leg.latched = leg.reachable = 1
    copy(source, it.remote[row], ADDRESS)
    for i in range(CANDIDATES):
        it.candidates[row, i].used = 0
    _begin_stream(it, row, ssrc, sequence)
    return True


@kernel(types.boolean(INBOUND, types.int64, types.uint8[::1], types.int64, types.int64, types.int64))
def admit(it: Inbound, row: int, source: Bytes, ssrc: int, sequence: int, tick: int) -> bool:
    """Whether a packet, valid in itself, belongs to the stream of this leg."""
    leg = it.legs[row]
    if leg.latched == 1 and same_address(it.remote[row], source):
        admitted = _continues(it, row, ssrc, sequence)
        if not admitted:
            leg.stray += 1
    else:
        admitted = _takes_over(it, row, source, ssrc, sequence, tick)
        if not admitted:
            leg.foreign += 1
    if admitted:
        leg.admitted_at = tick
    return admitted


@kernel("i8(u1[::1], i8)")
def payload_start(packet: Bytes, size: int) -> int:
    """Where the payload of an RTP packet begins (RFC 3550 section 5.1); -1 for what is none. Padding: `payload_end`."""
    if size < HEADER or packet[0] >> 6 != 2:
        return -1
    start = HEADER + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if start + 4 > size:
            return -1
        start += 4 + 4 * ((np.int64(packet[start + 2]) << 8) | packet[start + 3])
    return int(start) if start <= size else -1


@kernel("i8(u1[::1], i8)")
def payload_end(packet: Bytes, size: int) -> int:
    """Where it ends; -1 where the packet says that it is padded by nothing."""
    if not packet[0] & 0x20:
        return size
    padding = np.int64(packet[size - 1])
    return int(size - padding) if padding > 0 else -1


@kernel(types.int64(types.uint8[::1], types.int64, types.int64))
def _word(packet: Bytes, at: int, octets: int) -> int:
    word = np.int64(0)
    for i in range(octets):
        word = (word << 8) | np.int64(packet[at + i])
    return int(word)


@kernel(types.void(INBOUND, SHARED, types.int64, types.uint8[::1], types.int64, types.uint8[::1]))
def _set_aside(it: Inbound, shared: Shared, row: int, packet: Bytes, size: int, source: Bytes) -> None:
    """Give a packet to the event loop; bounded for each leg, so that none takes the others' places."""
    leg = it.legs[row]
    leg.set_aside += 1
    head = shared.counters[_ASIDE_HEAD]
    full = head - load_acquire(shared.counters, _ASIDE_TAIL) >= ASIDE
    if leg.set_aside > MAX_ASIDE or size > PACKET or full:
        shared.counters[_ASIDE_LOST] += 1
        return
    place = shared.aside[head % ASIDE]
    place.row, place.epoch, place.size = row, leg.epoch, size
    for i in range(ADDRESS):
        place.address[i] = source[i]
    for i in range(size):
        place.data[i] = packet[i]
    store_release(shared.counters, _ASIDE_HEAD, head + 1)


@kernel(types.void(INBOUND, SHARED, types.int64, types.uint8[::1], types.int64, types.uint8[::1]))
def _set_report_aside(it: Inbound, shared: Shared, row: int, packet: Bytes, size: int, source: Bytes) -> None:
    """RTCP among RTP (RFC 5761), of the far end alone: anybody else's would take the places of its keys."""
    leg = it.legs[row]
    if leg.reachable and same_address(it.remote[row], source):
        _set_aside(it, shared, row, packet, size, source)
    else:
        leg.strange += 1


@kernel(types.int64(INBOUND, types.int64, types.uint8[::1], types.int64))
def _opened(it: Inbound, row: int, packet: Bytes, size: int) -> int:
    """Decrypt in place (RFC 3711); the size of what was in it, -1 for what is forged, repeated or damaged."""
    leg = it.legs[row]
    if size < HEADER:
        return -1
    ssrc = _word(packet, 8, 4)
    known = False
    for i in range(leg.sources):
        known |= it.sources[row, i] == ssrc
    if not known and leg.sources == SOURCES:
        return -1
    length = it.length
    length[0] = size
    if leg.open_former:  # a key that does not fit leaves rubbish behind
        copy(packet, it.sealed, size)
    if srtp_unprotect(leg.open, packet.ctypes.data, length.ctypes.data) == 0:
        leg.open_former = 0
        if not known:
            it.sources[row, leg.sources] = ssrc
            leg.sources += 1
        return int(length[0])
    if leg.open_former:
        length[0] = size
        copy(it.sealed, packet, size)
        if srtp_unprotect(leg.open_former, packet.ctypes.data, length.ctypes.data) == 0:
            return int(length[0])
    return -1


@kernel(types.void(INBOUND, SHARED, types.int64, types.int64, types.uint8[::1], types.int64, types.uint8[::1]))
def take(it: Inbound, shared: Shared, row: int, tick: int, packet: Bytes, size: int, source: Bytes) -> None:
    """One datagram of `size` octets that came for a leg."""
    leg = it.legs[row]
    is_rtcp = size >= 8 and packet[0] >> 6 == 2 and 192 <= packet[1] < 224
    if leg.open:
        if is_rtcp:
            _set_report_aside(it, shared, row, packet, size, source)
            return
        size = _opened(it, row, packet, size)
        if size < 0:
            leg.forged += 1
            return
    start = payload_start(packet, size)
    end = payload_end(packet, size) if start >= 0 else -1
    if start < 0 or end < start:
        if is_rtcp:
            _set_report_aside(it, shared, row, packet, size, source)
        else:
            leg.malformed += 1
        return
    kind = np.int64(packet[1] & 0x7F)
    former = kind == leg.former_type
    if kind not in (leg.payload_type, leg.event_type, COMFORT_NOISE) and not former:
        if is_rtcp:
            _set_report_aside(it, shared, row, packet, size, source)
        else:
            leg.unexpected += 1
        return
    sequence, timestamp, ssrc = _word(packet, 2, 2), _word(packet, 4, 4), _word(packet, 8, 4)
    if not admit(it, row, source, ssrc, sequence, tick):
        return
    leg.received += 1
    number = tick - leg.start  # a buffer counts the leg's own ticks, whichever slot it is in
    if leg.receives and (kind == leg.payload_type or former):
        length = end - start
        tag = leg.former_format if former else leg.format
        samples = NARROW_TICK if leg.format == _L16_8K else WIDE_TICK if leg.format == _L16_16K else 0
        if (length > FRAME_OCTETS and not leg.divisible) or (samples and length != 2 * samples):
            leg.malformed += 1
            skip(it.buffers, row, sequence, timestamp, ssrc, number)
            return
        push(it.buffers, row, sequence, timestamp, ssrc, tag, packet, start, end, number)
        return
    skip(it.buffers, row, sequence, timestamp, ssrc, number)
    if kind == COMFORT_NOISE:
        pause(it.buffers, row)
        noise.take(row, packet[start:end], it.noising)
    elif leg.receives:
        _set_aside(it, shared, row, packet, size, source)


@kernel(types.void(INBOUND, SHARED, types.int64, types.int64))
def _receive_from_ring(it: Inbound, shared: Shared, row: int, tick: int) -> None:
    head, tail = load_acquire(it.came_head, row), it.came_tail[row]
    while tail < head:
        place = tail % RING_PACKETS
        take(it, shared, row, tick, it.came[row, place], int(it.came_sizes[row, place]), it.came_from[row, place])
        tail += 1
    store_release(it.came_tail, row, tail)


@kernel(types.int64(INBOUND, types.int64))
def _read(it: Inbound, row: int) -> int:
    """Packets read off the leg's socket into scratch; the sizes stand in the last column of `headers`."""
    leg, batch = it.legs[row], it.batch[0]
    if batch > 1:
        for i in range(batch):
            it.headers[i, 1] = ADDRESS
        return int(recvmmsg(np.int32(leg.fd), it.headers.ctypes.data, np.uint32(batch), np.int32(DONT_WAIT), 0))
    it.length[0] = ADDRESS
    got = recvfrom(np.int32(leg.fd), it.packets.ctypes.data, it.packets.shape[1], np.int32(DONT_WAIT),
                   it.addresses.ctypes.data, it.length.ctypes.data)  # fmt: skip
    if got < 0:
        return -1
    it.headers[0, 7] = got
    return 1


@kernel(types.void(INBOUND, SHARED, types.int64, types.int64))
def _receive_from_socket(it: Inbound, shared: Shared, row: int, tick: int) -> None:
    leg = it.legs[row]
    expected = others = drained = 0
    while drained < MAX_DRAINED:
        count = _read(it, row)
        if count <= 0:
            return
        drained += count
        for i in range(count):
            size = it.headers[i, 7] & 0xFFFFFFFF
            if leg.reachable and same_address(it.remote[row], it.addresses[i]):
                expected += 1
                within = expected <= MAX_PER_TICK
            else:
                others += 1
                within = others <= MAX_PER_TICK
            if within:
                take(it, shared, row, tick, it.packets[i], size, it.addresses[i])
            else:
                leg.excess += 1
        if count < it.batch[0]:
            return


@kernel(types.void(types.int64, types.int64, INBOUND, SHARED))
def receive_row(row: int, tick: int, it: Inbound, shared: Shared) -> None:
    """Take all that has come for `row` so far; it is for `tick`."""
    if it.legs[row].fd >= 0:
        _receive_from_socket(it, shared, row, tick)
    else:
        _receive_from_ring(it, shared, row, tick)


@kernel(types.void(types.int32[::1], types.int64, INBOUND, SHARED))
def receive(rows: Rows, tick: int, it: Inbound, shared: Shared) -> None:
    """Take all that has come for `rows` by `tick`."""
    for row in rows:
        it.legs[row].set_aside = 0
        receive_row(row, tick, it, shared)

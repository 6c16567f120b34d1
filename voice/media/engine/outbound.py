"""Packets leave: each from its leg's own socket, because SDP names a port for each, so that a call of the system takes
one packet; and how late they were."""

import numpy as np
from numba import types

from dsp.kernel import Rows, kernel
from voice.media.engine.copying import copy
from voice.media.engine.external import CLOCK, DONT_WAIT, clock_gettime, load_acquire, sendto, store_release
from voice.media.engine.inbound import address_size
from voice.media.engine.layout import LATENESS, PACKET, RING_PACKETS, Counter, Counters
from voice.media.engine.line import INBOUND, SPEAKING, Inbound, Speaking
from voice.media.engine.shared import SHARED, Shared

LATE_NS = 20_000_000
"""A frame is late when it leaves more than 20 ms after its deadline."""

_SENT = int(Counter.SENT)


@kernel("i8(i8[::1])")
def now_ns(time: Counters) -> int:
    """The monotonic clock, in nanoseconds; `time` i8[2] is scratch."""
    clock_gettime(np.int32(CLOCK), time.ctypes.data)
    return int(time[0] * 1_000_000_000 + time[1])


@kernel(types.boolean(types.int64, types.int64, INBOUND, SPEAKING))
def _to_ring(row: int, packet: int, inbound: Inbound, it: Speaking) -> bool:
    head, size = it.gone_head[row], it.out_sizes[row, packet]
    if head - load_acquire(it.gone_tail, row) >= RING_PACKETS or size > PACKET:
        inbound.legs[row].dropped_out += 1
        return False
    copy(it.out[row, packet], it.gone[row, head % RING_PACKETS], int(size))
    it.gone_sizes[row, head % RING_PACKETS] = size
    store_release(it.gone_head, row, head + 1)
    return True


@kernel(types.void(types.int32[::1], INBOUND, SPEAKING))
def hand_over(rows: Rows, inbound: Inbound, it: Speaking) -> None:
    """What was made for legs without a socket is the event loop's, which sends it once it is told of the tick."""
    for row in rows:
        leg = inbound.legs[row]
        if leg.fd < 0:
            for packet in range(leg.out_count):
                _to_ring(row, packet, inbound, it)


@kernel(types.boolean(types.int64, types.int64, INBOUND, SPEAKING))
def _to_socket(row: int, packet: int, inbound: Inbound, it: Speaking) -> bool:
    data, size, to = it.out[row, packet].ctypes.data, np.int64(it.out_sizes[row, packet]), inbound.remote[row]
    file = np.int32(inbound.legs[row].fd)
    return bool(sendto(file, data, size, np.int32(DONT_WAIT), to.ctypes.data, np.uint32(address_size(to))) >= 0)


@kernel(types.void(types.int32[::1], types.int64, types.int64[::1], INBOUND, SPEAKING, SHARED))
def send(rows: Rows, due_ns: int, time: Counters, inbound: Inbound, it: Speaking, shared: Shared) -> None:
    """Send what was made for `rows` with sockets, and note how late it is for all; it was due at `due_ns`; 0: in
    virtual time, when nothing is."""
    for row in rows:
        leg = inbound.legs[row]
        for packet in range(leg.out_count):
            if leg.fd >= 0 and not _to_socket(row, packet, inbound, it):
                leg.unsent += 1
        if leg.out_count and due_ns:
            late_ns = now_ns(time) - due_ns
            if late_ns > LATE_NS:
                leg.late_frames += 1
            sent = shared.counters[_SENT]
            shared.lateness_ns[sent % LATENESS] = late_ns
            store_release(shared.counters, _SENT, sent + 1)
        leg.out_count = 0

"""The arrays of the line thread, one row a leg. Where the event loop writes, it is named; of rings it reads the other
end."""

from typing import NamedTuple

import numpy as np

from dsp import echo, g722, jitter, limiter, mix, noise, plc, polyphase, stretch, tones
from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_HZ, WIDE_TICK, Bytes, Pcm, Rows
from voice.media.engine import zeros
from voice.media.engine.external import BATCHED
from voice.media.engine.layout import (
    ADDRESS,
    CANDIDATE,
    CANDIDATES,
    CHUNK,
    FRAME_OCTETS,
    HEARD_TICKS,
    LEG,
    MAX_CHUNKS,
    MAX_KEYS,
    MAX_OUT,
    PACKET,
    PLAYED,
    PLAYED_MARK,
    RING_PACKETS,
    SOURCES,
    Counters,
    Records,
    Standing,
)
from voice.media.engine.signature import type_of
from voice.wire.dtmf import KEY_TICKS, KEYS

BATCH = 16
DATAGRAM_OCTETS = 2_048
"""Longest datagram taken for RTP; more than any link here carries whole."""
CANCELLERS = 32
"""Legs of either rate whose echo may be cancelled at once: each costs 30 us a tick, at 16 kHz 75."""

_BACKLOG = 3_840  # 240 ms


class Inbound(NamedTuple):
    """What comes to a leg."""

    legs: Records
    remote: Bytes  # [C, ADDRESS]
    declared: Bytes
    candidates: Records  # [C, CANDIDATES]
    candidate_addresses: Bytes  # [C, CANDIDATES, ADDRESS]
    sources: Counters  # [C, SOURCES]: SSRCs that a key has opened
    came: Bytes  # [C, RING_PACKETS, PACKET]; written by the event loop, of legs without a socket
    came_sizes: Rows
    came_from: Bytes  # [C, RING_PACKETS, ADDRESS]
    came_head: Counters  # [C]; event loop
    came_tail: Counters
    buffers: jitter.Buffers
    noising: noise.Noising
    batch: Rows  # [1]: packets that one call of the system reads, BATCH by recvmmsg or one by recvfrom
    headers: Counters  # scratch of recvmmsg: [BATCH, 8], struct mmsghdr
    vectors: Counters  # [BATCH, 2], struct iovec
    packets: Bytes  # [BATCH, 2_048]
    addresses: Bytes  # [BATCH, ADDRESS]
    sealed: Bytes  # [2_048]: a packet as it came, while one key after the other is tried
    length: Rows  # [1]: what a C function writes a length to


def inbound(capacity: int, *, batched: bool = BATCHED) -> Inbound:
    headers, vectors = zeros.counters(BATCH, 8), zeros.counters(BATCH, 2)
    packets, addresses = zeros.octets(BATCH, DATAGRAM_OCTETS), zeros.octets(BATCH, ADDRESS)
    for i in range(BATCH):  # struct mmsghdr: name and its length, vector and how many, control, flags; what came
        vectors[i] = packets[i].ctypes.data, DATAGRAM_OCTETS
        headers[i, :4] = addresses[i].ctypes.data, ADDRESS, vectors[i].ctypes.data, 1
    return Inbound(
        legs=np.zeros(capacity, LEG),
        remote=zeros.octets(capacity, ADDRESS),
        declared=zeros.octets(capacity, ADDRESS),
        candidates=np.zeros((capacity, CANDIDATES), CANDIDATE),
        candidate_addresses=zeros.octets(capacity, CANDIDATES, ADDRESS),
        sources=zeros.counters(capacity, SOURCES),
        came=zeros.octets(capacity, RING_PACKETS, PACKET),
        came_sizes=zeros.rows(capacity, RING_PACKETS),
        came_from=zeros.octets(capacity, RING_PACKETS, ADDRESS),
        came_head=zeros.counters(capacity),
        came_tail=zeros.counters(capacity),
        buffers=jitter.buffers(capacity),
        noising=noise.noising(capacity),
        batch=np.array([BATCH if batched else 1], np.int32),
        headers=headers,
        vectors=vectors,
        packets=packets,
        addresses=addresses,
        sealed=zeros.octets(DATAGRAM_OCTETS),
        length=zeros.rows(1),
    )


class Hearing(NamedTuple):
    """From payloads to sound."""

    quiet: Bytes  # [C]: nobody speaks
    take: Bytes  # [C]: frames to be taken in this tick
    whole: Bytes  # [C]: one frame is taken, and nothing was left of the one before
    lost: Bytes  # [C]
    payload: Bytes  # [C, FRAME_OCTETS]: the frame that was taken last
    octets: Bytes  # [C, 160]
    narrow: Pcm  # [C, 160]
    wide: Pcm  # [C, 320]
    levelled: Pcm  # [C, 320]
    heard: Pcm  # [C, HEARD_TICKS, 320]: as it came; read by the event loop, like the next
    for_ears: Pcm  # [C, HEARD_TICKS, 320]: as loud as ears want it
    backlog: Pcm  # [C, 3_840]: decoded sound beyond a tick, of long Opus packets
    concealing: plc.Concealing
    concealing_wide: plc.Concealing
    stretching: stretch.Stretching
    stretching_wide: stretch.Stretching
    cancelling: echo.Cancelling
    cancelling_wide: echo.Cancelling
    limiting: limiter.Limiting
    widening: polyphase.Converting
    narrowing: polyphase.Converting
    g722: g722.Coding
    # scratch: rows of a step
    taking: Rows
    concealed: Rows
    noised: Rows
    one: Rows


def hearing(capacity: int) -> Hearing:
    return Hearing(
        quiet=zeros.octets(capacity),
        take=zeros.octets(capacity),
        whole=zeros.octets(capacity),
        lost=zeros.octets(capacity),
        payload=zeros.octets(capacity, FRAME_OCTETS),
        octets=zeros.octets(capacity, NARROW_TICK),
        narrow=zeros.pcm(capacity, NARROW_TICK),
        wide=zeros.pcm(capacity, WIDE_TICK),
        levelled=zeros.pcm(capacity, WIDE_TICK),
        heard=zeros.pcm(capacity, HEARD_TICKS, WIDE_TICK),
        for_ears=zeros.pcm(capacity, HEARD_TICKS, WIDE_TICK),
        backlog=zeros.pcm(capacity, _BACKLOG),
        concealing=plc.concealing(capacity),
        concealing_wide=plc.concealing(capacity, WIDE_TICK),
        stretching=stretch.stretching(capacity),
        stretching_wide=stretch.stretching(capacity, WIDE_TICK),
        cancelling=echo.cancelling(capacity, NARROW_HZ, min(CANCELLERS, capacity)),
        cancelling_wide=echo.cancelling(capacity, WIDE_HZ, min(CANCELLERS, capacity)),
        limiting=limiter.limiting(capacity),
        widening=polyphase.converting(capacity, NARROW_HZ, WIDE_HZ),
        narrowing=polyphase.converting(capacity, WIDE_HZ, NARROW_HZ),
        g722=g722.coding(capacity),
        taking=zeros.rows(capacity),
        concealed=zeros.rows(capacity),
        noised=zeros.rows(capacity),
        one=zeros.rows(1),
    )


class Speaking(NamedTuple):
    """From sound to packets."""

    chunks: Records  # [C, MAX_CHUNKS]; written by the event loop
    chunks_head: Counters  # [C]; event loop
    chunks_tail: Counters
    generation: Counters  # [C]; event loop: what carries an older one is dropped
    consumed: Counters  # [C]: samples ever sent or dropped
    standing: Counters  # [C, 4], by `Standing`
    played: Records  # [C, PLAYED]
    played_head: Counters
    keys: Bytes  # [C, MAX_KEYS]; written by the event loop
    keys_head: Counters  # [C]; event loop
    keys_tail: Counters
    tones: Pcm  # [16, ticks, 320]
    told: Pcm  # [C, 320]: what is played, then the mix
    said: Pcm  # [C, HEARD_TICKS, 320]; read by the event loop
    parts: Bytes  # [C]
    deaf: Bytes  # [C]
    narrow: Pcm  # [C, 160]
    octets: Bytes  # [C, 160]
    law: Bytes  # [C]
    held: Bytes  # [C, FRAME_OCTETS]: sound that fills no packet yet
    out: Bytes  # [C, MAX_OUT, 2_048]
    out_sizes: Rows  # [C, MAX_OUT]
    gone: Bytes  # [C, RING_PACKETS, PACKET]; read by the event loop, of legs without a socket
    gone_sizes: Rows
    gone_head: Counters
    gone_tail: Counters  # [C]; event loop
    before: Pcm  # [C, 320]: what Opus is given first when it takes up again
    mixing: mix.Mixing
    narrowing: polyphase.Converting
    g722: g722.Coding
    # scratch
    payload: Bytes
    event: Bytes
    faded: Pcm
    told16: Pcm
    octets16: Bytes
    turning: g722.Coding  # [1]
    one: Rows
    length: Rows


def speaking(capacity: int) -> Speaking:
    return Speaking(
        chunks=np.zeros((capacity, MAX_CHUNKS), CHUNK),
        chunks_head=zeros.counters(capacity),
        chunks_tail=zeros.counters(capacity),
        generation=zeros.counters(capacity),
        consumed=zeros.counters(capacity),
        standing=zeros.counters(capacity, len(Standing)),
        played=np.zeros((capacity, PLAYED), PLAYED_MARK),
        played_head=zeros.counters(capacity),
        keys=zeros.octets(capacity, MAX_KEYS),
        keys_head=zeros.counters(capacity),
        keys_tail=zeros.counters(capacity),
        tones=tones.key_tones(KEYS, KEY_TICKS),
        told=zeros.pcm(capacity, WIDE_TICK),
        said=zeros.pcm(capacity, HEARD_TICKS, WIDE_TICK),
        parts=zeros.octets(capacity),
        deaf=zeros.octets(capacity),
        narrow=zeros.pcm(capacity, NARROW_TICK),
        octets=zeros.octets(capacity, NARROW_TICK),
        law=zeros.octets(capacity),
        held=zeros.octets(capacity, FRAME_OCTETS),
        out=zeros.octets(capacity, MAX_OUT, DATAGRAM_OCTETS),
        out_sizes=zeros.rows(capacity, MAX_OUT),
        gone=zeros.octets(capacity, RING_PACKETS, PACKET),
        gone_sizes=zeros.rows(capacity, RING_PACKETS),
        gone_head=zeros.counters(capacity),
        gone_tail=zeros.counters(capacity),
        before=zeros.pcm(capacity, WIDE_TICK),
        mixing=mix.mixing(),
        narrowing=polyphase.converting(capacity, WIDE_HZ, NARROW_HZ),
        g722=g722.coding(capacity),
        payload=zeros.octets(FRAME_OCTETS),
        event=zeros.octets(4),
        faded=zeros.pcm(NARROW_TICK),
        told16=zeros.pcm(1, WIDE_TICK),
        octets16=zeros.octets(1, NARROW_TICK),
        turning=g722.coding(1),
        one=zeros.rows(1),
        length=zeros.rows(1),
    )


INBOUND = type_of(inbound(1))
HEARING = type_of(hearing(1))
SPEAKING = type_of(speaking(1))

"""The arrays that the two threads and the event loop share, one row a leg, and who may write which.

The event loop writes into a free row, into rings where it is named as the writer, and else nothing: what it wants goes
as commands. The line thread owns the rest but for `Judgement`, which is the judging thread's, and what `Heard` says.
Counters of rings grow for ever, each has one writer, and is stored with release and read with acquire, so that what it
counts is there.

Of each tuple there is a function that makes it, and its type for signatures. Memory that no leg has used yet costs
nothing: the system gives it as it is touched (`memory`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from dsp import echo, g722, gain, gate, jitter, limiter, mix, noise, plc, polyphase, progress, stretch, tones, vad
from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_HZ, WIDE_TICK, Bytes, Floats, Pcm, Rows, record
from dsp.levels import Peaks
from voice.media.engine.layout import (
    ADDRESS,
    ASIDE,
    CANDIDATE,
    CANDIDATES,
    CHUNK,
    COMMANDS,
    DATAGRAM,
    FRAME_OCTETS,
    HEARD_TICKS,
    LATENESS,
    LEG,
    MAX_CHUNKS,
    MAX_KEYS,
    MAX_OUT,
    PACKET,
    PLAYED,
    PLAYED_MARK,
    RING_PACKETS,
    SEEKERS,
    SLOTS,
    SOURCES,
    STREAM,
    Counter,
    Counters,
    Records,
)
from voice.wire.dtmf import KEY_TICKS, KEYS

BATCH = 16
DATAGRAM_OCTETS = 2_048
"""Longest datagram taken for RTP; more than any link here carries whole."""
CANCELLERS = 32
"""Legs of either rate whose echo may be cancelled at once: each costs 30 us a tick, at 16 kHz 75."""

_BACKLOG = 3_840  # 240 ms

_DECLARED: dict[type, Any] = {
    jitter.Buffers: jitter.BUFFERS,
    noise.Noising: noise.NOISING,
    plc.Concealing: plc.CONCEALING,
    stretch.Stretching: stretch.STRETCHING,
    polyphase.Converting: polyphase.CONVERTING,
    g722.Coding: g722.CODING,
    echo.Cancelling: echo.CANCELLING,
    limiter.Limiting: limiter.LIMITING,
    mix.Mixing: mix.MIXING,
    tones.Detecting: tones.DETECTING,
    progress.Following: progress.FOLLOWING,
    gain.Aiming: gain.AIMING,
    gate.Gating: gate.GATING,
    vad.Listening: vad.LISTENING,
}


_typeof: Callable[[Any], Any] = numba.typeof


def _type_of(it: tuple[Any, ...]) -> Any:
    """As a signature names it."""
    return record([_DECLARED.get(type(part)) or _typeof(part) for part in it], type(it))


def _counters(*shape: int) -> Counters:
    return np.zeros(shape, np.int64)


def _bytes(*shape: int) -> Bytes:
    return np.zeros(shape, np.uint8)


def _pcm(*shape: int) -> Pcm:
    return np.zeros(shape, np.int16)


def _rows(*shape: int) -> Rows:
    return np.zeros(shape, np.int32)


def _floats(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


class Shared(NamedTuple):
    """Rings between the threads, and the plan of who is when."""

    counters: Counters  # by `Counter`
    commands: Counters  # [COMMANDS, 8]: command, row, six words; written by the event loop
    aside: Records  # [ASIDE]
    heard_slots: Counters  # [SLOTS]: the tick up to which the line thread has heard each
    judged_slots: Counters  # [SLOTS]: and the judging thread judged it
    slot_rows: Rows  # [SLOTS, C]
    slot_counts: Counters  # [SLOTS]
    narrow_rows: Rows  # [SLOTS, C]: rows of the slot by what is to be done with them
    narrow_counts: Counters
    wide_rows: Rows
    wide_counts: Counters
    tone_rows: Rows
    tone_counts: Counters
    follow_rows: Rows
    follow_counts: Counters
    echo_rows: Rows
    echo_counts: Counters
    wide_echo_rows: Rows
    wide_echo_counts: Counters
    member_rows: Rows
    member_counts: Counters
    room_sizes: Rows
    room_counts: Counters
    seeking: Rows  # [SEEKERS]: whose phase is looked for; -1: a free place
    lateness_ns: Counters  # [LATENESS]: how late each frame was sent, a ring
    work_ns: Counters  # [LATENESS]: what each slot took
    judged_ns: Counters  # [LATENESS]: from when a slot was heard, or should have been, until it was judged


def shared(capacity: int) -> Shared:
    """For `capacity` legs, like all that follow."""
    lists: dict[str, Any] = {}
    for name in ("slot", "narrow", "wide", "tone", "follow", "echo", "wide_echo", "member"):
        lists |= {f"{name}_rows": _rows(SLOTS, capacity), f"{name}_counts": _counters(SLOTS)}
    return Shared(
        counters=_counters(len(Counter)),
        commands=_counters(COMMANDS, 8),
        aside=np.zeros(ASIDE, DATAGRAM),
        heard_slots=np.full(SLOTS, -1),
        judged_slots=np.full(SLOTS, -1),
        room_sizes=_rows(SLOTS, capacity),
        room_counts=_counters(SLOTS),
        seeking=np.full(SEEKERS, -1, np.int32),
        lateness_ns=_counters(LATENESS),
        work_ns=_counters(LATENESS),
        judged_ns=_counters(LATENESS),
        **lists,
    )


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
    headers: Counters  # scratch of recvmmsg: [BATCH, 8], struct mmsghdr
    vectors: Counters  # [BATCH, 2], struct iovec
    packets: Bytes  # [BATCH, 2_048]
    addresses: Bytes  # [BATCH, ADDRESS]
    sealed: Bytes  # [2_048]: a packet as it came, while one key after the other is tried
    length: Rows  # [1]: what a C function writes a length to


def inbound(capacity: int) -> Inbound:
    headers, vectors = _counters(BATCH, 8), _counters(BATCH, 2)
    packets, addresses = _bytes(BATCH, DATAGRAM_OCTETS), _bytes(BATCH, ADDRESS)
    for i in range(BATCH):  # struct mmsghdr: name and its length, vector and how many, control, flags; what came
        vectors[i] = packets[i].ctypes.data, DATAGRAM_OCTETS
        headers[i, :4] = addresses[i].ctypes.data, ADDRESS, vectors[i].ctypes.data, 1
    return Inbound(
        legs=np.zeros(capacity, LEG),
        remote=_bytes(capacity, ADDRESS),
        declared=_bytes(capacity, ADDRESS),
        candidates=np.zeros((capacity, CANDIDATES), CANDIDATE),
        candidate_addresses=_bytes(capacity, CANDIDATES, ADDRESS),
        sources=_counters(capacity, SOURCES),
        came=_bytes(capacity, RING_PACKETS, PACKET),
        came_sizes=_rows(capacity, RING_PACKETS),
        came_from=_bytes(capacity, RING_PACKETS, ADDRESS),
        came_head=_counters(capacity),
        came_tail=_counters(capacity),
        buffers=jitter.buffers(capacity),
        noising=noise.noising(capacity),
        headers=headers,
        vectors=vectors,
        packets=packets,
        addresses=addresses,
        sealed=_bytes(DATAGRAM_OCTETS),
        length=_rows(1),
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
        quiet=_bytes(capacity),
        take=_bytes(capacity),
        whole=_bytes(capacity),
        lost=_bytes(capacity),
        payload=_bytes(capacity, FRAME_OCTETS),
        octets=_bytes(capacity, NARROW_TICK),
        narrow=_pcm(capacity, NARROW_TICK),
        wide=_pcm(capacity, WIDE_TICK),
        levelled=_pcm(capacity, WIDE_TICK),
        heard=_pcm(capacity, HEARD_TICKS, WIDE_TICK),
        for_ears=_pcm(capacity, HEARD_TICKS, WIDE_TICK),
        backlog=_pcm(capacity, _BACKLOG),
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
        taking=_rows(capacity),
        concealed=_rows(capacity),
        noised=_rows(capacity),
        one=_rows(1),
    )


class Heard(NamedTuple):
    """What the judging thread is given, for two ticks, by the tick's last bit; the last two it writes itself."""

    narrow: Pcm  # [2, C, 160]
    rows: Rows  # [2, SLOTS, C]
    counts: Counters  # [2, SLOTS]
    toned_rows: Rows
    toned_counts: Counters
    followed_rows: Rows
    followed_counts: Counters
    numbers: Counters  # [2, C]: which tick of the leg it is
    births: Counters  # [2, C]: and which leg of those that were in the row
    echoes: Bytes  # [2, C]: keys may be an echo of ours
    ours: Bytes  # [2, C]: and so may voice
    voice: Floats  # [C]: the probability of voice, as judged last
    aiming: gain.Aiming  # the gain that ears want


def heard(capacity: int) -> Heard:
    return Heard(
        narrow=_pcm(2, capacity, NARROW_TICK),
        rows=_rows(2, SLOTS, capacity),
        counts=_counters(2, SLOTS),
        toned_rows=_rows(2, SLOTS, capacity),
        toned_counts=_counters(2, SLOTS),
        followed_rows=_rows(2, SLOTS, capacity),
        followed_counts=_counters(2, SLOTS),
        numbers=_counters(2, capacity),
        births=_counters(2, capacity),
        echoes=_bytes(2, capacity),
        ours=_bytes(2, capacity),
        voice=_floats(capacity),
        aiming=gain.aiming(capacity),
    )


class Judgement(NamedTuple):
    """What the judging thread found."""

    epochs: Counters  # [C]: of the leg that was judged last in each row
    judged: Counters  # [C]: epoch * EPOCH + tick up to which each leg is judged; read by the event loop
    stamps: Counters  # [C, HEARD_TICKS]: which tick of the leg stands there, like in `Hearing.heard`
    voices: Floats  # [C, HEARD_TICKS]
    levels: Floats
    digits: Bytes
    steps: Bytes  # of call progress, where it is followed
    level: Floats  # [C]
    peak: Peaks  # [C]
    digit: Bytes  # [C]
    step: Bytes  # [C]
    awake: Bytes  # [C]: somebody may be speaking
    detecting: tones.Detecting
    following: progress.Following
    gating: gate.Gating
    listening: vad.Listening


def judgement(capacity: int) -> Judgement:
    return Judgement(
        epochs=_counters(capacity),
        judged=np.full(capacity, -1),
        stamps=np.full((capacity, HEARD_TICKS), -1),
        voices=_floats(capacity, HEARD_TICKS),
        levels=_floats(capacity, HEARD_TICKS),
        digits=_bytes(capacity, HEARD_TICKS),
        steps=_bytes(capacity, HEARD_TICKS),
        level=_floats(capacity),
        peak=np.zeros(capacity, np.uint16),
        digit=_bytes(capacity),
        step=_bytes(capacity),
        awake=_bytes(capacity),
        detecting=tones.detecting(capacity),
        following=progress.following(capacity),
        gating=gate.gating(capacity),
        listening=vad.listening(capacity),
    )


class Speaking(NamedTuple):
    """From sound to packets."""

    chunks: Records  # [C, MAX_CHUNKS]; written by the event loop
    chunks_head: Counters  # [C]; event loop
    chunks_tail: Counters
    generation: Counters  # [C]; event loop: what carries an older one is dropped
    consumed: Counters  # [C]: samples ever sent or dropped
    standing: Counters  # [C, 4]: version (odd while the rest is written), generation, playback, samples of it sent
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
        chunks_head=_counters(capacity),
        chunks_tail=_counters(capacity),
        generation=_counters(capacity),
        consumed=_counters(capacity),
        standing=_counters(capacity, 4),
        played=np.zeros((capacity, PLAYED), PLAYED_MARK),
        played_head=_counters(capacity),
        keys=_bytes(capacity, MAX_KEYS),
        keys_head=_counters(capacity),
        keys_tail=_counters(capacity),
        tones=tones.key_tones(KEYS, KEY_TICKS),
        told=_pcm(capacity, WIDE_TICK),
        said=_pcm(capacity, HEARD_TICKS, WIDE_TICK),
        parts=_bytes(capacity),
        deaf=_bytes(capacity),
        narrow=_pcm(capacity, NARROW_TICK),
        octets=_bytes(capacity, NARROW_TICK),
        law=_bytes(capacity),
        held=_bytes(capacity, FRAME_OCTETS),
        out=_bytes(capacity, MAX_OUT, DATAGRAM_OCTETS),
        out_sizes=_rows(capacity, MAX_OUT),
        gone=_bytes(capacity, RING_PACKETS, PACKET),
        gone_sizes=_rows(capacity, RING_PACKETS),
        gone_head=_counters(capacity),
        gone_tail=_counters(capacity),
        before=_pcm(capacity, WIDE_TICK),
        mixing=mix.mixing(),
        narrowing=polyphase.converting(capacity, WIDE_HZ, NARROW_HZ),
        g722=g722.coding(capacity),
        payload=_bytes(FRAME_OCTETS),
        event=_bytes(4),
        faded=_pcm(NARROW_TICK),
        told16=_pcm(1, WIDE_TICK),
        octets16=_bytes(1, NARROW_TICK),
        turning=g722.coding(1),
        one=_rows(1),
        length=_rows(1),
    )


class Engine(NamedTuple):
    """All of it, for Python. Compiled code takes the parts: a function of all these arrays takes seconds to compile."""

    inbound: Inbound
    hearing: Hearing
    speaking: Speaking
    heard: Heard
    judgement: Judgement
    shared: Shared
    staged: Records  # [C], STREAM; written by the event loop
    time: Counters  # [2]: scratch of the line thread
    time_judging: Counters


def engine(capacity: int) -> Engine:
    return Engine(
        inbound=inbound(capacity),
        hearing=hearing(capacity),
        speaking=speaking(capacity),
        heard=heard(capacity),
        judgement=judgement(capacity),
        shared=shared(capacity),
        staged=np.zeros(capacity, STREAM),
        time=_counters(2),
        time_judging=_counters(2),
    )


SHARED = _type_of(shared(1))
INBOUND = _type_of(inbound(1))
HEARING = _type_of(hearing(1))
HEARD = _type_of(heard(1))
JUDGEMENT = _type_of(judgement(1))
SPEAKING = _type_of(speaking(1))

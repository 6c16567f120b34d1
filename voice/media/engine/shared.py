"""The arrays by which the threads and the event loop work together, and which of them writes each.

Counters of rings grow for ever, each has one writer, and is stored with release and read with acquire, so that what it
counts is there.
"""

from typing import Any, NamedTuple

import numpy as np

from dsp import gain, gate, progress, tones, vad
from dsp.kernel import NARROW_TICK, Bytes, Floats, Pcm, Rows
from dsp.levels import Peaks
from voice.media.engine import zeros
from voice.media.engine.layout import (
    ASIDE,
    COMMANDS,
    DATAGRAM,
    HEARD_TICKS,
    LATENESS,
    SEEKERS,
    SLOTS,
    Counter,
    Counters,
    Records,
)
from voice.media.engine.signature import type_of


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
        lists |= {f"{name}_rows": zeros.rows(SLOTS, capacity), f"{name}_counts": zeros.counters(SLOTS)}
    return Shared(
        counters=zeros.counters(len(Counter)),
        commands=zeros.counters(COMMANDS, 8),
        aside=np.zeros(ASIDE, DATAGRAM),
        heard_slots=np.full(SLOTS, -1),
        judged_slots=np.full(SLOTS, -1),
        room_sizes=zeros.rows(SLOTS, capacity),
        room_counts=zeros.counters(SLOTS),
        seeking=np.full(SEEKERS, -1, np.int32),
        lateness_ns=zeros.counters(LATENESS),
        work_ns=zeros.counters(LATENESS),
        judged_ns=zeros.counters(LATENESS),
        **lists,
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
    epochs: Counters  # [2, C]: and which leg of those that were in the row
    echoes: Bytes  # [2, C]: keys may be an echo of ours
    ours: Bytes  # [2, C]: and so may voice
    voice: Floats  # [C]: the probability of voice, as judged last
    aiming: gain.Aiming  # the gain that ears want


def heard(capacity: int) -> Heard:
    return Heard(
        narrow=zeros.pcm(2, capacity, NARROW_TICK),
        rows=zeros.rows(2, SLOTS, capacity),
        counts=zeros.counters(2, SLOTS),
        toned_rows=zeros.rows(2, SLOTS, capacity),
        toned_counts=zeros.counters(2, SLOTS),
        followed_rows=zeros.rows(2, SLOTS, capacity),
        followed_counts=zeros.counters(2, SLOTS),
        numbers=zeros.counters(2, capacity),
        epochs=zeros.counters(2, capacity),
        echoes=zeros.octets(2, capacity),
        ours=zeros.octets(2, capacity),
        voice=zeros.floats(capacity),
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
        epochs=zeros.counters(capacity),
        judged=np.full(capacity, -1),
        stamps=np.full((capacity, HEARD_TICKS), -1),
        voices=zeros.floats(capacity, HEARD_TICKS),
        levels=zeros.floats(capacity, HEARD_TICKS),
        digits=zeros.octets(capacity, HEARD_TICKS),
        steps=zeros.octets(capacity, HEARD_TICKS),
        level=zeros.floats(capacity),
        peak=np.zeros(capacity, np.uint16),
        digit=zeros.octets(capacity),
        step=zeros.octets(capacity),
        awake=zeros.octets(capacity),
        detecting=tones.detecting(capacity),
        following=progress.following(capacity),
        gating=gate.gating(capacity),
        listening=vad.listening(capacity),
    )


SHARED = type_of(shared(1))
HEARD = type_of(heard(1))
JUDGEMENT = type_of(judgement(1))

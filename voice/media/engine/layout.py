"""What the two threads and the event loop share: sizes, commands, and the records of a leg. The arrays: arrays.py."""

import socket
import sys
from enum import IntEnum

import numba
import numpy as np
import numpy.typing as npt
from numba import types

Records = npt.NDArray[np.void]
Counters = npt.NDArray[np.int64]

SLOTS = 10
"""Parts of a period. Legs are spread over them, so that packets leave evenly."""
HEARD_TICKS = 64
"""Ticks of sound that stand for whoever reads: 1.28 s."""
PACKET = 1_536
"""Octets of a packet that goes through a ring; longer ones are dropped."""
ADDRESS = 28
"""Octets of a socket address of either family."""
FAMILY_AT = 1 if sys.platform == "darwin" else 0
"""Where a socket address has its family; before it BSD puts a length."""
INET6 = int(socket.AF_INET6)
RING_PACKETS = 32
CANDIDATES = 16
SOURCES = 16
MAX_KEYS = 64
MAX_CHUNKS = 4_096
"""Pieces of sound that may wait in a leg, however short: a minute in ticks of 20 ms, and some."""
PLAYED = 256
ASIDE = 512
COMMANDS = 4_096
FRAME_OCTETS = 1_280
HEADER = 12
"""Octets of an RTP header without contributors (RFC 3550 section 5.1)."""
SEEKERS = 16
"""Legs whose packets' phase is looked for at once: each of them is read in every slot."""
LATENESS = 65_536
"""Times that are kept."""
EPOCH = 1 << 40
MAX_OUT = 6
"""Packets that one tick may complete: 10 ms each, of all that waited for one of 60 ms."""


class Format(IntEnum):
    """How a leg's frames are coded."""

    PCMU = 0
    PCMA = 1
    L16_8K = 2
    G722 = 3
    OPUS = 4
    L16_16K = 5


class Command(IntEnum):
    """What the event loop asks of the line thread; the words after it are told at each place that sends it."""

    OPEN = 0
    CLOSE = 1
    MOVE = 2
    DIRECT = 3
    DECLARE = 4
    ENTER = 5
    SWITCH = 6
    PACKETISE = 7
    RENUMBER = 8
    REFUSE_TONES = 9
    SECURE = 10
    FOLLOW = 11
    EXPECT_LOSS = 12
    ALLOW_PAUSES = 13
    KEEP_ECHO = 14


_I8 = np.int64

LEG = np.dtype(
    [
        # what it is
        ("slot", _I8), ("start", _I8), ("last_tick", _I8), ("epoch", _I8),
        ("fd", _I8), ("format", _I8), ("units", _I8), ("divisible", _I8),
        ("payload_type", _I8), ("former_type", _I8), ("former_format", _I8), ("event_type", _I8),
        ("sends", _I8), ("receives", _I8), ("tones_allowed", _I8), ("cancels", _I8), ("packet_octets", _I8),
        ("follows", _I8),
        # whose packets are believed
        ("reachable", _I8), ("declared", _I8), ("latched", _I8), ("ssrc", _I8), ("sequence", _I8),
        ("admitted_at", _I8), ("resync_length", _I8), ("resync_ssrc", _I8), ("resync_sequence", _I8),
        # when they come
        ("seeking", _I8), ("seeking_since", _I8), ("phase", _I8), ("phases", _I8), ("earliest", _I8), ("latest", _I8),
        ("rests_until", _I8), ("displaced", _I8),
        # counts of what came
        ("received", _I8), ("malformed", _I8), ("foreign", _I8), ("stray", _I8), ("unexpected", _I8),
        ("excess", _I8), ("forged", _I8), ("strange", _I8), ("set_aside", _I8),
        # our stream
        ("out_ssrc", _I8), ("out_sequence", _I8), ("out_start", _I8), ("sent", _I8), ("sent_octets", _I8),
        ("unsent", _I8), ("late_frames", _I8), ("talking", _I8), ("marked", _I8), ("held", _I8), ("held_since", _I8),
        ("out_count", _I8), ("noise_type", _I8), ("silent_ticks", _I8),
        # keys that we press
        ("key", _I8), ("key_tick", _I8), ("key_stamp", _I8),
        ("keying", _I8), ("toning", _I8), ("echo_until", _I8),
        # playing
        ("chunk_offset", _I8), ("playing", _I8), ("audible", _I8),
        # rooms
        ("room", _I8), ("part", _I8), ("passage", _I8), ("passed_from", _I8), ("payload_size", _I8), ("exact", _I8),
        ("following", _I8), ("company", _I8),
        # hearing
        ("backlog", _I8),
        # SRTP sessions and codecs, which Python owns; 0: none
        ("seal", _I8), ("open", _I8), ("open_former", _I8), ("sources", _I8), ("decoder", _I8), ("encoder", _I8),
        ("dropped_out", _I8),
    ],
    align=True,
)  # fmt: skip
"""A leg, but for its sound."""

STREAM = np.dtype(
    [
        ("fd", _I8), ("reachable", _I8), ("remote", np.uint8, (ADDRESS,)),
        ("format", _I8), ("units", _I8), ("divisible", _I8), ("payload_type", _I8), ("event_type", _I8),
        ("out_ssrc", _I8), ("out_sequence", _I8), ("out_start", _I8),
        ("seal", _I8), ("open", _I8), ("open_former", _I8), ("decoder", _I8), ("encoder", _I8),
    ],
    align=True,
)  # fmt: skip
"""What a leg is opened with, or moved to. The event loop writes it before the command."""

CHUNK = np.dtype(
    [("address", _I8), ("samples", _I8), ("playback", _I8), ("last", _I8), ("generation", _I8)], align=True
)
"""A piece of sound to be played; the event loop keeps it until `chunks_tail` has passed."""

PLAYED_MARK = np.dtype([("tick", _I8), ("playback", _I8), ("samples", _I8), ("done", _I8)], align=True)
"""How far a playback was after a tick."""

CANDIDATE = np.dtype([("used", _I8), ("at", _I8), ("ssrc", _I8), ("sequence", _I8), ("length", _I8)], align=True)
"""Consecutive packets of one stream from a source that is not believed yet."""

DATAGRAM = np.dtype(
    [
        ("row", _I8),
        ("epoch", _I8),
        ("size", _I8),
        ("address", np.uint8, (ADDRESS,)),
        ("data", np.uint8, (PACKET,)),
    ],
    align=True,
)
"""A packet for the event loop: RTCP among RTP, or a telephone-event."""


LEGS = types.Array(numba.from_dtype(LEG), 1, "C")
STREAMS = types.Array(numba.from_dtype(STREAM), 1, "C")


class Counter(IntEnum):
    """Places in `Shared.counters`."""

    COMMANDS_HEAD = 0  # event loop
    COMMANDS_TAIL = 1  # line thread
    ASIDE_HEAD = 2  # line thread
    ASIDE_TAIL = 3  # event loop
    ASIDE_LOST = 4
    STOP = 5  # event loop
    TICK = 6  # line thread, like the three that follow
    SKIPPED = 7
    SENT = 8
    WORKED = 9
    CARRIED_NS = 10  # what receiving and sending took
    UNJUDGED = 11  # judging thread, like the one that follows
    JUDGED = 12
    MOVED = 13  # line thread: legs that went to another slot


class Standing(IntEnum):
    """Places in a row of `Speaking.standing`: where playback stands after a tick."""

    VERSION = 0  # odd while the rest is written
    GENERATION = 1
    PLAYBACK = 2
    SAMPLES = 3  # of it, sent

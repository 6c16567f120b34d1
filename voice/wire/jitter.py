"""An adaptive jitter buffer: packets in as they come, one frame of audio a tick out.

Time is kept by the caller's ticks: every `pop` gives one frame or says why there is none, and the place of a packet
on the time line follows from its timestamp, so what is lost leaves a hole of its own length and time never shrinks.

The delay follows the spread of the arrivals (arrivals.py). It grows by repeating a frame and shrinks by leaving one
out, in silence where there is any; the same two moves take up the drift between the sender's clock and ours.
"""

from bisect import insort
from dataclasses import dataclass
from enum import Enum

from voice.wire.arrivals import MAX_TICKS, Arrivals
from voice.wire.reports import Reception
from voice.wire.rtp import RtpPacket, sequence_step, timestamp_step

CAPACITY_TICKS = 50
"""Audio held at most: one second. Past it the oldest is dropped and counted."""
CAPACITY_PACKETS = 256
"""Packets held at most, however short. Past it the oldest is dropped and counted."""

_JUMP_TICKS = MAX_TICKS + 5  # no packet is early by more than the delay was long: a clock set on
_IDLE_TICKS = 10  # so long without a packet, the next one starts the time line anew
_MOVE_TICKS = 10  # at most one frame left out or repeated in silence in so many ticks
_WINDOW = 128  # sequence numbers remembered, to tell a repeat from a late packet
_RESTART_STEP = 3000  # a sequence number so far ahead is another count, not so many losses (RFC 3550 A.1)


class Hole(Enum):
    """Why there is no audio for a tick."""

    LOST = "lost"
    """Audio belongs here and is missing (or a frame is stretched): conceal it."""
    SILENCE = "silence"
    """Nothing was sent for this tick: the sender pauses, or has not begun."""


@dataclass(frozen=True, slots=True)
class JitterStats:
    """Packets counted since the start (and frames, for the last three)."""

    received: int = 0
    lost: int = 0
    late: int = 0
    repeated: int = 0
    overflowed: int = 0
    shortened: int = 0
    stretched: int = 0
    concealed: int = 0


class JitterBuffer:
    """One stream's buffer. `frame_units` is 20 ms in timestamp units.

    `divisible`: an octet is a timestamp unit (G.711), so packets of any length are cut and joined to frames, and
    `pop` gives `frame_units` octets. Otherwise a packet is one frame and is given out whole (Opus).
    """

    def __init__(self, frame_units: int = 160, *, divisible: bool = True) -> None:
        self._frame = frame_units
        self._divisible = divisible
        self._arrivals = Arrivals()
        self._segments: list[tuple[int, int, bytes]] = []  # position, sequence, payload; by position
        self._cursor = 0  # position of the next frame; advances by one frame a tick
        self._offset = 0  # position = unwrapped timestamp + offset
        self._anchored = False
        self._ssrc: int | None = None
        self._newest = (0, 0, 0)  # sequence (unwrapped), timestamp (unwrapped), tick of the newest packet
        self._first_sequence = 0
        self._seen = 0  # bit i: sequence `newest - i` came
        self._played_sequence: int | None = None
        self._empty_ticks = 0
        self._late_since: int | None = None
        self._popped_at: int | None = None
        self._moved_at = -_MOVE_TICKS
        self._skipped_at: int | None = None
        self._unique = 0
        self._lost_before = 0  # of streams that ended
        self._received = self._late = self._repeated = self._overflowed = 0
        self._shortened = self._stretched = self._concealed = 0

    @property
    def target_ms(self) -> int:
        """The delay aimed at."""
        return self._arrivals.target * 20

    @property
    def stats(self) -> JitterStats:
        return JitterStats(
            self._received,
            self._lost_before + self._lost(),
            self._late,
            self._repeated,
            self._overflowed,
            self._shortened,
            self._stretched,
            self._concealed,
        )

    @property
    def reception(self) -> Reception | None:
        """How the packets of the present source come; repeats count once. None when none came."""
        if self._ssrc is None:
            return None
        highest, expected = self._newest[0], self._newest[0] - self._first_sequence + 1
        received = min(self._unique, expected)  # the tick may be between the two
        return Reception(self._ssrc, expected, received, highest, self._arrivals.jitter * self._frame)

    def push(self, packet: RtpPacket, now: int) -> None:
        """Take a packet of audio that came by tick `now`."""
        sequence = self._register(packet)
        if sequence is None or not packet.payload:
            return
        timestamp = self._unwrap(packet.timestamp, sequence, now)
        if timestamp is None:
            self._late += 1
            return
        position = timestamp + self._offset
        self._arrivals.add(now - position / self._frame, now)
        if position + self._length(packet.payload) <= self._cursor:
            self._late += 1
            if self._late_since is None:
                self._late_since = now
            if now - self._late_since < _IDLE_TICKS:
                return
            position = self._anchor(timestamp, now)  # nothing has come in time for long: the path itself is longer
        self._late_since = None
        end = position + self._length(packet.payload)
        if end > self._cursor + CAPACITY_TICKS * self._frame:
            self._move_on(end - self._arrivals.target * self._frame)
        if len(self._segments) == CAPACITY_PACKETS:
            self._segments.pop(0)
            self._overflowed += 1
        insort(self._segments, (position, sequence, packet.payload))

    def translate(self, table: bytes) -> None:
        """Change what is held, octet by octet (`bytes.translate`): the stream goes on in another law of G.711."""
        self._segments = [(position, seq, payload.translate(table)) for position, seq, payload in self._segments]

    def clear(self) -> None:
        """Drop what is held: the stream goes on in another format."""
        self._segments.clear()

    def skip(self, packet: RtpPacket, now: int) -> None:
        """Take note of a packet of the stream that carries no audio (a key, comfort noise): it is not a loss."""
        if self._register(packet) is not None:
            self._skipped_at = now

    def pop(self, now: int, *, quiet: bool) -> bytes | Hole:
        """The frame of tick `now`. `quiet`: the last frame was no speech, so that a change of delay goes unheard."""
        if (
            self._anchored and self._popped_at is not None and now > self._popped_at + 1
        ):  # the tick itself stood still: what it missed is past
            missed = self._cursor + (now - self._popped_at - 1) * self._frame
            self._move_on(min(missed, self._cursor_for(self._arrivals.target, now)))
        self._popped_at = now
        self._drop_stale()
        if not self._segments:
            return self._pop_empty(now)
        depth = self._depth(now)
        target = self._arrivals.target
        if now - self._moved_at >= _MOVE_TICKS:
            if (quiet and depth > target + 1) or depth > MAX_TICKS + 2:
                self._moved_at = now
                self._shortened += 1
                self._cursor += self._frame
                self._drop_stale()
                if not self._segments:
                    return self._pop_empty(now)
            elif quiet and depth < target:
                self._moved_at = now
                self._stretched += 1
                return Hole.LOST
        frame = self._take()
        if frame is Hole.LOST:
            self._concealed += 1
            if depth < target:  # nothing is there to be heard: the best moment to wait a tick longer
                self._stretched += 1
                return frame
        self._cursor += self._frame
        return frame

    def _pop_empty(self, now: int) -> Hole:
        self._empty_ticks += 1
        if self._empty_ticks > _IDLE_TICKS:
            self._anchored = False
        if not self._anchored:
            return Hole.SILENCE
        if self._skipped_at is not None and now - self._skipped_at < 3:
            self._cursor += self._frame
            return Hole.SILENCE
        self._concealed += 1
        if self._depth(now) < self._arrivals.target:
            self._stretched += 1
        else:
            self._cursor += self._frame
        return Hole.LOST

    def _depth(self, now: int) -> float:
        """Delay of the fastest packets, in ticks."""
        return now - self._cursor / self._frame - self._arrivals.base

    def _cursor_for(self, depth: float, now: int) -> int:
        return round((now - self._arrivals.base - depth) * self._frame)

    def _length(self, payload: bytes) -> int:
        return len(payload) if self._divisible else self._frame

    def _register(self, packet: RtpPacket) -> int | None:
        """The packet's unwrapped sequence number; None for a repeat and for one too old to know."""
        newest = self._newest[0]
        step = sequence_step(newest & 0xFFFF, packet.sequence)
        if packet.ssrc != self._ssrc or step > _RESTART_STEP:
            self._restart(packet)
            newest, step = packet.sequence - 1, 1
        self._received += 1
        if step > 0:
            self._seen = (self._seen << step | 1) & ((1 << _WINDOW) - 1)
            self._newest = (newest + step, *self._newest[1:])
        elif -step >= _WINDOW:
            self._late += 1
            return None
        elif self._seen >> -step & 1:
            self._repeated += 1
            return None
        else:
            self._seen |= 1 << -step
        self._unique += 1
        return newest + step

    def _restart(self, packet: RtpPacket) -> None:
        """Another stream begins; what is held of the old one is still played."""
        self._lost_before += self._lost()
        self._ssrc = packet.ssrc
        self._first_sequence = packet.sequence
        self._unique = 0
        self._seen = 0
        self._anchored = False
        self._played_sequence = None
        self._newest = (packet.sequence - 1, packet.timestamp, 0)

    def _lost(self) -> int:
        if self._ssrc is None:
            return 0
        return max(0, self._newest[0] - self._first_sequence + 1 - self._unique)

    def _unwrap(self, timestamp: int, sequence: int, now: int) -> int | None:
        """The unwrapped timestamp, with the time line anchored to it where need be; None: cannot be placed."""
        newest_sequence, reference, tick = self._newest
        unwrapped = reference + timestamp_step(reference & 0xFFFF_FFFF, timestamp)
        # a pause moves the timestamp on by as much as the time that passed; any other step is a clock set anew
        unexplained = unwrapped - reference - (now - tick) * self._frame
        jumped = not -CAPACITY_TICKS * self._frame <= unexplained <= _JUMP_TICKS * self._frame
        if sequence == newest_sequence:
            self._newest = (sequence, unwrapped, now)
        elif jumped:
            return None
        if jumped or not self._anchored:
            self._anchor(unwrapped, now)
        return unwrapped

    def _anchor(self, timestamp: int, now: int) -> int:
        """Put `timestamp` on the time line a target delay from now, behind all that is held; its position."""
        position = self._cursor + self._arrivals.target * self._frame
        if self._segments:
            last, _, payload = self._segments[-1]
            position = max(position, last + self._length(payload))
        self._offset = position - timestamp
        self._arrivals.forget_zero()
        self._arrivals.add(now - position / self._frame, now)
        self._anchored = True
        self._empty_ticks = 0
        self._played_sequence = None
        return position

    def _move_on(self, position: int) -> None:
        """Overflow: put the cursor on `position` and count the packets that lay before it."""
        self._cursor = max(self._cursor, position)
        self._overflowed += self._drop_stale()

    def _drop_stale(self) -> int:
        """Forget packets that end before the cursor; how many."""
        count = 0
        segments = self._segments
        while segments and segments[0][0] + self._length(segments[0][2]) <= self._cursor:
            _, self._played_sequence, _ = segments.pop(0)
            count += 1
        return count

    def _take(self) -> bytes | Hole:
        """What is held of the frame at the cursor, or why it is nothing."""
        segments = self._segments
        position, sequence, payload = segments[0]
        end = self._cursor + self._frame
        if position >= end:
            return self._hole()
        self._empty_ticks = 0
        if not self._divisible or (position == self._cursor and len(payload) == self._frame):
            self._played_sequence = sequence
            segments.pop(0)
            return payload
        return self._join(end)

    def _join(self, end: int) -> bytes:
        """A frame out of pieces; what is missing within it repeats the piece before (or the one after)."""
        segments = self._segments
        frame = bytearray()
        while segments and segments[0][0] < end:
            position, sequence, payload = segments[0]
            start = self._cursor + len(frame)
            piece = payload[max(0, start - position) : end - position]
            if position > start:
                source = bytes(frame) or piece
                gap = position - start
                frame += (source * (gap // len(source) + 1))[:gap] if source else b""
            frame += piece
            if position + len(payload) > end:
                break
            self._played_sequence = sequence
            segments.pop(0)
        while len(frame) < self._frame:
            frame += frame[: self._frame - len(frame)]
        return bytes(frame)

    def _hole(self) -> Hole:
        """Why nothing is held at the cursor: lost, if a sequence number before the next packet's is missing."""
        following = self._segments[0][1]
        if self._played_sequence is None:
            return Hole.SILENCE
        for sequence in range(self._played_sequence + 1, following):
            back = self._newest[0] - sequence  # below 0: of a stream that ended, of which nothing is remembered
            if 0 <= back < _WINDOW and not self._seen >> back & 1:
                return Hole.LOST
        return Hole.SILENCE

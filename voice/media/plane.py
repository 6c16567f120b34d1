"""The media plane: all legs of the node, and the thread that moves them 20 ms a step.

The thread never waits for the event loop. Commands come to it through a bounded queue, frames leave it through
another, with one wake-up of the loop a tick. Every kernel is called once a tick for all legs; what is done for a leg
alone stands behind a boundary, so that a leg that fails takes no other with it.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random, SystemRandom

import structlog

from dialog.errors import NotReady, Overloaded
from voice.media.chain import Hearing, Speaking, rows_of
from voice.media.codecs import FrameCodec, G711Name
from voice.media.leg import MediaLeg
from voice.media.line import Line
from voice.media.passing import connect
from voice.media.playout import ALLOWANCE_MS, Playout
from voice.media.tick import Pacer, TickStats
from voice.media.wires import Wire
from voice.ports import Frame, Room

log = structlog.get_logger("media")

MAX_COMMANDS = 4096
"""Commands that may wait for a tick; past it Overloaded is raised."""
MAX_BATCHES = 100
"""Ticks of frames that may wait for the event loop: 2 s. Past it the oldest are dropped and counted."""

_SWITCH_S = 0.0005  # a tick lets go of the interpreter in every kernel; this is what a busy thread may then keep it
_NICE = -10
_NS = 1_000_000_000

Batch = list[tuple[MediaLeg, Frame]]


class MediaPlane:
    """`capacity` legs at most. `allowance_ms`: see `playout.ALLOWANCE_MS`. `chance` numbers the streams;
    `clock_ns` is monotonic."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        capacity: int = 64,
        allowance_ms: int = ALLOWANCE_MS,
        chance: Random | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.dropped_batches = 0
        self._loop = loop
        self._allowance_ms = allowance_ms
        self._clock_ns = clock_ns
        self._chance = chance or SystemRandom()
        self._hearing = Hearing(capacity)
        self._speaking = Speaking(capacity)
        self._free = deque(range(capacity))
        self._commands: deque[Callable[[], None]] = deque()
        self._batches: deque[Batch] = deque()
        self._failures: deque[tuple[MediaLeg, Exception]] = deque()  # at most one a leg
        self._given: list[MediaLeg] = []  # of the event loop: legs whose counts are not yet taken over
        self._refused_before = Counter[str]()
        self._posted = False
        self._stopping = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._pacer = Pacer(0)
        # of the tick thread
        self._tick = 0
        self._legs: list[MediaLeg] = []
        self._g711_rows = self._codec_rows = self._tone_rows = rows_of([])
        self._member_rows = self._room_sizes = rows_of([])

    @property
    def stats(self) -> TickStats:
        """How punctual the tick was over the last minute."""
        return self._pacer.stats

    def start(self) -> None:
        """Run every kernel once, then start the thread. Call it before the first socket opens."""
        row = rows_of([0])
        self._hearing.process(row, rows_of([]), row)
        self._hearing.process(rows_of([]), row, row)
        self._speaking.mix(row, rows_of([1]), self._hearing.wide)
        self._speaking.process(row)
        sys.setswitchinterval(min(_SWITCH_S, sys.getswitchinterval()))
        self._thread = threading.Thread(target=self._run, name="media tick", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop the thread and close every wire. Idempotent."""
        self._closed = self._stopping = True
        if self._thread is not None:
            await self._loop.run_in_executor(None, self._thread.join)
        for leg in self._given:
            leg.close()

    def add_leg(
        self,
        wire: Wire,
        codec: G711Name | FrameCodec,
        payload_type: int,
        event_payload_type: int | None,
    ) -> MediaLeg:
        """Give `wire` a leg from the next tick on; the plane closes the wire. `event_payload_type` None: the far end
        sends keys as tones. Raises Overloaded when every row is taken, NotReady when the plane is closed."""
        if self._closed:
            raise NotReady("the media plane is closed")
        if not self._free or len(self._commands) >= MAX_COMMANDS:
            raise Overloaded("every media row is taken")
        self._settle()
        row = self._free.popleft()
        playout = Playout(self._allowance_ms)
        line = Line(row, wire, codec, payload_type, event_payload_type, playout, self._chance)
        leg = MediaLeg(line, playout, self._post)
        self._given.append(leg)
        self._post(lambda: self._admit(leg))
        return leg

    @property
    def refused(self) -> Counter[str]:
        """Packets that no leg took, by reason, of all legs so far. Event loop."""
        self._settle()
        return sum((leg.line.refused for leg in self._given), self._refused_before)

    def _settle(self) -> None:
        """Take over the counts of legs that are closed."""
        for leg in self._given:
            if leg.closed:
                self._refused_before += leg.line.refused
        self._given = [leg for leg in self._given if not leg.closed]

    def _post(self, command: Callable[[], None]) -> None:
        if len(self._commands) >= MAX_COMMANDS:
            raise Overloaded("too many media commands wait")
        self._commands.append(command)

    # --- the tick thread ---

    def _run(self) -> None:
        _hasten()
        pacer = self._pacer = Pacer(self._clock_ns())
        while not self._stopping:
            wait_ns = pacer.wait_ns(self._clock_ns())
            if wait_ns:
                time.sleep(wait_ns / _NS)
            tick = pacer.begin(self._clock_ns())
            self.run_tick(tick)
            pacer.end(self._clock_ns())
        self._obey()
        for leg in tuple(self._legs):
            self._release(leg)

    def run_tick(self, tick: int) -> None:
        """All legs, one tick: speak, then hear. The thread calls it; so do tests, in virtual time."""
        self._tick = tick
        batch: Batch = []
        try:
            self._obey()
            self._speak(tick)
            self._hear(tick, batch)
        except Exception as error:  # noqa: BLE001 - boundary: a kernel failed under all legs; the node takes new ones
            for leg in tuple(self._legs):
                self._fail(leg, error)
        self._hand_over(batch)

    def _obey(self) -> None:
        waiting = len(self._commands)
        for _ in range(waiting):
            self._commands.popleft()()
        for leg in tuple(self._legs):
            if leg.closed:
                self._release(leg)
        if waiting:
            self._gather()

    def _speak(self, tick: int) -> None:
        hearing, speaking = self._hearing, self._speaking
        self._each(lambda leg: leg.line.say(speaking))
        speaking.mix(self._member_rows, self._room_sizes, hearing.wide)  # what was heard in the tick before
        speaking.process(self._g711_rows)
        self._each(lambda leg: leg.line.send(tick, hearing, speaking, late=self._pacer.is_late(self._clock_ns())))

    def _hear(self, tick: int, batch: Batch) -> None:
        hearing = self._hearing
        self._each(lambda leg: leg.line.hear(tick, hearing))
        hearing.process(self._g711_rows, self._codec_rows, self._tone_rows)
        self._each(lambda leg: batch.append((leg, leg.line.frame(tick, hearing, self._speaking))))

    def _each(self, step: Callable[[MediaLeg], None]) -> None:
        for leg in tuple(self._legs):
            try:
                step(leg)
            except Exception as error:  # noqa: BLE001 - boundary: one leg's codec, wire or packets; the others go on
                self._fail(leg, error)

    def _fail(self, leg: MediaLeg, error: Exception) -> None:
        self._release(leg)
        self._failures.append((leg, error))

    def _admit(self, leg: MediaLeg) -> None:
        line = leg.line
        line.begin(self._tick)
        self._hearing.begin(line.row)
        self._speaking.begin(line.row)
        self._legs.append(leg)

    def _release(self, leg: MediaLeg) -> None:
        self._legs.remove(leg)
        self._gather()
        leg.wire.close()
        self._free.append(leg.line.row)

    def _gather(self) -> None:
        lines = [leg.line for leg in self._legs]
        self._g711_rows = rows_of([line.row for line in lines if line.codec is None])
        self._codec_rows = rows_of([line.row for line in lines if line.codec is not None])
        self._tone_rows = rows_of([line.row for line in lines if line.hears_tones])
        rooms: dict[Room, list[Line]] = {}
        for line in lines:
            line.passage = None
            if line.room is not None:
                rooms.setdefault(line.room, []).append(line)
        for members in rooms.values():
            connect(members)
        self._member_rows = rows_of([line.row for members in rooms.values() for line in members])
        self._room_sizes = rows_of([len(members) for members in rooms.values()])

    def _hand_over(self, batch: Batch) -> None:
        if not batch and not self._failures:
            return
        self._batches.append(batch)
        if len(self._batches) > MAX_BATCHES:
            self._batches.popleft()
            self.dropped_batches += 1
        if not self._posted:
            self._posted = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop is closed: nobody is left to serve
                self._stopping = True

    # --- the event loop ---

    def _deliver(self) -> None:
        self._posted = False  # before draining: what comes after is announced anew
        for leg in {leg for batch in self._batches.copy() for leg, _ in batch}:
            self._deliver_to(leg, leg.wire.flush)
        while self._batches:
            for leg, frame in self._batches.popleft():
                self._deliver_to(leg, partial(leg.deliver, frame))
        while self._failures:
            leg, error = self._failures.popleft()
            self._tell(leg, error)

    def _deliver_to(self, leg: MediaLeg, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - boundary: one leg's listener; the frames of the others go on
            self._tell(leg, error)

    def _tell(self, leg: MediaLeg, error: Exception) -> None:
        log.error("leg failed", error=repr(error), traceback="".join(traceback.format_exception(error)))
        leg.fail(error)


def _hasten() -> None:
    """Let this thread go before others, as far as the system grants it; without, a busy machine sends frames late."""
    thread = threading.get_native_id()
    try:
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except OSError:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, _NICE)

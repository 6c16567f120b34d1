"""The media plane: all legs of the node, on the event loop, and the engine that moves them, in threads of its own.

The engine never waits for the event loop. What is asked of it goes through a bounded ring of commands; what it did
stands in its arrays, and one descriptor wakes the event loop to read it.
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
from dataclasses import dataclass, field
from functools import partial
from random import Random, SystemRandom
from typing import Any

import numpy as np
import structlog

from dialog.errors import NotReady, Overloaded
from dsp.parts import Part
from voice.media.codecs import Coding
from voice.media.engine import period
from voice.media.engine.arrays import Engine, engine
from voice.media.engine.external import BATCHED, observe, publish
from voice.media.engine.layout import ASIDE, COMMANDS, SLOTS, Command
from voice.media.engine.layout import Counter as At
from voice.media.engine.memory import Memory
from voice.media.engine.obeying import obey
from voice.media.leg import MediaLeg
from voice.media.playout import ALLOWANCE_MS, Playout
from voice.media.punctuality import Punctuality, TickStats
from voice.media.row import Row
from voice.media.socket_address import unpacked
from voice.media.wires import Wire
from voice.ports import Room

log = structlog.get_logger("media")

_NICE = -10
_START_NS = 5_000_000
_RINGS = 4_096
"""Octets that are read of a bell at once: all that wait, or all but."""
# plain numbers: numba takes 50 us to find out what member of an enumeration it is given
_STOP, _HEAD, _TAIL = int(At.STOP), int(At.COMMANDS_HEAD), int(At.COMMANDS_TAIL)
_MOVED = int(At.MOVED)
_ASIDE_HEAD, _ASIDE_TAIL, _ASIDE_LOST = int(At.ASIDE_HEAD), int(At.ASIDE_TAIL), int(At.ASIDE_LOST)


@dataclass(slots=True)
class _Place:
    """A room of legs: its number in the engine, the slot of all its legs, and who is in it."""

    number: int
    slot: int
    members: "dict[MediaLeg, Part]" = field(default_factory=dict)


class MediaPlane:
    """`capacity` legs at most. `allowance_ms`: see `playout.ALLOWANCE_MS`. `chance` numbers the streams.
    `cancels_echo`: of legs that give back what they are told. `levels`: frames are as loud as ears want them, and not
    as they came. `dtx`: legs may send less in pauses, where their far ends take it. `batched`: sockets are read by many
    packets at once, which some systems cannot."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        capacity: int = 64,
        allowance_ms: int = ALLOWANCE_MS,
        chance: Random | None = None,
        cancels_echo: bool = False,
        levels: bool = True,
        dtx: bool = False,
        batched: bool = BATCHED,
    ) -> None:
        self._loop = loop
        self._allowance_ms = allowance_ms
        self._chance = chance or SystemRandom()
        self._cancels_echo = cancels_echo
        self._levels = levels
        self.dtx = dtx
        self._engine = engine(capacity, batched=batched)
        self._shared = self._engine.shared
        self._memory = Memory(self._engine, capacity)
        self._free = deque(range(capacity))
        self._slots: list[list[MediaLeg]] = [[] for _ in range(SLOTS)]
        self._legs: dict[int, MediaLeg] = {}  # by row, from the command that opens it to the one that closes it
        self._read = [-1] * SLOTS  # ticks of each slot that were delivered
        self._moves = 0  # of legs from slot to slot that are known here
        self._known_slots = np.full(capacity, -1)  # of rows
        self._posted = 0
        self._obeyed: deque[tuple[int, Callable[[], None]]] = deque()
        self._places: dict[Room, _Place] = {}
        self._rooms = 0
        self._refused_before = Counter[str]()
        self._left_out_before = 0
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._bell: tuple[int, int] | None = None
        self._punctuality = Punctuality(self._shared)

    @property
    def stats(self) -> TickStats:
        """How punctual the engine was of late."""
        return self._punctuality.stats

    def forget_times(self) -> None:
        """`stats` begin anew."""
        self._punctuality.forget()

    @property
    def line_thread(self) -> int:
        """The system's number of the thread that carries packets and sound."""
        return self._threads[0].native_id or 0

    @property
    def refused(self) -> Counter[str]:
        """Packets that no leg took, by reason, of all legs so far."""
        of_all = self._refused_before + Counter(aside=observe(self._shared.counters, _ASIDE_LOST))
        return sum((leg.losses for leg in self._legs.values()), of_all)

    @property
    def left_out(self) -> int:
        """Ticks of legs that the event loop did not come to read."""
        return self._left_out_before + sum(leg.left_out for leg in self._legs.values())

    def start(self) -> None:
        """Start the threads. Call it before the first socket opens: what is compiled is loaded by then."""
        _run(engine(1), 0, SLOTS)
        self.run_threads()

    def run_threads(self) -> None:
        """What `start` does once all is loaded."""
        heard, rung = self._bell = _bell()
        self._loop.add_reader(heard, self._wake, heard)
        start_ns = time.monotonic_ns() + _START_NS
        it = self._engine
        lines = partial(period.run_lines, start_ns, 0, 0, it.time, *_lines(it))
        judging = partial(period.run_judging, start_ns, rung, it.time_judging, it.heard, it.judgement, it.shared)
        for name, run in (("media lines", lines), ("media judging", judging)):
            thread = threading.Thread(target=self._run, args=(run,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    async def close(self) -> None:
        """Stop the threads and close every wire. Idempotent."""
        self._closed = True
        publish(self._shared.counters, _STOP, 1)
        for thread in self._threads:
            await self._loop.run_in_executor(None, thread.join)
        self._threads.clear()
        if self._bell is not None:
            self._loop.remove_reader(self._bell[0])
            for file in set(self._bell):
                os.close(file)
            self._bell = None
        for leg in tuple(self._legs.values()):
            leg.close()
        it = self._engine
        obey(it.inbound, it.hearing, it.speaking, it.shared, it.staged)
        self._finish()

    def add_leg(self, wire: Wire, coding: Coding, payload_type: int, event_payload_type: int | None) -> MediaLeg:
        """Give `wire` a leg from the next tick on; the plane closes the wire. `event_payload_type` None: the far end
        sends keys as tones. Raises Overloaded when every row is taken, NotReady when the plane is closed."""
        if self._closed:
            raise NotReady("the media plane is closed")
        if not self._free:
            raise Overloaded("every media row is taken")
        row = Row(self._engine, self._free[0], self._post, self._chance, dtx=self.dtx)
        self._memory.touch(row.number)
        playout = Playout(self._engine.speaking, row.number, self._allowance_ms)
        leg = MediaLeg(self, row, wire, playout, levels=self._levels)
        slot = min(range(SLOTS), key=lambda n: len(self._slots[n]))
        row.open(
            slot, wire, Coding(coding), payload_type, event_payload_type,
            cancels_echo=self._cancels_echo, done=leg.take_in,
        )  # fmt: skip
        self._free.popleft()
        wire.arrived = leg.take_in
        self._legs[row.number] = leg
        self._slots[slot].append(leg)
        self._known_slots[row.number] = slot
        return leg

    def enter(self, leg: MediaLeg, room: Room | None, part: Part) -> None:
        """All legs of a room share a slot, so that they are mixed at once."""
        place = None if room is None else self._places.get(room)
        if room is not None and place is None:
            self._rooms += 1
            place = _Place(self._rooms, leg.row.slot)
        if place is None:
            leg.row.enter(0, part, leg.row.slot)
        else:
            self._settle(place, leg)
            leg.row.enter(place.number, part, place.slot)
        self._leave_room(leg)
        if room is not None and place is not None:
            place.members[leg] = part
            self._places[room] = place
            leg.room = room

    def _settle(self, place: _Place, leg: MediaLeg) -> None:
        """Of the slots that fit the first two of a room, it takes the one for which the other's packets wait less."""
        others = [other for other in place.members if other is not leg]
        if len(others) == 1 and 0 < (leg.row.slot - place.slot) % SLOTS < SLOTS // 2:
            others[0].row.enter(place.number, place.members[others[0]], leg.row.slot)
            place.slot = leg.row.slot

    def release(self, leg: MediaLeg) -> None:
        """The leg is closed: the engine lets go of its row."""
        self._leave_room(leg)
        self._slots[leg.row.slot].remove(leg)
        self._post_always(Command.CLOSE, leg.row.number, done=partial(self._released, leg))

    def _leave_room(self, leg: MediaLeg) -> None:
        if leg.room is None:
            return
        place = self._places[leg.room]
        del place.members[leg]
        if not place.members:
            del self._places[leg.room]
        leg.room = None

    def _released(self, leg: MediaLeg) -> None:
        self._refused_before += leg.losses
        self._left_out_before += leg.left_out
        leg.released()
        del self._legs[leg.row.number]
        self._free.append(leg.row.number)

    # --- commands ---

    def _post(self, command: Command, row: int, *words: int, done: Callable[[], None] | None = None) -> None:
        """Room is kept for each leg to be closed."""
        if self._waiting >= COMMANDS - len(self._legs) - 1:
            raise Overloaded("too many media commands wait")
        self._post_always(command, row, *words, done=done)

    def _post_always(self, command: Command, row: int, *words: int, done: Callable[[], None] | None = None) -> None:
        place = self._shared.commands[self._posted % COMMANDS]
        place[: 2 + len(words)] = (command, row, *words)
        self._posted += 1
        if done is not None:
            self._obeyed.append((self._posted, done))
        publish(self._shared.counters, _HEAD, self._posted)

    @property
    def _waiting(self) -> int:
        return self._posted - observe(self._shared.counters, _TAIL)

    # --- what the engine did ---

    def _run(self, run: Callable[[], None]) -> None:
        """A thread of the engine."""
        _hasten()
        try:
            run()
        except Exception as error:  # noqa: BLE001 - boundary: the engine broke under all legs
            self._loop.call_soon_threadsafe(self._broke, error)

    def _broke(self, error: Exception) -> None:
        self._closed = True  # no other leg would be heard
        for leg in tuple(self._legs.values()):
            self._tell(leg, error)

    def run_tick(self, tick: int) -> None:
        """All legs, one tick, in virtual time: for tests and benches, without threads."""
        self.run_parts(tick * SLOTS, SLOTS)

    def run_parts(self, first: int, parts: int) -> None:
        """The same, so many parts of the period, counted on over ticks."""
        for leg in tuple(self._legs.values()):
            leg.take_in()
        _run(self._engine, first, parts)
        self._loop.call_soon(self._deliver)

    def _wake(self, bell: int) -> None:
        with suppress(BlockingIOError):
            os.read(bell, _RINGS)
        self._deliver()

    def _deliver(self) -> None:
        self._finish()
        self._read_aside()
        self._follow_moves()
        for slot in range(SLOTS):
            judged = observe(self._shared.judged_slots, slot)
            if judged == self._read[slot]:
                continue
            self._read[slot] = judged
            for leg in tuple(self._slots[slot]):
                self._each(leg, leg.give_out)
                self._each(leg, leg.deliver)

    def _finish(self) -> None:
        """What was to be done once a command was obeyed."""
        tail = observe(self._shared.counters, _TAIL)
        while self._obeyed and self._obeyed[0][0] <= tail:
            _, done = self._obeyed.popleft()
            done()

    def _follow_moves(self) -> None:
        """Legs went to the slot of their room, or to the one that fits their packets."""
        moves = observe(self._shared.counters, _MOVED)
        if moves == self._moves:
            return
        self._moves = moves
        for number in np.flatnonzero(self._engine.inbound.legs["slot"] != self._known_slots).tolist():
            leg = self._legs.get(number)  # looking at each leg takes a millisecond where they are a thousand
            if leg is not None and not leg.closed:
                slot = leg.row.present_slot
                self._slots[leg.row.slot].remove(leg)
                self._slots[slot].append(leg)
                self._known_slots[number] = leg.row.slot = slot

    def _read_aside(self) -> None:
        counters = self._shared.counters
        head, tail = observe(counters, _ASIDE_HEAD), observe(counters, _ASIDE_TAIL)
        for n in range(tail, head):
            datagram = self._shared.aside[n % ASIDE]
            leg = self._legs.get(int(datagram["row"]))
            if leg is not None and leg.row.epoch == datagram["epoch"] and not leg.closed:
                data, source = datagram["data"][: datagram["size"]].tobytes(), datagram["address"].tobytes()
                self._each(leg, partial(leg.set_aside, data, unpacked(source)))
        publish(counters, _ASIDE_TAIL, head)

    def _each(self, leg: MediaLeg, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - boundary: one leg's listener; the frames of the others go on
            self._tell(leg, error)

    def _tell(self, leg: MediaLeg, error: Exception) -> None:
        log.error("leg failed", error=repr(error), traceback="".join(traceback.format_exception(error)))
        leg.fail(error)


def _lines(it: Engine) -> tuple[Any, ...]:
    return it.inbound, it.hearing, it.speaking, it.heard, it.shared, it.staged


def _run(it: Engine, first: int, parts: int) -> None:
    period.run_lines(0, first, parts, it.time, *_lines(it))
    period.run_judging(0, 0, it.time_judging, it.heard, it.judgement, it.shared)


def _bell() -> tuple[int, int]:
    """Descriptors to wait at and to write to: one, or where the system has no such thing (macOS) a pipe's."""
    if hasattr(os, "eventfd"):
        event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return event, event
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    return reading, writing


def _hasten() -> None:
    """Let this thread go before others, as far as the system grants it; without, a busy machine sends frames late."""
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    try:
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except OSError:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, _NICE)

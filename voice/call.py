"""One call: a leg, a mind and a journal, alive inside one task group."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from dialog.announcements import Announcements
from dialog.errors import EngineError
from dialog.events import CallAnswered, CallEnded, CallStarted, Event
from dialog.journal import Journal, Listener
from dialog.ports import DialogEngine, HungUp, SessionOpened
from voice.brain import CallBrain
from voice.ports import TICK_MS, Ears, Frame, Leg, Mouth

ECHO = "echo"
"""The bot of the test number."""

MEDIA_LIMIT_MS = 60_000
"""A leg that sends nothing for this long, and is not on hold, is dead: the far end crashed without a word."""

ECHO_BEHIND_MS = 100
"""An echo may wait so long to be sent; more waits only where nothing can be sent, and is void: it would stay late."""

LAST_WORDS_MS = 6_000
"""How long a call whose time is over may take to say so."""

FAREWELL_S = 5.0
"""How long the bot is given to note that the caller is gone."""

log = structlog.get_logger("call")


@dataclass(frozen=True, slots=True)
class Services:
    """What every call of the node shares."""

    ears: Ears
    mouth: Mouth
    bots: dict[str, DialogEngine]
    listeners: Sequence[Listener]
    announcements: Announcements
    longest_call_s: int


class _Over(Exception):
    """Leaves the task group of a call; never seen outside it."""


class Mind(Protocol):
    """Whatever answers on a leg."""

    def on_frame(self, frame: Frame) -> None: ...

    def press(self, key: str) -> None: ...

    def expire(self) -> None:
        """The longest time is over, in every frame anew: end the call."""
        ...

    def gone(self) -> None: ...

    def close(self) -> None: ...


class Echo:
    """The test number: the caller hears what was said, so a line can be checked by ear."""

    def __init__(self, leg: Leg, end: Callable[[str], None]) -> None:
        self._leg = leg
        self._end = end

    def on_frame(self, frame: Frame) -> None:
        if self._leg.queued_ms < ECHO_BEHIND_MS:
            self._leg.play(0, frame.pcm, last=False)

    def press(self, key: str) -> None:
        """Keys mean nothing here."""

    def expire(self) -> None:
        """Nothing is said here."""
        self._end("longest_call")

    def gone(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing is held."""


class Call:
    """A call from answer to end. `run` returns the cause; whoever owns the signalling then hangs up."""

    def __init__(self, call_id: str, started: CallStarted, leg: Leg, codec: str, services: Services) -> None:
        self.call_id = call_id
        self.started = started
        self._leg = leg
        self._codec = codec
        self._services = services
        self._journal = Journal(call_id, tuple(services.listeners))
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._mind: Mind | None = None
        self._now_ms = 0
        self._heard_packets = 0
        self._heard_ms = 0

    def end(self, cause: str) -> None:
        """End the call; the first cause counts."""
        if not self._over.done():
            self._over.set_result(cause)

    def press(self, digits: str) -> None:
        """Keys that came beside the audio."""
        for key in digits:
            if self._mind is not None:
                self._mind.press(key)

    def tell(self, event: Event) -> None:
        """Note in the journal what the call did not see for itself."""
        self._journal.append(self._now_ms, event)

    async def run(self) -> str:
        """Hold the call until either side ends it; the cause. The end is told exactly once, whatever happened."""
        started = self.started
        log.info(
            "call started",
            call_id=self.call_id,
            transport=started.transport,
            bot=started.bot,
            pii={"caller": started.caller, "dialled": started.dialled},
        )
        cause = "error"
        try:
            self._journal.append(0, started)
            self._journal.append(0, CallAnswered(codec=self._codec))
            cause = await self._live()
        finally:
            self._leg.close()
            stats = self._leg.stats
            self._journal.append(
                self._now_ms,
                CallEnded(
                    cause=cause,
                    duration_ms=self._now_ms,
                    late_frames=stats.late_frames,
                    lost_packets=stats.packets_lost,
                ),
            )
            log.info(
                "call ended",
                call_id=self.call_id,
                cause=cause,
                duration_ms=self._now_ms,
                late_frames=stats.late_frames,
                lost_packets=stats.packets_lost,
            )
        return cause

    async def _live(self) -> str:
        cause = ""
        try:
            async with asyncio.TaskGroup() as tasks:
                mind = self._mind = self._make_mind(tasks)
                self._leg.listen(partial(self._on_frame, mind))
                self._leg.on_failure(lambda _error: self.end("error"))
                try:
                    cause = await self._over
                    mind.gone()
                finally:
                    self._mind = None
                    mind.close()
                raise _Over  # what the call still has under way is void: the group cancels it
        except* _Over:
            pass
        return cause

    def _make_mind(self, tasks: asyncio.TaskGroup) -> Mind:
        if self.started.bot == ECHO:
            return Echo(self._leg, self.end)
        services = self._services
        engine = services.bots[self.started.bot]
        brain = CallBrain(
            self._leg, services.ears, services.mouth, engine, self._journal, tasks, self.end, services.announcements
        )
        brain.open(
            SessionOpened(
                caller=self.started.caller,
                dialled=self.started.dialled,
                transport=self.started.transport,
                recorded=bool(self.started.recording),
            )
        )
        return brain

    def _on_frame(self, mind: Mind, frame: Frame) -> None:
        self._now_ms = (frame.tick + 1) * TICK_MS
        mind.on_frame(frame)
        over_ms = self._now_ms - self._services.longest_call_s * 1000
        if over_ms >= 0:
            mind.expire()
        if over_ms >= LAST_WORDS_MS:
            self.end("longest_call")
        if self._now_ms % 1_000 == 0:
            stats = self._leg.stats
            if stats.packets_received != self._heard_packets or not stats.receiving:
                self._heard_packets, self._heard_ms = stats.packets_received, self._now_ms
            elif self._now_ms - self._heard_ms >= MEDIA_LIMIT_MS:
                self.end("no_media")

    async def farewell(self) -> None:
        """Tell the bot that the caller is gone; outlives the call, bounded."""
        engine = self._services.bots.get(self.started.bot)
        if engine is None:
            return
        try:
            async with asyncio.timeout(FAREWELL_S):
                await engine.respond(self.call_id, HungUp())
        except (EngineError, TimeoutError):
            pass  # the caller is gone: there is nobody to tell, and the engine forgets the call in its own time

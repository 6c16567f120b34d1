"""One call: a leg, its minds and a journal, alive in one task group, and what ends it."""

import asyncio

import structlog

from dialog.commands import Command
from dialog.errors import EngineError
from dialog.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    Event,
    MachineHeard,
    RecordingGapped,
)
from dialog.journal import Journal
from dialog.ports import HungUp
from voice.machines import Machine
from voice.media.recording import Recording
from voice.minds import Minds
from voice.ports import TICK_MS, Frame, Leg
from voice.services import People, Refer, Services

MEDIA_LIMIT_MS = 60_000
"""A leg that sends nothing for this long, and is not on hold, is dead: the far end crashed without a word."""

GREETING_MS = 60_000
"""How long after the answer a beep may be that of an answering machine."""

LAST_WORDS_MS = 6_000
"""How long a call whose time is over may take to say so."""

FAREWELL_S = 5.0
"""How long the bot is given to note that the caller is gone."""

log = structlog.get_logger("call")


class _Over(Exception):
    """Leaves the task group of a call; never seen outside it."""


class Call:
    """A call from answer to end. `run` returns the cause; whoever owns the signalling then hangs up.

    Without `people` a handoff ends the call; without `refer` nobody can be transferred outside.
    """

    def __init__(
        self,
        call_id: str,
        started: CallStarted,
        leg: Leg,
        codec: str,
        services: Services,
        people: People | None = None,
        refer: Refer | None = None,
        recording: Recording | None = None,
    ) -> None:
        self.call_id = call_id
        self.started = started
        self._leg = leg
        self._codec = codec
        self._services = services
        self._journal = Journal(call_id, tuple(services.listeners))
        self._minds = Minds(started, leg, services, people, refer, recording, self._journal, self.tell, self.end)
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._now_ms = 0
        self._life = 0
        self._alive_ms = 0
        self._recording = recording
        self._gapped = False
        self._met = False

    def end(self, cause: str) -> None:
        """End the call; the first cause counts."""
        if not self._over.done():
            self._over.set_result(cause)

    def press(self, digits: str) -> None:
        """Keys that came beside the audio."""
        self._minds.press(digits)

    def meet(self, machine: Machine) -> None:
        """A machine is at the far end, and no person: told once, and the end of the call. An answering machine may be
        spoken to, so whoever has the call is told, and goes on."""
        greets = machine == "answering_machine"
        if self._over.done() or (greets and (self._met or self._now_ms > GREETING_MS)):
            return
        self._met = True
        self.tell(MachineHeard(what=machine))
        if not greets:
            self.end(machine)

    def command(self, command: Command) -> bool:
        """Carry out what the desk asks; False where the call is not in a state for it, and nothing has changed."""
        return not self._over.done() and self._minds.command(command)

    def transferred(self, status: int) -> None:
        """What came of sending the caller elsewhere, as a SIP status; nothing where that was not asked for."""
        self._minds.transferred(status)

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
            stats, quality = self._leg.stats, self._leg.quality
            if quality is not None:
                self.tell(quality)
            self._look_at_recording()
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
                self._minds.open(tasks)
                self._leg.listen(self._on_frame)
                self._leg.on_failure(lambda _error: self.end("error"))
                try:
                    cause = await self._over
                finally:
                    self._minds.close(cause)
                raise _Over  # what the call still has under way is void: the group cancels it
        except* _Over:
            pass
        return cause

    def _on_frame(self, frame: Frame) -> None:
        self._now_ms = (frame.tick + 1) * TICK_MS
        self._minds.on_frame(frame)
        over_ms = self._now_ms - self._services.longest_call_s * 1000
        if over_ms >= 0:
            self._minds.expire()
        if over_ms >= LAST_WORDS_MS:
            self.end("longest_call")
        if self._now_ms % 1_000 == 0:
            self._look_at_recording()
            stats = self._leg.stats
            if stats.life != self._life or not stats.receiving:
                self._life, self._alive_ms = stats.life, self._now_ms
            elif self._now_ms - self._alive_ms >= MEDIA_LIMIT_MS:
                self.end("no_media")

    def _look_at_recording(self) -> None:
        """What the disk does to it is no reason to end a call, and every reason to note it."""
        if self._recording is not None and self._recording.trouble and not self._gapped:
            self._gapped = True
            self.tell(RecordingGapped(reason=self._recording.trouble))

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

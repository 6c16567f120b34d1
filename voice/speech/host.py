"""The speech child's host: has it forked, watches it, replaces it.

Recognition and synthesis run in a process of their own, because a model may crash, hang, or hold the interpreter.
That process is expendable: the host keeps what the next one needs to go on.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import structlog

from dialog.errors import CentralinoError, EngineTimeout, EngineUnavailable
from voice.speech import wire
from voice.speech.ears import HostEars
from voice.speech.engines.catalogue import voice_identity
from voice.speech.keeper import NurseryKeeper
from voice.speech.link import Link
from voice.speech.models import cache_dir
from voice.speech.mouth import HostMouth
from voice.speech.prompts import PromptCache
from voice.speech.settings import EngineSettings

PING_S = 0.3
HUNG_S = 1.5
"""A child that leaves a ping unanswered this long is stopped for good; noticed within 1.8 s."""
FORK_S = 1.5
"""A nursery that has not forked by then is hung too, and is replaced."""
BUSY_LIMIT_MS = 15_000
"""A thread that is at one piece of work this long is caught in a model."""
EARLY_DEATH_S = 1.0
FREE_RESTARTS = 8
"""This many early deaths in a row are followed by a restart at once, further ones by a growing pause."""
LONGEST_PAUSE_S = 5.0
BURIAL_S = 2.0


@dataclass(frozen=True, slots=True)
class SpeechStatus:
    """What `centralino check` and the metrics want to know; `pid` is the child's, `load_ms` the models'."""

    ready: bool
    recogniser: str
    model: str
    language: str
    voice: str
    pid: int
    load_ms: int
    restarts: int
    last_loss: str


class SpeechHost:
    """Ears and mouth of one node: `start`, use, `close`."""

    def __init__(self, settings: EngineSettings, cache: Path | None = None) -> None:
        self._settings = settings
        self._voice = voice_identity(settings)
        self._ears = HostEars()
        self._mouth = HostMouth(PromptCache(cache or cache_dir(), self._voice))
        self._nursery = NurseryKeeper(settings)
        self._log = structlog.get_logger("voice.speech")
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None
        self._ready: wire.Ready | None = None
        self._pong = wire.Pong(0, 0)
        self._restarts = 0
        self._last_loss = ""
        self._lost_at: float | None = None

    @property
    def ears(self) -> HostEars:
        """Recognition; usable at once, answers when the child is ready."""
        return self._ears

    @property
    def mouth(self) -> HostMouth:
        """Synthesis; says EngineUnavailable until the child is ready, cached prompts apart."""
        return self._mouth

    async def start(self) -> None:
        """Load the models and wait until the first child is ready.

        Raises ModelMissing, ConfigurationError or EngineError; the host is closed then.
        """
        self._started = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._supervise(), name="speech-host")
        try:
            await self._started
        except CentralinoError:
            await self.close()
            raise

    async def close(self) -> None:
        """End the child, the nursery and the watch over them. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._nursery.close()

    def describe(self) -> SpeechStatus:
        """How the child stands now."""
        settings = self._settings
        loaded = self._nursery.loaded or wire.Loaded(settings.recogniser, settings.model, "", 0)
        return SpeechStatus(
            ready=self._ready is not None,
            recogniser=loaded.recogniser,
            model=loaded.model,
            language=loaded.language,
            voice=self._voice,
            pid=self._ready.pid if self._ready else 0,
            load_ms=loaded.load_ms,
            restarts=self._restarts,
            last_loss=self._last_loss,
        )

    async def _supervise(self) -> None:
        early_deaths = 0
        while True:
            try:
                served_s = await self._one_life()
            except (CentralinoError, OSError) as fault:  # OSError: no descriptors, no memory for another child
                error = fault if isinstance(fault, CentralinoError) else EngineUnavailable(str(fault))
                served_s = 0.0
                self._lost(error.code)
                await self._nursery.close()
                if self._started is not None and not self._started.done():
                    self._started.set_exception(error)
                    return
            early_deaths = early_deaths + 1 if served_s < EARLY_DEATH_S else 0
            self._restarts += 1
            if early_deaths > FREE_RESTARTS:
                await asyncio.sleep(min(0.25 * 2 ** (early_deaths - FREE_RESTARTS), LONGEST_PAUSE_S))

    async def _one_life(self) -> float:
        """One child from its fork to its end; how long it served. Raises EngineError where none could be had."""
        loop = asyncio.get_running_loop()
        ours = await self._nursery.child()
        link = Link(self._receive)
        await loop.create_unix_connection(lambda: link, sock=ours)
        try:
            if not await self._forked(link):
                raise EngineTimeout(f"the speech nursery did not fork within {FORK_S} s")
            served_from = loop.time()
            self._attach(link)
            self._lost(await self._watch(link))
            return loop.time() - served_from
        finally:
            link.drop(EngineUnavailable.code)
            await self._bury()

    async def _forked(self, link: Link) -> bool:
        deadline = asyncio.get_running_loop().time() + FORK_S
        while self._ready is None and not link.lost.done():
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.wait({link.lost}, timeout=0.01)
        return self._ready is not None

    async def _watch(self, link: Link) -> str:
        """Ping until the child is lost; the code of how."""
        loop = asyncio.get_running_loop()
        asked_at = looked_at = loop.time()
        number = self._pong.number
        while not link.lost.done():
            if self._pong.number >= number:
                number = self._pong.number + 1
                asked_at = loop.time()
                link.send(wire.Ping(number))
            await asyncio.wait({link.lost}, timeout=PING_S)
            # a stall of this loop is no fault of the child
            asked_at += max(0.0, loop.time() - looked_at - 2 * PING_S)
            looked_at = loop.time()
            if looked_at - asked_at > HUNG_S or self._pong.busy_ms > BUSY_LIMIT_MS:
                return EngineTimeout.code
        return link.lost.result()

    async def _bury(self) -> None:
        """Kill the child, if it lives, and wait until it is gone: another takes its place in memory."""
        ready, self._ready = self._ready, None
        self._pong = wire.Pong(self._pong.number, 0)
        if ready is None:
            return
        try:
            handle = os.pidfd_open(ready.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(handle, gone.set)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            async with asyncio.timeout(BURIAL_S):
                await gone.wait()
        except (ProcessLookupError, TimeoutError):
            return  # gone before, or in the kernel's hands
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    def _attach(self, link: Link) -> None:
        now = asyncio.get_running_loop().time()
        after_ms = None if self._lost_at is None else int((now - self._lost_at) * 1000)
        self._lost_at = None
        if self._started is not None and not self._started.done():
            self._started.set_result(None)
        self._mouth.attach(link)
        self._ears.attach(link, after_ms)
        status = self.describe()
        self._log.info("speech ready", pid=status.pid, model=status.model, load_ms=status.load_ms, after_ms=after_ms)

    def _lost(self, code: str) -> None:
        served = self._lost_at is None and self._ready is not None
        self._last_loss = code
        self._lost_at = self._lost_at or asyncio.get_running_loop().time()
        if served:
            self._mouth.detach()
            self._ears.detach(code)
        self._log.warning("speech lost", code=code, served=served)

    def _receive(self, message: wire.ToHost) -> None:
        match message:
            case wire.Partial() | wire.Read() | wire.Gapped():
                self._ears.receive(message)
            case wire.Spoken() | wire.NotSpoken():
                self._mouth.receive(message)
            case wire.Pong():
                self._pong = message
            case wire.Ready():
                self._ready = message
            case wire.Loaded() | wire.Refused():
                return  # the nursery's words, on another socket

"""The speech child's keeper: starts it, watches it, replaces it.

Recognition and synthesis run in a process of their own, because a model may crash, hang, or hold the interpreter.
That process is expendable: the host keeps what the next one needs to go on.
"""

import asyncio
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from dialog.errors import ConfigurationError, EngineError, EngineTimeout, EngineUnavailable, ModelMissing
from voice.speech import wire
from voice.speech.ears import HostEars
from voice.speech.engines.catalogue import voice_identity
from voice.speech.link import Link
from voice.speech.models import cache_dir
from voice.speech.mouth import HostMouth
from voice.speech.prompts import PromptCache
from voice.speech.settings import SpeechSettings

PING_S = 0.3
HUNG_S = 1.5
"""A child that leaves a ping unanswered this long is stopped for good; noticed within 1.8 s."""
LOADING_HUNG_S = 10.0
"""While it loads, the interpreter may be held for seconds by a large model."""
LOADING_S = 120.0
BUSY_LIMIT_MS = 15_000
"""A thread that is at one piece of work this long is caught in a model."""
EARLY_DEATH_S = 1.0
FREE_RESTARTS = 8
"""This many early deaths in a row are followed by a restart at once, further ones by a growing pause."""
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class SpeechStatus:
    """What `centralino check` and the metrics want to know."""

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
    """Ears and mouth of one node. `start`, use, `close`."""

    def __init__(self, settings: SpeechSettings, cache: Path | None = None) -> None:
        self._settings = settings
        self._voice = voice_identity(settings)
        self._ears = HostEars()
        self._mouth = HostMouth(PromptCache(cache or cache_dir(), self._voice))
        self._log = structlog.get_logger("voice.speech")
        self._task: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._ready: wire.Ready | None = None
        self._answered = asyncio.Event()
        self._refusal: wire.Refused | None = None
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
        """Start the child and wait until it is ready. Raises ModelMissing, ConfigurationError or EngineError."""
        self._task = asyncio.create_task(self._supervise(), name="speech-host")
        await self._answered.wait()
        if self._ready is None:
            await self.close()
            refusal = self._refusal or wire.Refused(EngineUnavailable.code, "the speech child does not start")
            kinds: dict[str, type[Exception]] = {
                kind.code: kind for kind in (ModelMissing, ConfigurationError, EngineUnavailable)
            }
            raise kinds.get(refusal.code, EngineError)(refusal.reason)

    async def close(self) -> None:
        """End the child and the watch over it. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def describe(self) -> SpeechStatus:
        """How the child stands now."""
        ready = self._ready or wire.Ready(0, self._settings.recogniser, self._settings.model, "", 0)
        return SpeechStatus(
            ready=self._ready is not None,
            recogniser=ready.recogniser,
            model=ready.model,
            language=ready.language,
            voice=self._voice,
            pid=ready.pid,
            load_ms=ready.load_ms,
            restarts=self._restarts,
            last_loss=self._last_loss,
        )

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        early_deaths = 0
        while True:
            served_s = await self._one_life()
            early_deaths = early_deaths + 1 if served_s < EARLY_DEATH_S else 0
            self._restarts += 1
            self._lost_at = self._lost_at or loop.time()
            if early_deaths > FREE_RESTARTS:
                await asyncio.sleep(min(0.25 * 2 ** (early_deaths - FREE_RESTARTS), LONGEST_PAUSE_S))

    async def _one_life(self) -> float:
        """One child from its start to its end; how long it served."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voice.speech.child",
                "--fd",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=_environment(),
            )
        ready_at: float | None = None
        try:
            _, self._link = await loop.create_unix_connection(lambda: Link(self._receive), sock=ours)
            self._link.send(wire.Configure(self._settings))
            code = await self._watch(self._link, loading=True)
            if code is None:
                ready_at = loop.time()
                self._attach(self._link)
                code = await self._watch(self._link, loading=False)
            self._detach(code or "")
        finally:
            if self._link is not None:
                self._link.drop(EngineUnavailable.code)
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()
            self._answered.set()
        return 0.0 if ready_at is None else loop.time() - ready_at

    async def _watch(self, link: Link, *, loading: bool) -> str | None:
        """Ping until the child is lost (its code) or, while `loading`, until it is ready (None)."""
        loop = asyncio.get_running_loop()
        limit_s = LOADING_HUNG_S if loading else HUNG_S
        began = asked_at = looked_at = loop.time()
        number = self._pong.number
        while not link.lost.done():
            if self._pong.number >= number:
                number = self._pong.number + 1
                asked_at = loop.time()
                link.send(wire.Ping(number))
            await asyncio.wait({link.lost}, timeout=PING_S / 6 if loading else PING_S)
            if loading and self._ready is not None:
                return None
            # a stall of this loop is no fault of the child
            asked_at += max(0.0, loop.time() - looked_at - 2 * PING_S)
            looked_at = loop.time()
            if looked_at - asked_at > limit_s or self._pong.busy_ms > BUSY_LIMIT_MS:
                return EngineTimeout.code
            if loading and looked_at - began > LOADING_S:
                return EngineTimeout.code
        return link.lost.result()

    def _attach(self, link: Link) -> None:
        now = asyncio.get_running_loop().time()
        after_ms = None if self._lost_at is None else int((now - self._lost_at) * 1000)
        self._lost_at = None
        self._answered.set()
        self._mouth.attach(link)
        self._ears.attach(link, after_ms)
        ready = self._ready
        if ready is not None:
            self._log.info("speech_ready", pid=ready.pid, model=ready.model, load_ms=ready.load_ms, after_ms=after_ms)

    def _detach(self, code: str) -> None:
        served, self._ready = self._ready is not None, None
        self._pong = wire.Pong(self._pong.number, 0)
        self._last_loss = code
        self._lost_at = self._lost_at or asyncio.get_running_loop().time()
        if served:
            self._mouth.detach()
            self._ears.detach(code)
        self._log.warning("speech_lost", code=code, served=served)

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
            case wire.Refused():
                self._refusal = message
                if self._link is not None:
                    self._link.drop(message.code)


def _environment() -> dict[str, str]:
    """The child's: one thread a library, and our packages from where they were loaded."""
    root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **single, "MALLOC_ARENA_MAX": "2", "PYTHONPATH": f"{root}:{path}" if path else root}

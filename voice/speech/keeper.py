"""The host's side of the nursery: starts it when there is none, and has it fork children."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from dialog.errors import CentralinoError, ConfigurationError, EngineError, EngineUnavailable, ModelMissing
from voice.speech import wire
from voice.speech.settings import EngineSettings

LOADING_S = 120.0
"""Longest load: the largest models need most of a minute on a slow disk."""


class NurseryKeeper:
    """At most one nursery at a time; `child` and `close` are called from one task."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self.loaded: wire.Loaded | None = None

    async def child(self) -> socket.socket:
        """The host's end of a new child's socket; starts a nursery first where there is none.

        Raises what the nursery refused with (ModelMissing, ConfigurationError, EngineError), or EngineUnavailable.
        """
        if self._process is None or self._process.returncode is not None:
            await self._start()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self._control, [b"f"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise EngineUnavailable("the speech nursery was lost") from error
        return ours

    async def close(self) -> None:
        """End the nursery, and with it whatever it forked. Idempotent."""
        process, self._process = self._process, None
        control, self._control = self._control, None
        self.loaded = None
        if control is not None:
            control.close()
        if process is not None:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def _start(self) -> None:
        await self.close()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._control = ours
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voice.speech.nursery",
                "--fd",
                str(theirs.fileno()),
                "--settings",
                msgspec.json.encode(self._settings).decode(),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=nursery_environment(),
            )
        try:
            async with asyncio.timeout(LOADING_S):
                self.loaded = await self._answer(ours)
        except TimeoutError:
            raise EngineUnavailable(f"the speech models did not load in {LOADING_S:.0f} s") from None

    async def _answer(self, control: socket.socket) -> wire.Loaded:
        receiver = wire.host_receiver()
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(control, 4_096):
            for message in receiver.receive(data):
                if isinstance(message, wire.Loaded):
                    return message
                if isinstance(message, wire.Refused):
                    raise refusal(message)
        raise EngineUnavailable("the speech nursery ended while it loaded")


def refusal(message: wire.Refused) -> CentralinoError:
    """What the nursery raised, raised here."""
    for kind in (ModelMissing, ConfigurationError):
        if message.code == kind.code:
            return kind(message.reason)
    return EngineError(message.reason)


def nursery_environment() -> dict[str, str]:
    """One thread a library, few memory arenas, and our packages from where they were loaded."""
    root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **single, "MALLOC_ARENA_MAX": "2", "PYTHONPATH": f"{root}:{path}" if path else root}

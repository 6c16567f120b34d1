"""Rasa's process: started, watched, restarted, stopped. Loopback only, a token and a port of its own.

Rasa lives in its own Python (3.10), so it is a child process. It may be killed or hang at any time; a call then falls
back to the keypad bot (`dialog/session.py`) and the child is started anew.
"""

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from dialog.engines.training import HOST, Model
from dialog.errors import EngineUnavailable, NotReady
from dialog.http import BROKEN

START_S = 60.0
PING_EVERY_S = 2.0
PING_LIMIT_S = 3.0
BACKOFF_S = (0.5, 30.0)
"""First and longest pause before a restart; it doubles from one to the other."""
STEADY_S = 60.0
"""A child that lived this long starts the pauses from the first again."""
_READY = re.compile(r"ready (\d+)$")
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, slots=True)
class RasaAddress:
    """Where a Rasa with our voice channel answers, and the token it asks for."""

    url: str
    token: str


class RasaHost(Protocol):
    """Knows where Rasa is now."""

    def address(self) -> RasaAddress:
        """Raises EngineUnavailable while there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ExternalRasa:
    """A Rasa that somebody else runs, with our voice channel in it."""

    at: RasaAddress

    def address(self) -> RasaAddress:
        return self.at


class RasaServer:
    """One child that serves `model` of `project`. `run()` keeps it alive until cancelled."""

    def __init__(
        self,
        project: Path,
        model: Path,
        python: Path,
        *,
        customers: str,
        people: bool = False,
        on_change: Callable[[bool], None] = lambda up: None,
    ) -> None:
        """`customers` as for `open_customers`; `people`: whoever is handed over may reach somebody; `on_change` is told
        True when Rasa is up and False when it is lost (by a stop it is not)."""
        self._command = [str(python), str(HOST / "serve.py"), str(project.resolve()), str(model.resolve())]
        self._model = Model(model)
        self._customers = customers if "://" in customers else str(Path(customers).resolve())
        self._people = people
        self._on_change = on_change
        self._address: RasaAddress | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._up = asyncio.Event()
        self._last_words: list[str] = []
        self._served = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._process.pid if self._process else None

    def address(self) -> RasaAddress:
        if self._address is None:
            raise EngineUnavailable(" | ".join(("Rasa is not up", *self._last_words[-5:])))
        return self._address

    async def wait_up(self, timeout_s: float = START_S) -> None:
        """Return when Rasa answers; EngineUnavailable with its last words when it does not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise EngineUnavailable("Rasa did not start: " + " | ".join(self._last_words[-5:])) from None

    async def run(self) -> None:
        """Keep one child alive; when it dies or hangs, start the next after a pause. Ends only by cancellation.

        Raises ModelMissing at once when the model is not one that we trained, NotReady without Rasa's Python.
        """
        self._model.verify()
        if shutil.which(self._command[0]) is None:
            raise NotReady(f"Rasa's environment is missing ({self._command[0]}): run `make setup`")
        pause_s = BACKOFF_S[0]
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                if await self._live():
                    self._on_change(False)  # not at a stop: then nothing was lost
            except NotReady as error:
                if not self._served:
                    raise
                self._last_words.append(str(error))  # no process can be made just now; calls have the keypad bot
            pause_s = BACKOFF_S[0] if loop.time() - began > STEADY_S else min(pause_s * 2, BACKOFF_S[1])
            await asyncio.sleep(pause_s)

    async def _live(self) -> bool:
        """One child, from its start to its end; whether it was up in between."""
        token = secrets.token_urlsafe(32)
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {
            "CENTRALINO_RASA_TOKEN": token,
            "CENTRALINO_CUSTOMERS": self._customers,
            "CENTRALINO_PEOPLE": "1" if self._people else "0",
            "RASA_TELEMETRY_ENABLED": "false",
            "PYTHONWARNINGS": "ignore",
        }
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._model.path.parent,
                env=environment,
                start_new_session=True,  # Ctrl-C at a terminal is the node's to handle: live calls go on with Rasa
            )
        except OSError as error:
            # a machine short of processes or memory; the node lives on and tries again
            self._last_words = [str(error)]
            return False
        self._process = process
        was_up = False
        try:
            async with asyncio.timeout(START_S):
                port = await self._read_port(process)
            self._gain(RasaAddress(f"http://127.0.0.1:{port}/webhooks/voice", token))
            was_up = True
            async with asyncio.TaskGroup() as group:
                ping = group.create_task(self._ping(process), name="rasa ping")
                await _drain(process)
                ping.cancel()
        except TimeoutError:
            self._last_words.append(f"no answer in {START_S:.0f} s")
        except EngineUnavailable:
            pass  # it ended before it was ready: its last words are kept for wait_up
        finally:
            self._process = self._address = None
            self._up.clear()
            if process.returncode is None:
                process.kill()
            await process.wait()
        return was_up

    async def _read_port(self, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            text = line.decode(errors="replace").strip()
            # Rasa colours what it prints, so a colour code may stand before our word
            if ready := _READY.search(text):
                return int(ready[1])
            self._last_words = [*self._last_words[-9:], text[:300]]
        raise EngineUnavailable("Rasa ended while it started")

    async def _ping(self, process: asyncio.subprocess.Process) -> None:
        """Kill a child that answers two pings in a row late or not at all."""
        misses = 0
        address = self.address()
        async with httpx.AsyncClient(timeout=PING_LIMIT_S, trust_env=False) as client:
            while misses < 2:
                await asyncio.sleep(PING_EVERY_S)
                try:
                    await client.get(f"{address.url}/health", headers={"Authorization": f"Bearer {address.token}"})
                    misses = 0
                except BROKEN:
                    misses += 1
        process.kill()

    def _gain(self, address: RasaAddress) -> None:
        self._address, self._last_words = address, []
        self.restarts += self._served
        self._served = True
        self._up.set()
        self._on_change(True)


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read and forget what the child prints until it ends: it may quote callers."""
    assert process.stdout is not None
    while await process.stdout.read(65_536):
        pass

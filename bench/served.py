"""A node in a process of its own, as a bench needs it: free ports, a folder of its own, its cost measured."""

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, SOCK_STREAM, socket

import psutil

COMMAND = (sys.executable, "-c", "from voice.cli import main; main()")
START_S = 120.0
STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class ServedNode:
    """A node that takes calls on `sip_port`; its store is in `folder`."""

    process: psutil.Process
    sip_port: int
    web_port: int
    folder: Path

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def command(self, *words: str) -> str:
        """What `centralino WORDS` prints, with this node's store."""
        own = ("--set", f'record.folder="{self.folder}"')
        return subprocess.run([*COMMAND, *words, *own], capture_output=True, text=True, check=True).stdout.strip()

    def cpu_s(self) -> float:
        """CPU time of the node and its children so far."""
        return float(sum(sum(member.cpu_times()[:2]) for member in self._family()))

    def memory_mb(self) -> float:
        """Resident memory of the node and its children; shared pages are counted once for each."""
        return float(sum(member.memory_info().rss for member in self._family())) / 1e6

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@asynccontextmanager
async def served_node(*assignments: str) -> AsyncIterator[ServedNode]:
    """Serve with `--set` `assignments` until the block is left. RuntimeError with its log when it does not start."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sip_port, web_port = _free_port(SOCK_DGRAM), _free_port(SOCK_STREAM)
        settings = [f"sip.port={sip_port}", f"web.port={web_port}", f'record.folder="{folder}"', *assignments]
        command = [*COMMAND, "serve"]
        log = folder / "log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, *(part for setting in settings for part in ("--set", setting)), stdout=output, stderr=output
            )
        try:
            await asyncio.to_thread(_wait_ready, f"http://127.0.0.1:{web_port}/readyz", log, process)
            yield ServedNode(psutil.Process(process.pid), sip_port, web_port, folder)
        finally:
            if process.returncode is None:
                process.terminate()
                async with asyncio.timeout(STOP_S):
                    await process.wait()


def _free_port(kind: int) -> int:
    with socket(AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(url: str, log: Path, process: asyncio.subprocess.Process) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.returncode is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the node did not start:\n{log.read_text(errors='replace')}")

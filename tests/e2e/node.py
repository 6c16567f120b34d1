"""A real node as a subprocess: `centralino serve` with free ports and a data folder of its own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from dialog.bot.sample import generate
from dialog.events import Record

READY_S = 180.0
"""Start-up with a cold kernel cache and an untrained bot."""
STOP_S = 40.0
_COMMAND = "from voice.cli import main; main()"
_POLL_S = 0.05

T = TypeVar("T")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody holds at the moment."""
    with closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, look: Callable[[], T | None], limit_s: float) -> T:
    """Poll until `look` finds something; what another process does tells no event."""
    until = time.monotonic() + limit_s
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < until, f"{what}: not within {limit_s:g} s"
        time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that serves; read its journals, put its customers back."""

    process: subprocess.Popen[bytes]
    folder: Path
    sip_port: int
    web_url: str

    @property
    def log(self) -> str:
        return (self.folder / "node.log").read_text(errors="replace")

    def call_id(self, caller: str) -> str | None:
        """The call of `caller`, once it is in the store."""
        rows = self.query("SELECT call_id FROM calls WHERE caller LIKE ? ORDER BY number DESC", (f"%{caller}@%",))
        return str(rows[0][0]) if rows else None

    def journal(self, call_id: str) -> list[Record]:
        """What the store holds of a call, which may be live."""
        rows = self.query(
            "SELECT body FROM records JOIN calls ON calls.number = records.call WHERE call_id = ? ORDER BY seq",
            (call_id,),
        )
        return [Record.model_validate_json(body) for (body,) in rows]

    def recording(self, call_id: str) -> Path:
        """The two-channel recording: the caller on the left, the bot on the right."""
        ((name,),) = self.query("SELECT recording FROM calls WHERE call_id = ?", (call_id,))
        return self.folder / "data" / "recordings" / str(name)

    def restore(self, table: str, key: str, value: str) -> None:
        """Put a row of the customer base back as it was generated."""
        pristine = self.folder / "pristine.sqlite"
        if not pristine.exists():
            generate(pristine)
        with closing(sqlite3.connect(self.folder / "data" / "customers.sqlite", timeout=10.0)) as base, base:
            base.execute("ATTACH ? AS pristine", (str(pristine),))
            base.execute(f"DELETE FROM main.{table} WHERE {key} = ?", (value,))
            base.execute(f"INSERT INTO main.{table} SELECT * FROM pristine.{table} WHERE {key} = ?", (value,))

    def query(self, statement: str, values: Sequence[str] = ()) -> list[tuple[str, ...]]:
        """Rows of the store, read only."""
        path = self.folder / "data" / "calls.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)) as store:
            return store.execute(statement, values).fetchall()


@contextmanager
def serving(folder: Path, settings: str = "") -> Iterator[Node]:
    """Start a node in `folder`, and stop it: it must end with 0 and leave no child behind. `settings` is more TOML."""
    sip_port, web_port = free_port(socket.SOCK_DGRAM), free_port()
    config = folder / "node.toml"
    config.write_text(
        f"[sip]\nport = {sip_port}\n[web]\nport = {web_port}\n"
        f"[media]\nfirst_port = 42000\nlast_port = 43998\n"
        f"[limits]\ncalls_per_minute = 600\n"
        f"[record]\nfolder = {json.dumps(str(folder / 'data'))}\n{settings}"
    )
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "serve", "--config", str(config)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    node = Node(process, folder, sip_port, f"http://127.0.0.1:{web_port}")
    try:
        wait_for(f"readiness of the node; its log:\n{node.log}", lambda: _ready(node), READY_S)
        yield node
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, f"the node ended with {process.returncode}:\n{node.log}"
        orphans = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        assert not orphans, f"left behind: {orphans}"
    finally:
        _end(process)


def _ready(node: Node) -> bool | None:
    assert node.process.poll() is None, f"the node ended with {node.process.returncode}:\n{node.log}"
    try:
        with urllib.request.urlopen(f"{node.web_url}/readyz", timeout=5.0) as answer:
            return True if answer.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of a node whose test failed stays behind."""
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for child in children:
            if child.is_running():
                child.kill()

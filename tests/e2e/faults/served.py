"""A served node to do harm to: its children, its figures, its journals and every line it prints."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from prometheus_client.parser import text_string_to_metric_families

from dialog.events import Record

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-c", "from voice.cli import main; main()")
READY_S = 90.0
STOP_S = 40.0
"""Longer than a node may take: 20 s of draining, then farewells."""
POLL_S = 0.05

_BAD_LINES = re.compile(r"Traceback|never retrieved|Fatal error|call failed|leg failed|exception", re.IGNORECASE)

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], limit_s: float) -> T:
    """Poll until `look` finds something: what another process does tells no event."""
    until = time.monotonic() + limit_s
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < until, f"{what}: not within {limit_s:g} s"
        time.sleep(POLL_S)


@dataclass(slots=True)
class Served:
    """A node in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: Path
    sip_port: int = 0
    web_port: int = 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def bad_lines(self) -> list[str]:
        """Lines that speak of an error nobody expected."""
        return [line for line in self.log.splitlines() if _BAD_LINES.search(line)]

    def child(self, kind: str) -> psutil.Process | None:
        """The child that listens and speaks ("speech"), or Rasa ("rasa"), while there is one."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                name, command = child.name(), " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                continue
            if kind == "speech" and (name == "speech-child" or "voice.speech.child" in command):
                return child
            if kind == "rasa" and "rasa/host/serve.py" in command:
                return child
        return None

    def figures(self) -> dict[str, dict[str, float]]:
        """/metrics: by name, the figures by their labels' values."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[",".join(sample.labels.values())] = sample.value
        return found

    def total(self, name: str) -> int:
        """All figures of one name added up."""
        return int(sum(self.figures().get(f"{name}_total", {}).values()))

    def calls(self, caller: str = "") -> list[str]:
        """Ids of the stored calls of whose caller's address `caller` is a part."""
        return [str(row[0]) for row in self._query("SELECT call_id FROM calls WHERE caller LIKE ?", f"%{caller}%")]

    def journal(self, call_id: str) -> list[Record]:
        """What the store holds of a call, which may be live."""
        rows = self._query(
            "SELECT body FROM records JOIN calls ON calls.number = records.call WHERE call_id = ? ORDER BY seq", call_id
        )
        return [Record.model_validate_json(row[0]) for row in rows]

    def recording(self, call_id: str) -> Path:
        ((name,),) = self._query("SELECT recording FROM calls WHERE call_id = ?", call_id)
        return self.data / "recordings" / name

    def _query(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(f"file:{self.data / 'calls.sqlite'}?mode=ro", uri=True, timeout=10)) as store:
            return store.execute(statement, values).fetchall()


@contextmanager
def serving(folder: Path, *assignments: str) -> Iterator[Served]:
    """Serve from `folder` with `--set` `assignments`; at the end it must stop in good order, leaving no child."""
    settings = ("sip.port=0", "web.port=0", f'record.folder="{folder / "data"}"', *assignments)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", *(part for setting in settings for part in ("--set", setting))],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    node = Served(process, folder)
    try:
        wait_for("readiness", lambda: _ready(node), READY_S)
        yield node
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_S) == 0, node.log
            assert not psutil.wait_procs(children, timeout=5)[1], "children outlived the node"
    finally:
        if process.poll() is None:
            family = [*psutil.Process(process.pid).children(recursive=True), process]
            for member in family:
                member.kill()
            process.wait()


def _ready(node: Served) -> bool | None:
    log = node.log
    assert node.process.poll() is None, log
    sip = re.search(r"phone +sip:100@127\.0\.0\.1:(\d+)", log)
    web = re.search(r"browser +http://127\.0\.0\.1:(\d+)/", log)
    if sip is None or web is None:
        return None
    node.sip_port, node.web_port = int(sip[1]), int(web[1])
    return True

"""A real node as a subprocess: `centralino serve` with ports and a data folder of its own."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from prometheus_client.parser import text_string_to_metric_families

from agent_assist.auth.passwords import new_password
from agent_assist.auth.users import Role, Users
from agent_assist.store.database import Database
from dialog.bot.sample import generate
from dialog.events import Record

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from voice.cli import main; main()")
READY_S = 180.0
"""Start-up with a cold kernel cache and an untrained bot."""
STOP_S = 40.0
"""Longer than a node may take: 20 s of draining, then farewells."""
_POLL_S = 0.05

_SIP = re.compile(r"phone +sip:100@\S+:(\d+)")
_WEB = re.compile(r"browser +https?://\S+:(\d+)/")
_BAD_LINES = re.compile(r"Traceback|never retrieved|Fatal error|call failed|leg failed|exception", re.IGNORECASE)

T = TypeVar("T")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody holds at the moment, for peers that cannot say which one the system gave them."""
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


@dataclass(slots=True)
class Node:
    """A node that serves: its ports, its children, its figures, its journals and every line it prints."""

    process: subprocess.Popen[bytes]
    folder: Path
    sip_port: int = 0
    web_port: int = 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def log(self) -> str:
        return (self.folder / "node.log").read_text(errors="replace")

    def bad_lines(self) -> list[str]:
        """Lines that speak of an error nobody expected."""
        return [line for line in self.log.splitlines() if _BAD_LINES.search(line)]

    def child(self, kind: str) -> psutil.Process | None:
        """The child that listens and speaks ("speech"), Rasa ("rasa"), or the one that makes vectors of sentences for
        the suggester ("vectors"), while there is one."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                name, command = child.name(), " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                continue
            if kind == "speech" and (name == "speech-child" or "voice.speech.child" in command):
                return child
            if kind == "rasa" and "rasa/host/serve.py" in command:
                return child
            if kind == "vectors" and "agent_assist.suggest.embedder" in command:
                return child
        return None

    def figures(self) -> dict[str, dict[str, float]]:
        """/metrics: by name, the figures by their labels' values."""
        with urllib.request.urlopen(f"{self.web_url}/metrics", timeout=10) as answer:
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
        """Ids of the stored calls of whose caller's address `caller` is a part, the newest first."""
        rows = self.query("SELECT call_id FROM calls WHERE caller LIKE ? ORDER BY number DESC", (f"%{caller}%",))
        return [call_id for (call_id,) in rows]

    def call_id(self, caller: str) -> str | None:
        """The newest call of `caller`, once it is in the store."""
        return next(iter(self.calls(f"{caller}@")), None)

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
        return self.data / "recordings" / name

    def query(self, statement: str, values: Sequence[str] = ()) -> list[tuple[str, ...]]:
        """Rows of the store, read only."""
        with closing(sqlite3.connect(f"file:{self.data / 'calls.sqlite'}?mode=ro", uri=True, timeout=10)) as store:
            return store.execute(statement, values).fetchall()

    def command(self, *words: str) -> str:
        """What `centralino WORDS` prints, with this node's settings and store."""
        own = ("--config", str(self.folder / "node.toml"), "--set", f"record.folder={json.dumps(str(self.data))}")
        ran = subprocess.run([*COMMAND, *words, *own], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def add_users(self, **roles: str) -> dict[str, str]:
        """Add users by name and role, and give them passwords, as `users add` does: the program takes seconds for each
        to start."""

        async def add() -> dict[str, str]:
            database = await Database.open(self.data / "calls.sqlite")
            try:
                users = await Users.open(database)
                passwords = {name: new_password() for name in roles}
                for name, password in passwords.items():
                    await users.add(name, Role(roles[name]), password)
                return passwords
            finally:
                await database.close()

        return asyncio.run(add())

    def restore(self, table: str, key: str, value: str) -> None:
        """Put a row of the customer base back as it was generated."""
        pristine = self.folder / "pristine.sqlite"
        if not pristine.exists():
            generate(pristine)
        with closing(sqlite3.connect(self.data / "customers.sqlite", timeout=10)) as base, base:
            base.execute("ATTACH ? AS pristine", (str(pristine),))
            base.execute(f"DELETE FROM main.{table} WHERE {key} = ?", (value,))
            base.execute(f"INSERT INTO main.{table} SELECT * FROM pristine.{table} WHERE {key} = ?", (value,))


@contextmanager
def serving(folder: Path, settings: str = "") -> Iterator[Node]:
    """Serve from `folder` with `settings` (TOML); at the end the node must stop in good order, leaving no child.

    The node takes the ports that the system gives it, and calls also while this machine, which does other things as
    well, makes it late. A test may have ended it by the end of the block, in good order.
    """
    config = folder / "node.toml"
    config.write_text(settings)
    own = ("sip.port=0", "web.port=0", "limits.loop_lag_ms=10000", f"record.folder={json.dumps(str(folder / 'data'))}")
    assignments = [part for assignment in own for part in ("--set", assignment)]
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--config", str(config), *assignments],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    node = Node(process, folder)
    try:
        node.sip_port, node.web_port = wait_for("readiness of the node", lambda: _ports(node), READY_S)
        yield node
        children = _children(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, f"the node ended with {process.returncode}:\n{node.log}"
        assert not psutil.wait_procs(children, timeout=5)[1], "children outlived the node"
    finally:
        for member in _children(process):  # nothing of a node whose test failed stays behind
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.kill()
        process.wait()


def _ports(node: Node) -> tuple[int, int] | None:
    """SIP and web, once the node has said them: its last words before it serves."""
    log = node.log
    assert node.process.poll() is None, f"the node ended with {node.process.returncode}:\n{log}"
    sip, web = _SIP.search(log), _WEB.search(log)
    return (int(sip[1]), int(web[1])) if sip and web else None


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []

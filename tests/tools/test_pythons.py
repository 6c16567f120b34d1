"""Finding the Python that Rasa needs."""

from pathlib import Path

import pytest

from tools.pythons import find_python


def interpreter(path: Path, answer: str, status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {answer}\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no Python but those a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


def test_nothing_is_found_on_a_bare_machine(tmp_path: Path) -> None:
    assert find_python("3.10") is None
    assert find_python("3.10", tmp_path / "no-uv") is None


def test_the_one_on_the_path_comes_first(tmp_path: Path) -> None:
    found = interpreter(tmp_path / "bin" / "python3.10", "3.10")
    interpreter(tmp_path / "pyenv" / "versions" / "3.10.9" / "bin" / "python3.10", "3.10")
    assert find_python("3.10") == found


def test_a_shim_that_does_not_run_is_passed_over_for_the_newest_of_pyenv(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin" / "python3.10", "'command not found'", status=127)
    for release in ("3.10.9", "3.10.13", "3.10.2"):
        interpreter(tmp_path / "pyenv" / "versions" / release / "bin" / "python3.10", "3.10")
    assert find_python("3.10") == tmp_path / "pyenv" / "versions" / "3.10.13" / "bin" / "python3.10"


def test_another_version_under_that_name_is_refused(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin" / "python3.10", "3.11")
    assert find_python("3.10") is None


def test_one_that_uv_manages_is_asked_for_last(tmp_path: Path) -> None:
    managed = interpreter(tmp_path / "managed" / "python3.10", "3.10")
    assert find_python("3.10", interpreter(tmp_path / "uv", str(managed))) == managed

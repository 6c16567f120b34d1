"""Set-up itself, as far as it can be shown without installing anything."""

import fcntl
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tools import setup
from tools.steps import SetupError
from voice.speech import models


@pytest.mark.parametrize(
    "variables",
    [
        {"CENTRALINO_CACHE": "/given"},
        {"CENTRALINO_CACHE": "~/given"},
        {"XDG_CACHE_HOME": "/user"},
        {"XDG_CACHE_HOME": "relative"},
        {"CENTRALINO_CACHE": "", "XDG_CACHE_HOME": ""},
        {},
    ],
)
def test_set_up_and_the_server_mean_the_same_cache(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CENTRALINO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert setup.cache_dir() == models.cache_dir()
    assert setup.cache_dir().is_absolute()


def test_a_missing_venv_module_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match="apt install python3-venv"):
        setup.preflight()


def test_a_full_disk_is_named_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "NEEDED_MB", 10**9)
    with pytest.raises(SetupError, match="make room"):
        setup.check_room()


def test_an_older_python_gets_one_line() -> None:
    # the package's first lines must run on any Python 3: they are run here with another version reported
    source = (setup.ROOT / "tools" / "__init__.py").read_text().replace("sys.version_info", "(3, 9)")
    old = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert old.returncode == 1
    assert old.stderr.startswith("set-up: Python 3.11 or newer is needed")
    assert old.stderr.count("\n") == 1


def test_tools_import_nothing_but_the_standard_library() -> None:
    names = ("setup", "steps", "index", "pythons", "gate", "verdict", "lock")
    program = "import sys, " + ", ".join(f"tools.{name}" for name in names)
    program += (
        "; print(sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names - {'tools', '__main__'}))"
    )
    isolated = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, cwd=setup.ROOT)
    assert isolated.stdout.strip() == "[]"


def test_the_other_environments_variables_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert "/elsewhere" not in setup.clean_environment().values()


def test_a_second_set_up_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "STATE", tmp_path)
    with setup.one_at_a_time(), (tmp_path / "lock").open("w") as second, pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with setup.one_at_a_time():
        pass


def test_test_tools_stay_once_they_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "VENV", tmp_path)
    assert [step.stamp.name for step in setup.server_steps(tests=False)] == ["environment", "server"]
    (tmp_path / ".stamps").mkdir()
    (tmp_path / ".stamps" / "tests").touch()
    assert [step.stamp.name for step in setup.server_steps(tests=False)] == ["environment", "tests"]


def test_the_processor_is_known_by_name_and_features() -> None:
    assert setup.processor()
    assert setup.processor() == setup.processor()

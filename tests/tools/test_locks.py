"""The lock files: every package pinned and hashed, no address of a registry, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

LOCKS = ("bootstrap", "server", "test", "rasa")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE)


def text(name: str) -> str:
    return Path("requirements", f"{name}.lock").read_text()


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall(text(name)))


def wanted(requirement: str) -> str:
    return re.split(r"[\[=<>;~! ]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address(name: str) -> None:
    assert not re.search(r"://|--index|--extra-index|--find-links| @ |^-", text(name), re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=\S)", text(name).strip())
    assert entries
    for entry in entries:
        assert PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    server = {wanted(requirement) for requirement in project["dependencies"]}
    tests = {wanted(requirement) for requirement in project["optional-dependencies"]["test"]}
    assert server - pins("server").keys() == set(), "run `make lock`"
    assert tests - pins("test").keys() == set(), "run `make lock`"


def test_the_test_tools_leave_the_servers_versions_alone() -> None:
    for smaller, larger in (("bootstrap", "server"), ("server", "test")):
        assert pins(smaller).items() <= pins(larger).items()


def test_rasa_comes_without_tensorflow() -> None:
    names = pins("rasa")
    assert names["rasa"] == "3.6.21"
    assert not [name for name in names if name.startswith(("tensorflow", "keras", "jax"))]

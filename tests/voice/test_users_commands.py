"""`centralino users`: people, roles and skills from the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dialog.errors import ConfigurationError
from voice.cli import app


@pytest.fixture
def users(tmp_path: Path) -> "Users":
    return Users(tmp_path)


class Users:
    """The command on a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str) -> str:
        """What it prints. Raises what it refuses with."""
        done = CliRunner().invoke(app, ["users", *arguments, "--set", f"record.folder={self._folder}"])
        if isinstance(done.exception, ConfigurationError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output


def test_an_agent_has_skills_and_a_password(users: Users) -> None:
    password = users("add", "gus", "--role", "agent", "--skill", "orders", "--skill", "billing", "--skill", "orders")
    assert len(password.strip()) == 20
    users("add", "ida")
    users("add", "sue", "--role", "supervisor")
    assert users("list").splitlines() == ["gus\tagent\tbilling orders", "ida\tagent", "sue\tsupervisor"]


def test_skills_are_set_anew(users: Users) -> None:
    users("add", "gus", "--skill", "orders")
    users("skills", "gus", "--skill", "billing")
    assert users("list") == "gus\tagent\tbilling\n"
    users("skills", "gus")
    assert users("list") == "gus\tagent\n"


@pytest.mark.parametrize("skill", ["", "Billing", "two words", "a" * 33, "-", "ü", "a\n"])
def test_a_skill_is_a_short_name(users: Users, skill: str) -> None:
    with pytest.raises(ConfigurationError, match="a skill is a short name"):
        users("add", "gus", "--skill", skill)
    assert users("list") == ""


def test_what_is_refused_says_why(users: Users) -> None:
    with pytest.raises(ConfigurationError, match="choose agent, supervisor, administrator"):
        users("add", "gus", "--role", "king")
    with pytest.raises(ConfigurationError, match="no user gus"):
        users("skills", "gus", "--skill", "billing")

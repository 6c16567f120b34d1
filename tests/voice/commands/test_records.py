"""`centralino users` and `centralino calls` on a real store, as they are typed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from agent_assist.auth.users import Role, User, Users
from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from agent_assist.web.app import create_app
from agent_assist.web.settings import SiteSettings
from dialog.errors import ConfigurationError
from dialog.events import Record
from tests.agent_assist.journals import balance_call
from tests.fakes.http_server import serving
from voice.cli import app


class Shell:
    """Types commands about the store in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def type(self, *words: str) -> list[str]:
        """The lines that a command prints; what it raises is raised."""
        result = CliRunner().invoke(app, [*words, "--set", f'record.folder="{self.folder}"'], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    def check(self, name: str, password: str) -> User | None:
        """Who signs in with that password."""

        async def sign_in() -> User | None:
            database = await Database.open(self.folder / "calls.sqlite")
            try:
                return await (await Users.open(database)).check(name, password)
            finally:
                await database.close()

        return asyncio.run(sign_in())

    def keep(self, records: Sequence[Record]) -> None:
        """Put a journal into the store, as a node does."""

        async def append() -> None:
            database = await Database.open(self.folder / "calls.sqlite")
            try:
                await SqlCallStore(database, self.folder / "recordings").append(records)
            finally:
                await database.close()

        asyncio.run(append())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_a_user_signs_in_with_the_password_that_was_printed(shell: Shell) -> None:
    (password,) = shell.type("users", "add", "ann", "--role", "supervisor")
    assert shell.check("ann", password) == User("ann", Role.SUPERVISOR)
    shell.type("users", "add", "bob")
    assert shell.type("users", "list") == ["ann\tsupervisor", "bob\tagent"]


def test_a_new_password_replaces_the_old_one(shell: Shell) -> None:
    (old,) = shell.type("users", "add", "ann")
    (new,) = shell.type("users", "password", "ann")
    assert shell.check("ann", old) is None
    assert shell.check("ann", new) is not None


def test_who_is_removed_is_gone_and_the_last_administrator_stays(shell: Shell) -> None:
    shell.type("users", "add", "ann", "--role", "administrator")
    (password,) = shell.type("users", "add", "bob")
    shell.type("users", "remove", "bob")
    assert shell.check("bob", password) is None
    with pytest.raises(ConfigurationError, match="last administrator"):
        shell.type("users", "remove", "ann")


def test_a_token_is_printed_once_and_opens_in_the_users_name(shell: Shell) -> None:
    shell.type("users", "add", "ann")
    (token,) = shell.type("users", "token", "ann", "exports")

    async def whose() -> User | None:
        database = await Database.open(shell.folder / "calls.sqlite")
        try:
            return await (await Users.open(database)).by_token(token)
        finally:
            await database.close()

    assert asyncio.run(whose()) == User("ann", Role.AGENT)
    with pytest.raises(ConfigurationError, match="exports already"):
        shell.type("users", "token", "ann", "exports")


def test_tokens_are_listed_without_their_secrets(shell: Shell) -> None:
    began = datetime.now(UTC)
    for name in ("bob", "ann"):
        shell.type("users", "add", name)
    assert shell.type("users", "tokens") == []
    secrets = [shell.type("users", "token", *words)[0] for words in (("bob", "wall"), ("ann", "x"), ("ann", "exports"))]
    listed = shell.type("users", "tokens")
    rows = [line.split("\t") for line in listed]
    assert [row[:2] for row in rows] == [["ann", "exports"], ["ann", "x"], ["bob", "wall"]]
    assert {row[2] for row in rows} <= {f"{began:%Y-%m-%d}", f"{datetime.now(UTC):%Y-%m-%d}"}
    assert not any(secret in line for secret in secrets for line in listed)


async def test_a_token_that_is_taken_back_opens_nothing_in_a_running_node(shell: Shell) -> None:
    async def type_elsewhere(*words: str) -> list[str]:
        return await asyncio.to_thread(shell.type, *words)

    await type_elsewhere("users", "add", "ann")
    leaked, other = [(await type_elsewhere("users", "token", "ann", label))[0] for label in ("exports", "wall")]
    database = await Database.open(shell.folder / "calls.sqlite")
    users, recordings, settings = await Users.open(database), shell.folder / "recordings", SiteSettings()
    app = create_app(SqlCallStore(database, recordings), users, recordings, settings)
    async with serving(app, settings) as url, httpx.AsyncClient(base_url=url, trust_env=False) as program:

        async def status(token: str) -> int:
            return (await program.get("/api/calls", headers={"Authorization": f"Bearer {token}"})).status_code

        assert [await status(token) for token in (leaked, other)] == [200, 200]
        assert await type_elsewhere("users", "revoke", "ann", "exports") == []
        assert [await status(token) for token in (leaked, other)] == [401, 200]
    await database.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("users", "add", "ann", "--role", "king"), "role 'king': choose agent, supervisor, administrator"),
        (("users", "password", "nobody"), "no user nobody"),
        (("users", "token", "nobody", "x"), "no user nobody"),
        (("users", "revoke", "nobody", "x"), "nobody has no token x"),
        (("users", "remove", "nobody"), "no user nobody"),
        (("calls", "show", "nothing"), "no call nothing; `centralino calls list` names them"),
        (("calls", "erase", "nothing"), "no call nothing; `centralino calls list` names them"),
    ],
)
def test_what_is_not_there_is_named(shell: Shell, words: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        shell.type(*words)


def test_calls_are_listed_with_the_newest_first(shell: Shell) -> None:
    shell.keep(balance_call("call-1", at="2026-11-02T09:30:00+00:00"))
    shell.keep(balance_call("call-2", at="2026-11-02T09:40:00+00:00", ended=False))
    live, over = shell.type("calls", "list")
    assert live.split()[0] == "call-2"
    assert live.split()[-1] == "live"
    assert over.split()[0] == "call-1"
    assert over.split()[-3:] == ["16", "s", "caller_hung_up"]
    assert shell.type("calls", "list", "--limit", "1") == [live]


def test_a_call_is_shown_as_it_was_told(shell: Shell) -> None:
    records = balance_call("call-1")
    shell.keep(records)
    assert [Record.model_validate_json(line) for line in shell.type("calls", "show", "call-1")] == records


def test_an_erased_call_leaves_no_word_and_no_sound(shell: Shell) -> None:
    shell.keep(balance_call("call-1", recording="call-1.flac"))
    sound = shell.folder / "recordings" / "call-1.flac"
    sound.parent.mkdir(exist_ok=True)
    sound.write_bytes(b"fLaC")
    assert shell.type("calls", "erase", "call-1") == ["call-1 is erased"]
    assert shell.type("calls", "list") == []
    assert not sound.exists()
    with pytest.raises(ConfigurationError, match="no call call-1"):
        shell.type("calls", "show", "call-1")

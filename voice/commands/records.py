"""`centralino users` and `centralino calls`: the store from the command line, whether or not a node is running."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import typer

from agent_assist.auth.passwords import new_password
from agent_assist.auth.users import Role, Users
from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from dialog.errors import ConfigurationError
from voice.config import Settings


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = await Database.open(settings.record.folder / "calls.sqlite")
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _users(settings: Settings) -> AsyncIterator[Users]:
    async with _database(settings) as database:
        yield await Users.open(database)


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[SqlCallStore]:
    async with _database(settings) as database:
        yield SqlCallStore(database, settings.record.folder / "recordings")


async def list_users(settings: Settings) -> None:
    """Print name, role and skills of everybody."""
    async with _users(settings) as users:
        for user in await users.everyone():
            typer.echo(f"{user.name}\t{user.role}\t{' '.join(user.skills)}".rstrip())


async def add_user(settings: Settings, name: str, role: str, skills: Sequence[str]) -> None:
    """Add a user and print the password."""
    if role not in tuple(Role):
        raise ConfigurationError(f"role {role!r}: choose {', '.join(Role)}")
    password = new_password()
    async with _users(settings) as users:
        await users.add(name, Role(role), password, skills)
    typer.echo(password)


async def set_skills(settings: Settings, name: str, skills: Sequence[str]) -> None:
    """Give a user these skills and no others."""
    async with _users(settings) as users:
        await users.set_skills(name, skills)


async def reset_password(settings: Settings, name: str) -> None:
    """Set a new password and print it."""
    password = new_password()
    async with _users(settings) as users:
        await users.set_password(name, password)
    typer.echo(password)


async def add_token(settings: Settings, name: str, label: str) -> None:
    """Make a token and print it."""
    async with _users(settings) as users:
        typer.echo(await users.add_token(name, label))


async def list_tokens(settings: Settings) -> None:
    """Print user, label and day of every token."""
    async with _users(settings) as users:
        for token in await users.tokens():
            typer.echo(f"{token.user}\t{token.label}\t{datetime.fromtimestamp(token.created_s, UTC):%Y-%m-%d}")


async def remove_token(settings: Settings, name: str, label: str) -> None:
    """Take a token back."""
    async with _users(settings) as users:
        await users.remove_token(name, label)


async def remove_user(settings: Settings, name: str) -> None:
    """Remove a user."""
    async with _users(settings) as users:
        await users.remove(name)


async def list_calls(settings: Settings, limit: int) -> None:
    """Print the latest calls, newest first."""
    async with _store(settings) as store:
        for head in await store.calls(limit=limit):
            seconds = f"{head.duration_ms / 1000:.0f} s" if head.ended_at else "live"
            typer.echo(
                f"{head.call_id}  {head.started_at}  {head.transport:7}  {head.bot:9}  {seconds:>7}  {head.cause}"
            )


async def show_call(settings: Settings, call_id: str) -> None:
    """Print the journal of one call."""
    async with _store(settings) as store:
        records = await store.journal(call_id)
    if not records:
        raise ConfigurationError(f"there is no call {call_id}; `centralino calls list` names them")
    for record in records:
        typer.echo(record.model_dump_json())


async def erase_call(settings: Settings, call_id: str) -> None:
    """Remove one call for good."""
    async with _store(settings) as store:
        if not await store.erase(call_id):
            raise ConfigurationError(f"there is no call {call_id}; `centralino calls list` names them")
    typer.echo(f"{call_id} is erased")

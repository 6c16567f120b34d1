"""The people who may sign in, and the tokens programs use in their name."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from agent_assist.auth.passwords import Passwords, new_password
from agent_assist.store.database import Database
from agent_assist.store.tables import KeyRow, SessionRow, TokenRow, UserRow
from dialog.errors import ConfigurationError

FIRST = "admin"
TOKEN_PREFIX = "centralino_"
_NAME_LIMIT = 64
_SKILL = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SKILLS = 32


class Role(StrEnum):
    """What a user is; each may do what those before it may."""

    AGENT = "agent"  # takes calls, and reads the record of those
    SUPERVISOR = "supervisor"  # reads the record of every call
    ADMINISTRATOR = "administrator"  # erases calls

    def reaches(self, least: "Role") -> bool:
        """Whether this role may do what `least` may."""
        order = list(Role)
        return order.index(self) >= order.index(least)


@dataclass(frozen=True, slots=True)
class User:
    """One person. `skills` are what callers may be routed by, in alphabetical order."""

    name: str
    role: Role
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """One token as a list shows it: never its secret."""

    user: str
    label: str
    created_s: int


USER = (UserRow.name, UserRow.role, UserRow.skills)
"""The columns that `user_of` is told."""


def user_of(name: str, role: str, skills: str) -> User:
    """The user in a row of the table."""
    return User(name, Role(role), tuple(skills.split()))


def _written(skills: Sequence[str]) -> str:
    if len(skills) > _SKILLS or not all(map(_SKILL.fullmatch, skills)):
        raise ConfigurationError(f"a skill is a short name in small letters, as billing; a user has up to {_SKILLS}")
    return " ".join(sorted(set(skills)))


def secret_hash(secret: str) -> str:
    """How session ids and tokens are kept. They have 256 bits of chance in them: no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Users:
    """Users and tokens in the store. Methods raise StoreError; those that refuse raise ConfigurationError with why."""

    def __init__(self, database: Database, signing_key: bytes, clock: Callable[[], float]) -> None:
        self.database = database
        self.signing_key = signing_key
        self.clock = clock
        self._passwords = Passwords()

    @classmethod
    async def open(cls, database: Database, clock: Callable[[], float] = time.time) -> "Users":
        """With the node's signing key, made on the first open."""
        async with database.write("read the signing key") as connection:
            made = insert(KeyRow).values(purpose="signing", secret=secrets.token_bytes(32))
            await connection.execute(made.on_conflict_do_nothing())
            key = (await connection.execute(select(KeyRow.secret).where(KeyRow.purpose == "signing"))).scalar_one()
        return cls(database, key, clock)

    async def first_start(self) -> str | None:
        """Where there is no user yet, make the administrator `admin`; the password, to be shown this once."""
        password = new_password()
        row = await self._row(FIRST, Role.ADMINISTRATOR, password)
        async with self.database.write("make the first user") as connection:
            if await connection.scalar(select(func.count()).select_from(UserRow)):
                return None
            await connection.execute(insert(UserRow).values(**row))
        return password

    async def add(self, name: str, role: Role, password: str, skills: Sequence[str] = ()) -> None:
        """A new user."""
        if not name or len(name) > _NAME_LIMIT or not name.isprintable() or name != name.strip():
            raise ConfigurationError(f"a user's name has 1 to {_NAME_LIMIT} printable characters")
        row = await self._row(name, role, password) | {"skills": _written(skills)}
        async with self.database.write("add a user") as connection:
            added = await connection.execute(insert(UserRow).values(**row).on_conflict_do_nothing())
            if added.rowcount == 0:
                raise ConfigurationError(f"there is a user {name} already")

    async def set_password(self, name: str, password: str) -> None:
        """A new password; the user's open sessions end."""
        kept = await self._passwords.hash(password)
        async with self.database.write("set a password") as connection:
            changed = await connection.execute(update(UserRow).where(UserRow.name == name).values(password_hash=kept))
            if changed.rowcount == 0:
                raise ConfigurationError(f"there is no user {name}")
            await connection.execute(delete(SessionRow).where(SessionRow.user == name))

    async def set_skills(self, name: str, skills: Sequence[str]) -> None:
        """These skills and no others; an agent who is at the desk has them from the next arrival on."""
        changing = update(UserRow).where(UserRow.name == name).values(skills=_written(skills))
        async with self.database.write("set skills") as connection:
            if (await connection.execute(changing)).rowcount == 0:
                raise ConfigurationError(f"there is no user {name}")

    async def remove(self, name: str) -> None:
        """Remove a user with sessions and tokens; never the last administrator."""
        async with self.database.write("remove a user") as connection:
            removed = await connection.execute(delete(UserRow).where(UserRow.name == name))
            if removed.rowcount == 0:
                raise ConfigurationError(f"there is no user {name}")
            left = select(func.count()).select_from(UserRow).where(UserRow.role == Role.ADMINISTRATOR)
            if not await connection.scalar(left):
                raise ConfigurationError(f"{name} is the last administrator: add another first")

    async def everyone(self) -> list[User]:
        """Everyone, by name."""
        async with self.database.read("list users") as connection:
            rows = await connection.execute(select(*USER).order_by(UserRow.name))
            return [user_of(row.name, row.role, row.skills) for row in rows]

    async def check(self, name: str, password: str) -> User | None:
        """The user, if the password is right; a wrong name takes as long as a wrong password."""
        statement = select(*USER, UserRow.password_hash).where(UserRow.name == name)
        async with self.database.read("check a password") as connection:
            row = (await connection.execute(statement)).first()
        if not await self._passwords.match(row.password_hash if row else None, password) or row is None:
            return None
        return user_of(row.name, row.role, row.skills)

    async def add_token(self, name: str, label: str) -> str:
        """A token for programs in `name`'s name, to be shown this once. `label` tells it from the user's others."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        async with self.database.write("add a token") as connection:
            user = await connection.scalar(select(UserRow.name).where(UserRow.name == name))
            if user is None:
                raise ConfigurationError(f"there is no user {name}")
            same = select(TokenRow.label).where(TokenRow.user == name, TokenRow.label == label)
            if await connection.scalar(same) is not None:
                raise ConfigurationError(f"{name} has a token {label} already")
            row = {"token_hash": secret_hash(token), "user": name, "label": label, "created_s": int(self.clock())}
            await connection.execute(insert(TokenRow).values(**row))
        return token

    async def remove_token(self, name: str, label: str) -> None:
        """The token opens nothing any more."""
        async with self.database.write("remove a token") as connection:
            gone = await connection.execute(delete(TokenRow).where(TokenRow.user == name, TokenRow.label == label))
            if gone.rowcount == 0:
                raise ConfigurationError(f"{name} has no token {label}")

    async def tokens(self) -> list[Token]:
        """Every token, by user and label."""
        statement = select(TokenRow.user, TokenRow.label, TokenRow.created_s).order_by(TokenRow.user, TokenRow.label)
        async with self.database.read("list tokens") as connection:
            return [Token(row.user, row.label, row.created_s) for row in await connection.execute(statement)]

    async def by_token(self, token: str) -> User | None:
        """Whose token it is. No throttle: 256 bits are not guessed, and a look-up is one indexed read."""
        if not token.startswith(TOKEN_PREFIX):
            return None
        statement = (
            select(*USER).join(TokenRow, TokenRow.user == UserRow.name).where(TokenRow.token_hash == secret_hash(token))
        )
        async with self.database.read("look up a token") as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else user_of(row.name, row.role, row.skills)

    async def _row(self, name: str, role: Role, password: str) -> dict[str, str | int]:
        kept = await self._passwords.hash(password)
        return {"name": name, "role": role, "password_hash": kept, "created_s": int(self.clock())}

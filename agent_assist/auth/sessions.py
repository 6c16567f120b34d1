"""Signed-in browsers: a signed random id in a cookie, its hash in the store, two clocks that end it."""

import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from agent_assist.auth.users import USER, User, Users, secret_hash, user_of
from agent_assist.store.tables import SessionRow, UserRow
from dialog.errors import StoreError

LONGEST_S = 12 * 3600
IDLE_S = 3600
_TOUCH_S = 60
"""A session in use is marked as seen at most this often: a page view is a read, not a write."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user and the token that this session's forms must carry."""

    user: User
    csrf: str


class Sessions:
    """Opens, finds and ends sessions. Every method raises StoreError."""

    def __init__(self, users: Users, *, longest_s: int = LONGEST_S, idle_s: int = IDLE_S) -> None:
        self._users = users
        self._longest_s = longest_s
        self._idle_s = idle_s

    async def open(self, user: User) -> str:
        """A new session of `user`; what its cookie holds. Sessions past their time are swept on the way."""
        secret = secrets.token_urlsafe(32)
        now_s = int(self._users.clock())
        async with self._users.database.write("open a session") as connection:
            stale = or_(SessionRow.opened_s < now_s - self._longest_s, SessionRow.seen_s < now_s - self._idle_s)
            await connection.execute(delete(SessionRow).where(stale))
            row = {"id_hash": secret_hash(secret), "user": user.name, "opened_s": now_s, "seen_s": now_s}
            await connection.execute(insert(SessionRow).values(**row))
        return f"{secret}.{self._sign('session', secret)}"

    async def find(self, cookie: str) -> Session | None:
        """The session behind `cookie`; None for none, a forged one (no look-up), one past its time or ended."""
        secret = self._unsign(cookie)
        if secret is None:
            return None
        id_hash = secret_hash(secret)
        statement = (
            select(*USER, SessionRow.opened_s, SessionRow.seen_s)
            .join(SessionRow, SessionRow.user == UserRow.name)
            .where(SessionRow.id_hash == id_hash)
        )
        async with self._users.database.read("find a session") as connection:
            row = (await connection.execute(statement)).first()
        now_s = int(self._users.clock())
        if row is None or now_s - row.opened_s > self._longest_s or now_s - row.seen_s > self._idle_s:
            return None
        if now_s - row.seen_s > _TOUCH_S:
            await self._touch(id_hash, now_s)
        return Session(user_of(row.name, row.role, row.skills), self._sign("csrf", secret))

    async def end(self, cookie: str) -> None:
        """The cookie opens nothing any more."""
        secret = self._unsign(cookie)
        if secret is not None:
            async with self._users.database.write("end a session") as connection:
                await connection.execute(delete(SessionRow).where(SessionRow.id_hash == secret_hash(secret)))

    async def _touch(self, id_hash: str, now_s: int) -> None:
        # A store that can only be read is still worth reading.
        with contextlib.suppress(StoreError):
            async with self._users.database.write("mark a session as seen") as connection:
                seen = update(SessionRow).where(SessionRow.id_hash == id_hash).values(seen_s=now_s)
                await connection.execute(seen)

    def _unsign(self, cookie: str) -> str | None:
        secret, _, signature = cookie.partition(".")
        expected = self._sign("session", secret)
        return secret if hmac.compare_digest(signature.encode(), expected.encode()) else None

    def _sign(self, purpose: str, secret: str) -> str:
        return hmac.new(self._users.signing_key, f"{purpose}:{secret}".encode(), hashlib.sha256).hexdigest()

"""Who asks: a session's cookie or a bearer token, and whether a change was meant by them."""

import asyncio
import hmac
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request
from starlette.requests import HTTPConnection
from starlette.responses import Response

from agent_assist.auth.sessions import Sessions
from agent_assist.auth.users import Role, User, Users
from agent_assist.web.settings import SiteSettings
from dialog.errors import PeerForbidden

_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `csrf` is empty for a token's bearer: no browser sends a token of its own accord."""

    user: User
    csrf: str

    @property
    def supervises(self) -> bool:
        """Whether the calls of others are this visitor's business."""
        return self.user.role.reaches(Role.SUPERVISOR)

    @property
    def sees_only(self) -> str:
        """The agent whose calls alone this visitor may read; empty for one who may read all."""
        return "" if self.supervises else self.user.name


class Identity:
    """Finds the visitor of a request, and sets and clears the cookie."""

    def __init__(self, users: Users, sessions: Sessions, settings: SiteSettings) -> None:
        self._users = users
        self._sessions = sessions
        self._settings = settings
        # The __Host- prefix binds a cookie to this host and to HTTPS; browsers refuse it without.
        self._cookie = "__Host-centralino" if settings.secure else "centralino"
        self._open: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def find(self, request: HTTPConnection) -> Visitor | None:
        """The visitor, if there is one. A token, once shown, decides alone."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            user = await self._users.by_token(token.strip())
            return None if user is None else Visitor(user, "")
        cookie = request.cookies.get(self._cookie)
        session = await self._sessions.find(cookie) if cookie else None
        return None if session is None else Visitor(session.user, session.csrf)

    async def visitor(self, request: HTTPConnection, least: Role) -> Visitor:
        """The visitor, whose role must reach `least`; the dependency of every page and operation that is not for all.

        Without a visitor a page leads to the sign-in and the API answers 401; a lesser role gets 403. An unsafe
        method by cookie must carry the session's token in X-CSRF-Token.
        """
        visitor = await self.find(request)
        if visitor is None:
            if request.url.path.startswith("/api/"):
                raise HTTPException(401, "sign in, or send a token", headers={"WWW-Authenticate": "Bearer"})
            raise HTTPException(303, headers={"Location": f"/signin?next={quote(request.url.path)}"})
        if not visitor.user.role.reaches(least):
            raise PeerForbidden(f"this is for the role {least}")
        if visitor.csrf and request.scope["type"] == "http" and request.scope["method"] not in _SAFE:
            self.check_csrf(visitor, request.headers.get("x-csrf-token", ""))
        return visitor

    def check_csrf(self, visitor: Visitor, token: str) -> None:
        """Raises PeerForbidden for a token that is not this session's."""
        if not hmac.compare_digest(token.encode(), visitor.csrf.encode()):
            raise PeerForbidden("the form is not of this session: load the page again")

    async def open(self, response: Response, user: User) -> None:
        """A new session for `user`, its cookie in `response`."""
        response.set_cookie(
            self._cookie,
            await self._sessions.open(user),
            max_age=self._settings.session_longest_s,
            path="/",
            secure=self._settings.secure,
            httponly=True,
            samesite="strict",
        )

    async def end(self, request: Request, response: Response, visitor: Visitor) -> None:
        """End the visitor's session with whatever it holds open, and take the cookie back."""
        await self._sessions.end(request.cookies.get(self._cookie, ""))
        response.delete_cookie(self._cookie, path="/", secure=self._settings.secure, httponly=True, samesite="strict")
        for ended in self._open.get(visitor.csrf, ()) if visitor.csrf else ():
            ended.set()

    @contextmanager
    def signed_out(self, visitor: Visitor) -> Iterator[asyncio.Event]:
        """For a connection that stays open: an event that is set when the visitor signs out."""
        ended = asyncio.Event()
        self._open[visitor.csrf].add(ended)
        try:
            yield ended
        finally:
            self._open[visitor.csrf].discard(ended)
            if not self._open[visitor.csrf]:
                del self._open[visitor.csrf]


def identity(request: HTTPConnection) -> Identity:
    """The application's `Identity`."""
    found = request.app.state.identity
    assert isinstance(found, Identity)
    return found


def _least(role: Role) -> Callable[[HTTPConnection], Awaitable[Visitor]]:
    async def visitor(request: HTTPConnection) -> Visitor:
        return await identity(request).visitor(request, role)

    return visitor


Agent = Annotated[Visitor, Depends(_least(Role.AGENT))]
Supervisor = Annotated[Visitor, Depends(_least(Role.SUPERVISOR))]
Administrator = Annotated[Visitor, Depends(_least(Role.ADMINISTRATOR))]


async def agent_name(request: HTTPConnection) -> str:
    """Whose request it is, who must be an agent at least; for routes that are not told by a `Visitor`."""
    return (await identity(request).visitor(request, Role.AGENT)).user.name

"""The way in and out."""

import re
from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from agent_assist.auth.passwords import LONGEST
from agent_assist.auth.throttle import Throttle, address_key
from agent_assist.auth.users import Role, User, Users
from agent_assist.web.identity import Identity, identity
from agent_assist.web.settings import SiteSettings
from agent_assist.web.templates import page

_log = structlog.get_logger(__name__)
# A path of ours and nothing else: no host, no scheme, no second slash that a browser would read as one.
_OWN_PATH = re.compile(r"/[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~%-]+)*")


def signin_router(users: Users, gate: Identity, settings: SiteSettings, *, desk: bool) -> APIRouter:
    """`/signin` and `/signout`, with one count of failures by address and one by account.

    Who names no page is led to the calls, an agent to the panel where there is a desk.
    """
    router = APIRouter(include_in_schema=False)

    def home(user: User) -> str:
        return "/agent" if desk and user.role is Role.AGENT else "/calls"

    ban_s = settings.signin_ban_s
    addresses = Throttle(users.clock, limit=settings.signin_failures_per_address, ban_s=ban_s)
    accounts = Throttle(users.clock, limit=settings.signin_failures_per_account, ban_s=ban_s)

    @router.get("/signin")
    async def signin_page(request: Request, next: Annotated[str, Query()] = "") -> Response:
        visitor = await gate.find(request)
        if visitor is not None:
            return RedirectResponse(_own(next) or home(visitor.user), 303)
        return _form(next, "")

    @router.post("/signin")
    async def signin(
        request: Request,
        name: Annotated[str, Form(max_length=64)],
        password: Annotated[str, Form(max_length=LONGEST)],
        next: Annotated[str, Form()] = "",
    ) -> Response:
        address = address_key(request.client.host if request.client else "")
        wait_s = max(addresses.wait_s(address), accounts.wait_s(name))
        if wait_s:
            return _form(next, f"Too many attempts. Please wait {-(-wait_s // 60)} minutes.", 429, wait_s)
        # The attempt counts before it is checked: a hundred at once are a hundred.
        addresses.fail(address)
        accounts.fail(name)
        user = await users.check(name, password)
        if user is None:
            _log.warning("signin failed", pii={"user": name, "address": address})
            return _form(next, "That name and password do not belong together.", 403)
        addresses.forgive(address)
        accounts.forgive(name)
        response = RedirectResponse(_own(next) or home(user), 303)
        await gate.open(response, user)
        return response

    @router.post("/signout")
    async def signout(request: Request, csrf: Annotated[str, Form(max_length=128)]) -> Response:
        visitor = await identity(request).find(request)
        response = RedirectResponse("/signin", 303)
        if visitor is not None:
            gate.check_csrf(visitor, csrf)
            await gate.end(request, response, visitor)
        return response

    return router


def _own(path: str) -> str:
    return path if _OWN_PATH.fullmatch(path) else ""


def _form(next_path: str, trouble: str, status: int = 200, wait_s: int = 0) -> HTMLResponse:
    headers = {"Retry-After": str(wait_s)} if wait_s else None
    return page("signin.html", status=status, headers=headers, next=_own(next_path), trouble=trouble)

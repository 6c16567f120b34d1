"""The web application: put together here, served and given its further routes by the composition root."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from agent_assist.auth.sessions import Sessions
from agent_assist.auth.users import Users
from agent_assist.store.calls import SqlCallStore
from agent_assist.web.agent_api import DeskParts, agent_router
from agent_assist.web.agent_feed import feed_router
from agent_assist.web.api import api_router
from agent_assist.web.identity import Identity
from agent_assist.web.openapi import serve_openapi
from agent_assist.web.pages import pages_router
from agent_assist.web.problems import add_handlers
from agent_assist.web.settings import SiteSettings
from agent_assist.web.shields import BodyLimit, SameOrigin, SecurityHeaders
from agent_assist.web.signin import signin_router

STATIC = Path(__file__).parent / "static"


def create_app(
    store: SqlCallStore, users: Users, recordings: Path, settings: SiteSettings, desk: DeskParts | None = None
) -> FastAPI:
    """Pages and API on `store`; with a `desk` the agents' panel, commands and feed as well.

    Routers included later (signalling, metrics) stand behind the same shields.
    """
    app = FastAPI(
        title="Centralino",
        version="1",
        summary="The record of calls, and the way into one from a browser.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    gate = Identity(
        users, Sessions(users, longest_s=settings.session_longest_s, idle_s=settings.session_idle_s), settings
    )
    app.state.identity = gate
    add_handlers(app)
    serve_openapi(app)
    app.include_router(pages_router(store, recordings, desk=desk is not None))
    app.include_router(signin_router(users, gate, settings, desk=desk is not None))
    app.include_router(api_router(store, recordings))
    if desk is not None:
        app.include_router(agent_router(desk))
        app.include_router(feed_router(desk.feeds, gate, settings))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    # The last added is the outermost: also an answer of the shields carries the headers.
    app.add_middleware(BodyLimit, limit_bytes=settings.body_limit_bytes, timeout_s=settings.body_timeout_s)
    app.add_middleware(SameOrigin)
    app.add_middleware(SecurityHeaders)
    return app

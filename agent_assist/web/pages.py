"""The pages: the caller's, the list of calls, one call, and the API described."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from agent_assist.auth.users import Role
from agent_assist.store.calls import SqlCallStore
from agent_assist.store.recordings import recording_path
from agent_assist.web.api import CallId, call_detail, call_page
from agent_assist.web.apidocs import described
from agent_assist.web.asyncapi import asyncapi
from agent_assist.web.identity import Agent, identity
from agent_assist.web.templates import page
from agent_assist.web.timeline import timeline

_PAGE = 25
_WIDEST_PX = 30_000


@dataclass(frozen=True, slots=True)
class Scale:
    """Milliseconds to pixels: a short call fills the page, a long one scrolls."""

    length_ms: int
    px_per_s: float

    @classmethod
    def of(cls, length_ms: int) -> "Scale":
        """At least 8 px a second, as long as that draws no picture past all bounds."""
        seconds = length_ms / 1000
        return cls(length_ms, min(max(900 / seconds, 8), max(_WIDEST_PX / seconds, 0.1)))

    @property
    def width(self) -> int:
        """Of the whole call, with room for the last label."""
        return int(self.x(self.length_ms)) + 60

    def x(self, ms: int) -> float:
        """Where a moment lies."""
        return round(ms / 1000 * self.px_per_s, 1)

    def ticks(self) -> list[int]:
        """Moments to label, in ms: the finest step whose labels stay apart."""
        step_s = next((s for s in (1, 2, 5, 10, 30, 60, 300, 900, 3600) if s * self.px_per_s >= 60), 7200)
        return list(range(0, self.length_ms + 1, step_s * 1000))


def pages_router(store: SqlCallStore, recordings: Path, *, desk: bool) -> APIRouter:
    """The pages' routes; none is part of the API. `desk`: there is one, a panel to it, and a link to that."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def caller_page() -> HTMLResponse:
        return page("call.html")

    @router.get("/calls")
    async def calls_page(visitor: Agent, before: Annotated[str, Query(max_length=128)] = "") -> HTMLResponse:
        shown = call_page(await store.calls(limit=_PAGE + 1, before=before, agent=visitor.sees_only), _PAGE)
        return page("calls.html", visitor=visitor, desk=desk, shown=shown, before=before)

    @router.get("/calls/{call_id}")
    async def one_call_page(visitor: Agent, call_id: CallId) -> HTMLResponse:
        detail = await call_detail(store, call_id, visitor.sees_only)

        def drawn_page() -> HTMLResponse:
            drawn = timeline(detail.records)
            recorded = recording_path(recordings, detail.call.recording)
            return page(
                "record.html",
                visitor=visitor,
                desk=desk,
                call=detail.call,
                summary=detail.summary,
                wrap_ups=detail.wrap_ups,
                drawn=drawn,
                scale=Scale.of(drawn.length_ms),
                audio=recorded is not None and recorded.is_file(),
                may_erase=visitor.user.role.reaches(Role.ADMINISTRATOR),
            )

        return await to_thread.run_sync(drawn_page)

    @router.get("/docs")
    async def docs_page(request: Request) -> HTMLResponse:
        visitor = await identity(request).find(request)
        document = await to_thread.run_sync(request.app.openapi)
        return page("docs.html", visitor=visitor, desk=desk, api=described(document))

    @router.get("/openapi.json")
    async def openapi_document(request: Request) -> JSONResponse:
        # Made on the first demand, which takes a tenth of a second: not on the calls' loop.
        return JSONResponse(await to_thread.run_sync(request.app.openapi))

    @router.get("/asyncapi.json")
    async def asyncapi_document() -> JSONResponse:
        return JSONResponse(await to_thread.run_sync(asyncapi))

    if desk:

        @router.get("/agent")
        async def agent_page(visitor: Agent) -> HTMLResponse:
            return page("agent.html", visitor=visitor, desk=desk)

    return router

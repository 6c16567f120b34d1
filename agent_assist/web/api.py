"""`/api/calls`: the record for programs, and for our own pages."""

from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query
from fastapi import Path as UrlPath
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from agent_assist.store.calls import PAGE_LIMIT, SqlCallStore
from agent_assist.store.recordings import MEDIA_TYPES, recording_path
from agent_assist.summary import CallSummary, Summariser
from agent_assist.web.identity import Administrator, Agent
from agent_assist.web.problems import Problem
from dialog.errors import NotFound
from dialog.events import Record
from dialog.ports import CallHead

CallId = Annotated[str, UrlPath(min_length=1, max_length=128)]
_ERRORS: dict[int | str, dict[str, object]] = {
    401: {"model": Problem, "description": "No session and no token"},
    403: {"model": Problem, "description": "Not for this role, or a token missing from a form"},
    422: {"model": Problem, "description": "A parameter is wrong; the detail names it"},
    503: {"model": Problem, "description": "The store does not answer"},
}
_MISSING: dict[int | str, dict[str, object]] = {
    404: {"model": Problem, "description": "No such call, or one that this agent took no part in"}
}


class Call(BaseModel):
    """A call's line in a list. Times are ISO 8601 UTC; `ended_at` is empty while it runs."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
    call_id: str
    transport: str
    caller: str
    dialled: str
    bot: str
    started_at: str
    ended_at: str
    duration_ms: int
    cause: str
    recording: str = Field(description="file name in the recordings folder; empty where nothing was recorded")
    partial: bool = Field(default=False, description="something of the call is missing in its recording, or silent")


class CallPage(BaseModel):
    """Calls, newest first; `next` is the `before` of the page that follows, empty on the last."""

    model_config = ConfigDict(frozen=True)
    calls: list[Call]
    next: str


class WrapUpView(BaseModel):
    """How the call ended for an agent; `written_at` is ISO 8601 UTC."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
    agent: str
    disposition: str
    note: str
    written_at: str


class CallDetail(BaseModel):
    """One call: its head, its figures, what agents wrote at its end, and its whole journal in order."""

    model_config = ConfigDict(frozen=True)
    call: Call
    summary: CallSummary
    wrap_ups: list[WrapUpView] = []
    records: list[Record]


def call_page(heads: list[CallHead], limit: int) -> CallPage:
    """A page told from one head more than it shows."""
    shown = heads[:limit]
    following = shown[-1].call_id if len(heads) > limit else ""
    return CallPage(calls=[Call.model_validate(head) for head in shown], next=following)


async def call_detail(store: SqlCallStore, call_id: str, agent: str) -> CallDetail:
    """One call; with `agent` only where that agent took part. Raises NotFound and StoreError."""
    head = await store.head(call_id, agent)
    if head is None:
        raise NotFound("there is no such call")
    wrap_ups = [WrapUpView.model_validate(each) for each in await store.wrap_ups(call_id)]
    records = await store.journal(call_id)
    figures = Summariser()
    for record in records:
        figures.take(record)
    return CallDetail(call=Call.model_validate(head), summary=figures.summary, wrap_ups=wrap_ups, records=records)


def api_router(store: SqlCallStore, recordings: Path) -> APIRouter:
    """The operations on calls."""
    router = APIRouter(prefix="/api/calls", tags=["calls"], responses=_ERRORS)

    @router.get("", summary="List calls")
    async def list_calls(
        visitor: Agent,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT - 1)] = 50,
        before: Annotated[str, Query(max_length=128, description="the next of the page before")] = "",
    ) -> CallPage:
        """Newest first. An agent sees the calls it took part in."""
        return call_page(await store.calls(limit=limit + 1, before=before, agent=visitor.sees_only), limit)

    @router.get("/{call_id}", summary="Read a call", responses=_MISSING, response_model=CallDetail)
    async def read_call(visitor: Agent, call_id: CallId) -> Response:
        """Head, figures and journal; of a running call as far as it is written."""
        detail = await call_detail(store, call_id, visitor.sees_only)
        # An hour's journal takes long enough to write out that the calls would notice: not on their loop.
        body = await to_thread.run_sync(detail.model_dump_json)
        return Response(body, media_type="application/json")

    @router.delete("/{call_id}", status_code=204, summary="Erase a call", responses=_MISSING)
    async def erase_call(visitor: Administrator, call_id: CallId) -> None:
        """Remove journal and recording at once and for good, and whatever a running call still tells."""
        if not await store.erase(call_id):
            raise NotFound("there is no such call")

    @router.get(
        "/{call_id}/audio",
        summary="Download a recording",
        response_class=FileResponse,
        responses={
            **_MISSING,
            200: {
                "content": {kind: {} for kind in MEDIA_TYPES.values()},
                "description": "Two channels: the caller left, the bot right",
            },
            206: {"description": "The range asked for"},
        },
    )
    async def read_audio(visitor: Agent, call_id: CallId) -> FileResponse:
        """The recording; ranges are honoured."""
        head = await store.head(call_id, visitor.sees_only)
        path = recording_path(recordings, head.recording) if head else None
        if path is None or not await to_thread.run_sync(path.is_file):
            raise NotFound("there is no recording of this call")
        media_type = MEDIA_TYPES[path.suffix]
        return FileResponse(path, media_type=media_type, filename=path.name, content_disposition_type="inline")

    return router

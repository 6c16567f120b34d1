"""`/api/agent/callbacks` and `/api/agent/callout`: who is to be called back, and calling them."""

import re
from typing import Annotated, Protocol

from fastapi import APIRouter
from fastapi import Path as UrlPath
from pydantic import BaseModel, ConfigDict

from agent_assist.desk.ports import AgentDesk, Conflict
from agent_assist.store.desk_records import Callback
from agent_assist.web.identity import Agent
from agent_assist.web.problems import Problem
from dialog.errors import NotFound

TaskId = Annotated[int, UrlPath(ge=1, le=2**53)]

_MISSING: dict[int | str, dict[str, object]] = {
    404: {"model": Problem, "description": "There is no such callback, or it is done"}
}
_CONFLICT: dict[int | str, dict[str, object]] = {
    409: {"model": Problem, "description": "It does not fit what is: no audio, a call that is on, no number"}
}
_AS_PEOPLE_WRITE = str.maketrans("", "", " -()")
_USER = re.compile(r"(?:sips?:(?=[^@]*@)|tel:)?([^@;]*)(?:[@;].*)?", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9*]{1,40}")


class Callbacks(Protocol):
    """The callers to be called back: `agent_assist.store.desk_records.DeskRecords`. Raises StoreError."""

    async def open_callbacks(self) -> list[Callback]: ...

    async def open_callback(self, callback: int) -> Callback | None: ...

    async def finish_callback(self, callback: int, agent: str) -> bool: ...


class CallbackView(BaseModel):
    """A caller to be called back; `asked_at` is ISO 8601 UTC, `number` is empty where none can be called."""

    model_config = ConfigDict(frozen=True)
    id: int
    call_id: str
    caller: str
    number: str
    reason: str
    asked_at: str


def callbacks_router(records: Callbacks, desk: AgentDesk) -> APIRouter:
    """The operations, below the agent's."""
    router = APIRouter()

    @router.get("/callbacks", summary="List the callers to be called back")
    async def callbacks(visitor: Agent) -> list[CallbackView]:
        """Those not done yet, longest waiting first."""
        return [_view(each) for each in await records.open_callbacks()]

    @router.post(
        "/callbacks/{callback}/call",
        status_code=204,
        summary="Let the node call this caller for you",
        responses=_MISSING | _CONFLICT,
    )
    async def callback_call(visitor: Agent, callback: TaskId) -> None:
        """Whoever answers is connected with you. It may be a voice mailbox: the task stays until it is done."""
        task = await records.open_callback(callback)
        if task is None:
            raise NotFound("there is no such callback, or it is done")
        number = number_of(task.caller)
        if not number:
            raise Conflict("this caller has no number")
        desk.call_out(visitor.user.name, number, task.reason)

    @router.post("/callbacks/{callback}/done", status_code=204, summary="A caller was called back", responses=_MISSING)
    async def callback_done(visitor: Agent, callback: TaskId) -> None:
        if not await records.finish_callback(callback, visitor.user.name):
            raise NotFound("there is no such callback, or it is done")

    @router.post("/callout/cancel", status_code=204, summary="Stop calling", responses=_CONFLICT)
    async def callout_cancel(visitor: Agent) -> None:
        desk.give_up(visitor.user.name)

    return router


def number_of(caller: str) -> str:
    """The number that a caller had, "" for none: the user of a SIP or tel URI, or what another platform told."""
    found = _USER.fullmatch(caller)
    user = found[1].translate(_AS_PEOPLE_WRITE) if found else ""
    return user if _NUMBER.fullmatch(user) else ""


def _view(task: Callback) -> CallbackView:
    return CallbackView(
        id=task.id,
        call_id=task.call_id,
        caller=task.caller,
        number=number_of(task.caller),
        reason=task.reason,
        asked_at=task.asked_at,
    )

"""`/api/agent`: what an agent may ask of the desk. A command is answered 204; what came of it is told by the feed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi import Path as UrlPath
from pydantic import BaseModel, ConfigDict, StringConstraints

from agent_assist.desk.feed import AgentFeeds
from agent_assist.desk.ports import AgentDesk
from agent_assist.suggester import Suggester
from agent_assist.web.callbacks_api import Callbacks, callbacks_router
from agent_assist.web.identity import Agent, Supervisor
from agent_assist.web.problems import Problem
from dialog.commands import How
from dialog.errors import NotFound
from dialog.people_events import Suggestion

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ArticleName = Annotated[str, StringConstraints(max_length=200)]
Note = Annotated[str, StringConstraints(max_length=4_000)]
Target = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Spoken = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Search = Annotated[str, Query(max_length=200, description="what to look for")]

_ERRORS: dict[int | str, dict[str, object]] = {
    401: {"model": Problem, "description": "No session and no token"},
    403: {"model": Problem, "description": "A token missing from a form"},
    422: {"model": Problem, "description": "A parameter is wrong; the detail names it"},
    503: {"model": Problem, "description": "The store or the search does not answer"},
}
_CONFLICT: dict[int | str, dict[str, object]] = {
    409: {"model": Problem, "description": "It does not fit what is: the call was taken, there is none to hold"}
}
_MISSING: dict[int | str, dict[str, object]] = {404: {"model": Problem, "description": "There is no such one"}}


@dataclass(frozen=True, slots=True)
class DeskParts:
    """What stands behind the agent's side of the web. Without a suggester there are no articles to be found."""

    desk: AgentDesk
    feeds: AgentFeeds
    records: Callbacks
    suggester: Suggester | None = None


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PresenceWish(_Body):
    """Ready takes calls; during a call it says what follows."""

    presence: Literal["ready", "away"]


class OneCall(_Body):
    """The call that is meant."""

    call_id: CallId


class HoldWish(_Body):
    """With `on` the caller hears music."""

    on: bool


class PauseWish(_Body):
    """With `on` nothing is recorded or written down."""

    on: bool


class Transfer(_Body):
    """The colleague to ring."""

    to: Name


class Outside(_Body):
    """The number or SIP address outside."""

    to: Target


class Supervision(_Body):
    """The colleague, and what the supervisor does in that one's call; none leaves it."""

    agent: Name
    how: How


class Speech(_Body):
    """What the bot's voice is to say to both; `article` names the suggestion it came from."""

    text: Spoken
    article: ArticleName = ""


class NoteText(_Body):
    """What the agent writes down during the call."""

    text: Annotated[Note, StringConstraints(min_length=1)]


class SuggestionUse(_Body):
    """What became of a suggestion."""

    article: Annotated[ArticleName, StringConstraints(min_length=1)]
    how: Literal["copied", "dismissed"]


class WrapUpText(_Body):
    """How a call ended for the agent."""

    call_id: CallId
    disposition: Name
    note: Note = ""


class ArticleView(BaseModel):
    """One article of the knowledge base; `body` is Markdown."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
    article: str
    title: str
    reply: str
    body: str


def agent_router(parts: DeskParts) -> APIRouter:
    """The operations of an agent."""
    router = APIRouter(prefix="/api/agent", tags=["agent"], responses=_ERRORS)
    desk = parts.desk

    @router.post("/presence", status_code=204, summary="Say ready or away", responses=_CONFLICT)
    async def presence(visitor: Agent, body: PresenceWish) -> None:
        """Ready needs audio."""
        desk.set_presence(visitor.user.name, body.presence)

    @router.post("/answer", status_code=204, summary="Take the call that rings", responses=_CONFLICT)
    async def answer(visitor: Agent, body: OneCall) -> None:
        desk.answer(visitor.user.name, body.call_id)

    @router.post("/decline", status_code=204, summary="Decline the call that rings", responses=_CONFLICT)
    async def decline(visitor: Agent, body: OneCall) -> None:
        """It goes to the next."""
        desk.decline(visitor.user.name, body.call_id)

    @router.post("/pick", status_code=204, summary="Take a waiting call out of turn", responses=_CONFLICT)
    async def pick(visitor: Agent, body: OneCall) -> None:
        """Of two who do so the first gets it."""
        desk.pick(visitor.user.name, body.call_id)

    @router.post("/hold", status_code=204, summary="Put the caller on hold, or take them off it", responses=_CONFLICT)
    async def hold(visitor: Agent, body: HoldWish) -> None:
        desk.hold(visitor.user.name, on=body.on)

    @router.post("/pause", status_code=204, summary="Pause the recording, or go on with it", responses=_CONFLICT)
    async def pause(visitor: Agent, body: PauseWish) -> None:
        """Nothing that is said or keyed meanwhile is recorded or written down. It ends with your part in the call."""
        desk.pause_recording(visitor.user.name, on=body.on)

    @router.post("/hangup", status_code=204, summary="Hang up", responses=_CONFLICT)
    async def hang_up(visitor: Agent) -> None:
        desk.hang_up(visitor.user.name)

    @router.post("/handback", status_code=204, summary="Give the caller back to the bot", responses=_CONFLICT)
    async def hand_back(visitor: Agent) -> None:
        desk.hand_back(visitor.user.name)

    @router.post("/transfer", status_code=204, summary="Ring a colleague for this call", responses=_CONFLICT)
    async def transfer(visitor: Agent, body: Transfer) -> None:
        """The caller stays until the colleague answers."""
        desk.transfer(visitor.user.name, body.to)

    @router.post(
        "/transfer/outside", status_code=204, summary="Send the caller to a number outside", responses=_CONFLICT
    )
    async def transfer_outside(visitor: Agent, body: Outside) -> None:
        """The caller stays until that has worked, and then the call is over for you. What may be dialled is set by
        `sip.transfer_to`."""
        desk.transfer_outside(visitor.user.name, body.to)

    @router.post("/consult", status_code=204, summary="Call in somebody outside", responses=_CONFLICT)
    async def consult(visitor: Agent, body: Outside) -> None:
        """The caller is on hold; taken off it, all three hear each other. What may be dialled is set by `dial` of the
        trunks."""
        desk.consult(visitor.user.name, body.to)

    @router.post("/third/drop", status_code=204, summary="Hang up on whom you called in", responses=_CONFLICT)
    async def third_drop(visitor: Agent) -> None:
        """Or stop calling."""
        desk.drop_third(visitor.user.name)

    @router.post("/third/putthrough", status_code=204, summary="Leave the caller with them", responses=_CONFLICT)
    async def third_put_through(visitor: Agent) -> None:
        """They have answered; the call is over for you."""
        desk.put_through(visitor.user.name)

    @router.post("/supervise", status_code=204, summary="Be in the call of a colleague", responses=_CONFLICT)
    async def supervise(visitor: Supervisor, body: Supervision) -> None:
        """Listen, whisper to the agent alone, or join. For supervisors."""
        desk.supervise(visitor.user.name, body.agent, body.how)

    @router.post("/speak", status_code=204, summary="Let the bot's voice say a text", responses=_CONFLICT)
    async def speak(visitor: Agent, body: Speech) -> None:
        """Both hear it."""
        desk.speak(visitor.user.name, body.text, body.article)

    @router.post("/note", status_code=204, summary="Write a note into the call's journal", responses=_CONFLICT)
    async def note(visitor: Agent, body: NoteText) -> None:
        desk.note(visitor.user.name, body.text)

    @router.post("/suggestion", status_code=204, summary="Say what became of a suggestion", responses=_CONFLICT)
    async def suggestion(visitor: Agent, body: SuggestionUse) -> None:
        """One that is spoken is told by `speak`."""
        desk.suggestion(visitor.user.name, body.article, body.how)

    @router.post("/wrapup", status_code=204, summary="Write down how a call ended", responses=_CONFLICT)
    async def wrap_up(visitor: Agent, body: WrapUpText) -> None:
        """The agent is free again."""
        await desk.wrap_up(visitor.user.name, body.call_id, body.disposition, body.note)

    @router.get("/articles", summary="Search the knowledge base")
    async def articles(visitor: Agent, q: Search) -> list[Suggestion]:
        """Best first."""
        return list(await parts.suggester.search(q)) if parts.suggester and q.strip() else []

    @router.get("/articles/{article:path}", summary="Read an article", responses=_MISSING)
    async def article(visitor: Agent, article: Annotated[str, UrlPath(max_length=200)]) -> ArticleView:
        found = parts.suggester.article(article) if parts.suggester else None
        if found is None:
            raise NotFound("there is no such article")
        return ArticleView.model_validate(found)

    router.include_router(callbacks_router(parts.records, desk))
    return router

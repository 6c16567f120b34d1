"""What a node says of itself over HTTP: alive, ready, and its figures."""

from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voice.observe import Metrics


class CountedAnswers:
    """Outermost of all: counts, by status, the answers that refuse a request, a WebSocket's among them."""

    def __init__(self, app: ASGIApp, refused: Counter[str]) -> None:
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""

        accepted = False

        async def counted(message: Message) -> None:
            nonlocal accepted
            status = 0
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    status = int(message["status"])
                case "websocket.accept":
                    accepted = True
                case "websocket.close" if not accepted:
                    status = int(HTTPStatus.FORBIDDEN)  # what the server makes of it
            if status >= HTTPStatus.BAD_REQUEST:
                self._refused[str(status)] += 1
            await send(message)

        await self._app(scope, receive, counted)


def status_router(
    metrics: Metrics, unready: Callable[[], str], amiss: Callable[[], Iterable[str]] = tuple
) -> APIRouter:
    """`unready` gives the reason why no call would be taken now, or ""; `amiss` what else is wrong, a line each."""
    router = APIRouter(tags=["status"])

    @router.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """The process serves."""
        return "ok\n"

    @router.get("/readyz", response_class=PlainTextResponse)
    async def readyz() -> Response:
        """A call would be taken now; otherwise 503 and the reason. Lines below tell of trunks that are down, and of
        recordings that the disk does not take."""
        reason = unready()
        lines = (reason or "ok", *amiss())
        return PlainTextResponse("".join(f"{line}\n" for line in lines), status_code=503 if reason else 200)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def figures() -> Response:
        """Figures in the Prometheus text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router

"""Errors as the web tells them: RFC 9457 problem documents for programs, a page for people."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from agent_assist.desk.ports import Conflict
from agent_assist.web.headers import SECURITY_HEADERS
from agent_assist.web.templates import page
from dialog.errors import (
    CentralinoError,
    EngineError,
    EngineTimeout,
    NotFound,
    OurError,
    Overloaded,
    PeerError,
    PeerForbidden,
    PeerTimeout,
    ProtocolError,
    StoreError,
)

_log = structlog.get_logger(__name__)
RETRY_AFTER_S = 5

# The most particular class first: the first that fits decides.
_STATUS: tuple[tuple[type[CentralinoError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (PeerForbidden, HTTPStatus.FORBIDDEN),
    (PeerTimeout, HTTPStatus.REQUEST_TIMEOUT),
    (Conflict, HTTPStatus.CONFLICT),
    (PeerError, HTTPStatus.BAD_REQUEST),
    (EngineTimeout, HTTPStatus.GATEWAY_TIMEOUT),
    (EngineError, HTTPStatus.SERVICE_UNAVAILABLE),
    (Overloaded, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (OurError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
_CODE: dict[int, str] = {
    401: PeerForbidden.code,
    403: PeerForbidden.code,
    404: NotFound.code,
    408: PeerTimeout.code,
    429: Overloaded.code,
    503: Overloaded.code,
}
_ADVICE: dict[int, str] = {
    403: "This page is not for your role.",
    404: "There is nothing here. A call may have been erased, or its time was up.",
    413: "That was more than this server takes.",
    429: "Too many attempts. Please wait a little.",
    503: "The store does not answer right now. Calls go on; please try again in a moment.",
}


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable and tells the error's class; `detail` is for people."""

    model_config = ConfigDict(frozen=True)
    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str = Field(examples=[NotFound.code, StoreError.code])


def problem_response(
    path: str, status: int, code: str, detail: str = "", headers: dict[str, str] | None = None
) -> Response:
    """The error in the form that fits `path`: JSON below /api, a page elsewhere."""
    title = HTTPStatus(status).phrase
    if path.startswith("/api/") or path == "/openapi.json":
        body = Problem(title=title, status=status, detail=detail, code=code)
        return JSONResponse(
            body.model_dump(), status_code=status, headers=headers, media_type="application/problem+json"
        )
    advice = _ADVICE.get(status, "Something is not as it should be.")
    return page("problem.html", status=status, headers=headers, title=title, advice=advice, code=code)


def add_handlers(app: FastAPI) -> None:
    """Give `app` the answers to every error of the house, of the framework, and of nobody's expectation."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CentralinoError, _house_error)
    app.add_exception_handler(Exception, _unexpected)


async def _http_error(request: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=headers)
    code = _CODE.get(error.status_code, ProtocolError.code)
    return problem_response(request.url.path, error.status_code, code, str(error.detail), headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and what is wrong, never the value: it may be a password.
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
    return problem_response(request.url.path, 422, ProtocolError.code, wrong)


async def _house_error(request: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, CentralinoError)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    if status >= 500:
        _log.warning("request failed", path=request.url.path, code=error.code, reason=str(error))
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    detail = str(error) if isinstance(error, PeerError) else ""
    return problem_response(request.url.path, status, error.code, detail, headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    # Starlette answers this one outside every middleware, then raises it again, so the server's log has the trace.
    return problem_response(request.url.path, 500, OurError.code, headers=dict(SECURITY_HEADERS))

"""What stands before every route, as plain ASGI: headers that bind browsers, a bound on bodies, no foreign forms."""

import asyncio
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_assist.web.headers import SECURITY_HEADERS
from agent_assist.web.problems import problem_response
from dialog.errors import PeerForbidden, PeerTimeout, ProtocolError

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityHeaders:
    """Every answer tells the browser to load from here alone, run no inline script, and keep no copy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding headers to the answer's start."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        await self._app(scope, receive, guarded)


class SameOrigin:
    """Requests that change something, and WebSockets, are refused when they come from another site's page.

    Browsers say where a request comes from (Fetch Metadata; Origin); programs say nothing and carry no cookie
    that somebody else could borrow. A browser lets any page open a WebSocket and read it, cookie and all, so there a
    cookie without an Origin counts for nothing either (RFC 6455 section 10.2).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 403."""
        headers = Headers(scope=scope) if scope["type"] in ("http", "websocket") else Headers()
        if scope["type"] == "websocket":
            refused = _foreign(headers) or ("cookie" in headers and "origin" not in headers)
        else:
            refused = scope["type"] == "http" and scope["method"] not in _SAFE and _foreign(headers)
        if refused:
            refusal = problem_response(scope["path"], 403, PeerForbidden.code, "the request comes from another site")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _foreign(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


class BodyLimit:
    """A request's body is taken whole, up to `limit_bytes` and within `timeout_s`, before any route sees it."""

    def __init__(self, app: ASGIApp, limit_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the body in hand; answer 413 to one too long, 408 to one too slow."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        try:
            body = None if not length.isdecimal() or int(length) > self._limit_bytes else await self._body(receive)
        except TimeoutError:
            await problem_response(scope["path"], 408, PeerTimeout.code)(scope, receive, send)
            return
        if body is None:
            detail = f"a body has at most {self._limit_bytes} bytes"
            await problem_response(scope["path"], 413, ProtocolError.code, detail)(scope, receive, send)
            return
        waiting: list[Message] = [body]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    async def _body(self, receive: Receive) -> Message | None:
        """The body as one message; None past the limit. A caller who hangs up leaves his disconnect instead."""
        body = bytearray()
        async with asyncio.timeout(self._timeout_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                body += message.get("body", b"")
                if len(body) > self._limit_bytes:
                    return None
                if not message.get("more_body", False):
                    return {"type": "http.request", "body": bytes(body), "more_body": False}

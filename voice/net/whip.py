"""Browser calls over HTTP: an offer is posted, the answer comes back (after WHIP, RFC 9725).

    OPTIONS /api/whip         before the offer             204, Link: each STUN or TURN server (section 4.6)
    POST    /api/whip         an offer                     201, the answer, Location: /api/whip/{token}, and Link
    PATCH   /api/whip/{token} a new offer, the same call   200, the answer: the network changed, the call goes on
    DELETE  /api/whip/{token} hang up                      204

Unlike in RFC 9725, PATCH carries a whole offer: candidates are not trickled and ICE is not restarted; a browser that
lost its way makes a new peer connection, which takes over the call. Errors are problem documents (RFC 9457).
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from dialog.errors import NoCommonCodec, Overloaded, PeerError, ProtocolError
from voice.net.ice_guard import IceGuard
from voice.net.webrtc import BrowserPeer, PeerState
from voice.rate import RateLimit
from voice.wire.ice_server import IceServer
from voice.wire.jsep import MAX_OFFER_BYTES

PATH = "/api/whip"
BODY_TIMEOUT_S = 5.0
OFFERS_PER_MINUTE = 20
_BURST = 5
_RETRY_AFTER_S = 5

_SDP = "application/sdp"

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
Who = Callable[[Request], Awaitable[str]]
"""Whose request it is; raises where nobody is let in."""


async def anybody(request: Request) -> str:
    """Anybody may call, and go on from any address: whoever knows the token."""
    return ""


class BrowserCalls(Protocol):
    """Who owns the calls."""

    async def accept(self, peer: BrowserPeer, who: str) -> str:
        """Take a new call of `who` (an address, where anybody may call) and run `peer` in its task group; the call's
        id. Raises Overloaded."""
        ...

    async def resume(self, call_id: str, peer: BrowserPeer) -> None:
        """Let `peer` take the place of the call's peer, and close that one. Raises Overloaded; NoCommonCodec when
        the call's format is not the new peer's; LookupError when the call is over."""
        ...

    async def end(self, call_id: str, cause: str) -> None:
        """Hang up; nothing happens when the call is already over."""
        ...


@dataclass(slots=True)
class _Session:
    call_id: str
    owner: str
    peer: BrowserPeer


class _Problem(PeerError):
    """An answer that is not a success. `code` is stable; `detail` is for people and repeats nothing of the body."""

    code = "peer.request"

    def __init__(self, status: HTTPStatus, code: str, detail: str, retry_after_s: int = 0) -> None:
        super().__init__(detail)
        self.response = JSONResponse(
            {"type": "about:blank", "title": status.phrase, "status": int(status), "code": code, "detail": detail},
            status_code=status,
            media_type="application/problem+json",
            headers={"Retry-After": str(retry_after_s)} if retry_after_s else None,
        )


class Whip:
    """The sessions behind the tokens, and the routes."""

    def __init__(
        self,
        calls: BrowserCalls,
        guard: IceGuard,
        *,
        path: str = PATH,
        who: Who = anybody,
        servers: Sequence[IceServer] = (),
        offers_per_minute: int = OFFERS_PER_MINUTE,
        burst: int = _BURST,
        clock: Callable[[], float] | None = None,
        date: Callable[[], float] = time.time,
    ) -> None:
        """`servers`: what pages are told of. `clock`: seconds, monotonic; by default the event loop's; `date`: seconds
        since 1970, for the servers' credentials."""
        self._calls = calls
        self._guard = guard
        self._path = path
        self._who = who
        self._clock = clock
        self._servers = tuple(servers)
        self._date = date
        self._limit = RateLimit(offers_per_minute, burst)
        self._questions = RateLimit(offers_per_minute, burst)
        self._sessions: dict[str, _Session] = {}
        self.router = APIRouter()
        for route, method, handler in (
            (path, "OPTIONS", self._options),
            (path, "POST", self._post),
            (path + "/{token}", "PATCH", self._patch),
            (path + "/{token}", "DELETE", self._delete),
        ):
            self.router.add_api_route(route, _answering(handler), methods=[method], response_class=Response)

    async def _options(self, request: Request) -> Response:
        self._count(self._questions, request, await self._who(request))
        return self._telling(Response(status_code=204, headers={"Accept-Post": _SDP}))

    async def _post(self, request: Request) -> Response:
        self._forget_ended()
        owner = await self._who(request)
        peer = await self._peer(request, owner)
        call_id = await _handed(peer, self._calls.accept(peer, owner or _address(request)))
        token = secrets.token_urlsafe(24)
        self._sessions[token] = _Session(call_id, owner, peer)
        return self._telling(Response(peer.answer_sdp, 201, {"Location": f"{self._path}/{token}"}, _SDP))

    async def _patch(self, request: Request) -> Response:
        self._forget_ended()
        session = await self._session(request)
        peer = await self._peer(request, session.owner)
        await _handed(peer, self._calls.resume(session.call_id, peer))
        session.peer = peer
        return Response(peer.answer_sdp, 200, media_type=_SDP)

    async def _delete(self, request: Request) -> Response:
        # a page closes its connection and then says so: the peer has mostly ended by now, and that is no error
        session = await self._session(request)
        del self._sessions[request.path_params["token"]]
        await self._calls.end(session.call_id, "hung_up")
        return Response(status_code=204)

    async def _session(self, request: Request) -> _Session:
        """The session behind the token, for its owner; to anybody else there is none."""
        owner = await self._who(request)
        session = self._sessions.get(request.path_params["token"])
        if session is None or session.owner != owner:
            raise _unknown()
        return session

    def _forget_ended(self) -> None:
        """A token lives as long as its call's peer: 15 s past the last sign of life, and not at all after the end."""
        ended = [token for token, session in self._sessions.items() if session.peer.state is PeerState.ENDED]
        for token in ended:
            del self._sessions[token]

    def _telling(self, response: Response) -> Response:
        """With the servers; each page has names and passwords of its own, where those are made."""
        who = secrets.token_hex(4)
        for server in self._servers:
            response.headers.append("Link", server.link(self._date(), who))
        return response

    def _count(self, limit: RateLimit, request: Request, owner: str) -> None:
        """Strangers are counted by address; those who are known, who may all sit behind one, by name."""
        now = asyncio.get_running_loop().time() if self._clock is None else self._clock()
        if not limit.allow(owner or _address(request), now):
            raise _Problem(HTTPStatus.TOO_MANY_REQUESTS, "peer.rate", "too many calls from here", 60)

    async def _peer(self, request: Request, owner: str) -> BrowserPeer:
        """A peer for the offer in the body."""
        self._count(self._limit, request, owner)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _SDP:
            raise _Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "peer.media_type", f"an offer is {_SDP}")
        body = await _body(request)
        try:
            return await BrowserPeer.answer(self._guard, body.decode())
        except UnicodeDecodeError:
            raise _Problem(HTTPStatus.BAD_REQUEST, "peer.protocol", "an offer is UTF-8 text") from None
        except (ProtocolError, NoCommonCodec) as error:
            raise _Problem(HTTPStatus.BAD_REQUEST, error.code, str(error)) from None
        except OSError:
            detail = "no media socket can be opened now"
            raise _Problem(HTTPStatus.SERVICE_UNAVAILABLE, "ours.media_socket", detail, _RETRY_AFTER_S) from None


def _answering(handler: Handler) -> Handler:
    """`handler` with its problems turned into responses."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except _Problem as problem:
            return problem.response

    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _body(request: Request) -> bytes:
    """The body, up to the size of the largest offer; the declared length is not trusted."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_OFFER_BYTES:
                    detail = f"an offer has up to {MAX_OFFER_BYTES} bytes"
                    raise _Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "peer.too_large", detail)
    except (TimeoutError, ClientDisconnect):
        raise _Problem(HTTPStatus.REQUEST_TIMEOUT, "peer.timeout", "the offer did not come in time") from None
    return bytes(body)


async def _handed(peer: BrowserPeer, taking: Awaitable[T]) -> T:
    """Hand a peer to the calls; one they do not take is closed."""
    taken = False
    try:
        result = await taking
        taken = True
        return result
    except Overloaded as error:
        detail = "all lines are busy"
        raise _Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, detail, _RETRY_AFTER_S) from None
    except PeerError as error:
        raise _Problem(HTTPStatus.BAD_REQUEST, error.code, str(error)) from None
    except LookupError:
        raise _unknown() from None
    finally:
        if not taken:
            await peer.close("refused")


def _unknown() -> _Problem:
    return _Problem(HTTPStatus.NOT_FOUND, "peer.unknown_call", "there is no such call")

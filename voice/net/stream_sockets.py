"""Streams by WebSocket: the platform connects to /api/media/NAME of the web side, and each connection is a stream."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from dialog.errors import Overloaded
from voice.streams import StreamCalls, StreamLine
from voice.wire.streams.stream import MediaStream, Message, Opening

PATH = "/api/media/"

MAX_UNSENT = 200
"""Messages that may wait for a peer to read them, four seconds of audio; beyond, it is cut."""

ORDERLY = (1000, 1001)
"""Close codes of a peer that is done (RFC 6455 section 7.4.1)."""

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Door:
    """One platform's way in: `admits` judges the request by its address and its credentials."""

    stream: type[MediaStream]
    admits: Callable[[HTTPConnection], bool]


class StreamSockets:
    """The routes, one for each of `doors`."""

    def __init__(self, calls: StreamCalls, doors: Mapping[str, Door]) -> None:
        self._calls = calls
        self.router = APIRouter()
        for name, door in doors.items():
            self.router.add_api_websocket_route(PATH + name, self._route(door))

    def _route(self, door: Door) -> Callable[[WebSocket], object]:
        async def serve(websocket: WebSocket) -> None:
            if not door.admits(websocket):
                raise HTTPException(HTTPStatus.FORBIDDEN, "an address or credentials that are not on the list")
            connection = _Connection(websocket)
            stream = door.stream(Opening(dict(websocket.query_params)))
            try:
                line = self._calls.open(stream, websocket.client.host if websocket.client else "", connection)
            except Overloaded as error:
                headers = {"Retry-After": str(RETRY_AFTER_S)}
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "all lines are busy", headers) from error
            try:
                # platforms name a protocol of their own, and some want to hear it again
                await websocket.accept(next(iter(websocket.scope["subprotocols"]), None))
                await connection.serve(line)
            finally:
                line.gone(orderly=connection.close_code in ORDERLY)

        return serve


class _Connection:
    """`voice.streams.Outlet`, and the jobs of a connection. `close_code` is the peer's."""

    def __init__(self, websocket: WebSocket) -> None:
        self.close_code = 0
        self._websocket = websocket
        self._unsent: asyncio.Queue[Message | None] = asyncio.Queue()
        self._closing = False
        self._cut = asyncio.Event()

    def send(self, messages: list[Message]) -> None:
        """Send in order; a peer that leaves too many unread is cut."""
        if self._closing:
            return
        for message in messages:
            self._unsent.put_nowait(message)
        if self._unsent.qsize() > MAX_UNSENT:
            self._closing = True
            self._cut.set()

    def close(self) -> None:
        """Close once everything is sent."""
        if not self._closing:
            self._closing = True
            self._unsent.put_nowait(None)

    async def serve(self, line: StreamLine) -> None:
        """Until one side has enough."""
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(work, name="stream") for work in (self._hear(line), self._tell())]
            jobs.append(tasks.create_task(self._until_cut(), name="stream"))
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in jobs:
                job.cancel()

    async def _hear(self, line: StreamLine) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            line.receive(message["bytes"] if text is None else text)
        self.close_code = message["code"]

    async def _tell(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):  # the other job sees it, too
            while (message := await self._unsent.get()) is not None:
                if isinstance(message, bytes):
                    await self._websocket.send_bytes(message)
                else:
                    await self._websocket.send_text(message)
            await self._websocket.close()

    async def _until_cut(self) -> None:
        await self._cut.wait()

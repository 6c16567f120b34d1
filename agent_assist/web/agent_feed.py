"""`/api/agent/feed`: an agent's stream over a WebSocket (RFC 6455), one envelope a text message.

1001, 1006, 1012, 1013   come back with `after`: the network, the node, or the page itself fell behind
1008, 1009               the client said more than a few short messages a second
4401                     the session is over: sign in
4409                     the agent opened more pages than may be open, and this was the oldest
"""

import asyncio
import contextlib
from collections import Counter, deque
from enum import IntEnum

from anyio import to_thread
from fastapi import APIRouter, HTTPException, WebSocket, WebSocketDisconnect

from agent_assist.auth.throttle import address_key
from agent_assist.desk.feed import AgentFeeds, FeedEnd, FeedReader
from agent_assist.desk.messages import CallJoined, Envelope, Snapshot
from agent_assist.web.identity import Agent, Identity, Visitor
from agent_assist.web.settings import SiteSettings
from dialog.errors import StoreError

PATH = "/api/agent/feed"
MESSAGES_PER_S = 5
"""What a client may say: nothing is expected, and nothing it says is looked at."""


class CloseCode(IntEnum):
    """Why this side closes."""

    TOO_MUCH = 1008
    LAGGED = 1013
    SIGNED_OUT = 4401
    REPLACED = 4409


_ENDS = {FeedEnd.LAGGED: CloseCode.LAGGED, FeedEnd.REPLACED: CloseCode.REPLACED}


def feed_router(feeds: AgentFeeds, gate: Identity, settings: SiteSettings) -> APIRouter:
    """The stream's route. One address holds at most `feeds_per_address` of them."""
    router = APIRouter()
    open_by_address: Counter[str] = Counter()

    @router.websocket(PATH)
    async def feed(websocket: WebSocket, visitor: Agent, after: str = "") -> None:
        address = address_key(websocket.client.host if websocket.client else "")
        if open_by_address[address] >= settings.feeds_per_address:
            raise HTTPException(429, "too many feeds are open from this address", headers={"Retry-After": "5"})
        open_by_address[address] += 1
        try:
            await websocket.accept()
            await _Connection(websocket, visitor, gate, settings.feed_check_s).serve(feeds, after)
        finally:
            open_by_address[address] -= 1
            if not open_by_address[address]:
                del open_by_address[address]

    return router


class _Connection:
    """One open page: what it is told, what it says, and whether it may go on."""

    def __init__(self, websocket: WebSocket, visitor: Visitor, gate: Identity, check_s: float) -> None:
        self._websocket = websocket
        self._visitor = visitor
        self._gate = gate
        self._check_s = check_s

    async def serve(self, feeds: AgentFeeds, after: str) -> None:
        """Until one side has enough."""
        user = self._visitor.user
        with self._gate.signed_out(self._visitor) as signed_out:
            reader = feeds.open(user.name, user.skills, after, supervisor=self._visitor.supervises)
            try:
                async with asyncio.TaskGroup() as tasks:
                    parts = (self._tell(reader), self._listen(), self._watch(signed_out))
                    jobs = [tasks.create_task(part, name="feed") for part in parts]
                    done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
                    for job in jobs:
                        job.cancel()
            finally:
                feeds.close(reader)
        codes = [code for job in done if (code := job.result()) is not None]
        if codes:
            await self._close(codes[0])

    async def _tell(self, reader: FeedReader) -> CloseCode | None:
        try:
            async for envelope in reader:
                await self._websocket.send_text(await _written(envelope))
        except WebSocketDisconnect:
            return None
        return _ENDS.get(reader.end or FeedEnd.CLOSED)

    async def _listen(self) -> CloseCode | None:
        clock = asyncio.get_running_loop().time
        heard_s: deque[float] = deque(maxlen=MESSAGES_PER_S)
        while (await self._websocket.receive())["type"] != "websocket.disconnect":
            now_s = clock()
            if len(heard_s) == MESSAGES_PER_S and now_s - heard_s[0] < 1:
                return CloseCode.TOO_MUCH
            heard_s.append(now_s)
        return None

    async def _watch(self, signed_out: asyncio.Event) -> CloseCode:
        while True:
            try:
                async with asyncio.timeout(self._check_s):
                    await signed_out.wait()
                break
            except TimeoutError:
                if not await self._still_welcome():
                    break
        return CloseCode.SIGNED_OUT

    async def _still_welcome(self) -> bool:
        try:
            found = await self._gate.find(self._websocket)
        except StoreError:
            return True  # nobody loses a caller because a disk is full
        user = self._visitor.user
        return found is not None and (found.user.name, found.user.role) == (user.name, user.role)

    async def _close(self, code: CloseCode) -> None:
        with contextlib.suppress(WebSocketDisconnect):  # it was quicker
            await self._websocket.close(code)


async def _written(envelope: Envelope) -> str:
    # A whole call's journal takes long enough to write out that the calls would notice: not on their loop.
    if isinstance(envelope.message, Snapshot | CallJoined):
        return await to_thread.run_sync(envelope.model_dump_json)
    return envelope.model_dump_json()

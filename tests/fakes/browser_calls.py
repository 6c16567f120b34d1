"""Calls that only keep their peers running: the owner behind the WHIP routes."""

import asyncio

from dialog.errors import NoCommonCodec, Overloaded
from voice.net.webrtc import BrowserPeer


class FakeBrowserCalls:
    """Takes `room` calls. `ended` lists the calls hung up through the routes, with the cause."""

    def __init__(self, room: int = 8) -> None:
        self.room = room
        self.peers: dict[str, BrowserPeer] = {}
        self.ended: list[tuple[str, str]] = []
        self._running: set[asyncio.Task[str]] = set()
        self._count = 0

    async def accept(self, peer: BrowserPeer, who: str) -> str:
        if len(self.peers) >= self.room:
            raise Overloaded("full")
        self._count += 1
        call_id = f"call-{self._count}"
        self._take(call_id, peer)
        return call_id

    async def resume(self, call_id: str, peer: BrowserPeer) -> None:
        before = self.peers.get(call_id)
        if before is None:
            raise LookupError(call_id)
        if self.room == 0:
            raise Overloaded("full")
        if peer.codec_name != before.codec_name:
            raise NoCommonCodec("another codec")
        self._take(call_id, peer)
        await before.close("replaced")

    async def end(self, call_id: str, cause: str) -> None:
        peer = self.peers.pop(call_id, None)
        if peer is not None:
            self.ended.append((call_id, cause))
            await peer.close(cause)

    async def close(self) -> None:
        """End all; every peer's task is done afterwards."""
        for call_id in list(self.peers):
            await self.end(call_id, "closed")
        if self._running:
            await asyncio.wait(self._running)

    def _take(self, call_id: str, peer: BrowserPeer) -> None:
        self.peers[call_id] = peer
        task = asyncio.create_task(peer.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

"""The far end of a page's audio: a WHIP answerer on aiortc that plays a tone and tells the records it is given."""

import asyncio
import fractions
import math
from collections.abc import Callable, Iterable

import aioice.ice
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame
from fastapi import APIRouter, Request
from fastapi.responses import Response

from dialog.events import Record

_RATE_HZ = 48_000
_FRAME = 960


class _Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(_FRAME / _RATE_HZ)
        phase = 2 * math.pi * 300 / _RATE_HZ * np.arange(self._at, self._at + _FRAME)
        frame = AudioFrame.from_ndarray((6000 * np.sin(phase)).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = _RATE_HZ
        frame.pts = self._at
        frame.time_base = fractions.Fraction(1, _RATE_HZ)
        self._at += _FRAME
        return frame


class WhipAnswerer:
    """One call at a time. `refuse_with` answers offers by that status; `messages` is what the page sent, `tokens` the
    session's tokens it sent with its requests; `told` is called with whether audio is connected."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        path: str = "/api/whip",
        told: Callable[[bool], None] = lambda connected: None,
    ) -> None:
        # aioice leaves loopback out, and loopback is all a test may use.
        monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
        self.router = APIRouter()
        self.router.add_api_route(path, self._options, methods=["OPTIONS"])
        self.router.add_api_route(path, self._post, methods=["POST"])
        self.router.add_api_route(f"{path}/1", self._patch, methods=["PATCH"])
        self.router.add_api_route(f"{path}/1", self._delete, methods=["DELETE"])
        self.refuse_with = 0
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.tokens: set[str] = set()
        self._path = path
        self._told = told
        self._peer: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None
        self._opened = asyncio.Event()

    async def tell(self, records: Iterable[Record]) -> None:
        """Send records on the journal channel, once it is open."""
        await self._opened.wait()
        assert self._channel is not None
        for record in records:
            self._channel.send(record.model_dump_json())

    async def vanish(self) -> None:
        """Drop the peer connection as a crash would: the page has to come back."""
        peer, self._peer = self._peer, None
        self._opened.clear()
        if peer is not None:
            self._told(False)
            await peer.close()

    async def _answer(self, request: Request, status: int) -> Response:
        self.requests.append(request.method)
        self.tokens.add(request.headers.get("x-csrf-token", ""))
        if self.refuse_with:
            return Response(status_code=self.refuse_with)
        assert request.headers["content-type"] == "application/sdp"
        await self.vanish()
        self._peer = peer = RTCPeerConnection()
        peer.on("datachannel", self._on_channel)
        peer.on("connectionstatechange", lambda: self._moved(peer))
        peer.addTrack(_Tone())
        await peer.setRemoteDescription(RTCSessionDescription((await request.body()).decode(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {"Location": f"{self._path}/1"}
        return Response(peer.localDescription.sdp, status, headers, media_type="application/sdp")

    async def _options(self) -> Response:
        return Response(status_code=204)

    async def _post(self, request: Request) -> Response:
        return await self._answer(request, 201)

    async def _patch(self, request: Request) -> Response:
        return await self._answer(request, 200)

    def _moved(self, peer: RTCPeerConnection) -> None:
        if peer is self._peer and peer.connectionState == "connected":
            self._told(True)

    async def _delete(self, request: Request) -> Response:
        self.requests.append("DELETE")
        self.tokens.add(request.headers.get("x-csrf-token", ""))
        await self.vanish()
        return Response(status_code=204)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        assert channel.label == "journal"
        self._channel = channel
        channel.on("message", lambda message: self.messages.append(str(message)))
        self._opened.set()

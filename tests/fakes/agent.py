"""An agent without a browser: signs in, opens audio by WebRTC, reads the feed, and does what the test says.

Everything goes through the node's own doors: the sign-in form, WHIP, the WebSocket, the commands.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import httpx
import numpy as np
from aiortc.sdp import SessionDescription
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from agent_assist.desk.messages import (
    Envelope,
    Message,
    Offered,
    OfferWithdrawn,
    Snapshot,
    WrapUp,
    WrapUpDone,
    WrapUpDue,
)
from agent_assist.desk.ports import Presence
from dsp.g711 import MU_LAW, decode_block, encode_block
from dsp.resample import resample
from tests.fakes.browser import FakeBrowser, rtp
from voice.ports import RATE_HZ, TICK_MS, Pcm
from voice.tasks import sole_error
from voice.wire.rtp import RtpPacket

M = TypeVar("M", bound=Message)
PATIENCE_S = 15.0
_NARROW_HZ = 8_000
_NARROW_TICK = _NARROW_HZ * TICK_MS // 1000
_SILENCE = bytes([0xFF]) * _NARROW_TICK


class ProgramAgent:
    """`messages` is the feed so far, with the time (s, monotonic) each came; `heard` the audio, in packets of 20 ms.
    `audio_at` and `audio_port` are where the node has its end of it: a URL's path, and a UDP port; `feed_ended` is the
    code with which the feed was closed."""

    def __init__(self, client: httpx.AsyncClient, name: str, tasks: asyncio.TaskGroup) -> None:
        self.name = name
        self.messages: list[tuple[float, Envelope]] = []
        self.heard: list[bytes] = []
        self._client = client
        self._tasks = tasks
        self._csrf = ""
        self._came = asyncio.Condition()
        self._socket: ClientConnection | None = None
        self._browser: FakeBrowser | None = None
        self.audio_at = ""
        self.audio_port = 0
        self.feed_ended = 0
        self._speech: list[bytes] = []

    # -- in and out ---------------------------------------------------------------------------------------------

    async def sign_in(self, password: str) -> None:
        """By the form, as a browser does."""
        answer = await self._client.post("/signin", data={"name": self.name, "password": password})
        assert answer.status_code == 303, answer.text
        page = (await self._client.get("/agent")).text
        found = re.search(r'name="csrf"[^>]*content="([^"]+)"', page)
        assert found is not None, page
        self._csrf = found[1]

    @property
    def cookie(self) -> str:
        """The session, as the browser sends it."""
        return "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())

    async def request(self, method: str, path: str, **wish: str) -> httpx.Response:
        """Ask for anything at all, as this agent's page would: with the session and its token; `wish` is the body."""
        return await self._client.request(
            method, path, json=wish if method == "POST" else None, headers={"x-csrf-token": self._csrf}
        )

    async def read_feed(self, after: str = "") -> None:
        """Open the feed and keep what comes; returns with the first message."""
        base = str(self._client.base_url).rstrip("/")
        self._socket = await connect(
            f"{base.replace('http', 'ws', 1)}/api/agent/feed" + (f"?after={after}" if after else ""),
            additional_headers={"Cookie": self.cookie},
            origin=base,  # type: ignore[arg-type]
            proxy=None,
        )
        count = len(self.messages)
        self._tasks.create_task(self._read(self._socket), name=f"feed of {self.name}")
        async with asyncio.timeout(PATIENCE_S), self._came:
            await self._came.wait_for(lambda: len(self.messages) > count)

    async def close_feed(self) -> str:
        """Close it; the number of the last message, for `after`."""
        assert self._socket is not None
        await self._socket.close()
        last = self.messages[-1][1]
        return f"{last.run}.{last.seq}"

    async def open_audio(self) -> None:
        """Connect, and send silence, or what `speak` was given, until closed."""
        browser = FakeBrowser(formats="0 101", codec_lines=("a=rtpmap:101 telephone-event/8000",))
        answer = await self._client.post(
            "/api/agent/audio",
            content=await browser.offer(),
            headers={"content-type": "application/sdp", "x-csrf-token": self._csrf},
        )
        assert answer.status_code == 201, answer.text
        self.audio_at = answer.headers["location"]
        self.audio_port = SessionDescription.parse(answer.text).media[0].ice_candidates[0].port
        browser.heard = self.heard
        await browser.connect(answer.text)
        self._browser = browser
        self._tasks.create_task(self._send(browser), name=f"audio of {self.name}")

    async def close_audio(self, *, vanish: bool = False) -> None:
        """Hang the audio up; or go without a word."""
        browser, self._browser = self._browser, None
        if browser is None:
            return
        if vanish:
            await browser.vanish()
            return
        await self._client.delete(self.audio_at, headers={"x-csrf-token": self._csrf})
        await browser.close()

    async def leave(self) -> None:
        """Close the audio and the feed."""
        await self.close_audio()
        if self._socket is not None:
            await self._socket.close()

    async def start(self, password: str) -> None:
        """Sign in, read, connect, and be ready."""
        await self.sign_in(password)
        await self.read_feed()
        await self.open_audio()
        await self.ready()

    async def ready(self) -> None:
        """Say so once the node has the audio."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.post("presence", {"presence": "ready"}) == 409:
                await asyncio.sleep(0.05)

    # -- what an agent does -------------------------------------------------------------------------------------

    async def post(self, command: str, body: Mapping[str, object] | None = None) -> int:
        """Give a command; the status. 503 is one that a program has to reckon with: it may be given again."""
        answer = await self._client.post(
            f"/api/agent/{command}", json=dict(body or {}), headers={"x-csrf-token": self._csrf}
        )
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        return answer.status_code

    def speak(self, pcm: Pcm) -> None:
        """Say 16 kHz audio from the next packet on."""
        narrow = resample(pcm, RATE_HZ, _NARROW_HZ)
        narrow = np.pad(narrow, (0, -narrow.size % _NARROW_TICK))
        octets = encode_block(narrow, MU_LAW).tobytes()
        self._speech += [octets[at : at + _NARROW_TICK] for at in range(0, len(octets), _NARROW_TICK)]

    def hush(self) -> None:
        """Say no more of what is left."""
        self._speech.clear()

    def audio(self) -> Pcm:
        """What was heard so far, at 8 kHz."""
        payloads = [RtpPacket.parse(packet).payload for packet in self.heard]
        octets = np.frombuffer(b"".join(p for p in payloads if len(p) == _NARROW_TICK), np.uint8)
        return decode_block(octets, MU_LAW)

    async def expect(self, kind: type[M], holds: Callable[[M], bool] = lambda _: True, *, since: int = 0) -> M:
        """Wait for a message of `kind` among those from index `since` on."""

        def found() -> M | None:
            for _, envelope in self.messages[since:]:
                if isinstance(envelope.message, kind) and holds(envelope.message):
                    return envelope.message
            return None

        async with asyncio.timeout(PATIENCE_S), self._came:
            await self._came.wait_for(lambda: found() is not None)
        message = found()
        assert message is not None
        return message

    @property
    def ringing(self) -> str:
        """The call that rings now; "" for none."""
        call_id = ""
        for _, envelope in self.messages:
            match envelope.message:
                case Offered(offer=offer) | Snapshot(offer=offer):
                    call_id = offer.call_id if offer else ""
                case OfferWithdrawn():
                    call_id = ""
        return call_id

    @property
    def owes(self) -> WrapUp | None:
        """The call that is to be written down."""
        due: WrapUp | None = None
        for _, envelope in self.messages:
            match envelope.message:
                case WrapUpDue(wrap_up=wrap_up) | Snapshot(wrap_up=wrap_up):
                    due = wrap_up
                case WrapUpDone():
                    due = None
        return due

    async def becomes(self, presence: Presence) -> None:
        """Wait until this is what the feed told last."""
        async with asyncio.timeout(PATIENCE_S), self._came:
            await self._came.wait_for(lambda: self.presence is presence)

    @property
    def presence(self) -> Presence:
        """As the feed told it last."""
        told = [e.message.me.presence for _, e in self.messages if e.message.type in ("snapshot", "me_changed")]
        return told[-1]

    async def _read(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                envelope = Envelope.model_validate_json(text)
                async with self._came:
                    self.messages.append((time.monotonic(), envelope))
                    self._came.notify_all()
        self.feed_ended = socket.close_code or 0

    async def _send(self, browser: FakeBrowser) -> None:
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        while browser is self._browser:
            payload = self._speech.pop(0) if self._speech else _SILENCE
            try:
                await browser.send(rtp(number, payload, payload_type=0, units=_NARROW_TICK))
            except ConnectionError:
                return
            number += 1
            due += TICK_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))


@asynccontextmanager
async def program_agents(base_url: str, *names: str) -> AsyncIterator[list[ProgramAgent]]:
    """Agents, each with a browser's cookies of its own; not signed in yet."""
    agents: list[ProgramAgent] = []
    # the node closes a connection that was idle for five seconds: none is used again that may be closing now
    limits = httpx.Limits(keepalive_expiry=1.0)
    clients = [httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=PATIENCE_S, limits=limits) for _ in names]
    try:
        with sole_error():
            async with asyncio.TaskGroup() as tasks:
                agents += [ProgramAgent(client, name, tasks) for client, name in zip(clients, names, strict=True)]
                try:
                    yield agents
                finally:
                    for agent in agents:
                        await agent.leave()
    finally:
        for client in clients:
            await client.aclose()

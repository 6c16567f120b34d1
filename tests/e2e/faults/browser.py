"""A browser's call that speaks: offered by HTTP, connected by ICE and DTLS, its voice in Opus."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import httpx
import numpy as np
from aiortc.sdp import SessionDescription

from dialog.events import TurnUnderstood
from tests.e2e.faults.conversation import HOURS, Journal, spoken, until
from tests.e2e.node import Node
from tests.fakes.browser import FakeBrowser
from tests.fakes.coders import OpusCoder
from voice.media.opus import CLOCK_HZ
from voice.ports import TICK_MS, TICK_SAMPLES, Pcm
from voice.wire.rtp import RtpPacket

OPUS = 111


async def offered(node: Node, offer: bytes, *, source: str = "127.0.0.1", method: str = "POST") -> httpx.Response:
    """Post an offer from the address `source`."""
    transport = httpx.AsyncHTTPTransport(local_address=source)
    async with httpx.AsyncClient(transport=transport, timeout=10) as client:
        headers = {"content-type": "application/sdp"}
        return await client.request(method, f"{node.web_url}/api/whip", content=offer, headers=headers)


class TalkingBrowser:
    """A connected browser. It sends all the time, as browsers do: what was asked for, or silence."""

    def __init__(self, browser: FakeBrowser, port: int, journal: Journal) -> None:
        self.port = port
        self.journal = journal
        self._browser = browser
        self._frames: deque[Pcm] = deque()
        self._asked = 0

    async def greeted(self) -> None:
        """Wait for the last phrase of the greeting."""
        heard = lambda: len(self._browser.heard) > 250  # noqa: E731 - five seconds of it
        await self.journal.awaits("the greeting", heard)

    async def ask(self, text: str = HOURS, intent: str = "opening_hours") -> None:
        """Speak, and wait until it was understood and the answer begins."""
        pcm = await asyncio.to_thread(spoken, text)
        pcm = pcm[: pcm.size // TICK_SAMPLES * TICK_SAMPLES]
        self._frames.extend(pcm.reshape(-1, TICK_SAMPLES))
        await self.journal.awaits("all said", lambda: not self._frames)
        self._asked += 1
        await self.journal.answered(self._asked)
        assert self.journal.events(TurnUnderstood)[-1].intent == intent, str(self.journal)
        assert self._browser.state == "connected"

    async def send(self) -> None:
        """Send a frame every 20 ms, until cancelled."""
        codec, loop = OpusCoder(), asyncio.get_running_loop()
        begun = loop.time()
        silence = np.zeros(TICK_SAMPLES, np.int16)
        for number in count():
            payload = codec.encode(self._frames.popleft() if self._frames else silence)
            stamp = number * CLOCK_HZ * TICK_MS // 1000
            await self._browser.send(bytes(RtpPacket(OPUS, number & 0xFFFF, stamp, 0xBEEF, payload)))
            await asyncio.sleep(max(0.0, begun + (number + 1) * TICK_MS / 1000 - loop.time()))


@asynccontextmanager
async def calling(node: Node) -> AsyncIterator[TalkingBrowser]:
    """A browser's call, connected and in the store; hung up at the end."""
    before = set(node.calls("browser"))
    browser = FakeBrowser()
    response = await offered(node, (await browser.offer()).encode())
    assert response.status_code == 201, response.text
    await browser.connect(response.text)
    await until("the call in the store", lambda: bool(set(node.calls("browser")) - before), 10)
    (call_id,) = set(node.calls("browser")) - before
    port = SessionDescription.parse(response.text).media[0].ice_candidates[0].port
    talking = TalkingBrowser(browser, port, Journal(node, call_id))
    sending = asyncio.create_task(talking.send())
    try:
        yield talking
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await browser.close()

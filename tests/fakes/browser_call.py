"""Both ends of a browser call on loopback: our peer and a fake browser."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from tests.fakes.browser import FakeBrowser
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer, PeerConnected, PeerEvent
from voice.wire.ice_server import IceServer


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Real sockets: there is nothing to wait on but time. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@dataclass
class BrowserCall:
    """Both ends of one call; `received` is what our end was given to deliver."""

    guard: IceGuard
    browser: FakeBrowser
    peer: BrowserPeer
    running: asyncio.Task[str]
    events: list[PeerEvent] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    async def event(self, kind: type[PeerEvent], within_s: float = 5.0) -> PeerEvent:
        """Wait for an event of `kind`."""
        await until(lambda: any(isinstance(event, kind) for event in self.events), within_s)
        return next(event for event in self.events if isinstance(event, kind))


@contextlib.asynccontextmanager
async def browser_call(
    browser: FakeBrowser | None = None,
    *,
    connect: bool = True,
    servers: Sequence[IceServer] = (),
    kept: Callable[[str], str] = str,
) -> AsyncIterator[BrowserCall]:
    """Set up and tear down; every socket and task of it is gone afterwards. `servers`: those of our end; `kept`: what
    reaches the browser of our answer."""
    guard = IceGuard([IceAddress("127.0.0.1")], servers=servers)
    browser = browser or FakeBrowser()
    peer = await BrowserPeer.answer(guard, await browser.offer())
    events: list[PeerEvent] = []
    received: list[bytes] = []
    peer.listen(events.append)
    peer.deliver_to(received.append)
    running = asyncio.create_task(peer.run())
    call = BrowserCall(guard, browser, peer, running, events, received)
    try:
        if connect:
            await browser.connect(kept(peer.answer_sdp))
            await call.event(PeerConnected)
        yield call
    finally:
        await peer.close()
        await asyncio.wait((running,))
        await browser.close()

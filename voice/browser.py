"""Calls from browsers: a peer connection for each, which another one may replace while the call goes on."""

import asyncio
import secrets
from dataclasses import dataclass, field

import structlog

from dialog.errors import NoCommonCodec, Overloaded, PeerForbidden
from dialog.events import Record
from voice.call import Call
from voice.calls import Calls
from voice.config import Settings
from voice.media.plane import MediaPlane
from voice.media.wires import RingWire
from voice.net.webrtc import BrowserPeer, PeerConnected, PeerEnded, PeerEvent, PeerKeyed
from voice.rate import RateLimit

log = structlog.get_logger("browser")

KEYS_PER_MINUTE = 300
KEYS_AT_ONCE = 32
"""Keys a page may press: an account number pasted at once, and then as fast as a hand. What is beyond is dropped."""

DIALLED = "web"
"""What a click dials, for the settings' `bots`."""


@dataclass(slots=True)
class _Line:
    """One browser's call. `wire` stays when `peer` is replaced: the leg never notices."""

    peer: BrowserPeer
    address: str
    wire: RingWire = field(init=False)
    call: Call | None = None

    def __post_init__(self) -> None:
        self.wire = RingWire(lambda packets: self.peer.send(packets))


class BrowserCalls:
    """Makes calls of browser connections (`voice.net.whip.BrowserCalls`), and shows each its own journal."""

    def __init__(self, settings: Settings, calls: Calls, plane: MediaPlane, tasks: asyncio.TaskGroup) -> None:
        self._settings = settings
        self._calls = calls
        self._plane = plane
        self._tasks = tasks
        self._lines: dict[str, _Line] = {}
        self._by_call: dict[str, _Line] = {}
        self._keys = RateLimit(KEYS_PER_MINUTE, burst=KEYS_AT_ONCE)
        calls.expect(lambda: [line.address for line in self._lines.values() if line.call is None])

    async def accept(self, peer: BrowserPeer, address: str) -> str:
        """Take a new call; it begins when the browser is connected."""
        if not self._settings.bot_for(DIALLED):
            raise PeerForbidden(f"browsers get no bot: bots names neither {DIALLED!r} nor '*'")
        self._calls.admit(address)
        line_id = secrets.token_hex(8)
        line = self._lines[line_id] = _Line(peer, address)
        self._attach(line_id, line, peer)
        return line_id

    async def resume(self, call_id: str, peer: BrowserPeer) -> None:
        """Let `peer` take the place of the call's peer. Raises LookupError when the call is over."""
        line = self._lines[call_id]
        former = line.peer
        if (peer.codec_name, peer.payload_type) != (former.codec_name, former.payload_type):
            raise NoCommonCodec("a call keeps the audio format it began with")
        line.peer = peer
        self._attach(call_id, line, peer)
        await former.close("replaced")

    async def end(self, call_id: str, cause: str) -> None:
        """Hang up."""
        line = self._lines.get(call_id)
        if line is not None:
            await line.peer.close(cause)

    def __call__(self, record: Record) -> None:
        """A listener of every journal: each browser sees its own call."""
        line = self._by_call.get(record.call_id)
        if line is not None:
            line.peer.tell(record)

    def _attach(self, line_id: str, line: _Line, peer: BrowserPeer) -> None:
        peer.deliver_to(line.wire.deliver)
        peer.listen(lambda event: self._on_event(line_id, line, peer, event))
        self._tasks.create_task(self._hold(peer), name=f"browser {line_id}")

    async def _hold(self, peer: BrowserPeer) -> None:
        try:
            await peer.run()
        except Exception:  # one browser's fault: the node, in the same group, goes on
            log.exception("browser connection failed")
            await peer.close("error")

    def _on_event(self, line_id: str, line: _Line, peer: BrowserPeer, event: PeerEvent) -> None:
        if peer is not line.peer:
            return  # replaced: what becomes of it no longer matters
        match event:
            case PeerConnected():
                if line.call is None:
                    self._begin(line)
            case PeerKeyed():
                now = asyncio.get_running_loop().time()
                if line.call is not None:
                    line.call.press("".join(key for key in event.digits if self._keys.allow(line_id, now)))
            case PeerEnded():
                del self._lines[line_id]
                if line.call is not None:
                    line.call.end("caller" if event.cause == "hung_up" else event.cause)
            case _:
                pass  # lost and regained: the leg conceals meanwhile

    def _begin(self, line: _Line) -> None:
        peer = line.peer
        try:
            leg = self._plane.add_leg(line.wire, peer.make_codec(), peer.payload_type, peer.event_payload_type)
        except Overloaded:
            self._tasks.create_task(peer.close("overloaded"))
            return
        line.call = self._calls.start(
            leg,
            transport="browser",
            caller="browser",
            dialled=DIALLED,
            bot=self._settings.bot_for(DIALLED),
            codec=peer.codec_name,
            ended=lambda cause: self._over(line, cause),
        )
        self._by_call[line.call.call_id] = line

    def _over(self, line: _Line, cause: str) -> None:
        if line.call is not None:
            self._by_call.pop(line.call.call_id, None)
        self._tasks.create_task(line.peer.close(cause))

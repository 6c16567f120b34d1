"""Audio connections from pages: a peer connection each, which another one may replace while the leg goes on."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import structlog

from dialog.errors import NoCommonCodec, Overloaded
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.media.wires import RingWire
from voice.net.webrtc import BrowserPeer, PeerConnected, PeerEnded, PeerEvent, PeerKeyed, PeerLost, PeerRegained
from voice.wire.reports import Told

log = structlog.get_logger("browser")


@dataclass(slots=True, eq=False)
class BrowserLine:
    """One page's audio. `wire` stays when `peer` is replaced, and so does the leg; `who` is whoever opened it."""

    line_id: str
    who: str
    peer: BrowserPeer
    wire: RingWire = field(init=False)
    leg: MediaLeg | None = None

    def __post_init__(self) -> None:
        self.wire = RingWire(lambda packets: self.peer.send(packets))

    @property
    def told(self) -> Told:
        """Of the present peer (voice.media.wires.Control)."""
        return self.peer.told

    def report(self, lost: float | None) -> None:
        """The page reports; see `MediaLeg.take_report`."""
        if self.leg is not None:
            self.leg.take_report(lost)

    def close(self) -> None:
        """The peer says goodbye itself, when it ends."""


class BrowserLines(ABC):
    """Owns the connections (`voice.net.whip.BrowserCalls`); what a connected leg is for, a subclass says."""

    def __init__(self, plane: MediaPlane, tasks: asyncio.TaskGroup) -> None:
        self._plane = plane
        self._tasks = tasks
        self._lines: dict[str, BrowserLine] = {}

    async def accept(self, peer: BrowserPeer, who: str) -> str:
        """Take a connection of `who`; the line's id. Raises PeerForbidden, Overloaded."""
        self._admit(who)
        line_id = secrets.token_hex(8)
        line = self._lines[line_id] = BrowserLine(line_id, who, peer)
        self._attach(line, peer)
        return line_id

    async def resume(self, line_id: str, peer: BrowserPeer) -> None:
        """Let `peer` take the place of the line's peer. Raises NoCommonCodec; LookupError when the line is over."""
        line = self._lines[line_id]
        former = line.peer
        if (peer.codec_name, peer.payload_type) != (former.codec_name, former.payload_type):
            raise NoCommonCodec("a call keeps the audio format it began with")
        line.peer = peer
        self._attach(line, peer)
        await former.close("replaced")

    async def end(self, line_id: str, cause: str) -> None:
        """Hang up."""
        line = self._lines.get(line_id)
        if line is not None:
            await line.peer.close(cause)

    @abstractmethod
    def _admit(self, who: str) -> None:
        """Raise where no line may be opened now."""

    @abstractmethod
    def _connected(self, line: BrowserLine, leg: MediaLeg) -> None:
        """Audio flows for the first time."""

    @abstractmethod
    def _keyed(self, line: BrowserLine, digits: str) -> None:
        """The page's keypad."""

    @abstractmethod
    def _over(self, line: BrowserLine, cause: str) -> None:
        """The page is gone, and the leg with it."""

    def _silent(self, line: BrowserLine, silent: bool) -> None:  # noqa: B027 - a leg conceals: most need do nothing
        """Nothing comes from the page, for the time being; or something comes again."""

    def _close(self, line: BrowserLine, cause: str) -> None:
        """End the line from this side."""
        self._tasks.create_task(line.peer.close(cause))

    def _attach(self, line: BrowserLine, peer: BrowserPeer) -> None:
        peer.deliver_to(line.wire.deliver)
        peer.report_to(line.report)
        peer.listen(lambda event: self._on_event(line, peer, event))
        self._tasks.create_task(self._hold(peer), name=f"browser {line.line_id}")

    async def _hold(self, peer: BrowserPeer) -> None:
        try:
            await peer.run()
        except Exception:  # one browser's fault: the node, in the same group, goes on
            log.exception("browser connection failed")
            await peer.close("error")

    def _on_event(self, line: BrowserLine, peer: BrowserPeer, event: PeerEvent) -> None:
        if peer is not line.peer:
            return  # replaced: what becomes of it no longer matters
        match event:
            case PeerConnected():
                if line.leg is None:
                    self._begin(line)
                else:
                    self._silent(line, False)  # the peer before was lost, or would have been
            case PeerKeyed():
                self._keyed(line, event.digits)
            case PeerEnded():
                del self._lines[line.line_id]
                if line.leg is not None:
                    line.leg.close()  # here, where it was made: also for one that nobody could use
                self._over(line, event.cause)
            case PeerLost():
                self._silent(line, True)
            case PeerRegained():
                self._silent(line, False)

    def _begin(self, line: BrowserLine) -> None:
        peer = line.peer
        try:
            line.leg = self._plane.add_leg(line.wire, peer.coding, peer.payload_type, peer.event_payload_type)
        except Overloaded:
            self._close(line, "overloaded")
            return
        line.leg.attach(line)
        self._connected(line, line.leg)

"""A leg as the event loop sees it. Nothing here waits for the tick: settings go to it as commands."""

from collections.abc import Callable

from dialog.events import CallQualityMeasured
from dsp.parts import Part
from voice.media.codecs import FrameCodec, G711Name
from voice.media.line import Line
from voice.media.playout import Playout
from voice.media.quality import measure
from voice.media.receiver import Refusals
from voice.media.recorder import Tape
from voice.media.wires import Control, Wire
from voice.ports import Frame, FrameSink, LegStats, Pcm, Played, Room
from voice.wire.reports import Reception, Sending, Told

Post = Callable[[Callable[[], None]], None]
"""Hands a command to the tick thread. Raises Overloaded when too many wait."""

FailureSink = Callable[[Exception], None]
"""Called on the event loop, once, when the leg failed; the leg is closed by then."""


class MediaLeg:
    """One party's audio (voice.ports.Leg), and what SIP and the browser call need beyond it. Event loop only."""

    def __init__(self, line: Line, playout: Playout, post: Post) -> None:
        self.line = line
        self._playout = playout
        self._post = post
        self._sink: FrameSink | None = None
        self._failure_sink: FailureSink | None = None
        self._control: Control | None = None
        self._closed = False
        self._press: Callable[[str], bool] = line.press

    @property
    def closed(self) -> bool:
        """Read by the tick, which then frees the leg."""
        return self._closed

    @property
    def wire(self) -> Wire:
        return self.line.wire

    @property
    def stats(self) -> LegStats:
        receiver = self.line.receiver
        return LegStats(
            packets_received=receiver.received,
            packets_lost=receiver.jitter.stats.lost,
            packets_sent=self.line.sender.sent,
            late_frames=self.line.late_frames,
            packets_refused=receiver.refusals.total,
            receiving=self.line.receives,
        )

    @property
    def sending(self) -> Sending:
        """What was sent, as RTCP tells it."""
        return self.line.sending

    @property
    def reception(self) -> Reception | None:
        """How the far end's packets come, as RTCP tells it."""
        return self.line.receiver.jitter.reception

    @property
    def quality(self) -> CallQualityMeasured | None:
        told = Told() if self._control is None else self._control.told
        return measure(self.line.receiver.jitter, told)

    @property
    def refusals(self) -> Refusals:
        """Why packets were refused, by reason."""
        return self.line.receiver.refusals

    @property
    def queued_ms(self) -> int:
        return self._playout.queued_ms

    def listen(self, sink: FrameSink) -> None:
        self._sink = sink

    def on_failure(self, sink: FailureSink) -> None:
        """Tell `sink` when the leg failed: its codec, its wire or a frame sink raised what it must not."""
        self._failure_sink = sink

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        return not self._closed and self._playout.play(playback, pcm, last=last)

    def stop(self) -> Played | None:
        return self._playout.stop()

    def send_keys(self, digits: str) -> bool:
        """Press keys, 100 ms each with 60 ms between, as telephone-events (RFC 4733), or as tones where the far end
        takes none; what is queued to be played waits meanwhile.

        False when there is no way for them or too many keys wait. Raises ValueError for what is on no keypad.
        """
        return self._press(digits)

    def refuse_tones(self, press: Callable[[str], bool] | None = None) -> None:
        """Keys are never tones, neither way; with `press` they go out by that, in place of `send_keys`."""
        self._press = press or self._press

        def apply() -> None:
            self.line.tones_allowed = False

        self._post(apply)

    def set_direction(self, *, send: bool, receive: bool) -> None:
        """Hold and resume (RFC 3264 section 8.4): not sending, the queue stands; not receiving, all is silence."""

        def apply() -> None:
            self.line.sends, self.line.receives = send, receive

        self._post(apply)

    def update_remote(self, host: str, port: int) -> None:
        """A re-INVITE names another address (an IP literal): the latch opens. The same one changes nothing."""
        self._post(lambda: self.line.receiver.declare((host, port)))

    def enter(self, room: Room | None, part: Part = Part.PARTY) -> None:
        def apply() -> None:
            self.line.room, self.line.part = room, part

        self._post(apply)

    def switch(self, codec: G711Name | FrameCodec, payload_type: int) -> None:
        """A re-INVITE changes the format, not its clock (RFC 3264 section 8.3.2); packets of G.711's other law that are
        still under way are heard as they were."""
        self._post(lambda: self.line.switch(codec, payload_type))

    def packetise(self, ptime_ms: int) -> None:
        """Send packets of `ptime_ms`, 10 to 60, as the far end asks (RFC 8866 section 6.4)."""
        self._post(lambda: self.line.packetise(ptime_ms))

    def move(self, wire: Wire, codec: G711Name | FrameCodec, payload_type: int, event_payload_type: int | None) -> None:
        """Another dialog takes the place of the one that the leg was made for (RFC 3891): from the next tick on its
        packets come and go by `wire`, which is the plane's to close. `stats` begin anew. Raises Overloaded."""
        self._post(lambda: self.line.move(wire, codec, payload_type, event_payload_type))

    def renumber_keys(self, payload_type: int) -> None:
        """A re-INVITE names another payload type for keys (RFC 4733), of a leg that has them as events already."""
        self._post(lambda: self.line.renumber_keys(payload_type))

    def record(self, recording: Tape | None) -> None:
        """Write both directions to `recording` from the next tick on; None ends it. The caller closes it."""

        def apply() -> None:
            self.line.recording = recording

        self._post(apply)

    def attach(self, control: Control) -> None:
        """Let `control` be the leg's RTCP, in place of any before, and end with it."""
        if self._control is not None:
            self._control.close()
        self._control = control

    def close(self) -> None:
        self._closed = True
        if self._control is not None:
            self._control.close()

    def deliver(self, frame: Frame) -> None:
        """A frame from the tick."""
        if self._sink is not None and not self._closed:
            self._sink(frame)

    def fail(self, error: Exception) -> None:
        """The leg cannot go on."""
        if self._closed:
            return
        self.close()
        if self._failure_sink is not None:
            self._failure_sink(error)

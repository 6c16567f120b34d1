"""A leg as the event loop sees it. Nothing here waits for the engine: settings go to it as commands, and what it heard
is read where it wrote it."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from dialog.errors import ProtocolError
from dialog.events import CallQualityMeasured
from dsp.parts import Part
from dsp.progress import Progress
from voice.media.codecs import Coding
from voice.media.engine.layout import HEARD_TICKS
from voice.media.playout import Playout
from voice.media.quality import measure
from voice.media.recorder import Tape
from voice.media.row import Mark, Row
from voice.media.wires import Address, Control, Wire
from voice.ports import Frame, FrameSink, LegStats, Pcm, Played, Room
from voice.wire.dtmf import KeyReceiver
from voice.wire.reports import Reception, Sending, Told
from voice.wire.rtp import RtpPacket, is_rtcp

FailureSink = Callable[[Exception], None]
"""Called on the event loop, once, when the leg failed; the leg is closed by then."""

ProgressSink = Callable[[Progress], None]
"""Called on the event loop, before the frame of the tick that made it certain; must return at once."""

TAPE_TICKS = 10
"""Ticks that go to a recording at once."""
MAX_BEHIND = HEARD_TICKS - 8
"""Ticks that the event loop may be behind; older ones are left out, and counted: the engine writes over them."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Packets a leg did not take. `malformed`: no RTP, or a payload that is not what it says; `foreign`: from another
    source; `stray`: from the right source, of another stream; `unexpected`: of a payload type not agreed on."""

    malformed: int = 0
    foreign: int = 0
    stray: int = 0
    unexpected: int = 0

    @property
    def total(self) -> int:
        return self.malformed + self.foreign + self.stray + self.unexpected


class Owner(Protocol):
    """What a leg shares with others."""

    def enter(self, leg: "MediaLeg", room: Room | None, part: Part) -> None: ...

    def release(self, leg: "MediaLeg") -> None: ...


class MediaLeg:
    """One party's audio (voice.ports.Leg), and what SIP and the browser call need beyond it."""

    def __init__(self, owner: Owner, row: Row, wire: Wire, playout: Playout, *, levels: bool) -> None:
        self.row = row
        self.wire = wire
        self.room: Room | None = None
        self.left_out = 0
        """Ticks that the event loop did not come to read in time."""
        self._owner = owner
        self._playout = playout
        self._levels = levels
        self._sink: FrameSink | None = None
        self._failure_sink: FailureSink | None = None
        self._progress_sink: ProgressSink | None = None
        self._control: Control | None = None
        self._tape: Tape | None = None
        self._taped = 0
        self._next = 0
        self._first = 0
        self._marks: deque[Mark] = deque()
        self._keys = KeyReceiver()
        self._pressed = ""
        self._malformed = 0
        self._refused_before = Refusals()
        self._reports = 0
        self._losses_before = Counter[str]()
        self._closed = False
        self._press: Callable[[str], bool] = row.press

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def remote(self) -> Address | None:
        """Where packets go to."""
        return self.row.remote

    @property
    def stats(self) -> LegStats:
        row = self.row
        return LegStats(
            packets_received=row["received"],
            packets_lost=row.arrivals.lost,
            packets_sent=row["sent"],
            late_frames=row["late_frames"],
            packets_refused=self.refusals.total,
            reports_received=self._reports,
            receiving=bool(row["receives"]),
        )

    @property
    def sending(self) -> Sending:
        """What was sent, as RTCP tells it."""
        return self.row.sending

    @property
    def reception(self) -> Reception | None:
        """How the far end's packets come, as RTCP tells it."""
        return self.row.reception

    @property
    def quality(self) -> CallQualityMeasured | None:
        told = Told() if self._control is None else self._control.told
        return measure(self.row.arrivals, told)

    @property
    def refusals(self) -> Refusals:
        """Why packets were refused, by reason."""
        now, before = self._refused, self._refused_before
        return Refusals(
            now.malformed - before.malformed,
            now.foreign - before.foreign,
            now.stray - before.stray,
            now.unexpected - before.unexpected,
        )

    @property
    def _refused(self) -> Refusals:
        """At all wires so far."""
        row = self.row
        return Refusals(row["malformed"] + self._malformed, row["foreign"], row["stray"], row["unexpected"])

    @property
    def losses(self) -> Counter[str]:
        """All packets that were not taken, or did not leave, by reason, at all wires so far."""
        return self.row.refused + self._losses_before + Counter(self.wire.losses)

    @property
    def queued_ms(self) -> int:
        return 0 if self._closed else self._playout.queued_ms

    def listen(self, sink: FrameSink) -> None:
        self._sink = sink

    def count_anew(self) -> None:
        """The call begins now: what was heard before, while it rang, is no part of it, and the next frame is tick 0."""
        self._first = self._next

    def on_failure(self, sink: FailureSink) -> None:
        """Tell `sink` when the leg failed: the engine stopped, or a frame sink raised what it must not."""
        self._failure_sink = sink

    def on_progress(self, sink: ProgressSink | None) -> None:
        """Tell `sink` what the far end's sound says of the call: a machine, a fax, what exchanges play. None: what was
        followed costs nothing any more."""
        self._progress_sink = sink
        self.row.follow(on=sink is not None)

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        return not self._closed and self._playout.play(playback, pcm, last=last)

    def stop(self) -> Played | None:
        return None if self._closed else self._playout.stop()

    def send_keys(self, digits: str) -> bool:
        """Press keys, 100 ms each with 60 ms between, as telephone-events (RFC 4733), or as tones where the far end
        takes none; what is queued to be played waits meanwhile.

        False when there is no way for them or too many keys wait. Raises ValueError for what is on no keypad.
        """
        return self._press(digits)

    def refuse_tones(self, press: Callable[[str], bool] | None = None) -> None:
        """Keys are never tones, neither way; with `press` they go out by that, in place of `send_keys`."""
        self._press = press or self._press
        self.row.refuse_tones()

    def keep_echo(self) -> None:
        self.row.keep_echo()

    def set_direction(self, *, send: bool, receive: bool) -> None:
        """Hold and resume (RFC 3264 section 8.4): not sending, the queue stands; not receiving, all is silence."""
        self.row.direct(send=send, receive=receive)

    def update_remote(self, host: str, port: int) -> None:
        """A re-INVITE names another address (an IP literal): the latch opens. The same one changes nothing."""
        self.row.declare((host, port))

    def enter(self, room: Room | None, part: Part = Part.PARTY) -> None:
        if not self._closed:
            self._owner.enter(self, room, part)

    def switch(self, coding: Coding, payload_type: int) -> None:
        """A re-INVITE changes the format, not its clock (RFC 3264 section 8.3.2); packets of G.711's other law that are
        still under way are heard as they were."""
        self.row.switch(coding, payload_type)

    def packetise(self, ptime_ms: int) -> None:
        """Send packets of `ptime_ms`, 10 to 60, as the far end asks (RFC 8866 section 6.4)."""
        self.row.packetise(ptime_ms)

    def allow_pauses(self, noise_payload_type: int | None) -> None:
        """While there is nothing to say send comfort noise of this payload type now and then, in place of packets
        (RFC 3389); None: do not."""
        self.row.allow_pauses(noise_payload_type)

    def take_report(self, lost: float | None) -> None:
        """The far end reports, and where it says which share of our packets was lost of late, Opus adds as much as
        repairs it."""
        self._reports += 1
        if lost is not None:
            self.row.expect_loss(lost)

    def move(self, wire: Wire, coding: Coding, payload_type: int, event_payload_type: int | None) -> None:
        """Another dialog takes the place of the one that the leg was made for (RFC 3891): from the next tick on its
        packets come and go by `wire`, which is the plane's to close. `stats` begin anew. Raises Overloaded."""
        if self._closed:
            wire.close()
            return
        former, self._refused_before = self.wire, self._refused
        self.row.move(wire, coding, payload_type, event_payload_type, done=former.close)
        self._losses_before += Counter(former.losses)
        self.wire, wire.arrived = wire, self.take_in

    def renumber_keys(self, payload_type: int) -> None:
        """A re-INVITE names another payload type for keys (RFC 4733), of a leg that has them as events already."""
        self.row.renumber_keys(payload_type)

    def secure(self) -> None:
        """The wire's keys are others than before."""
        self.row.secure(self.wire.sealing)

    def record(self, recording: Tape | None) -> None:
        """Write both directions to `recording` from the next tick on; None ends it. The caller closes it."""
        self._write(self.row.judged)
        self._tape = recording

    def send_aside(self, packet: bytes) -> None:
        """Send RTCP among RTP."""
        remote = self.remote
        if remote is not None:
            self.wire.send_aside(packet, remote)

    def attach(self, control: Control) -> None:
        """Let `control` be the leg's RTCP, in place of any before, and end with it."""
        if self._control is not None:
            self._control.close()
        self._control = control

    def close(self) -> None:
        if self._closed:
            return
        self._write(self.row.judged)
        self._closed = True
        self.row.close()
        self._playout.close()
        if self._control is not None:
            self._control.close()
        self._owner.release(self)

    def fail(self, error: Exception) -> None:
        """The leg cannot go on."""
        if self._closed:
            return
        self.close()
        if self._failure_sink is not None:
            self._failure_sink(error)

    # --- what the plane calls, when the engine has done something ---

    def released(self) -> None:
        """The engine has let go of the row."""
        self.wire.close()
        self.row.released()
        self._playout.release()

    def take_in(self) -> None:
        """Packets came by a wire without a socket."""
        if self._closed:
            return
        for packet, source in self.wire.receive():
            self.row.put(packet, source)

    def give_out(self) -> None:
        """Packets are to leave, where the wire has no socket by which the engine sends them itself."""
        if self.wire.file is not None:
            return
        packets = self.row.take()
        remote = self.remote if packets else None
        if remote is not None:
            for packet in packets:
                self.wire.send(packet, remote)
            self.wire.flush()

    def set_aside(self, data: bytes, source: Address) -> None:
        """RTCP among RTP, or a telephone-event."""
        if is_rtcp(data):
            self.wire.set_aside(data, source)
            self.wire.flush()
            return
        try:
            self._pressed += self._keys.receive(RtpPacket.parse(data))
        except ProtocolError:
            self._malformed += 1

    def deliver(self) -> None:
        """Tell the listener all that was heard since, a frame a tick, and write the recording."""
        judged = self.row.judged
        if judged - self._next > MAX_BEHIND:
            self.left_out += judged - self._next - MAX_BEHIND
            self._next = judged - MAX_BEHIND
        if self._sink is None:
            self._pressed = ""
        elif self._next < judged:
            self._marks.extend(self.row.marks())
        while self._next < judged and not self._closed:
            if self._sink is None and self._progress_sink is None:
                self._next = judged
                break
            if self.row.has(self._next):
                self._tell(self._next)
            self._next += 1
        if judged - self._taped >= TAPE_TICKS or self._tape is None:
            self._write(judged)

    def _tell(self, tick: int) -> None:
        """What a tick brought. A sink may close the leg, or give way to another."""
        if self._progress_sink is not None and (step := self.row.step(tick)):
            self._progress_sink(step)
        if self._sink is not None and not self._closed:
            self._sink(self._frame(tick))

    def _frame(self, tick: int) -> Frame:
        voice, level_dbfs, key = self.row.judgement(tick)
        keys, self._pressed = self._pressed + key, ""
        played: list[Played] = []
        while self._marks and self._marks[0].tick <= tick:
            mark = self._marks.popleft()
            played.append(self._playout.heard(mark.playback, mark.samples, done=mark.done))
        pcm = self.row.for_ears(tick) if self._levels else self.row.heard(tick, tick)
        return Frame(tick - self._first, pcm, voice, level_dbfs, keys, tuple(played))

    def _write(self, until: int) -> None:
        """What was heard and said before tick `until` goes to the recording."""
        tape, taped = self._tape, self._taped
        self._taped = max(taped, until)
        if tape is None or taped >= until:
            return
        ticks = range(max(taped, until - MAX_BEHIND), until)
        if ticks.start > taped:
            tape.skip(ticks.start - taped)
        for there, run in groupby(ticks, self.row.has):
            piece = list(run)
            if there:
                tape.write(self.row.heard(piece[0], piece[-1]), self.row.said(piece[0], piece[-1]))
            else:
                tape.skip(len(piece))

"""The tick's side of a leg: its packets, its rows in the kernels' buffers, its voice gate. Tick thread only."""

from collections import Counter
from dataclasses import asdict
from random import Random

import numpy as np
import webrtcvad

from dialog.errors import ProtocolError
from dsp.kernel import NARROW_HZ, Pcm
from dsp.parts import Part
from voice.media.chain import LAWS, SILENT_OCTETS, Hearing, Speaking, translation
from voice.media.codecs import FrameCodec, G711Name
from voice.media.passing import Member, Passage
from voice.media.playout import Playout
from voice.media.receiver import StreamReceiver
from voice.media.recorder import Tape
from voice.media.sender import StreamSender
from voice.media.tones import ECHO_TICKS, ToneSender
from voice.media.wires import Wire
from voice.ports import TICK_MS, Frame, Played, Room
from voice.wire.jitter import Hole, JitterBuffer
from voice.wire.reports import Sending

GATE_MODE = 2
"""webrtcvad's aggressiveness, 0..3: rather let noise pass, Silero judges it, than stop quiet speech."""
GATE_TICKS = 10
"""Silero is believed for 200 ms after the gate last fired."""


class Line:
    """One leg in the tick. `codec` is None for G.711, whose rows the kernels decode and encode."""

    def __init__(
        self,
        row: int,
        wire: Wire,
        codec: G711Name | FrameCodec,
        payload_type: int,
        event_payload_type: int | None,
        playout: Playout,
        chance: Random,
    ) -> None:
        self.row = row
        self._chance = chance
        self._refused_before = Counter[str]()
        self._settle_on(wire, codec, payload_type, event_payload_type)
        self.sends = True
        self.receives = True
        self.room: Room | None = None
        self.part = Part.PARTY
        self.passage: Passage | None = None
        self.playing = False
        self._passing: Member | None = None  # in G.711: whose packet went on in the last tick
        self.recording: Tape | None = None
        self.late_frames = 0
        self._start = 0
        self._last_tick = 0
        self._playout = playout
        self._audible = False
        self._keying = False
        self.tones_allowed = True
        self._tones = ToneSender()
        self._echo_until = 0
        self._played: tuple[Played, ...] = ()
        self._keys = ""
        self._gate = webrtcvad.Vad(GATE_MODE)
        self._gate_until = -1

    def begin(self, tick: int) -> None:
        """The leg's clock starts at `tick` of the node."""
        self._start = tick
        self._last_tick = tick - 1

    def _settle_on(
        self, wire: Wire, codec: G711Name | FrameCodec, payload_type: int, event_payload_type: int | None
    ) -> None:
        self.wire = wire
        self.codec: FrameCodec | None
        if isinstance(codec, str):
            self.codec, self.law, units, divisible = None, LAWS[codec], NARROW_HZ // 50, True
        else:
            self.codec, self.law = codec, LAWS["PCMU"]
            units, divisible = codec.clock_hz // 50, codec.divisible
        self.receiver = StreamReceiver(wire, payload_type, event_payload_type, JitterBuffer(units, divisible=divisible))
        self.sender = StreamSender(payload_type, event_payload_type, units, self._chance)
        self._units = units
        self.payload: bytes | None = None

    def move(self, wire: Wire, codec: G711Name | FrameCodec, payload_type: int, event_payload_type: int | None) -> None:
        """From this tick on the leg is at another wire, with streams that begin there; what was queued to be played
        goes there, too. The former wire is closed."""
        former, refused = self.wire, self.refused
        self._settle_on(wire, codec, payload_type, event_payload_type)
        self._refused_before = refused
        former.close()

    @property
    def format(self) -> object:
        """Equal for two lines that can make use of each other's payloads."""
        return self.law if self.codec is None else (type(self.codec), self.codec.clock_hz)

    @property
    def refused(self) -> Counter[str]:
        """Packets that were not taken, by reason, at every wire so far. Any thread."""
        return self._refused_before + Counter(asdict(self.receiver.refusals)) + Counter(self.wire.losses)

    @property
    def sending(self) -> Sending:
        """What was sent up to the last tick. Any thread."""
        return self.sender.sending(self._last_tick - self._start)

    def switch(self, codec: G711Name | FrameCodec, payload_type: int) -> None:
        """From this tick on the leg speaks another format of the same clock. What is under way in the former one is
        translated from law to law, and lost between other formats."""
        table = None
        self.payload = None
        if not isinstance(codec, str):
            self.codec = codec
        elif self.codec is None:
            table = translation(self.law, LAWS[codec])
            self.law = LAWS[codec]
        else:
            self.codec, self.law = None, LAWS[codec]
        self.receiver.switch(payload_type, table)
        self.sender.switch(payload_type)

    def packetise(self, ptime_ms: int) -> None:
        """Send packets of `ptime_ms`; a format that cannot be cut stays at 20."""
        divisible = self.codec is None or self.codec.divisible
        self.sender.packetise(ptime_ms * self._units // TICK_MS if divisible else 0)

    def renumber_keys(self, payload_type: int) -> None:
        """From this tick on keys have another payload type, both ways."""
        self.receiver.renumber_keys(payload_type)
        self.sender.renumber_keys(payload_type)

    @property
    def hears_tones(self) -> bool:
        """Keys are tones, both ways: the far end takes no events."""
        return self.tones_allowed and not self.sender.takes_keys

    def press(self, digits: str) -> bool:
        """Send keys from the next tick on; False when there is no way for them or too many wait. Any thread."""
        return self._tones.press(digits) if self.hears_tones else self.sender.press(digits)

    def say(self, speaking: Speaking) -> None:
        """Fill the row with what is played in this tick: silence on hold, while keys are sent, or towards nowhere;
        a room is silent to the leg then, too. Keys that are tones are all that is heard."""
        speaking.law[self.row] = self.law
        speaking.part[self.row] = self.part
        audio = speaking.wide[self.row]
        self._audible = self.sends and self.wire.remote is not None
        self._keying = self.sender.keying
        toned = self._audible and self._tones.take(audio)
        deaf = not self._audible or self._keying or toned
        moved = None if deaf else self._playout.take(audio)
        speaking.deaf[self.row] = deaf
        self.playing = toned or moved is not None
        self._played = moved or ()
        if not self.playing:
            audio[:] = 0

    def send(self, tick: int, hearing: Hearing, speaking: Speaking, *, late: bool) -> None:
        """Send what this tick completes, once the row is mixed and encoded. Frames left out before it are late too."""
        missed = tick - self._last_tick - 1
        self._last_tick = tick
        passing, self._passing = self._passing, None
        if not self._audible:
            self.sender.rest()
            return
        audio = speaking.wide[self.row]
        at = tick - self._start
        if self._keying:
            key = self.sender.key(at)
            packets = [] if key is None else [key]
        else:
            payload = self._encoded(passing, hearing, speaking)
            packets = self.sender.audio(payload, at, talking=self.playing or bool(audio.any()))
        for packet in packets:
            self.wire.send(packet)
        if packets:
            self.late_frames += late + missed

    def _encoded(self, former: Member | None, hearing: Hearing, speaking: Speaking) -> bytes:
        """The frame to be sent: another's packet as it came, where one may go on, or the mix. `former` is whose went on
        in the last tick."""
        passage, audio = self.passage, speaking.wide[self.row]
        payload = None if passage is None else passage.payload
        if self.codec is not None:
            return self.codec.encode(audio) if payload is None else self.codec.pass_on(payload, audio)
        if passage is not None and payload is not None:
            self._passing = passage.source
            if former is not None:
                return payload
        turning = self._passing or former
        if turning is not None:
            return speaking.turn(self.row, hearing.narrow[turning.row], to_mix=payload is None)
        octets: bytes = speaking.octets[self.row].tobytes()
        return octets

    def hear(self, tick: int, hearing: Hearing) -> None:
        """Take what came and fill the row with the audio of this tick."""
        self._keys = self.receiver.drain(tick, listening=self.receives)
        frame = self.receiver.frame(tick, listening=self.receives, quiet=tick > self._gate_until)
        self.payload = None
        if self.codec is not None:
            hearing.wide[self.row] = self._decoded(self.codec, frame) if self.receives else 0
            return
        hearing.law[self.row] = self.law
        hearing.lost[self.row] = frame is Hole.LOST
        if isinstance(frame, bytes):
            hearing.octets[self.row] = np.frombuffer(frame, np.uint8)
            self.payload = frame
        else:
            hearing.octets[self.row] = SILENT_OCTETS[self.law]

    def _decoded(self, codec: FrameCodec, frame: bytes | Hole) -> Pcm:
        """A hole of any kind is the codec's to fill: a long packet may reach over it, a pause has its own noise."""
        if isinstance(frame, bytes):
            try:
                pcm = codec.decode(frame)
            except ProtocolError:
                self.receiver.malformed += 1
            else:
                self.payload = frame if codec.exact else None
                return pcm
        return codec.decode(None)

    def frame(self, tick: int, hearing: Hearing, speaking: Speaking) -> Frame:
        """What was heard and said, once the kernels are done with the row."""
        row = self.row
        if self._gate.is_speech(hearing.narrow[row].tobytes(), NARROW_HZ):
            self._gate_until = tick + GATE_TICKS
        pcm = hearing.wide[row].copy()
        if self.recording is not None:
            self.recording.write(pcm, speaking.wide[row].copy())
        return Frame(
            tick=tick - self._start,
            pcm=pcm,
            voice=float(hearing.probability[row]) if tick <= self._gate_until else 0.0,
            level_dbfs=float(hearing.level_dbfs[row]),
            keys=self._keys + self._tone(tick, hearing),
            played=self._played,
        )

    def _tone(self, tick: int, hearing: Hearing) -> str:
        if self._tones.busy:
            self._echo_until = tick + ECHO_TICKS
        heard = self.hears_tones and hearing.digit[self.row] and tick > self._echo_until
        return chr(hearing.digit[self.row]) if heard else ""

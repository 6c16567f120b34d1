"""A leg's incoming stream: datagrams to frames and keys, every refused packet counted by its reason."""

from dataclasses import dataclass, replace

from dialog.errors import ProtocolError
from voice.media.latch import Latch
from voice.media.wires import Address, Wire
from voice.wire.dtmf import KeyReceiver
from voice.wire.jitter import Hole, JitterBuffer
from voice.wire.rtp import RtpPacket, is_rtcp

COMFORT_NOISE = 13
"""Static payload type of RFC 3389: the far end is silent on purpose."""


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


class StreamReceiver:
    """Drains `wire` and keeps the stream. Tick thread only."""

    def __init__(self, wire: Wire, payload_type: int, event_payload_type: int | None, jitter: JitterBuffer) -> None:
        self.received = 0
        self.jitter = jitter
        self.malformed = 0
        self._unexpected = 0
        self._wire = wire
        self._payload_type = payload_type
        self._former: tuple[int, bytes] | None = None
        self._event_payload_type = event_payload_type
        self._latch = Latch(wire.remote)
        self._keys = KeyReceiver()

    @property
    def refusals(self) -> Refusals:
        return Refusals(self.malformed, self._latch.foreign, self._latch.stray, self._unexpected)

    def declare(self, remote: Address) -> None:
        """A new offer or answer names `remote`."""
        self._latch.declare(remote)
        self._wire.remote = self._latch.remote

    def switch(self, payload_type: int, table: bytes | None) -> None:
        """The stream goes on with another payload type; what is of the former one is translated by `table`, or dropped
        where there is none."""
        self._former = None
        if table is None:
            self.jitter.clear()
        else:
            self.jitter.translate(table)
            self._former = (self._payload_type, table) if payload_type != self._payload_type else None
        self._payload_type = payload_type

    def renumber_keys(self, payload_type: int) -> None:
        """Keys come with another payload type."""
        self._event_payload_type = payload_type

    def drain(self, tick: int, *, listening: bool) -> str:
        """Take what has come by `tick`; the keys that began. Not `listening` (on hold): heard, but dropped."""
        keys = ""
        for data, source in self._wire.receive():
            try:
                packet = RtpPacket.parse(data)
                keys += self._take(packet, data, source, tick, listening)
            except ProtocolError:
                self.malformed += 1
        return keys

    def _take(self, packet: RtpPacket, data: bytes, source: Address, tick: int, listening: bool) -> str:
        if self._former is not None and packet.payload_type == self._former[0]:
            payload = packet.payload.translate(self._former[1])
            packet = replace(packet, payload_type=self._payload_type, payload=payload)
        kind = packet.payload_type
        if kind not in (self._payload_type, self._event_payload_type, COMFORT_NOISE):
            if is_rtcp(data):
                self._wire.set_aside(data, source)
            else:
                self._unexpected += 1
            return ""
        if not self._latch.admit(packet, source, tick):
            return ""
        self._wire.remote = self._latch.remote
        self.received += 1
        if kind == self._payload_type and listening:
            self.jitter.push(packet, tick)
            return ""
        self.jitter.skip(packet, tick)
        if kind != self._event_payload_type or not listening:
            return ""
        return self._keys.receive(packet)

    def frame(self, tick: int, *, listening: bool, quiet: bool) -> bytes | Hole:
        """The payload of this tick, or why there is none."""
        frame = self.jitter.pop(tick, quiet=quiet)
        return frame if listening else Hole.SILENCE

"""A leg's outgoing stream: packets of the length agreed on, on one time line (RFC 3550 section 5.1, RFC 3551 section
4.1)."""

from random import Random

from voice.wire.dtmf import KeySender
from voice.wire.reports import Sending
from voice.wire.rtp import RtpPacket, timestamp_step


class StreamSender:
    """Numbers and stamps packets. Timestamps follow the ticks, sent or not; sequence numbers the packets.

    Source, first sequence number and first timestamp come from `chance`, as RFC 3550 wants them random.
    """

    def __init__(self, payload_type: int, event_payload_type: int | None, units_per_tick: int, chance: Random) -> None:
        self.sent = 0
        self._octets = 0
        self._payload_type = payload_type
        self._units = units_per_tick
        self._keys = None if event_payload_type is None else KeySender(event_payload_type, units_per_tick)
        self._ssrc = chance.getrandbits(32)
        self._sequence = chance.getrandbits(16)
        self._start = chance.getrandbits(32)
        self._talking = False
        self._packet_octets = 0
        self._held = b""
        self._held_since = 0  # timestamp of the first octet held
        self._marked = True

    def switch(self, payload_type: int) -> None:
        """The stream goes on with another payload type."""
        self._payload_type = payload_type
        self._held = b""

    def packetise(self, octets: int) -> None:
        """Send so many octets in a packet, of a format whose octets are units of the clock; 0: each frame as it is."""
        self._packet_octets = octets

    def renumber_keys(self, payload_type: int) -> None:
        """Keys go out with another payload type, also those that wait."""
        if self._keys is not None:
            self._keys.payload_type = payload_type

    def sending(self, tick: int) -> Sending:
        """What was sent up to `tick`, as a sender report tells it."""
        return Sending(self._ssrc, self._stamp(tick), self.sent, self._octets)

    @property
    def keying(self) -> bool:
        """Keys are being sent, and no audio is taken meanwhile."""
        return self._keys is not None and self._keys.busy

    @property
    def takes_keys(self) -> bool:
        """The far end takes telephone-events."""
        return self._keys is not None

    def press(self, digits: str) -> bool:
        """Send keys from the next tick on; False when the far end takes none or too many wait."""
        return self._keys is not None and self._keys.press(digits)

    def audio(self, payload: bytes, tick: int, *, talking: bool) -> list[bytes]:
        """The packets that the frame of `tick` completes; the marker stands where talk begins."""
        stamp = self._stamp(tick)
        if timestamp_step(self._held_since, stamp) != len(self._held):  # ticks were left out
            self._held = b""
        if not self._held:
            self._held_since = stamp
        self._held += payload
        self._marked |= talking and not self._talking
        self._talking = talking
        size = self._packet_octets or len(self._held)
        packets = []
        while len(self._held) >= size > 0:
            piece, self._held = self._held[:size], self._held[size:]
            audio = RtpPacket(self._payload_type, self._sequence, self._held_since, self._ssrc, piece, self._marked)
            self._held_since = (self._held_since + size) & 0xFFFF_FFFF
            self._marked = False
            packets.append(self._numbered(audio))
        return packets

    def key(self, tick: int) -> bytes | None:
        """The key packet of `tick`; None in the pause after a key. Sound that fills no packet yet is left out."""
        self.rest()
        packet = self._keys.packet(self._sequence, self._stamp(tick), self._ssrc) if self._keys else None
        return None if packet is None else self._numbered(packet)

    def rest(self) -> None:
        """Nothing is sent in this tick: talk that follows begins anew."""
        self._talking = False
        self._held = b""

    def _stamp(self, tick: int) -> int:
        return (self._start + tick * self._units) & 0xFFFF_FFFF

    def _numbered(self, packet: RtpPacket) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.sent += 1
        self._octets += len(packet.payload)
        return bytes(packet)

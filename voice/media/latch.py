"""Whose packets a leg believes, and where it sends its own.

SDP names an address, but a caller behind NAT sends from another. So the leg latches on to the source that really
sends, and only after its packets have proved to be one stream: whoever merely hits the port with single datagrams
gets neither in nor a copy of what we say (the "RTP bleed" of careless latching).
"""

from dataclasses import dataclass

from voice.media.wires import Address
from voice.wire.rtp import RtpPacket, sequence_step

PROOF_PACKETS = 3
"""Consecutive packets of one stream from one source before it is believed."""
RELATCH_TICKS = 100
"""Silence after which another source may take over: 2 s."""

_RESYNC_PACKETS = 2  # of another stream, or of another count, from the right source (RFC 3550 A.1)
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100
_MAX_CANDIDATES = 32  # more than one tick's packets, so that a flood does not push a true candidate out


@dataclass(slots=True)
class _Run:
    """Consecutive packets of one stream."""

    ssrc: int
    sequence: int
    length: int

    def extend(self, packet: RtpPacket) -> int:
        follows = packet.ssrc == self.ssrc and sequence_step(self.sequence, packet.sequence) == 1
        self.length = self.length + 1 if follows else 1
        self.ssrc, self.sequence = packet.ssrc, packet.sequence
        return self.length


class Latch:
    """One leg's latch; `declared` is the address from SDP. `foreign` and `stray` count the packets it refused:
    from another source, and from the right source but of no known stream."""

    def __init__(self, declared: Address | None) -> None:
        self._declared = declared
        self._latched: Address | None = None
        self._ssrc = 0
        self._sequence = 0
        self._admitted_at = 0
        self._candidates: dict[Address, _Run] = {}
        self._resync: _Run | None = None
        self.foreign = 0
        self.stray = 0

    @property
    def remote(self) -> Address | None:
        """Where to send."""
        return self._latched or self._declared

    def declare(self, address: Address) -> None:
        """A new offer or answer: an address that changed opens the latch, the same one leaves it as it is."""
        if address == self._declared:
            return
        self._declared = address
        self._latched = None
        self._candidates.clear()

    def admit(self, packet: RtpPacket, source: Address, now: int) -> bool:
        """Whether `packet`, valid in itself, belongs to the stream of this leg."""
        if source == self._latched:
            admitted = self._continues(packet)
            self.stray += not admitted
        else:
            admitted = self._takes_over(packet, source, now)
            self.foreign += not admitted
        if admitted:
            self._admitted_at = now
        return admitted

    def _continues(self, packet: RtpPacket) -> bool:
        if packet.ssrc == self._ssrc:
            step = sequence_step(self._sequence, packet.sequence)
            if -_MAX_MISORDER <= step <= _MAX_DROPOUT:
                if step > 0:
                    self._sequence = packet.sequence
                self._resync = None
                return True
        if self._resync is None:
            self._resync = _Run(packet.ssrc, packet.sequence, 1)
            return False
        if self._resync.extend(packet) < _RESYNC_PACKETS:
            return False
        self._begin(packet)
        return True

    def _takes_over(self, packet: RtpPacket, source: Address, now: int) -> bool:
        expected = source == self._declared
        if self._latched is None and expected:
            self._latched = source
            self._begin(packet)
            return True
        if self._latched is not None and not expected and now - self._admitted_at < RELATCH_TICKS:
            return False
        run = self._candidates.pop(source, None)
        if run is None:
            run = _Run(packet.ssrc, packet.sequence, 0)
            if len(self._candidates) == _MAX_CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
        self._candidates[source] = run  # the one heard last stands last
        if run.extend(packet) < PROOF_PACKETS:
            return False
        self._latched = source
        self._candidates.clear()
        self._begin(packet)
        return True

    def _begin(self, packet: RtpPacket) -> None:
        self._ssrc = packet.ssrc
        self._sequence = packet.sequence
        self._resync = None

"""The ways that keys go, and keys as telephone-events (RFC 4733): events to digits, and digits to events."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct

from dialog.errors import ProtocolError
from voice.wire.rtp import RtpPacket, timestamp_step

KEYS = "0123456789*#ABCD"
"""A key's event code is its place here (RFC 4733 section 3.2)."""

KEY_TICKS = 5
"""Length of a key we send: 100 ms."""
GAP_TICKS = 3
"""Pause after it: 60 ms. The end packet is repeated in the first two ticks of it (RFC 4733 section 2.5.1.4)."""
MAX_KEYS = 64
"""Keys that may wait to be sent."""

_EVENT = Struct("!BBH")
_END_REPEATS = 3
_VOLUME = 10  # -10 dBm0
_LONGEST_SEGMENT = 0xFFFF
_STRAGGLER = 80_000  # 10 s at 8 kHz: a packet older than this is not late, the peer's clock was set anew


class Dtmf(StrEnum):
    """How keys go to a far end, and come from it. Those that come by INFO are taken in any case."""

    AUTO = "auto"
    """As telephone-events where they are agreed on, else as tones."""
    EVENTS = "events"
    """As telephone-events, or not at all."""
    TONES = "tones"
    """In the sound itself."""
    INFO = "info"
    """By INFO, as `application/dtmf-relay`."""

    @property
    def by_event(self) -> bool:
        """Whether telephone-events are offered, and taken where they are."""
        return self in (Dtmf.AUTO, Dtmf.EVENTS)


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """The payload of one packet. `duration` in timestamp units from the packet's timestamp; `volume` in -dBm0."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> "TelephoneEvent":
        """Read a payload; only its first event counts. Raises ProtocolError when it is shorter than one."""
        if len(payload) < _EVENT.size:
            raise ProtocolError(f"telephone-event of {len(payload)} octets")
        event, flags, duration = _EVENT.unpack_from(payload)
        return cls(event, flags >= 0x80, flags & 0x3F, duration)

    def __bytes__(self) -> bytes:
        return _EVENT.pack(self.event, self.end << 7 | self.volume, self.duration)

    def __str__(self) -> str:
        return f"event {self.event} {self.duration}{' end' if self.end else ''}"


class KeyReceiver:
    """Turns a stream's event packets into digits, each key press once.

    All packets of one press share a timestamp, so a press is known by it: any packet of it, even only the last one,
    gives the digit; repeats and stragglers of older presses give none.
    """

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._timestamp = 0
        self._last: TelephoneEvent | None = None

    def receive(self, packet: RtpPacket) -> str:
        """The digit this packet begins, or nothing. Raises ProtocolError for a payload that is no event."""
        event = TelephoneEvent.parse(packet.payload)
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._last = None
        before = self._last
        if before is not None:
            step = timestamp_step(self._timestamp, packet.timestamp)
            if -_STRAGGLER < step <= 0:
                if step == 0 and (before.duration < event.duration or event.end):
                    self._last = event
                return ""
            # a press longer than the duration field goes on as a new segment (RFC 4733 section 2.5.1.3)
            if step == before.duration == _LONGEST_SEGMENT and event.event == before.event and not before.end:
                self._timestamp = packet.timestamp
                self._last = event
                return ""
        self._timestamp = packet.timestamp
        self._last = event
        return KEYS[event.event] if event.event < len(KEYS) else ""


class Presses:
    """Keys that wait to be pressed, and the one that is, with the pause after it. One thread presses, one steps."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._code = 0
        self._tick = 0  # of the running press, from 1; 0 between presses

    @property
    def busy(self) -> bool:
        """A press or its pause is running or waiting: no audio leaves meanwhile."""
        return self._tick > 0 or bool(self._waiting)

    def press(self, digits: str) -> bool:
        """Enqueue keys; False (nothing taken) past `MAX_KEYS`. Raises ValueError for what is not on a keypad."""
        codes = [KEYS.index(digit) for digit in digits.upper()]
        if len(self._waiting) + len(codes) > MAX_KEYS:
            return False
        self._waiting.extend(codes)
        return True

    def step(self) -> tuple[int, int]:
        """The code of the key of this tick, and which tick of press and pause it is, from 1; 0 when there is none."""
        if self._tick == 0:
            if not self._waiting:
                return 0, 0
            self._code = self._waiting.popleft()
        tick = self._tick + 1
        self._tick = 0 if tick == KEY_TICKS + GAP_TICKS else tick
        return self._code, tick


class KeySender(Presses):
    """Turns digits into event packets, one a tick, with pauses between presses."""

    def __init__(self, event_payload_type: int, units_per_tick: int = 160) -> None:
        super().__init__()
        self.payload_type = event_payload_type
        self._units = units_per_tick
        self._timestamp = 0

    def packet(self, sequence: int, timestamp: int, ssrc: int) -> RtpPacket | None:
        """The packet of this tick, if one is due; `timestamp` is the stream's own at this tick."""
        code, tick = self.step()
        if tick == 1:
            self._timestamp = timestamp
        if not 0 < tick < KEY_TICKS + _END_REPEATS:
            return None
        event = TelephoneEvent(code, tick >= KEY_TICKS, _VOLUME, min(tick, KEY_TICKS) * self._units)
        return RtpPacket(self.payload_type, sequence, self._timestamp, ssrc, bytes(event), marker=tick == 1)

"""The audio of a stream as a media leg takes and gives it: RTP packets of 20 ms, by a ring that loses none.

Platforms send audio in pieces of any length and stamp them, if at all, each in its own way. So it is cut anew here, and
the jitter buffer sees one source, whose packets come as evenly, or in such bursts, as the platform's messages do.
"""

from collections import deque

from dsp import g711
from dsp.tones import dtmf_tone
from voice.wire.dtmf import KEY_TICKS, KeyReceiver
from voice.wire.rtp import RtpPacket
from voice.wire.streams.stream import FRAME_MS, AudioFormat

PAYLOAD_TYPE = 96
EVENT_PAYLOAD_TYPE = 101
"""Any two numbers: they never leave this process."""

_LAWS = {"PCMU": g711.MU_LAW, "PCMA": g711.A_LAW}


class Packetizer:
    """Cuts the caller's audio into packets; what does not fill one waits for the next piece."""

    def __init__(self, audio: AudioFormat) -> None:
        self._octets = audio.frame_octets
        self._units = audio.rate_hz * FRAME_MS // 1000
        self._count = 0
        self._rest = b""

    def push(self, payload: bytes) -> list[bytes]:
        """The packets that `payload` completes."""
        held = self._rest + payload
        whole = len(held) - len(held) % self._octets
        self._rest = held[whole:]
        return [self._packet(held[at : at + self._octets]) for at in range(0, whole, self._octets)]

    def _packet(self, frame: bytes) -> bytes:
        count, self._count = self._count, self._count + 1
        return bytes(RtpPacket(PAYLOAD_TYPE, count & 0xFFFF, count * self._units & 0xFFFF_FFFF, 0, frame))


class Depacketizer:
    """What the leg sends, as audio alone: a key becomes its tone, since none of the platforms takes keys otherwise."""

    def __init__(self, audio: AudioFormat) -> None:
        self._audio = audio
        self._keys = KeyReceiver()
        self._tone: deque[bytes] = deque()

    def frame(self, packet: bytes) -> bytes:
        """20 ms of audio; nothing for a packet in the pause after a key."""
        parsed = RtpPacket.parse(packet)
        if parsed.payload_type != EVENT_PAYLOAD_TYPE:
            return parsed.payload
        if key := self._keys.receive(parsed):
            self._tone.extend(self._toned(key))
        return self._tone.popleft() if self._tone else b""

    def _toned(self, key: str) -> list[bytes]:
        audio = self._audio
        tone = dtmf_tone(key, KEY_TICKS * FRAME_MS, audio.rate_hz)
        law = _LAWS.get(audio.encoding)
        octets = tone.astype("<i2").tobytes() if law is None else g711.encode_block(tone, law).tobytes()
        return [octets[at : at + audio.frame_octets] for at in range(0, len(octets), audio.frame_octets)]

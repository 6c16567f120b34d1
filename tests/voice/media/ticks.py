"""A plane in virtual time, and what its tests say and measure."""

import asyncio
import ctypes
from random import Random

import numpy as np

from dsp.g711 import MU_LAW, encode_block
from dsp.tones import DtmfDetector
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.opus import library
from voice.media.plane import MediaPlane
from voice.ports import Frame, Pcm
from voice.wire.rtp import RtpPacket

PEER = ("127.0.0.1", 4000)


class Bench:
    """A plane without its thread, and a clock of ticks."""

    def __init__(self, capacity: int = 4, chance: Random | None = None, *, cancels_echo: bool = False) -> None:
        loop, chance = asyncio.get_running_loop(), chance or Random(1)
        self.plane = MediaPlane(loop, capacity=capacity, allowance_ms=0, chance=chance, cancels_echo=cancels_echo)
        self.tick = 0

    async def run(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.plane.run_tick(self.tick)
            self.tick += 1
            await asyncio.sleep(0)

    async def run_part(self, part: int) -> None:
        """A tenth of a tick, counted on over ticks."""
        self.plane.run_parts(part, 1)
        await asyncio.sleep(0)

    def leg(self, wire: FakeWire, codec: str = "PCMU", events: int | None = 101) -> tuple[MediaLeg, list[Frame]]:
        leg = self.plane.add_leg(wire, Coding(codec), 0 if codec == "PCMU" else 8, events)
        frames: list[Frame] = []
        leg.listen(frames.append)
        return leg, frames


def tone(ms: int, hz: float = 440.0) -> Pcm:
    wave: Pcm = np.rint(12_000 * np.sin(2 * np.pi * hz * np.arange(ms * 16) / 16_000)).astype(np.int16)
    return wave


def rtp(n: int, payload: bytes, payload_type: int = 0, ssrc: int = 1) -> bytes:
    return bytes(RtpPacket(payload_type, n & 0xFFFF, n * 160, ssrc, payload))


def octets(pcm: Pcm, law: int = MU_LAW) -> list[bytes]:
    """16 kHz audio as the payloads of G.711 packets (the half band is good enough for a tone)."""
    narrow = np.ascontiguousarray(pcm[::2])
    return [encode_block(narrow[at : at + 160], law).tobytes() for at in range(0, narrow.size - 159, 160)]


def frequency(pcm: Pcm) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(pcm.size)))
    return float(np.argmax(spectrum)) * 16_000 / pcm.size


def keys_in(pcm8k: Pcm) -> str:
    """What the detector of tones makes of 8 kHz audio."""
    detector, digit, found = DtmfDetector(1), np.zeros(1, np.uint8), b""
    for tick in pcm8k.reshape(-1, 1, 160):
        detector.process(np.zeros(1, np.int32), np.ascontiguousarray(tick), digit)
        found += digit.tobytes()
    return found.replace(b"\0", b"").decode()


def expected_loss(leg: MediaLeg) -> int:
    """What a leg's Opus encoder expects to be lost, in percent."""
    get_packet_loss, percent = 4015, ctypes.c_int()
    assert library().opus_encoder_ctl(leg.row["encoder"], get_packet_loss, ctypes.byref(percent)) == 0
    return percent.value

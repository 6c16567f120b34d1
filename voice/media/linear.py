"""Plain 16-bit samples, as streams bring them: a `FrameCodec` for L16 at 8 and 16 kHz, little-endian."""

from typing import Literal

import numpy as np

from dialog.errors import ProtocolError
from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_TICK, Pcm
from dsp.resample import Downsampler, Upsampler

_ROW = np.zeros(1, np.int32)


class LinearCodec:
    """One leg's. What brings such audio loses none of it, so a missing frame is one that is late: it is bridged once,
    by the frame before at half its level, and then there is silence."""

    def __init__(self, rate_hz: Literal[8_000, 16_000]) -> None:
        self._rate_hz = rate_hz
        self.exact = rate_hz != NARROW_HZ
        """What is resampled stands elsewhere in time than what came: to go from one to the other would click."""
        self._narrow = np.zeros((1, NARROW_TICK), np.int16)
        self._wide = np.zeros((1, WIDE_TICK), np.int16)
        self._last: Pcm = np.zeros(rate_hz // 50, np.int16)
        self._up = Upsampler(1)
        self._down = Downsampler(1)

    @property
    def clock_hz(self) -> int:
        return self._rate_hz

    @property
    def divisible(self) -> bool:
        return False

    def decode(self, payload: bytes | None) -> Pcm:
        if payload is None:
            wide = self._widened(self._last // 2)
            self._last = np.zeros_like(self._last)
            return wide
        if len(payload) != 2 * self._last.size:
            raise ProtocolError(f"{len(payload)} octets are not 20 ms")
        self._last = np.frombuffer(payload, "<i2").astype(np.int16)
        return self._widened(self._last)

    def encode(self, pcm: Pcm) -> bytes:
        if self._rate_hz != NARROW_HZ:
            return bytes(pcm.astype("<i2").data)
        self._wide[0] = pcm
        self._down.process(_ROW, self._wide, self._narrow)
        return bytes(self._narrow[0].astype("<i2").data)

    def pass_on(self, payload: bytes, pcm: Pcm) -> bytes:
        """Samples know nothing of those before."""
        return payload

    def _widened(self, frame: Pcm) -> Pcm:
        if self._rate_hz != NARROW_HZ:
            return frame
        self._narrow[0] = frame
        self._up.process(_ROW, self._narrow, self._wide)
        wide: Pcm = self._wide[0].copy()
        return wide

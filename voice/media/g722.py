"""G.722 for SIP legs: 20 ms of 16 kHz audio in 160 octets, by the kernels of `dsp.g722` (RFC 3551 section 4.5.2).

A leg at a time, because its samples are serial and a batch would save nothing but the way into numba, a tenth. What is
lost is made up at 8 kHz, by what conceals G.711: the far end's upper band is away for as long.
"""

from copy import deepcopy

import numpy as np

from dialog.errors import ProtocolError
from dsp.g722 import Decoder, Encoder
from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_TICK, Pcm
from dsp.plc import Concealer
from dsp.resample import Downsampler, Upsampler

_ROW = np.zeros(1, np.int32)
_RETURN = np.linspace(0, 1, WIDE_TICK, endpoint=False, dtype=np.float32)
_AHEAD = Encoder.DELAY_SAMPLES
_SLIP = np.linspace(0, 1, WIDE_TICK - _AHEAD, endpoint=False, dtype=np.float32)


class G722Codec:
    """One leg's coder and decoder; a `FrameCodec`."""

    clock_hz = NARROW_HZ
    """Not the 16 kHz that it samples at: a mistake of RFC 1890 that was kept."""
    divisible = True
    exact = True

    def __init__(self) -> None:
        self._decoder, self._encoder = Decoder(1), Encoder(1)
        self._concealer, self._down, self._up = Concealer(1), Downsampler(1), Upsampler(1)
        self._octets = np.zeros((1, NARROW_TICK), np.uint8)
        self._heard, self._made_up, self._said = np.zeros((3, 1, WIDE_TICK), np.int16)
        self._narrow = np.zeros((1, NARROW_TICK), np.int16)
        self._lost = np.zeros(1, np.uint8)
        self._following = False

    def decode(self, payload: bytes | None) -> Pcm:
        """The next 320 samples; `None` is a packet that did not come. Raises ProtocolError unless it is 160 octets."""
        if payload is not None and len(payload) != NARROW_TICK:
            raise ProtocolError(f"G.722 frame of {len(payload)} octets")
        was_lost, self._lost[0] = bool(self._lost[0]), payload is None
        if payload is not None:
            self._octets[0] = np.frombuffer(payload, np.uint8)
            self._decoder.process(_ROW, self._octets, self._heard)
            self._down.process(_ROW, self._heard, self._narrow)
        self._concealer.process(_ROW, self._narrow, self._lost)
        self._up.process(_ROW, self._narrow, self._made_up)
        frame: Pcm = (self._made_up if payload is None else self._heard)[0].copy()
        if was_lost and payload is not None:
            frame[:] = np.rint(self._made_up[0] * (1 - _RETURN) + frame * _RETURN)
        return frame

    def encode(self, pcm: Pcm) -> bytes:
        """The payload of 320 samples."""
        self._said[0] = pcm
        if self._following:
            self._join(pcm)
        self._encoder.process(_ROW, self._said, self._octets)
        return self._octets.tobytes()

    def pass_on(self, payload: bytes, pcm: Pcm) -> bytes:
        """The payload. Encoder and decoder keep one state, and where they do not, the step width is heard as a burst:
        so this end takes its state from what is sent."""
        if not self._following:
            payload = self._turned(payload, pcm)
            self._following = True
        self._octets[0] = np.frombuffer(payload, np.uint8)
        self._encoder.follow(_ROW, self._octets)
        return payload

    def _turned(self, payload: bytes, pcm: Pcm) -> bytes:
        """From what is encoded to what is passed on, which is ahead of it by the mirror filters: slip ahead as far as
        there is audio, then go on with the octets that came."""
        self._said[0, :-_AHEAD] = np.rint(pcm[:-_AHEAD] * (1 - _SLIP) + pcm[_AHEAD:] * _SLIP)
        deepcopy(self._encoder).process(_ROW, self._said, self._octets)
        end = _SLIP.size // 2
        return self._octets.tobytes()[:end] + payload[end:]

    def _join(self, pcm: Pcm) -> None:
        """And back: begin ahead, and slip back within the frame."""
        self._following = False
        self._encoder.fill(0, pcm[:_AHEAD])
        self._said[0, :-_AHEAD] = np.rint(pcm[_AHEAD:] * (1 - _SLIP) + pcm[:-_AHEAD] * _SLIP)

"""Audio formats a leg can speak.

G.711 is decoded and encoded by kernels, batched over all legs, and is named by its RTP name. Any other format is a
`FrameCodec`: an object a leg, called in the tick thread, whose audio joins the batch after decoding.
"""

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from voice.media.g722 import G722Codec
from voice.media.opus import OpusCodec
from voice.wire.sdp import Codec

G711Name = Literal["PCMU", "PCMA"]


class FrameCodec(Protocol):
    """Coder and decoder of one leg, a frame of 20 ms at a time. Tick thread only."""

    @property
    def clock_hz(self) -> int:
        """RTP clock rate (RFC 3551 section 4; Opus: 48,000 whatever it samples at, RFC 7587)."""
        ...

    @property
    def divisible(self) -> bool:
        """Whether an octet is a unit of the clock, so that packets of any length can be cut and joined to frames of
        20 ms; otherwise each packet is given to `decode` whole."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the payload decoded last was that one frame, no more and no less, so that another leg of this format
        may be sent it in the frame's place."""
        ...

    def decode(self, payload: bytes | None) -> npt.NDArray[np.int16]:
        """i16[320] at 16 kHz; None asks for a concealed frame in place of a lost one.

        Raises ProtocolError for a payload that is not this format; the frame is then counted and concealed.
        """
        ...

    def encode(self, pcm: npt.NDArray[np.int16]) -> bytes:
        """The payload of i16[320] at 16 kHz."""
        ...

    def pass_on(self, payload: bytes, pcm: npt.NDArray[np.int16]) -> bytes:
        """What is sent in place of `encode(pcm)` where another's `payload` sounds like it: the payload, or in the first
        tick what leads from one to the other. What is encoded next joins it without a click."""
        ...


def open_codec(codec: Codec) -> G711Name | FrameCodec:
    """What a leg is given to speak what offer and answer agreed on."""
    match codec:
        case Codec.PCMU:
            return "PCMU"
        case Codec.PCMA:
            return "PCMA"
        case Codec.G722:
            return G722Codec()
        case Codec.OPUS:
            return OpusCodec()

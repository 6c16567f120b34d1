"""Audio formats a leg can speak, and what the engine needs to know of each."""

from enum import StrEnum

from dsp.kernel import NARROW_HZ, WIDE_HZ
from voice.media.engine.layout import Format
from voice.media.opus import CLOCK_HZ
from voice.wire.sdp import Codec


class Coding(StrEnum):
    """A format: of RTP by its name there, or L16 as other platforms' streams bring it, little-endian."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"
    OPUS = "opus"
    L16_8K = "L16/8000"
    L16_16K = "L16/16000"

    @property
    def number(self) -> Format:
        """Its number in the engine."""
        return Format[self.name]

    @property
    def clock_hz(self) -> int:
        """RTP clock rate (RFC 3551 section 4: G.722's is not what it samples at, a mistake of RFC 1890 that was kept;
        Opus: 48,000 whatever it samples at, RFC 7587)."""
        if self is Coding.OPUS:
            return CLOCK_HZ
        return WIDE_HZ if self is Coding.L16_16K else NARROW_HZ

    @property
    def divisible(self) -> bool:
        """Whether an octet is a unit of the clock, so that packets of any length can be cut and joined to frames of
        20 ms; otherwise a packet is a frame."""
        return self in (Coding.PCMU, Coding.PCMA, Coding.G722)


def coding_of(codec: Codec) -> Coding:
    """What a leg is given to speak what offer and answer agreed on."""
    return Coding(codec.value)

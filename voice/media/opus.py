"""Opus: 20 ms of 16 kHz mono at a time, by the libopus that PyAV's wheel carries. The engine runs what is made here.

Why not PyAV's own codec objects: they always decode to 48 kHz stereo, know no concealment, hide the encoder's controls,
and compiled code cannot call them.
Source: RFC 6716 (the codec), RFC 7587 (its RTP payload: the clock is 48 kHz whatever the audio), libopus 1.6 API.
"""

import ctypes
import functools
import importlib.util
from pathlib import Path

from dialog.errors import NotReady
from voice.ports import RATE_HZ

CLOCK_HZ = 48_000
"""RTP timestamps of Opus count at 48 kHz (RFC 7587 section 4.1)."""

BITRATE_BPS = 24_000
COMPLEXITY = 5
LEAST_LOSS_PERCENT = 10
"""What the encoder expects at least. Of 2 to 5 libopus 1.6 adds nothing that repairs a loss, of 6 to 9 it begins in a
narrower band for it; and what is lost before the first report should be repaired, too."""
MOST_LOSS_PERCENT = 25
"""Of more it adds no more."""

SET_PACKET_LOSS = 4014
"""Request of `opus_encoder_ctl`: the loss to expect, in percent."""

_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_DTX, _SET_SIGNAL = 4002, 4010, 4012, 4016, 4024
_SIGNAL_VOICE = 3001

_PointerToSamples = ctypes.POINTER(ctypes.c_int16)


def library_path() -> Path:
    """Where PyAV's wheel keeps its libopus. Raises NotReady when there is none."""
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder, pattern in ((package.parent / "av.libs", "libopus-*.so*"), (package / ".dylibs", "libopus*.dylib")):
            for path in sorted(folder.glob(pattern)):
                return path
    raise NotReady("libopus is missing: it comes with the wheel of PyAV; run `make` to install the locked environment")


@functools.cache
def library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_path()))
    for name in ("opus_encoder_get_size", "opus_decoder_get_size"):
        getattr(library, name).argtypes = [ctypes.c_int]
    library.opus_encoder_init.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int, ctypes.c_int]
    library.opus_decoder_init.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int]
    # variadic: what follows the request is passed as a c_int by the caller
    library.opus_encoder_ctl.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.opus_encode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int32,
    ]
    library.opus_encode.restype = ctypes.c_int32
    library.opus_decode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        _PointerToSamples,
        ctypes.c_int,
        ctypes.c_int,
    ]
    return library


class OpusState:
    """One leg's encoder and decoder, for whoever runs them: libopus works in memory that Python owns, so there is
    nothing to close. `expected_loss`: in percent. `dtx`: in pauses frames of two octets at most, which are not to be
    sent, but for one in 20 or so. Raises NotReady where libopus refuses."""

    def __init__(self, expected_loss: int = LEAST_LOSS_PERCENT, *, dtx: bool = False) -> None:
        opus = library()
        self._decoder = ctypes.create_string_buffer(opus.opus_decoder_get_size(1))
        self._encoder = ctypes.create_string_buffer(opus.opus_encoder_get_size(1))
        status = opus.opus_decoder_init(self._decoder, RATE_HZ, 1)
        status |= opus.opus_encoder_init(self._encoder, RATE_HZ, 1, _APPLICATION_VOIP)
        for request, value in (
            (_SET_BITRATE, BITRATE_BPS),
            (_SET_COMPLEXITY, COMPLEXITY),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_INBAND_FEC, 1),
            (SET_PACKET_LOSS, expected_loss),
            (_SET_DTX, int(dtx)),
        ):
            status |= opus.opus_encoder_ctl(self._encoder, request, ctypes.c_int(value))
        if status != 0:
            raise NotReady(f"libopus at {library_path()} refuses its set-up (status {status})")

    @property
    def decoder_address(self) -> int:
        return ctypes.addressof(self._decoder)

    @property
    def encoder_address(self) -> int:
        return ctypes.addressof(self._encoder)


class ExpectedLoss:
    """The loss that an encoder is to expect, by what the far end tells of packets of ours. A worse report counts for
    half: what repairs a loss has to be there while they come. A better one counts for an eighth: losses come in bursts,
    and one that is over says little of the next."""

    _WORSE, _BETTER = 1 / 2, 1 / 8

    def __init__(self) -> None:
        self._share = 0.0

    @property
    def percent(self) -> int:
        return min(MOST_LOSS_PERCENT, max(LEAST_LOSS_PERCENT, round(100 * self._share)))

    def add(self, share: float) -> None:
        """`share` of the packets between two reports was lost, 0..1."""
        change = share - self._share
        self._share += change * (self._WORSE if change > 0 else self._BETTER)

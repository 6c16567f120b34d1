"""Opus for browser legs: 20 ms of 16 kHz mono at a time, by the libopus that PyAV's wheel carries.

Why not PyAV's own codec objects: they always decode to 48 kHz stereo, know no concealment and hide the encoder's
controls. ctypes lets go of the GIL for the length of a call, so a leg's coding never stops the event loop.
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
EXPECTED_LOSS_PERCENT = 10  # of less, libopus adds nothing that repairs a loss

_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_PACKET_LOSS, _SET_SIGNAL = 4002, 4010, 4012, 4014, 4024
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
    nothing to close. Raises NotReady where libopus refuses."""

    def __init__(self) -> None:
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
            (_SET_PACKET_LOSS, EXPECTED_LOSS_PERCENT),
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

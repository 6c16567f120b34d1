"""Opus for browser legs: 20 ms of 16 kHz mono at a time, by the libopus that PyAV's wheel carries.

Why not PyAV's own codec objects: they always decode to 48 kHz stereo, know no concealment and hide the encoder's
controls. ctypes lets go of the GIL for the length of a call, so a leg's coding never stops the event loop.
Source: RFC 6716 (the codec), RFC 7587 (its RTP payload: the clock is 48 kHz whatever the audio), libopus 1.6 API.
"""

import ctypes
import functools
import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dialog.errors import NotReady
from voice.ports import RATE_HZ, TICK_SAMPLES

CLOCK_HZ = 48_000
"""RTP timestamps of Opus count at 48 kHz (RFC 7587 section 4.1)."""

BITRATE_BPS = 24_000
COMPLEXITY = 5
EXPECTED_LOSS_PERCENT = 5

_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_PACKET_LOSS, _SET_SIGNAL = 4002, 4010, 4012, 4014, 4024
_SIGNAL_VOICE = 3001
_LONGEST_PACKET_SAMPLES = RATE_HZ * 120 // 1000  # RFC 6716 section 2.1.4: a packet holds at most 120 ms
_LARGEST_PAYLOAD = 1500
_BACKLOG_SAMPLES = 2 * _LONGEST_PACKET_SAMPLES

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
def _library() -> ctypes.CDLL:
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


class OpusCodec:
    """One leg's encoder and decoder; a `FrameCodec`.

    `malformed` counts payloads that libopus refused; they sound like lost ones. Not thread-safe: one thread, the
    tick's, uses a codec. libopus works in memory that Python owns, so there is nothing to close.
    """

    clock_hz = CLOCK_HZ
    divisible = False

    def __init__(self) -> None:
        self.malformed = 0
        self.exact = False
        self._opus = _library()
        self._decoder = ctypes.create_string_buffer(self._opus.opus_decoder_get_size(1))
        self._encoder = ctypes.create_string_buffer(self._opus.opus_encoder_get_size(1))
        status = self._opus.opus_decoder_init(self._decoder, RATE_HZ, 1)
        status |= self._opus.opus_encoder_init(self._encoder, RATE_HZ, 1, _APPLICATION_VOIP)
        for request, value in (
            (_SET_BITRATE, BITRATE_BPS),
            (_SET_COMPLEXITY, COMPLEXITY),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_INBAND_FEC, 1),
            (_SET_PACKET_LOSS, EXPECTED_LOSS_PERCENT),
        ):
            status |= self._opus.opus_encoder_ctl(self._encoder, request, ctypes.c_int(value))
        if status != 0:
            raise NotReady(f"libopus at {library_path()} refuses its set-up (status {status})")
        self._decoded = np.zeros(_LONGEST_PACKET_SAMPLES, np.int16)
        self._decoded_pointer = self._decoded.ctypes.data_as(_PointerToSamples)
        self._payload = ctypes.create_string_buffer(_LARGEST_PAYLOAD)
        self._backlog = np.zeros(0, np.int16)
        self._before: npt.NDArray[np.int16] | None = None

    def decode(self, payload: bytes | None) -> npt.NDArray[np.int16]:
        """The next 320 samples; `None` is a packet that did not come.

        Any duration of packet is taken: what a long one holds beyond this tick is kept for the next ones, which are
        then no loss; a 10 ms one is stretched by concealment. Stereo comes out as mono. Never raises.
        """
        samples = 0
        if payload:
            samples = self._run_decoder(payload, _LONGEST_PACKET_SAMPLES)
            if samples <= 0:
                self.malformed += 1
        self.exact = samples == TICK_SAMPLES and len(self._backlog) == 0
        if samples <= 0 and len(self._backlog) < TICK_SAMPLES:
            samples = self._run_decoder(None, TICK_SAMPLES)
        if samples == TICK_SAMPLES and len(self._backlog) == 0:
            return self._decoded[:TICK_SAMPLES].copy()

        audio = self._backlog
        if samples > 0:
            audio = np.concatenate((audio, self._decoded[:samples]))
        while len(audio) < TICK_SAMPLES:
            missing = self._run_decoder(None, TICK_SAMPLES // 2)
            audio = np.concatenate((audio, self._decoded[: max(missing, 0)]))
            if missing <= 0:
                audio = np.concatenate((audio, np.zeros(TICK_SAMPLES, np.int16)))
        # bound of the backlog: oldest first, so that a peer that sends more than it should lags and does not grow
        self._backlog = audio[TICK_SAMPLES:][-_BACKLOG_SAMPLES:].copy()
        return audio[:TICK_SAMPLES].copy()

    def encode(self, pcm: npt.NDArray[np.int16]) -> bytes:
        """The payload of 320 samples, with in-band FEC for the frame before (RFC 6716 section 2.1.7)."""
        frame = np.ascontiguousarray(pcm, np.int16)
        if frame.shape != (TICK_SAMPLES,):
            raise ValueError(f"a frame has {TICK_SAMPLES} samples, not {frame.shape}")
        if self._before is not None:
            before, self._before = self._before, None
            self._run_encoder(before)
        return self._run_encoder(frame)

    def pass_on(self, payload: bytes, pcm: npt.NDArray[np.int16]) -> bytes:
        """The payload. An encoder that goes on from older sound clicks; one that is first given the frame before joins
        as well as one that was given them all, and so costs nothing meanwhile."""
        self._before = pcm.copy()
        return payload

    def _run_encoder(self, frame: npt.NDArray[np.int16]) -> bytes:
        size = self._opus.opus_encode(self._encoder, frame.ctypes.data, TICK_SAMPLES, self._payload, _LARGEST_PAYLOAD)
        if size < 0:
            raise ValueError(f"libopus refuses to encode (status {size})")
        return self._payload.raw[:size]

    def _run_decoder(self, payload: bytes | None, most: int) -> int:
        """Samples written to `_decoded`; below zero when libopus refuses. `None` conceals `most` samples."""
        size = len(payload) if payload else 0
        if size > _LARGEST_PAYLOAD:
            return -1
        written: int = self._opus.opus_decode(self._decoder, payload, size, self._decoded_pointer, most, 0)
        return written

"""A sound file under way: an encoder that writes to memory, and the bytes that the disk has not taken yet.

The disk may refuse at any byte and for as long as it likes: what waits is kept, in order, and the file is whole once it
has been taken. After each `flush` the file can be played up to what it holds, so a killed process leaves a recording:
FLAC and WAV are told their length so far, and Opus comes in pages that need none.
"""

import os
from collections import deque
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile

from voice.ports import RATE_HZ

Format = Literal["flac", "wav", "opus"]
"""Also the suffix of its files: FLAC (RFC 9639), WAV (16 bit), Opus in Ogg (RFC 7845)."""

CHANNELS = 2

_CONTAINERS = {"flac": ("FLAC", "PCM_16"), "wav": ("WAV", "PCM_16"), "opus": ("OGG", "OPUS")}
_FLAC_EFFORT = 0.25  # of 1: half the time of the usual 0.625, for files a few in the hundred larger
_FLAC_TOTAL_AT = 21  # of the file: an octet that ends the sample's size with 0xF, then 36 bits that count the samples
_FLAC_BLOCK = 1152  # samples of a frame, with this effort; it is written with the first sample of the next
_WAV_DATA_AT = 44  # of the file: where samples begin; the length of all of them stands in front
_OPUS_PAGE_MS = 200.0
_SET_OGG_PAGE_LATENCY_MS = 0x1302  # of sndfile.h; soundfile has no name for it


class AudioFile:
    """One file of two channels, 16 kHz. Belongs to one thread. Nothing is opened before the first `flush`."""

    def __init__(self, path: Path, format: Format) -> None:
        self._path = path
        self._format = format
        self._memory = _Memory()
        container, subtype = _CONTAINERS[format]
        effort = _FLAC_EFFORT if format == "flac" else None
        self._encoder = soundfile.SoundFile(
            self._memory, "w", RATE_HZ, CHANNELS, subtype, format=container, compression_level=effort
        )
        if format == "opus":
            _set_page_latency(self._encoder)
        self._descriptor: int | None = None
        self._samples = 0

    def write(self, audio: npt.NDArray[np.int16]) -> None:
        """Encode i16[n, 2]; it is on the disk after the next `flush` that does not raise."""
        self._encoder.write(audio)
        self._samples += len(audio)

    def finish(self) -> None:
        """Nothing more is written: the encoder's last bytes wait for the disk, and the file is whole with them."""
        self._encoder.close()

    def flush(self) -> None:
        """Give the disk what waits. OSError where it refuses: the rest waits on."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        waiting = self._memory.waiting
        if not waiting:
            return
        while waiting:
            at, data = waiting[0]
            written = os.pwrite(self._descriptor, data, at)
            if written == len(data):
                waiting.popleft()
            else:
                waiting[0] = (at + written, data[written:])
        if not self._encoder.closed:
            self._note_length(self._descriptor)

    def close(self) -> None:
        """Let go of the file as it is. Idempotent; OSError where the disk has kept that to itself until now."""
        self._encoder.close()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _note_length(self, descriptor: int) -> None:
        """Write the length so far where players look for it (RFC 9639 section 8.2; RIFF)."""
        if self._format == "flac":
            whole = max(0, self._samples - 1) // _FLAC_BLOCK * _FLAC_BLOCK
            os.pwrite(descriptor, (0xF << 36 | whole).to_bytes(5, "big"), _FLAC_TOTAL_AT)
        elif self._format == "wav":
            octets = min(self._samples * CHANNELS * 2, 0xFFFF_FFFF - _WAV_DATA_AT)
            os.pwrite(descriptor, (octets + _WAV_DATA_AT - 8).to_bytes(4, "little"), 4)
            os.pwrite(descriptor, octets.to_bytes(4, "little"), _WAV_DATA_AT - 4)


class _Memory:
    """What the encoder takes for its file: `waiting` has each stretch of bytes, and where it belongs."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, bytes]] = deque()
        self._at = 0
        self._end = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, data: bytes) -> int:
        at, before = self.waiting[-1] if self.waiting else (0, b"")
        if before and at + len(before) == self._at:
            self.waiting[-1] = (at, before + data)
        else:
            self.waiting.append((self._at, data))
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)


def _set_page_latency(encoder: soundfile.SoundFile) -> None:
    """Have a page of Ogg for each `_OPUS_PAGE_MS`, not for a second: what is in no page yet dies with the process."""
    latency_ms = soundfile._ffi.new("double *", _OPUS_PAGE_MS)
    soundfile._snd.sf_command(encoder._file, _SET_OGG_PAGE_LATENCY_MS, latency_ms, soundfile._ffi.sizeof("double"))

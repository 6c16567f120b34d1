"""Far ends' coders, a frame of 20 ms at a time: what they say as payloads, and payloads as what they hear."""

import ctypes
from typing import Protocol

import numpy as np

from dsp.g711 import A_LAW, MU_LAW, decode_block, encode_block
from dsp.g722 import Decoder, Encoder
from dsp.polyphase import Converter
from voice.media.codecs import Coding
from voice.media.opus import OpusState, library
from voice.ports import RATE_HZ, TICK_SAMPLES, Pcm

_ROW = np.zeros(1, np.int32)
_LARGEST = 1_275


class Coder(Protocol):
    """`encode` takes i16[320] at 16 kHz, `decode` gives it."""

    def encode(self, pcm: Pcm) -> bytes: ...

    def decode(self, payload: bytes) -> Pcm: ...


class OpusCoder:
    """By libopus, as browsers do it; `decode` takes None for a packet that did not come."""

    def __init__(self) -> None:
        self._opus, self._state = library(), OpusState()

    def encode(self, pcm: Pcm) -> bytes:
        frame, payload = np.ascontiguousarray(pcm, np.int16), ctypes.create_string_buffer(_LARGEST)
        encoder = self._state.encoder_address
        size = self._opus.opus_encode(encoder, frame.ctypes.data, TICK_SAMPLES, payload, _LARGEST)
        assert size > 0, f"libopus refuses to encode (status {size})"
        return payload.raw[:size]

    def decode(self, payload: bytes | None) -> Pcm:
        pcm = np.zeros(TICK_SAMPLES, np.int16)
        pointer = pcm.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))
        size = len(payload) if payload else 0
        written = self._opus.opus_decode(self._state.decoder_address, payload, size, pointer, TICK_SAMPLES, 0)
        assert written == TICK_SAMPLES, f"libopus refuses to decode (status {written})"
        return pcm


class G722Coder:
    """By the kernels of `dsp.g722`, which have an oracle of their own."""

    def __init__(self) -> None:
        self._encoder, self._decoder = Encoder(1), Decoder(1)

    def encode(self, pcm: Pcm) -> bytes:
        octets = np.zeros((1, TICK_SAMPLES // 2), np.uint8)
        self._encoder.process(_ROW, np.ascontiguousarray(pcm).reshape(1, -1), octets)
        return octets.tobytes()

    def decode(self, payload: bytes) -> Pcm:
        pcm = np.zeros((1, TICK_SAMPLES), np.int16)
        self._decoder.process(_ROW, np.frombuffer(payload, np.uint8).reshape(1, -1).copy(), pcm)
        return pcm.reshape(-1)


class LinearCoder:
    """Little-endian samples, as streams bring them."""

    def encode(self, pcm: Pcm) -> bytes:
        return pcm.astype("<i2").tobytes()

    def decode(self, payload: bytes) -> Pcm:
        return np.frombuffer(payload, "<i2").astype(np.int16)


class G711Coder:
    """By one law, and the engine's own rate conversion."""

    def __init__(self, law: int) -> None:
        self._law = law
        self._down, self._up = Converter(1, RATE_HZ, 8_000), Converter(1, 8_000, RATE_HZ)

    def encode(self, pcm: Pcm) -> bytes:
        narrow = np.zeros((1, TICK_SAMPLES // 2), np.int16)
        self._down.process(_ROW, np.ascontiguousarray(pcm).reshape(1, -1), narrow)
        return encode_block(narrow[0], self._law).tobytes()

    def decode(self, payload: bytes) -> Pcm:
        wide = np.zeros((1, TICK_SAMPLES), np.int16)
        narrow = decode_block(np.frombuffer(payload, np.uint8), self._law).reshape(1, -1)
        self._up.process(_ROW, narrow, wide)
        return wide.reshape(-1)


def coder(coding: Coding) -> Coder:
    """A far end of that format."""
    match coding:
        case Coding.OPUS:
            return OpusCoder()
        case Coding.G722:
            return G722Coder()
        case Coding.L16_16K:
            return LinearCoder()
        case Coding.PCMA:
            return G711Coder(A_LAW)
        case _:
            return G711Coder(MU_LAW)

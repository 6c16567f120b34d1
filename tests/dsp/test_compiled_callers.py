"""Kernels are called from compiled code as well: there they do what the checked functions do, without Python."""

import numba
import numpy as np
from numba import types

from dsp import g711, g722, gain, levels, limiter, mix, noise, progress, tones
from dsp.kernel import Bytes, Floats, Pcm, Rows
from dsp.levels import Peaks
from tests.dsp.speech import voice

ROWS = np.array([2, 0], np.int32)

_rows, _octets, _flags = types.int32[::1], types.uint8[:, ::1], types.uint8[::1]
_pcm, _values, _peaks = types.int16[:, ::1], types.float32[::1], types.uint16[::1]


@numba.njit(types.void(_rows, _octets, _flags, _pcm, _values, _peaks, gain.AIMING), nogil=True)
def narrow(rows: Rows, payload: Bytes, law: Bytes, pcm: Pcm, rms: Floats, peak: Peaks, it: gain.Aiming) -> None:
    g711.decode_rows(rows, payload, law, pcm)
    levels.measure_rows(rows, pcm, rms, peak)
    gain.aim(rows, rms, np.ones(3, np.float32), 0.02, it)
    g711.encode_rows(rows, pcm, law, payload)


@numba.njit(types.void(_rows, _octets, _pcm, g722.CODING, g722.CODING, limiter.LIMITING, mix.MIXING), nogil=True)
def wide(
    rows: Rows, octets: Bytes, pcm: Pcm, coder: g722.Coding, other: g722.Coding, most: limiter.Limiting, it: mix.Mixing
) -> None:
    g722.forget(other, rows[0])
    g722.decode(rows, octets, pcm, coder)
    limiter.limit(rows, pcm, np.full(3, 6, np.float32), most)
    mix.mix(rows, np.array([rows.size], np.int32), np.zeros(3, np.uint8), np.zeros(3, np.uint8), pcm.copy(), pcm, it)
    g722.encode(rows, pcm, octets, other)


@numba.njit(types.void(_rows, _pcm, _flags, _flags, noise.NOISING, tones.DETECTING, progress.FOLLOWING), nogil=True)
def telephone(
    rows: Rows, pcm: Pcm, digit: Bytes, event: Bytes, it: noise.Noising, keys: tones.Detecting, tone: progress.Following
) -> None:
    noise.take(rows[0], digit, it)
    noise.listen(rows, np.full(3, -60, np.float32), np.zeros(3, np.float32), it)
    noise.generate(rows, pcm, True, it)
    tones.detect(rows, pcm, digit, keys)
    progress.follow(rows, pcm, event, tone)
    noise.forget(it, rows[0])
    tones.forget(keys, rows[0])
    progress.forget(tone, rows[0])


def test_narrow_band() -> None:
    speech = voice(1, seed=1)[4_000:4_160]
    payload, law = np.tile(g711.encode_block(speech, g711.A_LAW), (3, 1)), np.full(3, g711.A_LAW, np.uint8)
    pcm, rms, peak, before = np.zeros((3, 160), np.int16), np.zeros(3, np.float32), np.zeros(3, np.uint16), payload[0]
    it = gain.aiming(3)
    narrow(ROWS, payload, law, pcm, rms, peak, it)
    np.testing.assert_array_equal(pcm[[0, 2]], np.tile(g711.decode_block(before, g711.A_LAW), (2, 1)))
    np.testing.assert_array_equal(payload[0], before)
    assert rms[0] == rms[2] < 0 == rms[1]
    assert it.heard_s[0] > 0 == it.heard_s[1]


def test_wide_band() -> None:
    octets = np.random.default_rng(1).integers(0, 256, (3, 160)).astype(np.uint8)
    pcm, expected = np.zeros((2, 3, 320), np.int16)
    g722.Decoder(3).process(ROWS, octets, expected)
    limiter.Limiter(3).process(ROWS, expected, np.full(3, 6, np.float32))
    flags = np.zeros(3, np.uint8)
    mix.Mixer(3).process(ROWS, np.array([2], np.int32), flags, flags, expected.copy(), expected)
    codes = octets.copy()
    g722.Encoder(3).process(ROWS, expected, codes)
    wide(ROWS, octets, pcm, g722.coding(3), g722.coding(3), limiter.limiting(3), mix.mixing())
    np.testing.assert_array_equal(pcm, expected)
    np.testing.assert_array_equal(octets, codes)


def test_a_telephone_line() -> None:
    pcm, expected, flags = np.zeros((3, 160), np.int16), np.zeros((3, 160), np.int16), np.full(3, 55, np.uint8)
    comfort = noise.ComfortNoise(3)
    comfort.take(2, flags.tobytes())
    comfort.listen(ROWS, np.full(3, -60, np.float32), np.zeros(3, np.float32))
    comfort.process(ROWS, expected)
    telephone(ROWS, pcm, flags, np.zeros(3, np.uint8), noise.noising(3), tones.detecting(3), progress.following(3))
    np.testing.assert_array_equal(pcm, expected)
    assert flags.tolist() == [0, 55, 0]

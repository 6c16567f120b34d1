"""G.722 at 64 kbit/s: 16 kHz audio in 8 bits a pair of samples (ITU-T G.722; bit-exact with FFmpeg's).

A pair of quadrature mirror filters halves the band; each half is coded by what a predictor of two poles and six zeros
got wrong: the lower in 6 bits, of which the predictor itself uses four, the upper in 2. Predictor and step width follow
the codes alone, so both ends keep the same state without being told. Names in capitals are the blocks of the
Recommendation's section 6.2.

Every sample depends on the one before it: the work of a row is serial, and what a batch saves is the way into numba.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from dsp.kernel import NARROW_TICK, WIDE_TICK, Bytes, Pcm, Rows, check_rows, check_shape, i16, i32, kernel, record, u8

_TAPS = 12  # of each phase of the mirror filters
_KEPT = _TAPS - 1  # pairs of samples that a filter remembers


def _table(*values: int) -> Rows:
    return np.array(values, np.int32)


_PHASE = _table(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11)
"""Every second tap of the mirror filters; the others are these in reverse."""
_LEVELS = _table(
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
)  # fmt: skip
"""Where the lower band's quantiser decides, in parts of the step width."""
_LOW_6 = _table(
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
    -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
)  # fmt: skip
"""What a code of the lower band says the difference was; `_LOW_4`: what its first four bits say."""
_LOW_4 = _table(0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0)
_HIGH_2 = _table(-7408, -1616, 7408, 1616)
_LOW_GROWTH = _table(-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60)
"""What a code does to the logarithm of the step width, in 1/2048."""
_HIGH_GROWTH = _table(798, -214, 798, -214)
_HIGH_LEVEL = 564
_POWERS = np.rint(2048 * 2.0 ** (np.arange(32) / 32)).astype(np.int32)

# one band's state, in int32 columns
_ESTIMATE, _ZEROS = 0, 1  # of the next sample, and the zeros' part of it
_LOG_STEP, _STEP = 2, 3
_A1, _A2 = 4, 5  # the poles,
_R1 = 6  # the last sample as it was reconstructed,
_P1, _P2 = 7, 8  # and the last two without the poles' part
_B = 9  # six zeros,
_D = 15  # and the last six differences
_COLUMNS = 21
_LOW_RESET, _HIGH_RESET = 32, 8  # step widths to begin with
_LOW_MOST, _HIGH_MOST = 18_432, 22_528  # logarithms of the widest steps
_LOW_SHIFT, _HIGH_SHIFT = 8, 10


_rows, _octets, _pcm = types.int32[::1], types.uint8[:, ::1], types.int16[:, ::1]


class Coding(NamedTuple):
    """State of every leg in one direction, coder or decoder."""

    bands: Rows  # [capacity, 2, columns], the lower band and the upper
    pasts: Rows  # [capacity, 2, 11], what the mirror filters remember
    halves: Rows  # [2, 11 + 160], the signals at the filters, of the row at hand


CODING = record([types.int32[:, :, ::1], types.int32[:, :, ::1], types.int32[:, ::1]], Coding)


def coding(capacity: int) -> Coding:
    """Every row at the beginning of a call."""
    it = Coding(
        np.zeros((capacity, 2, _COLUMNS), np.int32),
        np.zeros((capacity, 2, _KEPT), np.int32),
        np.zeros((2, _KEPT + NARROW_TICK), np.int32),
    )
    it.bands[:, :, _STEP] = (_LOW_RESET, _HIGH_RESET)
    return it


@kernel(types.void(CODING, types.int64))
def forget(it: Coding, row: int) -> None:
    """Another call begins in `row`."""
    it.bands[row] = 0
    it.pasts[row] = 0
    it.bands[row, 0, _STEP], it.bands[row, 1, _STEP] = _LOW_RESET, _HIGH_RESET


@kernel("i8(i8)")
def _saturated(value: int) -> int:
    return min(max(value, -32_768), 32_767)


@kernel("i8(i8)")
def _limited(value: int) -> int:
    """To the 15 bits of a band's samples."""
    return min(max(value, -16_384), 16_383)


@kernel("void(i4[::1], i8, i8, i8)")
def _widen(band: Rows, growth: int, most: int, shift: int) -> None:
    """The step width after a code (LOGSCL and SCALEL, or LOGSCH and SCALEH)."""
    logarithm = min(max(((band[_LOG_STEP] * 127) >> 7) + growth, 0), most)
    exponent = shift - (logarithm >> 11)
    power = _POWERS[(logarithm >> 6) & 31]
    band[_LOG_STEP] = logarithm
    band[_STEP] = (power >> exponent if exponent >= 0 else power << -exponent) << 2


@kernel("void(i4[::1], i8)")
def _predict(band: Rows, difference: int) -> None:
    """Adapt poles and zeros to a quantised difference, and estimate the next sample (RECONS to PREDIC)."""
    reconstructed = _saturated(band[_ESTIMATE] + difference)
    partly = _saturated(band[_ZEROS] + difference)
    same = (partly < 0) == (band[_P1] < 0)

    a1, a2 = band[_A1], band[_A2]
    turned = _saturated(a1 << 2)
    turned = min(-turned if same else turned, 32_767) >> 7
    turned += 128 if (partly < 0) == (band[_P2] < 0) else -128
    a2 = min(max(turned + ((a2 * 32_512) >> 15), -12_288), 12_288)
    bound = 15_360 - a2
    a1 = min(max(((a1 * 32_640) >> 15) + (192 if same else -192), -bound), bound)

    push = 0 if difference == 0 else 128
    zeros = 0
    before = difference
    for i in range(6):
        d = band[_D + i]
        b = _saturated(((band[_B + i] * 32_640) >> 15) + (push if (d < 0) == (difference < 0) else -push))
        band[_B + i] = b
        zeros += (b * _saturated(2 * before)) >> 15
        band[_D + i] = before
        before = d
    zeros = _saturated(zeros)

    poles = ((a1 * _saturated(2 * reconstructed)) >> 15) + ((a2 * _saturated(2 * band[_R1])) >> 15)
    band[_ESTIMATE] = _saturated(_saturated(poles) + zeros)
    band[_ZEROS] = zeros
    band[_A1], band[_A2] = a1, a2
    band[_R1] = reconstructed
    band[_P2], band[_P1] = band[_P1], partly


@kernel("void(i4[::1], i8)")
def _follow_low(band: Rows, code: int) -> None:
    """Take a 6-bit code into the state."""
    difference = (band[_STEP] * _LOW_4[code >> 2]) >> 15
    _widen(band, _LOW_GROWTH[code >> 2], _LOW_MOST, _LOW_SHIFT)
    _predict(band, difference)


@kernel("void(i4[::1], i8)")
def _follow_high(band: Rows, code: int) -> None:
    """Take a 2-bit code into the state."""
    difference = (band[_STEP] * _HIGH_2[code]) >> 15
    _widen(band, _HIGH_GROWTH[code], _HIGH_MOST, _HIGH_SHIFT)
    _predict(band, difference)


@kernel("i8(i4[::1], i8)")
def _low_code(band: Rows, sample: int) -> int:
    """The 6-bit code of a sample (SUBTRA and QUANTL)."""
    difference = _saturated(sample - band[_ESTIMATE])
    size = ~difference if difference < 0 else difference
    below, above = 1, _LEVELS.size
    while below < above:  # the first level beyond
        middle = (below + above) >> 1
        if size < (_LEVELS[middle] * band[_STEP]) >> 12:
            above = middle
        else:
            below = middle + 1
    if difference >= 0:
        return 62 - below
    return 34 - below if below > 2 else 64 - below


@kernel("i8(i4[::1], i8)")
def _high_code(band: Rows, sample: int) -> int:
    """The 2-bit code of a sample (SUBTRA and QUANTH)."""
    difference = _saturated(sample - band[_ESTIMATE])
    size = ~difference if difference < 0 else difference
    far = size >= (_HIGH_LEVEL * band[_STEP]) >> 12
    if difference < 0:
        return 0 if far else 1
    return 2 if far else 3


@kernel(types.void(_rows, _octets, _pcm, CODING))
def decode(rows: Rows, payload: Bytes, out: Pcm, it: Coding) -> None:
    """The kernel behind `Decoder.process`, unchecked."""
    differences, sums = it.halves[0], it.halves[1]
    for row in rows:
        low, high, past = it.bands[row, 0], it.bands[row, 1], it.pasts[row]
        for i in range(_KEPT):
            differences[i], sums[i] = past[0, i], past[1, i]
        for i in range(NARROW_TICK):
            code = payload[row, i] & 0x3F
            low_sample = _limited(low[_ESTIMATE] + ((low[_STEP] * _LOW_6[code]) >> 15))
            _follow_low(low, code)
            code = payload[row, i] >> 6
            high_sample = _limited(high[_ESTIMATE] + ((high[_STEP] * _HIGH_2[code]) >> 15))
            _follow_high(high, code)
            differences[_KEPT + i] = low_sample - high_sample
            sums[_KEPT + i] = low_sample + high_sample
        for i in range(_KEPT):
            past[0, i], past[1, i] = differences[NARROW_TICK + i], sums[NARROW_TICK + i]
        for i in range(NARROW_TICK):
            first, second = i32(0), i32(0)
            for tap in range(_TAPS):
                first += differences[i + tap] * _PHASE[_KEPT - tap]
                second += sums[i + tap] * _PHASE[tap]
            out[row, 2 * i] = i16(_saturated(first >> 11))
            out[row, 2 * i + 1] = i16(_saturated(second >> 11))


@kernel(types.void(_rows, _pcm, _octets, CODING))
def encode(rows: Rows, pcm: Pcm, out: Bytes, it: Coding) -> None:
    """The kernel behind `Encoder.process`, unchecked."""
    firsts, seconds = it.halves[0], it.halves[1]
    for row in rows:
        low, high, past = it.bands[row, 0], it.bands[row, 1], it.pasts[row]
        for i in range(_KEPT):
            firsts[i], seconds[i] = past[0, i], past[1, i]
        for i in range(NARROW_TICK):
            firsts[_KEPT + i] = pcm[row, 2 * i]
            seconds[_KEPT + i] = pcm[row, 2 * i + 1]
        for i in range(_KEPT):
            past[0, i], past[1, i] = firsts[NARROW_TICK + i], seconds[NARROW_TICK + i]
        for i in range(NARROW_TICK):
            odd, even = i32(0), i32(0)
            for tap in range(_TAPS):
                odd += firsts[i + tap] * _PHASE[tap]
                even += seconds[i + tap] * _PHASE[_KEPT - tap]
            low_code = _low_code(low, (even + odd) >> 14)
            high_code = _high_code(high, (even - odd) >> 14)
            _follow_low(low, low_code)
            _follow_high(high, high_code)
            out[row, i] = u8(high_code << 6 | low_code)


@kernel(types.void(_rows, _octets, CODING))
def follow(rows: Rows, payload: Bytes, it: Coding) -> None:
    """The kernel behind `Encoder.follow`, unchecked."""
    for row in rows:
        low, high = it.bands[row, 0], it.bands[row, 1]
        for i in range(NARROW_TICK):
            _follow_low(low, payload[row, i] & 0x3F)
            _follow_high(high, payload[row, i] >> 6)


@kernel(types.void(CODING, types.int64, types.int16[::1]))
def fill(it: Coding, row: int, pcm: Pcm) -> None:
    """The kernel behind `Encoder.fill`, unchecked."""
    for i in range(_KEPT):
        it.pasts[row, 0, i] = pcm[2 * i]
        it.pasts[row, 1, i] = pcm[2 * i + 1]


class _Coder:
    """State of `capacity` legs, in one direction. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = coding(capacity)

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        forget(self._it, row)


class Decoder(_Coder):
    """Codes to audio."""

    def process(self, rows: Rows, payload: Bytes, out: Pcm) -> None:
        """One tick: `payload` u8[C, 160] to `out` i16[C, 320] at 16 kHz."""
        check_rows(rows, self._capacity)
        check_shape("payload", payload, (self._capacity, NARROW_TICK))
        check_shape("out", out, (self._capacity, WIDE_TICK))
        decode(rows, payload, out, self._it)


class Encoder(_Coder):
    """Audio to codes."""

    DELAY_SAMPLES = 2 * _KEPT  # at 16 kHz, of the mirror filters at both ends: 1.4 ms

    def process(self, rows: Rows, pcm: Pcm, out: Bytes) -> None:
        """One tick: `pcm` i16[C, 320] at 16 kHz to `out` u8[C, 160]."""
        check_rows(rows, self._capacity)
        check_shape("pcm", pcm, (self._capacity, WIDE_TICK))
        check_shape("out", out, (self._capacity, NARROW_TICK))
        encode(rows, pcm, out, self._it)

    def follow(self, rows: Rows, payload: Bytes) -> None:
        """Stand where the far decoder stands after `payload` u8[C, 160], a tick that another encoder made."""
        check_rows(rows, self._capacity)
        check_shape("payload", payload, (self._capacity, NARROW_TICK))
        follow(rows, payload, self._it)

    def fill(self, row: int, pcm: Pcm) -> None:
        """Let the mirror filter of `row` have heard `pcm` i16[22] last."""
        check_shape("pcm", pcm, (self.DELAY_SAMPLES,))
        fill(self._it, row, pcm)

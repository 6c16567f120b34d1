"""G.711: mu-law and A-law to 16-bit PCM and back (ITU-T G.711; bit-exact with Python's audioop).

No tables: both laws are a sign, a 3-bit exponent and a 4-bit mantissa, and arithmetic over a row runs in SIMD where a
table look-up runs a sample at a time. The exponent and mantissa are those of the IEEE 754 float of the same number, so
a shift and a conversion between int and float replace the search for the segment, both ways.
"""

import numpy as np

from dsp.kernel import NARROW_TICK, Bytes, Pcm, Rows, check_rows, check_shape, i16, i32, kernel, u8

MU_LAW = 0
A_LAW = 1


@kernel("i2(u1)")
def _mu_law_to_linear(payload: int) -> int:
    code = i32(i32(payload) ^ i32(0xFF))
    bits = i32(i32(i32(code & i32(0x7F)) << i32(19)) + i32(((127 + 7) << 23) + (1 << 18)))
    magnitude = i32(i32(np.int32(bits).view(np.float32)) - i32(132))
    sign = i32(-i32(code >> i32(7)))
    linear: int = i16(i32(i32(magnitude ^ sign) - sign))
    return linear


@kernel("i2(u1)")
def _a_law_to_linear(payload: int) -> int:
    code = i32(i32(payload) ^ i32(0x55))
    segment_step = i32(code & i32(0x7F))
    bits = i32(i32(segment_step << i32(19)) + i32(((127 + 7) << 23) + (1 << 18)))
    magnitude = i32(np.int32(bits).view(np.float32))
    if segment_step < i32(16):  # the first segment has no leading one
        magnitude = i32(i32(segment_step << i32(4)) + i32(8))
    sign = i32(i32(code >> i32(7)) - i32(1))
    linear: int = i16(i32(i32(magnitude ^ sign) - sign))
    return linear


@kernel("u1(i2)")
def _linear_to_mu_law(sample: int) -> int:
    linear = i32(i32(sample) >> i32(2))
    sign = i32(linear >> i32(31))
    biased = min(i32(i32(i32(linear ^ sign) - sign) + i32(33)), i32(8191))
    bits = np.float32(biased).view(np.int32)
    segment_step = i32(i32(bits >> i32(19)) - i32((127 + 5) << 4))
    payload: int = u8(i32(segment_step ^ i32(0x7F)) | i32(i32(~sign) & i32(0x80)))
    return payload


@kernel("u1(i2)")
def _linear_to_a_law(sample: int) -> int:
    linear = i32(i32(sample) >> i32(3))
    sign = i32(linear >> i32(31))
    magnitude = i32(linear ^ sign)
    bits = np.float32(magnitude).view(np.int32)
    segment_step = i32(i32(bits >> i32(19)) - i32((127 + 4) << 4))
    if magnitude < i32(32):
        segment_step = i32(magnitude >> i32(1))
    payload: int = u8(segment_step ^ i32(i32(0x55) | i32(i32(~sign) & i32(0x80))))
    return payload


@kernel("void(i4[::1], u1[:, ::1], u1[::1], i2[:, ::1])")
def decode_rows(rows: Rows, payload: Bytes, law: Bytes, out: Pcm) -> None:
    """The kernel behind `decode`, unchecked."""
    for row in rows:
        if law[row] == MU_LAW:
            for i in range(NARROW_TICK):
                out[row, i] = _mu_law_to_linear(payload[row, i])
        else:
            for i in range(NARROW_TICK):
                out[row, i] = _a_law_to_linear(payload[row, i])


@kernel("void(i4[::1], i2[:, ::1], u1[::1], u1[:, ::1])")
def encode_rows(rows: Rows, pcm: Pcm, law: Bytes, out: Bytes) -> None:
    """The kernel behind `encode`, unchecked."""
    for row in rows:
        if law[row] == MU_LAW:
            for i in range(NARROW_TICK):
                out[row, i] = _linear_to_mu_law(pcm[row, i])
        else:
            for i in range(NARROW_TICK):
                out[row, i] = _linear_to_a_law(pcm[row, i])


@kernel("void(u1[::1], i8, i2[::1])")
def decode_into(payload: Bytes, law: int, out: Pcm) -> None:
    """The kernel behind `decode_block`, unchecked: any length, into an `out` as long as it."""
    for i in range(payload.size):
        out[i] = _mu_law_to_linear(payload[i]) if law == MU_LAW else _a_law_to_linear(payload[i])


@kernel("void(i2[::1], i8, u1[::1])")
def encode_into(pcm: Pcm, law: int, out: Bytes) -> None:
    """The kernel behind `encode_block`, unchecked: any length, into an `out` as long as it."""
    for i in range(pcm.size):
        out[i] = _linear_to_mu_law(pcm[i]) if law == MU_LAW else _linear_to_a_law(pcm[i])


def decode(rows: Rows, payload: Bytes, law: Bytes, out: Pcm) -> None:
    """Decode one tick: `payload` u8[C, 160] to `out` i16[C, 160] for `rows`, by each row's `law` u8[C]."""
    capacity = law.size
    check_rows(rows, capacity)
    check_shape("payload", payload, (capacity, NARROW_TICK))
    check_shape("out", out, (capacity, NARROW_TICK))
    decode_rows(rows, payload, law, out)


def encode(rows: Rows, pcm: Pcm, law: Bytes, out: Bytes) -> None:
    """Encode one tick: `pcm` i16[C, 160] to `out` u8[C, 160] for `rows`, by each row's `law` u8[C]."""
    capacity = law.size
    check_rows(rows, capacity)
    check_shape("pcm", pcm, (capacity, NARROW_TICK))
    check_shape("out", out, (capacity, NARROW_TICK))
    encode_rows(rows, pcm, law, out)


def decode_block(payload: Bytes, law: int) -> Pcm:
    """Decode a u8 vector of any length by one `law` into a new i16 vector. ValueError for another law."""
    _check_law(law)
    out = np.empty(payload.size, np.int16)
    decode_into(np.require(payload, requirements=["C", "W"]), law, out)
    return out


def encode_block(pcm: Pcm, law: int) -> Bytes:
    """Encode an i16 vector of any length by one `law` into a new u8 vector. ValueError for another law."""
    _check_law(law)
    out = np.empty(pcm.size, np.uint8)
    encode_into(np.require(pcm, requirements=["C", "W"]), law, out)
    return out


def _check_law(law: int) -> None:
    if law not in (MU_LAW, A_LAW):
        raise ValueError(f"law must be MU_LAW ({MU_LAW}) or A_LAW ({A_LAW}), got {law}")

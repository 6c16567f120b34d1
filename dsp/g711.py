"""G.711: mu-law and A-law to 16-bit PCM and back (ITU-T G.711; bit-exact with Python's audioop).

No tables: both laws are a sign, a 3-bit exponent and a 4-bit mantissa, and a loop of shifts over a row runs
in SIMD where a table look-up runs a sample at a time. For encoding, the exponent and mantissa wanted are
those of the IEEE 754 float of the same number: one conversion and one shift replace the segment search.
"""

import numpy as np

from dsp.kernel import NARROW_TICK, Bytes, Pcm, Rows, check_rows, check_shape, i16, i32, kernel, u8

MU_LAW = 0
A_LAW = 1


@kernel("void(u1[::1], i2[::1])")
def _mu_law_to_pcm(payload: Bytes, out: Pcm) -> None:
    for i in range(payload.size):
        code = i32(i32(payload[i]) ^ i32(0xFF))
        exponent = i32(i32(code >> i32(4)) & i32(7))
        mantissa = i32(i32(i32(code & i32(15)) << i32(3)) + i32(132))
        magnitude = i32(i32(mantissa << exponent) - i32(132))
        sign = i32(-i32(code >> i32(7)))
        out[i] = i16(i32(i32(magnitude ^ sign) - sign))


@kernel("void(u1[::1], i2[::1])")
def _a_law_to_pcm(payload: Bytes, out: Pcm) -> None:
    for i in range(payload.size):
        code = i32(i32(payload[i]) ^ i32(0x55))
        exponent = i32(i32(code >> i32(4)) & i32(7))
        normal = min(exponent, i32(1))  # segment 0 has no leading one
        mantissa = i32(i32(i32(i32(code & i32(15)) << i32(4)) + i32(8)) + i32(normal << i32(8)))
        magnitude = i32(mantissa << i32(exponent - normal))
        sign = i32(i32(code >> i32(7)) - i32(1))
        out[i] = i16(i32(i32(magnitude ^ sign) - sign))


@kernel("void(i2[::1], u1[::1])")
def _pcm_to_mu_law(pcm: Pcm, out: Bytes) -> None:
    for i in range(pcm.size):
        linear = i32(i32(pcm[i]) >> i32(2))
        sign = i32(linear >> i32(31))
        biased = min(i32(i32(i32(linear ^ sign) - sign) + i32(33)), i32(8191))
        bits = np.float32(biased).view(np.int32)
        segment_step = i32(i32(bits >> i32(19)) - i32((127 + 5) << 4))
        out[i] = u8(i32(segment_step ^ i32(0x7F)) | i32(i32(~sign) & i32(0x80)))


@kernel("void(i2[::1], u1[::1])")
def _pcm_to_a_law(pcm: Pcm, out: Bytes) -> None:
    for i in range(pcm.size):
        linear = i32(i32(pcm[i]) >> i32(3))
        sign = i32(linear >> i32(31))
        magnitude = i32(linear ^ sign)
        bits = np.float32(magnitude).view(np.int32)
        segment_step = i32(i32(bits >> i32(19)) - i32((127 + 4) << 4))
        code = segment_step if magnitude >= i32(32) else i32(magnitude >> i32(1))
        out[i] = u8(code ^ i32(i32(0x55) | i32(i32(~sign) & i32(0x80))))


@kernel("void(i4[::1], u1[:, ::1], u1[::1], i2[:, ::1])")
def _decode(rows: Rows, payload: Bytes, law: Bytes, out: Pcm) -> None:
    for i in range(rows.size):
        row = rows[i]
        if law[row] == MU_LAW:
            _mu_law_to_pcm(payload[row], out[row])
        else:
            _a_law_to_pcm(payload[row], out[row])


@kernel("void(i4[::1], i2[:, ::1], u1[::1], u1[:, ::1])")
def _encode(rows: Rows, pcm: Pcm, law: Bytes, out: Bytes) -> None:
    for i in range(rows.size):
        row = rows[i]
        if law[row] == MU_LAW:
            _pcm_to_mu_law(pcm[row], out[row])
        else:
            _pcm_to_a_law(pcm[row], out[row])


def decode(rows: Rows, payload: Bytes, law: Bytes, out: Pcm) -> None:
    """Decode one tick: `payload` u8[C, 160] to `out` i16[C, 160] for `rows`, by each row's `law` u8[C]."""
    capacity = law.size
    check_rows(rows, capacity)
    check_shape("payload", payload, (capacity, NARROW_TICK))
    check_shape("out", out, (capacity, NARROW_TICK))
    _decode(rows, payload, law, out)


def encode(rows: Rows, pcm: Pcm, law: Bytes, out: Bytes) -> None:
    """Encode one tick: `pcm` i16[C, 160] to `out` u8[C, 160] for `rows`, by each row's `law` u8[C]."""
    capacity = law.size
    check_rows(rows, capacity)
    check_shape("pcm", pcm, (capacity, NARROW_TICK))
    check_shape("out", out, (capacity, NARROW_TICK))
    _encode(rows, pcm, law, out)


def decode_block(payload: Bytes, law: int) -> Pcm:
    """Decode a u8 vector of any length by one `law` into a new i16 vector. KeyError for another law."""
    decode_vector = {MU_LAW: _mu_law_to_pcm, A_LAW: _a_law_to_pcm}[law]
    out = np.empty(payload.size, np.int16)
    decode_vector(np.require(payload, requirements=["C", "W"]), out)
    return out


def encode_block(pcm: Pcm, law: int) -> Bytes:
    """Encode an i16 vector of any length by one `law` into a new u8 vector. KeyError for another law."""
    encode_vector = {MU_LAW: _pcm_to_mu_law, A_LAW: _pcm_to_a_law}[law]
    out = np.empty(pcm.size, np.uint8)
    encode_vector(np.require(pcm, requirements=["C", "W"]), out)
    return out

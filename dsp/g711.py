"""G.711: mu-law and A-law to 16-bit PCM and back (ITU-T G.711; bit-exact with Python's audioop).

No tables: both laws are a sign, a 3-bit segment and a 4-bit step, and arithmetic over a row runs in SIMD where a table
look-up runs a sample at a time. All of it fits 16 bits, of which a vector holds twice as many as of 32: so segments are
counted by shifts and comparisons, not read off a float.
"""

import numpy as np

from dsp.kernel import NARROW_TICK, Bytes, Pcm, Rows, check_rows, check_shape, i16, i32, kernel, u8, u16, within

MU_LAW = 0
A_LAW = 1


@kernel("i2(u1)")
def _mu_law_to_linear(payload: int) -> int:
    code = u16(~payload)
    segment = u16(u16(code >> u16(4)) & u16(7))
    step = i16(i16(i16(code & u16(15)) << i16(3)) | i16(128 + 4))
    magnitude = i16(i16(step << segment) - i16(128 + 4))
    linear: int = magnitude if payload >= u8(0x80) else i16(-magnitude)
    return linear


@kernel("i2(u1)")
def _a_law_to_linear(payload: int) -> int:
    code = u16(payload ^ u8(0x55))
    segment = u16(u16(code >> u16(4)) & u16(7))
    leading = i16(128 + 4) if segment > u16(0) else i16(4)  # the first segment has no leading one
    step = i16(i16(i16(code & u16(15)) << i16(3)) | leading)
    magnitude = i16(step << max(segment, u16(1)))
    linear: int = magnitude if payload >= u8(0x80) else i16(-magnitude)
    return linear


@kernel("u2(u2, u2)")
def _count_down(most: int, magnitude: int) -> int:
    """`most` less the steps below `magnitude`, 0..4095: the first 32 steps are 1 wide, the next 16 are 2, and so on.

    So half of a magnitude of 32 or more has 16 steps less; and to halve it and count 16 gives more of what is below."""
    if magnitude >= u16(256):
        magnitude = u16(magnitude >> u16(4))
        most = u16(most - u16(64))
    if magnitude >= u16(64):
        magnitude = u16(magnitude >> u16(2))
        most = u16(most - u16(32))
    halved = u16(i32(i32(magnitude) + i32(32)) >> i32(1))
    left: int = u16(most - min(magnitude, halved))
    return left


@kernel("u1(i2)")
def _linear_to_mu_law(sample: int) -> int:
    magnitude = u16(abs(i16(sample >> i16(2))))
    biased = u16(i32(i32(magnitude) + i32(33)) >> i32(1))
    most = u16(0x7F + 16) if sample < i16(0) else u16(0xFF + 16)  # the bias alone is 16 steps
    bounded = min(biased, u16(4095))  # between two shifts, which LLVM would make one that is slow in 16 bits
    payload: int = u8(_count_down(most, bounded))
    return payload


@kernel("u1(i2)")
def _linear_to_a_law(sample: int) -> int:
    linear = i16(sample >> i16(4))
    magnitude = u16(linear ^ i16(linear >> i16(15)))
    most = u16(0x7F) if sample < i16(0) else u16(0xFF)
    payload: int = u8(_count_down(most, magnitude) ^ u16(0x55 ^ 0x7F))
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


@kernel("boolean(i4[::1], u1[:, ::1], u1[::1], i2[:, ::1])")
def _fits(rows: Rows, octets: Bytes, law: Bytes, pcm: Pcm) -> bool:
    return within(rows, law.size) and octets.shape == pcm.shape == (law.size, NARROW_TICK)


@kernel("boolean(i4[::1], u1[:, ::1], u1[::1], i2[:, ::1])")
def _decode(rows: Rows, payload: Bytes, law: Bytes, out: Pcm) -> bool:
    fits = _fits(rows, payload, law, out)
    if fits:
        decode_rows(rows, payload, law, out)
    return fits


@kernel("boolean(i4[::1], i2[:, ::1], u1[::1], u1[:, ::1])")
def _encode(rows: Rows, pcm: Pcm, law: Bytes, out: Bytes) -> bool:
    fits = _fits(rows, out, law, pcm)
    if fits:
        encode_rows(rows, pcm, law, out)
    return fits


def decode(rows: Rows, payload: Bytes, law: Bytes, out: Pcm) -> None:
    """Decode one tick: `payload` u8[C, 160] to `out` i16[C, 160] for `rows`, by each row's `law` u8[C]."""
    if not _decode(rows, payload, law, out):
        _refuse(rows, law.size, payload=payload, out=out)


def encode(rows: Rows, pcm: Pcm, law: Bytes, out: Bytes) -> None:
    """Encode one tick: `pcm` i16[C, 160] to `out` u8[C, 160] for `rows`, by each row's `law` u8[C]."""
    if not _encode(rows, pcm, law, out):
        _refuse(rows, law.size, pcm=pcm, out=out)


def _refuse(rows: Rows, capacity: int, **arrays: Bytes | Pcm) -> None:
    """Raise ValueError for what does not fit. That it does not was seen by the kernel: checks from here would cost a
    third of the time that it takes for 128 rows."""
    check_rows(rows, capacity)
    for name, array in arrays.items():
        check_shape(name, array, (capacity, NARROW_TICK))


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

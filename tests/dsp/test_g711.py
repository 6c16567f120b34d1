"""G.711 against audioop: every code, every sample, both laws."""

import warnings

import numpy as np
import pytest

from dsp import g711

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

ALL_CODES = np.arange(256).astype(np.uint8)
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)

DECODERS = {g711.MU_LAW: audioop.ulaw2lin, g711.A_LAW: audioop.alaw2lin}
ENCODERS = {g711.MU_LAW: audioop.lin2ulaw, g711.A_LAW: audioop.lin2alaw}


@pytest.mark.parametrize("law", [g711.MU_LAW, g711.A_LAW])
def test_every_code_decodes_as_audioop(law: int) -> None:
    expected = np.frombuffer(DECODERS[law](ALL_CODES.tobytes(), 2), np.int16)
    np.testing.assert_array_equal(g711.decode_block(ALL_CODES, law), expected)


@pytest.mark.parametrize("law", [g711.MU_LAW, g711.A_LAW])
def test_every_sample_encodes_as_audioop(law: int) -> None:
    expected = np.frombuffer(ENCODERS[law](ALL_SAMPLES.tobytes(), 2), np.uint8)
    np.testing.assert_array_equal(g711.encode_block(ALL_SAMPLES, law), expected)


def test_a_tick_follows_each_rows_law_and_leaves_other_rows_alone() -> None:
    rng = np.random.default_rng(1)
    payload = rng.integers(0, 256, (5, 160)).astype(np.uint8)
    law = np.array([0, 1, 0, 1, 0], np.uint8)
    rows = np.array([3, 0], np.int32)
    pcm = np.full((5, 160), 77, np.int16)
    g711.decode(rows, payload, law, pcm)
    np.testing.assert_array_equal(pcm[3], g711.decode_block(payload[3], g711.A_LAW))
    np.testing.assert_array_equal(pcm[0], g711.decode_block(payload[0], g711.MU_LAW))
    assert (pcm[[1, 2, 4]] == 77).all()

    out = np.full((5, 160), 9, np.uint8)
    g711.encode(rows, pcm, law, out)
    np.testing.assert_array_equal(out[3], g711.encode_block(pcm[3], g711.A_LAW))
    np.testing.assert_array_equal(out[0], g711.encode_block(pcm[0], g711.MU_LAW))
    assert (out[[1, 2, 4]] == 9).all()


def test_rows_outside_the_buffers_are_refused() -> None:
    pcm, law, out = np.zeros((2, 160), np.int16), np.zeros(2, np.uint8), np.zeros((2, 160), np.uint8)
    for row in (-1, 2):
        with pytest.raises(ValueError, match="rows must be"):
            g711.encode(np.array([row], np.int32), pcm, law, out)


def test_wrong_arrays_are_refused() -> None:
    rows, law = np.array([0], np.int32), np.zeros(2, np.uint8)
    good = np.zeros((2, 160), np.int16)
    out = np.zeros((2, 160), np.uint8)
    with pytest.raises(TypeError, match="No matching definition"):
        g711.encode(rows.astype(np.int64), good, law, out)
    with pytest.raises(TypeError, match="No matching definition"):
        g711.encode(rows, good.astype(np.int32), law, out)
    with pytest.raises(ValueError, match="pcm must have shape"):
        g711.encode(rows, good[:, :80].copy(), law, out)
    with pytest.raises(TypeError, match="No matching definition"):
        g711.encode(rows, np.zeros((2, 320), np.int16)[:, ::2], law, out)
    frozen = out.copy()
    frozen.flags.writeable = False
    with pytest.raises(TypeError, match="No matching definition"):
        g711.encode(rows, good, law, frozen)


def test_a_block_may_be_read_only() -> None:
    payload = np.frombuffer(b"\xff\x7f\x00", np.uint8)
    assert g711.decode_block(payload, g711.MU_LAW).tolist() == [0, 0, -32124]


def test_a_block_of_another_law_is_refused() -> None:
    with pytest.raises(ValueError, match="law must be"):
        g711.decode_block(ALL_CODES, 2)
    with pytest.raises(ValueError, match="law must be"):
        g711.encode_block(ALL_SAMPLES, 2)

"""G.722 against FFmpeg's, octet by octet and sample by sample."""

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from dsp.g722 import Decoder, Encoder
from dsp.kernel import NARROW_TICK, WIDE_TICK, Bytes, Pcm, Rows

ROW = np.zeros(1, np.int32)


def sounds() -> dict[str, Pcm]:
    """A second each: what a codec is made for, and what it is not."""
    chance, at = np.random.default_rng(722), np.arange(16_000) / 16_000
    speech = np.sin(2 * np.pi * 180 * at) * (1 + np.sin(2 * np.pi * 3 * at)) + 0.3 * np.sin(2 * np.pi * 5_300 * at)
    waves = {
        "speech": speech / 3,
        "noise": chance.standard_normal(16_000) / 6,
        "loud noise": chance.standard_normal(16_000) * 2,
        "square": np.sign(np.sin(2 * np.pi * 440 * at)),
        "steps": np.repeat(chance.uniform(-1, 1, 50), 320),
        "silence": np.zeros(16_000),
    }
    return {name: np.clip(np.rint(wave * 32_767), -32_768, 32_767).astype(np.int16) for name, wave in waves.items()}


def ffmpeg_encode(pcm: Pcm) -> Bytes:
    codec = av.AudioCodecContext.create("g722", "w")
    codec.sample_rate, codec.layout, codec.format = 16_000, "mono", "s16"
    packets = []
    for start in range(0, pcm.size, WIDE_TICK):
        frame = AudioFrame.from_ndarray(pcm[None, start : start + WIDE_TICK], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, start
        packets += codec.encode(frame)
    packets += codec.encode(None)
    return np.frombuffer(b"".join(map(bytes, packets)), np.uint8)


def ffmpeg_decode(codes: Bytes) -> Pcm:
    codec = av.AudioCodecContext.create("g722", "r")
    codec.sample_rate, codec.layout = 16_000, "mono"
    frames = codec.decode(av.Packet(codes.tobytes()))
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def encode(pcm: Pcm) -> Bytes:
    coder, out = Encoder(1), np.zeros((1, NARROW_TICK), np.uint8)
    octets = []
    for start in range(0, pcm.size, WIDE_TICK):
        coder.process(ROW, pcm[None, start : start + WIDE_TICK].copy(), out)
        octets.append(out[0].copy())
    return np.concatenate(octets)


def decode(codes: Bytes) -> Pcm:
    coder, out = Decoder(1), np.zeros((1, WIDE_TICK), np.int16)
    samples = []
    for start in range(0, codes.size, NARROW_TICK):
        coder.process(ROW, codes[None, start : start + NARROW_TICK].copy(), out)
        samples.append(out[0].copy())
    return np.concatenate(samples)


@pytest.mark.parametrize("name", sounds())
def test_both_ways_are_bit_exact(name: str) -> None:
    pcm = sounds()[name]
    codes = encode(pcm)
    np.testing.assert_array_equal(codes, ffmpeg_encode(pcm))
    np.testing.assert_array_equal(decode(codes), ffmpeg_decode(codes))


def test_any_octets_are_decoded_as_ffmpeg_does() -> None:
    """What no encoder makes drives every predictor to its bounds."""
    codes = np.random.default_rng(1).integers(0, 256, 200 * NARROW_TICK).astype(np.uint8)
    np.testing.assert_array_equal(decode(codes), ffmpeg_decode(codes))


def test_speech_comes_out_as_it_went_in() -> None:
    pcm = sounds()["speech"].astype(np.float64)
    out = decode(encode(sounds()["speech"])).astype(np.float64)
    delay = int(np.argmax(np.correlate(out, pcm[:8_000], "valid")))
    error = out[delay:] - pcm[: out.size - delay]
    assert delay == Encoder.DELAY_SAMPLES
    assert 10 * np.log10(np.mean(pcm**2) / np.mean(error**2)) > 20


def test_a_row_does_not_depend_on_the_others_and_begins_anew() -> None:
    """Rows come and go; the rows that are not named keep still."""
    all_sounds = list(sounds().values())
    alone = [encode(pcm) for pcm in all_sounds]
    coder, decoder = Encoder(8), Decoder(8)
    rows: Rows = np.array([6, 0, 3], np.int32)
    pcm, back, out = *np.zeros((2, 8, WIDE_TICK), np.int16), np.full((8, NARROW_TICK), 7, np.uint8)
    for _ in range(2):
        for tick in range(10):
            for row, sound in zip(rows, all_sounds, strict=False):
                pcm[row] = sound[tick * WIDE_TICK :][:WIDE_TICK]
            coder.process(rows, pcm, out)
            decoder.process(rows, out, back)
            for row, codes in zip(rows, alone, strict=False):
                np.testing.assert_array_equal(out[row], codes[tick * NARROW_TICK :][:NARROW_TICK])
                np.testing.assert_array_equal(back[row], decode(codes[: (tick + 1) * NARROW_TICK])[-WIDE_TICK:])
        for row in rows:
            coder.reset(row)
            decoder.reset(row)
    assert (out[[1, 2, 4, 5, 7]] == 7).all()


def test_an_encoder_that_follows_another_goes_on_where_it_stood() -> None:
    pcm = next(iter(sounds().values()))
    codes = encode(pcm).reshape(-1, 1, NARROW_TICK)
    coder, out = Encoder(1), np.zeros((1, NARROW_TICK), np.uint8)
    for payload in codes[:9]:
        coder.follow(ROW, payload)
    coder.fill(0, pcm[9 * WIDE_TICK - Encoder.DELAY_SAMPLES : 9 * WIDE_TICK])
    coder.process(ROW, pcm[None, 9 * WIDE_TICK : 10 * WIDE_TICK].copy(), out)
    np.testing.assert_array_equal(out, codes[9])


def test_wrong_rows_and_shapes_are_refused() -> None:
    codes, pcm = np.zeros((2, NARROW_TICK), np.uint8), np.zeros((2, WIDE_TICK), np.int16)
    for rows in (np.array([2], np.int32), np.array([-1], np.int32)):
        with pytest.raises(ValueError, match="rows"):
            Decoder(2).process(rows, codes, pcm)
        with pytest.raises(ValueError, match="rows"):
            Encoder(2).process(rows, pcm, codes)
    with pytest.raises(ValueError, match="payload"):
        Decoder(2).process(ROW, codes[:1], pcm)
    with pytest.raises(ValueError, match="pcm"):
        Encoder(2).process(ROW, pcm[:, :160].copy(), codes)
    with pytest.raises(ValueError, match="payload"):
        Encoder(2).follow(ROW, codes[:1])
    with pytest.raises(ValueError, match="pcm"):
        Encoder(2).fill(0, pcm[0])

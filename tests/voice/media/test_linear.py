"""Plain samples: what goes in comes out, at either rate; and what is missing."""

from typing import Literal

import numpy as np
import pytest

from dialog.errors import ProtocolError
from dsp.resample import Downsampler, Upsampler
from tests.voice.media.ticks import tone
from voice.media.linear import LinearCodec
from voice.ports import TICK_SAMPLES


def test_the_houses_own_rate_is_untouched() -> None:
    codec, sound = LinearCodec(16_000), tone(200)
    for frame in sound.reshape(-1, TICK_SAMPLES):
        octets = codec.encode(frame)
        assert octets == frame.astype("<i2").tobytes()
        assert np.array_equal(codec.decode(octets), frame)


def test_half_the_rate_is_resampled_both_ways() -> None:
    codec, sound = LinearCodec(8_000), tone(1_000)
    heard = np.concatenate([codec.decode(codec.encode(frame)) for frame in sound.reshape(-1, TICK_SAMPLES)])
    late = Upsampler.DELAY_SAMPLES + Downsampler.DELAY_SAMPLES
    assert np.abs(heard[late + 1_000 :].astype(float) - sound[1_000:-late]).max() < 300


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_a_frame_that_is_late_is_bridged_once(rate_hz: Literal[8_000, 16_000]) -> None:
    codec = LinearCodec(rate_hz)
    loud = np.full(rate_hz // 50, 8_000, "<i2").tobytes()
    for _ in range(3):
        codec.decode(loud)
    assert codec.clock_hz == rate_hz
    assert 3_000 < codec.decode(None).mean() < 5_000
    codec.decode(None)
    assert np.abs(codec.decode(None)).max() == 0


def test_a_payload_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolError):
        LinearCodec(8_000).decode(bytes(640))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_only_what_is_not_resampled_may_go_on_as_it_came(rate_hz: Literal[8_000, 16_000]) -> None:
    codec = LinearCodec(rate_hz)
    assert codec.exact == (rate_hz == 16_000)
    assert codec.pass_on(b"samples", tone(20)) == b"samples"

"""Sound of one sample rate made sound of another."""

import numpy as np

from bench import rivals
from bench.contests.contest import Contest, Prepare, check_alike, every_row, sound, ticks_of
from dsp.polyphase import Converter
from dsp.resample import StreamResampler


def _convert(from_hz: int, to_hz: int, must: str = ">= 1") -> Prepare:
    def prepare(batch: int) -> Contest:
        rows, stage = every_row(batch), Converter(batch, from_hz, to_hz)
        out = np.zeros((batch, to_hz // 50), np.int16)
        highest = 0.17 * min(1, 2 * to_hz / from_hz)
        ticks = ticks_of(sound(batch, from_hz // 50 * 20, highest), from_hz // 50)
        rival, ours, theirs = rivals.Soxr(batch, from_hz, to_hz), [], []
        for tick in ticks:
            stage.process(rows, tick, out)
            ours.append(out[0].copy())
            theirs.append(rival.process(tick)[0])
        check_alike(np.concatenate(ours)[stage.delay :], np.concatenate(theirs), 0.003)
        return Contest(lambda: stage.process(rows, ticks[0], out), {"soxr": lambda: rival.process(ticks[0])}, must=must)

    return prepare


def _stream_resample(batch: int) -> Contest:
    """Half a second a block, a stream a call, as a synthesised sentence comes."""
    x = sound(1, 12_000)[0].astype(np.float32)
    ours = [StreamResampler(24_000, 16_000) for _ in range(batch)]
    theirs = [rivals.soxr_stream(24_000, 16_000) for _ in range(batch)]
    check_alike(ours[0].push(x), theirs[0].resample_chunk(x), 0.003)
    return Contest(
        lambda: [stream.push(x) for stream in ours],
        {"soxr": lambda: [stream.resample_chunk(x) for stream in theirs]},
        ticks=25,
    )


CONTESTS: dict[str, Prepare] = {
    "upsample": _convert(8_000, 16_000, ">= 9"),
    "downsample": _convert(16_000, 8_000, ">= 9"),
    "convert_24_to_16": _convert(24_000, 16_000),
    "convert_48_to_16": _convert(48_000, 16_000),
    "convert_16_to_48": _convert(16_000, 48_000),
    "stream_24_to_16": _stream_resample,
}

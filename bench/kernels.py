"""Each numba kernel against the best library with the same output, for 1 call and for 128.

Time is for one call's 20 ms of audio. Ours and the library's run in turns in one process, and the medians are compared,
so that a busy machine slows both. A kernel exists for its batch: with 128 calls it must beat the library. With one call
the price of entering numba (near a microsecond) is all there is to see. Concealment has no library to be compared with.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bench import rivals
from bench.figures import Figure
from dsp import g711, g722, levels
from dsp.kernel import Bytes, Floats, Pcm, Rows
from dsp.mix import Mixer
from dsp.plc import Concealer
from dsp.resample import Downsampler, StreamResampler, Upsampler
from dsp.tones import DIGITS, DtmfDetector, dtmf_tone
from dsp.vad import SileroVad

BATCHES = (1, 128)
_TURN_NS = 8_000_000

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contest:
    """The same work done by the kernel and by libraries; their outputs were compared when this was made."""

    ours: Work
    theirs: dict[str, Work] = field(default_factory=dict)
    ticks: int = 1  # of every call of the batch, done by one piece of work


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--only", default="", help="measure the kernels whose name contains this")
    parser.add_argument("--turns", type=int, default=15, help="how often each is timed; the median counts")


def run(options: argparse.Namespace) -> list[Figure]:
    """Compare the outputs, then measure."""
    figures: list[Figure] = []
    for name, prepare in KERNELS.items():
        if options.only in name:
            for batch in BATCHES:
                figures += _measure(f"{name}.batch_{batch}", batch, prepare(batch), options.turns)
    return figures


def _measure(prefix: str, batch: int, contest: Contest, turns: int) -> Iterator[Figure]:
    medians = _median_ns([contest.ours, *contest.theirs.values()], turns)
    ours, *theirs = [each / (contest.ticks * batch) for each in medians]
    yield Figure(f"{prefix}.ours", round(ours, 1), "ns")
    for library, median in zip(contest.theirs, theirs, strict=True):
        yield Figure(f"{prefix}.{library}", round(median, 1), "ns")
        must = ">= 1" if batch > 1 else ""
        yield Figure(f"{prefix}.faster_than_{library}", round(median / ours, 2), "times", must)


def _median_ns(works: list[Work], turns: int) -> list[float]:
    """Median time of each work, measured in turns; in a turn a work is repeated for some milliseconds."""
    counts = []
    for work in works:
        work()
        begun = time.perf_counter_ns()
        work()
        counts.append(max(1, _TURN_NS // max(1, time.perf_counter_ns() - begun)))
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(turns):
        for work, count, times in zip(works, counts, taken, strict=True):
            begun = time.perf_counter_ns()
            for _ in range(count):
                work()
            times.append((time.perf_counter_ns() - begun) / count)
    return [statistics.median(times) for times in taken]


def _rows(batch: int) -> Rows:
    return np.arange(batch, dtype=np.int32)


def _sound(batch: int, samples: int) -> Pcm:
    """Noise that comes and goes, between 0.04 and 0.17 of the sample rate, so that resampling keeps all of it."""
    hz = np.fft.rfftfreq(samples, 1)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal((batch, samples))) * ((hz > 0.04) & (hz < 0.17))
    x = np.fft.irfft(spectrum, samples) * (1 + np.sin(np.arange(samples) / 500))
    pcm: Pcm = np.rint(x / np.abs(x).max() * 12_000).astype(np.int16)
    return pcm


def _ticks(x: Pcm, samples: int) -> list[Pcm]:
    return [np.ascontiguousarray(x[:, at : at + samples]) for at in range(0, x.shape[1], samples)]


def _same(ours: Floats | Pcm, theirs: Floats | Pcm, part: float) -> None:
    """Raise unless two signals differ by no more than a `part` of their level."""
    count = min(ours.size, theirs.size)
    wide = ours[:count].astype(np.float64)
    error = np.sqrt(np.mean((wide - theirs[:count]) ** 2) / np.mean(wide**2))
    if error > part:
        raise ArithmeticError(f"outputs differ by {error:.5f} of their level")


def _g711_encode(law: int, rival: Callable[[Pcm], Bytes]) -> Callable[[int], Contest]:
    def prepare(batch: int) -> Contest:
        rows, laws, pcm = _rows(batch), np.full(batch, law, np.uint8), _sound(batch, 160)
        out = np.zeros((batch, 160), np.uint8)
        g711.encode(rows, pcm, laws, out)
        np.testing.assert_array_equal(out.reshape(-1), rival(pcm))
        return Contest(lambda: g711.encode(rows, pcm, laws, out), {"audioop": lambda: rival(pcm)})

    return prepare


def _g711_decode(law: int, rival: Callable[[Bytes], Pcm]) -> Callable[[int], Contest]:
    def prepare(batch: int) -> Contest:
        rows, laws, out = _rows(batch), np.full(batch, law, np.uint8), np.zeros((batch, 160), np.int16)
        payload = np.random.default_rng(1).integers(0, 256, (batch, 160)).astype(np.uint8)
        g711.decode(rows, payload, laws, out)
        np.testing.assert_array_equal(out.reshape(-1), rival(payload))
        return Contest(lambda: g711.decode(rows, payload, laws, out), {"audioop": lambda: rival(payload)})

    return prepare


def _g722_encode(batch: int) -> Contest:
    """Each row goes on from its own past, as the library's does."""
    rows, ticks = _rows(batch), _ticks(_sound(batch, 20 * 320), 320)
    coder, rival, out = g722.Encoder(batch), rivals.FfmpegG722(batch), np.zeros((batch, 160), np.uint8)
    for tick in ticks:
        coder.process(rows, tick, out)
        np.testing.assert_array_equal(out, rival.encode(tick))
    return Contest(lambda: coder.process(rows, ticks[0], out), {"ffmpeg": lambda: rival.encode(ticks[0])})


def _g722_decode(batch: int) -> Contest:
    rows, payload = _rows(batch), np.random.default_rng(1).integers(0, 256, (batch, 160)).astype(np.uint8)
    coder, rival, out = g722.Decoder(batch), rivals.FfmpegG722(batch), np.zeros((batch, 320), np.int16)
    for _ in range(5):
        coder.process(rows, payload, out)
        np.testing.assert_array_equal(out, rival.decode(payload))
    return Contest(lambda: coder.process(rows, payload, out), {"ffmpeg": lambda: rival.decode(payload)})


def _resample(from_hz: int, to_hz: int) -> Callable[[int], Contest]:
    def prepare(batch: int) -> Contest:
        rows, out = _rows(batch), np.zeros((batch, to_hz // 50), np.int16)
        stage = Upsampler(batch) if to_hz > from_hz else Downsampler(batch)
        rival, ticks = rivals.Soxr(batch, from_hz, to_hz), _ticks(_sound(batch, from_hz // 50 * 20), from_hz // 50)
        ours, theirs = [], []
        for tick in ticks:
            stage.process(rows, tick, out)
            ours.append(out[0].copy())
            theirs.append(rival.process(tick)[0])
        _same(np.concatenate(ours)[stage.DELAY_SAMPLES * to_hz // 16_000 :], np.concatenate(theirs), 0.003)
        return Contest(lambda: stage.process(rows, ticks[0], out), {"soxr": lambda: rival.process(ticks[0])})

    return prepare


def _stream_resample(batch: int) -> Contest:
    """Half a second a block, a stream a call, as a synthesised sentence comes."""
    x = _sound(1, 12_000)[0].astype(np.float32)
    ours = [StreamResampler(24_000, 16_000) for _ in range(batch)]
    theirs = [rivals.soxr_stream(24_000, 16_000) for _ in range(batch)]
    _same(ours[0].push(x), theirs[0].resample_chunk(x), 0.003)
    return Contest(
        lambda: [stream.push(x) for stream in ours],
        {"soxr": lambda: [stream.resample_chunk(x) for stream in theirs]},
        ticks=25,
    )


def _levels(batch: int) -> Contest:
    rows, pcm = _rows(batch), _sound(batch, 160)
    rms, peak = np.zeros(batch, np.float32), np.zeros(batch, np.uint16)
    levels.measure(rows, pcm, rms, peak)
    their_rms, their_peak = np.array(rivals.levels(pcm)).T
    np.testing.assert_allclose(32_768 * 10 ** (rms / 20), their_rms + 0.5, atol=0.51)  # audioop cuts fractions off
    np.testing.assert_array_equal(peak, their_peak)
    return Contest(lambda: levels.measure(rows, pcm, rms, peak), {"audioop": lambda: rivals.levels(pcm)})


def _mix(batch: int) -> Contest:
    """Rooms of four; with one call, a room of one. Soft sounds: audioop cuts off at every step."""
    size = min(batch, 4)
    rows, sizes = _rows(batch), np.full(batch // size, size, np.int32)
    parts, deaf = np.zeros((2, batch), np.uint8)
    said, told = np.split(_sound(2 * batch, 320) // 8, 2)
    mixer, out = Mixer(batch), told.copy()
    mixer.process(rows, sizes, parts, deaf, said, out)
    np.testing.assert_array_equal(out.reshape(-1), np.frombuffer(b"".join(rivals.mix(said, told, size)), np.int16))
    np.testing.assert_array_equal(out, rivals.mix_numpy(said, told, size))
    return Contest(
        lambda: mixer.process(rows, sizes, parts, deaf, said, out),
        {"audioop": lambda: rivals.mix(said, told, size), "numpy": lambda: rivals.mix_numpy(said, told, size)},
    )


def _dtmf(batch: int) -> Contest:
    """Eight ticks with a key pressed for 100 ms, a little later in each row."""
    rows, digit = _rows(batch), np.zeros(batch, np.uint8)
    x = np.zeros((batch, 8 * 160), np.int16)
    for row in range(batch):
        x[row, 37 * (row % 5) :][:800] = dtmf_tone(DIGITS[row % 16], 100, 8_000)
    ticks = _ticks(x, 160)
    detector, rival = DtmfDetector(batch), rivals.NumpyDtmf(batch)
    ours, theirs = [""] * batch, [""] * batch
    for tick in ticks:
        detector.process(rows, tick, digit)
        ours = [known + (chr(new) if new else "") for known, new in zip(ours, digit, strict=True)]
        theirs = [known + new for known, new in zip(theirs, rival.process(tick), strict=True)]
    np.testing.assert_array_equal(ours, [DIGITS[row % 16] for row in range(batch)])
    np.testing.assert_array_equal(ours, theirs)

    def work() -> None:
        for tick in ticks:
            detector.process(rows, tick, digit)

    return Contest(work, {"numpy": lambda: [rival.process(tick) for tick in ticks]}, ticks=8)


def _conceal(batch: int) -> Contest:
    """Every twentieth tick of a call is lost."""
    rows, pcm, concealer = _rows(batch), _sound(batch, 160), Concealer(batch)
    losses = [(np.arange(batch) % 20 == i).astype(np.uint8) for i in range(20)]

    def work() -> None:
        for lost in losses:
            concealer.process(rows, pcm, lost)

    return Contest(work, ticks=20)


def _silero(batch: int) -> Contest:
    """Eight ticks are five steps of 256 samples."""
    x = _sound(batch, 8 * 160)
    floats = x.astype(np.float32) / np.float32(32_768)
    ticks = _ticks(x, 160)
    chunks = [np.ascontiguousarray(floats[:, at : at + 256]) for at in range(0, 1_280, 256)]
    rows, probability, vad = _rows(batch), np.zeros(batch, np.float32), SileroVad(batch)

    def ours() -> None:
        for tick in ticks:
            vad.process(rows, tick, probability)

    def theirs(rival: rivals.OnnxSilero) -> Floats:
        return [rival.process(chunk) for chunk in chunks][-1]

    alone, together = rivals.OnnxSilero(batch, together=False), rivals.OnnxSilero(batch, together=True)
    ours()
    np.testing.assert_allclose(probability, theirs(alone), atol=1e-4)
    np.testing.assert_allclose(probability, theirs(together), atol=1e-4)
    others: dict[str, Work] = {"onnxruntime": lambda: theirs(alone)}
    if batch > 1:
        others["onnxruntime_batched"] = lambda: theirs(together)
    return Contest(ours, others, ticks=8)


KERNELS: dict[str, Callable[[int], Contest]] = {
    "mu_law_encode": _g711_encode(g711.MU_LAW, rivals.encode_mu_law),
    "mu_law_decode": _g711_decode(g711.MU_LAW, rivals.decode_mu_law),
    "a_law_encode": _g711_encode(g711.A_LAW, rivals.encode_a_law),
    "a_law_decode": _g711_decode(g711.A_LAW, rivals.decode_a_law),
    "g722_encode": _g722_encode,
    "g722_decode": _g722_decode,
    "upsample": _resample(8_000, 16_000),
    "downsample": _resample(16_000, 8_000),
    "stream_24_to_16": _stream_resample,
    "levels": _levels,
    "mix": _mix,
    "dtmf": _dtmf,
    "conceal": _conceal,
    "silero_vad": _silero,
}

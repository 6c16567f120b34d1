"""Each numba kernel against the best library with the same output, for 1 call and for 128.

Time is for one call's 20 ms of audio. Ours and the library's run in turns in one process, and the medians are compared,
so that a busy machine slows both. A kernel exists for its batch: with 128 calls it must beat the library. With one call
the price of entering numba (near a microsecond) is all there is to see. Concealment has no library to be compared with.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from bench import rivals
from bench.figures import Figure
from dsp import g711, levels
from dsp.kernel import Bytes, Floats, Pcm, Rows
from dsp.plc import Concealer
from dsp.resample import Downsampler, StreamResampler, Upsampler
from dsp.tones import DIGITS, DtmfDetector, dtmf_tone
from dsp.vad import SileroVad

BATCHES = (1, 128)
_TURNS = 15
_TURN_NS = 8_000_000

Work = Callable[[], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own option."""
    parser.add_argument("--only", default="", help="measure the kernels whose name contains this")


def run(options: argparse.Namespace) -> list[Figure]:
    """Compare the outputs, then measure."""
    figures: list[Figure] = []
    for name, prepare in _KERNELS.items():
        if options.only in name:
            for batch in BATCHES:
                figures += prepare(name, batch)
    return figures


def _median_ns(works: list[Work]) -> list[float]:
    """Median time of each work, measured in turns; each turn repeats a work for some milliseconds."""
    counts = []
    for work in works:
        work()
        begun = time.perf_counter_ns()
        work()
        counts.append(max(1, _TURN_NS // max(1, time.perf_counter_ns() - begun)))
    turns: list[list[float]] = [[] for _ in works]
    for _ in range(_TURNS):
        for work, count, times in zip(works, counts, turns, strict=True):
            begun = time.perf_counter_ns()
            for _ in range(count):
                work()
            times.append((time.perf_counter_ns() - begun) / count)
    return [statistics.median(times) for times in turns]


def _versus(name: str, batch: int, ticks: float, ours: Work, theirs: dict[str, Work]) -> Iterator[Figure]:
    """Figures of one kernel; every work does `ticks` ticks of `batch` calls."""
    frames = ticks * batch
    medians = [each / frames for each in _median_ns([ours, *theirs.values()])]
    prefix = f"{name}.batch_{batch}"
    yield Figure(f"{prefix}.ours", round(medians[0], 1), "ns")
    for library, median in zip(theirs, medians[1:], strict=True):
        yield Figure(f"{prefix}.{library}", round(median, 1), "ns")
        must = ">= 1" if batch > 1 else ""
        yield Figure(f"{prefix}.times_faster_than_{library}", round(median / medians[0], 2), "x", must)


def _speech(batch: int, samples: int, seed: int = 1) -> Pcm:
    """Noise that comes and goes, below 3 kHz at 8 kHz, so that resampling to and fro keeps it."""
    rng = np.random.default_rng(seed)
    hz = np.fft.rfftfreq(samples, 1)
    spectrum = np.fft.rfft(rng.standard_normal((batch, samples))) * ((hz > 0.04) & (hz < 0.17))
    x = np.fft.irfft(spectrum, samples) * (1 + np.sin(np.arange(samples) / 500))
    pcm: Pcm = np.rint(x / np.abs(x).max() * 12_000).astype(np.int16)
    return pcm


def _rows(batch: int) -> Rows:
    return np.arange(batch, dtype=np.int32)


def _g711_encode(law: int, rival: Callable[[Pcm], object]) -> Callable[[str, int], Iterator[Figure]]:
    def prepare(name: str, batch: int) -> Iterator[Figure]:
        rows, laws, pcm = _rows(batch), np.full(batch, law, np.uint8), _speech(batch, 160)
        out = np.zeros((batch, 160), np.uint8)
        g711.encode(rows, pcm, laws, out)
        np.testing.assert_array_equal(out.reshape(-1), rival(pcm))
        ours = lambda: g711.encode(rows, pcm, laws, out)  # noqa: E731
        return _versus(name, batch, 1, ours, {"audioop": lambda: rival(pcm)})

    return prepare


def _g711_decode(law: int, rival: Callable[[Bytes], object]) -> Callable[[str, int], Iterator[Figure]]:
    def prepare(name: str, batch: int) -> Iterator[Figure]:
        rows, laws, out = _rows(batch), np.full(batch, law, np.uint8), np.zeros((batch, 160), np.int16)
        payload = np.random.default_rng(1).integers(0, 256, (batch, 160)).astype(np.uint8)
        g711.decode(rows, payload, laws, out)
        np.testing.assert_array_equal(out.reshape(-1), rival(payload))
        return _versus(
            name, batch, 1, lambda: g711.decode(rows, payload, laws, out), {"audioop": lambda: rival(payload)}
        )

    return prepare


def _resample(from_hz: int, to_hz: int) -> Callable[[str, int], Iterator[Figure]]:
    def prepare(name: str, batch: int) -> Iterator[Figure]:
        rows, tick_in, tick_out = _rows(batch), from_hz // 50, to_hz // 50
        stage = Upsampler(batch) if to_hz > from_hz else Downsampler(batch)
        stream, x = rivals.Soxr(batch, from_hz, to_hz), _speech(batch, tick_in * 20)
        ticks = [np.ascontiguousarray(x[:, i * tick_in : (i + 1) * tick_in]) for i in range(20)]
        out, ours, theirs = np.zeros((batch, tick_out), np.int16), [], []
        for tick in ticks:
            stage.process(rows, tick, out)
            ours.append(out[0].copy())
            theirs.append(stream.process(tick)[0])
        late = np.concatenate(ours)[stage.DELAY_SAMPLES * to_hz // 16_000 :].astype(np.float64)
        want = np.concatenate(theirs)[: late.size]
        assert np.sqrt(np.mean((late[: want.size] - want) ** 2)) < 0.003 * np.sqrt(np.mean(late**2))
        return _versus(
            name,
            batch,
            1,
            lambda: stage.process(rows, ticks[0], out),
            {"soxr": lambda: stream.process(ticks[0])},
        )

    return prepare


def _stream_resample(name: str, batch: int) -> Iterator[Figure]:
    """A synthesised sentence is one stream of one call, half a second a block; there is no batch of it."""
    if batch > 1:
        return
    x = _speech(1, 12_000)[0].astype(np.float32)
    ours, theirs = StreamResampler(24_000, 16_000), rivals.soxr_stream(24_000, 16_000)
    yield from _versus(name, batch, 25, lambda: ours.push(x), {"soxr": lambda: theirs.resample_chunk(x)})


def _levels(name: str, batch: int) -> Iterator[Figure]:
    rows, pcm = _rows(batch), _speech(batch, 160)
    rms, peak = np.zeros(batch, np.float32), np.zeros(batch, np.uint16)
    levels.measure(rows, pcm, rms, peak)
    for row, (their_rms, their_peak) in enumerate(rivals.levels(pcm)):
        assert abs(32_768 * 10 ** (rms[row] / 20) - their_rms) < 1.01  # audioop cuts the fraction off
        assert peak[row] == their_peak
    ours = lambda: levels.measure(rows, pcm, rms, peak)  # noqa: E731
    return _versus(name, batch, 1, ours, {"audioop": lambda: rivals.levels(pcm)})


def _dtmf(name: str, batch: int) -> Iterator[Figure]:
    rows, digit = _rows(batch), np.zeros(batch, np.uint8)
    x = np.zeros((batch, 8 * 160), np.int16)
    for row in range(batch):
        x[row, 37 * (row % 5) :][:800] = dtmf_tone(DIGITS[row % 16], 100, 8_000)
    ticks = [np.ascontiguousarray(x[:, i * 160 : (i + 1) * 160]) for i in range(8)]
    detector, rival = DtmfDetector(batch), rivals.NumpyDtmf(batch)
    ours, theirs = [""] * batch, [""] * batch
    for tick in ticks:
        detector.process(rows, tick, digit)
        ours = [known + (chr(new) if new else "") for known, new in zip(ours, digit, strict=True)]
        theirs = [known + new for known, new in zip(theirs, rival.process(tick), strict=True)]
    assert ours == theirs == [DIGITS[row % 16] for row in range(batch)]

    def each(process: Callable[[Pcm], object]) -> Work:
        return lambda: [process(tick) for tick in ticks]

    return _versus(
        name,
        batch,
        8,
        each(lambda tick: detector.process(rows, tick, digit)),
        {"numpy": each(rival.process)},
    )


def _silero(name: str, batch: int) -> Iterator[Figure]:
    """Eight ticks are five steps."""
    x = _speech(batch, 1_280)
    ticks = [np.ascontiguousarray(x[:, i * 160 : (i + 1) * 160]) for i in range(8)]
    floats = x.astype(np.float32) / np.float32(32_768)
    chunks = [np.ascontiguousarray(floats[:, i * 256 : (i + 1) * 256]) for i in range(5)]
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
    return _versus(name, batch, 8, ours, others)


def _plc(name: str, batch: int) -> Iterator[Figure]:
    """Every twentieth tick of a call is lost."""
    rows, pcm, concealer = _rows(batch), _speech(batch, 160), Concealer(batch)
    losses = [(np.arange(batch) % 20 == i).astype(np.uint8) for i in range(20)]

    def ours() -> None:
        for lost in losses:
            concealer.process(rows, pcm, lost)

    return _versus(name, batch, 20, ours, {})


_KERNELS: dict[str, Callable[[str, int], Iterator[Figure]]] = {
    "mu_law_encode": _g711_encode(g711.MU_LAW, rivals.encode_mu_law),
    "mu_law_decode": _g711_decode(g711.MU_LAW, rivals.decode_mu_law),
    "a_law_encode": _g711_encode(g711.A_LAW, rivals.encode_a_law),
    "a_law_decode": _g711_decode(g711.A_LAW, rivals.decode_a_law),
    "upsample": _resample(8_000, 16_000),
    "downsample": _resample(16_000, 8_000),
    "stream_24_to_16": _stream_resample,
    "levels": _levels,
    "dtmf": _dtmf,
    "conceal": _plc,
    "silero_vad": _silero,
}

"""What is heard in a sound: voice, keys, call progress, and the features that recognition takes."""

from contextlib import suppress

import numpy as np

from bench import rivals
from bench.contests.contest import Contest, Prepare, Work, every_row, sound, ticks_of
from dsp.features import LogMel
from dsp.gate import Gate
from dsp.kernel import Floats, Pcm
from dsp.progress import ProgressDetector
from dsp.tones import DIGITS, DtmfDetector, dtmf_tone
from dsp.vad import SileroVad


def _log_mel(batch: int) -> Contest:
    """A tick is two frames."""
    rows, ticks = every_row(batch), ticks_of(sound(batch, 10 * 320), 320)
    features, rival, out = LogMel(batch), rivals.KaldiLogMel(batch), np.zeros((batch, 2, 80), np.float32)
    for tick in ticks:
        features.process(rows, tick, out)
        np.testing.assert_allclose(out, rival.process(tick), atol=0.02)
    return Contest(
        lambda: features.process(rows, ticks[0], out),
        {"kaldi_native_fbank": lambda: rival.process(ticks[0])},
        must=">= 40",
    )


def _dtmf(batch: int) -> Contest:
    """Eight ticks with a key pressed for 100 ms, a little later in each row."""
    rows, digit = every_row(batch), np.zeros(batch, np.uint8)
    x = np.zeros((batch, 8 * 160), np.int16)
    for row in range(batch):
        x[row, 37 * (row % 5) :][:800] = dtmf_tone(DIGITS[row % 16], 100, 8_000)
    ticks = ticks_of(x, 160)
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

    others: dict[str, Work] = {"numpy": lambda: [rival.process(tick) for tick in ticks]}
    with suppress(OSError):  # a package of Debian's, which may not be installed
        others["spandsp"] = _spandsp(batch, ticks)
    return Contest(work, others, ticks=8, must=">= 11")


def _spandsp(batch: int, ticks: list[Pcm]) -> Work:
    rival = rivals.SpandspDtmf(batch)

    def work() -> None:
        for tick in ticks:
            rival.process(tick)

    work()
    np.testing.assert_array_equal(rival.digits(), [DIGITS[row % 16] for row in range(batch)])
    return work


def _progress(batch: int) -> Contest:
    """Noise, which is looked at as closely as a tone."""
    rows, pcm, event = every_row(batch), sound(batch, 160), np.zeros(batch, np.uint8)
    detector = ProgressDetector(batch)
    return Contest(lambda: detector.process(rows, pcm, event))


def _gate(batch: int) -> Contest:
    """Levels that come and go. A gate that decides by as little has no library to be compared with."""
    rows, probability, awake = every_row(batch), np.zeros(batch, np.float32), np.zeros(batch, np.uint8)
    level, gate = np.random.default_rng(1).uniform(-70, -20, batch).astype(np.float32), Gate(batch)
    return Contest(lambda: gate.process(rows, level, probability, awake))


def _silero(*, together: bool, must: str) -> Prepare:
    """Eight ticks are five steps of 256 samples. The library runs once a call, or once for all calls `together`."""

    def prepare(batch: int) -> Contest:
        x = sound(batch, 8 * 160)
        floats = x.astype(np.float32) / np.float32(32_768)
        ticks = ticks_of(x, 160)
        chunks = [np.ascontiguousarray(floats[:, at : at + 256]) for at in range(0, 1_280, 256)]
        rows, probability, vad = every_row(batch), np.zeros(batch, np.float32), SileroVad(batch)
        rival = rivals.OnnxSilero(batch, together=together)

        def ours() -> None:
            for tick in ticks:
                vad.process(rows, tick, probability)

        def theirs() -> Floats:
            return [rival.process(chunk) for chunk in chunks][-1]

        ours()
        np.testing.assert_allclose(probability, theirs(), atol=1e-4)
        return Contest(ours, {"onnxruntime": theirs}, ticks=8, must=must)

    return prepare


CONTESTS: dict[str, Prepare] = {
    "log_mel": _log_mel,
    "dtmf": _dtmf,
    "progress": _progress,
    "gate": _gate,
    "silero_vad": _silero(together=False, must=">= 15"),
    "silero_vad_together": _silero(together=True, must=">= 3.5"),
}

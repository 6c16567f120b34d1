"""Everything compiled before the first caller: run each kernel once on next to nothing.

A kernel has an explicit signature, so importing its module compiles it or reads it from numba's cache (NUMBA_CACHE_DIR,
else beside the source). That takes ten seconds once per machine and one or two from then on. `warm` does it
step by step, so that set-up can show how far it is, and calls every public function, so that a kernel that was
cached but does not load shows before a socket opens and not in a call.
"""

from collections.abc import Callable

import numpy as np

from dsp.kernel import NARROW_TICK, WIDE_TICK, Bytes, Floats, Pcm, Rows

Progress = Callable[[str, int, int], None]
"""Called with the name of the step that is done, how many are done, and how many there are."""


def _row() -> Rows:
    return np.zeros(1, np.int32)


def _narrow() -> Pcm:
    return np.zeros((1, NARROW_TICK), np.int16)


def _wide() -> Pcm:
    return np.zeros((1, WIDE_TICK), np.int16)


def _flag() -> Bytes:
    return np.zeros(1, np.uint8)


def _value() -> Floats:
    return np.zeros(1, np.float32)


def _g711() -> None:
    from dsp import g711

    payload = np.zeros((1, NARROW_TICK), np.uint8)
    for law in (g711.MU_LAW, g711.A_LAW):
        laws = np.full(1, law, np.uint8)
        g711.encode(_row(), _narrow(), laws, payload)
        g711.decode(_row(), payload, laws, _narrow())
        g711.decode_block(g711.encode_block(_narrow()[0], law), law)


def _g722() -> None:
    from dsp import g722

    payload = np.zeros((1, NARROW_TICK), np.uint8)
    g722.Encoder(1).process(_row(), _wide(), payload)
    g722.Encoder(1).follow(_row(), payload)
    g722.Decoder(1).process(_row(), payload, _wide())


def _resample() -> None:
    from dsp import resample

    resample.Upsampler(1).process(_row(), _narrow(), _wide())
    resample.Downsampler(1).process(_row(), _wide(), _narrow())
    resample.resample(_wide()[0], 16_000, 8_000)


def _levels() -> None:
    from dsp import levels

    levels.measure(_row(), _narrow(), _value(), np.zeros(1, np.uint16))
    levels.measure(_row(), _wide(), _value(), np.zeros(1, np.uint16))


def _mix() -> None:
    from dsp import mix

    mix.Mixer(1).process(_row(), np.ones(1, np.int32), _flag(), _flag(), _wide(), _wide())


def _plc() -> None:
    from dsp import plc

    concealer = plc.Concealer(1)
    for lost in (0, 1, 1, 0):
        concealer.process(_row(), _narrow(), np.full(1, lost, np.uint8))


def _tones() -> None:
    from dsp import tones

    tones.DtmfDetector(1).process(_row(), _narrow(), _flag())


def _vad() -> None:
    from dsp import vad

    silero = vad.SileroVad(1)
    for _ in range(2):  # the second tick completes a step
        silero.process(_row(), _narrow(), _value())


_STEPS: dict[str, Callable[[], None]] = {
    "g711": _g711,
    "g722": _g722,
    "resample": _resample,
    "levels": _levels,
    "mix": _mix,
    "plc": _plc,
    "tones": _tones,
    "vad": _vad,
}


def warm(progress: Progress | None = None) -> None:
    """Load or compile every kernel of `dsp` and run it once. Blocks; call it before anything that must not wait."""
    for done, (name, step) in enumerate(_STEPS.items(), start=1):
        step()
        if progress is not None:
            progress(name, done, len(_STEPS))

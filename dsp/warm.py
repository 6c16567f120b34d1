"""Everything compiled before the first caller: run each kernel once on next to nothing.

A kernel has an explicit signature, so importing its module compiles it or reads it from numba's cache (NUMBA_CACHE_DIR,
else beside the source). That takes half a minute once per machine and two seconds from then on. `warm` does it
step by step, so that set-up can show how far it is, and calls every public function, so that a kernel that was
cached but does not load shows before a socket opens and not in a call.
"""

from collections.abc import Callable

import numpy as np

from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_HZ, WIDE_TICK, Bytes, Floats, Pcm, Rows

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


def _polyphase() -> None:
    from dsp import polyphase

    converter = polyphase.Converter(1, NARROW_HZ, WIDE_HZ)
    converter.process(_row(), _narrow(), _wide())
    converter.reset(0)


def _resample() -> None:
    from dsp import resample

    resample.Upsampler(1).process(_row(), _narrow(), _wide())
    resample.Downsampler(1).process(_row(), _wide(), _narrow())
    resample.resample(_wide()[0], 16_000, 8_000)


def _features() -> None:
    from dsp import features

    log_mel = features.LogMel(1)
    log_mel.process(_row(), _wide(), np.zeros((1, features.FRAMES, features.BINS), np.float32))
    log_mel.reset(0)


def _levels() -> None:
    from dsp import levels

    levels.measure(_row(), _narrow(), _value(), np.zeros(1, np.uint16))
    levels.measure(_row(), _wide(), _value(), np.zeros(1, np.uint16))


def _mix() -> None:
    from dsp import mix

    mix.Mixer(1).process(_row(), np.ones(1, np.int32), _flag(), _flag(), _wide(), _wide())


def _reception() -> None:
    from dsp import reception

    it = reception.reception(1)
    reception.forget(it, 0)
    reception.restart(it, 0, 0, 1)
    reception.admit(it, 0, reception.step(it, 0, 0, 1))
    reception.missing(it, 0, 0, 1)


def _arrivals() -> None:
    from dsp import arrivals

    it = arrivals.arrivals(1)
    arrivals.begin(it, 0, 0, 0)
    arrivals.add(it, 0, 0, 0)


def _cells() -> None:
    from dsp import cells

    it, packet = cells.cells(1), np.zeros(NARROW_TICK, np.uint8)
    cells.forget(it, 0)
    cells.put(it, 0, 0, 0, packet, 0, NARROW_TICK, 0)
    cells.lay(it, 0, 0, 0, packet, 0, NARROW_TICK // 2, cells.TICK_MS, 8, 0)
    cells.mend(it, 0, 1)


def _jitter() -> None:
    from dsp import jitter

    buffer = jitter.JitterBuffers(1)
    it = buffer.state
    jitter.clear_row(it, 0, NARROW_TICK, True)
    buffer.push(0, 0, 0, 1, bytes(NARROW_TICK), 0)
    jitter.skip(it, 0, 1, 0, 1, 0)
    jitter.pause(it, 0)
    jitter.want(it, 0, 0, 0.0)
    jitter.moved(it, 0, 0, 0.0)
    jitter.shift(it, 0)
    buffer.pop(0, 0)
    jitter.peek_next(it, 0)
    jitter.cover(it, 0, 1)


def _gain() -> None:
    from dsp import gain

    gain.GainControl(1).process(_row(), _value(), _value())


def _limiter() -> None:
    from dsp import limiter

    limiter.Limiter(1).process(_row(), _wide(), _value())


def _noise() -> None:
    from dsp import noise

    comfort = noise.ComfortNoise(1)
    comfort.listen(_row(), _value(), _value())
    comfort.take(0, bytes([noise.level_octet(-60)]))
    comfort.process(_row(), _narrow())


def _plc() -> None:
    from dsp import plc

    concealer = plc.Concealer(1)
    for lost in (0, 1, 1, 0):
        concealer.process(_row(), _narrow(), np.full(1, lost, np.uint8))


def _stretch() -> None:
    from dsp import stretch

    stretcher = stretch.Stretcher(1)
    for _ in range(stretcher.needed(0)):
        stretcher.feed(_row(), _narrow())
    stretcher.process(_row(), _flag(), _narrow())
    stretcher.reset(0)


def _cadence() -> None:
    from dsp import cadence

    cadence.forget(cadence.keeping(1), 0)


def _progress() -> None:
    from dsp import progress

    progress.ProgressDetector(1).process(_row(), _narrow(), _flag())


def _echo_loss() -> None:
    from dsp import echo_loss

    echo_loss.EchoLossMeter(1).process(_row(), _narrow(), _narrow())


def _echo() -> None:
    from dsp import echo

    echo.EchoCanceller(1, 8_000, most=1).process(_row(), _narrow(), _narrow())


def _tones() -> None:
    from dsp import tones

    tones.DtmfDetector(1).process(_row(), _narrow(), _flag())


def _lanes() -> None:
    from dsp import lanes

    rows, places = np.zeros(lanes.LANES, np.int32), np.zeros(NARROW_TICK, np.int32)
    table, flat = np.zeros((1, NARROW_TICK), np.float32), np.zeros(lanes.LANES, np.float32)
    lanes.lay(rows, table, places, flat)
    lanes.lay_pcm(rows, _narrow(), places, flat)
    lanes.gather(rows, table, places, flat)


def _panel() -> None:
    from dsp import panel

    weights, y = panel.packed(np.zeros((1, 32), np.float32)), np.zeros(32 * panel.ROWS, np.float32)
    panel.dense(1, np.zeros(panel.ROWS, np.float32), 1, weights, np.zeros(32, np.float32), 0, y, 32)


def _silero() -> None:
    from dsp import silero

    x, (hidden, cell) = np.zeros((1, silero.INPUT), np.float32), np.zeros((2, 1, silero.STATE), np.float32)
    silero.step(_row(), x, hidden, cell, _value(), silero.network(), silero.layers())


def _gate() -> None:
    from dsp import gate

    gate.Gate(1).process(_row(), _value(), _value(), _flag())
    gate.Gate(1).reset(0)


def _vad() -> None:
    from dsp import vad

    silero = vad.SileroVad(1)
    for _ in range(2):  # the second tick completes a step
        silero.process(_row(), _narrow(), _value())
    silero.reset(0)


_STEPS: dict[str, Callable[[], None]] = {
    "g711": _g711,
    "g722": _g722,
    "polyphase": _polyphase,
    "resample": _resample,
    "features": _features,
    "levels": _levels,
    "mix": _mix,
    "reception": _reception,
    "arrivals": _arrivals,
    "cells": _cells,
    "jitter": _jitter,
    "plc": _plc,
    "stretch": _stretch,
    "gain": _gain,
    "limiter": _limiter,
    "noise": _noise,
    "cadence": _cadence,
    "progress": _progress,
    "echo_loss": _echo_loss,
    "echo": _echo,
    "tones": _tones,
    "lanes": _lanes,
    "panel": _panel,
    "silero": _silero,
    "gate": _gate,
    "vad": _vad,
}


def warm(progress: Progress | None = None) -> None:
    """Load or compile every kernel of `dsp` and run it once. Blocks; call it before anything that must not wait."""
    for done, (name, step) in enumerate(_STEPS.items(), start=1):
        step()
        if progress is not None:
            progress(name, done, len(_STEPS))

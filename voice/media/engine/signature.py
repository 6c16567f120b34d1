"""What signatures of kernels call the engine's tuples."""

from collections.abc import Callable
from typing import Any

import numba

from dsp import echo, g722, gain, gate, jitter, limiter, mix, noise, plc, polyphase, progress, stretch, tones, vad
from dsp.kernel import record

_DECLARED: dict[type, Any] = {
    jitter.Buffers: jitter.BUFFERS,
    noise.Noising: noise.NOISING,
    plc.Concealing: plc.CONCEALING,
    stretch.Stretching: stretch.STRETCHING,
    polyphase.Converting: polyphase.CONVERTING,
    g722.Coding: g722.CODING,
    echo.Cancelling: echo.CANCELLING,
    limiter.Limiting: limiter.LIMITING,
    mix.Mixing: mix.MIXING,
    tones.Detecting: tones.DETECTING,
    progress.Following: progress.FOLLOWING,
    gain.Aiming: gain.AIMING,
    gate.Gating: gate.GATING,
    vad.Listening: vad.LISTENING,
}

_typeof: Callable[[Any], Any] = numba.typeof


def type_of(it: tuple[Any, ...]) -> Any:
    """As a signature names it."""
    return record([_DECLARED.get(type(part)) or _typeof(part) for part in it], type(it))

"""Arrays as they begin, of the kinds that the engine has."""

import numpy as np

from dsp.kernel import Bytes, Floats, Pcm, Rows
from voice.media.engine.layout import Counters


def counters(*shape: int) -> Counters:
    return np.zeros(shape, np.int64)


def octets(*shape: int) -> Bytes:
    return np.zeros(shape, np.uint8)


def pcm(*shape: int) -> Pcm:
    return np.zeros(shape, np.int16)


def rows(*shape: int) -> Rows:
    return np.zeros(shape, np.int32)


def floats(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)

"""The memory of an engine's rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from voice.media.engine.arrays import Engine

_PAGE = 4_096


class Memory:
    """The system gives memory as it is touched, and clears it first, two megabytes at a time: so a row is touched
    before the engine works in it, and a new leg takes no time from the others."""

    def __init__(self, it: Engine, capacity: int) -> None:
        arrays = [array.reshape(capacity, -1) for array in _arrays(it) if array.shape[:1] == (capacity,)]
        self._pages = [array.view(np.uint8)[:, ::_PAGE] for array in arrays if array.strides[0] >= _PAGE]
        self._touched = np.zeros(capacity, np.bool_)

    def touch(self, row: int) -> None:
        """Once for each row; it is free."""
        if not self._touched[row]:
            self._touched[row] = True
            for pages in self._pages:
                pages[row] |= 0


def _arrays(it: object) -> Iterator[npt.NDArray[Any]]:
    """All in a tuple of arrays and tuples."""
    if isinstance(it, np.ndarray):
        yield it
    elif isinstance(it, tuple):
        for part in it:
            yield from _arrays(part)

"""How a kernel is declared, and the cheap checks that stand in front of every one of them.

A kernel is a plain function over arrays with an explicit signature: it is compiled (or read from numba's
cache) when its module is imported, never in a call. It releases the GIL, takes preallocated output and
validates nothing. The public function beside it checks row numbers and shapes here and allocates nothing;
numba itself refuses, with TypeError, an array of another type, one that is not C-contiguous, and a read-only
one where the signature writes.

Row-addressed: buffers and state have one row a leg. A tick passes the rows that are active as `int32`, and a
kernel touches those rows only, so legs come and go without anything being copied or resized.

What a kernel keeps from tick to tick is a NamedTuple of arrays (`record` gives its type for a signature), made by a
function of its module, and the kernel takes it as its last argument. So whoever batches further may call it from a
kernel of its own. numba's cache notices a change in a kernel's own file and nowhere else: therefore it is kept in a
folder of its own for every state of the sources.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core.typing.templates import Signature

NARROW_HZ = 8_000
WIDE_HZ = 16_000
NARROW_TICK = 160  # samples of one 20 ms tick at 8 kHz
WIDE_TICK = 320  # samples of one 20 ms tick at 16 kHz

Rows = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Pcm = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

Cast = Callable[[Any], Any]
u8: Cast = numba.uint8
i16: Cast = numba.int16
i32: Cast = numba.int32  # numba widens int32 arithmetic to int64, which halves the lanes: steps state their type
f32: Cast = numba.float32

record: Callable[[list[Any], type], Any] = numba.types.BaseTuple.from_types
"""The type of a NamedTuple of arrays in a signature, field types first."""

Function = TypeVar("Function", bound=Callable[..., Any])

_ROOT = Path(__file__).parents[1]
ROOMS = ("dsp", "voice/media")
"""Where kernels are."""


def _cache_folder() -> Path:
    """NUMBA_CACHE_DIR or a folder beside this file, and in it one for the sources as they are."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((_ROOT / room).rglob("*.py")):
            digest.update(path.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or _ROOT / "dsp" / "__pycache__" / "kernels"
    return Path(base) / digest.hexdigest()[:16]


numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]  # numba makes its settings at run time


def kernel(signature: str | Signature) -> Callable[[Function], Function]:
    """Declare a kernel: compiled at import for exactly `signature`, nogil, cached, unchecked, fast floats."""
    decorate = numba.njit(signature, nogil=True, cache=True, fastmath=True, error_model="numpy")
    return cast("Callable[[Function], Function]", decorate)


@kernel("boolean(i4[::1], i8)")
def _within(rows: Rows, capacity: int) -> bool:
    for row in rows:  # noqa: SIM110 - a generator would not compile
        if row < 0 or row >= capacity:
            return False
    return True


def check_rows(rows: Rows, capacity: int) -> None:
    """Raise ValueError unless every number in `rows` (int32, contiguous) is in 0..capacity-1.

    A kernel writes where `rows` says, so a wrong number here would be a write outside the array.
    """
    if not _within(rows, capacity):
        raise ValueError(f"rows must be 0..{capacity - 1}, got {rows.tolist()}")


def check_shape(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `array` has exactly `shape`."""
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")

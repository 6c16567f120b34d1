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
kernel of its own. numba's cache notices a change in a kernel's own file and nowhere else: therefore the kernels of a
file are kept in a folder of their own for every state of it and of what it imports.
"""

import ast
import hashlib
import os
from collections.abc import Callable
from functools import cache
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
u16: Cast = numba.uint16
i32: Cast = numba.int32  # numba widens int32 arithmetic to int64, which halves the lanes: steps state their type
f32: Cast = numba.float32
index: Cast = numba.uintp  # unsigned: not looked at for counting from the end, so that loops become SIMD

record: Callable[[list[Any], type], Any] = numba.types.BaseTuple.from_types
"""The type of a NamedTuple of arrays in a signature, field types first."""

Function = TypeVar("Function", bound=Callable[..., Any])

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("dsp", "voice.media")  # where kernels are, and what they call
CACHE = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent / "__pycache__" / "kernels")


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of `ROOMS` that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith(ROOMS):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = (ROOT / f"{name.replace('.', '/')}.py" for name in names)
    return frozenset(found for found in paths if found.exists())


@cache
def cache_folder(path: Path) -> Path:
    """Of the kernels in a file: one for the state of it and of all that it imports."""
    sources, new = {path}, {path}
    while new:
        new = {found for each in new for found in _imports(each)} - sources
        sources |= new
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sorted(sources)))
    return CACHE / digest.hexdigest()[:16]


def kernel(signature: str | Signature) -> Callable[[Function], Function]:
    """Declare a kernel: compiled at import for exactly `signature`, nogil, cached, unchecked, fast floats.

    numba is told not to count references to arrays: a kernel of many small steps would spend nine tenths of its time on
    it, and all of them a fifth of their compilation. Whoever calls holds the arrays, so views and calls work as ever;
    but what would assign an array to a slice is a loop, and no array is made.
    """
    options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy", "_nrt": False}

    def decorate(function: Function) -> Function:
        folder = str(cache_folder(Path(function.__code__.co_filename).resolve()))
        numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]  # numba makes its settings at run time
        return cast("Function", numba.njit(signature, **options)(function))

    return decorate


@kernel("boolean(i4[::1], i8)")
def within(rows: Rows, capacity: int) -> bool:
    """Whether every number in `rows` is in 0..capacity-1."""
    highest = np.uint32(0)
    for row in rows:
        highest = max(highest, np.uint32(row))  # a negative number is higher than any
    return bool(rows.size == 0 or highest < capacity)


def check_rows(rows: Rows, capacity: int) -> None:
    """Raise ValueError unless every number in `rows` (int32, contiguous) is in 0..capacity-1.

    A kernel writes where `rows` says, so a wrong number here would be a write outside the array.
    """
    if not within(rows, capacity):
        raise ValueError(f"rows must be 0..{capacity - 1}, got {rows.tolist()}")


def check_shape(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `array` has exactly `shape`."""
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")

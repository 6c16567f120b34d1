"""Rows side by side: what lies along each row of a table is laid across, so that a vector holds one value of many rows.

A handful of frequencies or four windows, with decisions between them, do not fill a vector along a row. Across rows
they do: plain loops over lanes become SIMD, a decision is a choice in every lane, and `dsp.panel` multiplies. Sixteen
values of sixteen rows are turned in the processor's registers, for one by one it would take longer to lay them than all
that is done with them. Loops do not become that, so it is written in LLVM's own language, as in `dsp.panel`.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from dsp.kernel import Floats, Pcm, Rows, kernel
from dsp.panel import WIDTH

LANES = WIDTH
"""Rows that lie side by side, as many as `dsp.panel` takes for a panel: what is laid across may be its weights."""

_SQUARE = 16
_LONG, _INDEX = ir.IntType(64), ir.IntType(32)
_FLOATS, _SHORTS = ir.VectorType(ir.FloatType(), _SQUARE), ir.VectorType(ir.IntType(16), _SQUARE)


def _turned(builder: ir.IRBuilder, vectors: list[ir.Value]) -> list[ir.Value]:
    """Row i of column j becomes row j of column i: squares of 8, 4, 2, 1 off the diagonal change places."""
    turned, lanes = list(vectors), range(_SQUARE)
    for step in (8, 4, 2, 1):
        upper = [lane + _SQUARE - step if lane & step else lane for lane in lanes]
        lower = [lane + _SQUARE if lane & step else lane + step for lane in lanes]
        for i in lanes:
            if not i & step:
                pair = turned[i], turned[i + step]
                for place, mask in ((i, upper), (i + step, lower)):
                    turned[place] = builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(_INDEX, _SQUARE), mask))
    return turned


def _moved(*, across: bool) -> Callable[..., None]:
    """Move values `column` to `column` + 16 of the first 16 of `rows`: between the table, and the sixteen lanes that
    begin at `places[column]` to `places[column + 15]` of a flat array."""

    def typed(_typing: Any, rows: Any, table: Any, column: Any, places: Any, flat: Any) -> tuple[Any, Any]:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[Any]) -> Any:
            def array(place: int) -> Any:
                return context.make_array(signature.args[place])(context, builder, values[place])

            def number(data: ir.Value, at: ir.Value) -> ir.Value:
                return builder.sext(builder.load(builder.gep(data, [at])), _LONG)

            def address(data: ir.Value, at: ir.Value, vector: ir.Type) -> ir.Value:
                return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())

            shorts = signature.args[1].dtype == types.int16
            columns, along, lanes = builder.extract_value(array(1).shape, 1), [], []
            for i in (ir.Constant(_LONG, i) for i in range(_SQUARE)):
                at = builder.add(builder.mul(number(array(0).data, i), columns), values[2])
                along.append(address(array(1).data, at, _SHORTS if shorts else _FLOATS))
                lanes.append(address(array(4).data, number(array(3).data, builder.add(values[2], i)), _FLOATS))
            source, target = (along, lanes) if across else (lanes, along)
            vectors = [builder.load(place, align=2 if shorts else 4) for place in source]
            if shorts:
                vectors = [builder.sitofp(vector, _FLOATS) for vector in vectors]
            for vector, place in zip(_turned(builder, vectors), target, strict=True):
                builder.store(vector, place, align=4)
            return context.get_dummy_value()

        return types.void(rows, table, column, places, flat), generate

    return cast("Callable[..., None]", intrinsic(typed))


_lay, _gather = _moved(across=True), _moved(across=False)


@kernel("void(i4[::1], f4[:, ::1], i4[::1], f4[::1])")
def lay(rows: Rows, table: Floats, places: Rows, flat: Floats) -> None:
    """flat[places[i] + lane] = table[rows[lane], i] for every lane. For kernels: nothing is checked.

    There are LANES `rows`, some of them the same if need be, and columns are a multiple of 16.
    """
    for lane in range(0, LANES, _SQUARE):
        for column in range(0, table.shape[1], _SQUARE):
            _lay(rows[lane:], table, column, places, flat[lane:])


@kernel("void(i4[::1], i2[:, ::1], i4[::1], f4[::1])")
def lay_pcm(rows: Rows, pcm: Pcm, places: Rows, flat: Floats) -> None:
    """As `lay`, of samples."""
    for lane in range(0, LANES, _SQUARE):
        for column in range(0, pcm.shape[1], _SQUARE):
            _lay(rows[lane:], pcm, column, places, flat[lane:])


@kernel("void(i4[::1], f4[:, ::1], i4[::1], f4[::1])")
def gather(rows: Rows, table: Floats, places: Rows, flat: Floats) -> None:
    """The other way round: table[rows[lane], i] = flat[places[i] + lane]."""
    for lane in range(0, LANES, _SQUARE):
        for column in range(0, table.shape[1], _SQUARE):
            _gather(rows[lane:], table, column, places, flat[lane:])

"""A dense layer for some rows at once, with what it adds up kept in the processor's registers.

A plain loop over the outputs loads and stores an output for every few products, and waits for that, not for the
products: numba's vectoriser keeps nothing in registers from one input to the next. Here a panel of outputs is made for
six rows at once: a weight that was loaded serves six rows, an input a whole panel, and a sum is stored once, which is
four times as fast. LLVM cannot be told so in Python, so it is written in LLVM's own language. No instruction set is
named: a vector that is wider than the processor's is several of its registers.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from dsp.kernel import Floats, kernel

ROWS = 6
"""Rows that a panel is made for at once."""
WIDTH = 32 if binding.get_host_cpu_features().get("avx512f", False) else 16
"""Outputs of a panel. Six rows of 32 are 12 of AVX-512's 32 registers, six of 16 are 12 of AVX2's 16 or 24 of NEON's
32. More sums than registers would halve the speed, and fewer keep the multipliers waiting."""

NO_FLOOR = -1e30
"""For a layer without ReLU."""

_FLOAT, _LONG, _INDEX = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, WIDTH)
_FUSED = ("contract",)  # one rounding where the processor can, two where it cannot


def packed(weights: Floats) -> Floats:
    """`weights` [inputs, outputs], a multiple of 32 outputs, in the order in which they are read: as panels
    [outputs / WIDTH, inputs, WIDTH]."""
    inputs, outputs = weights.shape
    return np.ascontiguousarray(weights.reshape(inputs, outputs // WIDTH, WIDTH).transpose(1, 0, 2))


def _panel(
    _typing: Any, x: Any, x_step: Any, weights: Any, bias: Any, floor: Any, y: Any, y_step: Any
) -> tuple[Any, Any]:
    """One panel: y[row * y_step + i] = max(floor, bias[i] + sum of x[row * x_step + k] * weights[k, i] over k).

    The arrays are used from their first element, `weights` are [inputs, WIDTH].
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[Any]) -> Any:
        def array(place: int) -> Any:
            return context.make_array(signature.args[place])(context, builder, values[place])

        def address(data: ir.Value, place: ir.Value) -> ir.Value:
            return builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer())

        def in_all_lanes(value: ir.Value) -> ir.Value:
            empty = ir.Constant(_VECTOR, ir.Undefined)
            first = builder.insert_element(empty, value, ir.Constant(_INDEX, 0))
            return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(_INDEX, WIDTH), None))

        inputs, outputs = array(0).data, array(5).data
        x_step, y_step = values[1], values[6]
        start = builder.load(address(array(3).data, ir.Constant(_LONG, 0)), align=4)
        kept = cgutils.alloca_once_value  # memory as it stands here, registers once LLVM is done
        sums = [kept(builder, start) for _ in range(ROWS)]  # type: ignore[no-untyped-call]  # numba has no types
        rows = [builder.gep(inputs, [builder.mul(x_step, ir.Constant(_LONG, row))]) for row in range(ROWS)]
        depth = builder.extract_value(array(2).shape, 0)
        with cgutils.for_range(builder, depth) as loop:
            place = builder.mul(loop.index, ir.Constant(_LONG, WIDTH))
            weight = builder.load(address(array(2).data, place), align=4)
            for total, row in zip(sums, rows, strict=True):
                value = in_all_lanes(builder.load(builder.gep(row, [loop.index])))
                product = builder.fmul(value, weight, flags=_FUSED)
                builder.store(builder.fadd(builder.load(total), product, flags=_FUSED), total)
        floor = in_all_lanes(values[4])
        for row, total in enumerate(sums):
            value = builder.load(total)
            value = builder.select(builder.fcmp_ordered(">", value, floor), value, floor)
            place = builder.mul(y_step, ir.Constant(_LONG, row))
            builder.store(value, address(outputs, place), align=4)
        return context.get_dummy_value()

    return types.void(x, x_step, weights, bias, floor, y, y_step), generate


_fill = cast("Callable[..., None]", intrinsic(_panel))


@kernel("void(i8, f4[::1], i8, f4[:, :, :], f4[::1], f4, f4[::1], i8)")
def dense(
    count: int, x: Floats, x_step: int, weights: Floats, bias: Floats, floor: float, y: Floats, y_step: int
) -> None:
    """y = max(floor, bias + x @ weights) for `count` rows that lie in flat arrays, `x_step` and `y_step` apart.

    `weights` are `packed`, or some of the inputs of such ([:, a:b]). Rows are made six by six: up to five after the
    last are read and overwritten too. For kernels, which see to it that there are such.
    """
    for panel in range(weights.shape[0]):
        outputs = panel * WIDTH
        for row in range(0, count, ROWS):
            _fill(x[row * x_step :], x_step, weights[panel], bias[outputs:], floor, y[row * y_step + outputs :], y_step)

"""Sums over the entries of a sparse row, in vector registers.

Numba leaves several sums that run side by side to scalar instructions. As one vector they take a
third of them, with the same roundings: each lane multiplies and adds in the order of the entries.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD, _LANE = ir.IntType(64), ir.IntType(32)


def row_sums(count: int) -> Any:
    """Make the intrinsic ``sums(indices, data, X, width, column, start, stop, out, target)``.

    Parameters
    ----------
    count : int
        Lanes of the vector, a power of two.

    Returns
    -------
    intrinsic
        It writes ``sum(data[p] * X[indices[p] * width + column + c] for p in range(start, stop))``
        to ``out[target + c]`` for all c below `count`. Arrays are real, of one precision and
        contiguous; nothing is checked.
    """

    def sums(typing_context, indices, data, X, width, column, start, stop, out, target):
        signature = types.void(indices, data, X, width, column, start, stop, out, target)

        def generate(context, builder, signature, arguments):
            def pointer(position):
                array = context.make_array(signature.args[position])
                return array(context, builder, arguments[position]).data

            scalar = context.get_data_type(signature.args[1].dtype)
            vector = ir.VectorType(scalar, count)
            total = _added(builder, [pointer(i) for i in range(3)], arguments[3:7], vector)
            target = builder.gep(pointer(7), [arguments[8]])
            stored = builder.store(total, builder.bitcast(target, vector.as_pointer()))
            stored.align = _alignment(vector)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(sums)


def _added(builder: Any, pointers: list[Any], numbers: list[Any], vector: Any) -> Any:
    """Emit the loop over the entries and return the vector of sums."""
    (indices, data, X), (width, column, start, stop) = pointers, numbers
    undefined = ir.Constant(vector, ir.Undefined)
    lanes = ir.Constant(ir.VectorType(_LANE, vector.count), [0] * vector.count)
    total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * vector.count))
    with cgutils.for_range(builder, stop, start) as loop:
        v = builder.load(builder.gep(data, [loop.index]))
        j = builder.load(builder.gep(indices, [loop.index]))
        if j.type != _WORD:
            j = builder.sext(j, _WORD)
        source = builder.gep(X, [builder.add(builder.mul(j, width), column)])
        row = builder.load(builder.bitcast(source, vector.as_pointer()))
        row.align = _alignment(vector)
        first = builder.insert_element(undefined, v, _LANE(0))
        spread = builder.shuffle_vector(first, undefined, lanes)
        builder.store(builder.fadd(builder.load(total), builder.fmul(spread, row)), total)
    return builder.load(total)


def _alignment(vector: Any) -> int:
    """Return the alignment of one number, which is all that rows of a block have."""
    return 4 if vector.element == ir.FloatType() else 8

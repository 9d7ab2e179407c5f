"""A few rows of a dense matrix with a block of a few columns, in vector registers.

BLAS packs both factors of a product first. With so few columns that takes longer than to read the
matrix, which is all that such a product should cost.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD, _INDEX = ir.IntType(64), ir.IntType(32)


def tile_product(rows: int, lanes: int, *, transposed: bool = False) -> Any:
    """Make the intrinsic ``multiply(A, X, Y, i, start, stop, n)``.

    Parameters
    ----------
    rows, lanes : int
        Rows of A and columns of X, as many as registers hold.

    Returns
    -------
    intrinsic
        It adds ``A[I, J] @ X[J]`` to ``Y[I]``, with I the `rows` rows from `i` on and J the columns
        of A from `start` to `stop`. A, with rows of length `n`, and X and Y, with rows of length
        `lanes`, are real, of one precision, C-ordered and flattened; nothing is checked.
    """

    def multiply(typing_context, A, X, Y, i, start, stop, n):
        signature = types.void(A, X, Y, i, start, stop, n)

        def generate(context, builder, signature, arguments):
            def pointer(position):
                array = context.make_array(signature.args[position])
                return array(context, builder, arguments[position]).data

            scalar = context.get_data_type(signature.args[0].dtype)
            tile = _Tile(builder, ir.VectorType(scalar, lanes), rows)
            emit = tile.emit_transposed if transposed else tile.emit
            emit([pointer(position) for position in range(3)], arguments[3:])
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(multiply)


def registers() -> tuple[int, int]:
    """Return how many vector registers the processor has, and how many bytes each holds."""
    return (32, 64) if get_host_cpu_features().get("avx512f") else (16, 32)


class _Tile:
    """Emits the instructions of one tile."""

    def __init__(self, builder: Any, vector: Any, rows: int) -> None:
        self.builder, self.vector, self.rows = builder, vector, rows
        # The alignment of one number, which is all that rows of a block have.
        self.alignment = 4 if vector.element == ir.FloatType() else 8
        name = f"llvm.fmuladd.v{vector.count}f{8 * self.alignment}"
        kind = ir.FunctionType(vector, [vector] * 3)
        self.multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)

    def emit(self, pointers: list[Any], numbers: list[Any]) -> None:
        builder, (A, X, Y) = self.builder, pointers
        (i, start, stop, n), width = numbers, _WORD(self.vector.count)
        own, entries = self.own_rows(i, n)
        zero = ir.Constant(self.vector, [0.0] * self.vector.count)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in own]
        with cgutils.for_range(builder, stop, start) as loop:
            x = self.load(X, builder.mul(loop.index, width))
            for first, total in zip(entries, sums, strict=True):
                entry = builder.load(builder.gep(A, [builder.add(first, loop.index)]))
                arguments = [self.spread(entry), x, builder.load(total)]
                builder.store(builder.call(self.multiply_add, arguments), total)
        for row, total in zip(own, sums, strict=True):
            place = builder.mul(row, width)
            self.store(builder.fadd(self.load(Y, place), builder.load(total)), Y, place)

    def emit_transposed(self, pointers: list[Any], numbers: list[Any]) -> None:
        builder, (A, X, Y) = self.builder, pointers
        (i, start, stop, n), width = numbers, _WORD(self.vector.count)
        own, entries = self.own_rows(i, n)
        factors = [self.load(X, builder.mul(row, width)) for row in own]
        with cgutils.for_range(builder, stop, start) as loop:
            place = builder.mul(loop.index, width)
            y = self.load(Y, place)
            for first, factor in zip(entries, factors, strict=True):
                entry = builder.load(builder.gep(A, [builder.add(first, loop.index)]))
                y = builder.call(self.multiply_add, [self.spread(entry), factor, y])
            self.store(y, Y, place)

    def own_rows(self, i: Any, n: Any) -> tuple[list[Any], list[Any]]:
        """Return the numbers of the rows, and where they start in A."""
        own = [self.builder.add(i, _WORD(row)) for row in range(self.rows)]
        return own, [self.builder.mul(row, n) for row in own]

    def spread(self, number: Any) -> Any:
        undefined = ir.Constant(self.vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(_INDEX, self.vector.count), [0] * self.vector.count)
        first = self.builder.insert_element(undefined, number, _INDEX(0))
        return self.builder.shuffle_vector(first, undefined, zeros)

    def load(self, array: Any, place: Any) -> Any:
        vector = self.builder.load(self.address(array, place))
        vector.align = self.alignment
        return vector

    def store(self, vector: Any, array: Any, place: Any) -> None:
        self.builder.store(vector, self.address(array, place)).align = self.alignment

    def address(self, array: Any, place: Any) -> Any:
        place = self.builder.gep(array, [place])
        return self.builder.bitcast(place, self.vector.as_pointer())

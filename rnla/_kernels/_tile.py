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


def tile_product(rows: dict[int, int], widest: int, *, transposed: bool = False) -> Any:
    """Make the intrinsic ``multiply(A, X, Y, i, start, stop, n, lanes)``.

    Parameters
    ----------
    rows : dict of int to int
        Columns of a block, and how many rows of A are multiplied by them at a time.
    widest : int
        Columns up to which sums of so many rows, or rows of a block, fit registers. More are
        multiplied one part after the other, by rows of A that are in the cache by then.
    transposed : bool
        Whether to multiply by ``A[I, J]^T``.

    Returns
    -------
    intrinsic
        It adds ``A[I, J] @ X[J]`` to ``Y[I]``, with I the rows from `i` on and J the columns
        of A from `start` to `stop`. A, with rows of length `n`, and X and Y, with rows of length
        `lanes`, are real, of one precision, C-ordered and flattened; nothing is checked.
    """

    def multiply(typing_context, A, X, Y, i, start, stop, n, lanes):
        signature = types.void(A, X, Y, i, start, stop, n, lanes)

        def generate(context, builder, signature, arguments):
            def pointer(position):
                array = context.make_array(signature.args[position])
                return array(context, builder, arguments[position]).data

            pointers, numbers = [pointer(position) for position in range(3)], arguments[3:7]
            scalar = context.get_data_type(signature.args[0].dtype)
            for width, count in rows.items():
                vector = ir.VectorType(scalar, min(width, widest))
                tile = _Tile(builder, vector, count, width)
                emit = tile.emit_transposed if transposed else tile.emit
                with builder.if_then(builder.icmp_signed("==", arguments[7], _WORD(width))):
                    for shift in range(0, width, vector.count):
                        emit(pointers, numbers, shift)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(multiply)


def registers() -> tuple[int, int]:
    """Return how many vector registers the processor has, and how many bytes each holds."""
    return (32, 64) if get_host_cpu_features().get("avx512f") else (16, 32)


class _Tile:
    """Emits the instructions of one tile."""

    def __init__(self, builder: Any, vector: Any, rows: int, width: int) -> None:
        self.builder, self.vector, self.rows, self.width = builder, vector, rows, width
        # The alignment of one number, which is all that rows of a block have.
        self.alignment = 4 if vector.element == ir.FloatType() else 8
        name = f"llvm.fmuladd.v{vector.count}f{8 * self.alignment}"
        kind = ir.FunctionType(vector, [vector] * 3)
        self.multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)

    def emit(self, pointers: list[Any], numbers: list[Any], shift: int) -> None:
        builder, (A, X, Y) = self.builder, pointers
        i, start, stop, n = numbers
        own, entries = self.own_rows(i, n)
        zero = ir.Constant(self.vector, [0.0] * self.vector.count)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in own]
        with cgutils.for_range(builder, stop, start) as loop:
            x = self.load(X, self.place(loop.index, shift))
            for first, total in zip(entries, sums, strict=True):
                entry = builder.load(builder.gep(A, [builder.add(first, loop.index)]))
                arguments = [self.spread(entry), x, builder.load(total)]
                builder.store(builder.call(self.multiply_add, arguments), total)
        for row, total in zip(own, sums, strict=True):
            place = self.place(row, shift)
            self.store(builder.fadd(self.load(Y, place), builder.load(total)), Y, place)

    def emit_transposed(self, pointers: list[Any], numbers: list[Any], shift: int) -> None:
        builder, (A, X, Y) = self.builder, pointers
        i, start, stop, n = numbers
        own, entries = self.own_rows(i, n)
        factors = [self.load(X, self.place(row, shift)) for row in own]
        with cgutils.for_range(builder, stop, start) as loop:
            place = self.place(loop.index, shift)
            y = self.load(Y, place)
            for first, factor in zip(entries, factors, strict=True):
                entry = builder.load(builder.gep(A, [builder.add(first, loop.index)]))
                y = builder.call(self.multiply_add, [self.spread(entry), factor, y])
            self.store(y, Y, place)

    def own_rows(self, i: Any, n: Any) -> tuple[list[Any], list[Any]]:
        """Return the numbers of the rows, and where they start in A."""
        own = [self.builder.add(i, _WORD(row)) for row in range(self.rows)]
        return own, [self.builder.mul(row, n) for row in own]

    def place(self, row: Any, shift: int) -> Any:
        """Return where, in a block, a part of a row begins."""
        return self.builder.add(self.builder.mul(row, _WORD(self.width)), _WORD(shift))

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

"""Products of a dense real matrix, or its transpose, with a block of 4, 8 or 16 columns.

Blocks are of one real dtype with the matrix, C-ordered and flattened to one axis.
"""

from rnla._kernels._jit import kernel
from rnla._kernels._tile import registers, tile_product

# Columns of A at a time, so that the rows of the block which they meet stay in the cache.
_COLUMNS = 1024

_COUNT, _BYTES = registers()
_MOST_ROWS = 16


def _rows(lanes):
    """Return for how many rows sums in double precision, and a row of the block, fit registers."""
    held = lanes * 8 // _BYTES or 1
    free = (_COUNT - held - 2) // held
    return min(_MOST_ROWS, 1 << (free.bit_length() - 1))


_ROWS_4, _ROWS_8, _ROWS_16 = _rows(4), _rows(8), _rows(16)
_add_4, _add_row_4 = tile_product(_ROWS_4, 4), tile_product(1, 4)
_add_8, _add_row_8 = tile_product(_ROWS_8, 8), tile_product(1, 8)
_add_16, _add_row_16 = tile_product(_ROWS_16, 16), tile_product(1, 16)

_spread_4, _spread_row_4 = (tile_product(rows, 4, transposed=True) for rows in (_ROWS_4, 1))
_spread_8, _spread_row_8 = (tile_product(rows, 8, transposed=True) for rows in (_ROWS_8, 1))
_spread_16, _spread_row_16 = (tile_product(rows, 16, transposed=True) for rows in (_ROWS_16, 1))


@kernel
def add_products(A, X, out, n, columns, lanes, first, last):
    """Add the rows of ``A[:, :columns] @ X`` from `first` to `last` to `out`.

    The matrix is flattened; its rows begin `n` numbers apart. Blocks have rows of length `lanes`.
    """
    tall = _ROWS_16 if lanes == 16 else (_ROWS_8 if lanes == 8 else _ROWS_4)
    for start in range(0, columns, _COLUMNS):
        stop = min(columns, start + _COLUMNS)
        i = first
        while i + tall <= last:
            if lanes == 16:
                _add_16(A, X, out, i, start, stop, n)
            elif lanes == 8:
                _add_8(A, X, out, i, start, stop, n)
            else:
                _add_4(A, X, out, i, start, stop, n)
            i += tall
        while i < last:
            if lanes == 16:
                _add_row_16(A, X, out, i, start, stop, n)
            elif lanes == 8:
                _add_row_8(A, X, out, i, start, stop, n)
            else:
                _add_row_4(A, X, out, i, start, stop, n)
            i += 1


@kernel
def add_transposed_products(A, X, out, n, lanes, first, last):
    """Add ``A[first:last].T @ X[first:last]`` to `out`.

    The matrix is flattened; its rows begin `n` numbers apart. Blocks have rows of length `lanes`.
    """
    tall = _ROWS_16 if lanes == 16 else (_ROWS_8 if lanes == 8 else _ROWS_4)
    for start in range(0, n, _COLUMNS):
        stop = min(n, start + _COLUMNS)
        i = first
        while i + tall <= last:
            if lanes == 16:
                _spread_16(A, X, out, i, start, stop, n)
            elif lanes == 8:
                _spread_8(A, X, out, i, start, stop, n)
            else:
                _spread_4(A, X, out, i, start, stop, n)
            i += tall
        while i < last:
            if lanes == 16:
                _spread_row_16(A, X, out, i, start, stop, n)
            elif lanes == 8:
                _spread_row_8(A, X, out, i, start, stop, n)
            else:
                _spread_row_4(A, X, out, i, start, stop, n)
            i += 1

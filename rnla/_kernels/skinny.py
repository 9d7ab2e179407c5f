"""Products of a dense real matrix, or its transpose, with a block of 4, 8 or 16 columns.

Blocks are of one real dtype with the matrix, C-ordered and flattened to one axis.
"""

from rnla._kernels._jit import kernel
from rnla._kernels._tile import registers, tile_product

# Columns of A at a time, so that the rows of the block which they meet stay in the cache. Of fewer
# columns, rows end before the processor has seen that they go on.
_COLUMNS = 4096

_COUNT, _BYTES = registers()
_MOST_ROWS, _FEW_ROWS = 16, 4
# Columns of a block that two registers hold in double precision.
WIDEST = 2 * _BYTES // 8


def _rows(lanes):
    """Return for how many rows sums in double precision, and a row of the block, fit registers.

    More than 8 rows of 4 columns gain nothing: they are read as fast as memory allows.
    """
    held = min(lanes, WIDEST) * 8 // _BYTES or 1
    return min(_MOST_ROWS, 2 * lanes, _COUNT - held - 1) // held


_ROWS_4, _ROWS_8, _ROWS_16 = _rows(4), _rows(8), _rows(16)
_WHOLE = {4: _ROWS_4, 8: _ROWS_8, 16: _ROWS_16}
_FEW, _ONE = dict.fromkeys(_WHOLE, _FEW_ROWS), dict.fromkeys(_WHOLE, 1)
_add, _add_few, _add_one = (tile_product(rows, WIDEST) for rows in (_WHOLE, _FEW, _ONE))
_spread, _spread_few, _spread_one = (
    tile_product(rows, WIDEST, transposed=True) for rows in (_WHOLE, _FEW, _ONE)
)


@kernel
def add_products(A, X, out, n, columns, lanes, first, last):
    """Add the rows of ``A[:, :columns] @ X`` from `first` to `last` to `out`.

    The matrix is flattened; its rows begin `n` numbers apart. Blocks have rows of length `lanes`.
    """
    tall = _ROWS_16 if lanes == 16 else (_ROWS_8 if lanes == 8 else _ROWS_4)
    few = last - (last - first) % tall
    rest = last - (last - few) % _FEW_ROWS
    for start in range(0, columns, _COLUMNS):
        stop = min(columns, start + _COLUMNS)
        for i in range(first, few, tall):
            _add(A, X, out, i, start, stop, n, lanes)
        for i in range(few, rest, _FEW_ROWS):
            _add_few(A, X, out, i, start, stop, n, lanes)
        for i in range(rest, last):
            _add_one(A, X, out, i, start, stop, n, lanes)


@kernel
def add_transposed_products(A, X, out, n, columns, lanes, first, last):
    """Add ``A[first:last, :columns].T @ X[first:last]`` to `out`.

    The matrix is flattened; its rows begin `n` numbers apart. Blocks have rows of length `lanes`.
    """
    tall = _ROWS_16 if lanes == 16 else (_ROWS_8 if lanes == 8 else _ROWS_4)
    few = last - (last - first) % tall
    rest = last - (last - few) % _FEW_ROWS
    for start in range(0, columns, _COLUMNS):
        stop = min(columns, start + _COLUMNS)
        for i in range(first, few, tall):
            _spread(A, X, out, i, start, stop, n, lanes)
        for i in range(few, rest, _FEW_ROWS):
            _spread_few(A, X, out, i, start, stop, n, lanes)
        for i in range(rest, last):
            _spread_one(A, X, out, i, start, stop, n, lanes)

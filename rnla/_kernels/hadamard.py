"""Walsh-Hadamard transforms of tiles of rows, and sums of sampled rows of them.

A tile holds 4096 = 64 x 64 rows of up to 64 columns, flattened with 64 entries a row. Because
H(4096) = H(64) x H(64), a tile is transformed in two halves that fit the first-level cache: the 64
rows of each subtile, then the 64 rows with equal residue modulo 64. Each half is two sweeps of
eight-row butterflies. The loops have a run-time width and compile-time strides: only then does
LLVM prove that the streams do not overlap and keep the loop, which it would unroll to scalar code
at a small constant width.
"""

import numpy as np
from numba import njit

from rnla._kernels._jit import kernel, prefetch_far

PANEL = 64
SIDE = 64
TILE = SIDE * SIDE
# Rows are short pieces far apart, which hardware prefetchers do not follow.
_AHEAD = 32

_1 = np.uintp(1)
_2 = np.uintp(2)
_3 = np.uintp(3)
_4 = np.uintp(4)
_5 = np.uintp(5)
_6 = np.uintp(6)
_7 = np.uintp(7)
_ROW = np.uintp(PANEL)
_EIGHT_ROWS = np.uintp(8 * PANEL)
_SUBTILE = np.uintp(SIDE * PANEL)


@njit(inline="always", error_model="numpy")
def _hadamard8(x0, x1, x2, x3, x4, x5, x6, x7):
    a0, a1, a2, a3 = x0 + x1, x0 - x1, x2 + x3, x2 - x3
    a4, a5, a6, a7 = x4 + x5, x4 - x5, x6 + x7, x6 - x7
    b0, b1, b2, b3 = a0 + a2, a1 + a3, a0 - a2, a1 - a3
    b4, b5, b6, b7 = a4 + a6, a5 + a7, a4 - a6, a5 - a7
    return b0 + b4, b1 + b5, b2 + b6, b3 + b7, b0 - b4, b1 - b5, b2 - b6, b3 - b7


@njit(inline="always", error_model="numpy")
def _sweep(x, i, p, y, j, q, width):
    """Write the transform of eight rows of `x`, `p` apart, to rows of `y`, `q` apart."""
    for c in range(width):
        s = i + np.uintp(c)
        t = j + np.uintp(c)
        y0, y1, y2, y3, y4, y5, y6, y7 = _hadamard8(
            x[s],
            x[s + p],
            x[s + _2 * p],
            x[s + _3 * p],
            x[s + _4 * p],
            x[s + _5 * p],
            x[s + _6 * p],
            x[s + _7 * p],
        )
        y[t] = y0
        y[t + q] = y1
        y[t + _2 * q] = y2
        y[t + _3 * q] = y3
        y[t + _4 * q] = y4
        y[t + _5 * q] = y5
        y[t + _6 * q] = y6
        y[t + _7 * q] = y7


@njit(inline="always", error_model="numpy")
def _sweep_far(rows, base, width):
    """Second sweep over 64 consecutive rows: butterflies of rows eight apart, in place."""
    for r in range(8):
        i = base + np.uintp(r) * _ROW
        _sweep(rows, i, _EIGHT_ROWS, rows, i, _EIGHT_ROWS, width)


@njit(inline="always", error_model="numpy")
def _transform_subtiles(tile, width):
    for subtile in range(SIDE):
        base = np.uintp(subtile) * _SUBTILE
        for group in range(8):
            i = base + np.uintp(group) * _EIGHT_ROWS
            _sweep(tile, i, _ROW, tile, i, _ROW, width)
        _sweep_far(tile, base, width)


@njit(inline="always", error_model="numpy")
def _transform_residue(tile, residue, width, strip):
    """Write the second half of the transform of the rows `residue` modulo 64 to `strip`."""
    for group in range(8):
        i = np.uintp(residue) * _ROW + np.uintp(8 * group) * _SUBTILE
        _sweep(tile, i, _SUBTILE, strip, np.uintp(group) * _EIGHT_ROWS, _ROW, width)
    _sweep_far(strip, np.uintp(0), width)


@njit(inline="always", error_model="numpy")
def _odd_parity(word):
    word ^= word >> np.uint64(32)
    word ^= word >> np.uint64(16)
    word ^= word >> np.uint64(8)
    word ^= word >> np.uint64(4)
    word ^= word >> np.uint64(2)
    word ^= word >> np.uint64(1)
    return word & np.uint64(1)


@njit(inline="always", error_model="numpy")
def _load_group(A, n, column, width, i, before, rows, signs, tile):
    """First sweep over rows `i : i + 8` of the tile, read from A with their signs."""
    target = np.uintp(i) * _ROW
    if i + 8 <= before or i >= before + rows:
        for r in range(8):
            for c in range(width):
                tile[target + np.uintp(r) * _ROW + np.uintp(c)] = 0
        return
    # A row outside the block has sign zero, and any row may stand for it.
    last = rows - 1
    k = i - before
    a0 = np.uintp(min(max(k, 0), last) * n + column)
    a1 = np.uintp(min(max(k + 1, 0), last) * n + column)
    a2 = np.uintp(min(max(k + 2, 0), last) * n + column)
    a3 = np.uintp(min(max(k + 3, 0), last) * n + column)
    a4 = np.uintp(min(max(k + 4, 0), last) * n + column)
    a5 = np.uintp(min(max(k + 5, 0), last) * n + column)
    a6 = np.uintp(min(max(k + 6, 0), last) * n + column)
    a7 = np.uintp(min(max(k + 7, 0), last) * n + column)
    s0, s1, s2, s3 = signs[i], signs[i + 1], signs[i + 2], signs[i + 3]
    s4, s5, s6, s7 = signs[i + 4], signs[i + 5], signs[i + 6], signs[i + 7]
    for c in range(width):
        u = np.uintp(c)
        t = target + u
        y0, y1, y2, y3, y4, y5, y6, y7 = _hadamard8(
            s0 * A[a0 + u],
            s1 * A[a1 + u],
            s2 * A[a2 + u],
            s3 * A[a3 + u],
            s4 * A[a4 + u],
            s5 * A[a5 + u],
            s6 * A[a6 + u],
            s7 * A[a7 + u],
        )
        tile[t] = y0
        tile[t + _ROW] = y1
        tile[t + _2 * _ROW] = y2
        tile[t + _3 * _ROW] = y3
        tile[t + _4 * _ROW] = y4
        tile[t + _5 * _ROW] = y5
        tile[t + _6 * _ROW] = y6
        tile[t + _7 * _ROW] = y7


@kernel
def load_rows(A, n, column, width, before, rows, signs, tile):
    """Write columns `column : column + width` of some rows to a tile, half transformed.

    `A` is a C-ordered block flattened to one axis with rows of length `n`; its first `rows` rows
    are rows `before : before + rows` of the tile, the others are zero. `signs` (4096,) multiplies
    the rows and is zero for those that are not there.
    """
    line = max(1, 64 // A.itemsize)
    final = A.shape[0] // n - 1
    for subtile in range(SIDE):
        for group in range(8):
            i = subtile * SIDE + 8 * group
            for r in range(8):
                ahead = min(max(i + r + _AHEAD - before, 0), final) * n + column
                for c in range(0, width, line):
                    prefetch_far(A, np.uintp(ahead + c))
                prefetch_far(A, np.uintp(ahead + width - 1))
            _load_group(A, n, column, width, i, before, rows, signs, tile)
        _sweep_far(tile, np.uintp(subtile) * _SUBTILE, width)


@kernel
def load_columns(A, m, column, width, before, start, rows, signs, tile):
    """Do what `load_rows` does for rows `start : start + rows` of an F-ordered block.

    `A` is flattened to one axis with columns of length `m`.
    """
    line = max(1, 64 // A.itemsize)
    for subtile in range(SIDE):
        base = subtile * SIDE
        low = min(max(base, before), before + rows)
        high = min(max(base + SIDE, before), before + rows)
        for i in range(base * PANEL, (base + SIDE) * PANEL):
            tile[i] = 0
        for c in range(width):
            source = (column + c) * m + start - before
            for ahead in range(high, min(high + SIDE, m - start + before), line):
                prefetch_far(A, np.uintp(source + ahead))
            for i in range(low, high):
                tile[i * PANEL + c] = signs[i] * A[np.uintp(source + i)]
        for group in range(8):
            i8 = np.uintp(base * PANEL) + np.uintp(group) * _EIGHT_ROWS
            _sweep(tile, i8, _ROW, tile, i8, _ROW, width)
        _sweep_far(tile, np.uintp(base * PANEL), width)


@kernel
def load_csc(indptr, indices, data, parts, column, width, before, start, rows, signs, place, tile):
    """Do what `load_rows` does for a CSC block with sorted indices; False if it is all zero.

    `data` has `parts` consecutive reals per entry (2 if complex) and so has a row of the tile.
    `place` (columns,) holds how far each column was read, and is moved on to row `start + rows`.
    """
    empty = True
    for c in range(width):
        if place[c] < indptr[column + c + 1] and indices[place[c]] < start + rows:
            empty = False
    if empty:
        return False
    for i in range(TILE * PANEL):
        tile[i] = 0
    for c in range(width):
        p = place[c]
        stop = indptr[column + c + 1]
        while p < stop and indices[p] < start + rows:
            i = np.int64(indices[p]) - start + before
            for part in range(parts):
                tile[i * PANEL + parts * c + part] = signs[i] * data[parts * p + part]
            p += 1
        place[c] = p
    _transform_subtiles(tile, parts * width)
    return True


@kernel
def add_sampled_rows(tile, width, block, starts, strip_rows, high, strip, out):
    """Finish the transform of a tile and add the sampled rows of H to `out` (d, 64), flattened.

    Sampled rows are sorted by their residue modulo 64: those of residue r are
    `starts[r] : starts[r + 1]`, each with its row of the strip (the next 6 bits) and its `high`
    bits, which with `block`, the index of the tile, decide its sign.
    """
    index = np.uint64(block)
    for residue in range(SIDE):
        if starts[residue] == starts[residue + 1]:
            continue
        _transform_residue(tile, residue, width, strip)
        for k in range(starts[residue], starts[residue + 1]):
            sign = out.dtype.type(1.0 - 2.0 * np.float64(_odd_parity(high[k] & index)))
            source = np.uintp(strip_rows[k]) * _ROW
            target = np.uintp(k) * _ROW
            for c in range(width):
                out[target + np.uintp(c)] += sign * strip[source + np.uintp(c)]


@kernel
def add_sampled_vector(x, before, block, signs, low, high, square, out):
    """Add the sampled entries of the transform of one tile of a vector to `out` (d,).

    `x` is entries `before : before + len(x)` of the tile. `square` is a flattened (64, 64)
    scratch: the tile is a square whose columns, then rows, are transformed, in the order of
    operations of a tile with many columns.
    """
    index = np.uint64(block)
    for i in range(TILE):
        square[i] = 0
    for k in range(x.shape[0]):
        i = k + before
        square[(i % SIDE) * SIDE + i // SIDE] = signs[i] * x[k]
    for half in range(2):
        for group in range(8):
            i = np.uintp(group) * _EIGHT_ROWS
            _sweep(square, i, _ROW, square, i, _ROW, SIDE)
        _sweep_far(square, np.uintp(0), SIDE)
        if half == 0:
            for i in range(SIDE):
                for j in range(i):
                    square[i * SIDE + j], square[j * SIDE + i] = (
                        square[j * SIDE + i],
                        square[i * SIDE + j],
                    )
    for k in range(out.shape[0]):
        sign = out.dtype.type(1.0 - 2.0 * np.float64(_odd_parity(high[k] & index)))
        out[k] += sign * square[low[k]]


@kernel
def spread_rows(Y, column, width, block, low, high, tile):
    """Write the rows of Y to the sampled rows of a zero tile, with signs, and transform half.

    `low`, `high` are the low 12 bits and the rest of each sampled row, in the order of `Y`.
    """
    index = np.uint64(block)
    for i in range(TILE * PANEL):
        tile[i] = 0
    for k in range(Y.shape[0]):
        sign = tile.dtype.type(1.0 - 2.0 * np.float64(_odd_parity(high[k] & index)))
        target = np.uintp(low[k]) * _ROW
        for c in range(width):
            tile[target + np.uintp(c)] += sign * Y[k, column + c]
    _transform_subtiles(tile, width)


@kernel
def store_rows(tile, column, width, before, signs, strip, out):
    """Finish the transform of a tile; write its rows from `before` on, with signs, to `out`."""
    rows = out.shape[0]
    for residue in range(SIDE):
        _transform_residue(tile, residue, width, strip)
        for row in range(SIDE):
            i = row * SIDE + residue
            if before <= i < before + rows:
                sign = signs[i]
                for c in range(width):
                    out[i - before, column + c] = sign * strip[row * PANEL + c]

"""Apply a stacked sparse sign matrix to dense blocks.

The matrix is given by `packed` (zeta, rows) int32 with entries ``(row << 1) | sign bit``, as
`philox.fill_sparse_stack` writes them. Every sum runs over the rows of the block in order, so the
result depends neither on the thread count nor on the layout nor on how rows are chunked.
"""

import numpy as np

from rnla._kernels._jit import kernel, prefetch

# A compile-time width lets LLVM emit straight vector code; 64 doubles are eight cache lines.
PANEL = 64
_WIDTH = np.uintp(PANEL)
# Rows are short pieces far apart, which hardware prefetchers do not follow.
_AHEAD = 32


@kernel
def scatter_panel(A, n, column, packed, scale, first, last, out):
    """Add stacked blocks `first:last` of `S @ A[:, column : column + PANEL]` to `out`.

    `A` is a C-ordered block flattened to one axis with rows of length `n`; `out` is a flattened
    (d, PANEL) scratch, 64-byte aligned (a misaligned one doubles the time).
    """
    rows = packed.shape[1]
    line = max(1, 64 // A.itemsize)
    for i in range(rows):
        source = np.uintp(i * n + column)
        ahead = np.uintp(min(i + _AHEAD, rows - 1) * n + column)
        for c in range(0, PANEL, line):
            prefetch(A, ahead + np.uintp(c))
        for k in range(first, last):
            entry = packed[k, i]
            target = np.uintp(entry >> 1) * _WIDTH
            sign = scale * (1.0 - 2.0 * (entry & 1))
            weight = out.dtype.type(sign)
            for c in range(PANEL):
                out[target + np.uintp(c)] += weight * A[source + np.uintp(c)]


@kernel
def pack_columns(AT, column, width, start, stop, out):
    """Copy rows `start:stop` of `width` columns of an F-ordered A (`AT` is A.T) to C order."""
    for c in range(width):
        source = AT[column + c]
        for i in range(start, stop):
            out[i - start, c] = source[i]


@kernel
def scatter_rows(A, packed, scale, low, high, out):
    """Add the rows `low:high` of `S @ A` to those of `out` (d, n), reading A row by row.

    `A` is a C-ordered block flattened to one axis, and so is `out`: flat indices vectorise better.
    """
    zeta, rows = packed.shape
    n = len(A) // rows
    for i in range(rows):
        source = np.uintp(i * n)
        for k in range(zeta):
            entry = packed[k, i]
            row = entry >> 1
            if row < low or row >= high:
                continue
            target = np.uintp(row) * np.uintp(n)
            sign = scale * (1.0 - 2.0 * (entry & 1))
            weight = out.dtype.type(sign)
            for c in range(n):
                out[target + np.uintp(c)] += weight * A[source + np.uintp(c)]


@kernel
def gather_rows(Y, packed, scale, out):
    """Write `S.T @ Y` for the rows of `packed` to `out` (rows, k)."""
    zeta, rows = packed.shape
    width = Y.shape[1]
    for i in range(rows):
        for j in range(width):
            out[i, j] = 0
        for k in range(zeta):
            entry = packed[k, i]
            row = np.uintp(entry >> 1)
            weight = out.dtype.type(scale * (1.0 - 2.0 * (entry & 1)))
            for j in range(width):
                out[i, j] += weight * Y[row, j]

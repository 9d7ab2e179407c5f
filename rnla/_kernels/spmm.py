"""Products of CSR rows with a block of columns.

The sums of a row are formed in the order of its stored entries: the result does not depend on how
rows and columns are shared out.
"""

import numpy as np

from rnla._kernels._jit import kernel
from rnla._kernels._vector import row_sums

_1 = np.uintp(1)
_2 = np.uintp(2)
_3 = np.uintp(3)
_4 = np.uintp(4)

_sums_2 = row_sums(2)
_sums_4 = row_sums(4)
_sums_8 = row_sums(8)
_sums_16 = row_sums(16)


@kernel
def multiply_column(indptr, indices, data, X, width, column, zero, out):
    """Write one column of ``A @ X`` to `out` for the rows of A that `indptr` points to.

    `X` (n, width) and `out` (rows, width) are C-ordered and flattened to one axis; `zero` is that
    of their dtype. Unsigned indices spare the test for negative ones.
    """
    b, c = np.uintp(width), np.uintp(column)
    for i in range(indptr.shape[0] - 1):
        row = np.uintp(i)
        p, stop = np.uintp(indptr[row]), np.uintp(indptr[row + _1])
        s = zero
        while p < stop:
            s += data[p] * X[np.uintp(indices[p]) * b + c]
            p += _1
        out[row * b + c] = s


@kernel
def multiply_two_columns(indptr, indices, data, X, width, column, zero, out):
    """Write two columns of ``A @ X`` to `out`, like `multiply_column`; for complex numbers."""
    b, c = np.uintp(width), np.uintp(column)
    for i in range(indptr.shape[0] - 1):
        row = np.uintp(i)
        p, stop = np.uintp(indptr[row]), np.uintp(indptr[row + _1])
        s0, s1 = zero, zero
        while p < stop:
            v, t = data[p], np.uintp(indices[p]) * b + c
            s0 += v * X[t]
            s1 += v * X[t + _1]
            p += _1
        t = row * b + c
        out[t], out[t + _1] = s0, s1


@kernel
def multiply_rows_wide(indptr, indices, data, X, out):
    """Write all columns of ``A @ X`` to `out` (rows, b); both are C-ordered; for complex ones."""
    width = out.shape[1]
    for i in range(indptr.shape[0] - 1):
        row = np.uintp(i)
        p, stop = np.uintp(indptr[row]), np.uintp(indptr[row + _1])
        for c in range(width):
            out[row, np.uintp(c)] = 0
        while p + _3 < stop:
            v0, v1, v2, v3 = data[p], data[p + _1], data[p + _2], data[p + _3]
            j0, j1 = np.uintp(indices[p]), np.uintp(indices[p + _1])
            j2, j3 = np.uintp(indices[p + _2]), np.uintp(indices[p + _3])
            for c in range(width):
                u = np.uintp(c)
                out[row, u] = (
                    out[row, u] + v0 * X[j0, u] + v1 * X[j1, u] + v2 * X[j2, u] + v3 * X[j3, u]
                )
            p += _4
        while p < stop:
            v, j = data[p], np.uintp(indices[p])
            for c in range(width):
                u = np.uintp(c)
                out[row, u] += v * X[j, u]
            p += _1


@kernel
def multiply_columns(indptr, indices, data, X, width, column, count, out):
    """Write 2, 4, 8 or 16 columns of ``A @ X`` to `out`, like `multiply_column`; for real ones."""
    b, c = np.uintp(width), np.uintp(column)
    for i in range(indptr.shape[0] - 1):
        row = np.uintp(i)
        p, stop = np.intp(indptr[row]), np.intp(indptr[row + _1])
        t = row * b + c
        if count == 16:
            _sums_16(indices, data, X, b, c, p, stop, out, t)
        elif count == 8:
            _sums_8(indices, data, X, b, c, p, stop, out, t)
        elif count == 4:
            _sums_4(indices, data, X, b, c, p, stop, out, t)
        else:
            _sums_2(indices, data, X, b, c, p, stop, out, t)


@kernel
def recur(out, X, Y, scale, shift):
    """Overwrite `out` with ``scale * (out - shift * X) - Y``; all are flattened alike."""
    for i in range(out.shape[0]):
        t = np.uintp(i)
        out[t] = scale * (out[t] - shift * X[t]) - Y[t]

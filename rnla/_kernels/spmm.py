"""Products of CSR rows with a block of columns.

The sums of a row are formed in the order of its stored entries: the result does not depend on how
rows and columns are shared out.
"""

import numpy as np

from rnla._kernels._atomic import add, exchange, load
from rnla._kernels._jit import kernel
from rnla._kernels._vector import row_sums

# Where a counter lies that others than the first one wait for: on a cache line of its own.
DONE = 8

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


@kernel
def shift(out, X, scale, shift):
    """Overwrite `out` with ``scale * (out - shift * X)``; both are flattened alike."""
    for i in range(out.shape[0]):
        t = np.uintp(i)
        out[t] = scale * (out[t] - shift * X[t])


@kernel
def _multiply_all(A, start, stop, X, width, out):
    """Write all columns of ``A @ X`` to `out`, for the rows of A from `start` to `stop`."""
    indptr, indices, data = A
    rows, target = indptr[start : stop + 1], out[start * width : stop * width]
    column = 0
    while column < width:
        left = width - column
        count = 16 if left >= 16 else 8 if left >= 8 else 4 if left >= 4 else 2 if left >= 2 else 1
        if count == 1:
            multiply_column(rows, indices, data, X, width, column, X[0] - X[0], target)
        else:
            multiply_columns(rows, indices, data, X, width, column, count, target)
        column += count


@kernel
def _product_part(A, start, end, rows, X, width, out):
    """Write some rows of ``A @ X`` to `out`, a few at a time."""
    while start < end:
        stop = min(end, start + rows)
        _multiply_all(A, start, stop, X, width, out)
        start = stop


@kernel
def _step_part(A, start, end, rows, source, X, before, width, scale, center, first, out):
    """Write some rows of ``scale (A @ source - center X) - before`` to `out`, a few at a time.

    In the `first` step there is nothing before.
    """
    while start < end:
        stop = min(end, start + rows)
        _multiply_all(A, start, stop, source, width, out)
        a, b = start * width, stop * width
        if first:
            shift(out[a:b], X[a:b], scale, center)
        else:
            recur(out[a:b], X[a:b], before[a:b], scale, center)
        start = stop


@kernel
def chebyshev_turns(matrices, cuts, rows, blocks, between, width, degree, scales, counters, looks):
    """Take part in ``X_d = T_d(scale (A - center I)) X_0``; tell whether that is done.

    `blocks` (3, n width) holds X_0 and gets X_j at ``j % 3``. A is the second of `matrices`, or
    their product, where `between` has room for what the first one makes; else that is empty. Each
    is cut in parts at `cuts`, and `rows` are multiplied at a time; `scales` are
    ``scale, 2 scale, center``. Whoever asks takes the next part, once the product before is
    complete: `counters` hold how many parts were taken, and at `DONE` how many are complete. After
    so many `looks` in vain the kernel returns.
    """
    scale, twice, center = scales
    parts, halves = cuts[1].shape[0] - 1, 2 if between.shape[0] > 0 else 1
    total, vain = degree * halves * parts, 0
    while vain < looks:
        taken, done = load(counters, 0), load(counters, DONE)
        if done >= total:
            return True
        turn = taken // parts
        if taken >= total or done < turn * parts:
            vain += 1
            continue
        if not exchange(counters, 0, taken, taken + 1):
            continue
        vain, part, step = 0, taken - turn * parts, turn // halves
        now, out, before = blocks[step % 3], blocks[(step + 1) % 3], blocks[(step + 2) % 3]
        if halves == 2 and turn % 2 == 0:
            start, end = cuts[0][part], cuts[0][part + 1]
            _product_part(matrices[0], start, end, rows, now, width, between)
        else:
            source = between if halves == 2 else now
            start, end = cuts[1][part], cuts[1][part + 1]
            _step_part(
                matrices[1], start, end, rows, source, now, before, width,
                scale if step == 0 else twice, center, step == 0, out,
            )  # fmt: skip
        add(counters, DONE, 1)
    return False

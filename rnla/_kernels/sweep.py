"""One reading of A for two products: ``g += A^H y`` with ``y = A x`` or ``y = b - A x``.

Vectors are double precision whatever A is stored in. `residual` chooses the second form; without
it `b` may be empty. If `root` is not empty, row i of A counts as ``root[i]`` times itself. Each
function returns ``sum(abs(y)**2)``.

The products g are added up in `sums`, zeros of shape (levels, ...), whose sum over the levels is
g: short runs of rows, runs of runs, and so on. One long sum would lose the square root of its
length against Householder QR, whose forward error these products decide.
"""

import numpy as np

from rnla._kernels._jit import kernel, prefetch, reduction_kernel

# Where the rows in work and those that follow fit in L1, the latter are asked for early: nobody
# would ask for them while the second product works in L1, a third of the time.
_SHORT_ROW = 400
_AHEAD = 1024
# In Fortran order, where a piece of a column ends before the prefetcher runs: in columns.
_COLUMNS_AHEAD = 2
# Rows in a run, and sums of a level that make one of the next.
LEVELS, _RUN, _FAN = 4, 128, 16
# In sparse rows a run has so many entries per column, on average.
_ENTRIES = 8


@kernel
def carry(sums, count):
    """Move full sums up after `count` runs; a level is full after `_FAN` sums of the one below."""
    full = 1
    for level in range(sums.shape[0] - 1):
        if count % full:
            return
        for j in range(sums.shape[1]):
            sums[level + 1, j] += sums[level, j]
            sums[level, j] = 0
        full *= _FAN


@reduction_kernel
def sweep_rows(A, x, b, root, residual, sums):
    """Sweep a real C-ordered block `A` (rows, n)."""
    m, n = A.shape
    flat = A.reshape(m * n)
    line = max(1, 64 // A.itemsize)
    weighted = root.shape[0] > 0
    g = sums[0]
    squares = 0.0
    for q in range(m // 4):
        i = 4 * q
        s0 = 0.0
        s1 = 0.0
        s2 = 0.0
        s3 = 0.0
        if n <= _SHORT_ROW:
            start = i * n + max(4 * n, _AHEAD)
            for k in range(start, min(start + 4 * n, m * n), line):
                prefetch(flat, k)
        for j in range(n):
            t = x[j]
            s0 += A[i, j] * t
            s1 += A[i + 1, j] * t
            s2 += A[i + 2, j] * t
            s3 += A[i + 3, j] * t
        if weighted:
            s0 *= root[i]
            s1 *= root[i + 1]
            s2 *= root[i + 2]
            s3 *= root[i + 3]
        if residual:
            s0 = b[i] - s0
            s1 = b[i + 1] - s1
            s2 = b[i + 2] - s2
            s3 = b[i + 3] - s3
        squares += s0 * s0 + s1 * s1 + s2 * s2 + s3 * s3
        if weighted:
            s0 *= root[i]
            s1 *= root[i + 1]
            s2 *= root[i + 2]
            s3 *= root[i + 3]
        for j in range(n):
            g[j] += s0 * A[i, j] + s1 * A[i + 1, j] + s2 * A[i + 2, j] + s3 * A[i + 3, j]
        if (i + 4) % _RUN == 0:
            carry(sums, (i + 4) // _RUN)
    for i in range(4 * (m // 4), m):
        s0 = 0.0
        for j in range(n):
            s0 += A[i, j] * x[j]
        if weighted:
            s0 *= root[i]
        if residual:
            s0 = b[i] - s0
        squares += s0 * s0
        if weighted:
            s0 *= root[i]
        for j in range(n):
            g[j] += s0 * A[i, j]
    return squares


@reduction_kernel
def sweep_rows_pair(A, X, B, root, residual, sums):
    """Sweep a real C-ordered block with two vectors at once: `X` (2, n), `B` (rows, 2).

    The levels of `sums` are (2, n).

    A complex block is its real view with twice the columns, and a complex vector a pair.
    """
    m, n = A.shape
    flat = A.reshape(m * n)
    line = max(1, 64 // A.itemsize)
    weighted = root.shape[0] > 0
    G = sums[0]
    rows_of_sums = sums.reshape(sums.shape[0], 2 * n)
    squares = 0.0
    for q in range(m // 2):
        i = 2 * q
        s0 = 0.0
        s1 = 0.0
        t0 = 0.0
        t1 = 0.0
        if n <= _SHORT_ROW:
            start = i * n + max(2 * n, _AHEAD)
            for k in range(start, min(start + 2 * n, m * n), line):
                prefetch(flat, k)
        for j in range(n):
            a = A[i, j]
            s0 += a * X[0, j]
            t0 += a * X[1, j]
        for j in range(n):
            a = A[i + 1, j]
            s1 += a * X[0, j]
            t1 += a * X[1, j]
        if weighted:
            s0 *= root[i]
            t0 *= root[i]
            s1 *= root[i + 1]
            t1 *= root[i + 1]
        if residual:
            s0 = B[i, 0] - s0
            t0 = B[i, 1] - t0
            s1 = B[i + 1, 0] - s1
            t1 = B[i + 1, 1] - t1
        squares += s0 * s0 + t0 * t0 + s1 * s1 + t1 * t1
        if weighted:
            s0 *= root[i]
            t0 *= root[i]
            s1 *= root[i + 1]
            t1 *= root[i + 1]
        for j in range(n):
            a = A[i, j]
            c = A[i + 1, j]
            G[0, j] += s0 * a + s1 * c
            G[1, j] += t0 * a + t1 * c
        if (i + 2) % _RUN == 0:
            carry(rows_of_sums, (i + 2) // _RUN)
    for i in range(2 * (m // 2), m):
        s0 = 0.0
        t0 = 0.0
        for j in range(n):
            a = A[i, j]
            s0 += a * X[0, j]
            t0 += a * X[1, j]
        if weighted:
            s0 *= root[i]
            t0 *= root[i]
        if residual:
            s0 = B[i, 0] - s0
            t0 = B[i, 1] - t0
        squares += s0 * s0 + t0 * t0
        if weighted:
            s0 *= root[i]
            t0 *= root[i]
        for j in range(n):
            a = A[i, j]
            G[0, j] += s0 * a
            G[1, j] += t0 * a
    return squares


@reduction_kernel
def sweep_columns(AT, start, stop, x, b, root, residual, y, sums):
    """Sweep rows `start:stop` of an F-ordered A, given as `AT` = A.T; `y` is scratch."""
    n, m = AT.shape
    flat = AT.reshape(n * m)
    line = max(1, 64 // AT.itemsize)
    rows = y.shape[0]
    weighted = root.shape[0] > 0
    g = sums[0]
    squares = 0.0
    for first in range(start, stop, rows):
        count = min(rows, stop - first)
        for i in range(count):
            y[i] = 0
        for j in range(n):
            # A slice starts at zero, which is what lets the loop vectorise.
            column = AT[j, first : first + count]
            ahead = min(j + _COLUMNS_AHEAD, n - 1) * m + first
            for k in range(ahead, ahead + count, line):
                prefetch(flat, k)
            t = x[j]
            for i in range(count):
                y[i] += column[i] * t
        if weighted:
            for i in range(count):
                y[i] *= root[first + i]
        if residual:
            for i in range(count):
                y[i] = b[first + i] - y[i]
        # A sum in a loop of its own: beside stores, its order would depend on where arrays lie.
        for i in range(count):
            squares += y[i].real * y[i].real + y[i].imag * y[i].imag
        if weighted:
            for i in range(count):
                y[i] *= root[first + i]
        for j in range(n):
            column = AT[j, first : first + count]
            s = y[0] * 0
            for i in range(count):
                s += np.conj(column[i]) * y[i]
            g[j] += s
        carry(sums, (first - start) // rows + 1)
    return squares


@reduction_kernel
def sweep_csr(indptr, indices, data, x, b, root, residual, sums):
    """Sweep a CSR block, real or complex, whose `indptr` points into `indices` and `data`.

    With an empty `x`, `b` takes the place of y: then it is ``g += A^H b``.
    """
    weighted = root.shape[0] > 0
    given = x.shape[0] == 0
    g = sums[0]
    run = _ENTRIES * g.shape[0]
    count, full = 0, indptr[0] + run
    squares = 0.0
    for i in range(indptr.shape[0] - 1):
        start, stop = indptr[i], indptr[i + 1]
        s = g[0] * 0
        if not given:
            for k in range(start, stop):
                s += data[k] * x[np.uintp(indices[k])]
        if weighted:
            s *= root[i]
        if residual:
            s = b[i] - s
        squares += s.real * s.real + s.imag * s.imag
        if weighted:
            s *= root[i]
        for k in range(start, stop):
            g[np.uintp(indices[k])] += np.conj(data[k]) * s
        if stop >= full:
            count += 1
            carry(sums, count)
            full = stop + run
    return squares


@reduction_kernel
def sweep_csr_block(indptr, indices, data, X, B, root, residual, y, squares, sums):
    """Sweep a CSR block with all columns of `X` (n, k), `B` (rows, k); `y` (k,) is scratch.

    Adds to `squares` (k,) instead of returning them; the levels of `sums` are n * k long. With
    an empty `X`, `B` takes the place of y.
    """
    k = y.shape[0]
    weighted = root.shape[0] > 0
    given = X.shape[0] == 0
    g = sums[0].reshape(sums.shape[1] // k, k)
    run = _ENTRIES * g.shape[0]
    count, full = 0, indptr[0] + run
    for i in range(indptr.shape[0] - 1):
        start, stop = indptr[i], indptr[i + 1]
        for j in range(k):
            y[j] = 0
        if not given:
            for p in range(start, stop):
                row = X[np.uintp(indices[p])]
                a = data[p]
                for j in range(k):
                    y[j] += a * row[j]
        if weighted:
            for j in range(k):
                y[j] *= root[i]
        if residual:
            for j in range(k):
                y[j] = B[i, j] - y[j]
        for j in range(k):
            squares[j] += y[j].real * y[j].real + y[j].imag * y[j].imag
        if weighted:
            for j in range(k):
                y[j] *= root[i]
        for p in range(start, stop):
            row = g[np.uintp(indices[p])]
            a = np.conj(data[p])
            for j in range(k):
                row[j] += a * y[j]
        if stop >= full:
            count += 1
            carry(sums, count)
            full = stop + run


@reduction_kernel
def multiply_rows(M, x, out):
    """Write `M @ x` for a small C-ordered matrix, real or complex."""
    rows, n = M.shape
    for i in range(rows):
        s = out[i] * 0
        for j in range(n):
            s += M[i, j] * x[j]
        out[i] = s

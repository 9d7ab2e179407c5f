"""Products of a small generated matrix with dense and CSR blocks, summed in the order of rows.

Every entry of the result is one running sum over the rows of the block, multiplied and added one
after the other, so it depends neither on the layout nor on how rows are chunked. This runs as fast
as one thread of OpenBLAS, whose sums change with the number of threads.
"""

import numpy as np

from rnla._kernels._jit import kernel

PANEL = 64

_ROW = np.uintp(PANEL)
_2 = np.uintp(2)
_3 = np.uintp(3)


@kernel
def add_products(tile, A, n, column, width, rows, out):
    """Add ``tile[:rows].T @ A[:rows, column : column + width]`` to `out`.

    `A` is a C-ordered block flattened to one axis with rows of length `n`. `tile` has a multiple of
    four rows and columns and is zero from row `rows` on; `out` is a flattened (columns of `tile`,
    64) scratch. The stride of `out` is known when this is compiled, which is what lets LLVM keep
    sixteen factors in registers.
    """
    last = rows - 1
    for r in range(0, tile.shape[1], 4):
        target = np.uintp(r) * _ROW
        for i in range(0, rows, 4):
            a0, a1, a2, a3 = tile[i, r], tile[i, r + 1], tile[i, r + 2], tile[i, r + 3]
            i1, i2, i3 = i + 1, i + 2, i + 3
            b0, b1, b2, b3 = tile[i1, r], tile[i1, r + 1], tile[i1, r + 2], tile[i1, r + 3]
            c0, c1, c2, c3 = tile[i2, r], tile[i2, r + 1], tile[i2, r + 2], tile[i2, r + 3]
            d0, d1, d2, d3 = tile[i3, r], tile[i3, r + 1], tile[i3, r + 2], tile[i3, r + 3]
            # Rows past the last have factors zero, and any row may stand for them.
            s0 = np.uintp(i * n + column)
            s1 = np.uintp(min(i1, last) * n + column)
            s2 = np.uintp(min(i2, last) * n + column)
            s3 = np.uintp(min(i3, last) * n + column)
            for c in range(width):
                u = np.uintp(c)
                t = target + u
                x0, x1, x2, x3 = A[s0 + u], A[s1 + u], A[s2 + u], A[s3 + u]
                out[t] = out[t] + a0 * x0 + b0 * x1 + c0 * x2 + d0 * x3
                t1 = t + _ROW
                out[t1] = out[t1] + a1 * x0 + b1 * x1 + c1 * x2 + d1 * x3
                t2 = t + _2 * _ROW
                out[t2] = out[t2] + a2 * x0 + b2 * x1 + c2 * x2 + d2 * x3
                t3 = t + _3 * _ROW
                out[t3] = out[t3] + a3 * x0 + b3 * x1 + c3 * x2 + d3 * x3


@kernel
def add_csr_products(indptr, indices, data, tile, out):
    """Add ``A.T @ tile[: len(indptr) - 1]`` to `out` (n, columns of `tile`) for a CSR block A.

    `indptr` points into `indices`, `data`.
    """
    for i in range(indptr.shape[0] - 1):
        for p in range(indptr[i], indptr[i + 1]):
            j = np.uintp(indices[p])
            value = data[p]
            for c in range(out.shape[1]):
                out[j, c] += value * tile[i, c]

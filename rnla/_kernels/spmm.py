"""Products of CSR rows with a dense block.

Each row of the result is summed in registers, eight columns at a time, in the order of the stored
entries: the result does not depend on how rows are shared out.
"""

import numpy as np

from rnla._kernels._jit import kernel

_1 = np.uintp(1)
_2 = np.uintp(2)
_3 = np.uintp(3)
_4 = np.uintp(4)
_5 = np.uintp(5)
_6 = np.uintp(6)
_7 = np.uintp(7)


@kernel
def multiply_csr_rows(indptr, indices, data, X, width, zero, out):
    """Write ``A @ X`` to `out` for the rows of A that `indptr` points to.

    `X` (n, width) and `out` (rows, width) are C-ordered and flattened to one axis; `zero` is that
    of their dtype.
    """
    b = np.uintp(width)
    eights = width - width % 8
    fours = eights + (width - eights) // 4 * 4
    for i in range(indptr.shape[0] - 1):
        start, stop = indptr[i], indptr[i + 1]
        row = np.uintp(i) * b
        for c in range(0, eights, 8):
            u = np.uintp(c)
            s0, s1, s2, s3 = zero, zero, zero, zero
            s4, s5, s6, s7 = zero, zero, zero, zero
            for p in range(start, stop):
                v = data[p]
                t = np.uintp(indices[p]) * b + u
                s0 += v * X[t]
                s1 += v * X[t + _1]
                s2 += v * X[t + _2]
                s3 += v * X[t + _3]
                s4 += v * X[t + _4]
                s5 += v * X[t + _5]
                s6 += v * X[t + _6]
                s7 += v * X[t + _7]
            t = row + u
            out[t], out[t + _1], out[t + _2], out[t + _3] = s0, s1, s2, s3
            out[t + _4], out[t + _5], out[t + _6], out[t + _7] = s4, s5, s6, s7
        for c in range(eights, fours, 4):
            u = np.uintp(c)
            s0, s1, s2, s3 = zero, zero, zero, zero
            for p in range(start, stop):
                v = data[p]
                t = np.uintp(indices[p]) * b + u
                s0 += v * X[t]
                s1 += v * X[t + _1]
                s2 += v * X[t + _2]
                s3 += v * X[t + _3]
            t = row + u
            out[t], out[t + _1], out[t + _2], out[t + _3] = s0, s1, s2, s3
        for c in range(fours, width):
            u = np.uintp(c)
            s0 = zero
            for p in range(start, stop):
                s0 += data[p] * X[np.uintp(indices[p]) * b + u]
            out[row + u] = s0

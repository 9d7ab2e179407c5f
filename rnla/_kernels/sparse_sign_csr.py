"""Apply a stacked sparse sign matrix to CSR blocks; `packed` as in `sparse_sign`."""

import numpy as np

from rnla._kernels._jit import kernel


@kernel
def scatter_csr(indptr, indices, data, packed, scale, first, last, out):
    """Add the part of `S @ A` in stacked blocks `first:last` to `out` (d, n).

    `indptr` has one entry more than `packed` has columns and points into `indices`, `data`.
    A thread owns whole stacked blocks, that is rows of `out`, so nothing is written twice.
    """
    rows = packed.shape[1]
    for i in range(rows):
        for k in range(first, last):
            entry = packed[k, i]
            row = np.uintp(entry >> 1)
            weight = out.dtype.type(scale * (1.0 - 2.0 * (entry & 1)))
            for p in range(indptr[i], indptr[i + 1]):
                out[row, np.uintp(indices[p])] += weight * data[p]

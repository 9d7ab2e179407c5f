"""The Gram matrix of a sparse matrix by rows: every pair of entries of a row is one update."""

import numpy as np

from rnla._kernels._jit import kernel


@kernel
def add_gram_rows(indptr, indices, data, root, share, shares, G):
    """Add the upper triangle of ``A^H A`` to `G` (n, n), in rows ``share, share + shares, ...``.

    The columns within each row of A are sorted. If `root` is not empty, row i of A counts as
    ``root[i]`` times itself.
    """
    weighted = root.shape[0] > 0
    n = np.uintp(G.shape[1])
    flat = G.reshape(G.size)
    for i in range(indptr.shape[0] - 1):
        stop = indptr[i + 1]
        for p in range(indptr[i], stop):
            row = indices[p]
            if row % shares != share:
                continue
            factor = np.conj(data[p])
            if weighted:
                factor *= root[i] * root[i]
            target = np.uintp(row) * n
            for q in range(p, stop):
                flat[target + np.uintp(indices[q])] += factor * data[q]

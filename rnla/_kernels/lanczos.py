"""The three-term recurrence of Lanczos, with its sums, in three sweeps over vectors in cache."""

import numpy as np

from rnla._kernels._jit import reduction_kernel


@reduction_kernel
def three_terms(w, v, before, beta, one):
    """Overwrite `w` with ``w - beta before - a v``, ``a = v* w``; return `a` and ``||w||^2``.

    What rounding leaves of w along v is taken away once more. `one` is that of the double precision
    in which sums are formed, real or complex as the vectors are.
    """
    a = 0.0 * one
    for i in range(w.shape[0]):
        x = w[i] - beta * before[i]
        w[i] = x
        a += one * np.conj(v[i]) * x
    rest = 0.0 * one
    for i in range(w.shape[0]):
        x = w[i] - a * v[i]
        w[i] = x
        rest += one * np.conj(v[i]) * x
    square = 0.0
    for i in range(w.shape[0]):
        x = one * w[i] - rest * v[i]
        w[i] = x
        square += x.real * x.real + x.imag * x.imag
    return a + rest, square

"""Substitutions, and the norms of a triangle and of its inverse."""

import numpy as np

from rnla._kernels._jit import reduction_kernel


@reduction_kernel
def solve_upper(R, x):
    """Overwrite `x` by the solution of ``R z = x`` with the upper triangle of C-ordered `R`."""
    n = x.shape[0]
    for i in range(n - 1, -1, -1):
        s = x[i]
        row = R[i, i + 1 :]
        tail = x[i + 1 :]
        for j in range(row.shape[0]):
            s -= row[j] * tail[j]
        x[i] = s / R[i, i]


@reduction_kernel
def solve_lower(L, x):
    """Overwrite `x` by the solution of ``L z = x`` with the lower triangle of C-ordered `L`."""
    n = x.shape[0]
    for i in range(n):
        s = x[i]
        row = L[i, :i]
        for j in range(i):
            s -= row[j] * x[j]
        x[i] = s / L[i, i]


@reduction_kernel
def _multiply_upper(R, x):
    """Overwrite `x` by ``R x``, of the upper triangle."""
    n = x.shape[0]
    for i in range(n):
        s = R[i, i] * x[i]
        row = R[i, i + 1 :]
        tail = x[i + 1 :]
        for j in range(row.shape[0]):
            s += row[j] * tail[j]
        x[i] = s


@reduction_kernel
def _multiply_lower(L, x):
    """Overwrite `x` by ``L x``, of the lower triangle."""
    for i in range(x.shape[0] - 1, -1, -1):
        s = L[i, i] * x[i]
        row = L[i, :i]
        for j in range(i):
            s += row[j] * x[j]
        x[i] = s


@reduction_kernel
def _size(x):
    squares = 0.0
    for i in range(x.shape[0]):
        squares += x[i].real * x[i].real + x[i].imag * x[i].imag
    return np.sqrt(squares)


@reduction_kernel
def stretch(upper, lower, x, steps, inverse):
    """Return the norm of a triangle, or of its inverse, by power iteration from `x`: from below.

    `upper` is R and `lower` its adjoint, both C-ordered; `x` is overwritten. Infinity where a
    product overflows or vanishes.
    """
    largest = 0.0
    for _ in range(steps):
        length = _size(x)
        if not 0 < length < np.inf:
            return np.inf
        for i in range(x.shape[0]):
            x[i] /= length
        # The inverse of R R^H has the same norms and meets its large directions first.
        if inverse:
            solve_lower(lower, x)
        else:
            _multiply_upper(upper, x)
        length = _size(x)
        if not 0 < length < np.inf:
            return np.inf
        largest = max(largest, length)
        if inverse:
            solve_upper(upper, x)
        else:
            _multiply_lower(lower, x)
    return largest

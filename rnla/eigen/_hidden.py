"""How likely it is that a random block hides an eigenvector from its Krylov space.

The blocks of a Lanczos recurrence ``A Q_j = Q_{j-1} B_{j-1}^H + Q_j A_j + Q_{j+1} B_j`` and an
eigenvector x with eigenvalue l make rows ``y_j = x^H Q_j`` that obey the same recurrence,
``y_{j+1} B_j = y_j (l - A_j) - y_{j-1} B_{j-1}^H``. Together: ``y (l - T) = y_{m+1} B_m E_m^H`` for
the row y of all of them but the last one, so that

    ``y_1 = y_{m+1} B_m E_m^H (l - T)^-1 E_1,    |y_1| <= || B_m E_m^H (l - T)^-1 E_1 || = r``,

for no row is longer than one. The bound r falls with m, and with l beyond the largest eigenvalue of
T: strictly for one column, and all but so for random blocks of more. That a random block has so
short a part of x has a chance of at most the volume of the ball with radius r, times the largest
density of y_1: that of b normal variables with variance 1/n. What the recurrence rounds, or leaves
out, moves the center of the ball, and no center is more likely.

If k pairs have residuals R, A differs by no more than ``||R||`` from an operator that has their
values and those of its compression to the complement (Weyl): if this one has none beyond l, nothing
is missed beyond ``l + ||R||``. For the recurrence see [1]_, section 10.1.

.. [1] G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., Johns Hopkins, 2013.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import lgamma

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

# Digits of the certainty that eigenvectors are not hidden from a random block.
UNLIKELY = 6.0


def log_chance(
    T: NDArray[np.inexact], coupling: NDArray[np.inexact], ends: Iterable[tuple[int, float]], n: int
) -> float:
    """Return the decimal logarithm of a bound on the chance that an eigenvector is hidden.

    Parameters
    ----------
    T : ndarray, shape (m b, m b)
        Block tridiagonal: the projection of A on a Krylov space of a random block.
    coupling : ndarray, shape (c, b)
        ``B_m``, from the last block to the next one.
    ends : iterable of (int, float)
        Signs s and limits t: for one of them s times the eigenvalue is at least s times t.
    n : int
        Rows of the block.

    Returns
    -------
    float
        At most zero: that says nothing, as where blocks have not all b columns, or a Ritz value is
        beyond one of the limits and something may well be there.
    """
    (rows, width), size = coupling.shape, len(T)
    if rows != width or not width or not size or size % width:
        return 0.0
    parts = 2 if T.dtype.kind == "c" else 1
    half, first = 0.5 * parts * width, np.eye(size, width)
    chance = -np.inf
    for sign, limit in ends:
        try:
            L = np.linalg.cholesky(sign * (limit * np.eye(size) - T))
        except np.linalg.LinAlgError:
            return 0.0
        last = solve_triangular(L, first, lower=True)[-width:]
        last = solve_triangular(L[-width:, -width:], last, lower=True, trans="C")
        # What is shorter rounding has made, if only of double precision.
        radius = max(float(np.linalg.norm(coupling @ last, 2)), np.finfo(np.float64).eps)
        ball = half * np.log(0.5 * parts * n) - lgamma(half + 1)
        chance = max(chance, ball + 2 * half * np.log(radius))
    return min(float(chance / np.log(10.0)), 0.0)

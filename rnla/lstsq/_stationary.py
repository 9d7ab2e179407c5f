"""Stationary refinement: the same correction in every step, certified every time."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._forward import ForwardError
from rnla.lstsq._path_operators import PathCertificate, PathNormal, PathPreconditioner
from rnla.lstsq._rounds import certified

# Updates in a row that may fail to shrink by this factor against the last that did.
_SHRINK = 0.9
_PATIENCE = 3
# With momentum updates swing: the largest of this many counts, not one near a zero of its swing.
_SWING = 10


def stationary(
    A: NormalOperator | PathNormal,
    B: NDArray[Any],
    X: NDArray[Any],
    P: Preconditioner | PathPreconditioner,
    certificate: KarlsonWalden | PathCertificate,
    tolerance: float,
    *,
    damping: float = 1.0,
    momentum: float = 0.0,
    forward: ForwardError | None = None,
) -> Iteration:
    """Yield the states of ``x <- x + alpha P P^H A^H (b - A x) + beta (x - x_old)``.

    One reading of A per step. With the Cholesky factor of the Gram matrix it contracts by about
    ``cond(A)**2 * eps``; with the factor of a sketch by ``sqrt(n / d)`` or so, and then it is
    iterative sketching [1]_, which is forward but not backward stable.

    Parameters
    ----------
    A : NormalOperator
        The matrix, (m, n).
    B : ndarray, shape (m, k)
        Right-hand sides.
    X : ndarray, shape (n, k)
        Start: the surrogate's solution.
    P : Preconditioner
        From the surrogate's factor.
    certificate : KarlsonWalden or PathCertificate
        Of `P`.
    tolerance : float
        Relative backward error that is wanted.
    damping, momentum : float
        The factors alpha and beta.
    forward : ForwardError or None
        Knows which columns are worth another step, although their error is as small as wanted.

    Yields
    ------
    State
        After the start and every step.

    References
    ----------
    .. [1] E. N. Epperly, "Fast and forward stable randomized algorithms for linear least-squares
       problems", SIAM J. Matrix Anal. Appl. 45 (2024), arXiv:2311.04362.
    """
    now = certified(A, B, X, certificate, tolerance)
    dY: Any = 0.0
    smallest = np.full(X.shape[1], np.inf)
    stop = yield now.state(0, None if forward is None else forward.judge(now))
    n_iter, flat = 0, 0
    window = _SWING if momentum else 1
    sizes: deque[Any] = deque(maxlen=window)
    while not stop and flat < _PATIENCE + window - 1:
        n_iter += 1
        dY = damping * P.rmatmat(now.G) + momentum * dY
        now = certified(A, B, now.X + P.matmat(dY), certificate, tolerance)
        stop = yield now.state(n_iter, None if forward is None else forward.judge(now))
        # The update, unlike the backward error, falls in every step until rounding stops it.
        sizes.append(np.linalg.norm(dY, axis=0))
        size = np.max(sizes, axis=0)
        shrunk = size < _SHRINK * smallest
        flat = 0 if shrunk.any() else flat + 1
        smallest = np.where(shrunk, size, smallest)

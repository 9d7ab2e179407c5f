"""Tiny real problems: one compiled call, because Python's own time would exceed the solution's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.results import LstsqResult
from rnla._core.status import Status
from rnla._kernels.small_lstsq import SOLVED, solve_small, solve_small_wide

# Where this serial QR stops being faster than LAPACK's.
FLOPS = 2e6


def is_small(m: int, n: int) -> bool:
    """Tell whether the compiled QR is the fastest way."""
    return min(m, n) > 0 and m * n * min(m, n) <= FLOPS


def solve_tiny(
    A: NDArray[np.float64], b: NDArray[np.float64], rcond: float, tolerance: float
) -> LstsqResult | None:
    """Solve by Householder QR of the column-scaled A, or the row-scaled A^T, and certify.

    Parameters
    ----------
    A : ndarray of float64, shape (m, n)
        C-ordered.
    b : ndarray of float64, shape (m,)
        Right-hand side.
    rcond : float
        Relative cut-off of singular values.
    tolerance : float
        Relative backward error that is wanted.

    Returns
    -------
    LstsqResult or None
        None for anything unusual (not finite, rank deficient) or above the tolerance: the
        general path then decides.
    """
    m, n = A.shape
    least, most = (m, n) if m < n else (n, m)
    x, info = np.empty(n), np.empty(3 * least + 3)
    W, R = np.empty((least + 1, most)), np.empty((least, least))
    solver: Any = solve_small_wide if m < n else solve_small
    if solver(A, b, rcond, W, R, x, info) != SOLVED:
        return None
    residual_norm, error, condition = info[:3].tolist()
    if not error <= tolerance:
        return None
    return LstsqResult(
        x=x,
        status=Status.CONVERGED,
        method="lapack",
        backward_error=error,
        residual_norm=residual_norm,
        rank=least,
        condition=condition,
        n_iter=0,
        n_matvec=2,
        n_passes=2,
        history=info[1:2].copy(),
        preconditioner=None,
    )


def plain(array: Any, ndim: int) -> bool:
    """Tell whether an argument can go to the kernel as it is."""
    return (
        type(array) is np.ndarray
        and array.dtype.char == "d"
        and array.dtype.isnative
        and array.ndim == ndim
        and array.flags.c_contiguous
    )

"""The backward error of anyone's least-squares solution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rnla._core.checks import as_inexact
from rnla.linalg.normal import as_normal
from rnla.linalg.precondition import upper_factor
from rnla.lstsq._certificate import exact_backward_error, karlson_walden

_EXACT_ROWS = 1000


def backward_error(
    A: Any,
    b: ArrayLike,
    x: ArrayLike,
    *,
    theta: float = np.inf,
    exact: bool | None = None,
) -> float:
    r"""Measure how small a change of the data makes `x` an exact least-squares solution.

    .. math:: \min \{ \|[E, \theta f]\|_F / \|A\|_F :
              x = \arg\min_y \|(b + f) - (A + E) y\| \}

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix, m >= n.
    b : array_like, shape (m,)
        Right-hand side.
    x : array_like, shape (n,)
        The approximate solution, from any solver.
    theta : float, default inf
        Weight of changes of `b`; infinite: only `A` is changed. Small values count changes of `b`
        as cheap.
    exact : bool, optional
        True: the exact formula of Walden, Karlson and Sun, O(m^3). False: the estimate of Karlson
        and Walden with the Householder factor of A, within a factor sqrt(2), O(m n^2). Default:
        exact for m <= 1000.

    Returns
    -------
    float
        Relative to ``||A||_F``; about 1e-16 for a backward stable solver in double precision.

    Raises
    ------
    ValueError
        If shapes do not fit or ``m < n``.

    Notes
    -----
    Sparse matrices and operators are made dense.

    References
    ----------
    .. [1] B. Walden, R. Karlson, J. Sun, "Optimal backward perturbation bounds for the linear least
       squares problem", Numer. Linear Algebra Appl. 2 (1995), 271-286.
    .. [2] R. Karlson, B. Walden, "Estimation of optimal backward perturbation bounds for the
       linear least squares problem", BIT 37 (1997), 862-869.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.lstsq import backward_error
    >>> A = np.vander(np.linspace(0, 1, 100), 12)
    >>> b = np.cos(np.arange(100))
    >>> stable = np.linalg.lstsq(A, b)[0]
    >>> squared = np.linalg.solve(A.T @ A, A.T @ b)
    >>> backward_error(A, b, stable) < 1e-14 < 1e-11 < backward_error(A, b, squared)
    True
    """
    dense = as_normal(A).todense()
    dense = dense.astype(np.result_type(dense, np.float64), copy=False)
    vector, solution = as_inexact(b, "b"), as_inexact(x, "x")
    m, n = dense.shape
    if m < n:
        raise ValueError(f"`A` must have at least as many rows as columns, got shape {(m, n)}")
    if vector.shape != (m,) or solution.shape != (n,):
        raise ValueError(
            f"`b` and `x` must have shapes ({m},) and ({n},), got {vector.shape} and "
            f"{solution.shape}"
        )
    if not theta > 0:
        raise ValueError(f"`theta` must be positive, got {theta}")
    norm = float(np.linalg.norm(dense))
    if norm == 0:
        return 0.0
    if exact if exact is not None else m <= _EXACT_ROWS:
        return exact_backward_error(dense, vector, solution, theta) / norm
    r = vector - dense @ solution
    R = upper_factor(np.array(dense, order="F"))
    g = (r.conj() @ dense).conj()
    return (
        karlson_walden(R, g, float(np.linalg.norm(r)), float(np.linalg.norm(solution)), theta)
        / norm
    )

"""The backward error of anyone's least-squares solution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rnla._core.checks import as_inexact, check_finite_array, check_positive_float
from rnla.linalg.factor import column_scale, upper_factor
from rnla.linalg.normal import as_normal
from rnla.lstsq._certificate import exact_backward_error, karlson_walden
from rnla.lstsq._minimum_norm_error import exact_minimum_norm_error


def backward_error(
    A: Any,
    b: ArrayLike,
    x: ArrayLike,
    *,
    theta: float = np.inf,
    exact: bool = True,
) -> float:
    r"""Measure how small a change of the data makes `x` an exact least-squares solution.

    .. math:: \min \{ \|[E, \theta f]\|_F / \|A\|_F :
              x = \arg\min_y \|(b + f) - (A + E) y\| \}

    For m < n, where every change has many solutions, `x` is to be the one of minimum norm.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix; for m < n of full rank, because otherwise `x` cannot solve every system near.
    b : array_like, shape (m,)
        Right-hand side.
    x : array_like, shape (n,)
        The approximate solution, from any solver.
    theta : float, default inf
        Weight of changes of `b`; infinite: only `A` is changed. Small values count changes of `b`
        as cheap.
    exact : bool, default True
        True: the exact formula of Walden, Karlson and Sun [1]_ by an SVD of A. False: the estimate
        of Karlson and Walden [2]_ by Householder QR, within a factor sqrt(2) and several times
        faster. For m < n it is the exact formula of Sun and Sun [3]_ in either case.

    Returns
    -------
    float
        Relative to ``||A||_F``; about 1e-16 for a backward stable solver in double precision.
        Infinite where no change of A alone will do: for x = 0, m < n and b other than 0.

    Raises
    ------
    ValueError
        If shapes do not fit or the data hold NaN or infinity.

    Notes
    -----
    Sparse matrices and operators are made dense. Cost O(m n min(m, n)) flops, memory one copy of A.

    References
    ----------
    .. [1] B. Walden, R. Karlson, J. Sun, "Optimal backward perturbation bounds for the linear least
       squares problem", Numer. Linear Algebra Appl. 2 (1995), 271-286.
    .. [2] R. Karlson, B. Walden, "Estimation of optimal backward perturbation bounds for the
       linear least squares problem", BIT 37 (1997), 862-869.
    .. [3] J.-G. Sun, Z. Sun, "Optimal backward perturbation bounds for underdetermined systems",
       SIAM J. Matrix Anal. Appl. 18 (1997), 393-402.

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
    vector = vector.astype(np.result_type(dense, vector), copy=False)
    solution = solution.astype(np.result_type(dense, solution), copy=False)
    m, n = dense.shape
    if vector.shape != (m,) or solution.shape != (n,):
        raise ValueError(
            f"`b` and `x` must have shapes ({m},) and ({n},), got {vector.shape} and "
            f"{solution.shape}"
        )
    for array, name in ((dense, "A"), (vector, "b"), (solution, "x")):
        check_finite_array(array, name)
    if theta != np.inf and check_positive_float(theta, "theta") == 0:
        raise ValueError("`theta` must be positive, got 0")
    # The value does not change under A -> s A, b -> t b, x -> (t / s) x; powers of two are exact.
    s = float(column_scale(np.abs(dense).max(initial=0.0)))
    t = float(column_scale(np.abs(vector).max(initial=0.0)))
    dense, vector, solution, theta = dense * s, vector * t, solution * (t / s), theta * (s / t)
    norm = float(np.linalg.norm(dense))
    if norm == 0:
        return 0.0
    if m < n:
        return exact_minimum_norm_error(dense, vector, solution, theta) / norm
    if exact:
        return exact_backward_error(dense, vector, solution, theta) / norm
    r = vector - dense @ solution
    R = np.triu(upper_factor(np.array(dense, order="F"))[:n])
    g = (r.conj() @ dense).conj()
    return (
        karlson_walden(R, g, float(np.linalg.norm(r)), float(np.linalg.norm(solution)), theta)
        / norm
    )

"""Leave-one-out samples of diagonals and row norms, and their error bars.

As for traces (`_left_out`), the standard error is the geometric mean of the spread of the samples,
which is too small, and of the jackknife's, which is too large. The jackknife wants the samples
without one vector more. Where column i is left out, the approximation lacks its projection onto a
unit vector s_i; without column j, too, that onto the span of s_i and s_j.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Directions that are the same up to this are left out once.
_APART = 64 * float(np.finfo(np.float64).eps)


def average_diagonals(
    A: NDArray[Any], B: NDArray[Any], T: NDArray[Any], inner: NDArray[Any], *, real: bool = False
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Average leave-one-out samples of the entries of a diagonal.

    Without column i the approximation lacks ``A s_i s_i* B*``, and the residual of the test vector
    w_i is ``p_i A s_i``; to the diagonal they add ``a_i * t_i``, with columns a_i and b_i of A and
    B times the s_i, and ``t_i = conj(w_i) p_i - conj(b_i)``.

    Parameters
    ----------
    A, B, T : ndarray, shape (n, k)
        Columns a_i, b_i and t_i.
    inner : ndarray, shape (k, k)
        Products ``s_i* s_j``.
    real : bool
        Whether the diagonal is.

    Returns
    -------
    mean : ndarray, shape (n,)
        Of ``a_i * t_i``.
    stderr : ndarray, shape (n,)
        Its standard errors; infinite for k < 3.
    """
    double = np.result_type(A.dtype, np.float64)
    A, B, T = (M.astype(double, copy=False) for M in (A, B.conj(), T))
    apart, weights, mixed = _pairs(inner)
    samples = A * T
    # Column j: the sum of all samples but j when j is left out, too.
    sums = samples @ weights - A * (T @ mixed.conj())
    sums += B * (A @ mixed - A * (weights * apart).sum(axis=0))
    if real:
        samples, sums = samples.real, sums.real
    return samples.mean(axis=1), _stderr(samples, sums)


def average_row_norms(
    A: NDArray[Any], Y: NDArray[Any], V: NDArray[Any], inner: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average leave-one-out samples of squared row norms.

    Without column i, ``||A P||^2`` lacks ``|a_i|^2``, and the residual of the test vector w_i is
    ``y_i + v_ii a_i``.

    Parameters
    ----------
    A, Y : ndarray, shape (n, k)
        Columns ``a_i = A s_i``, and ``A w_i`` less the projection of w_i with all columns.
    V : ndarray, shape (k, k)
        Products ``s_i* w_j``.
    inner : ndarray, shape (k, k)
        Products ``s_i* s_j``.

    Returns
    -------
    mean : ndarray, shape (n,)
        Of ``|y_i + v_ii a_i|^2 - |a_i|^2``.
    stderr : ndarray, shape (n,)
        Its standard errors; infinite for k < 3.
    """
    double = np.result_type(A.dtype, np.float64)
    A, Y = A.astype(double, copy=False), Y.astype(double, copy=False)
    apart, weights, mixed = _pairs(inner)
    own, other = np.diagonal(V)[:, None], V.T
    # Residual i without j: y_i + first_ij a_i + second_ij a_j.
    first = weights * own - mixed * other
    second = np.where(apart, weights * other - mixed.conj() * own, 0.0)
    masses = np.abs(A) ** 2
    samples = np.abs(Y + own.T * A) ** 2 - masses
    others = 1.0 - np.eye(len(V))
    sums = (np.abs(Y) ** 2) @ others + masses @ (np.abs(first) ** 2 - weights)
    sums += masses * (np.abs(second) ** 2 - weights * apart).sum(axis=0)
    cross = Y.conj() @ second + A.conj() @ (first.conj() * second + mixed.conj())
    sums += 2 * ((Y.conj() * A) @ first + A * cross).real
    return samples.mean(axis=1), _stderr(samples, sums)


def _pairs(
    inner: NDArray[Any],
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[Any]]:
    """Return which s_i and s_j differ, and entries (1, 1) and -(1, 2) of their inverse Gram matrix.

    Both are zero for i = j.
    """
    gaps = 1 - np.abs(inner) ** 2
    apart = gaps > _APART
    weights = np.divide(1.0, gaps, out=np.ones_like(gaps), where=apart)
    np.fill_diagonal(weights, 0.0)
    return apart, weights, np.where(apart, inner, 0.0) * weights


def _stderr(samples: NDArray[Any], sums: NDArray[Any]) -> NDArray[np.float64]:
    k = samples.shape[1]
    # Two samples with signs may be equal by symmetry, for the identity for one, and far off.
    if k < 3:
        return np.full(len(samples), np.inf)
    spread = samples.std(axis=1, ddof=1) / np.sqrt(k)
    jackknife = sums.std(axis=1) / np.sqrt(k - 1)
    return np.asarray(np.sqrt(spread) * np.sqrt(jackknife))

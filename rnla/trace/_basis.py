"""An orthonormal basis that grows by blocks, and what it is without one of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, get_blas_funcs, qr, solve_triangular

from rnla._core.threads import single_threaded_blas

# In epsilons of the largest entry: a diagonal entry that cannot be divided by, and one that says
# that there may be fewer independent columns. And singular values of rounding errors, per column.
_SINGULAR = 2
_SUSPECT = 1e6
_ROUNDING = 4
_GROWTH = 1.25
# How far from orthonormal a first round of CholeskyQR may leave columns.
_ASKEW = 0.1


class Columns:
    """A matrix that grows by columns, in memory that grows by factors."""

    def __init__(self, n: int, dtype: Any) -> None:
        self._memory: NDArray[Any] = np.empty((n, 0), dtype, order="F")
        self.width = 0

    @property
    def array(self) -> NDArray[Any]:
        """The columns there are."""
        return self._memory[:, : self.width]

    def append(self, X: NDArray[Any]) -> None:
        """Add columns."""
        width = self.width + X.shape[1]
        if self.width == 0:
            self._memory = X
        elif width > self._memory.shape[1]:
            size = max(width, int(_GROWTH * self.width))
            memory = np.empty((len(X), size), self._memory.dtype, order="F")
            memory[:, : self.width] = self.array
            self._memory = memory
        if self.width:
            self._memory[:, self.width : width] = X
        self.width = width


class Basis:
    """The factors of ``Y = Q R`` while Y grows by blocks of columns.

    Columns of Q, once there, stay: products with them can be kept.

    Attributes
    ----------
    R : ndarray, shape (k, k)
        Upper triangular, in double precision.
    """

    def __init__(self, n: int, dtype: Any) -> None:
        self._columns = Columns(n, dtype)
        self.R: NDArray[Any] = np.empty((0, 0), np.result_type(dtype, np.float64))

    @property
    def Q(self) -> NDArray[Any]:
        """Orthonormal columns, shape (n, k)."""
        return self._columns.array

    def extend(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Append columns to Y, whose memory may be used, and return the new columns of Q."""
        k = self._columns.width
        Q: NDArray[Any]
        if k == 0:
            Q, R = thin_qr(Y)
            self.R = R.astype(self.R.dtype)
            self._columns.append(Q)
            return Q
        # Twice is enough, if the second time is after normalising: what the first projection
        # leaves may be rounding errors.
        above = self.Q.conj().T @ Y
        Q, R = thin_qr(Y - self.Q @ above)
        again = self.Q.conj().T @ Q
        Q, R_again = thin_qr(Q - self.Q @ again)
        grown = np.zeros((k + Y.shape[1],) * 2, self.R.dtype)
        grown[:k, :k] = self.R
        grown[:k, k:] = above + again @ R
        grown[k:, k:] = R_again @ R
        self.R = grown
        self._columns.append(Q)
        return Q


def thin_qr(Y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the factors of ``Y = Q R``, in a fraction of the time of LAPACK's where Y allows it.

    Two rounds of CholeskyQR, whose solves leave a residual of a few roundoffs in every column. The
    first one shows whether columns were independent enough, and if not, Householder's method runs.

    Parameters
    ----------
    Y : ndarray, shape (n, k)
        Any matrix with ``k <= n``; its memory may be used.

    Returns
    -------
    Q, R : ndarray, shapes (n, k) and (k, k)
        Orthonormal columns in Fortran order, and a triangular factor.
    """
    # BLAS is held to one thread: those of NumPy and SciPy would be in each other's way.
    with single_threaded_blas():
        try:
            Q, R = _cholesky_round(Y)
            gram = Q.conj().T @ Q
            off = float(np.abs(gram - np.eye(len(gram))).sum(axis=0).max(initial=0.0))
            if off < _ASKEW:
                Q, second = _cholesky_round(Q, gram)
                return Q, np.triu(second @ R)
        except LinAlgError:
            pass
    Q, R = qr(Y, mode="economic", overwrite_a=True, check_finite=False)
    return Q, R


def _cholesky_round(
    Y: NDArray[Any], gram: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    R = cholesky(Y.conj().T @ Y if gram is None else gram, check_finite=False)
    (trsm,) = get_blas_funcs(("trsm",), (Y, R))
    return trsm(1.0, R, Y, side=1, overwrite_b=gram is not None), R


@dataclass(frozen=True)
class Downdate:
    """Bases of the ranges of Y and of Y without column i, for each i.

    Attributes
    ----------
    U : ndarray, shape (k, r), or None
        ``Q U`` spans the range of Y; None if Q does.
    S : ndarray, shape (r, k)
        ``Q U (I - s_i s_i*)`` spans what is left without column i: s_i is a unit vector, or zero
        where column i is a combination of the others.
    rank : int
        The numerical rank, at most r: columns of rounding errors may be among those of Q.
    """

    U: NDArray[Any] | None
    S: NDArray[Any]
    rank: int

    @property
    def dimensions(self) -> NDArray[np.int_]:
        """Dimension of the range without column i."""
        return len(self.S) - self.essential.astype(int)

    @property
    def essential(self) -> NDArray[np.bool_]:
        """Whether column i is independent of the others."""
        return np.asarray(np.any(self.S, axis=0))


def downdate(R: NDArray[Any], eps: float) -> Downdate:
    """Find the bases without a column from the triangular factor.

    Parameters
    ----------
    R : ndarray, shape (k, k)
        Of ``Y = Q R``.
    eps : float
        Relative size of rounding errors in Y.

    Returns
    -------
    Downdate
        With ``rank < k`` where R is singular to rounding.

    Notes
    -----
    s_i is orthogonal to the columns of R but column i: a column of ``R^{-*}``, normalised. Where R
    is singular, a column of its pseudoinverse, if every null vector of R has a zero there.
    """
    k = len(R)
    scale = float(np.max(np.abs(R), initial=0.0))
    smallest = float(np.min(np.abs(np.diagonal(R)), initial=np.inf))
    if smallest > _SINGULAR * eps * scale:
        S = solve_triangular(R / scale, np.eye(k, dtype=R.dtype), trans="C", check_finite=False)
        return Downdate(None, S / np.linalg.norm(S, axis=0), numerical_rank(R, eps))
    U, sigma, Vh = np.linalg.svd(R / scale if scale > 0 else R)
    kept = sigma > _SINGULAR * eps * np.max(sigma, initial=0.0)
    U, sigma_kept, Vh = U[:, kept], sigma[kept], Vh[kept]
    leverage = np.sum(np.abs(Vh) ** 2, axis=0)
    S = Vh / sigma_kept[:, None]
    length = np.linalg.norm(S, axis=0)
    essential = leverage > 1 - np.sqrt(eps)
    S = np.divide(S, length, out=np.zeros_like(S), where=essential & (length > 0))
    return Downdate(U, S, numerical_rank(R, eps))


def numerical_rank(R: NDArray[Any], eps: float) -> int:
    """Return how many singular values of a triangular factor are more than rounding errors.

    Parameters
    ----------
    R : ndarray, shape (k, k)
        Of ``Y = Q R``.
    eps : float
        Relative size of rounding errors in Y.

    Returns
    -------
    int
        The numerical rank.
    """
    scale = float(np.max(np.abs(R), initial=0.0))
    if scale == 0 or np.min(np.abs(np.diagonal(R))) > _SUSPECT * eps * scale:
        return len(R) if scale > 0 else 0
    sigma = np.linalg.svdvals(R / scale)
    return int(np.sum(sigma > _ROUNDING * len(sigma) * eps * np.max(sigma, initial=0.0)))

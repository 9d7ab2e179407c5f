"""A sketch's triangular factor as a preconditioner."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd
from scipy.sparse.linalg import LinearOperator

from rnla._core.threads import even_parts, run_parts
from rnla._kernels.sweep import multiply_rows
from rnla._kernels.triangle import solve_lower, solve_upper, stretch
from rnla.linalg.factor import frobenius, inverse_upper, shifted_factor

# Where waking the pool costs more than a product of this many entries.
_INLINE_ENTRIES = 1 << 20
_POWER_STEPS = 6
# Factor by which the condition estimate is assumed to be too small at the most. If it were more,
# every other direction would lose a factor 1e4 per power step against the missed one.
_DOUBT = 100.0


class Preconditioner(LinearOperator):
    """The map ``x = P y`` that makes the columns of ``A @ P`` nearly orthonormal.

    Built from a triangular factor R of the column-scaled sketch, ``S A D = Q R``. It works in
    SciPy's solvers through ``aslinearoperator(A) @ P``.

    Parameters
    ----------
    shape : tuple of int
        ``(n, rank)``.
    R : ndarray, shape (n, n)
        Triangular factor of the column-scaled sketch.
    scale : ndarray, shape (n,)
        The diagonal of D.
    condition : float
        Estimated condition number of R.

    Attributes
    ----------
    rank : int
        Numerical rank of the column-scaled sketch.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        R: NDArray[Any],
        scale: NDArray[np.float64],
        condition: float,
    ) -> None:
        super().__init__(R.dtype, shape)  # type: ignore[call-arg]
        self.R = R
        self.scale = scale[:, None]
        self.condition = condition
        self.rank = shape[1]

    def _matvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return _apply_vectors(self._matmat, x, self.shape[1], self.shape[0])

    def _rmatvec(self, x: NDArray[Any]) -> NDArray[Any]:
        return _apply_vectors(self._rmatmat, x, self.shape[0], self.shape[1])

    @abstractmethod
    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``P @ X``."""

    @abstractmethod
    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``P^H @ X``."""

    @abstractmethod
    def surrogate_solution(self, C: NDArray[Any]) -> NDArray[Any]:
        """Return the minimizer of ``||Q R D^-1 x - b||`` from ``C = Q^H b``, (n, k)."""

    @abstractmethod
    def coordinates(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the Y for which ``P Y`` is X, or the part of X that P can reach."""

    @abstractmethod
    def lift(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Return ``D A^H r`` from ``Y = P^H A^H r``, up to what P cannot see."""

    @abstractmethod
    def damped(self, damp: float) -> Preconditioner:
        """Return the preconditioner of ``[A; damp D^-1]``, of the same rank."""


class TriangularPreconditioner(Preconditioner):
    """``P = D R^-1`` by substitution.

    Substitution, not multiplication by an explicit inverse: it errs only along the directions
    that A hardly sees, which backward stability needs.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Upper triangular factor of the scaled sketch, nonsingular.
    scale : ndarray, shape (n,)
        The diagonal of D.
    """

    def __init__(self, R: NDArray[Any], scale: NDArray[np.float64]) -> None:
        super().__init__(R.shape, R, scale, np.nan)
        self._upper = np.ascontiguousarray(R)
        self._lower = np.ascontiguousarray(R.conj().T)
        self.condition = self._estimate_condition()

    def _estimate_condition(self) -> float:
        """Estimate the condition number of R by power iteration, from below."""
        # No start is right for all R, but an irregular one is orthogonal to nothing special.
        start = np.cos(1.0 + np.arange(len(self.R))).astype(self.R.dtype)
        norm, inverse_norm = (
            stretch(self._upper, self._lower, start.copy(), _POWER_STEPS, inverse)
            for inverse in (False, True)
        )
        return float(norm * inverse_norm)

    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.scale * _substitute(solve_upper, self._upper, X))

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return _substitute(solve_lower, self._lower, self.scale * X)

    def surrogate_solution(self, C: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(C)

    def coordinates(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.R @ (X / self.scale))

    def lift(self, Y: NDArray[Any]) -> NDArray[Any]:
        return small_product(self._lower, Y)

    def damped(self, damp: float) -> Preconditioner:
        return TriangularPreconditioner(shifted_factor(self.R, damp), self.scale[:, 0])


class TruncatedPreconditioner(Preconditioner):
    """``P = D V diag(1 / sigma)`` from the leading singular triplets of R.

    Its columns are made orthogonal to the null space in the user's own coordinates, so that
    solutions have minimum norm.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Upper triangular factor of the scaled sketch.
    scale : ndarray, shape (n,)
        The diagonal of D.
    rcond : float
        Singular values below ``rcond`` times the largest are dropped.
    """

    def __init__(self, R: NDArray[Any], scale: NDArray[np.float64], rcond: float) -> None:
        U, sigma, VH = svd(R, lapack_driver="gesdd", check_finite=False)
        rank = int(np.count_nonzero(sigma > rcond * sigma[0])) if sigma[0] > 0 else 0
        with np.errstate(over="ignore"):
            condition = float(sigma[0] / sigma[-1]) if sigma[-1] > 0 else np.inf
        super().__init__((len(R), rank), R, scale, condition)
        V = scale[:, None] * VH.conj().T
        basis = V[:, :rank]
        if rank < len(sigma):
            N = np.linalg.qr(V[:, rank:])[0]
            basis = basis - N @ (N.conj().T @ basis)
        # Zero columns of A get exact zeros, not rounding errors.
        basis[~R.any(axis=0)] = 0
        self._U, self._sigma = U[:, :rank], sigma[:rank, None]
        self._basis = np.ascontiguousarray(basis)
        self._basis_adjoint = np.ascontiguousarray(basis.conj().T)

    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return small_product(self._basis, X / self._sigma)

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(small_product(self._basis_adjoint, X) / self._sigma)

    def surrogate_solution(self, C: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(self._U.conj().T @ C)

    def coordinates(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._U.conj().T @ (self.R @ (X / self.scale)))

    def lift(self, Y: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.R.conj().T @ (self._U @ Y))

    def damped(self, damp: float) -> Preconditioner:
        P = copy.copy(self)
        P._sigma = np.hypot(self._sigma, damp)
        return P


def _apply_vectors(apply: Any, x: NDArray[Any], n_in: int, n_out: int) -> NDArray[Any]:
    # SciPy before 1.18 also passes (n, 1) to `_matvec`; since then batches (..., n).
    lead = () if x.shape == (n_in, 1) else x.shape[:-1]
    result = apply(x.reshape(math.prod(lead), n_in).T)
    return np.asarray(result.T.reshape(*lead, n_out))


def _substitute(solve: Any, T: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    dtype = np.result_type(T, X)
    if dtype != T.dtype:
        T = T.astype(dtype)
    columns = np.array(X.T, dtype, order="C", ndmin=2)
    run_parts(solve, [(T, column) for column in columns])
    return np.ascontiguousarray(columns.T)


def small_product(M: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    """Return ``M @ X`` without waking the BLAS threads for a single column.

    BLAS threads spin for a while after each call and would slow the next sweep.

    Parameters
    ----------
    M : ndarray, shape (r, n)
        C-ordered.
    X : ndarray, shape (n, k)
        The columns.

    Returns
    -------
    ndarray, shape (r, k)
        The product.
    """
    dtype = np.result_type(M, X)
    if X.shape[1] != 1 or dtype != M.dtype:
        return np.asarray(M @ X)
    x = np.ascontiguousarray(X[:, 0], dtype)
    out = np.zeros(M.shape[0], dtype)

    def task(start: int, stop: int) -> None:
        multiply_rows(M[start:stop], x, out[start:stop])

    run_parts(task, even_parts(M.shape[0], 1 if M.size < _INLINE_ENTRIES else 8))
    return out[:, None]


def preconditioner_from_factor(
    R: NDArray[Any], scale: NDArray[np.float64], rcond: float
) -> Preconditioner:
    """Build the preconditioner of ``S A D = Q R``, truncated where R is numerically singular.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Upper triangular factor of the scaled sketch.
    scale : ndarray, shape (n,)
        The diagonal of D.
    rcond : float
        Singular values of R below ``rcond`` times the largest are treated as zero.

    Returns
    -------
    Preconditioner
        Of shape (n, rank).
    """
    if np.diagonal(R).all():
        P = TriangularPreconditioner(R, scale)
        if P.condition * _DOUBT * rcond < 1 or _bounded_condition(R) * rcond < 1:
            return P
    return TruncatedPreconditioner(R, scale, rcond)


def _bounded_condition(R: NDArray[Any]) -> float:
    """Return the Frobenius product, which bounds the condition number from above."""
    inverse = inverse_upper(R)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.inf if inverse is None else frobenius(R) * frobenius(inverse)

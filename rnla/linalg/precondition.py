"""A sketch's triangular factor as a preconditioner."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs, svd
from scipy.sparse.linalg import LinearOperator

from rnla._core.threads import even_parts, run_parts
from rnla._kernels.sweep import multiply_rows, solve_lower, solve_upper

_EPS = float(np.finfo(np.float64).eps)
# Below this many entries the columns of geqrt's panels fit a cache, and small blocks win.
_QR_SMALL = 100_000
# Where waking the pool costs more than a product of this many entries.
_INLINE_ENTRIES = 1 << 19
_POWER_STEPS = 6
# Factor by which the condition estimate is assumed to be too small at the most. If it were more,
# every other direction would lose a factor 1e4 per power step against the missed one.
_DOUBT = 100.0
# Squares of columns in this range neither overflow nor lose digits to underflow.
_SAFE = 1e280


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
    def lift(self) -> NDArray[Any]:
        """Return the matrix M with ``D A^H r = M P^H A^H r``, up to what P cannot see."""


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

        def norm(forward: Any, adjoint: Any) -> float:
            # No start is right for all R, but an irregular one is orthogonal to nothing special.
            x = np.cos(1.0 + np.arange(len(self.R), dtype=np.float64))[:, None]
            largest = 0.0
            for _ in range(_POWER_STEPS):
                y = forward(x / np.linalg.norm(x))
                largest = max(largest, float(np.linalg.norm(y)))
                x = adjoint(y)
            return largest

        with np.errstate(all="ignore"):
            return norm(
                lambda x: small_product(self._upper, x), lambda y: small_product(self._lower, y)
            ) * norm(
                # The inverse of R R^H has the same norms and meets its large directions first.
                lambda x: _substitute(solve_lower, self._lower, x),
                lambda y: _substitute(solve_upper, self._upper, y),
            )

    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.scale * _substitute(solve_upper, self._upper, X))

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return _substitute(solve_lower, self._lower, self.scale * X)

    def surrogate_solution(self, C: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(C)

    def lift(self) -> NDArray[Any]:
        return self.R.conj().T


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

    def lift(self) -> NDArray[Any]:
        return np.asarray(self.R.conj().T @ self._U)


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


def triangular_factor(
    M: NDArray[Any], B: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Factor the column-scaled ``M D = Q R`` by Householder QR.

    Parameters
    ----------
    M : ndarray, shape (d, n)
        The matrix, d >= n.
    B : ndarray, shape (d, k)
        Right-hand sides.

    Returns
    -------
    R : ndarray, shape (n, n)
        Upper triangular factor of the scaled matrix.
    C : ndarray, shape (n, k)
        The rows of ``Q^H B`` that belong to R.
    scale : ndarray, shape (n,)
        The diagonal of D: powers of two, so that scaling is exact; 1 for a zero column.
    """
    d, n = M.shape
    scale = equilibrating_scale(M)
    W = np.empty((d, n + B.shape[1]), np.result_type(M, B, np.float64), order="F")
    np.multiply(M, scale, out=W[:, :n])
    W[:, n:] = B
    factor = upper_factor(W)
    return np.triu(factor[:n, :n]), factor[:n, n:], scale


def equilibrating_scale(M: NDArray[Any]) -> NDArray[np.float64]:
    """Return the powers of two that bring the columns of M to norms in [1/2, 1)."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        parts = (M.real, M.imag) if M.dtype.kind == "c" else (M,)
        squares = sum(np.einsum("ij,ij->j", part, part, dtype=np.float64) for part in parts)
    scale = column_scale(np.sqrt(squares))
    unsafe = np.flatnonzero(~((squares > 1 / _SAFE) & (squares < _SAFE)))
    if len(unsafe):
        # By the largest entries first, so that no square overflows or underflows.
        columns = M[:, unsafe]
        largest = column_scale(np.abs(columns).max(axis=0, initial=0.0))
        norms = np.linalg.norm(columns * largest, axis=0)
        scale[unsafe] = largest * column_scale(norms)
    return scale


def column_scale(norms: NDArray[Any]) -> NDArray[np.float64]:
    """Return the powers of two that bring `norms` into [1/2, 1), and 1 for a zero."""
    exponent = np.frexp(norms)[1].astype(int)
    return np.where(norms > 0, np.ldexp(1.0, -exponent), 1.0)


def upper_factor(W: NDArray[Any]) -> NDArray[Any]:
    """Factor an F-ordered `W` (d, n) in place; the upper triangle of what returns is R."""
    d, n = W.shape
    geqrt: Any = get_lapack_funcs("geqrt", (W,))
    # Recursive panels: about twice the speed of geqrf, and only R is needed.
    factor, _, info = geqrt(min(_qr_block(d, n), d, n), W, overwrite_a=True)
    if info != 0:
        raise np.linalg.LinAlgError(f"geqrt failed with info={info}")
    return factor  # type: ignore[no-any-return]


def _qr_block(d: int, n: int) -> int:
    """Return the block size that was fastest; the minimum is flat."""
    if d * n < _QR_SMALL:
        return 8
    if n < 200:
        return 32
    return 48 if n < 700 else 96


def inverse_upper(R: NDArray[Any]) -> NDArray[Any] | None:
    """Return the inverse of an upper triangular matrix, None if a diagonal entry is zero."""
    trtri: Any = get_lapack_funcs("trtri", (R,))
    inverse, info = trtri(R, lower=0)
    return inverse if info == 0 else None


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


def frobenius(M: NDArray[Any]) -> float:
    """Return the Frobenius norm without BLAS, whose threads would then disturb LAPACK's."""
    return float(np.sqrt(np.einsum("ij,ij->", M.conj(), M).real))

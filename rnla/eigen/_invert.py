"""``(A - sigma M)^-1`` as an operator on blocks: LU of a dense or sparse matrix, or MINRES."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import LinearOperator, gmres, minres, splu

from rnla.eigen._definite import has_positive_pivots
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock
from rnla.linalg.orth import random_block

# Up to this size n products make a matrix-free operator a matrix: fewer than inner iterations take.
_MATERIALISE = 2000
_POWER_STEPS = 3
# Largest backward error of a solve without pivoting.
_SOUND = 1e-12
# One that is off by more than this many roundoffs takes a step of iterative refinement.
_BACKWARD = 1.0
_INNER_STEPS, _INNER_ROUNDS = 20, 4
# A shift keeps a distance of eps to this power, times the norm, from eigenvalues: close enough not
# to pass a neighbour, far enough for the others not to drown in the rounding errors of the nearest.
_EXPONENT = 0.4


class DenseInverse(BlockOperator):
    """LU factors of a dense matrix."""

    def __init__(self, K: NDArray[Any]) -> None:
        super().__init__(K.shape, K.dtype)
        routines: Any = get_lapack_funcs(("getrf", "getrs"), (K,))
        factor, self._solve = routines
        self.LU, self.pivots, info = factor(K)
        if info > 0:
            raise np.linalg.LinAlgError("Factor is exactly singular")

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind != "c" and X.dtype.kind == "c":
            return self._product(X.real) + 1j * self._product(X.imag)
        Y, _ = self._solve(self.LU, self.pivots, X)
        return np.asarray(Y)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._product(X)


class SparseInverse(BlockOperator):
    """Sparse LU factors: on the diagonal where that is accurate, with row exchanges else."""

    def __init__(self, K: Any) -> None:
        super().__init__(K.shape, K.dtype)
        K = csc_array(K)
        K.sort_indices()
        probe = random_block(np.random.default_rng(0), (K.shape[0], 1), K.dtype)
        scale = float(abs(K).sum(axis=0).max())
        choices: tuple[dict[str, Any], ...] = (
            {
                "permc_spec": "MMD_AT_PLUS_A",
                "diag_pivot_thresh": 0.0,
                "options": {"SymmetricMode": True},
            },
            {},
        )
        for options in choices:
            try:
                self.factors = splu(K, **options)
            except RuntimeError as error:
                failure = error
                continue
            x = self.factors.solve(probe)
            size = scale * np.linalg.norm(x) + np.linalg.norm(probe)
            miss, eps = float(np.linalg.norm(K @ x - probe) / size), np.finfo(K.dtype).eps
            if not options or miss <= max(_SOUND, 100 * eps):
                # Without row exchanges a solve may be good for less than the precision.
                self._refined = K if miss > _BACKWARD * eps else None
                return
        raise np.linalg.LinAlgError(str(failure))

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind != "c" and X.dtype.kind == "c":
            return self._product(X.real) + 1j * self._product(X.imag)
        X = np.asfortranarray(X, self.dtype)
        Y = np.asarray(self.factors.solve(X))
        if self._refined is None:
            return Y
        return np.asarray(Y + self.factors.solve(np.asfortranarray(X - self._refined @ Y)))

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._product(X)


class IterativeInverse(BlockOperator):
    """MINRES, GMRES if complex, for each column of a block."""

    def __init__(
        self, A: BlockOperator, M: BlockOperator | None, sigma: float, dtype: Any, tol: float
    ) -> None:
        super().__init__(A.shape, dtype)
        n = A.shape[0]

        def shifted(x: NDArray[Any]) -> NDArray[Any]:
            X = x.reshape(n, 1)
            Y = A.product(X)
            if sigma:
                Y = Y - sigma * (X if M is None else M.product(X))
            return Y.astype(dtype, copy=False).reshape(n)

        self.K: Any = LinearOperator(A.shape, matvec=shifted, dtype=self.dtype)
        self.rtol = max(tol / 10, 100 * np.sqrt(n) * float(np.finfo(dtype).eps))

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        Y = np.empty((self.shape[0], X.shape[1]), X.dtype)
        for j in range(X.shape[1]):
            Y[:, j] = self._solve(np.ascontiguousarray(X[:, j]))
        return Y

    def _solve(self, b: NDArray[Any]) -> NDArray[Any]:
        size = float(np.linalg.norm(b))
        if size == 0:
            return b
        # MINRES stops at residuals relative to ||K|| ||x||: where that is much more than ||b||,
        # solving for the residual goes on, as far as that ratio shows to be enough.
        x, rest, residual = np.zeros_like(b), b, size
        for _ in range(_INNER_ROUNDS):
            correction = self._inner(rest, max(self.rtol, (self.rtol * size / residual) ** 2))
            rest = b - self.K.matvec(x + correction)
            before, residual = residual, float(np.linalg.norm(rest))
            if not residual < before:
                residual = before
                break
            x = x + correction
            if residual <= self.rtol * size:
                break
        if not residual <= 1e3 * self.rtol * size:
            raise ValueError(
                "Error in inverting [A-sigma*M]: the inner iteration did not converge (relative "
                f"residual {residual / size:.1e}); pass `OPinv`, or `A` as a matrix"
            )
        return np.asarray(x)

    def _inner(self, b: NDArray[Any], rtol: float) -> NDArray[Any]:
        n = len(b)
        if self.dtype.kind == "c":
            x, _ = gmres(self.K, b, rtol=rtol, atol=0, maxiter=_INNER_STEPS * n // 20 + 10)
        else:
            x, _ = minres(self.K, b, rtol=rtol, maxiter=_INNER_STEPS * n)
        return np.asarray(x)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._product(X)


def must_iterate(A: BlockOperator, M: BlockOperator | None) -> bool:
    """Tell whether there are neither entries nor so few columns that products give them.

    Parameters
    ----------
    A, M : BlockOperator, shape (n, n)
        The pencil; M may be None.

    Returns
    -------
    bool
        Whether only an iteration can invert it.
    """
    parts = [A] if M is None else [A, M]
    explicit = all(isinstance(part, DenseBlock | SparseBlock) for part in parts)
    return not explicit and A.shape[0] > _MATERIALISE


class DefiniteInverse(DenseInverse):
    """Cholesky factor of a dense matrix."""

    def __init__(self, K: NDArray[Any]) -> None:
        BlockOperator.__init__(self, K.shape, K.dtype)
        routines: Any = get_lapack_funcs(("potrf", "potrs"), (K,))
        factor, solve = routines
        L, info = factor(K)
        if info > 0:
            raise np.linalg.LinAlgError("not positive definite")
        self._solve = lambda LU, pivots, X: solve(LU, X)
        self.LU, self.pivots = L, None


def definite_inverse(A: BlockOperator, dtype: Any, tol: float) -> BlockOperator:
    """Return the inverse of a positive definite matrix as it is, however ill-conditioned.

    Parameters
    ----------
    A : BlockOperator, shape (n, n)
        Hermitian.
    dtype : dtype
        Working precision.
    tol : float
        For an inner iteration, which matrix-free operators of large size need.

    Returns
    -------
    BlockOperator
        Its product is the solution for a block of right-hand sides.

    Raises
    ------
    numpy.linalg.LinAlgError
        If A is singular, or a pivot shows that it is not positive definite.
    """
    if must_iterate(A, None):
        return IterativeInverse(A, None, 0.0, dtype, tol)
    K = _difference(A, None, 0.0, dtype)
    if isinstance(K, np.ndarray):
        return DefiniteInverse(K)
    inverse = SparseInverse(K)
    if not has_positive_pivots(inverse.factors):
        raise np.linalg.LinAlgError("not positive definite")
    return inverse


def shifted_inverse(
    A: BlockOperator, M: BlockOperator | None, sigma: float, dtype: Any, tol: float
) -> tuple[BlockOperator, float]:
    """Return ``(A - sigma M)^-1`` and the shift that was really used.

    Parameters
    ----------
    A, M : BlockOperator, shape (n, n)
        Hermitian; M may be None for the identity.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.
    tol : float
        For an inner iteration, which matrix-free operators of large size need.

    Returns
    -------
    inverse : BlockOperator
        Its product is the solution for a block of right-hand sides.
    sigma : float
        Moved by ``eps**0.4 ||A||`` where it meets an eigenvalue so closely that all others would
        be lost beside it.

    Raises
    ------
    numpy.linalg.LinAlgError
        If ``A - sigma M`` is singular for every shift.
    """
    if must_iterate(A, M):
        return IterativeInverse(A, M, sigma, dtype, tol), sigma
    eps = float(np.finfo(dtype).eps)
    scale = 0.0
    for attempt in range(3):
        K = _difference(A, M, sigma, dtype)
        scale = scale or float(abs(K).sum(axis=0).max())
        try:
            inverse = _factored(K)
        except np.linalg.LinAlgError:
            if attempt == 2:
                raise
        else:
            if attempt == 2 or scale * norm_estimate(inverse) * eps**_EXPONENT < 1:
                return inverse, sigma
        sigma = sigma - eps**_EXPONENT * (scale or 1.0)
    raise AssertionError


def _factored(K: Any) -> BlockOperator:
    return DenseInverse(K) if isinstance(K, np.ndarray) else SparseInverse(K)


def _difference(A: BlockOperator, M: BlockOperator | None, sigma: float, dtype: Any) -> Any:
    if isinstance(A, SparseBlock) and (M is None or isinstance(M, SparseBlock)):
        K = A.rows
        if sigma:
            K = K - sigma * (eye_array(A.shape[0], dtype=A.dtype) if M is None else M.rows)
        return K.astype(dtype)
    K = np.array(A.todense(), dtype)
    if sigma and M is None:
        K.flat[:: len(K) + 1] -= sigma
    elif sigma and M is not None:
        K -= sigma * M.todense()
    return K


def norm_estimate(A: BlockOperator) -> float:
    """Estimate the norm of a Hermitian operator from below by power steps that do not count.

    Parameters
    ----------
    A : BlockOperator, shape (n, n)
        The operator.

    Returns
    -------
    float
        Infinite if a product is not finite.
    """
    x = random_block(np.random.default_rng(0), (A.shape[0], 1), A.dtype)
    size, counts = 0.0, (A.n_matvec, A.n_passes)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_POWER_STEPS):
            x = A.product(x)
            size = float(np.linalg.norm(x))
            if size == 0 or not np.isfinite(size):
                break
            x = x / size
    A.n_matvec, A.n_passes = counts
    return size if np.isfinite(size) else np.inf

"""LAPACK, where it is faster than anything iterative."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, get_lapack_funcs
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from rnla._core.driver import Iteration
from rnla._core.threads import single_threaded_blas
from rnla.eigen._definite import requirement, too_few
from rnla.eigen._plan import RitzState
from rnla.eigen._problem import refuse_skew
from rnla.eigen._ritz import Ritz
from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, DenseBlock, OperatorBlock
from rnla.linalg.orth import lengths_of_any_size

# Up to these orders LAPACK wins whatever is asked for.
_SMALL = {"dense": 800, "sparse": 500, "operator": 64}
# The same near a shift: the inverse of a sparse matrix is cheap. That of a dense one costs about as
# much as LAPACK, and a search with it is at the mercy of rounding errors where A has a large null
# space.
_INVERTED = {"dense": 1000, "sparse": 200, "operator": 64}
# Above this share of the spectrum it wins up to these orders.
_SHARE = {"dense": 5, "sparse": 10, "operator": 10}
_LARGE = {"dense": 20_000, "sparse": 3000, "operator": 3000}
# A subset costs as much as all from here on.
_SUBSET = 4
# The power of the roundoff that is the reciprocal condition number of an ill-conditioned inner
# product, and the roundoffs, for each root of a row, of a singular one.
_ILL, _ROUNDOFFS = 1 / 3, 4.0
# Inner products that a Newton step makes better.
_NEARLY = 1e-3
# The power of the roundoff up to which a pair of a pencil is one, relative to the matrices.
_BACKWARD = 0.5


def all_pairs(A: Any, M: Any, vectors: bool, stacklevel: int) -> Any:
    """Return what `scipy.linalg.eigh` returns, as SciPy does where k is not below n.

    Parameters
    ----------
    A, M : array, sparse matrix or LinearOperator
        The pencil; only arrays can be solved here.
    vectors : bool
        Whether to return vectors.
    stacklevel : int
        For the warning.

    Returns
    -------
    ndarray or tuple of ndarray
        All eigenvalues, and vectors.

    Raises
    ------
    TypeError
        If `A` or `M` is no array.

    Warns
    -----
    RuntimeWarning
        Always.
    """
    warnings.warn(
        "k >= N for N * N square matrix. Attempting to use scipy.linalg.eigh instead.",
        RuntimeWarning,
        stacklevel=stacklevel,
    )
    if issparse(A):
        raise TypeError(
            "Cannot use scipy.linalg.eigh for sparse A with k >= N. "
            "Use scipy.linalg.eigh(A.toarray()) or reduce k."
        )
    for name, matrix in (("A", A), ("M", M)):
        if isinstance(matrix, LinearOperator):
            raise TypeError(f"Cannot use scipy.linalg.eigh for LinearOperator {name} with k >= N.")
    B: Any = M.toarray() if issparse(M) else M  # type: ignore[attr-defined]
    return eigh(A, b=B, eigvals_only=not vectors)  # type: ignore[call-overload]


def prefers_dense(request: Request) -> bool:
    """Tell whether LAPACK is the faster way, and nothing forbids it.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    bool
        False where `ncv` or `maxiter` ask for an iteration, or `OPinv` stands for the matrix.
    """
    if request.ncv is not None or request.maxiter is not None or request.OPinv is not None:
        return False
    kind = "sparse"
    if isinstance(request.A, OperatorBlock) or isinstance(request.M, OperatorBlock):
        kind = "operator"
    elif isinstance(request.A, DenseBlock):
        kind = "dense"
    n, k = request.n, request.k
    inverted = request.sigma is not None or request.selection.which == "SM"
    small = (_INVERTED if inverted else _SMALL)[kind]
    return n <= small or (k * _SHARE[kind] > n and n <= _LARGE[kind])


def dense_pairs(request: Request, more: int = 0) -> Iteration:
    """Solve with LAPACK, as an iteration of one state.

    Parameters
    ----------
    request : Request
        The checked call.
    more : int, default 0
        Pairs beyond those asked for that the space of the state holds at least.

    Yields
    ------
    RitzState
        The answer; `theta` holds eigenvalues of the caller's problem.
    """
    A = _dense(request.A, request.dtype)
    M = None if request.M is None else _dense(request.M, request.dtype)
    if request.explicit:
        _check_hermitian(A, "A")
        if M is not None:
            _check_hermitian(M, "M")
    values, X = _pencil(A, M, request, min(request.k + more, request.n))
    # One that is infinite belongs to a singular M and to nobody.
    order = request.selection.order(shifted(values, request))
    order = order[np.isfinite(values[order])]
    space = Ritz(values[order], np.eye(len(values))[:, order], X, None)
    order = order[: request.k]
    values, X = values[order], X[:, order]
    inner = A if request.mode == "buckling" else M
    X = _orthonormal_again(X, inner)
    with single_threaded_blas():
        R = A @ X - (X if M is None else M @ X) * values
    yield RitzState(
        0,
        0.0,
        True,
        lambda: X,
        residual_norm=lengths_of_any_size(R).astype(np.float64),
        column_errors=np.zeros(len(values)),
        theta=values,
        verified=inner is None or _are_pairs(A, M, R, X, values),
        space=space,
    )


def _orthonormal_again(X: NDArray[Any], B: NDArray[Any] | None) -> NDArray[Any]:
    """Take what LAPACK has rounded out of the inner products of X, by a Newton step."""
    with single_threaded_blas():
        E = X.conj().T @ (X if B is None else B @ X) - np.eye(X.shape[1])
        return X - X @ (E / 2) if np.abs(E).max(initial=0.0) < _NEARLY else X


def _are_pairs(
    A: NDArray[Any], M: NDArray[Any] | None, R: NDArray[Any], X: NDArray[Any], values: NDArray[Any]
) -> bool:
    """Tell whether residuals are small relative to ``(||A|| + |w| ||M||) ||x||``."""
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        length = 1.0 if M is None else np.linalg.norm(M)
        sizes = np.linalg.norm(A) + np.abs(values) * length
        lengths, residuals = (np.linalg.norm(Y, axis=0) for Y in (X, R))
        limit = float(np.finfo(R.dtype).eps ** _BACKWARD)
        return bool((residuals <= limit * sizes * lengths).all())


def _dense(A: BlockOperator, dtype: Any) -> NDArray[Any]:
    dense = A.todense()
    if not np.isfinite(dense).all():
        raise ValueError("`A` returned NaN or infinity")
    if dense.dtype.kind == "c" or dtype.kind != "c":
        return np.asarray(dense, dtype)
    return dense


def _check_hermitian(A: NDArray[Any], name: str) -> None:
    # LAPACK reads one triangle alone. NumPy's threads would spin beside those of its own.
    X = np.random.default_rng(0).standard_normal((len(A), 2)).astype(A.dtype)
    with single_threaded_blas():
        W = A @ X
    refuse_skew(X.conj().T @ W, float(np.linalg.norm(W)), name, A.dtype)


def _pencil(
    A: NDArray[Any], M: NDArray[Any] | None, request: Request, count: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenvalues of the pencil, at least so many, and vectors.

    They are orthonormal in the inner product of the mode.
    """
    if request.mode == "buckling":
        return _in_the_product_of(A, np.eye(len(A), dtype=A.dtype) if M is None else M, request)
    if M is not None and request.sigma is not None:
        return _in_the_product_of(M, A, request)
    n, which = len(A), request.selection.which
    if M is not None and _reciprocal_condition(M) <= _singular(M):
        raise ValueError(requirement(request))
    subset = None
    if request.sigma is None and which in ("LA", "SA") and count * _SUBSET < n:
        subset = (n - count, n - 1) if which == "LA" else (0, count - 1)
    if subset is not None:
        # Its driver may fail where most eigenvalues are tiny: the one for all is more patient.
        with suppress(np.linalg.LinAlgError):
            return eigh(A, M, subset_by_index=subset, check_finite=False)
    try:
        # Vectors of multiple eigenvalues are better orthonormalised by divide and conquer.
        driver: Any = "evd" if M is None else "gvd"
        return eigh(A, M, driver=driver, check_finite=False)
    except np.linalg.LinAlgError:
        return eigh(A, M, driver="ev" if M is None else "gv", check_finite=False)


def _in_the_product_of(
    B: NDArray[Any], C: NDArray[Any], request: Request
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenpairs near a shift: of A = C with M = B, or of A = B with M = C for buckling.

    By Cholesky factors of B, errors are as large as its condition number; by those of the shifted
    matrix they are not, near the shift.
    """
    buckling = request.mode == "buckling"
    condition = _reciprocal_condition(B)
    singular = condition <= _singular(B)
    if buckling and singular:
        raise ValueError(requirement(request))
    far = request.selection.which == "SM" and not singular
    if not far and condition < np.finfo(B.dtype).eps ** _ILL:
        return _by_the_shift(B, C, request)
    values, X = eigh(C, B, check_finite=False)
    with np.errstate(divide="ignore"):
        return 1 / values if buckling else values, X


def _singular(B: NDArray[Any]) -> float:
    """Return the reciprocal condition number below which B may as well be singular."""
    return _ROUNDOFFS * float(np.finfo(B.dtype).eps) * float(np.sqrt(len(B)))


def _reciprocal_condition(B: NDArray[Any]) -> float:
    """Estimate ``1 / (||B||_1 ||B^-1||_1)``; 0 where B is not positive definite."""
    functions: Any = get_lapack_funcs(("potrf", "pocon"), (B,))
    factor, estimate = functions
    R, info = factor(B, lower=False)
    if info:
        return 0.0
    length = np.abs(B).sum(axis=0).max(initial=0.0)
    return float(estimate(R, length, uplo="U")[0])


def _by_the_shift(
    B: NDArray[Any], C: NDArray[Any], request: Request
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Finite eigenvalues for ``B = L L^H``: by those of ``L^H (A - sigma M)^-1 L``."""
    sigma, buckling = request.sigma, request.mode == "buckling"
    assert sigma is not None
    size, U = np.linalg.eigh(B)
    keep = size > len(B) * np.finfo(size.dtype).eps * np.abs(size).max(initial=0.0)
    if size.min(initial=0.0) < -np.sqrt(np.finfo(size.dtype).eps) * size.max(initial=0.0):
        raise ValueError(requirement(request))
    if np.count_nonzero(keep) < request.k:
        raise ValueError(too_few(request, int(np.count_nonzero(keep))))
    L = U[:, keep] * np.sqrt(size[keep])
    A, M = (B, C) if buckling else (C, B)
    K = A - sigma * M
    if np.linalg.cond(K) > 1 / np.sqrt(np.finfo(size.dtype).eps):
        scale = float(np.abs(K).sum(axis=0).max(initial=0.0))
        largest = np.abs(M).sum(axis=0).max(initial=0.0) if buckling else size.max()
        sigma -= np.sqrt(np.finfo(size.dtype).eps) * scale / float(largest)
        K = A - sigma * M
    Z = np.linalg.solve(K, L)
    theta, Y = np.linalg.eigh(L.conj().T @ Z)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A buckling matrix of less than full rank leaves infinite eigenvalues.
        values = sigma * theta / (theta - 1) if buckling else sigma + 1 / theta
        return values, Z @ (Y / theta)


def shifted(values: NDArray[Any], request: Request) -> NDArray[Any]:
    """Return what `which` refers to.

    Parameters
    ----------
    values : ndarray, shape (m,)
        Eigenvalues of the caller's problem.
    request : Request
        With shift and mode.

    Returns
    -------
    ndarray, shape (m,)
        Infinite at the shift.
    """
    sigma = request.sigma
    if sigma is None:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        if request.mode == "normal":
            return 1 / (values - sigma)
        if request.mode == "cayley":
            return (values + sigma) / (values - sigma)
        # As 1 / (1 - sigma / w), which is 1 where w is infinite.
        return 1 / (1 - sigma / values)

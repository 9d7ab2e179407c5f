"""What an inverse near a singular shift has rounded away, won back in the pencil itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, SparseBlock
from rnla.linalg.orth import orthonormal_block

# Roundoffs, relative to the pencil, that an eigenpair may be off.
_UNITS = 64.0


def pencil_residual(request: Request, values: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    """Return ``A X - M X W`` for W the diagonal matrix of values.

    Parameters
    ----------
    request : Request
        With the pencil.
    values : ndarray, shape (k,)
        Eigenvalues.
    X : ndarray, shape (n, k)
        Their vectors.

    Returns
    -------
    ndarray, shape (n, k)
        Formed from new products.
    """
    MX = X if request.M is None else request.M.product(X)
    return np.asarray(request.A.product(X) - MX * values)


def backward_stable(
    request: Request, norms: NDArray[Any], values: NDArray[Any], X: NDArray[Any]
) -> bool:
    """Tell whether pairs are exact for a pencil that differs by rounding, or `tol`.

    Parameters
    ----------
    request : Request
        With an explicit pencil.
    norms : ndarray, shape (k,)
        Of the residuals.
    values : ndarray, shape (k,)
        Eigenvalues.
    X : ndarray, shape (n, k)
        Their vectors.

    Returns
    -------
    bool
        Whether all of them are.
    """
    size = _norm(request.A) + np.abs(values) * (1.0 if request.M is None else _norm(request.M))
    unit = max(request.tol, _UNITS * float(np.finfo(request.dtype).eps))
    return bool((norms <= unit * size * np.linalg.norm(X, axis=0)).all())


def polished(
    request: Request, inverse: BlockOperator, values: NDArray[Any], X: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return eigenpairs of the pencil in the span of X and its corrections.

    The correction ``(A - sigma M)^-1 (A X - M X W)`` removes from X what does not belong to it, but
    for directions near the shift, and those are in X.

    Parameters
    ----------
    request : Request
        With the pencil.
    inverse : BlockOperator
        Of ``A - sigma M``.
    values : ndarray, shape (k,)
        Eigenvalues.
    X : ndarray, shape (n, k)
        Their vectors, orthonormal in the inner product of M.

    Returns
    -------
    values : ndarray, shape (k,)
        Ascending.
    vectors : ndarray, shape (n, k)
        Those of the Ritz vectors that lie most in the span of X.
    """
    M, dtype = request.M, request.dtype

    def inner(Y: NDArray[Any]) -> NDArray[Any]:
        return Y if M is None else M.product(Y).astype(dtype, copy=False)

    MX = inner(X)
    D = inverse.product(pencil_residual(request, values, X)).astype(dtype, copy=False)
    D = orthonormal_block(D, X, inner=None if M is None else inner, basis_image=MX)
    V = np.hstack([X, D])
    H = V.conj().T @ request.A.product(V)
    theta, S = np.linalg.eigh((H + H.conj().T) / 2)
    k = X.shape[1]
    chosen = np.sort(np.argsort(-np.linalg.norm(S[:k], axis=0), kind="stable")[:k])
    return theta[chosen], V @ S[:, chosen]


def _norm(A: BlockOperator) -> float:
    """Return the largest sum of absolute entries of a column."""
    matrix: Any = A.rows if isinstance(A, SparseBlock) else A.todense()
    return float(abs(matrix).sum(axis=0).max())

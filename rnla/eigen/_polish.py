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
# Steps at the most, and the gain that is worth another one.
_MOST_STEPS, _GAIN = 30, 0.9


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
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return eigenpairs of the pencil near given ones, with smaller residuals as long as they fall.

    The correction ``D = (A - sigma M)^-1 (A X - M X W)`` removes from X what does not belong to
    it, but for directions near the shift, and those are in X. First, pairs are taken from the span
    of X and D. Where Ritz values of D come too close to the wanted ones for that, from ``X - D``:
    its error falls by ``|w - sigma|`` relative to the next eigenvalue's distance. What is wanted
    far from the shift has its neighbours there, too, and the inverse is of no help: without M, the
    residuals themselves are.

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
        Orthonormal like X.
    norms : ndarray, shape (k,)
        Of the residuals.
    """
    M, dtype = request.M, request.dtype

    def inner(Y: NDArray[Any]) -> NDArray[Any]:
        return Y if M is None else M.product(Y).astype(dtype, copy=False)

    def formed(V: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        H = V.conj().T @ request.A.product(V)
        theta, S = np.linalg.eigh((H + H.conj().T) / 2)
        chosen = np.sort(np.argsort(-np.linalg.norm(S[:k], axis=0), kind="stable")[:k])
        w, Y = theta[chosen], V @ S[:, chosen]
        return w, Y, np.linalg.norm(pencil_residual(request, w, Y), axis=0)

    k, metric = X.shape[1], None if M is None else inner
    norms = np.linalg.norm(pencil_residual(request, values, X), axis=0)
    ways = ["span", "difference"] if M is not None else ["span", "difference", "residuals"]
    for _ in range(_MOST_STEPS):
        if not ways or backward_stable(request, norms, values, X):
            break
        MX, D = inner(X), pencil_residual(request, values, X)
        if ways[0] != "residuals":
            D = inverse.product(D)
        D = D.astype(dtype, copy=False)
        if ways[0] == "difference":
            D = D - X @ (MX.conj().T @ D)
            better = formed(orthonormal_block(X - D, inner=metric))
        else:
            D = orthonormal_block(D, X, inner=metric, basis_image=MX)
            better = formed(np.hstack([X, D]))
        if better[2].max() < _GAIN * norms.max():
            values, X, norms = better
        else:
            ways.pop(0)
    return values, X, norms


def _norm(A: BlockOperator) -> float:
    """Return the largest sum of absolute entries of a column."""
    matrix: Any = A.rows if isinstance(A, SparseBlock) else A.todense()
    return float(abs(matrix).sum(axis=0).max())

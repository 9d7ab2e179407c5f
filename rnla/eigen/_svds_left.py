"""Left singular vectors of small singular values, freed from the rounding errors of ``A v``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._svds_precondition import GramPreconditioner
from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import orthonormal_block

# How long a residual may be, relative to ||A||: in double precision, and in roundoffs; and by how
# much more after a round, where the next would gain little.
_ENOUGH, _ENOUGH_ROUNDOFFS = 1e-12, 100
_NEARLY = 3
_ROUNDS = 8
# What one round gains at the most: its products have rounding errors relative to its start.
_GAIN = 1e-5
_STEPS = 40


def refined_left(
    A: BlockOperator,
    H: GramPreconditioner,
    U: NDArray[Any],
    sigma: NDArray[Any],
    V: NDArray[Any],
    tolerance: float,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Correct U until ``A^H U = V diag(sigma)`` holds to ``1e-12 ||A||``.

    ``u = A v / sigma`` has the rounding error of ``A v``, ``eps ||A|| / sigma``, of which
    ``A^H u`` shows the part in the range of A. The shortest correction D with
    ``A^H D = V diag(sigma) - A^H U`` takes it away: conjugate gradients on ``A^H A``
    preconditioned by H, in rounds with the residual formed anew.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        With m >= n.
    H : GramPreconditioner
        Approximates ``A^H A``.
    U, sigma, V : ndarray, shapes (m, k), (k,), (n, k)
        Triplets, ascending.
    tolerance : float
        Residuals of this length, relative to ``||A||``, are small enough as well.

    Returns
    -------
    U : ndarray, shape (m, k)
        Orthonormal; for a singular value of zero a left null vector.
    residuals : ndarray, shape (k,)
        Norms of ``A^H u - sigma v``.
    """
    eps = float(np.finfo(A.dtype).eps)
    limit = max(_ENOUGH, _ENOUGH_ROUNDOFFS * eps, tolerance) * H.norm
    rest = A.adjoint(U) - V * sigma
    norms = np.linalg.norm(rest, axis=0)
    for turn in range(_ROUNDS):
        bad = norms > (_NEARLY * limit if turn else limit)
        if not bad.any():
            break
        corrected = U.copy()
        corrected[:, bad] -= _shortest(A, H, rest[:, bad], V, limit)
        # Triangular from the largest singular value down: errors of the small ones stay theirs.
        corrected = orthonormal_block(corrected[:, ::-1])[:, ::-1]
        if corrected.shape != U.shape:
            break
        new_rest = A.adjoint(corrected) - V * sigma
        new_norms = np.linalg.norm(new_rest, axis=0)
        if new_norms.max() > 0.5 * norms.max():
            break
        U, rest, norms = corrected, new_rest, new_norms
    return U, norms


def _shortest(
    A: BlockOperator, H: GramPreconditioner, B: NDArray[Any], V: NDArray[Any], limit: float
) -> NDArray[Any]:
    """Return the shortest D with ``A^H D = B``, each column by itself."""

    def inner(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.einsum("ij,ij->j", X.conj(), Y).real)

    # Zero but for rounding, as U is orthonormal; H^-1 would amplify it along null vectors.
    R = B - V @ (V.conj().T @ B)
    stop = np.maximum(_GAIN * np.linalg.norm(R, axis=0), 0.5 * limit)
    Z = H.apply_to_range(R)
    P, square = Z, inner(R, Z)
    D = np.zeros((A.shape[0], B.shape[1]), B.dtype)
    for _ in range(_STEPS):
        AP = A.product(P)
        curvature = inner(AP, AP)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0)
        D += AP * step
        R = R - A.adjoint(AP) * step
        R = R - V @ (V.conj().T @ R)
        if (np.linalg.norm(R, axis=0) <= stop).all():
            break
        Z = H.apply_to_range(R)
        before, square = square, inner(R, Z)
        P = Z + P * np.divide(square, before, out=np.zeros_like(square), where=before > 0)
    return D

"""Left singular vectors of small singular values, freed from the rounding errors of ``A v``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._svds_precondition import GramPreconditioner, Inverse
from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import column_lengths, orthonormal_block, random_block

# How long a residual may be, relative to ||A||: in double precision, and in roundoffs; and by how
# much more after a round, where the next would gain little.
_ENOUGH, _ENOUGH_ROUNDOFFS = 1e-12, 100
_NEARLY = 3
_ROUNDS = 8
# What one round gains at the most: its products have rounding errors relative to its start.
_GAIN = 1e-5
_STEPS = 40
# A unit column of which less is left was rounding error: that of ``A v`` for a null vector v lies
# in the range of A, often with nothing beside it.
_KEPT = 0.5
# Projections of what is drawn instead, before the rounds go on with it.
_PROJECTIONS = 2


def refined_left(
    A: BlockOperator,
    H: GramPreconditioner,
    U: NDArray[Any],
    sigma: NDArray[Any],
    V: NDArray[Any],
    tolerance: float,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Correct U until ``A^H U = V diag(sigma)`` holds to ``1e-12 ||A||``.

    ``u = A v / sigma`` has the rounding error of ``A v``, ``eps ||A|| / sigma``, of which
    ``A^H u`` shows the part in the range of A. The shortest correction D with
    ``A^H D = V diag(sigma) - A^H U`` takes it away: conjugate gradients on ``A^H A``
    preconditioned by H, in rounds with the residual formed anew. Where it takes away most of a
    column, this was noise, and a random one that is freed of the range of A replaces it.

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
    rng : Generator
        Draws left null vectors.

    Returns
    -------
    U : ndarray, shape (m, k)
        Orthonormal; for a singular value of zero a left null vector.
    residuals : ndarray, shape (k,)
        Norms of ``A^H u - sigma v``.
    """
    limit = left_limit(A.dtype, tolerance) * H.norm
    rest = A.adjoint(U) - V * sigma
    norms = column_lengths(rest)
    fresh = np.zeros(len(sigma), bool)
    inverses = H.range_inverses()
    inverse = inverses.pop(0)
    for turn in range(_ROUNDS):
        bad = norms > (_NEARLY * limit if turn else limit)
        if not bad.any():
            break
        corrected = U.copy()
        corrected[:, bad] -= _shortest(A, inverse, rest[:, bad], V, limit)
        # Once: where A is nearly square, little of a random vector is a null vector.
        lost = bad & ~fresh & (column_lengths(corrected) < _KEPT)
        if lost.any():
            fresh |= lost
            corrected[:, lost] = _outside(A, inverse, int(lost.sum()), V, limit, rng)
        # Triangular from the largest singular value down: errors of the small ones stay theirs.
        corrected = orthonormal_block(corrected[:, ::-1])[:, ::-1]
        if corrected.shape != U.shape:
            break
        new_rest = A.adjoint(corrected) - V * sigma
        new_norms = column_lengths(new_rest)
        if new_norms.max() > 0.5 * norms.max() and not lost.any():
            if not inverses:
                break
            inverse = inverses.pop(0)
            continue
        U, rest, norms = corrected, new_rest, new_norms
    return U, norms


def left_limit(dtype: Any, tolerance: float) -> float:
    """Return how long residuals of left vectors may be, relative to the norm of A.

    Parameters
    ----------
    dtype : dtype
        The precision.
    tolerance : float
        Asked for.

    Returns
    -------
    float
        The largest of the tolerance, 1e-12 and 100 roundoffs.
    """
    eps = float(np.finfo(dtype).eps)
    return max(_ENOUGH, _ENOUGH_ROUNDOFFS * eps, tolerance)


def _outside(
    A: BlockOperator,
    inverse: Inverse,
    width: int,
    V: NDArray[Any],
    limit: float,
    rng: np.random.Generator,
) -> NDArray[Any]:
    """Return unit columns with as little of the range of A as two projections leave."""
    X = random_block(rng, (A.shape[0], width), A.dtype)
    for _ in range(_PROJECTIONS):
        X /= column_lengths(X)
        X -= _shortest(A, inverse, A.adjoint(X), V, limit)
    return np.asarray(X / column_lengths(X))


def _shortest(
    A: BlockOperator, inverse: Inverse, B: NDArray[Any], V: NDArray[Any], limit: float
) -> NDArray[Any]:
    """Return the shortest D with ``A^H D = B``, each column by itself."""

    def inner(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.einsum("ij,ij->j", X.conj(), Y).real)

    # Zero but for rounding, as U is orthonormal; H^-1 would amplify it along null vectors.
    R = B - V @ (V.conj().T @ B)
    stop = np.maximum(_GAIN * np.linalg.norm(R, axis=0), 0.5 * limit)
    Z = inverse(R)
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
        Z = inverse(R)
        before, square = square, inner(R, Z)
        P = Z + P * np.divide(square, before, out=np.zeros_like(square), where=before > 0)
    return D

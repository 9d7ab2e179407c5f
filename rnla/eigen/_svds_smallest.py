"""The smallest singular triplets by LOBPCG with a preconditioner for ``A^H A``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._svds_krylov import (
    Aim,
    TripletIteration,
    Triplets,
    TripletState,
    from_squares,
    is_still,
)
from rnla.eigen._svds_left import refined_left
from rnla.eigen._svds_precondition import GramPreconditioner
from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import orthonormal_block, random_block

# Columns beyond the wanted ones: a step more of them costs little where A is read once for all, and
# the gap that decides the rate is behind them.
GUARD = 8
_PROBES = 4
# Steps without progress after which rounding has the last word.
_FLAT_STEPS = 8


def lobpcg(
    A: BlockOperator,
    X: NDArray[Any],
    H: GramPreconditioner,
    aim: Aim,
    rng: np.random.Generator,
) -> TripletIteration:
    """Yield the smallest triplets on the spans of approximations, corrections and last steps.

    With ``G = A^H (A X) - X diag(sigma^2)`` the search space is ``[X, P, H^-1 G]`` [1]_, with a
    shift neither in H nor in the correction [2]_. The triplets are those of A times an orthonormal
    basis S of that space, by the QR factor of ``A S``: ``A^H A`` is never formed and the condition
    number not squared. The certificate is the energy norm of the correction, relative to sigma:
    half its square is the relative error of sigma, up to the gap.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        With m >= n.
    X : ndarray, shape (n, q)
        Start block, orthonormal, q >= k.
    H : GramPreconditioner
        Approximates ``A^H A``.
    aim : Aim
        What is wanted.
    rng : Generator
        Draws the block of the search.

    Yields
    ------
    TripletState
        For the start block and after each step.

    References
    ----------
    .. [1] A. V. Knyazev, "Toward the optimal preconditioned eigensolver", SIAM J. Sci. Comput. 23
       (2001), 517-541.
    .. [2] E. N. Epperly, T. Park, Y. Nakatsukasa, "Fast, high-accuracy, randomized nullspace
       computations for tall matrices", arXiv:2602.16797.
    """
    q = X.shape[1]
    X, AX, sigma, _ = _rayleigh_ritz(X, A.product(X), q)
    P, AP = X[:, :0], AX[:, :0]
    norm = H.norm
    n_iter, least, flat, searched = 0, np.inf, 0, not aim.verify
    while True:
        G = A.adjoint(AX) - X * (sigma * sigma)
        # Zero but for rounding, which H^-1 would amplify along null vectors.
        G = G - X @ (X.conj().T @ G)
        W = H.apply(G)
        energy = np.sqrt(np.maximum(np.einsum("ij,ij->j", G.conj(), W).real, 0))
        errors = aim.errors(sigma, energy, norm, float(np.finfo(A.dtype).eps), seen=True)
        error = float(errors[: aim.k].max())
        if error <= aim.residual and not searched:
            before = sigma
            X, AX, sigma = _search(A, X, H, rng)
            P, AP = X[:, :0], AX[:, :0]
            n_iter += 1
            gain = (before - sigma)[: aim.k]
            searched = is_still(gain, before[: aim.k], norm, aim)
            continue
        flat = flat + 1 if error > least else 0
        least = min(least, error)
        norms = from_squares(np.linalg.norm(G, axis=0), sigma, norm)
        stop = yield _state(A, H, X, AX, sigma, norms, n_iter, error, aim, searched, rng)
        if stop or flat >= _FLAT_STEPS:
            return
        active = errors > aim.residual
        W = orthonormal_block(W[:, active], np.hstack([X, P]))
        if W.shape[1] == 0:
            return
        S = np.hstack([X, P, W])
        AS = np.hstack([AX, AP, A.product(W)])
        X, AX, sigma, Q = _rayleigh_ritz(S, AS, q)
        # The last step, made orthonormal to X in coefficients: no long vector is touched.
        step = Q[:, active]
        step[:q] = 0
        step = orthonormal_block(step, Q)
        P, AP = S @ step, AS @ step
        n_iter += 1


def _rayleigh_ritz(
    S: NDArray[Any], AS: NDArray[Any], q: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the q smallest triplets of A on the span of S as ``X, A X, sigma`` and ``S^H X``."""
    _, sigma, QH = np.linalg.svd(np.linalg.qr(AS, mode="r"))
    Q = np.ascontiguousarray(QH[: -q - 1 : -1].conj().T)
    return S @ Q, AS @ Q, sigma[: -q - 1 : -1], Q


def _search(
    A: BlockOperator, X: NDArray[Any], H: GramPreconditioner, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Take random directions, filtered by H, into the search space, and multiply anew by A."""
    n, q = X.shape
    probes = H.apply(random_block(rng, (n, min(_PROBES, n - q)), X.dtype))
    S = np.hstack([X, orthonormal_block(probes, X)])
    X, AX, sigma, _ = _rayleigh_ritz(S, A.product(S), q)
    return X, AX, sigma


def _state(
    A: BlockOperator,
    H: GramPreconditioner,
    X: NDArray[Any],
    AX: NDArray[Any],
    sigma: NDArray[Any],
    norms: NDArray[Any],
    n_iter: int,
    error: float,
    aim: Aim,
    searched: bool,
    rng: np.random.Generator,
) -> TripletState:
    k = aim.k
    return TripletState(
        n_iter=n_iter,
        error=error,
        certified=True,
        form=lambda: X[:, :k],
        form_rest=lambda V: _completed(A, H, AX[:, :k], V, aim, rng),
        sigma=sigma[:k],
        residuals=norms[:k],
        verified=searched and aim.verify,
        norm=H.norm,
    )


def _completed(
    A: BlockOperator,
    H: GramPreconditioner,
    AX: NDArray[Any],
    X: NDArray[Any],
    aim: Aim,
    rng: np.random.Generator,
) -> Triplets:
    """Return triplets with orthonormal U from the product of A with orthonormal X."""
    # The longest column first: rounding errors of the others are orthogonalised against it.
    W, R = np.linalg.qr(AX[:, ::-1])
    P, sigma, QH = np.linalg.svd(R)
    Q = QH[::-1, ::-1].conj().T
    U, sigma, V = (W @ P)[:, ::-1], sigma[::-1], X @ Q
    if not aim.both:
        return Triplets(U, sigma, V, None)
    U, residuals = refined_left(A, H, U, sigma, V, aim.residual, rng)
    # The other residual is roundoff: A X was formed anew in the search.
    return Triplets(U, sigma, V, np.hypot(residuals, np.linalg.norm(AX @ Q - U * sigma, axis=0)))
